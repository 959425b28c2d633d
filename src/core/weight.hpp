// How many facts a stored one stands for: 1 / rate of the sample that it belongs to.
#pragma once

#include <cstdint>
#include <optional>

#include "core/bytes.hpp"

namespace vigil {

inline constexpr std::uint64_t kLargestWeight = 1'000'000'000;

// What is stored stands for itself at least, so a weight is 1 or more.
constexpr bool is_weight(double weight) {
  return weight >= 1 && weight <= static_cast<double>(kLargestWeight);
}

// The weight of what is kept at a rate; null when there is none.
constexpr std::optional<double> weight_at(double rate) {
  if (!(rate > 0 && rate <= 1 && is_weight(1 / rate))) return std::nullopt;
  return 1 / rate;
}

// What the weights of facts sum to beyond the number of the facts; 0 while each stands for itself.
//
// A double from 1 on is a whole number of 2^-52, and so is the sum: nothing is rounded before it is
// read, and neither the order of adding nor the way of merging can change a bit of it.
class WeightSum {
 public:
  // Counts one fact. Error{kNumericOutOfRange} when it has no weight that is one, and here and in
  // merge() when the sum would reach 2^64.
  void add(double weight);
  void merge(const WeightSum& other) { increase(other.units_); }

  bool is_zero() const { return units_ == 0; }
  bool operator==(const WeightSum& other) const = default;

  // Whether so many facts can have it.
  bool is_possible(std::uint64_t count) const;

  // What so many facts stand for: the double nearest to their number and the sum.
  double above(std::uint64_t count) const;

  // The whole and what is left, in units of 2^-52 (doc/format-cell.md).
  void write(ByteWriter& out) const;
  static WeightSum read(ByteReader& in);

 private:
  using Units = unsigned __int128;
  static constexpr int kFractionBits = 52;
  static constexpr std::uint64_t kFraction = (std::uint64_t{1} << kFractionBits) - 1;

  void increase(Units units);

  Units units_ = 0;  // below 2^116
};

}  // namespace vigil
