#include "core/hyperloglog.hpp"

#include <cmath>

#include "pg/value_io.hpp"

using namespace vigil;
using namespace vigil::pg;

namespace {

template <typename BytesOf>
Datum add_value(FunctionCallInfo fcinfo, BytesOf&& bytes_of) {
  return entry([&] {
    auto& state = state_argument<HyperLogLog>(fcinfo);
    if (!PG_ARGISNULL(1)) state.value().add_bytes(bytes_of());
    return state.datum();
  });
}

}  // namespace

extern "C" {

VIGIL_VALUE_IO(hyperloglog, vigil::HyperLogLog)

PG_FUNCTION_INFO_V1(vigil_hyperloglog_add_text);
Datum vigil_hyperloglog_add_text(PG_FUNCTION_ARGS) {
  if (PG_ARGISNULL(0) && PG_ARGISNULL(1)) PG_RETURN_NULL();
  return add_value(fcinfo, [&] { return byte_view(PG_GETARG_DATUM(1)); });
}

PG_FUNCTION_INFO_V1(vigil_hyperloglog_add_uuid);
Datum vigil_hyperloglog_add_uuid(PG_FUNCTION_ARGS) {
  if (PG_ARGISNULL(0) && PG_ARGISNULL(1)) PG_RETURN_NULL();
  return add_value(fcinfo, [&] {
    return std::span<const std::uint8_t>(PG_GETARG_UUID_P(1)->data, UUID_LEN);
  });
}

PG_FUNCTION_INFO_V1(vigil_hyperloglog_merge);
Datum vigil_hyperloglog_merge(PG_FUNCTION_ARGS) {
  if (PG_ARGISNULL(0) && PG_ARGISNULL(1)) PG_RETURN_NULL();
  return entry([&] {
    auto& state = state_argument<HyperLogLog>(fcinfo);
    if (!PG_ARGISNULL(1)) state.value().merge(*Reading<HyperLogLog>(PG_GETARG_DATUM(1)));
    return state.datum();
  });
}

PG_FUNCTION_INFO_V1(vigil_hyperloglog_cardinality);
Datum vigil_hyperloglog_cardinality(PG_FUNCTION_ARGS) {
  return entry([&] {
    const Reading<HyperLogLog> set(PG_GETARG_DATUM(0));
    return Int64GetDatum(std::llround(set->cardinality()));
  });
}
}
