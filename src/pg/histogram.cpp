// Type and aggregates of vigil.histogram.
#include "core/histogram.hpp"

#include "pg/histogram_arguments.hpp"
#include "pg/value_io.hpp"

using namespace vigil;
using namespace vigil::pg;

extern "C" {

VIGIL_VALUE_IO(histogram, vigil::Histogram)

PG_FUNCTION_INFO_V1(vigil_histogram_add);
Datum vigil_histogram_add(PG_FUNCTION_ARGS) {
  if (PG_ARGISNULL(0) && PG_ARGISNULL(1)) PG_RETURN_NULL();
  if (!PG_ARGISNULL(1))
    if (auto* state = running_state<Histogram>(fcinfo))
      if (state->try_add(PG_GETARG_FLOAT8(1))) return PG_GETARG_DATUM(0);
  return entry([&] {
    auto& state = state_argument<Histogram>(fcinfo);
    if (!PG_ARGISNULL(1)) state.value().add(PG_GETARG_FLOAT8(1));
    return state.datum();
  });
}

PG_FUNCTION_INFO_V1(vigil_histogram_add_within);
Datum vigil_histogram_add_within(PG_FUNCTION_ARGS) {
  if (PG_ARGISNULL(1)) {
    if (PG_ARGISNULL(0)) PG_RETURN_NULL();
    return PG_GETARG_DATUM(0);
  }
  if (!PG_ARGISNULL(2))
    if (auto* state = running_state<Histogram>(fcinfo))
      if (state->is_made_for(PG_GETARG_FLOAT8(2)) && state->try_add(PG_GETARG_FLOAT8(1)))
        return PG_GETARG_DATUM(0);
  return entry([&] {
    const int scale = scale_argument(fcinfo, 2);
    auto& state = state_argument<Histogram>(
        fcinfo, [&](std::pmr::memory_resource* resource) { return Histogram(resource, scale); });
    check_same_scale(state.value().requested_scale(), scale);
    state.value().add(PG_GETARG_FLOAT8(1));
    return state.datum();
  });
}

PG_FUNCTION_INFO_V1(vigil_histogram_merge);
Datum vigil_histogram_merge(PG_FUNCTION_ARGS) {
  if (PG_ARGISNULL(0) && PG_ARGISNULL(1)) PG_RETURN_NULL();
  return entry([&] {
    auto& state = state_argument<Histogram>(fcinfo);
    if (!PG_ARGISNULL(1)) state.value().merge(*Reading<Histogram>(PG_GETARG_DATUM(1)));
    return state.datum();
  });
}
}
