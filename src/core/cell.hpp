// What one rollup cell holds. Every part is an integer count, an exact sum or a mergeable sketch,
// so that cells merged in any order have equal bytes.
#pragma once

#include <cstdint>
#include <memory_resource>
#include <optional>
#include <span>
#include <string_view>

#include "core/breakdown.hpp"
#include "core/bytes.hpp"
#include "core/histogram.hpp"
#include "core/hyperloglog.hpp"
#include "core/weight.hpp"

namespace vigil {

// One fact as a cell sees it; views are only read during add().
struct Observation {
  std::int64_t time;  // microseconds, any epoch as long as it is always the same
  std::string_view name;
  std::optional<bool> success;
  std::optional<double> duration;      // milliseconds; not finite counts as missing
  std::optional<double> value;         // as duration, in the unit of the metric
  std::optional<std::int64_t> memory;  // kilobytes
  std::optional<std::span<const std::uint8_t>> site;
  std::optional<std::string_view> session;
  std::optional<std::string_view> user;
  std::optional<std::string_view> country;
  std::optional<std::string_view> device;
  std::optional<std::string_view> browser;
  double weight = 1;  // how many facts it stands for
};

// What sketches and sums take of an observation, ready to be added.
struct Measures {
  enum Known : std::uint8_t {
    kSuccess = 1,
    kSucceeded = 2,
    kMemory = 4,
    kSite = 8,
    kSession = 16,
    kUser = 32
  };

  explicit Measures(const Observation& seen);
  bool has(Known what) const { return (known & what) != 0; }

  std::int64_t time;
  double duration;  // not finite when missing, as is value
  double value;
  double weight;
  std::int64_t memory = 0;
  std::uint64_t site = 0;  // hashes
  std::uint64_t session = 0;
  std::uint64_t user = 0;
  std::uint8_t known = 0;
};

// The counts and sums of a cell.
struct Totals {
  std::uint64_t count = 0;
  std::uint64_t successes = 0;
  std::uint64_t failures = 0;
  std::int64_t first_time = 0;  // of no meaning while count is 0
  std::int64_t last_time = 0;
  std::uint64_t memory_count = 0;
  __int128 memory_sum = 0;
  std::int64_t memory_max = 0;
  WeightSum extra_successes;  // what weights add to the counts
  WeightSum extra_failures;
  WeightSum extra_others;  // of unknown outcome

  bool has_weights() const;

  // How many facts those of the cell stand for, those that succeeded, those that failed.
  double weight() const;
  double weight_of_successes() const { return extra_successes.above(successes); }
  double weight_of_failures() const { return extra_failures.above(failures); }

  void add(const Measures& seen);
  void merge(const Totals& other);
  void write(ByteWriter& out) const;
  static Totals read(ByteReader& in, bool with_weights);

 private:
  WeightSum& extra_of(const Measures& seen);
  void note_time(std::int64_t first, std::int64_t last);
  void note_memory(std::uint64_t samples, __int128 sum, std::int64_t largest);
  void read_memory(ByteReader& in);
  void read_weights(ByteReader& in);
};

// The stored format is in doc/format-cell.md.
class Cell : public Totals {
 public:
  static constexpr std::size_t kMostNames = 200;  // that a finished cell keeps of each kind

  explicit Cell(std::pmr::memory_resource* resource);

  void add(const Observation& seen);

  // The part of add() without the breakdowns.
  void add(const Measures& seen);

  // Throws Error{kNumericOutOfRange} when a count would pass 2^64 - 1, or a sum of weights.
  void merge(const Cell& other);

  // The same as merge(read(bytes)), without an object in between. After an Error some of the bytes
  // may have been added.
  void merge_stored(std::span<const std::uint8_t> bytes);

  using Distribution = Histogram Cell::*;

  // The same without the breakdowns, and, where one is given, with that distribution alone.
  void merge_measures(std::span<const std::uint8_t> bytes, Distribution only = nullptr);

  // Bounds every breakdown; the last step of an aggregate, never in between.
  void fold(std::size_t limit) { breakdowns.fold(limit); }

  void write(Bytes& out) const;
  // The part of it before the breakdowns.
  void write_measures(Bytes& out) const;
  static Cell read(std::span<const std::uint8_t> bytes, std::pmr::memory_resource* resource);

  // The counts and sums of what write() gave, without a look at the rest.
  static Totals read_totals(std::span<const std::uint8_t> bytes);

  Histogram duration;
  Histogram value;
  HyperLogLog sites;
  HyperLogLog sessions;
  HyperLogLog users;
  Breakdowns breakdowns;

 private:
  // Merges what stands before the breakdowns; false when the cell is empty, and so all was read.
  bool merge_measures(ByteReader& in, Distribution only);
};

}  // namespace vigil
