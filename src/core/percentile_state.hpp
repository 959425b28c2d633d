// What the one-step percentile aggregates carry from row to row: the wanted fractions beside the
// histogram of the values.
#pragma once

#include <array>
#include <cstdint>
#include <memory_resource>
#include <span>
#include <vector>

#include "core/bytes.hpp"
#include "core/histogram.hpp"

namespace vigil {

// The fractions are those of the first row and must be the same in all. NaN stands for a fraction
// that is null, whose percentile is null. Memory as for Histogram.
class PercentileState {
 public:
  static constexpr std::size_t kMaxFractions = 1000;

  explicit PercentileState(std::pmr::memory_resource* resource)
      : histogram(resource), many_(resource) {}

  // Error{kInvalidArgument} for a fraction outside 0 .. 1, Error{kLimitExceeded} for more than
  // kMaxFractions.
  static void check_range(std::span<const double> fractions);

  // Takes the fractions of a first row, checked so.
  void set_fractions(std::span<const double> fractions);

  std::span<const double> fractions() const {
    if (size_ <= few_.size()) return {few_.data(), size_};
    return many_;
  }

  // Error{kInvalidArgument} when a later row wants other fractions.
  void check_fractions(std::span<const double> fractions) const;

  // Adds the values of another part of the same group, whose fractions must be the same.
  void merge(const PercentileState& other);

  // The percentiles in the order of the fractions, NaN for NaN; the histogram is not empty.
  // `values` has the size of fractions().
  void percentiles(std::span<double> values) const;

  // u8 version 1 << 4, varint number of fractions, 8 bytes each, then the histogram's bytes.
  void write(Bytes& out) const;
  static PercentileState read(std::span<const std::uint8_t> bytes,
                              std::pmr::memory_resource* resource);

 private:
  // A few fractions lie beside what counting a row touches.
  std::array<double, 4> few_{};
  std::size_t size_ = 0;

 public:
  Histogram histogram;

 private:
  std::pmr::vector<double> many_;  // the fractions, when they are more
};

// The percentiles of a histogram that is not empty, NaN for a fraction that is NaN.
void percentiles_or_nan(const Histogram& histogram, std::span<const double> fractions,
                        std::span<double> values);

}  // namespace vigil
