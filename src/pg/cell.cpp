// The one-pass aggregate of the roller and the readers of its result.
#include "core/cell.hpp"

#include <algorithm>
#include <cmath>

#include "core/distribution.hpp"
#include "pg/value_io.hpp"

using namespace vigil;
using namespace vigil::pg;

namespace {

std::optional<std::string_view> text_argument(FunctionCallInfo fcinfo, int number) {
  if (PG_ARGISNULL(number)) return std::nullopt;
  return text_view(PG_GETARG_DATUM(number));
}

Observation observation(FunctionCallInfo fcinfo) {
  if (PG_ARGISNULL(1) || PG_ARGISNULL(2))
    throw Error(Code::kNullValue, "time and name of an event must not be null");
  Observation seen{};
  seen.time = PG_GETARG_TIMESTAMPTZ(1);
  seen.name = text_view(PG_GETARG_DATUM(2));
  if (!PG_ARGISNULL(3)) seen.success = PG_GETARG_BOOL(3);
  if (!PG_ARGISNULL(4)) seen.duration = PG_GETARG_FLOAT8(4);
  if (!PG_ARGISNULL(5)) seen.value = PG_GETARG_FLOAT8(5);
  if (!PG_ARGISNULL(6)) seen.memory = PG_GETARG_INT64(6);
  if (!PG_ARGISNULL(7))
    seen.site = std::span<const std::uint8_t>(PG_GETARG_UUID_P(7)->data, UUID_LEN);
  seen.session = text_argument(fcinfo, 8);
  seen.user = text_argument(fcinfo, 9);
  seen.country = text_argument(fcinfo, 10);
  seen.device = text_argument(fcinfo, 11);
  seen.browser = text_argument(fcinfo, 12);
  if (PG_NARGS() > 13 && !PG_ARGISNULL(13)) seen.weight = PG_GETARG_FLOAT8(13);
  return seen;
}

// {"name": count, ...} as jsonb; the order of the keys is jsonb's own.
Datum breakdown_json(const Breakdowns& breakdowns, Breakdowns::Kind kind) {
  JsonbParseState* state = nullptr;
  call([&] { pushJsonbValue(&state, WJB_BEGIN_OBJECT, nullptr); });
  breakdowns.for_each(kind, [&](std::string_view name, std::uint64_t count) {
    const std::string digits = std::to_string(count);
    const char* text = digits.c_str();
    call([&] {
      // A cell that was given as bytes may hold any name.
      pg_verifymbstr(name.data(), static_cast<int>(name.size()), false);
      JsonbValue key{};
      key.type = jbvString;
      key.val.string.val = const_cast<char*>(name.data());
      key.val.string.len = static_cast<int>(name.size());
      pushJsonbValue(&state, WJB_KEY, &key);
      JsonbValue number{};
      number.type = jbvNumeric;
      number.val.numeric = DatumGetNumeric(DirectFunctionCall3(
          numeric_in, CStringGetDatum(text), ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)));
      pushJsonbValue(&state, WJB_VALUE, &number);
    });
  });
  return call([&] {
    JsonbValue* object = pushJsonbValue(&state, WJB_END_OBJECT, nullptr);
    return JsonbPGetDatum(JsonbValueToJsonb(object));
  });
}

Breakdowns::Kind breakdown_named(std::string_view name) {
  if (name == "names") return Breakdowns::Kind::kNames;
  if (name == "countries") return Breakdowns::Kind::kCountries;
  if (name == "devices") return Breakdowns::Kind::kDevices;
  if (name == "browsers") return Breakdowns::Kind::kBrowsers;
  throw Error(Code::kInvalidArgument, "unknown breakdown \"" + std::string(name) + "\"", {},
              "It is one of names, countries, devices, browsers.");
}

const HyperLogLog& uniques_named(const Cell& cell, std::string_view name) {
  if (name == "sites") return cell.sites;
  if (name == "sessions") return cell.sessions;
  if (name == "users") return cell.users;
  throw Error(Code::kInvalidArgument, "unknown set \"" + std::string(name) + "\"", {},
              "It is one of sites, sessions, users.");
}

Cell::Distribution distribution_named(std::string_view name) {
  if (name == "duration") return &Cell::duration;
  if (name == "value") return &Cell::value;
  throw Error(Code::kInvalidArgument, "unknown distribution \"" + std::string(name) + "\"", {},
              "It is one of duration, value.");
}

Datum distinct(const HyperLogLog& set) {
  return Int64GetDatum(std::llround(std::min(set.cardinality(), 0x1p62)));
}

std::int64_t as_bigint(std::uint64_t count) {
  if (count > static_cast<std::uint64_t>(PG_INT64_MAX))
    throw Error(Code::kNumericOutOfRange, "count is out of range for type bigint");
  return static_cast<std::int64_t>(count);
}

// Counts and sums need not what comes behind them.
Totals totals_of(Datum cell) {
  if (auto* expanded = Expanded<Cell>::of(cell)) return expanded->value();
  return Cell::read_totals(byte_view(cell));
}

