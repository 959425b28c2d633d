// What a vigil.histogram tells.
#include <cmath>

#include "core/distribution.hpp"
#include "core/percentile_state.hpp"
#include "pg/float_array.hpp"
#include "pg/value_io.hpp"

using namespace vigil;
using namespace vigil::pg;

namespace {

// A result that may be SQL's null.
struct Number {
  bool known;
  double value;
};

template <typename Read>
Datum read_number(FunctionCallInfo fcinfo, Read&& read) {
  const Number number = entry([&] {
    const Reading<Histogram> histogram(PG_GETARG_DATUM(0));
    const std::optional<double> value = read(*histogram);
    return Number{value.has_value(), value.value_or(0)};
  });
  if (!number.known) PG_RETURN_NULL();
  PG_RETURN_FLOAT8(number.value);
}

Datum count_datum(std::uint64_t count) {
  if (count > static_cast<std::uint64_t>(PG_INT64_MAX))
    throw Error(Code::kNumericOutOfRange, "count is out of range for type bigint",
                "It is " + std::to_string(count) + ".");
  return Int64GetDatum(static_cast<std::int64_t>(count));
}

// One row of a set-returning function.
template <std::size_t size>
void put_row(FunctionCallInfo fcinfo, const Datum (&values)[size]) {
  auto* result = reinterpret_cast<ReturnSetInfo*>(fcinfo->resultinfo);
  bool nulls[size] = {};
  Datum copies[size];
  std::copy(values, values + size, copies);
  call([&] { tuplestore_putvalues(result->setResult, result->setDesc, copies, nulls); });
}

// Like %.4g: enough digits to tell buckets apart that are shown side by side.
std::string short_text(double value) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.4g", value);
  return text;
}

std::size_t rows_argument(FunctionCallInfo fcinfo, int number) {
  const int rows = PG_GETARG_INT32(number);
  if (rows < 12 || rows > 1000)
    throw Error(Code::kInvalidArgument, "number of rows is out of range",
                "It is " + std::to_string(rows) + " and must be between 12 and 1000.");
  return static_cast<std::size_t>(rows);
}

}  // namespace

