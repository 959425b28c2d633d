// SQL functions of jobs: timing, and the time limit of a step.
#include "core/schedule.hpp"
#include "pg/boundary.hpp"

namespace vigil::pg {

namespace {

Micros microseconds(const Interval& interval) {
  constexpr double kDay = 86400e6;
  const double value =
      static_cast<double>(interval.time) + interval.day * kDay + interval.month * 30.0 * kDay;
  if (!(value >= 0) || value > 1e17)
    throw Error(Code::kInvalidArgument, "interval is out of range", {},
                "Give a time from 0 to 1000 years.");
  return static_cast<Micros>(value);
}

TimestampTz finite(TimestampTz time) {
  if (TIMESTAMP_NOT_FINITE(time))
    throw Error(Code::kTimestampOutOfRange, "start of a job must be finite");
  return time;
}

// Whether the running STATEMENT_TIMEOUT is ours to end.
bool limited = false;

void end_limit() {
  if (limited) disable_timeout(STATEMENT_TIMEOUT, false);
  limited = false;
}

}  // namespace

}  // namespace vigil::pg

extern "C" {

using namespace vigil;
using namespace vigil::pg;

PG_FUNCTION_INFO_V1(vigil_next_job_run);
Datum vigil_next_job_run(PG_FUNCTION_ARGS) {
  return entry([&] {
    const Micros next = next_run(finite(PG_GETARG_TIMESTAMPTZ(0)), finite(PG_GETARG_TIMESTAMPTZ(1)),
                                 microseconds(*PG_GETARG_INTERVAL_P(2)), PG_GETARG_INT32(3),
                                 pg_prng_double(&pg_global_prng_state));
    return TimestampTzGetDatum(std::min<TimestampTz>(next, END_TIMESTAMP - 1));
  });
}

// statement_timeout, changed inside a procedure, would only count from the next statement on: the
// timer itself is set, and PostgreSQL reports its end as it always does.
PG_FUNCTION_INFO_V1(vigil_limit_step);
Datum vigil_limit_step(PG_FUNCTION_ARGS) {
  return entry([&] {
    const Micros limit = microseconds(*PG_GETARG_INTERVAL_P(0));
    end_limit();
    if (limit > 0 && !get_timeout_active(STATEMENT_TIMEOUT)) {
      limited = true;
      enable_timeout_after(STATEMENT_TIMEOUT,
                           static_cast<int>(std::clamp<Micros>(limit / 1000, 1, 2147483647)));
    }
    return Datum{0};
  });
}

PG_FUNCTION_INFO_V1(vigil_raise_again);
Datum vigil_raise_again(PG_FUNCTION_ARGS) {
  return entry([&] {
    call([&] {
      char* texts[5];
      for (int i = 0; i < 5; ++i) texts[i] = text_to_cstring(PG_GETARG_TEXT_PP(i));
      if (std::strlen(texts[0]) != 5) elog(ERROR, "invalid SQLSTATE \"%s\"", texts[0]);
      const char* state = texts[0];
      ereport(ERROR, (errcode(MAKE_SQLSTATE(state[0], state[1], state[2], state[3], state[4])),
                      errmsg_internal("%s", texts[1]),
                      texts[2][0] != '\0' ? errdetail_internal("%s", texts[2]) : 0,
                      texts[3][0] != '\0' ? errhint("%s", texts[3]) : 0,
                      texts[4][0] != '\0' ? errcontext_msg("%s", texts[4]) : 0));
    });
    return Datum{0};
  });
}
}
