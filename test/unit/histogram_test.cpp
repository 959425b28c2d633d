// Percentiles against sorted values, bytes against every order of adding and merging.
#include "core/histogram.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <random>
#include <string>
#include <vector>

namespace vigil {
namespace {

constexpr double kMax = std::numeric_limits<double>::max();
constexpr double kTiny = std::numeric_limits<double>::denorm_min();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

using Values = std::vector<double>;

Histogram empty(int scale = 6, std::uint32_t limit = Histogram::kDefaultMaxBuckets) {
  return Histogram(std::pmr::get_default_resource(), scale, limit);
}

Histogram of(const Values& values, int scale = 6,
             std::uint32_t limit = Histogram::kDefaultMaxBuckets) {
  Histogram histogram = empty(scale, limit);
  for (const double value : values) histogram.add(value);
  return histogram;
}

Bytes bytes_of(const Histogram& histogram) {
  Bytes bytes;
  histogram.write(bytes);
  return bytes;
}

Histogram read(const Bytes& bytes) {
  return Histogram::read(bytes, std::pmr::get_default_resource());
}

std::string hex_of(const Histogram& histogram) {
  std::string text;
  for (const std::uint8_t byte : bytes_of(histogram)) {
    text += "0123456789abcdef"[byte >> 4];
    text += "0123456789abcdef"[byte & 15];
  }
  return text;
}

double nearest_rank(const Values& sorted, double fraction) {
  const auto rank =
      static_cast<std::size_t>(std::ceil(fraction * static_cast<double>(sorted.size())));
  return sorted[std::max<std::size_t>(rank, 1) - 1];
}

double share_at_or_below(const Values& sorted, double value) {
  const auto at = std::upper_bound(sorted.begin(), sorted.end(), value);
  return static_cast<double>(at - sorted.begin()) / static_cast<double>(sorted.size());
}

Values draw(std::size_t count, std::uint64_t seed,
            const std::function<double(std::mt19937_64&)>& one) {
  std::mt19937_64 random(seed);
  Values values;
  for (std::size_t i = 0; i < count; ++i) values.push_back(one(random));
  return values;
}

double lognormal(std::mt19937_64& random) {
  return std::lognormal_distribution<double>(4, 1)(random);
}

double normal(std::mt19937_64& random) { return std::normal_distribution<double>()(random); }

double pareto(std::mt19937_64& random) {
  return std::pow(1 - std::uniform_real_distribution<double>()(random), -1 / 1.2);
}

double bimodal(std::mt19937_64& random) {
  return random() % 10 < 7 ? 20 + 2 * std::fabs(normal(random)) : 900 + 50 * normal(random);
}

double mixed(std::mt19937_64& random) {
  return random() % 50 == 0 ? 0 : 100 * normal(random) * std::fabs(normal(random));
}

double whole(std::mt19937_64& random) { return std::floor(lognormal(random)); }

double anything(std::mt19937_64& random) {
  for (;;) {
    const auto value = std::bit_cast<double>(random());
    if (std::isfinite(value)) return value;
  }
}

struct Shape {
  const char* name;
  std::function<double(std::mt19937_64&)> draw;
};

const std::vector<Shape>& shapes() {
  static const std::vector<Shape> all = {
      {"lognormal", lognormal},
      {"pareto", pareto},
      {"bimodal", bimodal},
      {"whole", whole},
      {"mixed", mixed},
      {"negative", [](std::mt19937_64& random) { return -lognormal(random); }},
      {"anything", anything},
      {"small", [](std::mt19937_64& random) { return 1e-310 * pareto(random); }},
  };
  return all;
}

// A few sizes on both sides of the change from values to buckets.
const std::vector<std::size_t> kSizes = {0, 1, 2, 63, 64, 65, 66, 500};

TEST(Histogram, IsEmptyAtFirst) {
  const Histogram histogram = empty();
  EXPECT_EQ(histogram.count(), 0U);
  EXPECT_EQ(histogram.sum(), 0);
  EXPECT_FALSE(histogram.min().has_value());
  EXPECT_FALSE(histogram.max().has_value());
  EXPECT_FALSE(histogram.percentile(0.5).has_value());
  EXPECT_FALSE(histogram.rank(1).has_value());
  EXPECT_EQ(histogram.max_relative_error(), 0);
  EXPECT_EQ(hex_of(histogram), "10");
  histogram.for_each_bucket([](const Histogram::Bucket&) { FAIL(); });
}

TEST(Histogram, IsExactUpTo64DistinctValues) {
  std::mt19937_64 random(11);
  for (std::size_t distinct = 1; distinct <= 64; ++distinct) {
    const Values choice = draw(distinct, distinct, mixed);
    Values values;
    for (int i = 0; i < 200; ++i) values.push_back(choice[random() % distinct]);
    const Histogram histogram = of(values);
    ASSERT_TRUE(histogram.is_exact());
    std::sort(values.begin(), values.end());
    for (double fraction = 0; fraction <= 1; fraction += 0.01) {
      EXPECT_EQ(histogram.percentile(fraction), nearest_rank(values, fraction));
    }
    for (const double value : choice) {
      EXPECT_EQ(histogram.rank(value), share_at_or_below(values, value));
    }
  }
  Values values(64);
  for (std::size_t i = 0; i < 64; ++i) values[i] = static_cast<double>(i);
  EXPECT_TRUE(of(values).is_exact());
  values.push_back(64);
  EXPECT_FALSE(of(values).is_exact());
}

TEST(Histogram, PercentilesKeepTheirBound) {
  for (const Shape& shape : shapes()) {
    Values values = draw(20000, 13, shape.draw);
    const Histogram histogram = of(values);
    std::sort(values.begin(), values.end());
    const double bound = histogram.max_relative_error() * (1 + 1e-9);
    if (std::string(shape.name) != "anything") {
      EXPECT_EQ(histogram.scale(), 6) << shape.name;
    }
    for (int i = 0; i <= 1000; ++i) {
      const double fraction = i / 1000.0;
      const double exact = nearest_rank(values, fraction);
      // Half a unit of rounding where the values themselves are subnormal.
      EXPECT_LE(std::fabs(*histogram.percentile(fraction) - exact),
                bound * std::fabs(exact) + kTiny)
          << shape.name << " " << fraction;
    }
    EXPECT_EQ(histogram.percentile(0), values.front());
    EXPECT_EQ(histogram.percentile(1), values.back());
    EXPECT_EQ(histogram.min(), values.front());
    EXPECT_EQ(histogram.max(), values.back());
    EXPECT_EQ(histogram.count(), values.size());
  }
}

TEST(Histogram, RankIsTheShareWithinTheBound) {
  for (const Shape& shape : shapes()) {
    Values values = draw(5000, 17, shape.draw);
    const Histogram histogram = of(values);
    std::sort(values.begin(), values.end());
    const double error = histogram.max_relative_error() * (1 + 1e-9);
    for (std::size_t i = 0; i < values.size(); i += 50) {
      const double rank = *histogram.rank(values[i]);
      const double slack = std::fabs(values[i]) * error / (1 - std::min(error, 0.5)) + 2 * kTiny;
      EXPECT_GE(rank, share_at_or_below(values, values[i] - slack)) << shape.name;
      EXPECT_LE(rank, share_at_or_below(values, values[i] + slack)) << shape.name;
    }
    for (const double fraction : {0.001, 0.1, 0.5, 0.9, 0.999, 1.0}) {
      EXPECT_GE(*histogram.rank(*histogram.percentile(fraction)), fraction - 1e-12) << shape.name;
    }
    EXPECT_EQ(histogram.rank(-kInfinity), 0);
    EXPECT_EQ(histogram.rank(kInfinity), 1);
    EXPECT_LT(*histogram.rank(std::nextafter(values.back(), -kInfinity)), 1);
  }
}

TEST(Histogram, ManyPercentilesAreEachOfThem) {
  const Histogram histogram = of(draw(3000, 19, mixed));
  const Values fractions = {0, 0.01, 0.5, 0.5, 0.99, 1, 0.25, 0.1, 0.95, 0};
  Values answers(fractions.size());
  ASSERT_TRUE(histogram.percentiles(fractions, answers));
  for (std::size_t i = 0; i < fractions.size(); ++i) {
    EXPECT_EQ(answers[i], histogram.percentile(fractions[i]));
  }
  EXPECT_FALSE(empty().percentiles(fractions, answers));
}

TEST(Histogram, BytesDependOnTheValuesOnly) {
  std::mt19937_64 random(23);
  for (const Shape& shape : shapes()) {
    for (const std::size_t size : kSizes) {
      Values values = draw(size, 29 + size, shape.draw);
      const Histogram whole_one = of(values);
      const std::string golden = hex_of(whole_one);
      for (int round = 0; round < 8; ++round) {
        std::shuffle(values.begin(), values.end(), random);
        std::vector<Histogram> parts;
        for (int i = 0; i < 6; ++i) parts.push_back(empty());
        for (const double value : values) parts[random() % (1 + random() % 6)].add(value);
        while (parts.size() > 1) {
          parts[random() % (parts.size() - 1)].merge(parts.back());
          parts.pop_back();
        }
        EXPECT_EQ(hex_of(parts[0]), golden) << shape.name << " " << size;
        EXPECT_EQ(parts[0], whole_one);
      }
    }
  }
}

TEST(Histogram, BytesDependOnTheValuesOnlyWhenScaleAndLimitDiffer) {
  std::mt19937_64 random(31);
  const std::vector<std::pair<int, std::uint32_t>> parameters = {
      {6, 4096}, {8, 16384}, {3, 200}, {7, 30}, {-2, 4}};
  for (const Shape& shape : shapes()) {
    for (const std::size_t size : kSizes) {
      Values values = draw(size, 37 + size, shape.draw);
      std::string golden;
      for (int round = 0; round < 10; ++round) {
        std::shuffle(values.begin(), values.end(), random);
        std::vector<Histogram> parts;
        for (const auto& [scale, limit] : parameters) parts.push_back(empty(scale, limit));
        std::shuffle(parts.begin(), parts.end(), random);
        for (const double value : values) parts[random() % parts.size()].add(value);
        while (parts.size() > 1) {
          parts[random() % (parts.size() - 1)].merge(parts.back());
          parts.pop_back();
        }
        if (round == 0) golden = hex_of(parts[0]);
        EXPECT_EQ(hex_of(parts[0]), golden) << shape.name << " " << size;
        EXPECT_EQ(parts[0].requested_scale(), -2);
        EXPECT_EQ(parts[0].max_buckets(), 4U);
      }
      EXPECT_EQ(golden, hex_of(of(values, -2, 4))) << shape.name << " " << size;
    }
  }
}

TEST(Histogram, ScaleFallsWithTheRangeOnly) {
  Values values(100);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = 1 + static_cast<double>(i);
  EXPECT_EQ(of(values).scale(), 6);
  values.push_back(std::ldexp(1.0, 255));  // 1 lies in bucket -1, 2^255 in 255 * 64 - 1
  EXPECT_EQ(of(values).scale(), 6);
  values.back() = std::ldexp(1.0, 256);
  EXPECT_EQ(of(values).scale(), 5);
  values.back() = -std::ldexp(1.0, 256);  // the limit is one of each sign
  EXPECT_EQ(of(values).scale(), 6);
  Values ends = draw(70, 1, lognormal);
  ends.push_back(kTiny);
  ends.push_back(kMax);
  EXPECT_EQ(of(ends).scale(), 2);
  EXPECT_EQ(of(ends, 6, 4).scale(), -10);
  EXPECT_EQ(of(ends, -10, 4).percentile(0), kTiny);
  EXPECT_EQ(of(ends, -10, 4).percentile(1), kMax);
}

TEST(Histogram, HoldsExtremes) {
  Values values = {-kMax, kMax, -kTiny, kTiny, 0.0, -0.0, std::numeric_limits<double>::min()};
  const Histogram few = of(values);
  EXPECT_TRUE(few.is_exact());
  EXPECT_EQ(few.sum(), std::numeric_limits<double>::min());
  EXPECT_EQ(few.percentile(0.5), 0);
  EXPECT_FALSE(std::signbit(*of({-0.0}).min()));
  EXPECT_EQ(hex_of(of({-0.0, 0.0})), hex_of(of({0.0, 0.0})));
  for (int i = 0; i < 70; ++i) {
    values.push_back(std::ldexp(1.0, 30 * i - 1074));
    values.push_back(-std::ldexp(1.0, 30 * i - 1074));
  }
  const Histogram many = of(values);
  EXPECT_FALSE(many.is_exact());
  EXPECT_EQ(many.percentile(0), -kMax);
  EXPECT_EQ(many.percentile(1), kMax);
  EXPECT_EQ(many.sum(), std::numeric_limits<double>::min());
  EXPECT_EQ(read(bytes_of(many)), many);
}

TEST(Histogram, RejectsWhatItCannotHold) {
  for (const Values& values : {Values{1, 2}, draw(100, 1, lognormal)}) {
    Histogram histogram = of(values);
    const std::string before = hex_of(histogram);
    for (const double value : {kInfinity, -kInfinity, std::nan("")}) {
      try {
        histogram.add(value);
        FAIL();
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), Code::kNumericOutOfRange);
        EXPECT_EQ(error.message(), "histogram values must be finite");
        EXPECT_NE(error.detail(), "");
      }
    }
    EXPECT_THROW(histogram.add(1, std::numeric_limits<std::uint64_t>::max()), Error);
    EXPECT_EQ(hex_of(histogram), before);
    EXPECT_THROW(histogram.percentile(-0.01), Error);
    EXPECT_THROW(histogram.percentile(1.01), Error);
    EXPECT_THROW(histogram.percentile(std::nan("")), Error);
    EXPECT_THROW(histogram.rank(std::nan("")), Error);
    histogram.add(1, std::numeric_limits<std::uint64_t>::max() - histogram.count());
    EXPECT_THROW(histogram.add(1), Error);
    EXPECT_THROW(histogram.merge(of({1})), Error);
    EXPECT_EQ(read(bytes_of(histogram)), histogram);
  }
  EXPECT_THROW(empty(9), Error);
  EXPECT_THROW(empty(-11), Error);
  EXPECT_THROW(empty(300), Error);
  EXPECT_THROW(empty(6, 3), Error);
  EXPECT_THROW(empty(6, 16385), Error);
}

