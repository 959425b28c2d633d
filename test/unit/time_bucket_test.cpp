// Buckets of time against plain searches, and by clocks that are set forward and back.
#include "core/time_bucket.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <limits>
#include <random>
#include <vector>

#include "core/error.hpp"

namespace vigil {
namespace {

using namespace std::chrono;

constexpr std::int64_t kSecond = 1'000'000;
constexpr std::int64_t kMinute = 60 * kSecond;
constexpr std::int64_t kHour = 60 * kMinute;
constexpr std::int64_t kEnd = 9'223'371'331'200'000'000;  // 294277-01-01
constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();

std::int64_t at(int year, unsigned month, unsigned day_of_month, std::int64_t rest = 0) {
  const sys_days date{std::chrono::year{year} / static_cast<int>(month) /
                      static_cast<int>(day_of_month)};
  return (date - sys_days{std::chrono::year{2000} / 1 / 1}).count() * kDay + rest;
}

TimeBucket months(std::int32_t count) { return {count, 0, 0}; }
TimeBucket days(std::int32_t count) { return {0, count, 0}; }
TimeBucket micros(std::int64_t count) { return {0, 0, count}; }

Code code_of(auto&& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.code();
  }
  return Code::kInternal;
}

TEST(TimeBucket, FloorsAlsoBeforeTheOrigin) {
  EXPECT_EQ(micros(kHour).start(at(2026, 1, 2, 5 * kHour + 1)), at(2026, 1, 2, 5 * kHour));
  EXPECT_EQ(micros(kHour).start(at(2026, 1, 2, 5 * kHour)), at(2026, 1, 2, 5 * kHour));
  EXPECT_EQ(micros(kHour).start(at(2026, 1, 2, 5 * kHour - 1)), at(2026, 1, 2, 4 * kHour));
  EXPECT_EQ(micros(kHour).start(at(1999, 12, 31, 23 * kHour + 1)), at(1999, 12, 31, 23 * kHour));
  EXPECT_EQ(micros(kHour).start(-1), -kHour);
  EXPECT_EQ(days(1).start(at(1969, 12, 31, 1)), at(1969, 12, 31));
  EXPECT_EQ(days(1).start(at(1970, 1, 1) - 1), at(1969, 12, 31));
  EXPECT_EQ(micros(1).start(-7), -7);
  EXPECT_EQ(micros(10).start(-7, 3), -7);
  EXPECT_EQ(micros(10).start(-8, 3), -17);
}

TEST(TimeBucket, WeeksBeginOnMondayAndMonthsOnTheFirst) {
  EXPECT_EQ(days(7).start(at(2026, 11, 20, kHour)), at(2026, 11, 16));
  EXPECT_EQ(days(7).start(at(1969, 7, 20)), at(1969, 7, 14));
  EXPECT_EQ(months(1).start(at(2026, 11, 20, kHour)), at(2026, 11, 1));
  EXPECT_EQ(months(3).start(at(2026, 12, 31)), at(2026, 10, 1));
  EXPECT_EQ(months(3).start(at(1969, 12, 31)), at(1969, 10, 1));
  EXPECT_EQ(months(12).start(at(1600, 2, 29)), at(1600, 1, 1));
  EXPECT_EQ(months(1200).start(at(1999, 2, 28)), at(1900, 1, 1));
  EXPECT_EQ(months(5).start(at(2000, 1, 1) - 1), at(1999, 8, 1));
}

TEST(TimeBucket, MonthsOfAnOriginLateInTheMonth) {
  const std::int64_t origin = at(2024, 1, 31, 6 * kHour);
  EXPECT_EQ(months(1).start(at(2024, 2, 29, 6 * kHour), origin), at(2024, 2, 29, 6 * kHour));
  EXPECT_EQ(months(1).start(at(2024, 2, 29, 6 * kHour) - 1, origin), origin);
  EXPECT_EQ(months(1).start(at(2025, 3, 30), origin), at(2025, 2, 28, 6 * kHour));
  EXPECT_EQ(months(1).start(at(2023, 12, 31), origin), at(2023, 11, 30, 6 * kHour));
  EXPECT_EQ(months(6).start(at(1999, 12, 31), origin), at(1999, 7, 31, 6 * kHour));
}

// The beginning of the bucket is the greatest origin + n * width at or before the time.
TEST(TimeBucket, IsTheBucketThatHoldsTheTime) {
  std::mt19937_64 random(1);
  const auto any_time = [&] {
    const auto wide = static_cast<std::int64_t>(random() % (std::uint64_t{1} << 58));
    return (wide >> (random() % 58)) * (random() % 2 == 0 ? 1 : -1) / 2;
  };
  for (int i = 0; i < 200000; ++i) {
    const std::int64_t time = any_time();
    const std::int64_t origin = any_time();
    const std::int64_t width = 1 + std::abs(any_time()) / 4;
    if (time < kFirstTime + width) continue;
    const std::int64_t start = micros(width).start(time, origin);
    ASSERT_LE(start, time);
    ASSERT_GT(start, time - width);
    ASSERT_EQ((start - origin) % width, 0);
  }
}

TEST(TimeBucket, MonthsAgreeWithTheCalendar) {
  std::mt19937_64 random(2);
  for (int i = 0; i < 100000; ++i) {
    const auto day_number = static_cast<std::int64_t>(random() % 4'000'000) - 2'000'000;
    const std::int64_t time = day_number * kDay + static_cast<std::int64_t>(random() % kDay);
    const year_month_day date{sys_days{std::chrono::year{2000} / 1 / 1} +
                              std::chrono::days(day_number)};
    const auto width = static_cast<std::int32_t>(1 + random() % 40);
    int month = (static_cast<int>(date.year()) - 2000) * 12 +
                static_cast<int>(static_cast<unsigned>(date.month())) - 1;
    month -= (month % width + width) % width;
    const int year = 2000 + (month - (month % 12 + 12) % 12) / 12;
    ASSERT_EQ(months(width).start(time),
              at(year, static_cast<unsigned>((month % 12 + 12) % 12 + 1), 1));
  }
}

TEST(TimeBucket, TakesTheWholeRangeOfTime) {
  EXPECT_EQ(micros(1).start(kFirstTime), kFirstTime);
  EXPECT_EQ(days(1).start(kFirstTime), kFirstTime);
  EXPECT_EQ(days(1).start(kEnd - 1), kEnd - kDay);
  EXPECT_EQ(months(1).start(kEnd - 1), kEnd - 31 * kDay);
  EXPECT_EQ(months(1).start(kEnd - 1, kEnd - 1), kEnd - 1);
  EXPECT_EQ(micros(kMax).start(kEnd - 1, kFirstTime), kMax + kFirstTime);
  EXPECT_EQ(micros(kMax).start(-1, kEnd - 1), kEnd - 1 - kMax);
  EXPECT_EQ(months(std::numeric_limits<std::int32_t>::max()).start(5), 0);
  EXPECT_EQ(months(1).start(kFirstTime + 7 * kDay), kFirstTime + 7 * kDay);  // -4713-12-01
}

TEST(TimeBucket, RefusesWhatIsOutOfRange) {
  const auto start = [](const TimeBucket& width, std::int64_t time, std::int64_t origin) {
    return code_of([&] { (void)width.start(time, origin); });
  };
  const std::int32_t many = std::numeric_limits<std::int32_t>::max();
  EXPECT_EQ(start(months(1), kFirstTime, 0), Code::kTimestampOutOfRange);
  EXPECT_EQ(start(months(many), -1, 0), Code::kTimestampOutOfRange);
  EXPECT_EQ(start(days(7), kFirstTime + 1, kFirstTime + 2), Code::kTimestampOutOfRange);
  EXPECT_EQ(start(micros(kMax), -1, 0), Code::kTimestampOutOfRange);
  EXPECT_EQ(start(micros(kMax), kFirstTime, kEnd - 1), Code::kTimestampOutOfRange);
  EXPECT_EQ(code_of([&] { days(many); }), Code::kTimestampOutOfRange);
  EXPECT_EQ(code_of([&] { days(-many); }), Code::kTimestampOutOfRange);
  EXPECT_EQ(code_of([&] { TimeBucket(0, 1, kMax); }), Code::kTimestampOutOfRange);
}

TEST(TimeBucket, RefusesAWidthThatIsNone) {
  const std::int32_t least = std::numeric_limits<std::int32_t>::min();
  const std::int32_t many = std::numeric_limits<std::int32_t>::max();
  for (const auto& [month, day, rest] : {std::tuple{0, 0, std::int64_t{0}},
                                         {0, 0, std::int64_t{-1}},
                                         {0, -1, std::int64_t{0}},
                                         {0, -1, kDay},
                                         {-1, 0, std::int64_t{0}},
                                         {1, 1, std::int64_t{0}},
                                         {1, 0, std::int64_t{1}},
                                         {1, -30, std::int64_t{0}},
                                         {-1, 60, std::int64_t{0}},
                                         {least, 0, std::int64_t{0}},
                                         {many, many, kMax}}) {
    EXPECT_EQ(code_of([&] { TimeBucket(month, day, rest); }), Code::kInvalidArgument)
        << month << " " << day << " " << rest;
  }
  EXPECT_EQ(TimeBucket(0, 1, -kHour).start(at(2000, 1, 3, 24 * kHour)), at(2000, 1, 3, 23 * kHour));
}

// Clocks that are one amount ahead until the first change, then what each change says.
class Clock final : public ZoneClock {
 public:
  struct Change {
    std::int64_t time;
    std::int64_t ahead;
  };
  Clock(std::int64_t ahead, std::vector<Change> changes)
      : ahead_(ahead), changes_(std::move(changes)) {}

