#include "core/distribution.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <string>

namespace vigil {
namespace {

// P(K > lambda) for the distribution of Kolmogorov, by the series that converges faster.
double kolmogorov_tail(double lambda) {
  if (lambda <= 0) return 1;
  double sum = 0;
  if (lambda < 1.18) {
    const double x = -std::numbers::pi * std::numbers::pi / (8 * lambda * lambda);
    for (int j = 1; j <= 7; j += 2) sum += std::exp(x * j * j);
    sum = 1 - std::sqrt(2 * std::numbers::pi) / lambda * sum;
  } else {
    for (int j = 1; j <= 4; ++j) {
      sum += (j % 2 == 1 ? 2 : -2) * std::exp(-2 * lambda * lambda * j * j);
    }
  }
  return std::clamp(sum, 0.0, 1.0);
}

double middle_of(const Histogram::Bucket& bucket) { return bucket.lower / 2 + bucket.upper / 2; }

}  // namespace

std::optional<double> mean(const Histogram& histogram) {
  if (histogram.count() == 0) return std::nullopt;
  return histogram.sum() / static_cast<double>(histogram.count());
}

// Two passes over the buckets keep the difference of squares exact enough.
std::optional<double> sample_deviation(const Histogram& histogram) {
  if (histogram.count() < 2) return std::nullopt;
  const double center = *mean(histogram);
  double squares = 0;
  histogram.for_each_bucket([&](const Histogram::Bucket& bucket) {
    const double distance = middle_of(bucket) - center;
    squares += distance * distance * static_cast<double>(bucket.count);
  });
  return std::sqrt(squares / (static_cast<double>(histogram.count()) - 1));
}

std::optional<double> trimmed_mean(const Histogram& histogram, double low, double high) {
  Histogram::check_fraction(low);
  Histogram::check_fraction(high);
  if (low >= high) {
    throw Error(Code::kInvalidArgument, "trimmed mean needs two ascending fractions",
                "They are " + std::to_string(low) + " and " + std::to_string(high) + ".");
  }
  if (histogram.count() == 0) return std::nullopt;
  if (low == 0 && high == 1) return mean(histogram);
  const auto count = static_cast<double>(histogram.count());
  const double first = std::min(std::floor(low * count) + 1, count);
  const double last = std::max(std::ceil(high * count), first);
  // Buckets hold one sign each, so a compensated sum keeps all but the last bits.
  double sum = 0;
  double lost = 0;
  double seen = 0;
  histogram.for_each_point([&](double value, std::uint64_t times) {
    const double begin = std::max(first, seen + 1);
    seen += static_cast<double>(times);
    const double share = (std::min(last, seen) - begin + 1) / (last - first + 1);
    if (share <= 0) return;
    const double part = value * share - lost;
    const double next = sum + part;
    lost = (next - sum) - part;
    sum = next;
  });
  return sum;
}

std::optional<double> apdex(const Histogram& histogram, double threshold) {
  if (!(threshold > 0) || !std::isfinite(threshold)) {
    throw Error(Code::kInvalidArgument, "apdex threshold must be positive and finite",
                "It is " + std::to_string(threshold) + ".");
  }
  if (histogram.count() == 0) return std::nullopt;
  const auto satisfied = static_cast<double>(histogram.count_up_to(threshold));
  const auto tolerated = static_cast<double>(histogram.count_up_to(4 * threshold));
  return (satisfied + tolerated) / (2 * static_cast<double>(histogram.count()));
}

std::optional<KsTest> ks_test(const Histogram& one, const Histogram& other) {
  if (one.count() == 0 || other.count() == 0) return std::nullopt;
  const auto count_one = static_cast<double>(one.count());
  const auto count_other = static_cast<double>(other.count());
  double below_one = 0;
  double below_other = 0;
  double distance = 0;
  Histogram::for_each_of_both(one, other, [&](std::uint64_t in_one, std::uint64_t in_other) {
    below_one += static_cast<double>(in_one);
    below_other += static_cast<double>(in_other);
    distance = std::max(distance, std::fabs(below_one / count_one - below_other / count_other));
  });
  const double size = std::sqrt(count_one / (count_one + count_other) * count_other);
  return KsTest{distance, kolmogorov_tail((size + 0.12 + 0.11 / size) * distance)};
}

}  // namespace vigil
