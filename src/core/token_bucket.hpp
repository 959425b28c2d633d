// Token buckets in integers, as the generic cell rate algorithm counts them: of a bucket nothing is
// kept but the time at which it will be full again.
//
// Times are nanoseconds of one clock that the caller reads. From any moment on, a bucket gives at
// most its burst and what its rate yields until the latest time that it was shown. A clock that
// goes back yields nothing until it has caught up.
#pragma once

#include <cstdint>
#include <limits>

namespace vigil {

// What a bucket holds, and how fast it fills.
struct RateLimit {
  static constexpr std::int64_t kLongest = 3'155'760'000'000'000'000;  // 100 years

  std::int64_t burst = 0;  // tokens of a full bucket
  std::int64_t token = 0;  // nanoseconds that one takes to come back; 0: none ever does

  // `max` tokens in `window` nanoseconds; the time of a token is rounded up, so that the rate is
  // never exceeded. Throws Error{kInvalidArgument} for a negative number, a window that is not
  // positive, and a bucket that takes longer than kLongest to fill.
  static RateLimit make(std::int64_t max, std::int64_t window, std::int64_t burst);

  bool operator==(const RateLimit&) const = default;
};

// When a bucket is full again. One that was never used is full.
using FullAt = std::int64_t;
inline constexpr FullAt kFull = std::numeric_limits<FullAt>::min();

struct Taken {
  static constexpr std::int64_t kNever = -1;

  bool allowed = false;
  std::int64_t remaining = 0;  // tokens that could be taken now
  std::int64_t full_in = 0;    // nanoseconds until the bucket is full; kNever
  std::int64_t wait = 0;       // nanoseconds until the same is allowed, 0 when it was; kNever
};

// Takes `cost` tokens if the bucket has them, else none; 0 only looks. A negative cost is 0.
Taken take(const RateLimit& limit, FullAt& bucket, std::int64_t now, std::int64_t cost) noexcept;

}  // namespace vigil
