// Buckets of OpenTelemetry's base-2 exponential histogram: which one a value falls into, and how
// often each was hit (opentelemetry-specification, "Metrics Data Model", ExponentialHistogram).
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory_resource>
#include <vector>

namespace vigil {

// The mapping of positive doubles to buckets. At scale s bucket i holds the values in
// (base^i, base^(i+1)] with base = 2^(2^-s); scale s - 1 joins the buckets 2i and 2i + 1 to i.
namespace bucket {

inline constexpr int kMinScale = -10;
inline constexpr int kMaxScale = 8;

inline constexpr int kFractionBits = 52;
inline constexpr int kBoundaries = 1 << kMaxScale;
inline constexpr int kCells = 2 * kBoundaries;
inline constexpr int kCellShift = kFractionBits - kMaxScale - 1;
inline constexpr std::uint64_t kFractionMask = (std::uint64_t{1} << kFractionBits) - 1;

// For each of 512 equal cells of the fraction: above bit 52, how many boundaries lie below the
// cell; below, the next boundary. Boundaries are more than a cell apart, so no other lies within.
extern const std::array<std::uint64_t, kCells> kCell;

// The bucket of a positive normal double, given as its bits, at kMaxScale.
inline std::int32_t index_of_normal(std::uint64_t bits) {
  const std::uint64_t fraction = bits & kFractionMask;
  const std::uint64_t cell = kCell[fraction >> kCellShift];
  const auto exponent = static_cast<std::int32_t>(bits >> kFractionBits) - 1023;
  const std::int32_t further = fraction > (cell & kFractionMask) ? 1 : 0;
  return exponent * kBoundaries + static_cast<std::int32_t>(cell >> kFractionBits) + further - 1;
}

// The bucket of a positive finite double at kMaxScale; shift it right by kMaxScale - s for scale s.
std::int32_t index_of(double value);

// The lower bound of a bucket, which is the upper bound of the one before it: the largest double
// at or below the real number (the nearest one where subnormal); the infinite last bound is given
// as the largest double.
double lower_bound(std::int32_t index, int scale);

// The least and the greatest double of a bucket that holds some.
double least(std::int32_t index, int scale);
double greatest(std::int32_t index, int scale);

// The point whose relative distance to any value of the bucket is at most max_relative_error.
double middle(std::int32_t index, int scale);

extern const std::array<double, kMaxScale - kMinScale + 1> kMaxRelativeError;

// (base - 1) / (base + 1): 0.0054 at scale 6. Subnormal values may add their own rounding.
inline double max_relative_error(int scale) {
  return kMaxRelativeError[static_cast<std::size_t>(scale - kMinScale)];
}

// Indices from `first` to `last`; none when last < first.
struct Range {
  std::int32_t first = 0;
  std::int32_t last = -1;

  bool operator==(const Range&) const = default;
  bool empty() const { return last < first; }
  std::int64_t span() const { return empty() ? 0 : std::int64_t{last} - first + 1; }
  Range at_lower_scale(int by) const { return empty() ? *this : Range{first >> by, last >> by}; }
  Range join(Range other) const {
    if (empty()) return other;
    if (other.empty()) return *this;
    return {std::min(first, other.first), std::max(last, other.last)};
  }
};

// How often each bucket was hit: a window of counters, each of 1, 2, 4 or 8 bytes as the largest
// count needs, so that a sketch of few values stays small however far they lie apart.
class Counts {
 public:
  explicit Counts(std::pmr::memory_resource* resource) : bytes_(resource) {}
  Counts(const Counts& other, std::pmr::memory_resource* resource)
      : bytes_(other.bytes_, resource),
        base_(other.base_),
        slots_(other.slots_),
        width_(other.width_) {}
  Counts(Counts&&) = default;
  Counts& operator=(Counts&&) = default;
  Counts(const Counts&) = delete;
  Counts& operator=(const Counts&) = delete;

  // Adds to the count of `index`, or returns false when the window does not reach it.
  bool try_add(std::int32_t index, std::uint64_t times) {
    const auto slot = static_cast<std::uint32_t>(index - base_);
    if (slot >= slots_) return false;
    const bool fits = width_ == 0   ? add<std::uint8_t>(slot, times)
                      : width_ == 1 ? add<std::uint16_t>(slot, times)
                      : width_ == 2 ? add<std::uint32_t>(slot, times)
                                    : add<std::uint64_t>(slot, times);
    if (!fits) [[unlikely]] {
      widen_and_add(slot, times);
    }
    return true;
  }

  // Asks for the memory that adding to the index will need.
  void prefetch(std::int32_t index) const noexcept {
    const auto slot = static_cast<std::uint32_t>(index - base_);
    if (slot < slots_) __builtin_prefetch(bytes_.data() + (std::size_t{slot} << width_));
  }

  // Adds one, or returns false, with nothing changed, when that takes memory.
  bool try_increment(std::int32_t index) noexcept {
    const auto slot = static_cast<std::uint32_t>(index - base_);
    if (slot >= slots_) return false;
    switch (width_) {
      case 0:
        return add<std::uint8_t>(slot, 1);
      case 1:
        return add<std::uint16_t>(slot, 1);
      case 2:
        return add<std::uint32_t>(slot, 1);
      default:
        return add<std::uint64_t>(slot, 1);
    }
  }

