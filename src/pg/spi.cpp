#include "pg/spi.hpp"

extern "C" {
#include "catalog/pg_type_d.h"
}

namespace vigil::pg {

SPIPlanPtr Statement::prepared(std::span<const Oid> types) {
  if (plan != nullptr) return plan;
  SPIPlanPtr result =
      SPI_prepare_cursor(sql, static_cast<int>(types.size()), const_cast<Oid*>(types.data()),
                         generic ? CURSOR_OPT_GENERIC_PLAN : 0);
  if (result == nullptr)
    elog(ERROR, "could not prepare a statement: %s", SPI_result_code_string(SPI_result));
  if (SPI_keepplan(result) != 0) elog(ERROR, "could not keep a plan");
  return plan = result;
}

std::uint64_t Statement::run(std::span<const Oid> types, std::span<Datum> values, const char* nulls,
                             bool read_only) {
  call([&] {
    const int result = SPI_execute_plan(prepared(types), values.data(), nulls, read_only, 0);
    if (result < 0) elog(ERROR, "could not run a statement: %s", SPI_result_code_string(result));
  });
  return SPI_processed;
}

void Statement::send(std::span<const Oid> types, std::span<const Datum> values,
                     DestReceiver* receiver) {
  call([&] {
    ParamListInfo parameters = makeParamList(static_cast<int>(types.size()));
    for (std::size_t i = 0; i < types.size(); ++i) {
      parameters->params[i] = {values[i], false, PARAM_FLAG_CONST, types[i]};
    }
    SPIExecuteOptions options{};
    options.params = parameters;
    options.read_only = true;
    options.dest = receiver;
    const int result = SPI_execute_plan_extended(prepared(types), &options);
    if (result < 0) elog(ERROR, "could not run a statement: %s", SPI_result_code_string(result));
  });
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

Elements elements_of(Datum array) {
  return call([&] {
    ArrayType* plain = DatumGetArrayTypeP(array);
    std::int16_t length = 0;
    bool by_value = false;
    char align = 0;
    get_typlenbyvalalign(ARR_ELEMTYPE(plain), &length, &by_value, &align);
    Elements result;
    deconstruct_array(plain, ARR_ELEMTYPE(plain), length, by_value, align, &result.values,
                      &result.nulls, &result.count);
    return result;
  });
}

}  // namespace vigil::pg
