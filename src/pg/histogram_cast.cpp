// vigil.histogram from and to what OpenTelemetry and Prometheus send, as jsonb.
#include <array>
#include <charconv>
#include <cmath>
#include <initializer_list>

#include "core/histogram_point.hpp"
#include "pg/float_array.hpp"
#include "pg/json.hpp"
#include "pg/value_io.hpp"

using namespace vigil;
using namespace vigil::pg;

namespace {

using Kind = JsonValue::Kind;
using Names = std::initializer_list<std::string_view>;

[[noreturn]] void fail(std::string_view name, const char* reason) {
  throw Error(Code::kInvalidArgument, "histogram data point cannot be read",
              "Member \"" + std::string(name) + "\" " + reason + ".");
}

// The first of several spellings that is there.
JsonValue find(const void* object, Names names) {
  for (const std::string_view name : names) {
    const JsonValue value = member(object, name);
    if (value.kind != Kind::kNull) return value;
  }
  return {};
}

const void* object_argument(FunctionCallInfo fcinfo) {
  const JsonbContainer* container = json_container(PG_GETARG_DATUM(0));
  if (!JsonContainerIsObject(container) || JsonContainerIsScalar(container))
    throw Error(Code::kInvalidArgument, "histogram data point must be a JSON object");
  return container;
}

template <typename T>
std::optional<T> number_in(std::string_view text) {
  if (text.starts_with('+')) text.remove_prefix(1);
  if constexpr (std::is_integral_v<T>) {
    const std::size_t point = text.find('.');  // 7.0 is whole too
    if (point != text.npos && text.find_first_not_of('0', point + 1) == text.npos)
      text = text.substr(0, point);
  }
  T value{};
  const auto end = text.data() + text.size();
  const auto read = std::from_chars(text.data(), end, value);
  if (read.ec != std::errc() || read.ptr != end) return std::nullopt;
  return value;
}

// A number, which protobuf's JSON writes as text when it has 64 bits.
template <typename T>
T number_of(const JsonValue& value, std::string_view name) {
  if (value.kind != Kind::kNumber && value.kind != Kind::kText) fail(name, "is not a number");
  const auto number = number_in<T>(value.text);
  if (!number)
    fail(name, std::is_integral_v<T> ? "is not a whole number in range" : "is not a number");
  return *number;
}

template <typename T>
std::optional<T> number_member(const void* object, Names names) {
  const JsonValue value = find(object, names);
  if (value.kind == Kind::kNull) return std::nullopt;
  return number_of<T>(value, *names.begin());
}

std::span<const JsonValue> array_member(const void* object, Names names) {
  const JsonValue value = find(object, names);
  if (value.kind == Kind::kNull) return {};
  if (value.kind != Kind::kArray) fail(*names.begin(), "is not an array");
  return elements_of(value.container);
}

// --- OTLP ---------------------------------------------------------------------------------------

void read_side(const void* point, std::string_view name,
               std::pmr::vector<ExponentialPoint::Bucket>& out) {
  const JsonValue side = find(point, {name});
  if (side.kind == Kind::kNull) return;
  if (side.kind != Kind::kObject) fail(name, "is not an object");
  std::int64_t index = number_member<std::int32_t>(side.container, {"offset"}).value_or(0);
  for (const JsonValue& element : array_member(side.container, {"bucketCounts", "bucket_counts"})) {
    const auto count = number_of<std::uint64_t>(element, "bucketCounts");
    if (count != 0) out.push_back({index, count});
    ++index;
  }
}

void read_common(const void* object, ExponentialPoint& point) {
  point.zero_count = number_member<std::uint64_t>(object, {"zeroCount", "zero_count"}).value_or(0);
  point.zero_threshold =
      number_member<double>(object, {"zeroThreshold", "zero_threshold"}).value_or(0);
}

void read_otlp(const void* object, ExponentialPoint& point) {
  point.scale = number_member<std::int32_t>(object, {"scale"}).value_or(0);
  point.count = number_member<std::uint64_t>(object, {"count"});
  point.sum = number_member<double>(object, {"sum"});
  point.min = number_member<double>(object, {"min"});
  point.max = number_member<double>(object, {"max"});
  read_common(object, point);
  read_side(object, "positive", point.positive);
  read_side(object, "negative", point.negative);
}

// --- Prometheus ---------------------------------------------------------------------------------

void read_native_side(const void* object, Names spans_names, Names deltas_names, Names counts_names,
                      std::pmr::vector<ExponentialPoint::Bucket>& out) {
  if (find(object, counts_names).kind != Kind::kNull && !array_member(object, counts_names).empty())
    throw Error(
        Code::kFeatureNotSupported, "float native histograms are not supported",
        "Member \"" + std::string(*counts_names.begin()) + "\" holds counts that may be fractions.",
        "Give a histogram with deltas of integer counts.");
  std::pmr::vector<Span> spans(out.get_allocator().resource());
  for (const JsonValue& element : array_member(object, spans_names)) {
    if (element.kind != Kind::kObject) fail(*spans_names.begin(), "holds what is no object");
    spans.push_back({number_member<std::int32_t>(element.container, {"offset"}).value_or(0),
                     number_member<std::uint32_t>(element.container, {"length"}).value_or(0)});
  }
  std::pmr::vector<std::int64_t> deltas(out.get_allocator().resource());
  for (const JsonValue& element : array_member(object, deltas_names))
    deltas.push_back(number_of<std::int64_t>(element, *deltas_names.begin()));
  read_spans(spans, deltas, out);
}

void read_native(const void* object, ExponentialPoint& point) {
  point.scale = number_member<std::int32_t>(object, {"schema"}).value_or(0);
  if (point.scale == -53)
    throw Error(Code::kFeatureNotSupported,
                "native histograms with custom buckets are not supported", "The schema is -53.",
                "Give cumulative counts as {\"le\": count}.");
  if (point.scale < -4 || point.scale > 8) fail("schema", "is not within -4 to 8");
  point.count = number_member<std::uint64_t>(object, {"count", "sampleCount", "sample_count"});
  point.sum = number_member<double>(object, {"sum", "sampleSum", "sample_sum"});
  read_common(object, point);
  read_native_side(object, {"positiveSpans", "positiveSpan", "positive_spans", "positive_span"},
                   {"positiveDeltas", "positiveDelta", "positive_deltas", "positive_delta"},
                   {"positiveCount", "positiveCounts", "positive_count"}, point.positive);
  read_native_side(object, {"negativeSpans", "negativeSpan", "negative_spans", "negative_span"},
                   {"negativeDeltas", "negativeDelta", "negative_deltas", "negative_delta"},
                   {"negativeCount", "negativeCounts", "negative_count"}, point.negative);
}

struct Cumulative {
  double bound;
  std::uint64_t count;
};

Histogram read_classic(const void* object, std::pmr::memory_resource* resource) {
  const void* nested = container_member(object, "buckets");
  const auto sum = nested == nullptr ? std::nullopt : number_member<double>(object, {"sum"});
  std::pmr::vector<Cumulative> buckets(resource);
  for (const Member& bucket : members_of(nested == nullptr ? object : nested)) {
    const auto bound = number_in<double>(bucket.key);
    if (!bound || std::isnan(*bound)) fail(bucket.key, "is not an upper bound");
    buckets.push_back({*bound, number_of<std::uint64_t>(bucket.value, bucket.key)});
  }
  std::ranges::sort(buckets, {}, &Cumulative::bound);
  std::pmr::vector<double> bounds(resource);
  std::pmr::vector<std::uint64_t> counts(resource);
  for (const Cumulative& bucket : buckets) {
    bounds.push_back(bucket.bound);
    counts.push_back(bucket.count);
  }
  return from_classic(bounds, counts, sum, resource);
}

bool is_native(const void* object) {
  return find(object, {"schema", "positiveSpans", "positiveSpan", "positive_span", "positive_spans",
                       "negativeSpans", "negativeSpan", "negative_span", "negative_spans",
                       "zeroThreshold", "zero_threshold"})
             .kind != Kind::kNull;
}

// --- JSON text ----------------------------------------------------------------------------------

// Builds an object of numbers member by member; 64-bit integers as texts, as protobuf writes them.
class Writer {
 public:
  void number(std::string_view name, double value) {
    if (!std::isfinite(value))
      throw Error(Code::kNumericOutOfRange,
                  "histogram sum is out of range for type double precision");
    key(name);
    std::array<char, 32> text;
    text_.append(text.data(), std::to_chars(text.data(), text.data() + text.size(), value).ptr);
  }
  void integer(std::string_view name, std::int64_t value) {
    key(name);
    text_ += std::to_string(value);
  }
  void wide(std::string_view name, std::uint64_t value) {
    key(name);
    wide(value);
  }
  void wide(std::uint64_t value) { text_ += '"' + std::to_string(value) + '"'; }