TEST(Histogram, TimesIsRepetition) {
  std::mt19937_64 random(41);
  for (const std::size_t size : kSizes) {
    Histogram once = empty();
    Values values;
    for (const double value : draw(size, 43, mixed)) {
      const std::uint64_t times = random() % 400;
      once.add(value, times);
      values.insert(values.end(), times, value);
    }
    EXPECT_EQ(hex_of(once), hex_of(of(values)));
  }
}

// Some values are in both, they have both signs and lie far apart, and around 64 are different.
TEST(Histogram, MergesListsOfValuesAsIfAdded) {
  const auto values = [](int first, int count) {
    Values result;
    for (int i = first; i < first + count; ++i) {
      result.push_back((i % 5 == 0 ? -1 : 1) * std::ldexp(1 + i / 100.0, i * 7 % 41 - 20));
    }
    return result;
  };
  for (const std::uint32_t limit : {Histogram::kDefaultMaxBuckets, Histogram::kFewestBuckets}) {
    for (const int mine : {0, 1, 2, 31, 32, 33, 63, 64}) {
      for (const int theirs : {0, 1, 2, 16, 31, 32, 33, 64}) {
        for (const int shared : {0, 1, 16}) {
          Values all = values(0, mine);
          const Values others = values(std::max(mine - shared, 0), theirs);
          Histogram merged = of(all, 6, limit);
          merged.merge(of(others, 6, limit));
          Histogram stored = of(all, 6, limit);
          stored.merge_stored(bytes_of(of(others, 6, limit)));
          EXPECT_EQ(bytes_of(stored), bytes_of(merged));
          all.insert(all.end(), others.begin(), others.end());
          EXPECT_EQ(bytes_of(merged), bytes_of(of(all, 6, limit)))
              << mine << " and " << theirs << ", " << shared << " shared, limit " << limit;
        }
      }
    }
  }
}

