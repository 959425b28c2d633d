#include "pg/spi.hpp"

extern "C" {
#include "catalog/pg_type_d.h"
}

namespace vigil::pg {

std::uint64_t Statement::run(std::span<const Oid> types, std::span<Datum> values, const char* nulls,
                             bool read_only) {
  call([&] {
    if (plan == nullptr) {
      SPIPlanPtr prepared =
          SPI_prepare(sql, static_cast<int>(types.size()), const_cast<Oid*>(types.data()));
      if (prepared == nullptr)
        elog(ERROR, "could not prepare a statement: %s", SPI_result_code_string(SPI_result));
      if (SPI_keepplan(prepared) != 0) elog(ERROR, "could not keep a plan");
      plan = prepared;
    }
    const int result = SPI_execute_plan(plan, values.data(), nulls, read_only, 0);
    if (result < 0) elog(ERROR, "could not run a statement: %s", SPI_result_code_string(result));
  });
  return SPI_processed;
}

Oid array_of(Oid element) {
  switch (element) {
    case UUIDOID:
      return UUIDARRAYOID;
    case TEXTOID:
      return TEXTARRAYOID;
    case FLOAT8OID:
      return FLOAT8ARRAYOID;
    case INT8OID:
      return INT8ARRAYOID;
    case INT4OID:
      return INT4ARRAYOID;
    case BOOLOID:
      return BOOLARRAYOID;
    case JSONBOID:
      return JSONBARRAYOID;
    case TIMESTAMPTZOID:
      return TIMESTAMPTZARRAYOID;
    default:
      throw Error(Code::kInternal, "no array type for type " + std::to_string(element));
  }
}

Datum ArrayBuilder::build() {
  return call([&] {
    std::int16_t length = 0;
    bool by_value = false;
    char align = 0;
    get_typlenbyvalalign(element_, &length, &by_value, &align);
    int count = static_cast<int>(values_.size());
    int lower = 1;
    return PointerGetDatum(construct_md_array(values_.data(),
                                              reinterpret_cast<bool*>(nulls_.data()), 1, &count,
                                              &lower, element_, length, by_value, align));
  });
}

}  // namespace vigil::pg
