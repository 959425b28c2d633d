#include "core/time_bucket.hpp"

#include <algorithm>
#include <chrono>
#include <string>

#include "core/error.hpp"

namespace vigil {
namespace {

// The calendar repeats itself after 400 years, and std::chrono has no room for all of PostgreSQL's.
constexpr std::int64_t kCycleDays = 146'097;
constexpr std::int64_t kCycleMonths = 4'800;

constexpr std::int64_t floor_divide(std::int64_t value, std::int64_t divisor) {
  return value / divisor - (value % divisor < 0 ? 1 : 0);
}

constexpr std::chrono::sys_days kEpoch{std::chrono::year{2000} / 1 / 1};

struct Moment {
  std::int64_t month;  // since January 2000
  unsigned day;        // of the month, from 1
  std::int64_t rest;   // microseconds since midnight
};

constexpr Moment moment_of(std::int64_t time) {
  const std::int64_t day = floor_divide(time, kDay);
  const std::int64_t cycle = floor_divide(day, kCycleDays);
  const std::chrono::year_month_day date{kEpoch + std::chrono::days(day - cycle * kCycleDays)};
  const std::int64_t month = 12 * (static_cast<int>(date.year()) - 2000) +
                             static_cast<std::int64_t>(static_cast<unsigned>(date.month())) - 1;
  return {cycle * kCycleMonths + month, static_cast<unsigned>(date.day()), time - day * kDay};
}

std::int64_t time_of(const Moment& moment) {
  const std::int64_t cycle = floor_divide(moment.month, kCycleMonths);
  const auto month = static_cast<unsigned>(moment.month - cycle * kCycleMonths);
  const std::chrono::year_month in_cycle{std::chrono::year{2000 + static_cast<int>(month / 12)},
                                         std::chrono::month{month % 12 + 1}};
  const std::chrono::day last = std::chrono::year_month_day_last{
      in_cycle.year(),
      std::chrono::month_day_last{
          in_cycle.month()}}.day();
  const std::chrono::sys_days date{in_cycle / std::min(std::chrono::day{moment.day}, last)};
  return ((date - kEpoch).count() + cycle * kCycleDays) * kDay + moment.rest;
}

// The first moment when the offset is another than at `low`, as it is at `high`.
std::int64_t next_change(const ZoneClock& zone, std::int64_t low, std::int64_t high) {
  const std::int64_t ahead = zone.ahead(low);
  while (high - low > 1) {
    const std::int64_t middle = low + (high - low) / 2;
    (zone.ahead(middle) == ahead ? low : high) = middle;
  }
  return high;
}

}  // namespace

void TimeBucket::set_width(std::int64_t micros) {
  const auto fail = [&](Code code, const char* message, const char* hint) {
    throw Error(code, message,
                "The width is " + std::to_string(months_) + " months, " + std::to_string(days_) +
                    " days and " + std::to_string(micros) + " microseconds.",
                hint);
  };
  if (months_ != 0) {
    if (days_ != 0 || micros != 0)
      fail(Code::kInvalidArgument, "width of a time bucket must not mix months with shorter units",
           "Give months and years, or weeks, days and shorter units.");
    if (months_ < 0)
      fail(Code::kInvalidArgument, "width of a time bucket must be greater than zero",
           "Give a width such as '1 month'.");
    return;
  }
  std::int64_t days = 0;
  std::int64_t width = 0;
  if (__builtin_mul_overflow(std::int64_t{days_}, kDay, &days) ||
      __builtin_add_overflow(days, micros, &width))
    fail(Code::kTimestampOutOfRange, "width of a time bucket is out of range",
         "Give at most 106751991 days.");
  if (width <= 0)
    fail(Code::kInvalidArgument, "width of a time bucket must be greater than zero",
         "Give a width such as '1 hour'.");
  width_ = static_cast<std::uint64_t>(width);
}

void TimeBucket::throw_out_of_range() {
  throw Error(Code::kTimestampOutOfRange, "beginning of a time bucket is out of range", {},
              "The first timestamp is 4714-11-24 00:00:00+00 BC; give a smaller width.");
}

std::int64_t TimeBucket::floor_to_months(std::int64_t time, std::int64_t origin) const {
  constexpr std::int64_t kFirstMonth = moment_of(kFirstTime).month;
  Moment begin = moment_of(origin);
  begin.month += floor_divide(moment_of(time).month - begin.month, months_) * months_;
  for (;; begin.month -= months_) {
    if (begin.month < kFirstMonth) throw_out_of_range();
    const std::int64_t result = time_of(begin);
    if (result <= time) return result;  // else its day or hour comes later in the month
  }
}

std::int64_t TimeBucket::start(std::int64_t time, const ZoneClock& zone) const {
  const std::int64_t ahead = zone.ahead(time);
  const std::int64_t shown = floor(time + ahead, default_origin());  // when the bucket begins
  const std::int64_t day_before = shown - ahead - kDay;
  const std::int64_t day_after = shown - ahead + kDay;
  const std::int64_t before = zone.ahead(day_before);
  const std::int64_t after = zone.ahead(day_after);
  std::int64_t result = shown - before;
  if (before != after) {
    const std::int64_t other = shown - after;
    const bool is_shown = zone.ahead(result) == before;
    const bool is_shown_after = zone.ahead(other) == after && other <= time;
    const bool first = months_ != 0 || days_ != 0;
    if (is_shown_after && !(is_shown && first))
      result = other;
    else if (!is_shown)
      result = next_change(zone, day_before, day_after);
  }
  if (result < kFirstTime) throw_out_of_range();
  return result;
}

}  // namespace vigil
