// When jobs run: pure arithmetic in microseconds, so that scheduling is tested in virtual time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

namespace vigil {

using Micros = std::int64_t;

inline constexpr Micros kSecond = 1000000;
inline constexpr Micros kShortestRetry = 5 * kSecond;
inline constexpr Micros kLongestRetry = 3600 * kSecond;
inline constexpr Micros kLeastLongestRetry = 300 * kSecond;
inline constexpr Micros kNever = std::numeric_limits<Micros>::max();

// How long a job that failed `failures` times in a row waits: interval * 2^failures, at least
// kShortestRetry and at most sixty intervals (of those at least kLeastLongestRetry, at most
// kLongestRetry): what runs often shall be back soon after the cause has gone. Then up to a quarter
// shortened by `random` of [0, 1), so that jobs which failed together do not come back together.
Micros retry_wait(Micros interval, int failures, double random) noexcept;

// When a job that was due at `scheduled` and began at `started` runs next. Without failures: the
// first point after `started` of the grid scheduled + n * interval, so that a job missed many times
// runs once and keeps its phase. After failures: retry_wait after `started`.
Micros next_run(Micros scheduled, Micros started, Micros interval, int failures,
                double random) noexcept;

// A job as a scheduler sees it.
struct JobState {
  Micros next_run;      // kNever: only by hand
  Micros latest_run;    // a later next_run was decided by a clock that was ahead
  Micros last_started;  // lowest value: never ran
  bool enabled;
  bool idle;  // its own question for work was answered with no
};

// A job without work still runs this often, so that it is seen to live and a wrong answer to its
// question delays work and does not lose it.
inline constexpr Micros kHeartbeat = 60 * kSecond;

struct Actions {
  std::vector<std::size_t> start;  // positions of the jobs to run now, the longest overdue first
  Micros wait;                     // after them, sleep this long unless woken
};

// What a scheduler does at `now`; it never sleeps longer than `longest_wait`.
Actions next_actions(std::span<const JobState> jobs, Micros now, Micros longest_wait);

}  // namespace vigil