TEST(Histogram, MergesItselfAndCopies) {
  for (const std::size_t size : kSizes) {
    Values values = draw(size, 47, mixed);
    Histogram histogram = of(values);
    const Histogram copy(histogram, std::pmr::get_default_resource());
    EXPECT_EQ(copy, histogram);
    histogram.merge(histogram);
    values.insert(values.end(), values.begin(), values.end());
    EXPECT_EQ(hex_of(histogram), hex_of(of(values)));
    EXPECT_EQ(copy.count(), size);
  }
}

TEST(Histogram, BucketsCoverTheValues) {
  for (const Shape& shape : shapes()) {
    for (const std::size_t size : kSizes) {
      Values values = draw(size, 53, shape.draw);
      std::sort(values.begin(), values.end());
      std::uint64_t seen = 0;
      of(values).for_each_bucket([&](const Histogram::Bucket& part) {
        for (std::uint64_t i = 0; i < part.count; ++i) {
          EXPECT_GE(values[seen], part.lower) << shape.name;
          EXPECT_LE(values[seen], part.upper) << shape.name;
          ++seen;
        }
      });
      EXPECT_EQ(seen, size);
    }
  }
}

TEST(Histogram, SumIsExact) {
  Values values = draw(1000, 59, lognormal);
  values.push_back(1e300);
  values.push_back(-1e300);
  ExactSum sum(std::pmr::get_default_resource());
  for (const double value : values) sum.add(value);
  EXPECT_EQ(of(values).sum(), sum.value());
  EXPECT_EQ(of(Values(10, 0.1)).sum(), 1.0);
}