  // Takes from a count, or from all counts of another, what they are known to hold.
  void subtract(std::int32_t index, std::uint64_t times) noexcept {
    const auto slot = static_cast<std::uint32_t>(index - base_);
    store(slot, load(slot) - times);
  }
  void subtract(const Counts& other) noexcept {
    other.for_each([&](std::int32_t index, std::uint64_t count) {
      subtract(index, count);
      return true;
    });
  }

  // Makes the window reach all of `range` and all indices in use, which together the caller knows
  // to be within `limit`, with spare room for growth up to that limit.
  void cover(Range range, std::uint32_t limit);

  // Stored counts come in blocks of neighbours that begin at multiples of eight.
  static constexpr std::int32_t kBlock = 8;

  bool has_window() const { return slots_ != 0; }

  // Makes the window of an object without one just `range`, for counts of so many bits.
  void open(Range range, std::uint32_t bits);

  // Adds to the eight counts from `index` on, of a byte each, the first in the lowest byte. Only
  // zeros may be outside the window.
  void add_block(std::int32_t index, std::uint64_t bytes) {
    const auto slot = static_cast<std::uint32_t>(index - base_);
    if (width_ == 0 && slot < slots_ && slots_ - slot >= kBlock && try_add_bytes(slot, bytes))
      return;
    for (; bytes != 0; bytes >>= 8) {
      if ((bytes & 0xff) != 0) try_add(index, bytes & 0xff);
      ++index;
    }
  }

  // Adds the counts of another, whose indices are of a scale higher by `by`.
  void merge(const Counts& other, int by, std::uint32_t limit);

  // Joins 2^by neighbours to one each.
  void downscale(int by);

  // The indices from the lowest to the highest count that is not zero.
  Range occupied() const;

  // The count of an index of the window, and 0 outside it.
  std::uint64_t at(std::int32_t index) const;

  // Calls visit(index, count) for every count that is not zero, in ascending order, until it
  // returns false.
  template <typename Visit>
  void for_each(Visit&& visit) const {
    switch (width_) {
      case 0:
        return scan<std::uint8_t>(visit);
      case 1:
        return scan<std::uint16_t>(visit);
      case 2:
        return scan<std::uint32_t>(visit);
      default:
        return scan<std::uint64_t>(visit);
    }
  }

  // Equal counts, whatever the windows.
  bool operator==(const Counts& other) const;

 private:
  // False, with nothing changed, when the counter is too narrow; 64 bits are known to suffice.
  template <typename Counter>
  bool add(std::uint32_t slot, std::uint64_t times) noexcept {
    std::uint8_t* at = bytes_.data() + std::size_t{slot} * sizeof(Counter);
    Counter count;
    std::memcpy(&count, at, sizeof(count));
    const std::uint64_t sum = count + times;
    if (sum > std::numeric_limits<Counter>::max()) return false;
    count = static_cast<Counter>(sum);
    std::memcpy(at, &count, sizeof(count));
    return true;
  }

  // Eight counters of a byte at once; false, with nothing changed, when one is too narrow.
  bool try_add_bytes(std::uint32_t slot, std::uint64_t bytes) noexcept {
    constexpr std::uint64_t kHigh = 0x8080808080808080;
    std::uint64_t word;
    std::memcpy(&word, bytes_.data() + slot, sizeof(word));
    const std::uint64_t lower = (word & ~kHigh) + (bytes & ~kHigh);
    if ((((word & bytes) | ((word ^ bytes) & lower)) & kHigh) != 0) return false;
    word += bytes;
    std::memcpy(bytes_.data() + slot, &word, sizeof(word));
    return true;
  }

  template <typename Counter, typename Visit>
  void scan(Visit&& visit) const {
    constexpr std::uint32_t kPerWord = 8 / sizeof(Counter);
    for (std::uint32_t slot = 0; slot < slots_;) {
      const std::uint8_t* at = bytes_.data() + std::size_t{slot} * sizeof(Counter);
      std::uint64_t word = 1;
      if (slots_ - slot >= kPerWord) std::memcpy(&word, at, sizeof(word));
      if (word == 0) {  // windows of few values are mostly empty
        slot += kPerWord;
        continue;
      }
      const std::uint32_t end = slot + std::min(kPerWord, slots_ - slot);
      for (; slot < end; ++slot, at += sizeof(Counter)) {
        Counter count;
        std::memcpy(&count, at, sizeof(count));
        if (count != 0 && !visit(base_ + static_cast<std::int32_t>(slot), count)) return;
      }
    }
  }

  std::uint64_t load(std::uint32_t slot) const;
  void store(std::uint32_t slot, std::uint64_t count);
  std::uint32_t width_for(std::uint64_t count) const;
  void widen_and_add(std::uint32_t slot, std::uint64_t times);
  void rebuild(std::int32_t base, std::uint32_t slots, std::uint32_t width);

  std::pmr::vector<std::uint8_t> bytes_;
  std::int32_t base_ = 0;    // the index of slot 0
  std::uint32_t slots_ = 0;  // the counters of the window
  std::uint32_t width_ = 0;  // a counter has 2^width_ bytes
};

}  // namespace bucket

}  // namespace vigil
