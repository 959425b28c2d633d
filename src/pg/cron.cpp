// vigil.next_run.
#include "core/cron.hpp"

#include "pg/time_zone.hpp"

using namespace vigil;
using namespace vigil::pg;

extern "C" {

PG_FUNCTION_INFO_V1(vigil_next_run);
Datum vigil_next_run(PG_FUNCTION_ARGS) {
  return entry([&] {
    const Cron cron(text_view(PG_GETARG_DATUM(0)));
    const TimestampTz after = PG_GETARG_TIMESTAMPTZ(1);
    if (TIMESTAMP_NOT_FINITE(after))
      throw Error(Code::kTimestampOutOfRange, "time after which a job runs must be finite");
    const auto next = cron.next(after, PgZoneClock(zone_argument(fcinfo, 2)));
    if (!next)
      throw Error(Code::kTimestampOutOfRange,
                  "cron expression has no next time from the year 10000 on");
    return TimestampTzGetDatum(*next);
  });
}
}
