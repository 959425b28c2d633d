#include "core/histogram.hpp"

#include <cmath>

#include "pg/histogram_arguments.hpp"
#include "pg/value_io.hpp"

using namespace vigil;
using namespace vigil::pg;

namespace {

// A result that may be SQL's null.
struct Number {
  bool known;
  double value;
};

Number number_of(const std::optional<double>& value) {
  return {value.has_value(), value.value_or(0)};
}

template <typename Read>
Datum read_number(FunctionCallInfo fcinfo, Read&& read) {
  const Number number = entry([&] {
    const Reading<Histogram> histogram(PG_GETARG_DATUM(0));
    return read(*histogram);
  });
  if (!number.known) PG_RETURN_NULL();
  PG_RETURN_FLOAT8(number.value);
}

// Two passes over the buckets, each standing for its middle, keep the difference of squares exact
// enough; up to 64 different values the buckets are the values.
Number sample_deviation(const Histogram& histogram) {
  if (histogram.count() < 2) return {false, 0};
  const auto count = static_cast<double>(histogram.count());
  const double mean = histogram.sum() / count;
  double squares = 0;
  histogram.for_each_bucket([&](const Histogram::Bucket& bucket) {
    const double distance = bucket.lower / 2 + bucket.upper / 2 - mean;
    squares += distance * distance * static_cast<double>(bucket.count);
  });
  return {true, std::sqrt(squares / (count - 1))};
}

}  // namespace

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

PG_FUNCTION_INFO_V1(vigil_histogram_percentile);
Datum vigil_histogram_percentile(PG_FUNCTION_ARGS) {
  return read_number(fcinfo, [&](const Histogram& histogram) {
    return number_of(histogram.percentile(PG_GETARG_FLOAT8(1)));
  });
}

PG_FUNCTION_INFO_V1(vigil_histogram_count);
Datum vigil_histogram_count(PG_FUNCTION_ARGS) {
  return entry([&] {
    const Reading<Histogram> histogram(PG_GETARG_DATUM(0));
    if (histogram->count() > static_cast<std::uint64_t>(PG_INT64_MAX))
      throw Error(Code::kNumericOutOfRange, "count is out of range for type bigint");
    return Int64GetDatum(static_cast<std::int64_t>(histogram->count()));
  });
}

PG_FUNCTION_INFO_V1(vigil_histogram_sum);
Datum vigil_histogram_sum(PG_FUNCTION_ARGS) {
  return read_number(fcinfo, [](const Histogram& histogram) {
    return Number{histogram.count() > 0, histogram.sum()};
  });
}

PG_FUNCTION_INFO_V1(vigil_histogram_min);
Datum vigil_histogram_min(PG_FUNCTION_ARGS) {
  return read_number(fcinfo, [](const Histogram& histogram) { return number_of(histogram.min()); });
}

PG_FUNCTION_INFO_V1(vigil_histogram_max);
Datum vigil_histogram_max(PG_FUNCTION_ARGS) {
  return read_number(fcinfo, [](const Histogram& histogram) { return number_of(histogram.max()); });
}

PG_FUNCTION_INFO_V1(vigil_histogram_stddev);
Datum vigil_histogram_stddev(PG_FUNCTION_ARGS) { return read_number(fcinfo, sample_deviation); }
}
