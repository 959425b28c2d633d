// Any bytes are an error or a summary that writes the same bytes; two of them merge either way to
// equal bytes that can be read; adding keeps what the bounds rest on.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <span>
#include <string_view>

#include "core/topk.hpp"

namespace {

using vigil::Bytes;
using vigil::TopK;

std::pmr::memory_resource* heap() { return std::pmr::get_default_resource(); }

void require(bool condition) {
  if (!condition) std::abort();
}

Bytes bytes_of(const TopK& summary) {
  Bytes bytes;
  summary.write(bytes);
  return bytes;
}

std::optional<TopK> read(std::span<const std::uint8_t> bytes) {
  try {
    TopK summary = TopK::read(bytes, heap());
    require(std::ranges::equal(bytes_of(summary), bytes));
    return summary;
  } catch (const vigil::Error& error) {
    require(error.code() == vigil::Code::kInvalidBinary);
    return std::nullopt;
  }
}

void look(const TopK& summary) {
  require(summary.floor() <= summary.total() / summary.limit());
  std::uint64_t sum = 0;
  for (const TopK::Item& item : summary.items(heap())) {
    require(item.error <= summary.floor() && item.error < item.count);
    sum += item.count;
  }
  require(sum <= summary.total());
}

// Only the total may overflow.
std::optional<Bytes> merged(const TopK& one, const TopK& other) {
  try {
    TopK result(one, heap());
    result.merge(other);
    look(result);
    return bytes_of(result);
  } catch (const vigil::Error& error) {
    require(error.code() == vigil::Code::kNumericOutOfRange);
    return std::nullopt;
  }
}

// The input as a stream of short texts.
void add_pieces(TopK& summary, std::span<const std::uint8_t> input) {
  const std::string_view text(reinterpret_cast<const char*>(input.data()), input.size());
  try {
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t size = static_cast<unsigned char>(text[at]) % 4;
      summary.add(text.substr(at, size), size + 1);
      at += size + 1;
    }
  } catch (const vigil::Error& error) {
    require(error.code() == vigil::Code::kNumericOutOfRange);
  }
  look(summary);
  require(read(bytes_of(summary)).has_value());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::span<const std::uint8_t> input(data + 1, size - 1);
  const std::size_t cut = std::min<std::size_t>(data[0], input.size());
  TopK fresh(heap(), 1 + data[0] % 8);
  add_pieces(fresh, input);
  if (auto whole = read(input)) look(*whole);
  auto one = read(input.first(cut));
  if (one) add_pieces(*one, input);
  const auto other = read(input.subspan(cut));
  if (!one || !other) return 0;
  const auto forth = merged(*one, *other);
  require(forth == merged(*other, *one));
  if (forth) require(read(*forth).has_value());
  return 0;
}
