// Sliding window frames of the histogram aggregates: rows enter and leave a moving state.
#include "core/moving_histogram.hpp"
#include "core/percentile_state.hpp"
#include "pg/float_array.hpp"
#include "pg/histogram_arguments.hpp"
#include "pg/value_io.hpp"

using namespace vigil;
using namespace vigil::pg;

namespace {

// What the rows must have in common, scale or fractions, is taken from the first with a value.
struct Frame {
  explicit Frame(MemoryContext context) : resource(context), moving(&resource), wanted(&resource) {}

  void begin(int scale) {
    moving = MovingHistogram(&resource, scale);
    has_begun = true;
  }

  ContextResource resource;  // memory of the aggregate's context, which ends the frame too
  MovingHistogram moving;
  PercentileState wanted;  // its fractions alone
  bool has_begun = false;
};

Frame* old_frame(FunctionCallInfo fcinfo) {
  return PG_ARGISNULL(0) ? nullptr : reinterpret_cast<Frame*>(PG_GETARG_POINTER(0));
}

Frame& frame_argument(FunctionCallInfo fcinfo) {
  const MemoryContext context = aggregate_context(fcinfo);
  if (Frame* frame = old_frame(fcinfo)) return *frame;
  ContextResource resource(context);
  return *new (resource.allocate(sizeof(Frame), alignof(Frame))) Frame(context);
}

// A row that changes nothing: a moving state must not be null even so.
Datum unchanged(FunctionCallInfo fcinfo) {
  if (!PG_ARGISNULL(0)) return PG_GETARG_DATUM(0);
  return entry([&] { return PointerGetDatum(&frame_argument(fcinfo)); });
}

// PostgreSQL removes only rows that it added.
template <typename Remove>
Datum remove_row(FunctionCallInfo fcinfo, Remove&& remove) {
  return entry([&] {
    aggregate_context(fcinfo);
    Frame* frame = old_frame(fcinfo);
    if (frame == nullptr || frame->moving.rows() == 0)
      throw Error(Code::kInternal, "a row leaves a frame that has none");
    remove(frame->moving);
    return PointerGetDatum(frame);
  });
}

template <typename Fractions>
Datum add_wanted(FunctionCallInfo fcinfo, Fractions&& fractions) {
  return entry([&] {
    Frame& frame = frame_argument(fcinfo);
    if (frame.has_begun) {
      fractions.check(frame.wanted);
    } else {
      frame.wanted.set_fractions(fractions());
      frame.has_begun = true;
    }
    frame.moving.add(PG_GETARG_FLOAT8(1));
    return PointerGetDatum(&frame);
  });
}

struct OneFraction {
  double fraction;

  std::span<const double> operator()() const {
    Histogram::check_fraction(fraction);
    return {&fraction, 1};
  }
  void check(const PercentileState& wanted) const { wanted.check_fractions({&fraction, 1}); }
};

struct ManyFractions {
  Datum array;

  std::span<const double> operator()() const { return fractions_of(array); }
  void check(const PercentileState& wanted) const {
    if (!holds_floats(array, wanted.fractions())) wanted.check_fractions(fractions_of(array));
  }
};

}  // namespace

