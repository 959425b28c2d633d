// The exact sum against a plain big integer of its own, and against the order of its values.
#include "core/exact_sum.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>
#include <string>
#include <vector>

namespace vigil {
namespace {

constexpr double kMax = std::numeric_limits<double>::max();
constexpr double kTiny = std::numeric_limits<double>::denorm_min();

// A sum in units of 2^-1075 as a two's complement integer, one bit at a time: slow and plain.
class Oracle {
 public:
  void add(double value) {
    int exponent = 0;
    const double mantissa = std::frexp(std::fabs(value), &exponent);
    const auto whole = static_cast<std::uint64_t>(std::ldexp(mantissa, 53));
    for (int bit = 0; bit < 53; ++bit) {
      const int at = exponent - 53 + bit + 1075;
      if (((whole >> bit) & 1) != 0) value > 0 ? increment(at) : decrement(at);
    }
  }

  bool negative() const { return bits_.back(); }
  bool zero() const {
    return std::none_of(bits_.begin(), bits_.end(), [](bool b) { return b; });
  }

  // -1, 0, 1 as |this| is less than, equal to or greater than |other|.
  int compare_magnitude(const Oracle& other) const {
    const std::vector<bool> a = magnitude();
    const std::vector<bool> b = other.magnitude();
    for (std::size_t i = a.size(); i-- > 0;) {
      if (a[i] != b[i]) return a[i] ? 1 : -1;
    }
    return 0;
  }

 private:
  void increment(int at) {
    auto i = static_cast<std::size_t>(at);
    for (; i < bits_.size() && bits_[i]; ++i) bits_[i] = false;
    if (i < bits_.size()) bits_[i] = true;
  }
  void decrement(int at) {
    auto i = static_cast<std::size_t>(at);
    for (; i < bits_.size() && !bits_[i]; ++i) bits_[i] = true;
    if (i < bits_.size()) bits_[i] = false;
  }
  std::vector<bool> magnitude() const {
    Oracle copy = *this;
    if (negative()) {
      copy.bits_.flip();
      copy.increment(0);
    }
    return copy.bits_;
  }

