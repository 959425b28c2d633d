#include "core/ip.hpp"

#include "pg/boundary.hpp"

using namespace vigil;
using namespace vigil::pg;

extern "C" {

// hash_ip(ip text, key bytea, scheme text)
PG_FUNCTION_INFO_V1(vigil_hash_ip);
Datum vigil_hash_ip(PG_FUNCTION_ARGS) {
  return entry([&] {
    const std::string_view ip = text_view(PG_GETARG_DATUM(0));
    const std::string_view key = text_view(PG_GETARG_DATUM(1));
    const std::string_view scheme = text_view(PG_GETARG_DATUM(2));
    if (scheme == "hmac") return text_datum(hash_ip(ip, key));
    if (scheme == "seed") return text_datum(seed_hash_ip(ip, key));
    throw Error(Code::kInvalidArgument, "unknown hash scheme \"" + std::string(scheme) + "\"", {},
                "Known schemes: hmac, seed.");
  });
}
}
