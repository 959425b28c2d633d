// Any bytes are an error or a counter that writes the same bytes; two of them merge either way to
// equal bytes, and all that is computed of them is a number or a known error.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <span>

#include "core/counter.hpp"

namespace {

using vigil::Bytes;
using vigil::Counter;

std::pmr::memory_resource* heap() { return std::pmr::get_default_resource(); }

void require(bool condition) {
  if (!condition) std::abort();
}

Bytes bytes_of(const Counter& counter) {
  Bytes bytes;
  counter.write(bytes);
  return bytes;
}

std::optional<Counter> read(std::span<const std::uint8_t> bytes) {
  try {
    Counter counter = Counter::read(bytes, heap());
    require(std::ranges::equal(bytes_of(counter), bytes));
    return counter;
  } catch (const vigil::Error& error) {
    require(error.code() == vigil::Code::kInvalidBinary);
    return std::nullopt;
  }
}

template <typename Compute>
void compute(Compute&& what) {
  try {
    const std::optional<double> result = what();
    require(!result || std::isfinite(*result));
  } catch (const vigil::Error& error) {
    require(error.code() == vigil::Code::kNumericOutOfRange ||
            error.code() == vigil::Code::kInvalidArgument);
  }
}

void look(const Counter& counter, const Counter::Range& range) {
  compute([&] { return counter.increase(range); });
  compute([&] { return counter.rate(range); });
  compute([&] { return counter.idelta(range); });
  compute([&] { return counter.irate(range); });
  compute([&]() -> std::optional<double> {
    const auto resets = counter.resets(range);
    require(!resets || *resets < counter.samples().size());
    return std::nullopt;
  });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 3) return 0;
  const std::span<const std::uint8_t> input(data + 3, size - 3);
  const std::size_t cut = std::min<std::size_t>(data[0], input.size());
  const auto whole = read(input);
  if (whole) {
    const auto samples = whole->samples();
    look(*whole, {});
    if (!samples.empty()) {
      const std::int64_t from = samples[data[1] % samples.size()].time;
      const std::int64_t to = samples[data[2] % samples.size()].time;
      look(*whole, {.from = from, .to = {}});
      look(*whole, {.from = {}, .to = to});
      look(*whole, {.from = from, .to = to});
    }
  }
  auto one = read(input.first(cut));
  auto other = read(input.subspan(cut));
  if (!one || !other) return 0;
  Counter copy(*one, heap());
  copy.merge(*other);
  other->merge(*one);
  require(bytes_of(copy) == bytes_of(*other));
  require(read(bytes_of(copy)).has_value());
  return 0;
}
