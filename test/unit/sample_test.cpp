#include "core/sample.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>

#include "core/error.hpp"

namespace vigil {
namespace {

// SHA-256 of the empty text begins e3b0c44298fc1c14, of abc ba7816bf8f01cfea (FIPS 180-4).
TEST(Sample, PointsNeverChange) {
  EXPECT_EQ(sample_point(""), static_cast<double>(0xe3b0c44298fc1c14 >> 11) / 0x1p53);
  EXPECT_EQ(sample_point("abc"), static_cast<double>(0xba7816bf8f01cfea >> 11) / 0x1p53);
}

TEST(Sample, KeepsItsShare) {  // S1-04
  for (const double rate : {0.001, 0.1, 0.5, 0.9}) {
    int kept = 0;
    for (int i = 0; i < 100'000; ++i) kept += is_sampled("trace-" + std::to_string(i), rate);
    EXPECT_NEAR(kept, 100'000 * rate, 5 * std::sqrt(100'000 * rate * (1 - rate))) << rate;
  }
}

TEST(Sample, IsPartOfEachLargerSample) {
  for (int i = 0; i < 1000; ++i) {
    const std::string id = std::to_string(i);
    EXPECT_FALSE(is_sampled(id, 0));
    EXPECT_TRUE(is_sampled(id, 1));
    const double point = sample_point(id);
    EXPECT_FALSE(is_sampled(id, point));
    EXPECT_TRUE(is_sampled(id, std::nextafter(point, 1)));
  }
}

TEST(Sample, RefusesWhatIsNoRate) {
  for (const double rate : {-0.1, 1.1, std::numeric_limits<double>::infinity(),
                            std::numeric_limits<double>::quiet_NaN()})
    EXPECT_THROW(is_sampled("a", rate), Error) << rate;
}

}  // namespace
}  // namespace vigil
