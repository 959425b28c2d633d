// Subtraction, and what distributions tell, against the values themselves.
#include "core/distribution.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

namespace vigil {
namespace {

using Values = std::vector<double>;
using Random = std::mt19937_64;

std::pmr::memory_resource* heap() { return std::pmr::get_default_resource(); }

Histogram of(const Values& values, int scale = 6) {
  Histogram histogram(heap(), scale);
  for (const double value : values) histogram.add(value);
  return histogram;
}

Bytes bytes_of(const Histogram& histogram) {
  Bytes bytes;
  histogram.write(bytes);
  return bytes;
}

Values draw(Random& random, std::size_t size, int kind) {
  std::normal_distribution<double> normal;
  Values values(size);
  for (double& value : values) {
    value = kind == 0   ? static_cast<double>(random() % 50)
            : kind == 1 ? std::exp(4 + normal(random))
            : kind == 2 ? normal(random)
                        : std::bit_cast<double>(random() % 0x7fe0000000000000) *
                              (random() % 2 == 0 ? 1 : -1);
  }
  return values;
}

TEST(Subtract, LeavesTheRest) {
  Random random(3);
  for (int round = 0; round < 2000; ++round) {
    const int kind = round % 4;
    const Values rest = draw(random, 1 + random() % 200, kind);
    const Values taken = draw(random, random() % 200, kind);
    Histogram whole = of(rest);
    const Histogram left_out = of(taken, kind == 0 ? 3 + static_cast<int>(random() % 6) : 6);
    whole.merge(left_out);
    const Histogram before(whole, heap());
    whole.subtract(left_out);

    const Histogram wanted = of(rest, before.requested_scale());
    EXPECT_EQ(whole.count(), wanted.count());
    EXPECT_EQ(whole.sum(), wanted.sum());
    EXPECT_EQ(bytes_of(Histogram::read(bytes_of(whole), heap())), bytes_of(whole));
    if (before.is_exact()) {
      EXPECT_EQ(bytes_of(whole), bytes_of(wanted));
    }
    // Bounds of minimum and maximum, at most a bucket away.
    const double base = (1 + whole.max_relative_error()) / (1 - whole.max_relative_error());
    EXPECT_LE(*whole.min(), *wanted.min());
    EXPECT_GE(*whole.max(), *wanted.max());
    EXPECT_LE(std::fabs(*whole.min() - *wanted.min()),
              (base - 1) * std::fabs(*wanted.min()) * (1 + 1e-9) + 1e-320);
    EXPECT_LE(std::fabs(*whole.max() - *wanted.max()),
              (base - 1) * std::fabs(*wanted.max()) * (1 + 1e-9) + 1e-320);
    whole.merge(left_out);
    EXPECT_EQ(bytes_of(whole), bytes_of(before));
    whole.subtract(before);
    EXPECT_EQ(bytes_of(whole), bytes_of(Histogram(heap(), before.requested_scale())));
  }
}

TEST(Subtract, RefusesWhatIsNotContained) {
  Random random(5);
  const Values many = draw(random, 500, 1);
  const auto refuses = [](const Histogram& whole, const Histogram& part) {
    Histogram result(whole, heap());
    try {
      result.subtract(part);
      ADD_FAILURE() << "was taken as contained";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Code::kInvalidArgument);
      EXPECT_EQ(bytes_of(result), bytes_of(whole));
    }
  };
  refuses(of({1, 2, 3}), of({4}));
  refuses(of({1, 2, 3}), of({2, 2}));
  refuses(of({1, 2, 3}), of({1, 1, 1, 1}));
  refuses(of({1, 2, 3}), of(many));
  refuses(of(many), of({0}));
  refuses(of(many), of({-1}));
  refuses(of(many), of({*of(many).max() * 2}));
  refuses(of(many), of(many, 3));
  Values other = many;
  other[7] *= 1.0001;
  refuses(of(many), of(other));
  refuses(of({}), of({1}));
  Histogram self = of(many);
  self.subtract(self);
  EXPECT_EQ(self.count(), 0U);
}

TEST(Distribution, TrimmedMeanIsThatOfTheRanks) {
  const Histogram ten = of({12, 15, 18, 20, 22, 25, 30, 41, 95, 400});
  EXPECT_DOUBLE_EQ(*trimmed_mean(ten, 0.1, 0.9), (15 + 18 + 20 + 22 + 25 + 30 + 41 + 95) / 8.0);
  EXPECT_DOUBLE_EQ(*trimmed_mean(ten, 0, 1), 67.8);
  EXPECT_DOUBLE_EQ(*trimmed_mean(ten, 0.25, 0.75), (18 + 20 + 22 + 25 + 30 + 41) / 6.0);
  EXPECT_DOUBLE_EQ(*trimmed_mean(ten, 0.5, 0.51), 25);
  EXPECT_FALSE(trimmed_mean(of({}), 0, 1).has_value());
  for (const auto& [low, high] : {std::pair{0.5, 0.5}, {0.9, 0.1}, {-0.1, 1.0}, {0.0, 1.1}}) {
    EXPECT_THROW(trimmed_mean(ten, low, high), Error);
  }
  Random random(7);
  for (int round = 0; round < 50; ++round) {
    Values values = draw(random, 1000 + random() % 1000, 1);
    const Histogram histogram = of(values);
    std::ranges::sort(values);
    const double low = static_cast<double>(random() % 50) / 100;
    const double high = low + static_cast<double>(1 + random() % 50) / 100;
    const auto count = static_cast<double>(values.size());
    const auto first = static_cast<std::size_t>(std::floor(low * count));
    const auto last = static_cast<std::size_t>(std::ceil(high * count));
    double sum = 0;
    for (std::size_t i = first; i < last; ++i) sum += values[i];
    const double exact = sum / static_cast<double>(last - first);
    EXPECT_NEAR(*trimmed_mean(histogram, low, high) / exact, 1, 0.0055);
  }
}

TEST(Distribution, ApdexCountsHalfOfTheTolerated) {
  EXPECT_DOUBLE_EQ(*apdex(of({0.1, 0.5, 0.6, 2.0, 2.1}), 0.5), (2 + 2 / 2.0) / 5);
  EXPECT_DOUBLE_EQ(*apdex(of({5}), 0.5), 0);
  EXPECT_FALSE(apdex(of({}), 1).has_value());
  for (const double threshold : {0.0, -1.0, std::nan(""), HUGE_VAL}) {
    EXPECT_THROW(apdex(of({1}), threshold), Error);
  }
}

TEST(Distribution, DeviationAndMean) {
  EXPECT_DOUBLE_EQ(*mean(of({1, 2, 6})), 3);
  EXPECT_DOUBLE_EQ(*sample_deviation(of({1, 2, 6})), std::sqrt(7));
  EXPECT_FALSE(sample_deviation(of({1})).has_value());
  EXPECT_FALSE(mean(of({})).has_value());
}

double exact_distance(Values one, Values other) {
  std::ranges::sort(one);
  std::ranges::sort(other);
  double result = 0;
  for (const Values* values : {&one, &other}) {
    for (const double value : *values) {
      const auto share = [&](const Values& of) {
        return static_cast<double>(std::ranges::upper_bound(of, value) - of.begin()) /
               static_cast<double>(of.size());
      };
      result = std::max(result, std::fabs(share(one) - share(other)));
    }
  }
  return result;
}

TEST(Distribution, KsDistanceIsWithinABucket) {
  Random random(11);
  for (int round = 0; round < 300; ++round) {
    const int kind = round % 3;
    const Values one = draw(random, 1 + random() % 300, kind);
    Values other = draw(random, 1 + random() % 300, kind);
    for (double& value : other) value *= 1.1;
    const Histogram first = of(one);
    const Histogram second = of(other, round % 5 == 0 ? 4 : 6);
    const double exact = exact_distance(one, other);
    const auto test = ks_test(first, second);
    ASSERT_TRUE(test.has_value());
    EXPECT_DOUBLE_EQ(test->distance, ks_test(second, first)->distance);
    if (first.is_exact() && second.is_exact()) {
      EXPECT_NEAR(test->distance, exact, 1e-12);
      continue;
    }
    double share = 0;
    for (const Histogram* histogram : {&first, &second}) {
      Histogram coarse(*histogram, heap());
      coarse.merge(Histogram(heap(), std::min(first.scale(), second.scale())));
      if (coarse.is_exact()) continue;
      coarse.for_each_bucket([&](const Histogram::Bucket& bucket) {
        share = std::max(share,
                         static_cast<double>(bucket.count) / static_cast<double>(coarse.count()));
      });
    }
    EXPECT_LE(test->distance, exact + 1e-12);
    if (!first.is_exact() && !second.is_exact()) {
      EXPECT_GE(test->distance, exact - share - 1e-12);
    }
  }
  EXPECT_FALSE(ks_test(of({}), of({1})).has_value());
}

// With n in both samples the corrected argument is (s + 0.12 + 0.11 / s) D, s = sqrt(n / 2).
TEST(Distribution, KsTestGivesThePValue) {
  Values one;
  Values other;
  for (int i = 0; i < 20; ++i) {
    one.push_back(i);
    other.push_back(i + 8);
  }
  const auto test = ks_test(of(one), of(other));
  EXPECT_DOUBLE_EQ(test->distance, 0.4);
  const double s = std::sqrt(10);
  const double lambda = (s + 0.12 + 0.11 / s) * 0.4;
  double tail = 0;
  for (int j = 1; j < 50; ++j) {
    tail += (j % 2 == 1 ? 2 : -2) * std::exp(-2 * lambda * lambda * j * j);
  }
  EXPECT_NEAR(test->p_value, tail, 1e-9);
  EXPECT_DOUBLE_EQ(ks_test(of(one), of(one))->p_value, 1);
  EXPECT_LT(ks_test(of(Values(100, 1)), of(Values(100, 2)))->p_value, 1e-20);
  // Below the point where the other series takes over, both agree.
  Values shifted = one;
  shifted.push_back(30);
  const auto near = ks_test(of(one), of(shifted));
  EXPECT_GT(near->p_value, 0.999);
}

TEST(Overview, ShowsAllInFewRows) {
  Random random(13);
  for (int round = 0; round < 200; ++round) {
    const Histogram histogram = of(draw(random, 1 + random() % 500, round % 4));
    const auto rows = histogram.overview(12 + random() % 20);
    EXPECT_LE(rows.size(), 32U);
    std::uint64_t count = 0;
    for (const auto& row : rows) count += row.count;
    EXPECT_EQ(count, histogram.count());
    EXPECT_EQ(rows.front().lower, histogram.min());
    EXPECT_EQ(rows.back().upper, histogram.max());
  }
  EXPECT_TRUE(of({}).overview(12).empty());
}

}  // namespace
}  // namespace vigil
