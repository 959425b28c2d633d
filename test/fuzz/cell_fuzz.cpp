// Any bytes are an error or a cell that writes the same bytes; two of them merge either way to
// equal bytes, which are a cell again.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <span>

#include "core/cell.hpp"

namespace {

using vigil::Bytes;
using vigil::Cell;

std::pmr::memory_resource* heap() { return std::pmr::get_default_resource(); }

void require(bool condition) {
  if (!condition) std::abort();
}

Bytes bytes_of(const Cell& cell) {
  Bytes bytes;
  cell.write(bytes);
  return bytes;
}

std::optional<Bytes> read(std::span<const std::uint8_t> bytes) {
  try {
    const Bytes again = bytes_of(Cell::read(bytes, heap()));
    require(std::ranges::equal(again, bytes));
    return again;
  } catch (const vigil::Error& error) {
    require(error.code() == vigil::Code::kInvalidBinary);
    return std::nullopt;
  }
}

// Only counts and sums may overflow.
std::optional<Bytes> merged(const Bytes& one, const Bytes& other) {
  try {
    Cell result = Cell::read(one, heap());
    result.merge(Cell::read(other, heap()));
    Cell stored = Cell::read(one, heap());
    stored.merge_stored(other);
    require(bytes_of(stored) == bytes_of(result));
    return bytes_of(result);
  } catch (const vigil::Error& error) {
    require(error.code() == vigil::Code::kNumericOutOfRange ||
            error.code() == vigil::Code::kInvalidArgument);  // sets of different parameters
    return std::nullopt;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::span<const std::uint8_t> input(data + 2, size - 2);
  const std::size_t cut = std::min<std::size_t>(data[0] + 256u * data[1], input.size());
  if (const auto whole = read(input)) {
    Cell cell = Cell::read(*whole, heap());
    cell.fold(2);
    require(read(bytes_of(cell)).has_value());
  }
  const auto one = read(input.first(cut));
  const auto other = read(input.subspan(cut));
  if (!one || !other) return 0;
  const auto forth = merged(*one, *other);
  require(forth == merged(*other, *one));
  if (forth) require(read(*forth).has_value());
  return 0;
}