// Made by an encoder written from the format's page alone.
TEST(Histogram, WritesGoldenBytes) {
  EXPECT_EQ(hex_of(of({12})), "1101024028");
  EXPECT_EQ(hex_of(of({0.1, -3, 0, 0, 1e300})), "110402c00810083fb999999999999a087e37e43c8800759c");
  EXPECT_EQ(hex_of(of(Values(1000, 7))), "1101f2401cd807");
  EXPECT_EQ(hex_of(empty(3, 160)), "1406a001");
  Values values;
  for (int i = -20; i <= 60; ++i) values.push_back(i * 5);
  EXPECT_EQ(hex_of(of(values)),
            "120032c0594072c00400907e01122400100710040402100202010401010010008001020004000400"
            "02004100100084001000021e24001007100404021002020104010100100080010200040004000200"
            "410010008400100022004400240012004900920094005400aa005400ad005a006b");
  values.push_back(1e30);
  EXPECT_EQ(hex_of(of(values, 4, 40)),
            "1608280682c05946293e5939a08cea1a00907e00000000d4194173b27c3201010040230200000002"
            "0050039c000000000201");
  values.assign({0});
  for (int i = -70; i < 70; ++i) values.push_back(std::ldexp(1.0, i));
  for (int i = 1; i < 9; ++i) values.push_back(-0.3 * i);
  EXPECT_EQ(hex_of(of(values, 8, 100)),
            "1610640928c00333333333333344402411f0ff2fcdccccccccccd4ffffffffffffffff0102011000"
            "c0200500000a091000a910aaaa10aaaa10aaaa10aaaa10aaaa10aaaa10aaaa10aaaa101a00");
}