  void key(std::string_view name) {
    separate();
    text_ += '"';
    text_ += name;
    text_ += "\":";
  }
  void open(char bracket) { text_ += bracket; }
  void close(char bracket) { text_ += bracket; }
  void separate() {
    if (text_.back() != '{' && text_.back() != '[') text_ += ',';
  }
  void append(std::string_view text) { text_ += text; }

  Datum finish() {
    return call([&] { return DirectFunctionCall1(jsonb_in, CStringGetDatum(text_.c_str())); });
  }

 private:
  std::string text_ = "{";
};

void write_side(Writer& out, std::string_view name,
                std::span<const ExponentialPoint::Bucket> buckets) {
  out.key(name);
  out.open('{');
  std::int64_t next = buckets.empty() ? 0 : buckets.front().index;
  out.integer("offset", next);
  out.key("bucketCounts");
  out.open('[');
  for (const auto& [index, count] : buckets) {
    for (; next < index; ++next) {
      out.separate();
      out.wide(0);
    }
    out.separate();
    out.wide(count);
    ++next;
  }
  out.close(']');
  out.close('}');
}

void write_native_side(Writer& out, std::string_view spans_name, std::string_view deltas_name,
                       std::span<const ExponentialPoint::Bucket> buckets,
                       std::pmr::memory_resource* resource) {
  std::pmr::vector<Span> spans(resource);
  std::pmr::vector<std::int64_t> deltas(resource);
  write_spans(buckets, spans, deltas);
  out.key(spans_name);
  out.open('[');
  for (const Span& span : spans) {
    out.separate();
    out.open('{');
    out.integer("offset", span.offset);
    out.integer("length", static_cast<std::int64_t>(span.length));
    out.close('}');
  }
  out.close(']');
  out.key(deltas_name);
  out.open('[');
  for (const std::int64_t delta : deltas) {
    out.separate();
    out.append('"' + std::to_string(delta) + '"');
  }
  out.close(']');
}

std::span<const std::uint64_t> count_array(Datum array) {
  Datum* elements = nullptr;
  bool* nulls = nullptr;
  int size = 0;
  call([&] {
    deconstruct_array(DatumGetArrayTypeP(array), INT8OID, sizeof(std::int64_t), FLOAT8PASSBYVAL,
                      TYPALIGN_DOUBLE, &elements, &nulls, &size);
  });
  auto* counts =
      static_cast<std::uint64_t*>(allocate(sizeof(std::uint64_t) * static_cast<std::size_t>(size)));
  for (int i = 0; i < size; ++i) {
    const std::int64_t count = nulls[i] ? -1 : DatumGetInt64(elements[i]);
    if (count < 0)
      throw Error(Code::kInvalidArgument, "bucket counts must not be null or negative");
    counts[i] = static_cast<std::uint64_t>(count);
  }
  return {counts, static_cast<std::size_t>(size)};
}

}  // namespace

