// What distributions tell when looked at closer: spread, trimmed means, satisfaction, and whether
// two of them differ.
#pragma once

#include <optional>

#include "core/histogram.hpp"

namespace vigil {

// Everything here is nothing for an empty histogram (or either one), and exact while histograms
// are; then each bucket stands for its middle.

// The mean: the exact sum, correctly rounded, by the count.
std::optional<double> mean(const Histogram& histogram);

// Standard deviation of the sample; nothing for fewer than two values.
std::optional<double> sample_deviation(const Histogram& histogram);

// The mean of the values of rank floor(low * count) + 1 to ceil(high * count).
// Error{kInvalidArgument} unless 0 <= low < high <= 1.
std::optional<double> trimmed_mean(const Histogram& histogram, double low, double high);

// Apdex: the share of values up to `threshold`, and half the share of those above it up to four
// times as much. Error{kInvalidArgument} unless the threshold is positive and finite.
std::optional<double> apdex(const Histogram& histogram, double threshold);

// The two-sample test of Kolmogorov and Smirnov.
struct KsTest {
  double distance;  // the largest difference between the shares at or below a value
  double p_value;   // how likely one as large is if both come from one distribution
};

// The distance is taken at the bounds of buckets at the lower of both scales: the true one is at
// least that and exceeds it by no more than the largest share of a bucket. The p value is that of
// the asymptotic distribution with the correction of Stephens (1970) for finite samples.
std::optional<KsTest> ks_test(const Histogram& one, const Histogram& other);

}  // namespace vigil
