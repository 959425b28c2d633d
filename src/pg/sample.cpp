#include "core/sample.hpp"

#include "pg/boundary.hpp"

using namespace vigil;
using namespace vigil::pg;

extern "C" {

// sampled(id text, rate double precision)
PG_FUNCTION_INFO_V1(vigil_sampled);
Datum vigil_sampled(PG_FUNCTION_ARGS) {
  return entry(
      [&] { return BoolGetDatum(is_sampled(text_view(PG_GETARG_DATUM(0)), PG_GETARG_FLOAT8(1))); });
}
}
