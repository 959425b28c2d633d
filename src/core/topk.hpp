// The most frequent texts of a stream: Space-Saving (Metwally, Agrawal, El Abbadi 2005, "Efficient
// computation of frequent and top-k elements in data streams"), mergeable as in Agarwal, Cormode,
// Huang, Phillips, Wei, Yi 2012, "Mergeable summaries".
#pragma once

#include <cstdint>
#include <memory_resource>
#include <span>
#include <string_view>
#include <vector>

#include "core/bytes.hpp"

namespace vigil {

// A summary of n texts keeps at most `limit` of them. For each it knows a count and an error with
//   count - error <= true count <= count,
// no other text occurred more than floor() times, and floor() <= n / limit, whatever the order of
// the texts and however summaries were merged. So every text of more than n / limit is listed.
// While no more than `limit` different texts were seen, all is exact: floor and errors are 0, and
// the bytes depend on the counts alone. Beyond that they depend on the order, except that merging
// two summaries gives equal bytes either way.
//
// Memory: about 120 bytes, then 60 and the text, at most twice its length, for each item. All of it
// comes from the resource, which must outlive the object; destroying the object may be skipped.
// Adding a text that is listed allocates nothing. If memory runs out inside add() or merge() the
// object may only be destroyed.
class TopK {
 public:
  static constexpr std::uint32_t kDefaultLimit = 100;
  static constexpr std::uint32_t kMaxLimit = 10000;
  static constexpr std::size_t kMaxBytes = 1024;  // of an item
  static constexpr std::size_t kMaxPrefix = 989;  // of what shortened() keeps

  struct Item {
    std::string_view text;  // valid until the summary changes
    std::uint64_t count;
    std::uint64_t error;
  };

  // Error{kInvalidArgument} when the limit is not in 1 .. 10000.
  explicit TopK(std::pmr::memory_resource* resource, std::uint32_t limit = kDefaultLimit);
  TopK(const TopK& other, std::pmr::memory_resource* resource);
  TopK(TopK&&) = default;
  TopK& operator=(TopK&&) = default;
  TopK(const TopK&) = delete;
  TopK& operator=(const TopK&) = delete;

  // Sets the limit of an empty summary. Error{kInvalidArgument} when it is out of range, or when
  // the summary is not empty and has another one.
  void set_limit(std::uint32_t limit);

  // Adds a text `times` times. Error{kStringTooLong} beyond kMaxBytes, and
  // Error{kNumericOutOfRange} when the total would exceed 2^63 - 1; nothing is changed then.
  void add(std::string_view text, std::uint64_t times = 1);

  // Adds everything that was added to the other; the result has the smaller limit of both.
  // Error{kNumericOutOfRange}, with nothing changed, when the total would exceed 2^63 - 1.
  void merge(const TopK& other);

  std::uint64_t total() const { return total_; }
  std::uint64_t floor() const { return floor_; }
  std::uint32_t limit() const { return limit_; }
  std::size_t size() const { return entries_.size(); }

  // The items by falling count, then by rising error, then by their bytes.
  std::pmr::vector<Item> items(std::pmr::memory_resource* resource) const;

  // Calls visit(std::string_view) for every item, in no order.
  template <typename Visit>
  void for_each_text(Visit&& visit) const {
    for (const Entry& entry : entries_) visit(text_of(entry));
  }

  // Equal states write equal bytes (doc/format-topk.md). read() takes only what write() gives;
  // anything else is Error{kInvalidBinary}.
  void write(Bytes& out) const;
  static TopK read(std::span<const std::uint8_t> bytes, std::pmr::memory_resource* resource);

  // What stands for a text longer than kMaxBytes: its first `prefix` bytes, at most kMaxPrefix,
  // then "..." and the 32 digits of its MurmurHash3 x64 128. Returns the size written to `out`.
  static std::size_t shortened(std::string_view text, std::size_t prefix,
                               std::span<char, kMaxBytes> out);

 private:
  struct Entry {
    std::uint64_t hash;
    std::uint64_t count;
    std::uint64_t error;
    std::uint64_t key;  // its count when it last moved in the heap
    std::uint32_t offset;
    std::uint16_t size;
    std::uint16_t capacity;
  };
  struct Slot {
    std::uint32_t tag;    // high half of the hash
    std::uint32_t entry;  // number + 1; 0 is free
  };

  std::string_view text_of(const Entry& entry) const {
    return {texts_.data() + entry.offset, entry.size};
  }

  void check_room(std::uint64_t times) const;
  std::size_t find(std::uint64_t hash, std::string_view text) const;
  void place(std::uint32_t entry);
  void free_slot(std::size_t slot);
  void grow_table();
  void rebuild_table(std::size_t slots);
  void store_text(Entry& entry, std::string_view text);
  void append(std::string_view text, std::uint64_t hash, std::uint64_t count, std::uint64_t error);
  void replace_least(std::string_view text, std::uint64_t hash, std::uint64_t times);
  std::uint32_t least();
  bool leaves_before(std::uint32_t a, std::uint32_t b) const;
  void sift_down(std::size_t at);
  void keep_most();

  std::pmr::vector<Entry> entries_;
  std::pmr::vector<Slot> slots_;          // open addressing, a power of two, at most half full
  std::pmr::vector<char> texts_;          // what the entries point into
  std::pmr::vector<std::uint32_t> heap_;  // who leaves next comes first; empty until one has to
  std::uint64_t total_ = 0;
  std::uint64_t floor_ = 0;
  std::uint32_t limit_;
};

}  // namespace vigil
