// Counts by name, several breakdowns of the same facts side by side: by event name, by country, ...
#pragma once

#include <array>
#include <cstdint>
#include <memory_resource>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "core/bytes.hpp"
#include "core/text_map.hpp"

namespace vigil {

// State and bytes are a function of what was counted alone. The number of names is bounded by
// fold(). All memory comes from the resource.
class Breakdowns {
 public:
  enum class Kind : std::uint8_t { kNames, kCountries, kDevices, kBrowsers };
  static constexpr std::array kKinds = {Kind::kNames, Kind::kCountries, Kind::kDevices,
                                        Kind::kBrowsers};
  static constexpr std::string_view kOther = "(other)";

  explicit Breakdowns(std::pmr::memory_resource* resource) : counts_(resource) {}

  // Error{kNumericOutOfRange} when a count would pass 2^64 - 1.
  void add(Kind kind, std::string_view name, std::uint64_t times = 1) {
    if (times == 0) return;
    increase(counts_.at(static_cast<std::uint8_t>(kind), name), times);
  }

  // One name of each kind, or none.
  using Names = std::array<std::optional<std::string_view>, kKinds.size()>;

  // add() for each of the names, in two steps: what is done between them hides how long it takes
  // until the memory is there.
  struct Lookup {
    Names names;
    std::array<TextMap<std::uint64_t>::Key, kKinds.size()> keys;
  };
  Lookup look_up(const Names& names) const;
  void add(const Lookup& lookup);

  void merge(const Breakdowns& other);

  // How many names it has, of all kinds.
  std::size_t size() const { return counts_.size(); }

  // Keeps the `limit` most frequent names of each kind (equal counts: by name) and sums the rest
  // under kOther.
  void fold(std::size_t limit);

  // Calls visit(name, count) for every name of the kind, in the order of their bytes.
  template <typename Visit>
  void for_each(Kind kind, Visit&& visit) const {
    for (const Entry* entry : sorted()) {
      if (kind_of(*entry) == kind) visit(counts_.text_of(*entry), entry->value);
    }
  }

  // Each kind in turn: the number of its names, then name and count, ascending by name
  // (doc/format-cell.md). read() adds what write() gives, and takes nothing else.
  void write(ByteWriter& out) const;
  void read(ByteReader& in);

  // One kind of what write() gives, from names that ascend.
  struct Named {
    std::string_view name;
    std::uint64_t count;
  };
  static void write_kind(ByteWriter& out, std::span<const Named> names);

 private:
  using Entry = TextMap<std::uint64_t>::Entry;

  [[noreturn]] static void fail_count();
  static void increase(std::uint64_t& count, std::uint64_t times) {
    if (__builtin_add_overflow(count, times, &count)) [[unlikely]] {
      count -= times;
      fail_count();
    }
  }
  static Kind kind_of(const Entry& entry) { return static_cast<Kind>(entry.tag()); }
  std::pmr::vector<const Entry*> sorted() const;  // by kind, then by name

  TextMap<std::uint64_t> counts_;  // tagged with the kind
};

}  // namespace vigil
