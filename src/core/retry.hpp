// When a delivery is tried again (Standard Webhooks), and what an HTTP answer means for it.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace vigil {

inline constexpr int kMaxDeliveryAttempts = 10;
inline constexpr std::int64_t kMaxRetryAfterSeconds = 86'400;

// Milliseconds to wait before an attempt, counted from 0 for the first one: 0 s, 5 s, 5 min,
// 30 min, 2 h, 5 h, 10 h, 14 h, 20 h, 24 h, each up to 20 % shorter or longer as `random` (any
// value is as likely) says. No value when the attempt is negative or `max_attempts` are used up;
// there are never more than ten.
std::optional<std::int64_t> retry_delay_ms(int attempt, std::uint32_t random,
                                           int max_attempts = kMaxDeliveryAttempts) noexcept;

// Seconds to wait that a Retry-After header asks for (RFC 9110, section 10.2.3): a number of
// seconds, or an HTTP date in any of its three forms, against `now_unix` in seconds since the Unix
// epoch. From 0 (also for a date that is past) to 24 hours. No value when the header is malformed.
std::optional<std::int64_t> parse_retry_after(std::string_view value,
                                              std::int64_t now_unix) noexcept;

enum class Verdict {
  kDelivered,
  kRetry,
  kPermanent,  // trying again cannot help
  kGone,       // 410: the endpoint wants nothing more
};

// Judges an HTTP status; 0 means that there was no answer. 2xx is delivered; 408, 425, 429, 5xx, an
// interim status and no answer are worth another attempt; redirects, which are not followed, and
// everything else are permanent.
Verdict judge_status(int http_status) noexcept;

}  // namespace vigil
