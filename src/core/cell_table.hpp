// The cells of many keys from one pass over facts: the hash table of the roller.
#pragma once

#include <cstdint>
#include <memory_resource>
#include <optional>
#include <span>
#include <string_view>
#include <tuple>
#include <vector>

#include "core/cell.hpp"
#include "core/text_map.hpp"
#include "core/uuid.hpp"

namespace vigil {

// What tells cells of one resolution apart.
struct CellKey {
  Uuid module;
  std::optional<Uuid> version;
  std::string_view event_type;
  std::string_view subject;
  std::int64_t bucket;  // microseconds
};

// Facts of many keys come in any order, and cells are too large to have thousands of them at hand.
// So facts are collected in short form, some hundred thousand at a time, and then added to one cell
// after the other; finished cells are kept as bytes.
//
// All memory comes from the resource: some 100 bytes for each fact of a batch, then what the stored
// cells need.
class CellTable {
 public:
  static constexpr std::string_view kOther = Breakdowns::kOther;

  // `batch` is how many facts are collected.
  explicit CellTable(std::pmr::memory_resource* resource, std::size_t batch = 1 << 16);
  CellTable(const CellTable&) = delete;
  CellTable& operator=(const CellTable&) = delete;

  // Adds a fact to the cell of its key.
  void add(const CellKey& key, const Observation& seen);

  // Completes the cells. Keeps, of each bucket, version and type but `unbounded`, the `limit`
  // subjects with the most facts (equal counts: by subject) and merges the others into the cell of
  // the subject kOther; folds breakdowns to `names`.
  void finish(std::size_t limit, std::string_view unbounded, std::size_t names);

  std::size_t size() const { return entries_.size(); }

  // Calls visit(const CellKey&, std::span<const std::uint8_t>) with key and stored form of every
  // finished cell, in the order in which they came.
  template <typename Visit>
  void for_each(Visit&& visit) const {
    for (const Entry& entry : entries_) visit(key_of(entry), entry.bytes);
  }

 private:
  // Numbers texts in the order in which they came, from 0.
  class Numbers {
   public:
    explicit Numbers(std::pmr::memory_resource* resource)
        : numbers_(resource), texts_(resource), bytes_(resource) {}
    std::uint32_t of(std::string_view text) {
      std::uint32_t& number = numbers_.at(0, text);
      if (number == 0) [[unlikely]] {
        number = append(text);
      }
      return number - 1;
    }
    std::string_view text(std::uint32_t number) const { return texts_[number]; }
    std::size_t size() const { return texts_.size(); }

   private:
    std::uint32_t append(std::string_view text);

    TextMap<std::uint32_t> numbers_;  // number + 1
    std::pmr::vector<std::string_view> texts_;
    std::pmr::monotonic_buffer_resource bytes_;
  };

  struct Entry {
    std::uint64_t module[2];
    std::uint64_t version[2];
    std::int64_t bucket;
    std::uint32_t type;     // number in types_
    std::uint32_t subject;  // number in subjects_
    std::uint32_t hash;
    std::uint32_t collected;  // facts of the batch; then where they end in order_
    std::uint64_t count;
    std::span<const std::uint8_t> bytes;
    std::uint32_t names;  // in its breakdowns
    bool has_version;

    // Equal but for the subject.
    auto group() const {
      return std::tie(module[0], module[1], version[0], version[1], has_version, bucket, type);
    }
    bool is_same(const Entry& other) const {
      return subject == other.subject && group() == other.group();
    }
  };

  static constexpr std::uint32_t kNoName = 0xffffffff;
  struct Fact : Measures {  // as a base, it leaves its last bytes to what follows
    std::uint32_t entry;
    std::uint32_t names[Breakdowns::kKinds.size()];  // numbers in names_, or kNoName
  };

  std::uint32_t number_of(const CellKey& key);
  Entry entry_of(const CellKey& key);
  CellKey key_of(const Entry& entry) const;
  void rebuild_slots(std::size_t slots);
  std::uint32_t name_of(const std::optional<std::string_view>& name);
  void flush();
  void sort_facts();
  void sort_names();
  void add_facts(Cell& cell, std::span<const std::uint32_t> facts);
  void write_names();
  Cell cell_of(const Entry& entry, std::pmr::memory_resource* resource) const;
  void keep(Entry& entry, const Cell& cell);
  void keep_bytes(Entry& entry, std::uint64_t count, std::size_t names);
  void fold_subjects(std::size_t limit, std::string_view unbounded);
  void fold_names(std::size_t limit);

  std::pmr::monotonic_buffer_resource kept_;  // the bytes of cells
  Numbers types_;
  Numbers subjects_;
  Numbers names_;  // of all breakdowns
  std::pmr::vector<Entry> entries_;
  std::pmr::vector<std::uint32_t> slots_;  // entry number + 1, 0 is free; open addressing
  std::size_t batch_;
  std::pmr::vector<Fact> facts_;
  std::pmr::vector<std::uint32_t> touched_;  // entries with facts in the batch
  std::pmr::vector<std::uint32_t> order_;    // facts by entry
  std::pmr::vector<std::uint32_t> by_rank_;  // names in the order of their bytes
  std::pmr::vector<std::uint32_t> ranks_;    // by name
  std::pmr::vector<std::uint32_t> counts_;   // by kind and rank, of one cell
  std::pmr::vector<std::uint32_t> counted_;  // those of them that are not 0, in order
  std::pmr::vector<Breakdowns::Named> named_;
  Bytes bytes_;
};

}  // namespace vigil
