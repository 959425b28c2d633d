// Any bytes are an error or a distinct count that writes the same bytes; what others may have
// written becomes canonical; two of them merge either way to equal bytes.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <span>

#include "core/hyperloglog.hpp"

namespace {

using vigil::Bytes;
using vigil::HyperLogLog;

std::pmr::memory_resource* heap() { return std::pmr::get_default_resource(); }

void require(bool condition) {
  if (!condition) std::abort();
}

Bytes bytes_of(const HyperLogLog& sketch) {
  Bytes bytes;
  sketch.write(bytes);
  return bytes;
}

template <typename Read>
std::optional<HyperLogLog> attempt(Read&& read, std::span<const std::uint8_t> bytes) {
  try {
    return read(bytes, heap());
  } catch (const vigil::Error& error) {
    require(error.code() == vigil::Code::kInvalidBinary);
    return std::nullopt;
  }
}

std::optional<HyperLogLog> read_either(std::span<const std::uint8_t> bytes) {
  const auto strict = attempt(HyperLogLog::read, bytes);
  auto any = attempt(HyperLogLog::read_any, bytes);
  if (strict) require(any && *any == *strict && std::ranges::equal(bytes_of(*strict), bytes));
  if (any) {
    const auto again = attempt(HyperLogLog::read, bytes_of(*any));
    require(again && *again == *any);
    require(any->cardinality() >= 0 && any->cardinality() <= 0x1p64);
  }
  return any;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::span<const std::uint8_t> input(data + 1, size - 1);
  const std::size_t cut = std::min<std::size_t>(data[0], input.size());
  read_either(input);
  auto one = read_either(input.first(cut));
  auto other = read_either(input.subspan(cut));
  if (!one || !other || one->parameters() != other->parameters()) return 0;
  const HyperLogLog before(*one, heap());
  one->merge(*other);
  other->merge(before);
  require(bytes_of(*one) == bytes_of(*other));
  require(read_either(bytes_of(*one)).has_value());
  return 0;
}
