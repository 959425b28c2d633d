// Any bytes are an error or a histogram that writes the same bytes; two of them merge either way to
// equal bytes, which either one can be taken from again.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <span>

#include "core/distribution.hpp"
#include "core/moving_histogram.hpp"

namespace {

using vigil::Bytes;
using vigil::Histogram;

std::pmr::memory_resource* heap() { return std::pmr::get_default_resource(); }

void require(bool condition) {
  if (!condition) std::abort();
}

Bytes bytes_of(const Histogram& histogram) {
  Bytes bytes;
  histogram.write(bytes);
  return bytes;
}

std::optional<Histogram> read(std::span<const std::uint8_t> bytes) {
  try {
    Histogram histogram = Histogram::read(bytes, heap());
    const Bytes again = bytes_of(histogram);
    require(std::ranges::equal(again, bytes));
    return histogram;
  } catch (const vigil::Error& error) {
    require(error.code() == vigil::Code::kInvalidBinary);
    return std::nullopt;
  }
}

void look(const Histogram& histogram) {
  const auto median = histogram.percentile(0.5);
  require(median.has_value() == (histogram.count() > 0));
  if (!median) return;
  require(*histogram.min() <= *median && *median <= *histogram.max());
  require(*histogram.rank(*median) > 0);
  histogram.sum();
}

// Whatever it is merged into, bytes are refused when read() refuses them.
void check_refusal(Histogram one, std::span<const std::uint8_t> bytes) {
  try {
    one.merge_stored(bytes);
    require(false);
  } catch (const vigil::Error& error) {
    require(error.code() == vigil::Code::kInvalidBinary ||
            error.code() == vigil::Code::kNumericOutOfRange);
  }
}

// Only count and sum may overflow.
std::optional<Bytes> merged(const Histogram& one, const Histogram& other) {
  try {
    Histogram result(one, heap());
    result.merge(other);
    look(result);
    Histogram stored(one, heap());
    stored.merge_stored(bytes_of(other));
    require(stored == result);
    return bytes_of(result);
  } catch (const vigil::Error& error) {
    require(error.code() == vigil::Code::kNumericOutOfRange);
    return std::nullopt;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::span<const std::uint8_t> input(data + 1, size - 1);
  const std::size_t cut = std::min<std::size_t>(data[0], input.size());
  const auto whole = read(input);
  if (whole) look(*whole);
  const auto one = read(input.first(cut));
  const auto other = read(input.subspan(cut));
  if (one && !other) check_refusal(Histogram(*one, heap()), input.subspan(cut));
  if (!one || !other) return 0;
  const auto forth = merged(*one, *other);
  require(forth == merged(*other, *one));
  if (!forth) return 0;
  auto rest = read(*forth);
  require(rest.has_value());
  try {
    rest->subtract(*other);
    require(rest->count() == one->count());
    require(read(bytes_of(*rest)).has_value());
  } catch (const vigil::Error& error) {
    // Bytes may claim a sum and buckets that no values have: taken apart, they contradict.
    require(error.code() == vigil::Code::kInvalidArgument);
  }
  try {
    const auto test = vigil::ks_test(*one, *other);
    require(test.has_value() == (one->count() > 0 && other->count() > 0));
    require(!test || (test->distance >= 0 && test->distance <= 1 && test->p_value <= 1));
    require(one->overview(12).size() <= 12);
    vigil::MovingHistogram frame(heap());
    frame.merge(*one);
    frame.merge(*other);
    require(bytes_of(frame.result(heap())) == *forth);
    frame.subtract(*one);
    require(bytes_of(frame.result(heap())) == bytes_of(*other));
  } catch (const vigil::Error& error) {
    require(error.code() == vigil::Code::kNumericOutOfRange);
  }
  return 0;
}
