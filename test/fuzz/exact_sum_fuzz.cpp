// Any bytes are an error or a sum that writes the same bytes; adding and taking away a second one
// gives equal bytes in either order and leads back.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <span>

#include "core/exact_sum.hpp"

namespace {

using vigil::Bytes;
using vigil::ExactSum;

std::pmr::memory_resource* heap() { return std::pmr::get_default_resource(); }

void require(bool condition) {
  if (!condition) std::abort();
}

Bytes bytes_of(const ExactSum& sum) {
  Bytes bytes;
  sum.write(bytes);
  return bytes;
}

std::optional<ExactSum> read(std::span<const std::uint8_t> bytes) {
  try {
    ExactSum sum = ExactSum::read(bytes, heap());
    require(std::ranges::equal(bytes_of(sum), bytes));
    return sum;
  } catch (const vigil::Error& error) {
    require(error.code() == vigil::Code::kInvalidBinary);
    return std::nullopt;
  }
}

// Nothing when the sum leaves the range of the accumulator.
std::optional<Bytes> joined(const ExactSum& one, const ExactSum& other) {
  try {
    ExactSum result(one, heap());
    result.merge(other);
    const Bytes bytes = bytes_of(result);
    result.value();
    result.subtract(other);
    require(result == one);
    require(bytes_of(result) == bytes_of(one));
    return bytes;
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
  read(input);
  const auto one = read(input.first(cut));
  const auto other = read(input.subspan(cut));
  if (!one || !other) return 0;
  require(joined(*one, *other) == joined(*other, *one));
  return 0;
}
