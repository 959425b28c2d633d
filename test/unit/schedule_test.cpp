#include "core/schedule.hpp"

#include <gtest/gtest.h>

namespace vigil {
namespace {

constexpr Micros kMinute = 60 * kSecond;
constexpr Micros kHour = 60 * kMinute;
constexpr Micros kAlways = std::numeric_limits<Micros>::min();

TEST(NextRun, KeepsItsGrid) {
  EXPECT_EQ(next_run(100 * kSecond, 100 * kSecond, 5 * kSecond, 0, 0.5), 105 * kSecond);
  EXPECT_EQ(next_run(100 * kSecond, 101 * kSecond, 5 * kSecond, 0, 0.5), 105 * kSecond);
  EXPECT_EQ(next_run(100 * kSecond, 105 * kSecond, 5 * kSecond, 0, 0.5), 110 * kSecond);
}

TEST(NextRun, RunsOnceHoweverManyTimesItWasMissed) {
  const Micros next = next_run(0, 10 * kHour + 3 * kSecond, 5 * kSecond, 0, 0.0);
  EXPECT_EQ(next, 10 * kHour + 5 * kSecond);
}

TEST(NextRun, RunByHandBeginsANewGrid) {
  EXPECT_EQ(next_run(100 * kSecond, 42 * kSecond, 5 * kSecond, 0, 0.0), 47 * kSecond);
}

TEST(NextRun, IsAlwaysLaterThanTheStart) {
  for (const Micros interval : {Micros{-7}, Micros{0}, Micros{1}, kSecond, kHour, kNever})
    for (const int failures : {0, 1, 5, 2000000000})
      for (const Micros scheduled : {kAlways, Micros{-3}, Micros{0}, Micros{17}, kNever})
        EXPECT_GT(next_run(scheduled, 12345, interval, failures, 0.999), 12345);
}

TEST(NextRun, EndOfTimeDoesNotOverflow) {
  EXPECT_EQ(next_run(kNever - 1, kNever - 1, kHour, 0, 0.0), kNever);
  EXPECT_EQ(next_run(kNever - 1, kNever - 1, kHour, 3, 0.0), kNever);
}

TEST(RetryWait, DoublesBetweenItsBounds) {
  EXPECT_EQ(retry_wait(kSecond, 1, 0.0), 5 * kSecond);
  EXPECT_EQ(retry_wait(kSecond, 3, 0.0), 8 * kSecond);
  EXPECT_EQ(retry_wait(15 * kSecond, 1, 0.0), 30 * kSecond);
  EXPECT_EQ(retry_wait(15 * kSecond, 2, 0.0), kMinute);
  EXPECT_EQ(retry_wait(kSecond, 2000000000, 0.0), 5 * kMinute);
  EXPECT_EQ(retry_wait(15 * kSecond, 2000000000, 0.0), 15 * kMinute);
  EXPECT_EQ(retry_wait(10 * kMinute, 2000000000, 0.0), kHour);
  EXPECT_EQ(retry_wait(24 * kHour, 1, 0.0), kHour);
  EXPECT_EQ(retry_wait(kNever, 1, 0.0), kHour);
}

TEST(RetryWait, JitterShortensByAQuarterAtMost) {
  EXPECT_EQ(retry_wait(kMinute, 1, 0.0), 2 * kMinute);
  EXPECT_EQ(retry_wait(kMinute, 1, 0.5), 105 * kSecond);
  EXPECT_GT(retry_wait(kMinute, 1, 0.999999), 90 * kSecond - 1);
  EXPECT_EQ(retry_wait(kSecond, 1, 0.999999), 5 * kSecond);
}

TEST(NextActions, StartsWhatIsDueTheLongestOverdueFirst) {
  const JobState jobs[] = {{90, kNever, 10, true, false},
                           {101, kNever, 10, true, false},
                           {80, kNever, 10, true, false},
                           {1, kNever, 10, false, false}};
  const Actions actions = next_actions(jobs, 100, kMinute);
  EXPECT_EQ(actions.start, (std::vector<std::size_t>{2, 0}));
  EXPECT_EQ(actions.wait, 0);
}

TEST(NextActions, SleepsUntilTheNextOneIsDue) {
  const JobState jobs[] = {{40 * kSecond, kNever, 0, true, false},
                           {25 * kSecond, kNever, 0, true, false}};
  EXPECT_EQ(next_actions(jobs, 5 * kSecond, kMinute).wait, 20 * kSecond);
  EXPECT_EQ(next_actions(jobs, 5 * kSecond, 3 * kSecond).wait, 3 * kSecond);
  EXPECT_TRUE(next_actions(jobs, 5 * kSecond, kMinute).start.empty());
}

TEST(NextActions, SleepsAsLongAsItMayWithoutJobs) {
  EXPECT_EQ(next_actions({}, 0, kMinute).wait, kMinute);
  const JobState paused[] = {{0, kNever, 0, false, false}, {kNever, 0, 0, true, false}};
  EXPECT_TRUE(next_actions(paused, 100, kMinute).start.empty());
  EXPECT_EQ(next_actions(paused, 100, kMinute).wait, kMinute);
}

TEST(NextActions, JobWithoutWorkRunsOnlyAsHeartbeat) {
  const Micros now = 1000 * kSecond;
  const JobState fresh[] = {{now - kSecond, kNever, now - 10 * kSecond, true, true}};
  EXPECT_TRUE(next_actions(fresh, now, kMinute).start.empty());
  EXPECT_EQ(next_actions(fresh, now, kMinute).wait, kSecond);
  const JobState old[] = {{now - kSecond, kNever, now - kMinute, true, true}};
  EXPECT_EQ(next_actions(old, now, kMinute).start.size(), 1U);
  const JobState never[] = {{now - kSecond, kNever, kAlways, true, true}};
  EXPECT_EQ(next_actions(never, now, kMinute).start.size(), 1U);
}

TEST(NextActions, ClockSetBackDoesNotSilenceAJob) {
  const JobState ran_later[] = {{24 * kHour, kNever, 24 * kHour - kSecond, true, false}};
  EXPECT_EQ(next_actions(ran_later, kHour, kMinute).start.size(), 1U);
  const JobState too_late[] = {{2 * kHour, kHour + 5 * kSecond, kMinute, true, false}};
  EXPECT_EQ(next_actions(too_late, kHour, kMinute).start.size(), 1U);
  const JobState in_time[] = {{kHour + 5 * kSecond, kHour + 5 * kSecond, kHour, true, false}};
  EXPECT_TRUE(next_actions(in_time, kHour, kMinute).start.empty());
}

// A whole day of one job in virtual time: 5 s grid, an outage of an hour, ten failures.
TEST(NextActions, DayInVirtualTime) {
  JobState job{0, kNever, kAlways, true, false};
  int runs = 0, failures = 0, fails_left = 10;
  Micros now = 0;
  while (now < 24 * kHour) {
    if (now >= 6 * kHour && now < 7 * kHour) now = 7 * kHour;  // nobody was there
    const Actions actions = next_actions({&job, 1}, now, kMinute);
    if (actions.start.empty()) {
      now += actions.wait;
      continue;
    }
    ++runs;
    const bool fails = now >= 12 * kHour && fails_left-- > 0;
    failures = fails ? failures + 1 : 0;
    const Micros started = now;
    job.next_run = next_run(job.next_run, started, 5 * kSecond, failures, 0.0);
    job.last_started = started;
    EXPECT_GT(job.next_run, now);
    now += 10000;
  }
  // 23 h of 720 runs, less the waits of ten failures: 10+20+...+160 s and five times 300 s.
  const int waited = (10 * 31 + 5 * 300) / 5;
  EXPECT_NEAR(runs, 23 * 720 - waited + 10, 8);
}

}  // namespace
}  // namespace vigil
