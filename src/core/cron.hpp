// Cron expressions: the five fields of crontab(5), and the next time that they name.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "core/time_zone.hpp"

namespace vigil {

// Minute, hour, day of month, month and day of week. A field is *, or a list of numbers, names (jan
// to dec, sun to sat) and ranges; * and ranges take a step. 0 and 7 are Sunday. When neither day
// begins with *, one of the two is enough, else both must match. @hourly, @daily (@midnight),
// @weekly, @monthly and @yearly (@annually) stand for five fields. Case does not matter.
//
// Times are microseconds since 2000-01-01 00:00 UTC, in the proleptic Gregorian calendar.
class Cron {
 public:
  static constexpr std::size_t kLongest = 1000;  // bytes of an expression

  // Error{kInvalidArgument} when the text is none, or names only days that no year has.
  explicit Cron(std::string_view expression);

  // The first time after `after`. No value from the year 10000 on.
  std::optional<std::int64_t> next(std::int64_t after) const noexcept;

  // The same by the clocks of a zone. What they are set forward over runs when they are, once; what
  // they show twice runs at the first. A schedule of every hour goes by the time that passes: it
  // catches up nothing, and runs in both hours.
  std::optional<std::int64_t> next(std::int64_t after, const ZoneClock& zone) const;

 private:
  std::optional<std::int64_t> next_day(std::int64_t day) const noexcept;
  std::optional<int> next_minute(int minute) const noexcept;
  bool has_day() const noexcept;

  // Bit n stands for the value n.
  std::uint64_t minutes_ = 0;
  std::uint64_t hours_ = 0;
  std::uint64_t days_ = 0;
  std::uint64_t months_ = 0;
  std::uint64_t weekdays_ = 0;
  bool either_day_ = false;
};

}  // namespace vigil
