// Histograms of other systems: data points with exponential buckets, as OTLP and Prometheus native
// histograms have, and the classic cumulative buckets of Prometheus.
#pragma once

#include <cstdint>
#include <memory_resource>
#include <optional>
#include <span>
#include <vector>

#include "core/histogram.hpp"

namespace vigil {

// An exponential histogram data point. Indices are those of OTLP: bucket i holds (base^i,
// base^(i + 1)].
struct ExponentialPoint {
  struct Bucket {
    std::int64_t index;
    std::uint64_t count;
  };

  explicit ExponentialPoint(std::pmr::memory_resource* resource)
      : negative(resource), positive(resource) {}

  std::int64_t scale = 0;
  std::optional<std::uint64_t> count;
  std::uint64_t zero_count = 0;
  double zero_threshold = 0;
  std::optional<double> sum;
  std::optional<double> min;
  std::optional<double> max;
  std::pmr::vector<Bucket> negative;  // by magnitude; both ascending, no count is 0
  std::pmr::vector<Bucket> positive;
};

// The histogram of a point. A scale above 8 is lowered to 8. Values in the zero bucket count as 0.
// Without minimum or maximum they are the ends of the outermost buckets; without a sum it is that
// of the middles of the buckets. Given ones are moved into what the buckets allow when they miss it
// by rounding only: a bucket, or a millionth of the sum. Error{kInvalidArgument} for a point that
// contradicts itself or has buckets no double falls into.
Histogram from_point(const ExponentialPoint& point, std::pmr::memory_resource* resource);

// The point of a histogram; exact values are counted in buckets of the scale asked for.
ExponentialPoint to_point(const Histogram& histogram, std::pmr::memory_resource* resource);

// The spans of a Prometheus native histogram: `length` buckets after leaving out `offset`.
struct Span {
  std::int64_t offset;
  std::uint64_t length;
};

// Reads spans and deltas of counts into buckets. Error{kInvalidArgument} when they do not fit each
// other or a count is negative.
void read_spans(std::span<const Span> spans, std::span<const std::int64_t> deltas,
                std::pmr::vector<ExponentialPoint::Bucket>& out);

// The reverse; gaps of up to two buckets are written as empty buckets.
void write_spans(std::span<const ExponentialPoint::Bucket> buckets, std::pmr::vector<Span>& spans,
                 std::pmr::vector<std::int64_t>& deltas);

// The histogram of cumulative counts at ascending upper bounds, the last of which may be infinite.
// The values of a bucket are taken as evenly spread over it, in up to 256 steps, as Prometheus's
// histogram_quantile does: that of the first starts at 0 if its bound is positive; values above the
// last finite bound, or in a first bucket at or below 0, count as that bound. A sum is moved into
// what the counts allow. Error{kInvalidArgument} when bounds do not ascend or counts fall.
Histogram from_classic(std::span<const double> bounds, std::span<const std::uint64_t> cumulative,
                       std::optional<double> sum, std::pmr::memory_resource* resource);

}  // namespace vigil
