// Counters against what Prometheus computes, against plain code, and their bytes.
#include "core/counter.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "core/murmur3.hpp"

namespace vigil {
namespace {

using Samples = std::vector<Counter::Sample>;

constexpr std::int64_t kSecond = 1000000;
constexpr double kMax = std::numeric_limits<double>::max();

std::pmr::memory_resource* heap() { return std::pmr::get_default_resource(); }

Counter of(const Samples& samples) {
  Counter counter(heap());
  for (const Counter::Sample& sample : samples) counter.add(sample.time, sample.value);
  return counter;
}

Counter::Range seconds(std::int64_t from, std::int64_t to) {
  return {from * kSecond, to * kSecond};
}

// Values every 15 seconds from 0 on; NaN stands for one that is missing.
Counter every_15_seconds(const std::vector<double>& values) {
  Counter counter(heap());
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!std::isnan(values[i])) {
      counter.add(static_cast<std::int64_t>(i) * 15 * kSecond, values[i]);
    }
  }
  return counter;
}

Bytes bytes_of(const Counter& counter) {
  Bytes bytes;
  counter.write(bytes);
  return bytes;
}

std::string hex_of(const Counter& counter) {
  std::string text;
  for (const std::uint8_t byte : bytes_of(counter)) {
    text += "0123456789abcdef"[byte >> 4];
    text += "0123456789abcdef"[byte & 15];
  }
  return text;
}

Bytes from_hex(std::string_view text) {
  Bytes bytes;
  for (std::size_t i = 0; i + 1 < text.size(); i += 2) {
    bytes.push_back(
        static_cast<std::uint8_t>(std::stoi(std::string(text.substr(i, 2)), nullptr, 16)));
  }
  return bytes;
}

Counter read(const Bytes& bytes) { return Counter::read(bytes, heap()); }

// Scrapes with jitter, gaps and resets.
Samples scrapes(std::size_t count, bool whole, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  Samples samples;
  std::int64_t time = 700000000 * kSecond;
  double value = 0;
  for (std::size_t i = 0; i < count; ++i) {
    time += 15 * kSecond + static_cast<std::int64_t>(random() % 5) * 1000;
    if (random() % 20 == 0) time += 60 * kSecond;
    value += whole ? static_cast<double>(random() % 100) : static_cast<double>(random() % 1000) / 7;
    if (random() % 50 == 0) value = 0;
    samples.push_back({time, value});
  }
  return samples;
}

void expect_value(const std::optional<double>& value, double expected) {
  ASSERT_EQ(value.has_value(), !std::isnan(expected));
  if (value) {
    EXPECT_NEAR(*value, expected, std::fabs(expected) * 1e-14);
  }
}