extern "C" {

PG_FUNCTION_INFO_V1(vigil_histogram_frame_add);
Datum vigil_histogram_frame_add(PG_FUNCTION_ARGS) {
  if (PG_ARGISNULL(1)) return unchanged(fcinfo);
  return entry([&] {
    Frame& frame = frame_argument(fcinfo);
    frame.moving.add(PG_GETARG_FLOAT8(1));
    return PointerGetDatum(&frame);
  });
}

PG_FUNCTION_INFO_V1(vigil_histogram_frame_add_within);
Datum vigil_histogram_frame_add_within(PG_FUNCTION_ARGS) {
  if (PG_ARGISNULL(1)) return unchanged(fcinfo);
  return entry([&] {
    const int scale = scale_argument(fcinfo, 2);
    Frame& frame = frame_argument(fcinfo);
    if (!frame.has_begun) frame.begin(scale);
    check_same_scale(frame.moving.scale(), scale);
    frame.moving.add(PG_GETARG_FLOAT8(1));
    return PointerGetDatum(&frame);
  });
}

// Also with an error behind the value.
PG_FUNCTION_INFO_V1(vigil_histogram_frame_remove);
Datum vigil_histogram_frame_remove(PG_FUNCTION_ARGS) {
  if (PG_ARGISNULL(1)) return unchanged(fcinfo);
  return remove_row(fcinfo, [&](MovingHistogram& moving) { moving.remove(PG_GETARG_FLOAT8(1)); });
}

PG_FUNCTION_INFO_V1(vigil_histogram_frame_merge);
Datum vigil_histogram_frame_merge(PG_FUNCTION_ARGS) {
  if (PG_ARGISNULL(1)) return unchanged(fcinfo);
  return entry([&] {
    Frame& frame = frame_argument(fcinfo);
    frame.moving.merge(*Reading<Histogram>(PG_GETARG_DATUM(1)));
    return PointerGetDatum(&frame);
  });
}

PG_FUNCTION_INFO_V1(vigil_histogram_frame_subtract);
Datum vigil_histogram_frame_subtract(PG_FUNCTION_ARGS) {
  if (PG_ARGISNULL(1)) return unchanged(fcinfo);
  return remove_row(fcinfo, [&](MovingHistogram& moving) {
    moving.subtract(*Reading<Histogram>(PG_GETARG_DATUM(1)));
  });
}

PG_FUNCTION_INFO_V1(vigil_histogram_frame_result);
Datum vigil_histogram_frame_result(PG_FUNCTION_ARGS) {
  const Frame* frame = old_frame(fcinfo);
  if (frame == nullptr || frame->moving.rows() == 0) PG_RETURN_NULL();
  return entry([&] {
    ContextResource resource(CurrentMemoryContext);
    return flat_datum(frame->moving.result(&resource));
  });
}

PG_FUNCTION_INFO_V1(vigil_percentile_frame_add);
Datum vigil_percentile_frame_add(PG_FUNCTION_ARGS) {
  if (PG_ARGISNULL(1) || PG_ARGISNULL(2)) return unchanged(fcinfo);
  return add_wanted(fcinfo, OneFraction{PG_GETARG_FLOAT8(2)});
}

PG_FUNCTION_INFO_V1(vigil_percentiles_frame_add);
Datum vigil_percentiles_frame_add(PG_FUNCTION_ARGS) {
  if (PG_ARGISNULL(1) || PG_ARGISNULL(2)) return unchanged(fcinfo);
  return add_wanted(fcinfo, ManyFractions{PG_GETARG_DATUM(2)});
}

PG_FUNCTION_INFO_V1(vigil_percentile_frame_remove);
Datum vigil_percentile_frame_remove(PG_FUNCTION_ARGS) {
  if (PG_ARGISNULL(1) || PG_ARGISNULL(2)) return unchanged(fcinfo);
  return remove_row(fcinfo, [&](MovingHistogram& moving) { moving.remove(PG_GETARG_FLOAT8(1)); });
}

PG_FUNCTION_INFO_V1(vigil_percentile_frame_result);
Datum vigil_percentile_frame_result(PG_FUNCTION_ARGS) {
  const Frame* frame = old_frame(fcinfo);
  if (frame == nullptr || frame->moving.rows() == 0) PG_RETURN_NULL();
  return entry([&] {
    ContextResource resource(CurrentMemoryContext);
    double value = 0;
    percentiles_or_nan(frame->moving.result(&resource), frame->wanted.fractions(), {&value, 1});
    return Float8GetDatum(value);
  });
}

PG_FUNCTION_INFO_V1(vigil_percentiles_frame_result);
Datum vigil_percentiles_frame_result(PG_FUNCTION_ARGS) {
  const Frame* frame = old_frame(fcinfo);
  if (frame == nullptr || frame->moving.rows() == 0) PG_RETURN_NULL();
  return entry([&] {
    ContextResource resource(CurrentMemoryContext);
    std::pmr::vector<double> values(frame->wanted.fractions().size(), &resource);
    percentiles_or_nan(frame->moving.result(&resource), frame->wanted.fractions(), values);
    return float_array(values);
  });
}
}
