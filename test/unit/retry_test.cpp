#include "core/retry.hpp"

#include <gtest/gtest.h>

#include <cstdio>
#include <ctime>
#include <limits>
#include <string>
#include <vector>

namespace vigil {
namespace {

constexpr std::uint32_t kMost = std::numeric_limits<std::uint32_t>::max();
constexpr std::int64_t kThen = 784'111'777;  // Sun, 06 Nov 1994 08:49:37 GMT

TEST(RetryDelay, IsTheStandardSchedule) {
  const std::vector<std::int64_t> seconds = {0,     5,     300,   1800,  7200,
                                             18000, 36000, 50400, 72000, 86400};
  for (int attempt = 0; attempt < 10; ++attempt) {
    const std::int64_t base = seconds[static_cast<std::size_t>(attempt)] * 1000;
    EXPECT_EQ(retry_delay_ms(attempt, 0x80000000U), base) << attempt;
    EXPECT_EQ(retry_delay_ms(attempt, 0), base / 10 * 8) << attempt;
    const std::int64_t longest = retry_delay_ms(attempt, kMost).value_or(-1);
    EXPECT_LE(longest, base / 10 * 12) << attempt;
    EXPECT_GE(longest, base / 10 * 12 - 1) << attempt;
  }
}

TEST(RetryDelay, EndsAfterTheLastAttempt) {
  EXPECT_FALSE(retry_delay_ms(10, 0));
  EXPECT_FALSE(retry_delay_ms(-1, 0));
  EXPECT_FALSE(retry_delay_ms(std::numeric_limits<int>::max(), kMost));
  EXPECT_FALSE(retry_delay_ms(3, 0, 3));
  EXPECT_TRUE(retry_delay_ms(2, 0, 3));
  EXPECT_FALSE(retry_delay_ms(0, 0, 0));
  EXPECT_FALSE(retry_delay_ms(10, 0, 99));
}

TEST(RetryDelay, GrowsWithTheRandomNumber) {
  std::int64_t last = -1;
  for (std::uint64_t random = 0; random <= kMost; random += 0x01000000) {
    const auto delay = retry_delay_ms(9, static_cast<std::uint32_t>(random));
    ASSERT_TRUE(delay);
    EXPECT_GT(*delay, last);
    last = *delay;
  }
}

TEST(RetryAfter, Seconds) {
  EXPECT_EQ(parse_retry_after("0", kThen), 0);
  EXPECT_EQ(parse_retry_after("120", kThen), 120);
  EXPECT_EQ(parse_retry_after(" 120 \r\n", kThen), 120);
  EXPECT_EQ(parse_retry_after("86401", kThen), 86400);
  EXPECT_EQ(parse_retry_after(std::string(1000, '9'), kThen), 86400);
}

TEST(RetryAfter, ThreeFormsOfDates) {
  for (const std::string_view text :
       {"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994"}) {
    EXPECT_EQ(parse_retry_after(text, kThen), 0) << text;
    EXPECT_EQ(parse_retry_after(text, kThen - 90), 90) << text;
    EXPECT_EQ(parse_retry_after(text, kThen + 90), 0) << text;
    EXPECT_EQ(parse_retry_after(text, kThen - 100'000), 86400) << text;
  }
  EXPECT_EQ(parse_retry_after("Wed Nov 16 08:49:37 1994", kThen + 864'000 - 5), 5);
  EXPECT_EQ(parse_retry_after("Sat, 31 Dec 2016 23:59:60 GMT", 1'483'228'799), 1);
}

TEST(RetryAfter, YearsOfTwoDigitsAreNear) {
  constexpr std::int64_t in_2026 = 1'795'169'730;
  EXPECT_EQ(parse_retry_after("Friday, 20-Nov-26 10:15:31 GMT", in_2026), 1);
  EXPECT_EQ(parse_retry_after("Friday, 20-Nov-76 10:15:31 GMT", in_2026), 86400);
  EXPECT_EQ(parse_retry_after("Friday, 20-Nov-77 10:15:31 GMT", in_2026), 0);
}

TEST(RetryAfter, MalformedValues) {
  for (const std::string_view text : {"",
                                      " ",
                                      "-1",
                                      "+1",
                                      "1.5",
                                      "1 2",
                                      "0x10",
                                      "soon",
                                      "Sun, 06 Nov 1994 08:49:37",
                                      "Sun, 06 Nov 1994 08:49:37 CET",
                                      "Sun, 06 Nvo 1994 08:49:37 GMT",
                                      "Sun, 31 Feb 1994 08:49:37 GMT",
                                      "Sun, 06 Nov 1994 24:49:37 GMT",
                                      "Sun, 06 Nov 1994 08:60:37 GMT",
                                      "Sun, 06 Nov 1994 08:49:61 GMT",
                                      "Sun, 6 Nov 1994 08:49:37 GMT",
                                      "Sun, 00 Nov 1994 08:49:37 GMT",
                                      "Sun Nov    08:49:37 1994",
                                      "1994-11-06T08:49:37Z",
                                      ","}) {
    EXPECT_FALSE(parse_retry_after(text, kThen)) << text;
  }
}

TEST(RetryAfter, EveryTruncationIsMalformed) {
  for (const std::string_view text :
       {"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994"}) {
    for (std::size_t size = 0; size < text.size(); ++size) {
      EXPECT_FALSE(parse_retry_after(text.substr(0, size), kThen)) << text << size;
    }
  }
}

TEST(RetryAfter, ExtremeClocks) {
  constexpr std::string_view date = "Sun, 06 Nov 1994 08:49:37 GMT";
  constexpr std::string_view old = "Sunday, 06-Nov-94 08:49:37 GMT";
  EXPECT_EQ(parse_retry_after(date, std::numeric_limits<std::int64_t>::min()), 86400);
  EXPECT_EQ(parse_retry_after(date, std::numeric_limits<std::int64_t>::max()), 0);
  EXPECT_EQ(parse_retry_after(old, std::numeric_limits<std::int64_t>::min()), 86400);
  EXPECT_EQ(parse_retry_after(old, std::numeric_limits<std::int64_t>::max()), 0);
}

TEST(RetryAfter, AgreesWithTheCalendarOfTheSystem) {
  for (std::int64_t second = 0; second < 4'102'444'800; second += 8'639'987) {
    const std::time_t time = second;
    std::tm parts{};
    gmtime_r(&time, &parts);
    char text[64];
    std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &parts);
    ASSERT_EQ(parse_retry_after(text, second - 7), 7) << text;
    std::strftime(text, sizeof text, "%a %b %e %H:%M:%S %Y", &parts);
    ASSERT_EQ(parse_retry_after(text, second - 7), 7) << text;
  }
}

TEST(JudgeStatus, EveryStatus) {
  for (int status = 0; status < 700; ++status) {
    Verdict expected = Verdict::kPermanent;
    if (status < 200 || (status >= 500 && status < 600)) expected = Verdict::kRetry;
    if (status >= 200 && status < 300) expected = Verdict::kDelivered;
    if (status == 408 || status == 425 || status == 429) expected = Verdict::kRetry;
    if (status == 410) expected = Verdict::kGone;
    EXPECT_EQ(judge_status(status), expected) << status;
  }
  EXPECT_EQ(judge_status(-1), Verdict::kRetry);
  EXPECT_EQ(judge_status(std::numeric_limits<int>::max()), Verdict::kPermanent);
}

}  // namespace
}  // namespace vigil
