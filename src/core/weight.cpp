#include "core/weight.hpp"

#include <array>
#include <charconv>
#include <string>

namespace vigil {

void WeightSum::add(double weight) {
  if (!is_weight(weight)) {
    std::array<char, 32> text;
    char* end = std::to_chars(text.data(), text.data() + text.size(), weight).ptr;
    throw Error(Code::kNumericOutOfRange,
                "sample weight " + std::string(text.data(), end) + " is out of range",
                "It must be between 1 and " + std::to_string(kLargestWeight) + ".");
  }
  // Neither the difference nor the product is rounded.
  increase(static_cast<Units>((weight - 1) * 0x1p52));
}

void WeightSum::increase(Units units) {
  const Units sum = units_ + units;
  if (sum >> (64 + kFractionBits) != 0)
    throw Error(Code::kNumericOutOfRange, "sum of weights in a cell is out of range",
                "It must be less than 2^64.");
  units_ = sum;
}

bool WeightSum::is_possible(std::uint64_t count) const {
  return (units_ + kFraction) >> kFractionBits <= Units{count} * (kLargestWeight - 1);
}

double WeightSum::above(std::uint64_t count) const {
  return static_cast<double>((Units{count} << kFractionBits) + units_) * 0x1p-52;
}

void WeightSum::write(ByteWriter& out) const {
  out.varint(static_cast<std::uint64_t>(units_ >> kFractionBits));
  out.varint(static_cast<std::uint64_t>(units_) & kFraction);
}

WeightSum WeightSum::read(ByteReader& in) {
  WeightSum sum;
  const Units whole = in.varint();
  const std::uint64_t fraction = in.varint();
  if (fraction > kFraction) in.fail("a fraction of its weights is not below 1");
  sum.units_ = whole << kFractionBits | fraction;
  return sum;
}

}  // namespace vigil
