// One-step percentiles: vigil.approx_percentile(value, fraction or fractions).
#include <cmath>

#include "core/percentile_state.hpp"
#include "pg/float_array.hpp"
#include "pg/value_io.hpp"

using namespace vigil;
using namespace vigil::pg;

namespace {

// Adds a row; `same(state)` tells without failing whether its fractions are those of the state, and
// `fractions()` reads them.
template <typename Same, typename Fractions>
Datum add_row(FunctionCallInfo fcinfo, Same&& same, Fractions&& fractions) {
  if (auto* state = running_state<PercentileState>(fcinfo))
    if (same(*state) && state->histogram.try_add(PG_GETARG_FLOAT8(1))) return PG_GETARG_DATUM(0);
  return entry([&] {
    auto& state = state_argument<PercentileState>(fcinfo);
    if (PG_ARGISNULL(0))
      state.value().set_fractions(fractions());
    else
      state.value().check_fractions(fractions());
    state.value().histogram.add(PG_GETARG_FLOAT8(1));
    return state.datum();
  });
}

// A row without a value or without fractions changes nothing.
bool is_skipped(FunctionCallInfo fcinfo) { return PG_ARGISNULL(1) || PG_ARGISNULL(2); }

Datum unchanged(FunctionCallInfo fcinfo) {
  if (PG_ARGISNULL(0)) PG_RETURN_NULL();
  return PG_GETARG_DATUM(0);
}

}  // namespace

extern "C" {

VIGIL_VALUE_IO(percentile_state, vigil::PercentileState)

PG_FUNCTION_INFO_V1(vigil_percentile_add);
Datum vigil_percentile_add(PG_FUNCTION_ARGS) {
  if (is_skipped(fcinfo)) return unchanged(fcinfo);
  const double fraction = PG_GETARG_FLOAT8(2);
  return add_row(
      fcinfo,
      [&](const PercentileState& state) {
        const auto fractions = state.fractions();
        return fractions.size() == 1 && fractions[0] == fraction;
      },
      [&] {
        Histogram::check_fraction(fraction);  // NaN is null only in an array
        return std::span<const double>(&fraction, 1);
      });
}

PG_FUNCTION_INFO_V1(vigil_percentiles_add);
Datum vigil_percentiles_add(PG_FUNCTION_ARGS) {
  if (is_skipped(fcinfo)) return unchanged(fcinfo);
  const Datum array = PG_GETARG_DATUM(2);
  return add_row(
      fcinfo, [&](const PercentileState& state) { return holds_floats(array, state.fractions()); },
      [&] { return fractions_of(array); });
}

PG_FUNCTION_INFO_V1(vigil_percentile_merge);
Datum vigil_percentile_merge(PG_FUNCTION_ARGS) {
  if (PG_ARGISNULL(1)) return unchanged(fcinfo);
  return entry([&] {
    const Reading<PercentileState> other(PG_GETARG_DATUM(1));
    auto& state = state_argument<PercentileState>(fcinfo);
    if (PG_ARGISNULL(0)) state.value().set_fractions(other->fractions());
    state.value().merge(*other);
    return state.datum();
  });
}

PG_FUNCTION_INFO_V1(vigil_percentile_result);
Datum vigil_percentile_result(PG_FUNCTION_ARGS) {
  return entry([&] {
    const Reading<PercentileState> state(PG_GETARG_DATUM(0));
    if (state->fractions().size() != 1)
      throw Error(Code::kInvalidArgument, "percentile state does not hold one fraction");
    double value = 0;
    state->percentiles({&value, 1});
    return Float8GetDatum(value);
  });
}

PG_FUNCTION_INFO_V1(vigil_percentiles_result);
Datum vigil_percentiles_result(PG_FUNCTION_ARGS) {
  return entry([&] {
    const Reading<PercentileState> state(PG_GETARG_DATUM(0));
    ContextResource resource(CurrentMemoryContext);
    std::pmr::vector<double> values(state->fractions().size(), &resource);
    state->percentiles(values);
    return float_array(values);
  });
}
}
