// Event times as clients write them: RFC 3339 and its relatives, and numbers since the epoch.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace vigil {

// Microseconds since the Unix epoch (1970-01-01 00:00 UTC) of a date and time in the form of
// RFC 3339 (`2026-11-20T10:15:30.123Z`) or one of the ISO 8601 variants that clients send: `t` or a
// blank instead of `T`, no seconds, 1 to 9 digits of fraction after a point or comma (digits beyond
// the microsecond are cut off), and `Z`, `+hh`, `+hhmm`, `+hh:mm` or no zone at all, which is UTC.
// Second 60, a leap second, is the first one of the next minute. The year, as written, is 1 to
// 9999. No value when the text has another form or names a day or time that does not exist.
std::optional<std::int64_t> parse_rfc3339(std::string_view text) noexcept;

// Microseconds since the Unix epoch of a number whose unit its magnitude tells: seconds below 1e11,
// milliseconds below 1e14, microseconds below 1e17, else nanoseconds; rounded to the nearest. So
// seconds reach to the year 5138, and milliseconds are not recognised before March 1973.
// No value for negative numbers, NaN, infinity and times after the year 9999.
std::optional<std::int64_t> epoch_to_micros(double value) noexcept;

}  // namespace vigil
