#include "core/exact_sum.hpp"

#include <cmath>

#include "pg/value_io.hpp"

using namespace vigil;
using namespace vigil::pg;

namespace {

// The state of a moving frame: how many values are in it tells nothing from a sum of zero.
struct Frame {
  explicit Frame(MemoryContext context) : resource(context), sum(&resource) {}

  ContextResource resource;  // the sum's memory, which the aggregate's context takes with it
  ExactSum sum;
  std::int64_t count = 0;
};

Frame& frame_argument(FunctionCallInfo fcinfo) {
  const MemoryContext context = aggregate_context(fcinfo);
  if (!PG_ARGISNULL(0)) return *reinterpret_cast<Frame*>(PG_GETARG_POINTER(0));
  ContextResource resource(context);
  return *new (resource.allocate(sizeof(Frame), alignof(Frame))) Frame(context);
}

template <typename Change>
Datum change_frame(FunctionCallInfo fcinfo, std::int64_t step, Change&& change) {
  return entry([&] {
    Frame& frame = frame_argument(fcinfo);
    if (!PG_ARGISNULL(1)) {
      change(frame.sum);
      frame.count += step;
    }
    return PointerGetDatum(&frame);
  });
}

template <typename Join>
Datum joined(FunctionCallInfo fcinfo, Join&& join) {
  return entry([&] {
    const Reading<ExactSum> one(PG_GETARG_DATUM(0));
    const Reading<ExactSum> other(PG_GETARG_DATUM(1));
    ContextResource resource(CurrentMemoryContext);
    ExactSum result(*one, &resource);
    join(result, *other);
    return flat_datum(result);
  });
}

bool are_equal(FunctionCallInfo fcinfo) {
  return entry([&] {
    const Reading<ExactSum> one(PG_GETARG_DATUM(0));
    const Reading<ExactSum> other(PG_GETARG_DATUM(1));
    return *one == *other;
  });
}

}  // namespace

extern "C" {

VIGIL_VALUE_IO(exact_sum, vigil::ExactSum)

PG_FUNCTION_INFO_V1(vigil_exact_sum_add);
Datum vigil_exact_sum_add(PG_FUNCTION_ARGS) {
  if (PG_ARGISNULL(0) && PG_ARGISNULL(1)) PG_RETURN_NULL();
  return entry([&] {
    auto& state = state_argument<ExactSum>(fcinfo);
    if (!PG_ARGISNULL(1)) state.value().add(PG_GETARG_FLOAT8(1));
    return state.datum();
  });
}

PG_FUNCTION_INFO_V1(vigil_exact_sum_merge);
Datum vigil_exact_sum_merge(PG_FUNCTION_ARGS) {
  if (PG_ARGISNULL(0) && PG_ARGISNULL(1)) PG_RETURN_NULL();
  return entry([&] {
    auto& state = state_argument<ExactSum>(fcinfo);
    if (!PG_ARGISNULL(1)) state.value().merge(*Reading<ExactSum>(PG_GETARG_DATUM(1)));
    return state.datum();
  });
}

PG_FUNCTION_INFO_V1(vigil_exact_sum_frame_add);
Datum vigil_exact_sum_frame_add(PG_FUNCTION_ARGS) {
  return change_frame(fcinfo, 1, [&](ExactSum& sum) { sum.add(PG_GETARG_FLOAT8(1)); });
}

PG_FUNCTION_INFO_V1(vigil_exact_sum_frame_remove);
Datum vigil_exact_sum_frame_remove(PG_FUNCTION_ARGS) {
  return change_frame(fcinfo, -1, [&](ExactSum& sum) { sum.add(-PG_GETARG_FLOAT8(1)); });
}

PG_FUNCTION_INFO_V1(vigil_exact_sum_frame_merge);
Datum vigil_exact_sum_frame_merge(PG_FUNCTION_ARGS) {
  return change_frame(fcinfo, 1,
                      [&](ExactSum& sum) { sum.merge(*Reading<ExactSum>(PG_GETARG_DATUM(1))); });
}

PG_FUNCTION_INFO_V1(vigil_exact_sum_frame_subtract);
Datum vigil_exact_sum_frame_subtract(PG_FUNCTION_ARGS) {
  return change_frame(fcinfo, -1,
                      [&](ExactSum& sum) { sum.subtract(*Reading<ExactSum>(PG_GETARG_DATUM(1))); });
}

PG_FUNCTION_INFO_V1(vigil_exact_sum_frame_result);
Datum vigil_exact_sum_frame_result(PG_FUNCTION_ARGS) {
  if (PG_ARGISNULL(0)) PG_RETURN_NULL();
  const auto* frame = reinterpret_cast<const Frame*>(PG_GETARG_POINTER(0));
  if (frame->count == 0) PG_RETURN_NULL();
  return entry([&] { return flat_datum(frame->sum); });
}

PG_FUNCTION_INFO_V1(vigil_exact_sum_plus);
Datum vigil_exact_sum_plus(PG_FUNCTION_ARGS) {
  return joined(fcinfo, [](ExactSum& sum, const ExactSum& other) { sum.merge(other); });
}

PG_FUNCTION_INFO_V1(vigil_exact_sum_minus);
Datum vigil_exact_sum_minus(PG_FUNCTION_ARGS) {
  return joined(fcinfo, [](ExactSum& sum, const ExactSum& other) { sum.subtract(other); });
}

PG_FUNCTION_INFO_V1(vigil_exact_sum_equal);
Datum vigil_exact_sum_equal(PG_FUNCTION_ARGS) { return BoolGetDatum(are_equal(fcinfo)); }

PG_FUNCTION_INFO_V1(vigil_exact_sum_differ);
Datum vigil_exact_sum_differ(PG_FUNCTION_ARGS) { return BoolGetDatum(!are_equal(fcinfo)); }

PG_FUNCTION_INFO_V1(vigil_exact_sum_value);
Datum vigil_exact_sum_value(PG_FUNCTION_ARGS) {
  return entry([&] {
    const Reading<ExactSum> sum(PG_GETARG_DATUM(0));
    const double value = sum->value();
    if (std::isinf(value))
      throw Error(Code::kNumericOutOfRange, "exact sum is out of range for type double precision");
    return Float8GetDatum(value);
  });
}
}