extern "C" {

PG_FUNCTION_INFO_V1(vigil_histogram_from_otlp);
Datum vigil_histogram_from_otlp(PG_FUNCTION_ARGS) {
  return entry([&] {
    ContextResource resource(CurrentMemoryContext);
    ExponentialPoint point(&resource);
    read_otlp(object_argument(fcinfo), point);
    return flat_datum(from_point(point, &resource));
  });
}

PG_FUNCTION_INFO_V1(vigil_histogram_to_otlp);
Datum vigil_histogram_to_otlp(PG_FUNCTION_ARGS) {
  return entry([&] {
    ContextResource resource(CurrentMemoryContext);
    const ExponentialPoint point = to_point(*Reading<Histogram>(PG_GETARG_DATUM(0)), &resource);
    Writer out;
    out.wide("count", *point.count);
    if (point.sum) out.number("sum", *point.sum);
    if (point.min) out.number("min", *point.min);
    if (point.max) out.number("max", *point.max);
    out.integer("scale", point.scale);
    out.wide("zeroCount", point.zero_count);
    out.number("zeroThreshold", 0);
    write_side(out, "positive", point.positive);
    write_side(out, "negative", point.negative);
    out.close('}');
    return out.finish();
  });
}

PG_FUNCTION_INFO_V1(vigil_histogram_from_prometheus);
Datum vigil_histogram_from_prometheus(PG_FUNCTION_ARGS) {
  return entry([&] {
    ContextResource resource(CurrentMemoryContext);
    const void* object = object_argument(fcinfo);
    if (!is_native(object)) return flat_datum(read_classic(object, &resource));
    ExponentialPoint point(&resource);
    read_native(object, point);
    return flat_datum(from_point(point, &resource));
  });
}

PG_FUNCTION_INFO_V1(vigil_histogram_from_classic);
Datum vigil_histogram_from_classic(PG_FUNCTION_ARGS) {
  if (PG_ARGISNULL(0) || PG_ARGISNULL(1)) PG_RETURN_NULL();
  return entry([&] {
    ContextResource resource(CurrentMemoryContext);
    std::optional<double> sum;
    if (!PG_ARGISNULL(2)) sum = PG_GETARG_FLOAT8(2);
    return flat_datum(from_classic(floats_of(PG_GETARG_DATUM(0)), count_array(PG_GETARG_DATUM(1)),
                                   sum, &resource));
  });
}

PG_FUNCTION_INFO_V1(vigil_histogram_to_prometheus);
Datum vigil_histogram_to_prometheus(PG_FUNCTION_ARGS) {
  return entry([&] {
    const Reading<Histogram> histogram(PG_GETARG_DATUM(0));
    Writer out;
    out.key("buckets");
    out.open('{');
    double before = -HUGE_VAL;
    for (const double bound : floats_of(PG_GETARG_DATUM(1))) {
      if (!std::isfinite(bound) || bound <= before)
        throw Error(Code::kInvalidArgument, "bucket bounds must be finite and ascend", "",
                    "Leave out the infinite one, which is always added.");
      std::array<char, 32> text;
      const auto end = std::to_chars(text.data(), text.data() + text.size(), bound).ptr;
      out.wide({text.data(), static_cast<std::size_t>(end - text.data())},
               histogram->count_up_to(bound));
      before = bound;
    }
    out.wide("+Inf", histogram->count());
    out.close('}');
    out.number("sum", histogram->sum());
    out.wide("count", histogram->count());
    out.close('}');
    return out.finish();
  });
}

PG_FUNCTION_INFO_V1(vigil_histogram_to_native);
Datum vigil_histogram_to_native(PG_FUNCTION_ARGS) {
  return entry([&] {
    ContextResource resource(CurrentMemoryContext);
    const ExponentialPoint point = to_point(*Reading<Histogram>(PG_GETARG_DATUM(0)), &resource);
    if (point.scale < -4)
      throw Error(Code::kFeatureNotSupported, "native histograms have no schema below -4",
                  "The scale is " + std::to_string(point.scale) + ".");
    Writer out;
    out.wide("count", *point.count);
    out.number("sum", point.sum.value_or(0));
    out.integer("schema", point.scale);
    out.number("zeroThreshold", 0);
    out.wide("zeroCount", point.zero_count);
    write_native_side(out, "negativeSpans", "negativeDeltas", point.negative, &resource);
    write_native_side(out, "positiveSpans", "positiveDeltas", point.positive, &resource);
    out.close('}');
    return out.finish();
  });
}
}
