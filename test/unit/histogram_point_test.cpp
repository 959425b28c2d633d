// Histograms of other systems against what their buckets say.
#include "core/histogram_point.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

namespace vigil {
namespace {

std::pmr::memory_resource* heap() { return std::pmr::get_default_resource(); }

Bytes bytes_of(const Histogram& histogram) {
  Bytes bytes;
  histogram.write(bytes);
  return bytes;
}

using Random = std::mt19937_64;

double draw(Random& random, int kind) {
  std::normal_distribution<double> normal;
  if (kind == 0) return std::floor(std::exp(4 + normal(random)));  // sums are exact
  if (kind == 1) return std::floor(100 * normal(random));
  return std::bit_cast<double>(random() % 0x7fe0000000000000) * (random() % 2 == 0 ? 1 : -1);
}

TEST(HistogramPoint, ComesBackFromOtlp) {
  Random random(1);
  for (int round = 0; round < 300; ++round) {
    Histogram histogram(heap(), static_cast<int>(random() % 13) - 4);
    for (int i = 0; i < 500; ++i) histogram.add(draw(random, round % 3));
    const ExponentialPoint point = to_point(histogram, heap());
    const Histogram back = from_point(point, heap());
    EXPECT_EQ(back.count(), histogram.count());
    EXPECT_EQ(back.min(), histogram.min());
    EXPECT_EQ(back.max(), histogram.max());
    EXPECT_EQ(back.sum(), histogram.sum());
    for (const double fraction : {0.1, 0.5, 0.99}) {
      if (histogram.is_exact()) continue;
      EXPECT_EQ(back.percentile(fraction), histogram.percentile(fraction));
    }
    if (round % 3 < 2 && !histogram.is_exact() &&
        histogram.scale() == histogram.requested_scale()) {
      EXPECT_EQ(bytes_of(back), bytes_of(histogram));
    }
  }
}

// Perfect subsetting: a point of a finer scale is the one of scale 8 with buckets joined.
TEST(HistogramPoint, LowersFineScales) {
  Random random(2);
  for (int scale = 9; scale <= 20; ++scale) {
    ExponentialPoint fine(heap());
    fine.scale = scale;
    Histogram wanted(heap(), 8);
    std::int64_t index = -(std::int64_t{3} << scale);
    for (int i = 0; i < 300; ++i) {
      index += 1 + static_cast<std::int64_t>(random() % (1U << scale) / 16);
      fine.positive.push_back({index, 1 + random() % 5});
      wanted.add(bucket::greatest(static_cast<std::int32_t>(index >> (scale - 8)), 8),
                 fine.positive.back().count);
    }
    const Histogram got = from_point(fine, heap());
    EXPECT_EQ(got.scale(), 8);
    EXPECT_EQ(got.count(), wanted.count());
    EXPECT_EQ(got.max(), wanted.max());
    for (const double fraction : {0.1, 0.5, 0.9}) {
      EXPECT_EQ(got.percentile(fraction), wanted.percentile(fraction));
    }
  }
}

TEST(HistogramPoint, SpansComeBack) {
  Random random(3);
  for (int round = 0; round < 500; ++round) {
    std::pmr::vector<ExponentialPoint::Bucket> buckets;
    std::int64_t index = static_cast<std::int64_t>(random() % 200) - 100;
    for (auto left = random() % 30; left > 0; --left) {
      buckets.push_back({index, 1 + random() % 9});
      index += 1 + static_cast<std::int64_t>(random() % 3 == 0 ? random() % 9 : 0);
    }
    std::pmr::vector<Span> spans;
    std::pmr::vector<std::int64_t> deltas;
    write_spans(buckets, spans, deltas);
    std::pmr::vector<ExponentialPoint::Bucket> again;
    read_spans(spans, deltas, again);
    ASSERT_EQ(again.size(), buckets.size());
    for (std::size_t i = 0; i < buckets.size(); ++i) {
      EXPECT_EQ(again[i].index, buckets[i].index);
      EXPECT_EQ(again[i].count, buckets[i].count);
    }
  }
}

// The error of a classic bucket is its width: percentiles stay in the bucket of the true value.
TEST(HistogramPoint, ClassicPercentilesStayInTheirBucket) {
  Random random(4);
  const std::vector<double> bounds = {-50, -10, 0, 5, 10, 25, 50, 100, 250, 500, 1000, HUGE_VAL};
  for (int round = 0; round < 100; ++round) {
    std::vector<double> values(200 + random() % 500);
    for (double& value : values) value = draw(random, round % 2);
    std::ranges::sort(values);
    std::vector<std::uint64_t> counts;
    double sum = 0;
    for (const double bound : bounds) {
      counts.push_back(
          static_cast<std::uint64_t>(std::ranges::upper_bound(values, bound) - values.begin()));
    }
    for (const double value : values) sum += value;
    const Histogram histogram = from_classic(bounds, counts, sum, heap());
    ASSERT_EQ(histogram.count(), values.size());
    for (double fraction = 0.01; fraction < 1; fraction += 0.01) {
      const auto rank =
          static_cast<std::size_t>(std::ceil(fraction * static_cast<double>(values.size())));
      const double exact = values[std::max<std::size_t>(rank, 1) - 1];
      const auto at = std::ranges::lower_bound(bounds, exact) - bounds.begin();
      const double lower = at == 0 ? bounds[0] : bounds[static_cast<std::size_t>(at) - 1];
      const double upper = std::min(bounds[static_cast<std::size_t>(at)], 1000.0);
      const double got = *histogram.percentile(fraction);
      EXPECT_GE(got, lower - 0.0055 * std::fabs(lower));
      EXPECT_LE(got, upper + 0.0055 * std::fabs(upper));
    }
  }
}

}  // namespace
}  // namespace vigil
