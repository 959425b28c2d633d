#include "core/cron.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <limits>
#include <random>
#include <string>

#include "core/error.hpp"

namespace vigil {
namespace {

using namespace std::chrono;

constexpr std::int64_t kMinute = 60'000'000;
constexpr std::int64_t kHour = 60 * kMinute;
constexpr std::int64_t kNone = -1;

std::int64_t at(int y, unsigned month, unsigned day, int hour = 0, int minute = 0) {
  const sys_days date = year{y} / std::chrono::month{month} / std::chrono::day{day};
  const sys_days epoch = year{2000} / 1 / 1;
  const std::int64_t days = (date - epoch).count() * std::int64_t{24};
  return (days + hour) * kHour + minute * kMinute;
}

std::int64_t next(const char* expression, std::int64_t after) {
  return Cron(expression).next(after).value_or(kNone);
}

std::string error_of(const std::string& expression) {
  try {
    Cron cron(expression);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kInvalidArgument);
    EXPECT_FALSE(error.hint().empty());
    return error.message();
  }
  return "";
}

TEST(Cron, NamesMinutes) {
  const std::int64_t noon = at(2026, 11, 20, 12);
  EXPECT_EQ(next("* * * * *", noon), noon + kMinute);
  EXPECT_EQ(next("* * * * *", noon - 1), noon);
  EXPECT_EQ(next("*/15 * * * *", noon + 1), noon + 15 * kMinute);
  EXPECT_EQ(next("5,50 * * * *", noon + 5 * kMinute), noon + 50 * kMinute);
  EXPECT_EQ(next("10-20/5 * * * *", noon + 15 * kMinute), noon + 20 * kMinute);
  EXPECT_EQ(next("10-20/5 * * * *", noon + 20 * kMinute), noon + 70 * kMinute);
  EXPECT_EQ(next("30 9-17 * * *", noon + 6 * kHour), at(2026, 11, 21, 9, 30));
  EXPECT_EQ(next("59 23 31 12 *", noon), at(2026, 12, 31, 23, 59));
  EXPECT_EQ(next("  0\t0   1 1 *\n", noon), at(2027, 1, 1));
}

TEST(Cron, NamesWithWords) {
  const std::int64_t friday = at(2026, 11, 20);
  EXPECT_EQ(next("0 0 * * Mon", friday), at(2026, 11, 23));
  EXPECT_EQ(next("0 0 * * mon-FRI", friday), at(2026, 11, 23));
  EXPECT_EQ(next("0 0 * jun-aug *", friday), at(2027, 6, 1));
  EXPECT_EQ(next("0 0 1 JAN *", friday), at(2027, 1, 1));
}

TEST(Cron, SundayIsZeroAndSeven) {
  const std::int64_t friday = at(2026, 11, 20);
  for (const char* sunday :
       {"0 0 * * 0", "0 0 * * 7", "0 0 * * sun", "0 0 * * */7", "0 0 * * sun-sun"})
    EXPECT_EQ(next(sunday, friday), at(2026, 11, 22)) << sunday;
  for (const char* weekend : {"0 0 * * 6-7", "0 0 * * 6-0", "0 0 * * sat-sun", "0 0 * * 0,6"}) {
    EXPECT_EQ(next(weekend, friday), at(2026, 11, 21)) << weekend;
    EXPECT_EQ(next(weekend, at(2026, 11, 21)), at(2026, 11, 22)) << weekend;
    EXPECT_EQ(next(weekend, at(2026, 11, 22)), at(2026, 11, 28)) << weekend;
  }
}

TEST(Cron, EitherDayIsEnoughUnlessOneBeginsWithAStar) {
  const std::int64_t begin = at(2026, 11, 20);  // a Friday
  EXPECT_EQ(next("0 0 13 * 5", begin), at(2026, 11, 27));
  EXPECT_EQ(next("0 0 13 * 5", at(2026, 12, 11)), at(2026, 12, 13));
  EXPECT_EQ(next("0 0 */13 * 5", begin), at(2026, 11, 27));
  EXPECT_EQ(next("0 0 */13 * 5", at(2026, 11, 27)), at(2027, 1, 1));
  EXPECT_EQ(next("0 0 31 2 1", begin), at(2027, 2, 1));
}

TEST(Cron, NicknamesStandForFields) {
  const std::int64_t begin = at(2026, 11, 20, 10, 15);
  EXPECT_EQ(next("@hourly", begin), at(2026, 11, 20, 11));
  EXPECT_EQ(next("@daily", begin), at(2026, 11, 21));
  EXPECT_EQ(next("@midnight", begin), at(2026, 11, 21));
  EXPECT_EQ(next(" @Weekly ", begin), at(2026, 11, 22));
  EXPECT_EQ(next("@monthly", begin), at(2026, 12, 1));
  EXPECT_EQ(next("@yearly", begin), at(2027, 1, 1));
  EXPECT_EQ(next("@annually", begin), at(2027, 1, 1));
}

TEST(Cron, LeapDays) {
  EXPECT_EQ(next("0 0 29 2 *", at(2026, 1, 1)), at(2028, 2, 29));
  EXPECT_EQ(next("0 0 29 2 *", at(2096, 3, 1)), at(2104, 2, 29));
}

TEST(Cron, EveryWeekdayHasLeapDaysAtAllTimes) {
  for (const char* cron : {"0 0 */28 2 */7", "0 0 */29 2 */6"}) {
    std::int64_t time = at(1600, 1, 1);
    while (time < at(2400, 1, 1)) {
      const std::int64_t later = next(cron, time);
      ASSERT_GT(later, time);
      time = later;
    }
  }
}

TEST(Cron, RefusesWhatNoYearHas) {
  EXPECT_EQ(error_of("0 0 31 2 *"),
            "cron expression \"0 0 31 2 *\": no month \"2\" has a day \"31\"");
  EXPECT_NE(error_of("0 0 30,31 feb *"), "");
  EXPECT_NE(error_of("0 0 31 2,4,6,9,11 */2"), "");
  EXPECT_EQ(error_of("0 0 31 2,3 *"), "");
}

TEST(Cron, TellsWhatIsWrong) {
  EXPECT_EQ(error_of("61 * * * *"), "cron expression: minute \"61\" must be a number from 0 to 59");
  EXPECT_EQ(error_of("0 24 * * *"), "cron expression: hour \"24\" must be a number from 0 to 23");
  EXPECT_EQ(error_of("0 0 0 * *"),
            "cron expression: day of month \"0\" must be a number from 1 to 31");
  EXPECT_EQ(error_of("0 0 1 foo *"),
            "cron expression: month \"foo\" must be a number from 1 to 12 or jan to dec");
  EXPECT_EQ(error_of("0 0 * * 8"),
            "cron expression: day of week \"8\" must be a number from 0 to 7 or sun to sat");
  EXPECT_EQ(error_of("0 5-3 * * *"), "cron expression: hour \"5-3\" runs backwards");
  EXPECT_EQ(error_of("0 5-0 * * *"), "cron expression: hour \"5-0\" runs backwards");
  EXPECT_EQ(error_of("5/15 * * * *"), "cron expression: minute \"5/15\" has a step but no range");
  EXPECT_EQ(error_of("*/90 * * * *"),
            "cron expression: minute \"*/90\" must have a step from 1 to 60");
  EXPECT_EQ(error_of("* * * *"), "cron expression \"* * * *\" has 4 fields, not 5");
  EXPECT_EQ(error_of("0 0 * * * *"), "cron expression \"0 0 * * * *\" has 6 fields, not 5");
  EXPECT_EQ(error_of(""), "cron expression \"\" has 0 fields, not 5");
  EXPECT_EQ(error_of("@reboot"), "cron expression \"@reboot\" is not known");
  for (const char* minute : {",",
                             "1,",
                             ",1",
                             "1,,2",
                             "-",
                             "1-",
                             "-1",
                             "1-2-3",
                             "/",
                             "*/",
                             "*/0",
                             "*/-1",
                             "*/1/2",
                             "**",
                             "*-5",
                             "1.5",
                             "+1",
                             "0x1",
                             "99999999999999999999",
                             "1-60"})
    EXPECT_NE(error_of(std::string(minute) + " * * * *"), "") << minute;
  EXPECT_EQ(error_of("00059 * * * *"), "");
  EXPECT_EQ(error_of(std::string(1001, ' ')),
            "cron expression has 1001 bytes, but at most 1000 are allowed");
}

TEST(Cron, AllOfTime) {
  EXPECT_GT(next("0 0 29 2 *", std::numeric_limits<std::int64_t>::min()), -212'000'000'000'000'000);
  EXPECT_EQ(next("* * * * *", std::numeric_limits<std::int64_t>::max()), kNone);
  EXPECT_EQ(next("* * * * *", at(10000, 1, 1)), kNone);
  EXPECT_EQ(next("* * * * *", at(10000, 1, 1) - 1), at(10000, 1, 1));
}

// --- Zones --------------------------------------------------------------------------------------

// Two hours ahead of UTC from 29 March to 25 October 2026, 01:00 UTC; else one.
class Berlin final : public ZoneClock {
 public:
  ZoneSpan span(std::int64_t time) const override {
    if (time < kForward) return {kHour, kForward};
    if (time < kBack) return {2 * kHour, kBack};
    return {kHour, std::numeric_limits<std::int64_t>::max()};
  }
  const std::int64_t kForward = vigil::at(2026, 3, 29, 1);
  const std::int64_t kBack = vigil::at(2026, 10, 25, 1);
};

const Berlin berlin;

std::int64_t local(const char* expression, std::int64_t after) {
  return Cron(expression).next(after, berlin).value_or(kNone);
}

TEST(CronZone, GoesByItsClocks) {
  EXPECT_EQ(local("0 3 * * *", at(2026, 1, 10)), at(2026, 1, 10, 2));
  EXPECT_EQ(local("0 3 * * *", at(2026, 7, 10)), at(2026, 7, 10, 1));
  EXPECT_EQ(local("0 3 1 7 *", at(2026, 1, 10)), at(2026, 7, 1, 1));
}

TEST(CronZone, SkippedTimeRunsOnceAsSoonAsTheClocksAreSet) {
  EXPECT_EQ(local("30 2 * * *", at(2026, 3, 28, 12)), berlin.kForward);
  EXPECT_EQ(local("*/10 2 * * *", at(2026, 3, 28, 12)), berlin.kForward);
  EXPECT_EQ(local("*/10 2 * * *", berlin.kForward - 1), berlin.kForward);
  EXPECT_EQ(local("*/10 2 * * *", berlin.kForward), at(2026, 3, 30, 0));
  EXPECT_EQ(local("0 3 * * *", at(2026, 3, 28, 12)), berlin.kForward);
}

TEST(CronZone, RepeatedTimeRunsAtTheFirst) {
  EXPECT_EQ(local("30 2 * * *", at(2026, 10, 24, 12)), at(2026, 10, 25, 0, 30));
  EXPECT_EQ(local("30 2 * * *", at(2026, 10, 25, 0, 30)), at(2026, 10, 26, 1, 30));
  EXPECT_EQ(local("30 2 * * *", at(2026, 10, 25, 1, 15)), at(2026, 10, 26, 1, 30));
  EXPECT_EQ(local("0 3 * * *", at(2026, 10, 25, 1, 15)), at(2026, 10, 25, 2));
}

TEST(CronZone, EveryHourGoesByTheTimeThatPasses) {
  EXPECT_EQ(local("30 * * * *", at(2026, 3, 29, 0, 30)), at(2026, 3, 29, 1, 30));
  EXPECT_EQ(local("30 * * * *", at(2026, 10, 25, 0, 30)), at(2026, 10, 25, 1, 30));
  EXPECT_EQ(local("* * * * *", at(2026, 10, 25, 0, 59)), at(2026, 10, 25, 1));
  EXPECT_EQ(local("* * * * *", at(2026, 10, 25, 1, 20)), at(2026, 10, 25, 1, 21));
}

// Minute for minute over the days on which the clocks are set, by the rules as they are written.
TEST(CronZone, AgreesWithWalkingThroughTheMinutes) {
  for (const char* expression : {"* * * * *", "*/7 2 * * *", "15,45 1-3 * * *", "0 */2 * * *",
                                 "59 1,2 * * 0", "20 * * * *"}) {
    const Cron cron(expression);
    const bool steady = std::string(expression).find(" * * * *") != std::string::npos;
    for (const std::int64_t change : {berlin.kForward, berlin.kBack}) {
      std::int64_t shown = std::numeric_limits<std::int64_t>::min();
      std::int64_t expected = change - 30 * kHour;
      std::int64_t found = cron.next(expected - 1, berlin).value();
      for (; expected < change + 30 * kHour; expected += kMinute) {
        const std::int64_t wall = expected + berlin.ahead(expected);
        const auto due = [&](std::int64_t time) { return cron.next(time - 1) == time; };
        bool runs = due(wall) && (steady || wall > shown);
        for (std::int64_t skipped = shown + kMinute;
             expected == change && !steady && skipped < wall; skipped += kMinute)
          runs = runs || due(skipped);
        shown = std::max(shown, wall);
        ASSERT_EQ(runs, expected == found) << expression << ' ' << (expected - change) / kMinute;
        if (runs) found = cron.next(expected, berlin).value();
      }
    }
  }
}

// --- Against a plain search ---------------------------------------------------------------------

TEST(Cron, AgreesWithWalkingThroughTheDays) {
  std::mt19937 random(5);
  const auto any = [&](int low, int high) {
    return std::uniform_int_distribution(low, high)(random);
  };
  for (int round = 0; round < 2000; ++round) {
    const int minute = any(0, 59), hour = any(0, 23), day = any(1, 28), month = any(1, 12),
              weekday_ = any(0, 6);
    const bool any_day = any(0, 1) == 0, any_month = any(0, 1) == 0, any_weekday = any(0, 1) == 0;
    const auto part = [](bool star, int value) {
      return star ? std::string("*") : std::to_string(value);
    };
    const std::string expression = std::to_string(minute) + ' ' + std::to_string(hour) + ' ' +
                                   part(any_day, day) + ' ' + part(any_month, month) + ' ' +
                                   part(any_weekday, weekday_);
    const std::int64_t after =
        at(1900 + any(0, 300), 1, 1) + any(0, 365 * 1440) * kMinute + any(0, 1);
    sys_days date = sys_days{year{2000} / 1 / 1} + floor<days>(microseconds{after});
    std::int64_t expected = kNone;
    for (; expected == kNone; date += days{1}) {
      const year_month_day ymd{date};
      const bool by_day = static_cast<int>(unsigned(ymd.day())) == day;
      const bool by_week = static_cast<int>(weekday{date}.c_encoding()) == weekday_;
      if (!any_month && static_cast<int>(unsigned(ymd.month())) != month) continue;
      if (!any_day && !any_weekday ? !by_day && !by_week
                                   : (!any_day && !by_day) || (!any_weekday && !by_week))
        continue;
      const std::int64_t time =
          at(int(ymd.year()), unsigned(ymd.month()), unsigned(ymd.day()), hour, minute);
      if (time > after) expected = time;
    }
    ASSERT_EQ(Cron(expression).next(after), expected) << expression;
  }
}

}  // namespace
}  // namespace vigil
