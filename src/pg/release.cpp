// vigil.compare_releases.
#include "core/release.hpp"

#include "pg/boundary.hpp"

using namespace vigil;
using namespace vigil::pg;

extern "C" {

PG_FUNCTION_INFO_V1(vigil_compare_releases);
Datum vigil_compare_releases(PG_FUNCTION_ARGS) {
  constexpr int kUnordered = 2;
  const int order = entry([&] {
    const std::partial_ordering result =
        compare_releases(text_view(PG_GETARG_DATUM(0)), text_view(PG_GETARG_DATUM(1)));
    if (result == std::partial_ordering::unordered) return kUnordered;
    return result < 0 ? -1 : result > 0 ? 1 : 0;
  });
  if (order == kUnordered) PG_RETURN_NULL();
  PG_RETURN_INT32(order);
}
}
