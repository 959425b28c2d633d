// Samples of a counter that only rises, except that it starts at zero again when its process does.
// Increase, rate and the others are those of Prometheus 3 (doc/counter.md has the formulas).
#pragma once

#include <cstdint>
#include <memory_resource>
#include <optional>
#include <span>
#include <vector>

#include "core/bytes.hpp"

namespace vigil {

// A set of samples: any order of adding and merging gives equal bytes, also when the ranges of what
// is merged overlap. Of different values at one instant the largest counts.
//
// Memory: 16 bytes for each sample, up to twice that while it grows or while samples come out of
// order. All of it comes from the resource, which must outlive the object; destroying the object
// may be skipped. If memory runs out inside add() or merge() the object may only be destroyed.
// Reading puts samples in order that came out of it, so two threads must not even read at once.
class Counter {
 public:
  struct Sample {
    std::int64_t time;  // microseconds, of any epoch as long as it is always the same
    double value;
    bool operator==(const Sample&) const = default;
  };

  // The samples after `from` up to and including `to`; without a bound from the first, to the last.
  struct Range {
    std::optional<std::int64_t> from;
    std::optional<std::int64_t> to;
  };

  explicit Counter(std::pmr::memory_resource* resource) : samples_(resource) {}
  Counter(const Counter& other, std::pmr::memory_resource* resource)
      : samples_(other.samples_, resource), sorted_(other.sorted_) {}
  Counter(Counter&&) = default;
  Counter& operator=(Counter&&) = default;
  Counter(const Counter&) = delete;
  Counter& operator=(const Counter&) = delete;

  // Adds a sample. Error{kNumericOutOfRange} when the value is not finite; -0 is 0.
  void add(std::int64_t time, double value) {
    const Sample sample{time, checked(value)};
    if (sorted_ == samples_.size() && (sorted_ == 0 || time > samples_.back().time)) [[likely]] {
      samples_.push_back(sample);
      ++sorted_;
    } else {
      add_late(sample);
    }
  }

  // Adds all samples of another counter.
  void merge(const Counter& other);

  // In ascending order of time; valid until the counter changes.
  std::span<const Sample> samples() const {
    if (sorted_ != samples_.size()) sort();
    return samples_;
  }

  // The increase within the range, resets made good, extrapolated to its bounds. Nothing for fewer
  // than two samples in it. As all of the following: Error{kInvalidArgument} when the range is
  // empty or reversed, Error{kNumericOutOfRange} when the result is no finite double.
  std::optional<double> increase(const Range& range = {}) const;

  // The same per second of the range.
  std::optional<double> rate(const Range& range = {}) const;

  // The last sample of the range less the one before, whatever the sign.
  std::optional<double> idelta(const Range& range = {}) const;

  // The increase between the last two samples of the range per second.
  std::optional<double> irate(const Range& range = {}) const;

  // How often a sample is less than the one before. Nothing without a sample.
  std::optional<std::uint64_t> resets(const Range& range = {}) const;

  // Equal sets write equal bytes (doc/format-counter.md): 2 or 3 for a sample of a whole number at
  // a regular distance, 19 at most. read() takes only what write() gives; anything else is
  // Error{kInvalidBinary}. It allocates no more than 8 bytes per byte read.
  void write(Bytes& out) const;
  static Counter read(std::span<const std::uint8_t> bytes, std::pmr::memory_resource* resource);

 private:
  static double checked(double value);
  void add_late(const Sample& sample);
  void sort() const;
  std::span<const Sample> within(const Range& range) const;
  std::optional<double> extrapolated(const Range& range, bool per_second) const;

  // The first sorted_ ascend by time; the others came late.
  mutable std::pmr::vector<Sample> samples_;
  mutable std::size_t sorted_ = 0;
};

}  // namespace vigil
