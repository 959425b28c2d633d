// The mapping of values to buckets.
#include "core/bucket.hpp"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <random>

namespace vigil {
namespace {

constexpr double kMax = std::numeric_limits<double>::max();
constexpr double kTiny = std::numeric_limits<double>::denorm_min();

// Any bit pattern that is a finite double.
double anything(std::mt19937_64& random) {
  for (;;) {
    const auto value = std::bit_cast<double>(random());
    if (std::isfinite(value)) return value;
  }
}

TEST(Bucket, BordersBelongToTheBucketBelow) {
  for (int scale = bucket::kMinScale; scale <= bucket::kMaxScale; ++scale) {
    for (const int exponent : {-1022, -1021, -500, -3, -1, 0, 1, 2, 52, 1000, 1023}) {
      for (int k = 0; k < 256; ++k) {
        const std::int32_t index = (exponent * 256 + k) >> (8 - scale);
        const double border = bucket::lower_bound(index, scale);
        if (border < 1e-307 || border == kMax) continue;
        EXPECT_EQ(bucket::index_of(border) >> (8 - scale), index - 1) << scale << " " << border;
        EXPECT_EQ(bucket::index_of(std::nextafter(border, kMax)) >> (8 - scale), index)
            << scale << " " << border;
      }
    }
  }
}

TEST(Bucket, BordersArePowersOfTheBaseRoundedDown) {
  for (int k = 0; k <= 256; ++k) {
    const long double exact = std::exp2(static_cast<long double>(k) / 256);
    const long double border = bucket::lower_bound(k, 8);
    EXPECT_GE(exact - border, -1e-18L) << k;
    EXPECT_LT(exact - border, std::numeric_limits<double>::epsilon() * (k == 256 ? 2 : 1)) << k;
  }
}

TEST(Bucket, AgreesWithLogarithms) {
  std::mt19937_64 random(7);
  for (int i = 0; i < 100000; ++i) {
    const double value = std::fabs(anything(random));
    if (value == 0) continue;
    const long double place = std::log2(static_cast<long double>(value)) * 256;
    if (std::fabs(place - std::round(place)) < 1e-9L) continue;  // too near to a border to tell
    EXPECT_EQ(bucket::index_of(value), static_cast<std::int32_t>(std::ceil(place)) - 1) << value;
  }
  EXPECT_EQ(bucket::index_of(kTiny), -1074 * 256 - 1);
  EXPECT_EQ(bucket::index_of(3 * kTiny), (-1074 * 256) + 405);
  EXPECT_EQ(bucket::index_of(std::numeric_limits<double>::min()), -1022 * 256 - 1);
  EXPECT_EQ(bucket::index_of(1), -1);
  EXPECT_EQ(bucket::index_of(kMax), 1024 * 256 - 1);
}

TEST(Bucket, LeastAndGreatestAreInTheBucket) {
  std::mt19937_64 random(43);
  for (int i = 0; i < 20000; ++i) {
    const int scale = static_cast<int>(random() % 19) - 10;
    // Every other value is subnormal.
    const double value = std::bit_cast<double>(
        1 + random() % (i % 2 == 0 ? 0x7fefffffffffffff : 0x0010000000000000 >> random() % 52));
    const auto index = [&](double at) {
      return bucket::index_of(at) >> (bucket::kMaxScale - scale);
    };
    const double least = bucket::least(index(value), scale);
    const double greatest = bucket::greatest(index(value), scale);
    EXPECT_LE(least, value);
    EXPECT_GE(greatest, value);
    EXPECT_EQ(index(least), index(value));
    EXPECT_EQ(index(greatest), index(value));
    const double before = std::nextafter(least, 0.0);
    EXPECT_TRUE(before == 0 || index(before) < index(value));
  }
}

TEST(Bucket, MiddleKeepsTheError) {
  EXPECT_NEAR(bucket::max_relative_error(6), 0.005415, 1e-6);
  EXPECT_LE(bucket::max_relative_error(6), 0.0055);
  for (const int scale : {0, 3, 6, 8}) {
    for (const std::int32_t index : {-1000, -1, 0, 1, 77, 1000}) {
      const double lower = bucket::lower_bound(index, scale);
      const double upper = bucket::lower_bound(index + 1, scale);
      const double middle = bucket::middle(index, scale);
      const double bound = bucket::max_relative_error(scale) * (1 + 1e-9);
      EXPECT_LE((middle - lower) / lower, bound);
      EXPECT_LE((upper - middle) / upper, bound);
    }
  }
}

}  // namespace
}  // namespace vigil
