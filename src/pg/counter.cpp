#include "core/counter.hpp"

#include "pg/value_io.hpp"

using namespace vigil;
using namespace vigil::pg;

namespace {

// A result that may be SQL's null.
struct Result {
  bool known;
  Datum value;
};

Result result_of(const std::optional<double>& value) {
  return {value.has_value(), Float8GetDatum(value.value_or(0))};
}

Result result_of(const std::optional<std::uint64_t>& value) {
  return {value.has_value(), Int64GetDatum(static_cast<std::int64_t>(value.value_or(0)))};
}

std::int64_t time_argument(FunctionCallInfo fcinfo, int number, const char* hint) {
  const TimestampTz time = PG_GETARG_TIMESTAMPTZ(number);
  if (TIMESTAMP_NOT_FINITE(time))
    throw Error(Code::kTimestampOutOfRange, "time of a counter must not be infinite", {}, hint);
  return time;
}

std::optional<std::int64_t> bound_argument(FunctionCallInfo fcinfo, int number) {
  if (PG_ARGISNULL(number)) return std::nullopt;
  return time_argument(fcinfo, number, "Null reaches to the first or the last sample.");
}

// get(counter, range) of the arguments (counter, from, to).
template <typename Get>
Datum read_range(FunctionCallInfo fcinfo, Get&& get) {
  if (PG_ARGISNULL(0)) PG_RETURN_NULL();
  const Result result = entry([&] {
    const Counter::Range range = {bound_argument(fcinfo, 1), bound_argument(fcinfo, 2)};
    const Reading<Counter> counter(PG_GETARG_DATUM(0));
    return result_of(get(*counter, range));
  });
  if (!result.known) PG_RETURN_NULL();
  return result.value;
}

}  // namespace

extern "C" {

VIGIL_VALUE_IO(counter, vigil::Counter)

PG_FUNCTION_INFO_V1(vigil_counter_add);
Datum vigil_counter_add(PG_FUNCTION_ARGS) {
  const bool missing = PG_ARGISNULL(1) || PG_ARGISNULL(2);
  if (PG_ARGISNULL(0) && missing) PG_RETURN_NULL();
  return entry([&] {
    auto& state = state_argument<Counter>(fcinfo);
    if (!missing) {
      const std::int64_t time = time_argument(fcinfo, 1, "Leave such rows out with FILTER.");
      state.value().add(time, PG_GETARG_FLOAT8(2));
    }
    return state.datum();
  });
}

PG_FUNCTION_INFO_V1(vigil_counter_merge);
Datum vigil_counter_merge(PG_FUNCTION_ARGS) {
  if (PG_ARGISNULL(0) && PG_ARGISNULL(1)) PG_RETURN_NULL();
  return entry([&] {
    auto& state = state_argument<Counter>(fcinfo);
    if (!PG_ARGISNULL(1)) state.value().merge(*Reading<Counter>(PG_GETARG_DATUM(1)));
    return state.datum();
  });
}

PG_FUNCTION_INFO_V1(vigil_counter_increase);
Datum vigil_counter_increase(PG_FUNCTION_ARGS) {
  return read_range(fcinfo, [](const Counter& counter, const Counter::Range& range) {
    return counter.increase(range);
  });
}

PG_FUNCTION_INFO_V1(vigil_counter_rate);
Datum vigil_counter_rate(PG_FUNCTION_ARGS) {
  return read_range(fcinfo, [](const Counter& counter, const Counter::Range& range) {
    return counter.rate(range);
  });
}

PG_FUNCTION_INFO_V1(vigil_counter_idelta);
Datum vigil_counter_idelta(PG_FUNCTION_ARGS) {
  return read_range(fcinfo, [](const Counter& counter, const Counter::Range& range) {
    return counter.idelta(range);
  });
}

PG_FUNCTION_INFO_V1(vigil_counter_irate);
Datum vigil_counter_irate(PG_FUNCTION_ARGS) {
  return read_range(fcinfo, [](const Counter& counter, const Counter::Range& range) {
    return counter.irate(range);
  });
}

PG_FUNCTION_INFO_V1(vigil_counter_resets);
Datum vigil_counter_resets(PG_FUNCTION_ARGS) {
  return read_range(fcinfo, [](const Counter& counter, const Counter::Range& range) {
    return counter.resets(range);
  });
}

PG_FUNCTION_INFO_V1(vigil_counter_count);
Datum vigil_counter_count(PG_FUNCTION_ARGS) {
  return entry([&] {
    const Reading<Counter> counter(PG_GETARG_DATUM(0));
    return Int64GetDatum(static_cast<std::int64_t>(counter->samples().size()));
  });
}
}
