// Arrays of double precision as plain values, where NaN stands for a null element.
#pragma once

#include "pg/boundary.hpp"

namespace vigil::pg {

// Whether an array has one dimension and just these elements, none NaN; told without any call
// that could fail, so "no" may also mean that the array is compressed or out of line.
inline bool holds_floats(Datum array, std::span<const double> values) noexcept {
  if (VARATT_IS_EXTENDED(DatumGetPointer(array))) return false;
  const auto* plain = reinterpret_cast<const ArrayType*>(DatumGetPointer(array));
  if (ARR_NDIM(plain) != 1 || ARR_HASNULL(plain) ||
      static_cast<std::size_t>(ARR_DIMS(plain)[0]) != values.size())
    return false;
  const auto* elements = reinterpret_cast<const double*>(ARR_DATA_PTR(plain));
  return std::equal(values.begin(), values.end(), elements);
}

// The elements of an array of at most one dimension in the current memory context, NaN for null;
// Error{kInvalidArgument} for one of more dimensions.
std::span<const double> floats_of(Datum array);

// The same as percentile fractions: Error{kInvalidArgument} for a NaN that is not null.
std::span<const double> fractions_of(Datum array);

// An array datum in the current memory context.
Datum float_array(std::span<const double> values);

}  // namespace vigil::pg
