// A sliding frame against the histogram of its rows made anew, byte for byte.
#include "core/moving_histogram.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <deque>
#include <random>

namespace vigil {
namespace {

std::pmr::memory_resource* heap() { return std::pmr::get_default_resource(); }

Bytes bytes_of(const Histogram& histogram) {
  Bytes bytes;
  histogram.write(bytes);
  return bytes;
}

using Random = std::mt19937_64;

// Values of several characters: few or many different ones, both signs, zeros, extremes, trends.
double draw(Random& random, int kind, int row) {
  std::normal_distribution<double> normal;
  switch (kind) {
    case 0:
      return static_cast<double>(random() % 40);
    case 1:
      return static_cast<double>(random() % 70) - 5;
    case 2:
      return std::exp(4 + normal(random));
    case 3:
      return normal(random) * std::fabs(normal(random));
    case 4:
      return row;
    case 5:
      return -row * 0.01;
    case 6:
      return random() % 100 == 0 ? 1e300 : random() % 90 == 0 ? -1e-300 : normal(random);
    default:  // quiet and lively stretches
      return row / 200 % 2 == 0 ? static_cast<double>(random() % 5) : std::exp(normal(random));
  }
}

TEST(MovingHistogram, EqualsARecomputeOfValues) {
  Random random(1);
  for (int round = 0; round < 120; ++round) {
    const int kind = round % 8;
    const int scale = round % 3 == 0 ? 8 : 6;
    const std::size_t width = 1 + random() % (round % 2 == 0 ? 100 : 600);
    MovingHistogram moving(heap(), scale);
    std::deque<double> frame;
    for (int row = 0; row < 1500; ++row) {
      frame.push_back(draw(random, kind, row));
      moving.add(frame.back());
      while (frame.size() > width || (!frame.empty() && random() % 20 == 0)) {
        moving.remove(frame.front());
        frame.pop_front();
      }
      if (random() % 16 != 0) continue;
      ASSERT_EQ(moving.rows(), frame.size());
      Histogram anew(heap(), scale);
      for (const double value : frame) anew.add(value);
      ASSERT_EQ(bytes_of(moving.result(heap())), bytes_of(anew)) << round << " " << row;
    }
  }
}

Histogram draw_row(Random& random, int kind, int row) {
  const int scale = random() % 10 == 0 ? 3 + static_cast<int>(random() % 6) : 6;
  const std::uint32_t limit = random() % 15 == 0 ? 300 : Histogram::kDefaultMaxBuckets;
  Histogram result(heap(), scale, limit);
  const std::size_t size = random() % 8 == 0 ? 150 : random() % 12;
  for (std::size_t i = 0; i < size; ++i) result.add(draw(random, kind, row), 1 + random() % 3);
  return result;
}

TEST(MovingHistogram, EqualsARecomputeOfHistograms) {
  Random random(2);
  for (int round = 0; round < 64; ++round) {
    const int kind = round % 8;
    const std::size_t width = 1 + random() % 30;
    MovingHistogram moving(heap());
    std::deque<Histogram> frame;
    for (int row = 0; row < 400; ++row) {
      frame.push_back(draw_row(random, kind, row));
      moving.merge(frame.back());
      while (frame.size() > width || (!frame.empty() && random() % 20 == 0)) {
        moving.subtract(frame.front());
        frame.pop_front();
      }
      if (frame.empty() || random() % 4 != 0) continue;
      Histogram anew(frame.front(), heap());
      for (std::size_t i = 1; i < frame.size(); ++i) anew.merge(frame[i]);
      ASSERT_EQ(bytes_of(moving.result(heap())), bytes_of(anew)) << round << " " << row;
    }
  }
}

TEST(MovingHistogram, EndsAsItBegan) {
  MovingHistogram moving(heap());
  EXPECT_EQ(bytes_of(moving.result(heap())), bytes_of(Histogram(heap())));
  for (int i = 0; i < 500; ++i) moving.add(i);
  for (int i = 0; i < 500; ++i) moving.remove(i);
  EXPECT_EQ(moving.rows(), 0U);
  EXPECT_EQ(bytes_of(moving.result(heap())), bytes_of(Histogram(heap())));
}

TEST(MovingHistogram, RejectsWhatAHistogramRejects) {
  MovingHistogram moving(heap());
  EXPECT_THROW(moving.add(std::nan("")), Error);
  EXPECT_THROW(moving.add(HUGE_VAL), Error);
  Histogram many(heap());
  many.add(1, ~std::uint64_t{0});
  moving.merge(many);
  EXPECT_THROW(moving.merge(many), Error);
}

}  // namespace
}  // namespace vigil