extern "C" {

PG_FUNCTION_INFO_V1(vigil_histogram_percentile);
Datum vigil_histogram_percentile(PG_FUNCTION_ARGS) {
  return read_number(fcinfo, [&](const Histogram& histogram) {
    return histogram.percentile(PG_GETARG_FLOAT8(1));
  });
}

PG_FUNCTION_INFO_V1(vigil_histogram_percentiles);
Datum vigil_histogram_percentiles(PG_FUNCTION_ARGS) {
  bool is_null = false;
  const Datum result = entry([&]() -> Datum {
    const Reading<Histogram> histogram(PG_GETARG_DATUM(0));
    const auto fractions = fractions_of(PG_GETARG_DATUM(1));
    PercentileState::check_range(fractions);
    is_null = histogram->count() == 0;
    if (is_null) return 0;
    ContextResource resource(CurrentMemoryContext);
    std::pmr::vector<double> values(fractions.size(), &resource);
    percentiles_or_nan(*histogram, fractions, values);
    return float_array(values);
  });
  if (is_null) PG_RETURN_NULL();
  return result;
}

PG_FUNCTION_INFO_V1(vigil_histogram_rank);
Datum vigil_histogram_rank(PG_FUNCTION_ARGS) {
  return read_number(
      fcinfo, [&](const Histogram& histogram) { return histogram.rank(PG_GETARG_FLOAT8(1)); });
}

PG_FUNCTION_INFO_V1(vigil_histogram_count);
Datum vigil_histogram_count(PG_FUNCTION_ARGS) {
  return entry([&] { return count_datum(Reading<Histogram>(PG_GETARG_DATUM(0))->count()); });
}

PG_FUNCTION_INFO_V1(vigil_histogram_sum);
Datum vigil_histogram_sum(PG_FUNCTION_ARGS) {
  return read_number(fcinfo, [](const Histogram& histogram) -> std::optional<double> {
    if (histogram.count() == 0) return std::nullopt;
    return histogram.sum();
  });
}

PG_FUNCTION_INFO_V1(vigil_histogram_mean);
Datum vigil_histogram_mean(PG_FUNCTION_ARGS) {
  return read_number(fcinfo, [](const Histogram& histogram) { return mean(histogram); });
}

PG_FUNCTION_INFO_V1(vigil_histogram_min);
Datum vigil_histogram_min(PG_FUNCTION_ARGS) {
  return read_number(fcinfo, [](const Histogram& histogram) { return histogram.min(); });
}

PG_FUNCTION_INFO_V1(vigil_histogram_max);
Datum vigil_histogram_max(PG_FUNCTION_ARGS) {
  return read_number(fcinfo, [](const Histogram& histogram) { return histogram.max(); });
}

PG_FUNCTION_INFO_V1(vigil_histogram_stddev);
Datum vigil_histogram_stddev(PG_FUNCTION_ARGS) {
  return read_number(fcinfo,
                     [](const Histogram& histogram) { return sample_deviation(histogram); });
}

PG_FUNCTION_INFO_V1(vigil_histogram_trimmed_mean);
Datum vigil_histogram_trimmed_mean(PG_FUNCTION_ARGS) {
  return read_number(fcinfo, [&](const Histogram& histogram) {
    return trimmed_mean(histogram, PG_GETARG_FLOAT8(1), PG_GETARG_FLOAT8(2));
  });
}

PG_FUNCTION_INFO_V1(vigil_histogram_apdex);
Datum vigil_histogram_apdex(PG_FUNCTION_ARGS) {
  return read_number(
      fcinfo, [&](const Histogram& histogram) { return apdex(histogram, PG_GETARG_FLOAT8(1)); });
}

PG_FUNCTION_INFO_V1(vigil_histogram_error);
Datum vigil_histogram_error(PG_FUNCTION_ARGS) {
  return entry(
      [&] { return Float8GetDatum(Reading<Histogram>(PG_GETARG_DATUM(0))->max_relative_error()); });
}

PG_FUNCTION_INFO_V1(vigil_histogram_ks_distance);
Datum vigil_histogram_ks_distance(PG_FUNCTION_ARGS) {
  return read_number(fcinfo, [&](const Histogram& histogram) -> std::optional<double> {
    const auto test = ks_test(histogram, *Reading<Histogram>(PG_GETARG_DATUM(1)));
    if (!test) return std::nullopt;
    return test->distance;
  });
}

PG_FUNCTION_INFO_V1(vigil_histogram_ks_test);
Datum vigil_histogram_ks_test(PG_FUNCTION_ARGS) {
  return entry([&]() -> Datum {
    call([&] { InitMaterializedSRF(fcinfo, 0); });
    const Reading<Histogram> one(PG_GETARG_DATUM(0));
    const Reading<Histogram> other(PG_GETARG_DATUM(1));
    if (const auto test = ks_test(*one, *other))
      put_row(fcinfo, {Float8GetDatum(test->distance), Float8GetDatum(test->p_value)});
    return 0;
  });
}

PG_FUNCTION_INFO_V1(vigil_histogram_buckets);
Datum vigil_histogram_buckets(PG_FUNCTION_ARGS) {
  return entry([&]() -> Datum {
    call([&] { InitMaterializedSRF(fcinfo, 0); });
    const Reading<Histogram> histogram(PG_GETARG_DATUM(0));
    histogram->for_each_bucket([&](const Histogram::Bucket& bucket) {
      put_row(fcinfo, {Float8GetDatum(bucket.lower), Float8GetDatum(bucket.upper),
                       count_datum(bucket.count)});
    });
    return 0;
  });
}

PG_FUNCTION_INFO_V1(vigil_histogram_show);
Datum vigil_histogram_show(PG_FUNCTION_ARGS) {
  return entry([&]() -> Datum {
    call([&] { InitMaterializedSRF(fcinfo, 0); });
    const std::size_t most = rows_argument(fcinfo, 1);
    const Reading<Histogram> histogram(PG_GETARG_DATUM(0));
    const auto rows = histogram->overview(most);
    std::uint64_t largest = 1;
    for (const auto& row : rows) largest = std::max(largest, row.count);
    constexpr double kWidth = 40;
    for (const auto& row : rows) {
      std::string range = short_text(row.lower);
      if (row.lower != row.upper) range += " to " + short_text(row.upper);
      const auto count = static_cast<double>(row.count);
      const double length = std::ceil(kWidth * count / static_cast<double>(largest));
      const double share = count / static_cast<double>(histogram->count());
      put_row(fcinfo, {text_datum(range), count_datum(row.count),
                       Float8GetDatum(std::round(share * 1e4) / 100),
                       text_datum(std::string(static_cast<std::size_t>(length), '#'))});
    }
    return 0;
  });
}

PG_FUNCTION_INFO_V1(vigil_histogram_plus);
Datum vigil_histogram_plus(PG_FUNCTION_ARGS) {
  return entry([&] {
    ContextResource resource(CurrentMemoryContext);
    Histogram result(*Reading<Histogram>(PG_GETARG_DATUM(0)), &resource);
    result.merge(*Reading<Histogram>(PG_GETARG_DATUM(1)));
    return flat_datum(result);
  });
}

PG_FUNCTION_INFO_V1(vigil_histogram_subtract);
Datum vigil_histogram_subtract(PG_FUNCTION_ARGS) {
  return entry([&] {
    ContextResource resource(CurrentMemoryContext);
    Histogram result(*Reading<Histogram>(PG_GETARG_DATUM(0)), &resource);
    result.subtract(*Reading<Histogram>(PG_GETARG_DATUM(1)));
    return flat_datum(result);
  });
}
}