  std::vector<bool> bits_ = std::vector<bool>(2300);
};

// The distance of an exact sum from a double.
Oracle distance(Oracle sum, double value) {
  sum.add(-value);
  return sum;
}

// `result` must be the double nearest to `sum`, ties to even.
void expect_nearest(const Oracle& sum, double result) {
  ASSERT_TRUE(std::isfinite(result));
  const Oracle here = distance(sum, result);
  for (const double other : {std::nextafter(result, kMax), std::nextafter(result, -kMax)}) {
    if (other == result) continue;
    const int order = here.compare_magnitude(distance(sum, other));
    EXPECT_LE(order, 0) << result;
    if (order == 0) {
      EXPECT_EQ(std::bit_cast<std::uint64_t>(result) % 2, 0U) << result;
    }
  }
}

ExactSum sum_of(const std::vector<double>& values) {
  ExactSum sum(std::pmr::get_default_resource());
  for (const double value : values) sum.add(value);
  return sum;
}

std::string hex_of(const ExactSum& sum) {
  Bytes bytes;
  ByteWriter writer(bytes);
  sum.write(writer);
  std::string text;
  for (const std::uint8_t byte : bytes) {
    text += "0123456789abcdef"[byte >> 4];
    text += "0123456789abcdef"[byte & 15];
  }
  return text;
}

ExactSum read_all(const Bytes& bytes) {
  ByteReader in(bytes, "sum");
  ExactSum sum = ExactSum::read(in, std::pmr::get_default_resource());
  in.finish();
  return sum;
}

std::vector<double> wild_values(std::mt19937_64& random, std::size_t count, int low, int high) {
  std::uniform_int_distribution<int> exponent(low, high);
  std::uniform_real_distribution<double> mantissa(-1, 1);
  std::vector<double> values;
  for (std::size_t i = 0; i < count; ++i) {
    values.push_back(std::ldexp(mantissa(random), exponent(random)));
  }
  return values;
}

TEST(ExactSum, IsZeroWhenEmptyAndAfterCancelling) {
  EXPECT_EQ(sum_of({}).value(), 0);
  EXPECT_EQ(hex_of(sum_of({})), "00");
  const ExactSum sum = sum_of({0.1, 1e300, -0.0, -1e300, -0.1});
  EXPECT_EQ(sum.value(), 0);
  EXPECT_FALSE(std::signbit(sum.value()));
  EXPECT_EQ(sum.sign(), 0);
  EXPECT_EQ(hex_of(sum), "00");
  EXPECT_EQ(sum, sum_of({}));
}

TEST(ExactSum, RoundsOnceAtTheEnd) {
  EXPECT_EQ(sum_of(std::vector<double>(10, 0.1)).value(), 1.0);
  EXPECT_EQ(sum_of({1e16, 1, 1}).value(), 1e16 + 2);
  EXPECT_EQ(sum_of({1e16, 1}).value(), 1e16);             // a tie, to even
  EXPECT_EQ(sum_of({1e16, 1, kTiny}).value(), 1e16 + 2);  // just above the tie
  EXPECT_EQ(sum_of({1e16, 1, -kTiny}).value(), 1e16);
  EXPECT_EQ(sum_of({1e308, 1e308, -1e308}).value(), 1e308);
  EXPECT_EQ(sum_of({kTiny, kTiny}).value(), 2 * kTiny);
  EXPECT_EQ(sum_of({kMax, -kTiny}).value(), kMax);
  EXPECT_EQ(sum_of({-kTiny, kMax, -kMax}).value(), -kTiny);
  EXPECT_EQ(sum_of({2.2250738585072014e-308, -kTiny}).value(), 2.2250738585072009e-308);
}

TEST(ExactSum, OverflowsToInfinityOnlyWhenRead) {
  ExactSum sum = sum_of({kMax, kMax});
  EXPECT_EQ(sum.value(), std::numeric_limits<double>::infinity());
  sum.add(-kMax);
  EXPECT_EQ(sum.value(), kMax);
  const double half_unit = std::ldexp(1.0, 970);
  EXPECT_EQ(sum_of({kMax, std::nextafter(half_unit, 0)}).value(), kMax);
  EXPECT_EQ(sum_of({kMax, half_unit}).value(), std::numeric_limits<double>::infinity());
  EXPECT_EQ(sum_of({-kMax, -half_unit}).value(), -std::numeric_limits<double>::infinity());
}

TEST(ExactSum, RejectsWhatIsNotFinite) {
  ExactSum sum = sum_of({1});
  for (const double value : {std::numeric_limits<double>::infinity(),
                             -std::numeric_limits<double>::infinity(), std::nan("")}) {
    EXPECT_THROW(sum.add(value), Error);
    EXPECT_THROW(sum.add(value, 2), Error);
  }
  EXPECT_EQ(sum.value(), 1);
}

TEST(ExactSum, AgreesWithABigInteger) {
  std::mt19937_64 random(1);
  const int ranges[][2] = {{-1074, 1020}, {-1074, -1000}, {-60, 60}, {-3, 3}, {960, 1020}};
  for (const auto& range : ranges) {
    for (int round = 0; round < 40; ++round) {
      Oracle oracle;
      const auto values = wild_values(random, 1 + random() % 30, range[0], range[1]);
      for (const double value : values) oracle.add(value);
      expect_nearest(oracle, sum_of(values).value());
    }
  }
}

TEST(ExactSum, AgreesWithWideIntegers) {
  std::mt19937_64 random(2);
  __extension__ using Wide = __int128;
  for (int round = 0; round < 200; ++round) {
    Wide wide = 0;
    ExactSum sum(std::pmr::get_default_resource());
    for (int i = 0; i < 100; ++i) {
      const auto whole = static_cast<std::int64_t>(random()) >> (11 + random() % 40);
      const std::uint64_t times = random() >> (random() % 64);
      if (round % 2 == 0) {
        wide += whole;
        sum.add(static_cast<double>(whole));
      } else {
        wide += static_cast<Wide>(whole) * static_cast<Wide>(times) / 256 * 256;
        const Wide rest = static_cast<Wide>(whole) * static_cast<Wide>(times) % 256;
        sum.add(static_cast<double>(whole), times);
        sum.add(-static_cast<double>(rest));
      }
    }
    EXPECT_EQ(sum.value(), static_cast<double>(wide));
  }
}

TEST(ExactSum, DependsOnNoOrderAndNoPartition) {
  std::mt19937_64 random(3);
  auto values = wild_values(random, 300, -1074, 1020);
  const std::string golden = hex_of(sum_of(values));
  for (int round = 0; round < 30; ++round) {
    std::shuffle(values.begin(), values.end(), random);
    std::vector<ExactSum> parts;
    for (int i = 0; i < 5; ++i) parts.emplace_back(std::pmr::get_default_resource());
    for (const double value : values) parts[random() % 5].add(value);
    while (parts.size() > 1) {
      parts[random() % (parts.size() - 1)].merge(parts.back());
      parts.pop_back();
    }
    EXPECT_EQ(hex_of(parts[0]), golden);
  }
}

TEST(ExactSum, TimesIsRepetition) {
  std::mt19937_64 random(4);
  for (const double value : wild_values(random, 200, -1074, 1020)) {
    const std::uint64_t times = random() % 50;
    ExactSum once(std::pmr::get_default_resource());
    once.add(value, times);
    EXPECT_EQ(once, sum_of(std::vector<double>(times, value)));
  }
  ExactSum most(std::pmr::get_default_resource());
  for (int i = 0; i < 100; ++i) most.add(kMax, std::numeric_limits<std::uint64_t>::max());
  for (int i = 0; i < 100; ++i) most.add(-kMax, std::numeric_limits<std::uint64_t>::max());
  EXPECT_EQ(most.sign(), 0);
}

TEST(ExactSum, SubtractsAndMergesItself) {
  ExactSum sum = sum_of({1e300, 3, -1e-300});
  sum.merge(sum);
  EXPECT_EQ(sum, sum_of({1e300, 3, -1e-300, 1e300, 3, -1e-300}));
  sum.subtract(sum_of({1e300, 3, -1e-300, 1e300, -1e-300}));
  EXPECT_EQ(sum.value(), 3);
  sum.subtract(sum);
  EXPECT_EQ(sum.sign(), 0);
}

// Doubling a sum doubles its deferred carries, so they are carried after 29 rounds.
TEST(ExactSum, CarriesKeepTheSum) {
  std::mt19937_64 random(6);
  for (int round = 0; round < 50; ++round) {
    const auto values = wild_values(random, 5, round % 2 == 0 ? -1074 : -20, 40);
    ExactSum doubled = sum_of(values);
    for (int i = 1; i < 64; ++i) {
      doubled.merge(doubled);
      ExactSum expected(std::pmr::get_default_resource());
      for (const double value : values) expected.add(value, std::uint64_t{1} << i);
      ASSERT_EQ(hex_of(doubled), hex_of(expected)) << i;
    }
  }
}

TEST(ExactSum, DoublingOftenLeavesTheRangeWithAnError) {
  ExactSum sum = sum_of({-kMax});
  EXPECT_THROW(
      {
        for (int i = 0; i < 400; ++i) sum.merge(sum);
        Bytes bytes;
        ByteWriter writer(bytes);
        sum.write(writer);
      },
      Error);
}

TEST(ExactSum, WritesGoldenBytes) {
  EXPECT_EQ(hex_of(sum_of({1})), "020004");
  EXPECT_EQ(hex_of(sum_of({-5})), "030014");
  EXPECT_EQ(hex_of(sum_of({0.25, 0.5})), "020003");
  EXPECT_EQ(hex_of(sum_of({1000})), "0400a00f");
  EXPECT_EQ(hex_of(sum_of({0.1})), "0e0d68666666666666");
  EXPECT_EQ(hex_of(sum_of({kTiny})), "028b0201");
  const std::string far_apart = hex_of(sum_of({1e308, 5e-324}));
  EXPECT_EQ(far_apart, "8e048b0201" + std::string(2 * 255, '0') + "1479bd709e3902");
}

TEST(ExactSum, ReadsWhatItWrote) {
  std::mt19937_64 random(5);
  for (int round = 0; round < 300; ++round) {
    const ExactSum sum = sum_of(wild_values(random, random() % 8, -1074, 1020));
    Bytes bytes;
    ByteWriter writer(bytes);
    sum.write(writer);
    ExactSum again = read_all(bytes);
    EXPECT_EQ(hex_of(again), hex_of(sum));
    again.subtract(sum);
    EXPECT_EQ(again.sign(), 0);
  }
}

TEST(ExactSum, HostileBytesAreAnErrorOrCanonical) {
  for (const auto& values : {std::vector<double>{}, {1}, {-1e300, 1e-300}, {0.1, 0.2, -7e7}}) {
    Bytes valid;
    ByteWriter writer(valid);
    sum_of(values).write(writer);
    for (std::size_t size = 0; size < valid.size(); ++size) {
      EXPECT_THROW(
          read_all(Bytes(valid.begin(), valid.begin() + static_cast<std::ptrdiff_t>(size))), Error);
    }
    for (std::size_t at = 0; at < valid.size(); ++at) {
      for (int flip = 1; flip < 256; ++flip) {
        Bytes bytes = valid;
        bytes[at] = static_cast<std::uint8_t>(bytes[at] ^ flip);
        try {
          const ExactSum sum = read_all(bytes);
          Bytes again;
          ByteWriter out(again);
          sum.write(out);
          EXPECT_EQ(again, bytes);
        } catch (const Error& error) {
          EXPECT_EQ(error.code(), Code::kInvalidBinary);
        }
      }
    }
  }
}

Bytes value_bytes(const ExactSum& sum) {
  Bytes bytes;
  sum.write(bytes);
  return bytes;
}

ExactSum read_value(const Bytes& bytes) {
  return ExactSum::read(bytes, std::pmr::get_default_resource());
}

TEST(ExactSum, WritesValuesOfTheirOwn) {
  EXPECT_EQ(value_bytes(sum_of({})), (Bytes{0x10, 0x00}));
  EXPECT_EQ(value_bytes(sum_of({1})), (Bytes{0x10, 0x02, 0x00, 0x04}));
  EXPECT_EQ(value_bytes(sum_of({-5})), (Bytes{0x10, 0x03, 0x00, 0x14}));
  EXPECT_EQ(read_value({0x10, 0x04, 0x00, 0xa0, 0x0f}).value(), 1000);
  for (const Bytes& bytes :
       {Bytes{}, {0x10}, {0x00, 0x00}, {0x20, 0x00}, {0x11, 0x00}, {0x10, 0x00, 0x00}}) {
    EXPECT_THROW(read_value(bytes), Error);
  }
}

TEST(ExactSum, HostileValuesAreAnErrorOrCanonical) {
  for (const auto& values : {std::vector<double>{}, {1}, {-1e300, 1e-300}, {0.1, 0.2, -7e7}}) {
    const Bytes valid = value_bytes(sum_of(values));
    for (std::size_t size = 0; size < valid.size(); ++size) {
      EXPECT_THROW(
          read_value(Bytes(valid.begin(), valid.begin() + static_cast<std::ptrdiff_t>(size))),
          Error);
    }
    for (std::size_t at = 0; at < valid.size(); ++at) {
      for (int flip = 1; flip < 256; ++flip) {
        Bytes bytes = valid;
        bytes[at] = static_cast<std::uint8_t>(bytes[at] ^ flip);
        try {
          EXPECT_EQ(value_bytes(read_value(bytes)), bytes);
        } catch (const Error& error) {
          EXPECT_EQ(error.code(), Code::kInvalidBinary);
        }
      }
    }
  }
}

// A frame that slides: what entered leaves again, exactly.
TEST(ExactSum, TakingValuesAwayLeavesTheRest) {
  std::mt19937_64 random(6);
  const auto values = wild_values(random, 2000, -300, 300);
  ExactSum sum(std::pmr::get_default_resource());
  for (std::size_t i = 0; i < values.size(); ++i) {
    sum.add(values[i]);
    if (i < 7) continue;
    sum.add(-values[i - 7]);
    const auto at = values.begin() + static_cast<std::ptrdiff_t>(i);
    EXPECT_EQ(value_bytes(sum), value_bytes(sum_of(std::vector<double>(at - 6, at + 1))));
  }
}

TEST(ExactSum, IsSmallWhileEmpty) {
  EXPECT_LE(sizeof(ExactSum), 40U);
  ExactSum sum(std::pmr::null_memory_resource());
  sum.add(0);
  EXPECT_EQ(sum.value(), 0);
}

}  // namespace
}  // namespace vigil
