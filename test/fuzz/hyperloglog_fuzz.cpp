// Any bytes are an error or a distinct count that writes the same bytes; what others may have
// written becomes canonical; two of them merge either way, as objects or bytes, to equal bytes.
#include <algorithm>
#include <cmath>
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

Bytes public_bytes_of(const HyperLogLog& sketch) {
  Bytes bytes;
  sketch.write_public(bytes);
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

void check(const HyperLogLog& sketch) {
  const auto again = attempt(HyperLogLog::read, bytes_of(sketch));
  require(again && *again == sketch);
  require(sketch.cardinality() >= 0 && sketch.cardinality() <= 0x1p64);
  const auto open = attempt(HyperLogLog::read_public, public_bytes_of(sketch));
  require(open && public_bytes_of(*open) == public_bytes_of(sketch));
}

std::optional<HyperLogLog> read_either(std::span<const std::uint8_t> bytes) {
  auto stored = attempt(HyperLogLog::read, bytes);
  if (stored) {
    require(std::ranges::equal(bytes_of(*stored), bytes));
    check(*stored);
  }
  auto open = attempt(HyperLogLog::read_public, bytes);
  if (open) check(*open);
  return stored ? std::move(stored) : std::move(open);
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
  // Large ones take long.
  if (one->parameters().log2m <= 8) {
    const auto both = HyperLogLog::intersection(*one, *other);
    require(both.cardinality >= 0 && std::isfinite(both.cardinality));
    require(both.standard_error >= 0 && std::isfinite(both.standard_error));
  }
  const HyperLogLog before(*one, heap());
  HyperLogLog stored(*one, heap());
  stored.merge_stored(bytes_of(*other));
  one->merge(*other);
  other->merge(before);
  require(bytes_of(*one) == bytes_of(*other));
  require(stored == *one);
  check(*one);
  return 0;
}