// Histograms of every kind the format has.
std::vector<Histogram> samples() {
  std::vector<Histogram> all;
  all.push_back(empty());
  all.push_back(empty(2, 50));
  all.push_back(of({12}));
  all.push_back(of({-1e300, 0, 0.1, 5e-324}));
  all.push_back(of(draw(40, 61, lognormal), 8, 100));
  all.push_back(of(Values(100, 7)));
  Values many;
  for (int i = -20; i <= 60; ++i) many.push_back(i * 5);
  all.push_back(of(many));
  many.insert(many.end(), 9000, 3);
  many.push_back(1e30);
  all.push_back(of(many, 4, 40));
  all.push_back(of(draw(70, 67, anything)));
  all.push_back(of(draw(70, 67, pareto), 0));
  // Counters of every width, near and far apart.
  for (const double step : {1.01, 1.2, 30.0}) {
    Histogram wide = of(draw(70, 73, lognormal));
    for (int bits = 0; bits < 62; ++bits) {
      wide.add(std::pow(step, bits), std::uint64_t{1} << bits);
      wide.add(-std::pow(step, bits), (std::uint64_t{1} << bits) - 1);
    }
    all.push_back(std::move(wide));
  }
  return all;
}

TEST(Histogram, ReadsWhatItWrote) {
  for (const Histogram& histogram : samples()) {
    const Histogram again = read(bytes_of(histogram));
    EXPECT_EQ(again, histogram);
    EXPECT_EQ(hex_of(again), hex_of(histogram));
    EXPECT_EQ(again.sum(), histogram.sum());
    EXPECT_EQ(again.percentile(0.5), histogram.percentile(0.5));
  }
}

