#include "pg/float_array.hpp"

#include <cmath>
#include <limits>

namespace vigil::pg {

namespace {

std::span<const double> read_array(Datum array, bool has_nan) {
  Datum* elements = nullptr;
  bool* nulls = nullptr;
  int size = 0;
  const int dimensions = call([&] {
    ArrayType* plain = DatumGetArrayTypeP(array);
    deconstruct_array(plain, FLOAT8OID, sizeof(double), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE, &elements,
                      &nulls, &size);
    return ARR_NDIM(plain);
  });
  if (dimensions > 1)
    throw Error(Code::kInvalidArgument, "the array must have one dimension",
                "It has " + std::to_string(dimensions) + " dimensions.");
  auto* values = static_cast<double*>(allocate(sizeof(double) * static_cast<std::size_t>(size)));
  for (int i = 0; i < size; ++i) {
    values[i] = nulls[i] ? std::numeric_limits<double>::quiet_NaN() : DatumGetFloat8(elements[i]);
    if (!nulls[i] && std::isnan(values[i]) && !has_nan)
      throw Error(Code::kInvalidArgument, "percentile fraction NaN is out of range",
                  "The fraction must be between 0 and 1.");
  }
  return {values, static_cast<std::size_t>(size)};
}

}  // namespace

std::span<const double> floats_of(Datum array) { return read_array(array, true); }

std::span<const double> fractions_of(Datum array) { return read_array(array, false); }

Datum float_array(std::span<const double> values) {
  auto* elements = static_cast<Datum*>(allocate(sizeof(Datum) * values.size()));
  auto* nulls = static_cast<bool*>(allocate(sizeof(bool) * values.size()));
  for (std::size_t i = 0; i < values.size(); ++i) {
    nulls[i] = std::isnan(values[i]);
    elements[i] = nulls[i] ? Datum{0} : call([&] { return Float8GetDatum(values[i]); });
  }
  return call([&] {
    if (values.empty()) return PointerGetDatum(construct_empty_array(FLOAT8OID));
    int size = static_cast<int>(values.size());
    int first = 1;
    return PointerGetDatum(construct_md_array(elements, nulls, 1, &size, &first, FLOAT8OID,
                                              sizeof(double), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
  });
}

}  // namespace vigil::pg