// Computed by `promtool test rules` of Prometheus 2.42. No range begins at a sample, where versions
// before 3 include it.
TEST(Counter, AgreesWithPrometheus) {
  const double none = std::nan("");
  std::array<Counter, 3> counters = {
      every_15_seconds({5, 10, 18, none, 3, 9, 20, 20, none, 31, 40, 2, 8.5, 11}),
      every_15_seconds({none, none, none, none, 100, 120, 140, 160, 180, 200}),
      every_15_seconds({-5, -1, 4, 7, 7, 12})};
  struct Case {
    std::size_t counter;
    std::int64_t from;
    std::int64_t to;
    double increase, rate, idelta, irate;
    std::uint64_t resets;
  };
  const std::array cases = {
      Case{0, 10, 200, 62.27777777777778, 0.3277777777777778, 2.5, 0.16666666666666666, 2},
      Case{0, 100, 200, 34.44444444444444, 0.34444444444444444, 2.5, 0.16666666666666666, 1},
      Case{0, 66, 127, 17.05, 0.2795081967213115, 0, 0, 0},
      Case{0, 10, 290, 63.58888888888889, 0.2271031746031746, 2.5, 0.16666666666666666, 2},
      Case{0, 16, 62, 4.6000000000000005, 0.1, -15, 0.1, 1},
      Case{0, 29, 52, none, none, none, none, 0},
      Case{1, 10, 140, 116.66666666666667, 0.8974358974358976, 20, 1.3333333333333333, 0},
      Case{1, 90, 140, 66.66666666666667, 1.3333333333333335, 20, 1.3333333333333333, 0},
      Case{1, 7, 152, 120, 0.8275862068965517, 20, 1.3333333333333333, 0},
      Case{1, 67, 98, 41.333333333333336, 1.3333333333333335, 20, 1.3333333333333333, 0},
      Case{2, -1, 80, 18.36, 0.22666666666666668, 5, 0.3333333333333333, 0},
      Case{2, 16, 77, 10.844444444444445, 0.17777777777777778, 5, 0.3333333333333333, 0},
      Case{2, 9, 20, none, none, none, none, 0},
      Case{2, -1, 8, none, none, none, none, 0},
  };
  for (const Case& expected : cases) {
    const Counter& counter = counters[expected.counter];
    const Counter::Range range = seconds(expected.from, expected.to);
    SCOPED_TRACE(std::to_string(expected.counter) + " from " + std::to_string(expected.from));
    expect_value(counter.increase(range), expected.increase);
    expect_value(counter.rate(range), expected.rate);
    expect_value(counter.idelta(range), expected.idelta);
    expect_value(counter.irate(range), expected.irate);
    EXPECT_EQ(counter.resets(range), expected.resets);
  }
}

// Where Prometheus 3 differs from 2.42: by the formula of doc/counter.md.
TEST(Counter, FollowsPrometheusThree) {
  const Counter counter = every_15_seconds({10, 20, 30, 40, 50});
  // The sample at the beginning of a range lies outside.
  EXPECT_EQ(counter.increase(seconds(15, 60)), 20.0 * 45 / 30);
  EXPECT_EQ(counter.resets(seconds(60, 75)), std::nullopt);
  EXPECT_EQ(counter.resets(seconds(45, 60)), 0U);
  // A range that begins long before the series: half a distance, unless zero comes before that.
  EXPECT_EQ(counter.increase(seconds(-100, 60)), 40.0 * (60 + 7.5) / 60);
  EXPECT_EQ(every_15_seconds({4, 20, 30, 44}).increase(seconds(-100, 45)), 40.0 * (45 + 4.5) / 45);
}

TEST(Counter, WithoutARangeNothingIsExtrapolated) {
  const Counter counter = every_15_seconds({5, 10, 3, 9, 20});
  EXPECT_EQ(counter.increase(), 25);
  EXPECT_EQ(counter.rate(), 25.0 / 60);
  EXPECT_EQ(counter.idelta(), 11);
  EXPECT_EQ(counter.irate(), 11.0 / 15);
  EXPECT_EQ(counter.resets(), 1U);
  EXPECT_EQ(counter.increase({.from = 20 * kSecond, .to = {}}), 17.0 * (30 + 30 * (3 / 17.0)) / 30);
  EXPECT_EQ(counter.increase({.from = {}, .to = 40 * kSecond}), 8.0 * (30 + 10) / 30);
}

TEST(Counter, NeedsTwoSamples) {
  for (const Counter& counter : {of({}), of({{5, 7}}), of({{5, 7}, {5, 7}})}) {
    EXPECT_EQ(counter.increase(), std::nullopt);
    EXPECT_EQ(counter.rate(), std::nullopt);
    EXPECT_EQ(counter.idelta(), std::nullopt);
    EXPECT_EQ(counter.irate(), std::nullopt);
  }
  EXPECT_EQ(of({}).resets(), std::nullopt);
  EXPECT_EQ(of({{5, 7}}).resets(), 0U);
}