std::int64_t cell_number(const Totals& cell, std::string_view name) {
  if (name == "count") return as_bigint(cell.count);
  if (name == "successes") return as_bigint(cell.successes);
  if (name == "failures") return as_bigint(cell.failures);
  if (name == "memory_count") return as_bigint(cell.memory_count);
  throw Error(Code::kInvalidArgument, "unknown number \"" + std::string(name) + "\"");
}

double cell_weight(const Totals& cell, std::string_view name) {
  if (name == "count") return cell.weight();
  if (name == "successes") return cell.weight_of_successes();
  if (name == "failures") return cell.weight_of_failures();
  throw Error(Code::kInvalidArgument, "unknown count \"" + std::string(name) + "\"", {},
              "It is one of count, successes, failures.");
}

// All that a chart shows of a cell, in one row.
Datum stats_row(FunctionCallInfo fcinfo, const Cell& cell, const Histogram& measure) {
  constexpr double kFractions[] = {0.5, 0.95, 0.99};
  double percentiles[3] = {};
  const bool empty = !measure.percentiles(kFractions, percentiles);
  Datum values[] = {Int64GetDatum(as_bigint(cell.count)),
                    Int64GetDatum(as_bigint(cell.failures)),
                    Float8GetDatum(mean(measure).value_or(0)),
                    Float8GetDatum(percentiles[0]),
                    Float8GetDatum(percentiles[1]),
                    Float8GetDatum(percentiles[2]),
                    Float8GetDatum(measure.max().value_or(0)),
                    distinct(cell.sites),
                    distinct(cell.sessions),
                    distinct(cell.users),
                    Float8GetDatum(cell.weight()),
                    Float8GetDatum(cell.weight_of_failures())};
  bool nulls[std::size(values)] = {};
  std::fill(nulls + 2, nulls + 7, empty);
  return call([&] {
    // A chart asks for hundreds of rows.
    auto* row = static_cast<TupleDesc>(fcinfo->flinfo->fn_extra);
    if (row == nullptr) {
      const MemoryContext before = MemoryContextSwitchTo(fcinfo->flinfo->fn_mcxt);
      if (get_call_result_type(fcinfo, nullptr, &row) != TYPEFUNC_COMPOSITE ||
          row->natts != static_cast<int>(std::size(values)))
        elog(ERROR, "return type must be a row of %zu columns", std::size(values));
      fcinfo->flinfo->fn_extra = BlessTupleDesc(row);
      MemoryContextSwitchTo(before);
    }
    return HeapTupleGetDatum(heap_form_tuple(row, values, nulls));
  });
}

// Cells without their breakdowns, and with one distribution if it is given.
void merge_measures(Cell& into, Datum cell, Cell::Distribution only) {
  if (auto* other = Expanded<Cell>::of(cell)) {
    ContextResource resource(CurrentMemoryContext);
    Bytes bytes(&resource);
    other->value().write_measures(bytes);
    into.merge_measures(bytes, only);
  } else {
    into.merge_measures(byte_view(cell), only);
  }
}

}  // namespace