// Counts what is asked of it and refuses to give more than a limit.
class Meter : public std::pmr::memory_resource {
 public:
  std::size_t total = 0;

 private:
  void* do_allocate(std::size_t bytes, std::size_t alignment) override {
    total += bytes;
    return std::pmr::new_delete_resource()->allocate(bytes, alignment);
  }
  void do_deallocate(void* at, std::size_t bytes, std::size_t alignment) override {
    std::pmr::new_delete_resource()->deallocate(at, bytes, alignment);
  }
  bool do_is_equal(const memory_resource& other) const noexcept override { return this == &other; }
};

// Merged from bytes or read first: the same result or refusal.
void expect_merged_as_read(const Bytes& bytes, const Histogram* read) {
  for (const Values& values : {Values{}, Values{-1, 0, 2.5}, draw(100, 83, mixed)}) {
    Histogram merged = of(values);
    try {
      merged.merge_stored(bytes);
      ASSERT_NE(read, nullptr);
      Histogram expected = of(values);
      expected.merge(*read);
      EXPECT_EQ(merged, expected);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), read ? Code::kNumericOutOfRange : Code::kInvalidBinary);
    }
  }
}

void expect_error_or_canonical(const Bytes& bytes) {
  Meter meter;
  try {
    const Histogram histogram = Histogram::read(bytes, &meter);
    EXPECT_EQ(bytes_of(histogram), bytes);
    histogram.percentile(0.5);
    expect_merged_as_read(bytes, &histogram);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kInvalidBinary);
    expect_merged_as_read(bytes, nullptr);
  }
  EXPECT_LE(meter.total, 4 * 8 * 16384U);
}

TEST(Histogram, HostileBytesAreAnErrorOrCanonical) {
  for (const Histogram& histogram : samples()) {
    const Bytes valid = bytes_of(histogram);
    for (std::size_t size = 0; size < valid.size(); ++size) {
      expect_error_or_canonical(
          Bytes(valid.begin(), valid.begin() + static_cast<std::ptrdiff_t>(size)));
    }
    for (std::size_t at = 0; at < valid.size(); ++at) {
      // Every byte of short values, every bit of long ones.
      for (int flip = 1; flip < 256; flip += valid.size() < 400 ? 1 : flip) {
        Bytes bytes = valid;
        bytes[at] = static_cast<std::uint8_t>(bytes[at] ^ flip);
        expect_error_or_canonical(bytes);
      }
    }
    Bytes longer = valid;
    longer.push_back(0);
    EXPECT_THROW(read(longer), Error);
  }
}

TEST(Histogram, StaysSmall) {
  EXPECT_LE(sizeof(Histogram), 256U);
  Meter meter;
  Histogram histogram(&meter);
  EXPECT_EQ(meter.total, 0U);
  for (int i = 0; i < 3; ++i) histogram.add(i);
  EXPECT_LE(meter.total, 200U);
  Values values = draw(1000000, 71, [](std::mt19937_64& random) { return lognormal(random); });
  EXPECT_LE(bytes_of(of(values)).size(), 1100U);
}

TEST(Histogram, TakesAllMemoryFromItsResource) {
  std::pmr::memory_resource* before =
      std::pmr::set_default_resource(std::pmr::null_memory_resource());
  {
    Meter meter;
    Histogram one(&meter);
    Histogram two(&meter, 4, 64);
    for (int i = -100; i < 200; ++i) one.add(i * 1e10);
    for (int i = 0; i < 20; ++i) two.add(1e-10 * i);
    one.merge(two);
    two.merge(one);
    Bytes bytes(&meter);
    two.write(bytes);
    const Histogram again = Histogram::read(bytes, &meter);
    const Histogram copy(again, &meter);
    EXPECT_EQ(copy, two);
    EXPECT_EQ(copy.sum(), two.sum());
  }
  std::pmr::set_default_resource(before);
}

}  // namespace
}  // namespace vigil