TEST(Counter, RefusesWhatIsOutOfRange) {
  Counter counter = of({{1, 1}, {2, 2}});
  for (const double value : {std::numeric_limits<double>::infinity(),
                             -std::numeric_limits<double>::infinity(), std::nan("")}) {
    EXPECT_THROW(counter.add(3, value), Error);
  }
  EXPECT_EQ(counter.samples().size(), 2U);
  EXPECT_THROW((void)counter.increase({.from = 2, .to = 2}), Error);
  EXPECT_THROW((void)counter.resets({.from = 3, .to = 2}), Error);
  const Counter wide = of({{1, -kMax}, {2, kMax}});
  EXPECT_THROW((void)wide.increase(), Error);
  EXPECT_THROW((void)wide.rate(), Error);
  EXPECT_THROW((void)wide.idelta(), Error);
  EXPECT_THROW((void)wide.irate(), Error);
}

TEST(Counter, OfValuesAtOneInstantTheLargestCounts) {
  const Counter counter = of({{1, 5}, {2, 6}, {1, 9}, {2, 6}, {1, 7}});
  EXPECT_EQ(hex_of(counter), hex_of(of({{1, 9}, {2, 6}})));
}

TEST(Counter, TakesTheWholeRangeOfTime) {
  constexpr std::int64_t kFirst = std::numeric_limits<std::int64_t>::min();
  constexpr std::int64_t kLast = std::numeric_limits<std::int64_t>::max();
  const Counter counter = of({{kFirst, 1}, {0, 2}, {kLast, 4}, {kLast - 1, 3}});
  EXPECT_EQ(counter.increase(), 3);
  EXPECT_EQ(hex_of(read(bytes_of(counter))), hex_of(counter));
}

// Random samples, some repeated, in random order, parts that overlap, and trees of merging.
TEST(Counter, BytesDependOnTheSetOnly) {
  std::mt19937_64 random(1);
  for (int round = 0; round < 10000; ++round) {
    Samples samples = scrapes(random() % 100, random() % 2 == 0, random());
    const Counter whole = of(samples);
    const std::size_t different = samples.size();
    for (std::size_t i = 0; i < different; i += 3) samples.push_back(samples[i]);
    if (round % 3 != 0) std::shuffle(samples.begin(), samples.end(), random);
    std::vector<Counter> parts;
    for (std::size_t i = 0; i < 1 + random() % 6; ++i) parts.emplace_back(heap());
    for (const Counter::Sample& sample : samples) {
      parts[random() % parts.size()].add(sample.time, sample.value);
      if (random() % 50 == 0) (void)parts[random() % parts.size()].resets();
    }
    while (parts.size() > 1) {
      parts[random() % (parts.size() - 1)].merge(parts.back());
      parts.pop_back();
    }
    parts[0].merge(parts[0]);
    EXPECT_EQ(bytes_of(parts[0]), bytes_of(whole));
    EXPECT_EQ(parts[0].increase(), whole.increase());
    EXPECT_EQ(whole.samples().size(), different);
  }
}

// The increase without a range is the sum of all rises, and of what was reached after each reset.
TEST(Counter, IncreaseIsTheSumOfTheRises) {
  for (std::uint64_t seed = 0; seed < 1000; ++seed) {
    const Samples samples = scrapes(2 + seed % 100, true, seed);
    double rises = 0;
    std::uint64_t resets = 0;
    for (std::size_t i = 1; i < samples.size(); ++i) {
      const double difference = samples[i].value - samples[i - 1].value;
      rises += difference < 0 ? samples[i].value : difference;
      resets += difference < 0 ? 1U : 0U;
    }
    EXPECT_EQ(of(samples).increase(), rises);
    EXPECT_EQ(of(samples).resets(), resets);
  }
}

TEST(Counter, ReadsWhatItWrote) {
  for (const std::size_t count : {0U, 1U, 2U, 3U, 1000U}) {
    for (const bool whole : {true, false}) {
      const Samples samples = scrapes(count, whole, count);
      const Counter again = read(bytes_of(of(samples)));
      EXPECT_TRUE(std::ranges::equal(again.samples(), samples));
    }
  }
  const Samples wild = {{1, kMax},       {2, -kMax}, {3, 0},   {4, 5e-324},   {5, 0x1p53},
                        {6, 0x1p53 + 2}, {7, 0.1},   {8, 0.1}, {9, -0x1p-600}};
  EXPECT_TRUE(std::ranges::equal(read(bytes_of(of(wild))).samples(), wild));
}