extern "C" {

VIGIL_VALUE_IO(cell, vigil::Cell)

PG_FUNCTION_INFO_V1(vigil_cell_add);
Datum vigil_cell_add(PG_FUNCTION_ARGS) {
  return entry([&] {
    auto& state = state_argument<Cell>(fcinfo);
    state.value().add(observation(fcinfo));
    return state.datum();
  });
}

PG_FUNCTION_INFO_V1(vigil_cell_merge);
Datum vigil_cell_merge(PG_FUNCTION_ARGS) {
  if (PG_ARGISNULL(0) && PG_ARGISNULL(1)) PG_RETURN_NULL();
  return entry([&] {
    auto& state = state_argument<Cell>(fcinfo);
    if (PG_ARGISNULL(1)) return state.datum();
    if (auto* other = Expanded<Cell>::of(PG_GETARG_DATUM(1))) {
      state.value().merge(other->value());
    } else {
      state.value().merge_stored(byte_view(PG_GETARG_DATUM(1)));
    }
    return state.datum();
  });
}

PG_FUNCTION_INFO_V1(vigil_cell_merge_measures);
Datum vigil_cell_merge_measures(PG_FUNCTION_ARGS) {
  if (PG_ARGISNULL(0) && PG_ARGISNULL(1)) PG_RETURN_NULL();
  return entry([&] {
    auto& state = state_argument<Cell>(fcinfo);
    if (PG_ARGISNULL(1)) return state.datum();
    merge_measures(state.value(), PG_GETARG_DATUM(1), nullptr);
    return state.datum();
  });
}

PG_FUNCTION_INFO_V1(vigil_cell_fold);
Datum vigil_cell_fold(PG_FUNCTION_ARGS) {
  return entry([&] {
    const Reading<Cell> state(PG_GETARG_DATUM(0));
    if (state->breakdowns.size() <= Cell::kMostNames) return flat_datum(*state);
    // The state may be shared with another aggregate: fold a copy.
    ContextResource resource(CurrentMemoryContext);
    Bytes bytes(&resource);
    state->write(bytes);
    Cell folded = Cell::read(bytes, &resource);
    folded.fold(Cell::kMostNames);
    return flat_datum(folded);
  });
}

PG_FUNCTION_INFO_V1(vigil_cell_number);
Datum vigil_cell_number(PG_FUNCTION_ARGS) {
  return entry([&] {
    const Totals cell = totals_of(PG_GETARG_DATUM(0));
    return Int64GetDatum(cell_number(cell, text_view(PG_GETARG_DATUM(1))));
  });
}

PG_FUNCTION_INFO_V1(vigil_cell_weight);
Datum vigil_cell_weight(PG_FUNCTION_ARGS) {
  return entry([&] {
    const Totals cell = totals_of(PG_GETARG_DATUM(0));
    return Float8GetDatum(cell_weight(cell, text_view(PG_GETARG_DATUM(1))));
  });
}

PG_FUNCTION_INFO_V1(vigil_cell_time);
Datum vigil_cell_time(PG_FUNCTION_ARGS) {
  bool empty = false;
  const Datum result = entry([&] {
    const Totals cell = totals_of(PG_GETARG_DATUM(0));
    empty = cell.count == 0;
    return TimestampTzGetDatum(PG_GETARG_BOOL(1) ? cell.last_time : cell.first_time);
  });
  if (empty) PG_RETURN_NULL();
  return result;
}

// Average and largest memory, kilobytes.
PG_FUNCTION_INFO_V1(vigil_cell_memory_avg);
Datum vigil_cell_memory_avg(PG_FUNCTION_ARGS) {
  bool empty = false;
  const Datum result = entry([&] {
    const Totals cell = totals_of(PG_GETARG_DATUM(0));
    empty = cell.memory_count == 0;
    const auto sum = static_cast<long double>(cell.memory_sum);
    return Float8GetDatum(
        empty ? 0 : static_cast<double>(sum / static_cast<long double>(cell.memory_count)));
  });
  if (empty) PG_RETURN_NULL();
  return result;
}

PG_FUNCTION_INFO_V1(vigil_cell_memory_max);
Datum vigil_cell_memory_max(PG_FUNCTION_ARGS) {
  bool empty = false;
  const Datum result = entry([&] {
    const Totals cell = totals_of(PG_GETARG_DATUM(0));
    empty = cell.memory_count == 0;
    return Int64GetDatum(cell.memory_max);
  });
  if (empty) PG_RETURN_NULL();
  return result;
}

PG_FUNCTION_INFO_V1(vigil_cell_distribution);
Datum vigil_cell_distribution(PG_FUNCTION_ARGS) {
  return entry([&] {
    const Reading<Cell> cell(PG_GETARG_DATUM(0));
    return flat_datum((*cell).*distribution_named(text_view(PG_GETARG_DATUM(1))));
  });
}

PG_FUNCTION_INFO_V1(vigil_cell_uniques);
Datum vigil_cell_uniques(PG_FUNCTION_ARGS) {
  return entry([&] {
    const Reading<Cell> cell(PG_GETARG_DATUM(0));
    return flat_datum(uniques_named(*cell, text_view(PG_GETARG_DATUM(1))));
  });
}

PG_FUNCTION_INFO_V1(vigil_cell_stats);
Datum vigil_cell_stats(PG_FUNCTION_ARGS) {
  return entry([&] {
    const Reading<Cell> cell(PG_GETARG_DATUM(0));
    const auto measure = distribution_named(text_view(PG_GETARG_DATUM(1)));
    return stats_row(fcinfo, *cell, (*cell).*measure);
  });
}

// The step of an aggregate that merges what the numbers of one measure take.
PG_FUNCTION_INFO_V1(vigil_cell_merge_stats);
Datum vigil_cell_merge_stats(PG_FUNCTION_ARGS) {
  if (PG_ARGISNULL(0) && (PG_ARGISNULL(1) || PG_ARGISNULL(2))) PG_RETURN_NULL();
  return entry([&] {
    auto& state = state_argument<Cell>(fcinfo);
    if (PG_ARGISNULL(1) || PG_ARGISNULL(2)) return state.datum();
    const auto measure = distribution_named(text_view(PG_GETARG_DATUM(2)));
    merge_measures(state.value(), PG_GETARG_DATUM(1), measure);
    return state.datum();
  });
}

// Its end: the state has one distribution.
PG_FUNCTION_INFO_V1(vigil_cell_merged_stats);
Datum vigil_cell_merged_stats(PG_FUNCTION_ARGS) {
  return entry([&] {
    const Reading<Cell> cell(PG_GETARG_DATUM(0));
    return stats_row(fcinfo, *cell, cell->value.count() > 0 ? cell->value : cell->duration);
  });
}

PG_FUNCTION_INFO_V1(vigil_cell_breakdown);
Datum vigil_cell_breakdown(PG_FUNCTION_ARGS) {
  return entry([&] {
    const Reading<Cell> cell(PG_GETARG_DATUM(0));
    return breakdown_json(cell->breakdowns, breakdown_named(text_view(PG_GETARG_DATUM(1))));
  });
}
}
