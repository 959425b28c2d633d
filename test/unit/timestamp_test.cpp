#include "core/timestamp.hpp"

#include <gtest/gtest.h>

#include <cstdio>
#include <ctime>
#include <limits>
#include <string>

namespace vigil {
namespace {

constexpr std::int64_t kMorning = 1'795'169'730'000'000;  // 2026-11-20T10:15:30Z

std::int64_t read(std::string_view text) {
  const auto time = parse_rfc3339(text);
  EXPECT_TRUE(time) << text;
  return time.value_or(std::numeric_limits<std::int64_t>::min());
}

TEST(Timestamp, ReadsRfc3339AndItsVariants) {
  for (const std::string_view text :
       {"2026-11-20T10:15:30Z", "2026-11-20t10:15:30z", "2026-11-20 10:15:30",
        "2026-11-20T10:15:30.0Z", "2026-11-20T10:15:30+00:00", "2026-11-20T10:15:30-00:00",
        "2026-11-20T12:15:30+02:00", "2026-11-20T12:15:30+0200", "2026-11-20T12:15:30+02",
        "2026-11-20 04:45:30-05:30", "2026-11-21T10:14:30+23:59", "2026-11-20T10:15:30,000"}) {
    EXPECT_EQ(read(text), kMorning) << text;
  }
  EXPECT_EQ(read("2026-11-20T10:15Z"), kMorning - 30'000'000);
  EXPECT_EQ(read("2026-11-20 12:15+02"), kMorning - 30'000'000);
  EXPECT_EQ(read("1970-01-01T00:00:00Z"), 0);
  EXPECT_EQ(read("0001-01-01T00:00:00Z"), -62'135'596'800'000'000);
  EXPECT_EQ(read("9999-12-31T23:59:59.999999Z"), 253'402'300'799'999'999);
}

TEST(Timestamp, FractionsAreCutAtTheMicrosecond) {
  EXPECT_EQ(read("1970-01-01T00:00:00.1Z"), 100'000);
  EXPECT_EQ(read("1970-01-01T00:00:00.123Z"), 123'000);
  EXPECT_EQ(read("1970-01-01T00:00:00.123456Z"), 123'456);
  EXPECT_EQ(read("1970-01-01T00:00:00.123456999Z"), 123'456);
  EXPECT_EQ(read("1969-12-31T23:59:59.999999999Z"), -1);
  EXPECT_EQ(read("1970-01-01T00:00:00.000001+01:00"), -3'599'999'999);
}

TEST(Timestamp, LeapSecondIsTheNextSecond) {
  EXPECT_EQ(read("2016-12-31T23:59:60Z"), read("2017-01-01T00:00:00Z"));
  EXPECT_EQ(read("2016-12-31T23:59:60.5Z"), read("2017-01-01T00:00:00.5Z"));
  EXPECT_FALSE(parse_rfc3339("2016-12-31T23:59:61Z"));
}

TEST(Timestamp, RefusesDaysAndTimesThatDoNotExist) {
  for (const std::string_view text :
       {"2026-02-30T00:00:00Z", "2026-02-29T00:00:00Z", "1900-02-29T00:00:00Z",
        "2026-04-31T00:00:00Z", "2026-00-01T00:00:00Z", "2026-13-01T00:00:00Z",
        "2026-01-00T00:00:00Z", "2026-01-32T00:00:00Z", "0000-01-01T00:00:00Z",
        "2026-01-01T24:00:00Z", "2026-01-01T00:60:00Z", "2026-01-01T00:00:00+24:00",
        "2026-01-01T00:00:00+00:60"}) {
    EXPECT_FALSE(parse_rfc3339(text)) << text;
  }
  EXPECT_TRUE(parse_rfc3339("2024-02-29T00:00:00Z"));
  EXPECT_TRUE(parse_rfc3339("2000-02-29T00:00:00Z"));
}

TEST(Timestamp, RefusesOtherForms) {
  for (const std::string_view text : {"",
                                      "2026-11-20",
                                      "2026-11-20T",
                                      "2026-11-20T10",
                                      "2026-11-20T10:15:",
                                      "26-11-20T10:15:30Z",
                                      "12026-11-20T10:15:30Z",
                                      "2026-11-20T10:15:30.Z",
                                      "2026-11-20T10:15:30.1234567890Z",
                                      "2026-11-20T10:15:30ZZ",
                                      "2026-11-20T10:15:30Z ",
                                      " 2026-11-20T10:15:30Z",
                                      "2026-11-20T10:15:30 Z",
                                      "2026-11-20T10:15:30+",
                                      "2026-11-20T10:15:30+2",
                                      "2026-11-20T10:15:30+02:",
                                      "2026-11-20T10:15:30+02:0",
                                      "2026-11-20T10:15:30+020",
                                      "2026/11/20T10:15:30Z",
                                      "20261120T101530Z",
                                      "2026-11-20X10:15:30Z",
                                      "-026-11-20T10:15:30Z",
                                      "2026-1-20T10:15:30Z",
                                      "2026-11-20T1:15:30Z",
                                      "2026-11-20T10:15.5Z",
                                      "now",
                                      "1700000000"}) {
    EXPECT_FALSE(parse_rfc3339(text)) << text;
  }
  EXPECT_FALSE(parse_rfc3339(std::string_view("2026-11-20T10:15:30Z\0", 21)));
}

TEST(Timestamp, EveryTruncationIsATimeOrRefused) {
  constexpr std::string_view text = "2026-11-20T10:15:30.123456+05:30";
  for (std::size_t size = 0; size < text.size(); ++size) {
    const bool whole = size == 16 || size == 19 || (size >= 21 && size <= 26) || size == 29;
    EXPECT_EQ(parse_rfc3339(text.substr(0, size)).has_value(), whole) << size;
  }
}

TEST(Timestamp, AgreesWithTheCalendarOfTheSystem) {
  for (std::int64_t second = -62'135'596'800; second < 253'402'300'800; second += 86'399'987) {
    const std::time_t time = second;
    std::tm parts{};
    gmtime_r(&time, &parts);
    char text[64];
    std::snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02dZ", parts.tm_year + 1900,
                  parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec);
    ASSERT_EQ(read(text), second * 1'000'000) << text;
  }
}

TEST(Epoch, MagnitudeTellsTheUnit) {
  constexpr std::int64_t expected = 1'700'000'000'123'000;
  EXPECT_EQ(epoch_to_micros(1'700'000'000.123), expected);
  EXPECT_EQ(epoch_to_micros(1'700'000'000'123.0), expected);
  EXPECT_EQ(epoch_to_micros(1'700'000'000'123'000.0), expected);
  EXPECT_EQ(epoch_to_micros(1'700'000'000'123'000'064.0), expected);
  EXPECT_EQ(epoch_to_micros(1'700'000'000.123456), 1'700'000'000'123'456);
}

TEST(Epoch, Boundaries) {
  EXPECT_EQ(epoch_to_micros(0.0), 0);
  EXPECT_EQ(epoch_to_micros(-0.0), 0);
  EXPECT_EQ(epoch_to_micros(5e-324), 0);
  EXPECT_EQ(epoch_to_micros(99'999'999'999.0), 99'999'999'999'000'000);
  EXPECT_EQ(epoch_to_micros(1e11), 100'000'000'000'000);
  EXPECT_EQ(epoch_to_micros(1e14), 100'000'000'000'000);
  EXPECT_EQ(epoch_to_micros(1e17), 100'000'000'000'000);
}

TEST(Epoch, RefusesWhatIsNoTime) {
  for (const double value : {-1.0, -1e-9, std::numeric_limits<double>::quiet_NaN(),
                             std::numeric_limits<double>::infinity(),
                             -std::numeric_limits<double>::infinity(), 1e21, 1e300}) {
    EXPECT_FALSE(epoch_to_micros(value)) << value;
  }
}

}  // namespace
}  // namespace vigil
