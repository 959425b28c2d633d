// Buckets of time: which one a time falls into, for widths from a microsecond to many months, on
// the line of UTC or by the clocks of a zone.
#pragma once

#include <cstdint>

#include "core/time_zone.hpp"

namespace vigil {

// Times are microseconds since 2000-01-01 00:00 UTC, from kFirstTime up to the end of the year
// 294276, in the proleptic Gregorian calendar: those of PostgreSQL.
inline constexpr std::int64_t kFirstTime = -211'813'488'000'000'000;  // 4714-11-24 BC

inline constexpr std::int64_t kDay = 86'400'000'000;

// The minute of a time, the bucket in which facts are marked and first rolled up.
inline std::int64_t start_of_minute(std::int64_t time) noexcept {
  constexpr std::int64_t kMinute = 60'000'000;
  const std::int64_t past = time % kMinute;
  return time - (past < 0 ? past + kMinute : past);
}

class TimeBucket {
 public:
  // Buckets begin at a Monday, or on the first of a January.
  static constexpr std::int64_t kMonday = 2 * kDay;  // 2000-01-03
  static constexpr std::int64_t kJanuary = 0;        // 2000-01-01

  // A width of months, or of days (of 24 hours) and microseconds. Error{kInvalidArgument} when it
  // is both or not positive, Error{kTimestampOutOfRange} beyond 2^63 - 1 microseconds.
  TimeBucket(std::int32_t months, std::int32_t days, std::int64_t micros)
      : width_(static_cast<std::uint64_t>(plain_width(months, days, micros))),
        days_(days),
        months_(months) {
    if (width_ == 0) [[unlikely]]
      set_width(micros);
  }

  // The microseconds of a width that needs no check, else 0.
  static std::int64_t plain_width(std::int32_t months, std::int32_t days,
                                  std::int64_t micros) noexcept {
    if (months != 0 || days < 0 || days > 1'000'000 || micros < 0 || micros > 1'000'000 * kDay)
      return 0;
    return days * kDay + micros;
  }

  // The latest beginning of a bucket at or before the time: origin + n * width for a whole n. A
  // month without the day of the origin has its last day instead. Error{kTimestampOutOfRange} when
  // that is before kFirstTime.
  std::int64_t start(std::int64_t time, std::int64_t origin) const {
    const std::int64_t result = floor(time, origin);
    if (result < kFirstTime) [[unlikely]]
      throw_out_of_range();
    return result;
  }

  std::int64_t start(std::int64_t time) const { return start(time, default_origin()); }

  // The same by the clocks of a zone. When they are set back and show the beginning of a bucket
  // twice, buckets of days and months begin at the first of both, shorter ones at each. When they
  // are set forward over it, the bucket begins at that moment.
  std::int64_t start(std::int64_t time, const ZoneClock& zone) const;

 private:
  void set_width(std::int64_t micros);
  [[noreturn]] static void throw_out_of_range();
  std::int64_t floor_to_months(std::int64_t time, std::int64_t origin) const;
  std::int64_t default_origin() const { return months_ != 0 ? kJanuary : kMonday; }

  // Clocks may show times before the first one.
  std::int64_t floor(std::int64_t time, std::int64_t origin) const {
    constexpr std::int64_t kFirstShown = kFirstTime - 8 * kDay;
    if (months_ != 0) return floor_to_months(time, origin);
    const auto end = static_cast<std::uint64_t>(time);
    const auto begin = static_cast<std::uint64_t>(origin);
    std::uint64_t past = 0;
    if (time >= origin) {
      past = (end - begin) % width_;
    } else if (const std::uint64_t ahead = (begin - end) % width_; ahead != 0) {
      past = width_ - ahead;
    }
    if (past > end - static_cast<std::uint64_t>(kFirstShown)) [[unlikely]] {
      throw_out_of_range();
    }
    return time - static_cast<std::int64_t>(past);
  }

  std::uint64_t width_ = 0;  // microseconds; 0 for months
  std::int32_t days_;
  std::int32_t months_;
};

}  // namespace vigil
