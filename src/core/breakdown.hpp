// Counts by name, several breakdowns of the same facts side by side: by event name, by country, ...
#pragma once

#include <array>
#include <cstdint>
#include <memory_resource>
#include <span>
#include <string_view>
#include <vector>

#include "core/bytes.hpp"

namespace vigil {

// State and bytes are a function of what was counted alone. The number of names is bounded by
// fold(). All memory comes from the resource: 32 bytes and a slot for each name, and the name
// itself if it is longer than 16 bytes; none until a name is counted.
class Breakdowns {
 public:
  enum class Kind : std::uint8_t { kNames, kCountries, kDevices, kBrowsers };
  static constexpr std::array kKinds = {Kind::kNames, Kind::kCountries, Kind::kDevices,
                                        Kind::kBrowsers};
  static constexpr std::string_view kOther = "(other)";

  explicit Breakdowns(std::pmr::memory_resource* resource)
      : entries_(resource), slots_(resource), texts_(resource) {}

  // Error{kNumericOutOfRange} when a count would pass 2^64 - 1.
  void add(Kind kind, std::string_view name, std::uint64_t times = 1);
  void merge(const Breakdowns& other);

  // Keeps the `limit` most frequent names of each kind (equal counts: by name) and sums the rest
  // under kOther.
  void fold(std::size_t limit);

  // Calls visit(name, count) for every name of the kind, in the order of their bytes.
  template <typename Visit>
  void for_each(Kind kind, Visit&& visit) const {
    for (const Entry* entry : sorted(kind)) visit(text_of(*entry), entry->count);
  }

  // Each kind in turn: the number of its names, then name and count, ascending by name
  // (doc/format-cell.md). read() takes only what write() gives, into an empty object.
  void write(ByteWriter& out) const;
  void read(ByteReader& in);

 private:
  // A name of up to 16 bytes is its words, padded with zeros; a longer one is its hash there and
  // its bytes in texts_.
  struct Key {
    std::uint64_t words[2];
    std::uint32_t size_and_kind;
    std::uint32_t offset;  // of a longer one, in texts_

    std::uint32_t size() const { return size_and_kind >> 2; }
    Kind kind() const { return static_cast<Kind>(size_and_kind & 3); }
    bool is_long() const { return size() > sizeof(words); }
    bool may_equal(const Key& other) const {
      return words[0] == other.words[0] && words[1] == other.words[1] &&
             size_and_kind == other.size_and_kind;
    }
  };
  struct Entry {
    Key key;
    std::uint64_t count;
  };

  static Key key_of(Kind kind, std::string_view name);
  static Key long_key(std::uint32_t tagged, std::string_view name);
  static std::size_t hash_of(const Key& key);
  template <typename Visit>
  void probe(const Key& key, Visit&& visit);
  std::string_view text_of(const Entry& entry) const;
  void append(Key key, std::string_view name, std::uint64_t times);
  void place(std::uint32_t number);
  void rebuild_slots(std::size_t slots);
  std::pmr::vector<const Entry*> sorted(Kind kind) const;

  std::pmr::vector<Entry> entries_;
  std::pmr::vector<std::uint32_t> slots_;  // entry number + 1, 0 is free; open addressing
  std::pmr::vector<char> texts_;
};

}  // namespace vigil