  ZoneSpan span(std::int64_t time) const override {
    ZoneSpan result{ahead_, kMax};
    for (const Change& change : changes_) {
      if (change.time > time) return {result.ahead, change.time};
      result.ahead = change.ahead;
    }
    return result;
  }
  std::int64_t shown(std::int64_t time) const { return time + ahead(time); }

 private:
  std::int64_t ahead_;
  std::vector<Change> changes_;
};

// Berlin in 2026: 02:00 became 03:00 on 29 March, and 03:00 became 02:00 on 25 October.
Clock berlin() {
  return {kHour, {{at(2026, 3, 29, kHour), 2 * kHour}, {at(2026, 10, 25, kHour), kHour}}};
}

TEST(TimeBucket, DaysOfAZoneHave23To25Hours) {
  const Clock clock = berlin();
  EXPECT_EQ(days(1).start(at(2026, 7, 1, 21 * kHour), clock), at(2026, 6, 30, 22 * kHour));
  EXPECT_EQ(days(1).start(at(2026, 3, 29, 21 * kHour), clock), at(2026, 3, 28, 23 * kHour));
  EXPECT_EQ(days(1).start(at(2026, 3, 29, 22 * kHour), clock), at(2026, 3, 29, 22 * kHour));
  EXPECT_EQ(days(1).start(at(2026, 10, 25, 22 * kHour), clock), at(2026, 10, 24, 22 * kHour));
  EXPECT_EQ(days(1).start(at(2026, 10, 25, 23 * kHour), clock), at(2026, 10, 25, 23 * kHour));
  EXPECT_EQ(days(7).start(at(2026, 3, 29, 21 * kHour), clock), at(2026, 3, 22, 23 * kHour));
  EXPECT_EQ(months(1).start(at(2026, 3, 31, 21 * kHour), clock), at(2026, 2, 28, 23 * kHour));
  EXPECT_EQ(months(1).start(at(2026, 4, 30, 21 * kHour), clock), at(2026, 3, 31, 22 * kHour));
}

TEST(TimeBucket, AnHourThatComesTwiceIsTwoBuckets) {
  const Clock clock = berlin();
  for (const int minute : {0, 30, 59}) {
    EXPECT_EQ(micros(kHour).start(at(2026, 10, 25, minute * kMinute), clock), at(2026, 10, 25));
    EXPECT_EQ(micros(kHour).start(at(2026, 10, 25, kHour + minute * kMinute), clock),
              at(2026, 10, 25, kHour));
  }
  EXPECT_EQ(micros(6 * kHour).start(at(2026, 10, 25, 3 * kHour), clock),
            at(2026, 10, 24, 22 * kHour));
}

TEST(TimeBucket, AnHourThatNeverComesBeginsNothing) {
  const Clock clock = berlin();
  EXPECT_EQ(micros(2 * kHour).start(at(2026, 3, 29, kHour + kMinute), clock),
            at(2026, 3, 29, kHour));
  EXPECT_EQ(micros(kHour / 2).start(at(2026, 3, 29, kHour - 1), clock), at(2026, 3, 29, kHour / 2));
  // Midnight was skipped.
  const Clock other(-5 * kHour, {{at(2026, 3, 8, 5 * kHour), -4 * kHour}});
  EXPECT_EQ(days(1).start(at(2026, 3, 8, 20 * kHour), other), at(2026, 3, 8, 5 * kHour));
  EXPECT_EQ(days(1).start(at(2026, 3, 8, 5 * kHour) - 1, other), at(2026, 3, 7, 5 * kHour));
  // 03:00 lies within what was skipped.
  EXPECT_EQ(micros(90 * kMinute)
                .start(at(2026, 3, 29, kHour + kMinute),
                       Clock(kHour + kMinute, {{at(2026, 3, 29, kHour), 3 * kHour}})),
            at(2026, 3, 29, kHour));
}

TEST(TimeBucket, ADayWhoseMidnightComesTwiceIsOne) {
  // Havana: at 01:00 the clocks went back to 00:00.
  const Clock clock(-4 * kHour, {{at(2026, 11, 1, 5 * kHour), -5 * kHour}});
  for (const std::int64_t hour : {4, 5, 12, 28}) {
    EXPECT_EQ(days(1).start(at(2026, 11, 1, hour * kHour), clock), at(2026, 11, 1, 4 * kHour));
  }
  EXPECT_EQ(months(1).start(at(2026, 11, 20), clock), at(2026, 11, 1, 4 * kHour));
  EXPECT_EQ(micros(kHour).start(at(2026, 11, 1, 5 * kHour), clock), at(2026, 11, 1, 5 * kHour));
}

TEST(TimeBucket, ClocksMayShowTimesBeforeTheFirst) {
  const Clock behind(-7 * kDay + kHour, {});
  EXPECT_EQ(micros(kHour).start(kFirstTime, behind), kFirstTime);
  EXPECT_EQ(days(1).start(kFirstTime + kHour, Clock(-7 * kDay, {})), kFirstTime);
  for (const TimeBucket& width : {days(1), micros(kMax), months(1), days(106751991)}) {
    EXPECT_EQ(code_of([&] { (void)width.start(kFirstTime, behind); }), Code::kTimestampOutOfRange);
  }
  const Clock ahead(7 * kDay - kHour, {});
  EXPECT_EQ(days(1).start(kEnd - 1, ahead), kEnd - kDay + kHour);
}

// By any clocks a bucket begins in itself, at or before the time, when they show a beginning or are
// set; short ones that divide all that is skipped or repeated follow each other.
TEST(TimeBucket, BucketsOfAnyZone) {
  std::mt19937_64 random(3);
  for (int round = 0; round < 200; ++round) {
    std::int64_t ahead = static_cast<std::int64_t>(random() % 104) * 15 * kMinute - 12 * kHour;
    const std::int64_t first = ahead;
    std::int64_t change = at(2026, 1, 1);
    std::vector<Clock::Change> changes;
    for (int i = 0; i < 4; ++i) {
      change += 20 * kDay + static_cast<std::int64_t>(random() % 4000) * 15 * kMinute;
      ahead += (static_cast<std::int64_t>(random() % 9) - 4) * 30 * kMinute;
      changes.push_back({change, ahead});
    }
    const Clock clock(first, changes);
    const std::array widths = {micros(15 * kMinute),
                               micros(25 * kMinute),
                               micros(kHour),
                               micros(4 * kHour),
                               days(1),
                               days(7),
                               TimeBucket(0, 1, kHour),
                               months(1)};
    const std::size_t which = random() % widths.size();
    const TimeBucket& width = widths[which];
    std::int64_t last = std::numeric_limits<std::int64_t>::min();
    for (std::int64_t time = at(2025, 12, 20); time < change + 3 * kDay; time += 5 * kMinute) {
      const std::int64_t start = width.start(time, clock);
      ASSERT_LE(start, time);
      if (which == 0) {
        ASSERT_GE(start, last);
        ASSERT_GT(start, time - 15 * kMinute);
      }
      if (start == last) continue;
      last = start;
      ASSERT_EQ(width.start(start, clock), start);
      ASSERT_TRUE(width.start(clock.shown(start)) == clock.shown(start) ||
                  std::ranges::count(changes, start, &Clock::Change::time) == 1);
    }
  }
}

}  // namespace
}  // namespace vigil
