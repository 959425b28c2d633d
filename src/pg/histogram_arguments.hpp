// Arguments that several functions of vigil.histogram take.
#pragma once

#include "core/histogram.hpp"
#include "pg/boundary.hpp"

namespace vigil::pg {

// The scale that a maximum relative error asks for.
inline int scale_argument(FunctionCallInfo fcinfo, int number) {
  if (PG_ARGISNULL(number))
    throw Error(Code::kNullValue, "maximum relative error must not be null", "",
                "Give 0.01 for percentiles within 1 %.");
  return Histogram::scale_for(PG_GETARG_FLOAT8(number));
}

inline void check_same_scale(int first, int present) {
  if (first != present)
    throw Error(Code::kInvalidArgument, "maximum relative error must be the same in all rows",
                "An aggregate call keeps the precision of its first row.",
                "Give the error as a constant, or group by it.");
}

}  // namespace vigil::pg
