// Weights: which there are, exact sums in any order, and the stored bytes.
#include "core/weight.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "core/digest.hpp"
#include "core/exact_sum.hpp"

namespace vigil {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

WeightSum sum_of(std::span<const double> weights) {
  WeightSum sum;
  for (const double weight : weights) sum.add(weight);
  return sum;
}

Bytes bytes_of(const WeightSum& sum) {
  Bytes bytes;
  ByteWriter writer(bytes);
  sum.write(writer);
  return bytes;
}

WeightSum read(const Bytes& bytes) {
  ByteReader in(bytes, "weights");
  const WeightSum sum = WeightSum::read(in);
  in.finish();
  return sum;
}

// Of all sizes and with all their bits.
std::vector<double> some_weights(std::size_t count, unsigned seed) {
  std::mt19937_64 random(seed);
  std::uniform_real_distribution<double> logarithm(0, std::log(1e9));
  std::vector<double> weights(count);
  for (double& weight : weights) weight = std::clamp(std::exp(logarithm(random)), 1.0, 1e9);
  return weights;
}

template <typename Action>
Code code_of(Action action) {
  try {
    action();
  } catch (const Error& error) {
    return error.code();
  }
  ADD_FAILURE() << "no error";
  return Code::kInvalidArgument;
}

TEST(Weight, IsOneOrMore) {
  for (const double weight : {1.0, std::nextafter(1.0, 2.0), 10.0, 1e9}) {
    EXPECT_TRUE(is_weight(weight)) << weight;
  }
  for (const double weight : {0.0, -1.0, std::nextafter(1.0, 0.0), std::nextafter(1e9, kInfinity),
                              kInfinity, -kInfinity, kNaN}) {
    EXPECT_FALSE(is_weight(weight)) << weight;
  }
}

TEST(Weight, OfARate) {
  EXPECT_EQ(weight_at(1), 1.0);
  EXPECT_EQ(weight_at(0.1), 10.0);
  EXPECT_EQ(weight_at(0.3), 1 / 0.3);
  EXPECT_TRUE(weight_at(1e-8));
  for (const double rate : {0.0, -0.0, -0.5, std::nextafter(1.0, 2.0), 100.0, 1e-10,
                            std::numeric_limits<double>::denorm_min(), kInfinity, kNaN}) {
    EXPECT_FALSE(weight_at(rate)) << rate;
  }
  std::mt19937_64 random(1);
  for (int i = 0; i < 10'000; ++i) {
    const double rate = std::uniform_real_distribution<double>(1e-6, 1)(random);
    EXPECT_TRUE(weight_at(rate)) << rate;
  }
}

TEST(WeightSum, IsExact) {  // S1-74
  for (unsigned seed = 1; seed <= 20; ++seed) {
    const auto weights = some_weights(1000, seed);
    ExactSum exact(std::pmr::get_default_resource());
    for (const double weight : weights) exact.add(weight);
    EXPECT_EQ(sum_of(weights).above(weights.size()), exact.value());
  }
  const double odd[] = {std::nextafter(1.0, 2.0), std::nextafter(1.0, 2.0)};
  EXPECT_EQ(sum_of(odd).above(2), 2 + 0x1p-51);
}

TEST(WeightSum, DoesNotDrift) {
  WeightSum sum;
  for (int i = 0; i < 1'000'000; ++i) sum.add(1 / 0.3);
  ExactSum exact(std::pmr::get_default_resource());
  exact.add(1 / 0.3, 1'000'000);
  EXPECT_EQ(sum.above(1'000'000), exact.value());
}

TEST(WeightSum, OrderDoesNotMatter) {
  std::mt19937 random(7);
  auto weights = some_weights(500, 3);
  const WeightSum whole = sum_of(weights);
  for (int round = 0; round < 20; ++round) {
    std::shuffle(weights.begin(), weights.end(), random);
    const std::size_t cut = random() % weights.size();
    WeightSum sum = sum_of(std::span(weights).subspan(cut));
    sum.merge(sum_of(std::span(weights).first(cut)));
    EXPECT_EQ(sum, whole);
  }
}

TEST(WeightSum, OfOnesIsZero) {
  const double ones[] = {1, 1, 1};
  EXPECT_TRUE(sum_of(ones).is_zero());
  EXPECT_EQ(sum_of(ones).above(3), 3);
  EXPECT_EQ(WeightSum().above(0), 0);
  EXPECT_EQ(WeightSum().above(std::numeric_limits<std::uint64_t>::max()), 0x1p64);
}

TEST(WeightSum, TakesNothingElse) {
  for (const double weight : {0.0, 0.5, -2.0, 1e10, kInfinity, kNaN}) {
    WeightSum sum;
    EXPECT_EQ(code_of([&] { sum.add(weight); }), Code::kNumericOutOfRange) << weight;
    EXPECT_TRUE(sum.is_zero());
  }
}

TEST(WeightSum, DoesNotWrap) {
  WeightSum sum;
  sum.add(2);
  for (int i = 0; i < 63; ++i) sum.merge(WeightSum(sum));
  const Bytes before = bytes_of(sum);
  EXPECT_EQ(sum.above(0), 0x1p63);
  EXPECT_EQ(code_of([&] { sum.merge(WeightSum(sum)); }), Code::kNumericOutOfRange);
  EXPECT_EQ(bytes_of(sum), before);
}

TEST(WeightSum, KnowsWhatCanBe) {
  WeightSum sum;
  EXPECT_TRUE(sum.is_possible(0));
  sum.add(1e9);
  EXPECT_FALSE(sum.is_possible(0));
  EXPECT_TRUE(sum.is_possible(1));
  sum.add(std::nextafter(1.0, 2.0));
  EXPECT_FALSE(sum.is_possible(1));
  EXPECT_TRUE(sum.is_possible(2));
  EXPECT_TRUE(sum.is_possible(std::numeric_limits<std::uint64_t>::max()));
}

TEST(WeightSum, WritesGoldenBytes) {
  const auto hex = [](std::initializer_list<double> weights) {
    return to_hex(bytes_of(sum_of(std::span(weights.begin(), weights.size()))));
  };
  EXPECT_EQ(hex({}), "0000");
  EXPECT_EQ(hex({10}), "0900");
  EXPECT_EQ(hex({10, 1, 200}), "d00100");
  EXPECT_EQ(hex({2.5}), "018080808080808004");
  EXPECT_EQ(hex({std::nextafter(1.0, 2.0)}), "0001");
  EXPECT_EQ(hex({1 / 0.3}), "02d6aad5aad5aad502");
}

TEST(WeightSum, ReadsWhatItWrote) {
  for (unsigned seed = 1; seed <= 50; ++seed) {
    const WeightSum sum = sum_of(some_weights(seed, seed));
    EXPECT_EQ(read(bytes_of(sum)), sum);
  }
  const Bytes whole_one = {0, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 8};  // 2^52 of 2^-52
  EXPECT_EQ(code_of([&] { read(whole_one); }), Code::kInvalidBinary);
  EXPECT_EQ(code_of([&] { read({0}); }), Code::kInvalidBinary);
  const Bytes most = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 0};
  EXPECT_EQ(bytes_of(read(most)), most);
}

}  // namespace
}  // namespace vigil
