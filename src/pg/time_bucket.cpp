#include "core/time_bucket.hpp"

#include "pg/time_zone.hpp"

using namespace vigil;
using namespace vigil::pg;

namespace {

static_assert(MIN_TIMESTAMP == kFirstTime);

TimeBucket width_argument(FunctionCallInfo fcinfo) {
  const Interval* width = PG_GETARG_INTERVAL_P(0);
  return {width->month, width->day, width->time};
}

// What is asked for most, and cannot fail: a guard would take longer than the division.
std::optional<TimestampTz> plain_start(FunctionCallInfo fcinfo, TimestampTz time,
                                       TimestampTz origin) {
  const Interval* width = PG_GETARG_INTERVAL_P(0);
  const std::int64_t plain = TimeBucket::plain_width(width->month, width->day, width->time);
  if (plain == 0 || time < origin || TIMESTAMP_NOT_FINITE(time) || TIMESTAMP_NOT_FINITE(origin))
    return std::nullopt;
  const auto past = static_cast<std::uint64_t>(time) - static_cast<std::uint64_t>(origin);
  return time - static_cast<TimestampTz>(past % static_cast<std::uint64_t>(plain));
}

// The clock of argument `number`, kept for as long as that stays the same; else `once`.
const PgZoneClock& clock_argument(FunctionCallInfo fcinfo, int number,
                                  std::optional<PgZoneClock>& once) {
  FmgrInfo* function = fcinfo->flinfo;
  if (function->fn_extra != nullptr) return *static_cast<PgZoneClock*>(function->fn_extra);
  const PgZoneClock& clock = once.emplace(zone_argument(fcinfo, number));
  if (!get_fn_expr_arg_stable(function, number)) return clock;
  ContextResource resource(function->fn_mcxt);
  void* memory = resource.allocate(sizeof(PgZoneClock), alignof(PgZoneClock));
  function->fn_extra = new (memory) PgZoneClock(clock);
  return clock;
}

}  // namespace

extern "C" {

PG_FUNCTION_INFO_V1(vigil_time_bucket);
Datum vigil_time_bucket(PG_FUNCTION_ARGS) {
  const TimestampTz time = PG_GETARG_TIMESTAMPTZ(1);
  if (const auto start = plain_start(fcinfo, time, TimeBucket::kMonday))
    return TimestampTzGetDatum(*start);
  return entry([&] {
    const TimeBucket width = width_argument(fcinfo);
    return TimestampTzGetDatum(TIMESTAMP_NOT_FINITE(time) ? time : width.start(time));
  });
}

PG_FUNCTION_INFO_V1(vigil_time_bucket_origin);
Datum vigil_time_bucket_origin(PG_FUNCTION_ARGS) {
  const TimestampTz time = PG_GETARG_TIMESTAMPTZ(1);
  const TimestampTz origin = PG_GETARG_TIMESTAMPTZ(2);
  if (const auto start = plain_start(fcinfo, time, origin)) return TimestampTzGetDatum(*start);
  return entry([&] {
    const TimeBucket width = width_argument(fcinfo);
    if (TIMESTAMP_NOT_FINITE(origin))
      throw Error(Code::kTimestampOutOfRange, "origin of a time bucket must not be infinite", {},
                  "Give the beginning of any bucket.");
    return TimestampTzGetDatum(TIMESTAMP_NOT_FINITE(time) ? time : width.start(time, origin));
  });
}

PG_FUNCTION_INFO_V1(vigil_time_bucket_zone);
Datum vigil_time_bucket_zone(PG_FUNCTION_ARGS) {
  const TimestampTz time = PG_GETARG_TIMESTAMPTZ(1);
  return entry([&] {
    const TimeBucket width = width_argument(fcinfo);
    std::optional<PgZoneClock> once;
    const PgZoneClock& zone = clock_argument(fcinfo, 2, once);
    return TimestampTzGetDatum(TIMESTAMP_NOT_FINITE(time) ? time : width.start(time, zone));
  });
}
}