TEST(Counter, IsSmall) {
  Samples samples;
  for (int i = 0; i < 5760; ++i) samples.push_back({i * 15 * kSecond, 10.0 * i});
  EXPECT_LE(bytes_of(of(samples)).size(), 5760U * 2 + 20);
  EXPECT_LE(sizeof(Counter), 48U);
}

TEST(Counter, RepeatedSamplesDoNotGrowTheState) {
  std::vector<std::byte> memory(1 << 18);
  std::pmr::monotonic_buffer_resource arena(memory.data(), memory.size(),
                                            std::pmr::null_memory_resource());
  Counter counter(&arena);
  for (int i = 0; i < 1000000; ++i) counter.add(i % 100, 5);
  EXPECT_EQ(counter.samples().size(), 100U);
}

TEST(Counter, WritesGoldenBytes) {
  EXPECT_EQ(hex_of(of({})), "1000");
  EXPECT_EQ(hex_of(of({{-1, 5}})), "1001010a");
  EXPECT_EQ(hex_of(of({{10, 100}, {20, 200}, {30, 150}})), "100314c80114c8010063");
  EXPECT_EQ(hex_of(of({{0, 0.5}, {1, 0.5}, {2, 2}})), "11030006e03f02800006e07f");
  EXPECT_EQ(hex_of(of({{0, 0.1}})),
            "110100"
            "009a9999999999b93f");
  EXPECT_EQ(murmur3_x64_128(bytes_of(of(scrapes(1000, true, 5)))).low, 11678400048016550737U);
  EXPECT_EQ(murmur3_x64_128(bytes_of(of(scrapes(1000, false, 5)))).low, 15436847842968798925U);
}

void expect_error_or_canonical(const Bytes& bytes) {
  try {
    const Counter counter = read(bytes);
    EXPECT_EQ(bytes_of(counter), bytes);
    (void)counter.resets();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kInvalidBinary);
  }
}

TEST(Counter, HostileBytesAreAnErrorOrCanonical) {
  for (const bool whole : {true, false}) {
    for (const std::size_t count : {0U, 1U, 2U, 100U}) {
      const Bytes valid = bytes_of(of(scrapes(count, whole, 3)));
      for (std::size_t size = 0; size < valid.size(); ++size) {
        EXPECT_THROW(read(Bytes(valid.begin(), valid.begin() + static_cast<std::ptrdiff_t>(size))),
                     Error);
      }
      for (std::size_t at = 0; at < valid.size(); ++at) {
        for (int flip = 1; flip < 256; flip += count < 100 ? 1 : flip) {
          Bytes bytes = valid;
          bytes[at] = static_cast<std::uint8_t>(bytes[at] ^ flip);
          expect_error_or_canonical(bytes);
        }
      }
    }
  }
}

TEST(Counter, RejectsMalformedBytes) {
  for (const char* text : {
           "",                          // nothing
           "2000",                      // version 2
           "1200",                      // no such kind
           "1100",                      // no value that is not whole
           "100000",                    // a byte follows
           "1001",                      // no sample
           "10ffffffffffffffffff01",    // 2^64 - 1 samples
           "100200000000",              // twice the same time
           "100200000100",              // descending
           "1001008180808080808020",    // beyond 2^53
           "1101000740",                // a whole number as one that is not
           "110100000000000000000840",  // bytes that are zero at an end
           "11010006f07f",              // infinity
           "1101000780",                // -0
           "11010090",                  // more zero bytes than there are
       }) {
    EXPECT_THROW(read(from_hex(text)), Error) << text;
  }
}

}  // namespace
}  // namespace vigil
