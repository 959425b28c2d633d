#include "core/percentile_state.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <string>

namespace vigil {
namespace {

constexpr std::uint8_t kVersion1 = 0x10;
constexpr double kNull = std::numeric_limits<double>::quiet_NaN();

bool are_same(double one, double other) {
  return one == other || (std::isnan(one) && std::isnan(other));
}

}  // namespace

void PercentileState::check_range(std::span<const double> fractions) {
  if (fractions.size() > kMaxFractions) {
    throw Error(Code::kLimitExceeded, "too many percentile fractions",
                "There are " + std::to_string(fractions.size()) + ", the limit is " +
                    std::to_string(kMaxFractions) + ".");
  }
  for (const double fraction : fractions) {
    if (!std::isnan(fraction)) Histogram::check_fraction(fraction);
  }
}

void PercentileState::set_fractions(std::span<const double> fractions) {
  check_range(fractions);
  size_ = fractions.size();
  if (size_ <= few_.size()) {
    std::ranges::copy(fractions, few_.begin());
  } else {
    many_.assign(fractions.begin(), fractions.end());
  }
}

void PercentileState::check_fractions(std::span<const double> fractions) const {
  if (std::ranges::equal(fractions, this->fractions(), are_same)) return;
  throw Error(Code::kInvalidArgument, "percentile fractions must be the same in all rows",
              "An aggregate call computes the fractions of its first row.",
              "Give the fractions as constants, or group by them.");
}

void PercentileState::merge(const PercentileState& other) {
  check_fractions(other.fractions());
  histogram.merge(other.histogram);
}

void PercentileState::percentiles(std::span<double> values) const {
  percentiles_or_nan(histogram, fractions(), values);
}

void PercentileState::write(Bytes& out) const {
  ByteWriter writer(out);
  writer.fixed(kVersion1);
  writer.varint(size_);
  for (const double fraction : fractions()) {
    writer.fixed(std::isnan(fraction) ? kNull : fraction + 0.0);
  }
  histogram.write(out);
}

PercentileState PercentileState::read(std::span<const std::uint8_t> bytes,
                                      std::pmr::memory_resource* resource) {
  ByteReader in(bytes, "vigil.percentile_state");
  if (in.fixed<std::uint8_t>() != kVersion1) in.fail("its version is not known");
  const std::uint64_t size = in.varint();
  if (size > kMaxFractions || size * sizeof(double) > in.left()) in.fail("it ends too early");
  PercentileState result(resource);
  std::pmr::vector<double> fractions(resource);
  fractions.reserve(size);
  for (std::uint64_t i = 0; i < size; ++i) {
    const auto bits = in.fixed<std::uint64_t>();
    const auto fraction = std::bit_cast<double>(bits);
    const bool is_null = bits == std::bit_cast<std::uint64_t>(kNull);
    if (!is_null && !(std::bit_cast<std::int64_t>(fraction) >= 0 && fraction <= 1)) {
      in.fail("a fraction is out of range");
    }
    fractions.push_back(fraction);
  }
  result.set_fractions(fractions);
  result.histogram = Histogram::read(in.raw(in.left()), resource);
  return result;
}

void percentiles_or_nan(const Histogram& histogram, std::span<const double> fractions,
                        std::span<double> values) {
  std::array<double, 64> wanted;
  std::array<double, 64> found;
  // In bunches, as null fractions have to be left out.
  for (std::size_t i = 0; i < fractions.size();) {
    std::size_t size = 0;
    const std::size_t begin = i;
    for (; i < fractions.size() && size < wanted.size(); ++i) {
      if (!std::isnan(fractions[i])) wanted[size++] = fractions[i];
    }
    histogram.percentiles({wanted.data(), size}, {found.data(), size});
    for (std::size_t at = begin, next = 0; at < i; ++at) {
      values[at] = std::isnan(fractions[at]) ? kNull : found[next++];
    }
  }
}

}  // namespace vigil
