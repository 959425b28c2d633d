#include "core/schedule.hpp"

#include <algorithm>

namespace vigil {

namespace {

Micros add_saturated(Micros time, Micros span) noexcept {
  return span > 0 && time > kNever - span ? kNever : time + span;
}

bool runs_now(const JobState& job, Micros now) noexcept {
  if (!job.enabled) return false;
  // A clock that was set back must not silence a job until it has caught up.
  const bool set_back = job.last_started > now || job.next_run > job.latest_run;
  const bool due = job.next_run <= now || (set_back && job.next_run != kNever);
  if (!due || !job.idle) return due;
  return job.last_started > now || job.last_started <= now - kHeartbeat;
}

// When the job has to be looked at again.
Micros looked_at(const JobState& job, Micros now) noexcept {
  if (!job.enabled) return kNever;
  return std::max(job.next_run, now + kSecond);
}

}  // namespace

Micros retry_wait(Micros interval, int failures, double random) noexcept {
  interval = std::clamp(interval, Micros{1}, kLongestRetry);
  const Micros longest = std::clamp(60 * interval, kLeastLongestRetry, kLongestRetry);
  Micros wait = interval;
  for (int failure = 0; failure < failures && wait < longest; ++failure) wait *= 2;
  wait = std::clamp(wait, kShortestRetry, longest);
  const auto shortened = static_cast<Micros>(static_cast<double>(wait / 4) * random);
  return std::max(wait - shortened, kShortestRetry);
}

Micros next_run(Micros scheduled, Micros started, Micros interval, int failures,
                double random) noexcept {
  if (failures > 0) return add_saturated(started, retry_wait(interval, failures, random));
  interval = std::max(interval, Micros{1});
  // A job that was started early, by hand, begins a new grid.
  if (scheduled > started) return add_saturated(started, interval);
  const std::uint64_t late =
      static_cast<std::uint64_t>(started) - static_cast<std::uint64_t>(scheduled);
  const auto phase = static_cast<Micros>(late % static_cast<std::uint64_t>(interval));
  return add_saturated(started - phase, interval);
}

Actions next_actions(std::span<const JobState> jobs, Micros now, Micros longest_wait) {
  Actions actions{{}, longest_wait};
  for (std::size_t position = 0; position < jobs.size(); ++position) {
    if (runs_now(jobs[position], now))
      actions.start.push_back(position);
    else if (const Micros next = looked_at(jobs[position], now); next != kNever)
      actions.wait = std::min(actions.wait, next - now);
  }
  std::stable_sort(actions.start.begin(), actions.start.end(), [&](std::size_t a, std::size_t b) {
    return jobs[a].next_run < jobs[b].next_run;
  });
  if (!actions.start.empty()) actions.wait = 0;
  return actions;
}

}  // namespace vigil
