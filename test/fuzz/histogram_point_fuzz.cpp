// Any data point, spans or cumulative counts are an error or a histogram whose bytes can be read
// and whose point is the histogram again.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <span>

#include "core/histogram_point.hpp"

namespace {

using namespace vigil;

std::pmr::memory_resource* heap() { return std::pmr::get_default_resource(); }

void require(bool condition) {
  if (!condition) std::abort();
}

// Takes plain values off the input; zeros when it has ended.
class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size) : bytes_(data, size) {}

  template <typename T>
  T take() {
    T value{};
    const std::size_t size = std::min(sizeof(T), bytes_.size());
    if (size > 0) std::memcpy(&value, bytes_.data(), size);
    bytes_ = bytes_.subspan(size);
    return value;
  }

  bool ended() const { return bytes_.empty(); }

  // Mostly small, sometimes anything.
  std::int64_t number() {
    const auto kind = take<std::int8_t>();
    return kind > 120 ? take<std::int64_t>() : kind;
  }

  std::optional<double> maybe() {
    if (take<std::uint8_t>() % 2 == 0) return std::nullopt;
    return take<double>();
  }

 private:
  std::span<const std::uint8_t> bytes_;
};

void check(const Histogram& histogram) {
  Bytes bytes;
  histogram.write(bytes);
  Bytes again;
  Histogram::read(bytes, heap()).write(again);
  require(bytes == again);
  const Histogram back = from_point(to_point(histogram, heap()), heap());
  require(back.count() == histogram.count());
  require(back.min() == histogram.min() && back.max() == histogram.max());
}

void read_point(Input& in) {
  ExponentialPoint point(heap());
  point.scale = in.number();
  point.zero_count = static_cast<std::uint64_t>(in.number());
  point.zero_threshold = in.maybe().value_or(0);
  point.sum = in.maybe();
  point.min = in.maybe();
  point.max = in.maybe();
  if (in.take<std::uint8_t>() % 2 == 0) {
    for (auto* side : {&point.negative, &point.positive}) {
      std::int64_t index = in.number();
      for (auto left = in.take<std::uint8_t>(); left > 0 && !in.ended(); --left) {
        const auto count = static_cast<std::uint64_t>(in.number());
        if (count != 0) side->push_back({index, count});
        if (__builtin_add_overflow(index, 1 + (in.number() & 0xffff), &index)) break;
      }
    }
  } else {
    std::pmr::vector<Span> spans;
    std::pmr::vector<std::int64_t> deltas;
    for (auto left = in.take<std::uint8_t>(); left > 0 && !in.ended(); --left) {
      spans.push_back({in.number(), static_cast<std::uint64_t>(in.number() & 0xff)});
      for (auto i = spans.back().length; i > 0; --i) deltas.push_back(in.number());
    }
    read_spans(spans, deltas, point.positive);
    std::pmr::vector<Span> spans_again;
    std::pmr::vector<std::int64_t> deltas_again;
    std::pmr::vector<ExponentialPoint::Bucket> buckets_again;
    write_spans(point.positive, spans_again, deltas_again);
    read_spans(spans_again, deltas_again, buckets_again);
    require(std::ranges::equal(point.positive, buckets_again, [](auto one, auto other) {
      return one.index == other.index && one.count == other.count;
    }));
  }
  check(from_point(point, heap()));
}

void read_classic(Input& in) {
  std::pmr::vector<double> bounds;
  std::pmr::vector<std::uint64_t> counts;
  const auto sum = in.maybe();
  while (!in.ended() && bounds.size() < 64) {
    bounds.push_back(in.take<double>());
    counts.push_back((counts.empty() ? 0 : counts.back()) +
                     static_cast<std::uint64_t>(in.number()));
  }
  check(from_classic(bounds, counts, sum, heap()));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Input in(data, size);
  try {
    if (in.take<std::uint8_t>() % 3 == 0) {
      read_classic(in);
    } else {
      read_point(in);
    }
  } catch (const Error& error) {
    require(error.code() == Code::kInvalidArgument || error.code() == Code::kNumericOutOfRange);
  }
  return 0;
}
