// The groups of the errors of one ingest call.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <tuple>

#include "core/grouping.hpp"
#include "core/uuid.hpp"
#include "pg/spi.hpp"

namespace vigil::pg {

// The keys of an error as one text: a KeyRole and the key, each ended by NUL.
class KeyList {
 public:
  // A key that is there already is not added again.
  void add(KeyRole role, std::string_view key) {
    if (key.empty() || text_.find(key) != std::string::npos) return;
    text_.push_back(static_cast<char>(role));
    text_.append(key).push_back('\0');
  }
  std::string_view text() const { return text_; }
  std::string_view first() const { return text().substr(1, text_.find('\0') - 1); }

 private:
  std::string text_;
};

// An error as far as its group is concerned; views live as long as the call.
struct Sighting {
  Uuid module;
  std::optional<Uuid> version;
  std::string_view keys;  // of a KeyList
  std::string_view type;
  std::string_view name;
  std::string_view message;
  std::optional<std::string_view> stack;
  std::string_view level;
};

// Finds or makes the groups of errors and opens resolved ones. Errors of known groups cost one
// query for all of them and no write, so writers never queue for a group. An SPI connection must be
// open.
class ErrorGroups {
 public:
  explicit ErrorGroups(std::pmr::memory_resource* resource)
      : resource_(resource),
        sightings_(resource),
        seen_(resource),
        keys_(resource),
        key_numbers_(resource),
        owners_(resource),
        owner_numbers_(resource) {}

  // Equal sightings count once.
  void add(const Sighting& sighting);

  void touch();

 private:
  struct Key {
    Uuid module;
    std::string_view text;
    bool first = false;                     // of some error
    std::uint32_t owner = Grouping::kNone;  // as read from the table
  };
  // A group of the table that owns keys.
  struct Owner {
    Uuid id;
    Uuid shown;             // the group it is merged into, or itself
    bool resolved = false;  // the shown one
  };
  struct Placed {
    Sighting sighting;
    std::pmr::vector<GroupKey> keys;
    std::uint32_t owner = Grouping::kNone;
    std::optional<Uuid> made;  // the group that was made for it
  };
  using Numbers = std::pmr::vector<std::uint32_t>;

  std::uint32_t number_of(const Uuid& module, std::string_view key);
  void look_up(const Numbers& keys);
  std::uint32_t owner_number(const Owner& owner);
  Grouping place();
  void write(const Numbers& keys, const Grouping& grouping);
  Numbers insert_keys(const Numbers& keys, const Grouping& grouping);
  void move_keys(const Numbers& keys, const Grouping& before, const Grouping& after);
  void insert_groups();
  void delete_groups();
  void reopen();
  const Uuid& id_of(std::uint32_t owner) const;

  std::pmr::memory_resource* resource_;
  std::pmr::vector<Placed> sightings_;
  std::pmr::set<std::tuple<Uuid, Uuid, std::string_view>> seen_;
  std::pmr::vector<Key> keys_;
  std::pmr::map<std::pair<Uuid, std::string_view>, std::uint32_t> key_numbers_;
  std::pmr::vector<Owner> owners_;
  std::pmr::map<Uuid, std::uint32_t> owner_numbers_;
};

}  // namespace vigil::pg
