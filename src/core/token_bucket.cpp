#include "core/token_bucket.hpp"

#include <algorithm>
#include <string>

#include "core/error.hpp"

namespace vigil {

namespace {

constexpr std::int64_t kLatest = std::numeric_limits<std::int64_t>::max();

// How far `later` is ahead; any two times have a distance, though not each fits.
std::int64_t ahead(std::int64_t later, std::int64_t now) {
  if (later <= now) return 0;
  const auto distance = static_cast<std::uint64_t>(later) - static_cast<std::uint64_t>(now);
  return static_cast<std::int64_t>(std::min(distance, static_cast<std::uint64_t>(kLatest)));
}

std::int64_t later(std::int64_t now, std::int64_t by) {
  return now > kLatest - by ? kLatest : now + by;
}

}  // namespace

RateLimit RateLimit::make(std::int64_t max, std::int64_t window, std::int64_t burst) {
  if (max < 0) throw Error(Code::kInvalidArgument, "max " + std::to_string(max) + " is negative");
  if (burst < 0)
    throw Error(Code::kInvalidArgument, "burst " + std::to_string(burst) + " is negative");
  if (window <= 0) throw Error(Code::kInvalidArgument, "the time of a rate limit must be positive");
  if (max == 0) return {0, 0};
  const std::int64_t token = window / max + (window % max != 0);
  if (burst > kLongest / token)
    throw Error(Code::kInvalidArgument,
                "a burst of " + std::to_string(burst) + " takes longer than 100 years to come back",
                {}, "Use a smaller burst or a higher limit.");
  return {burst, token};
}

Taken take(const RateLimit& limit, FullAt& bucket, std::int64_t now, std::int64_t cost) noexcept {
  cost = std::max<std::int64_t>(cost, 0);
  if (limit.token == 0) return {cost == 0, 0, Taken::kNever, cost == 0 ? 0 : Taken::kNever};
  const std::int64_t whole = limit.burst * limit.token;
  std::int64_t missing = ahead(bucket, now);
  // More than all is missing after the clock went back: then nothing is there.
  const std::int64_t there = whole - std::min(missing, whole);
  if (cost > limit.burst) return {false, there / limit.token, missing, Taken::kNever};
  const std::int64_t asked = cost * limit.token;
  if (asked > there) {
    const std::int64_t room = whole - asked;
    return {false, there / limit.token, missing, missing - room};
  }
  if (asked > 0) {
    missing += asked;
    bucket = later(now, missing);
  }
  return {true, (whole - std::min(missing, whole)) / limit.token, missing, 0};
}

}  // namespace vigil
