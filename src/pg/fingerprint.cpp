#include "core/fingerprint.hpp"

#include "pg/boundary.hpp"

using namespace vigil;
using namespace vigil::pg;

extern "C" {

// fingerprint(error_type, error_name, message, stack, scheme): the message is no part of scheme
// seed.
PG_FUNCTION_INFO_V1(vigil_fingerprint);
Datum vigil_fingerprint(PG_FUNCTION_ARGS) {
  if (PG_ARGISNULL(0) || PG_ARGISNULL(1) || PG_ARGISNULL(4)) PG_RETURN_NULL();
  return entry([&] {
    const std::string_view scheme = text_view(PG_GETARG_DATUM(4));
    if (scheme != "seed")
      throw Error(Code::kInvalidArgument,
                  "unknown fingerprint scheme \"" + std::string(scheme) + "\"", {},
                  "Known schemes: seed.");
    const std::string_view stack =
        PG_ARGISNULL(3) ? std::string_view() : text_view(PG_GETARG_DATUM(3));
    return text_datum(
        seed_fingerprint(text_view(PG_GETARG_DATUM(0)), text_view(PG_GETARG_DATUM(1)), stack));
  });
}
}
