#include "core/stack.hpp"

#include "pg/boundary.hpp"

using namespace vigil;
using namespace vigil::pg;

namespace {

std::string_view text_argument(FunctionCallInfo fcinfo, int number) {
  return PG_ARGISNULL(number) ? std::string_view() : text_view(PG_GETARG_DATUM(number));
}

constexpr int kColumns = 9;

struct Row {
  Datum values[kColumns] = {};
  bool nulls[kColumns] = {};

  void put_text(int column, std::string_view text) {
    nulls[column] = text.empty();
    if (!text.empty()) values[column] = text_datum(text);
  }
  void put_number(int column, std::int32_t number) {
    nulls[column] = number == StackFrame::kNone;
    values[column] = Int32GetDatum(number);
  }
};

}  // namespace

extern "C" {

// parse_stack(stack, error_name, message)
PG_FUNCTION_INFO_V1(vigil_parse_stack);
Datum vigil_parse_stack(PG_FUNCTION_ARGS) {
  return entry([&]() -> Datum {
    call([&] { InitMaterializedSRF(fcinfo, 0); });
    if (PG_ARGISNULL(0)) return 0;
    auto* result = reinterpret_cast<ReturnSetInfo*>(fcinfo->resultinfo);
    ContextResource resource(CurrentMemoryContext);
    std::pmr::vector<StackFrame> frames(&resource);
    parse_stack(text_argument(fcinfo, 0), {text_argument(fcinfo, 1), text_argument(fcinfo, 2)},
                frames);
    // What a row takes is given back: frames are many.
    MemoryContext rows = call([&] {
      return AllocSetContextCreate(CurrentMemoryContext, "stack frames", ALLOCSET_SMALL_SIZES);
    });
    const MemoryContext caller = MemoryContextSwitchTo(rows);
    for (std::size_t i = 0; i < frames.size(); ++i) {
      const StackFrame& frame = frames[i];
      Row row;
      row.put_number(0, static_cast<std::int32_t>(i + 1));
      row.put_text(1, frame.function);
      row.put_text(2, frame.file);
      row.put_number(3, frame.line);
      row.put_number(4, frame.column);
      row.put_text(5, name_of(frame.kind));
      row.values[6] = BoolGetDatum(frame.in_app);
      row.put_text(7, name_of(frame.language));
      row.put_text(8, frame.raw);
      call([&] {
        CHECK_FOR_INTERRUPTS();
        tuplestore_putvalues(result->setResult, result->setDesc, row.values, row.nulls);
        MemoryContextReset(rows);
      });
    }
    MemoryContextSwitchTo(caller);
    call([&] { MemoryContextDelete(rows); });
    return 0;
  });
}
}
