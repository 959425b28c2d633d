// Hostile compressed data never yields more than the limit, and always an end.
#include <cstdint>
#include <cstdlib>

#include "core/gzip.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::size_t limit = std::size_t{data[0]} * 257;
  vigil::Bytes out;
  const auto result = vigil::inflate_gzip({data + 1, size - 1}, limit, out);
  if (out.size() > limit) std::abort();
  if ((result.status == vigil::InflateStatus::kOk) != result.reason.empty()) std::abort();
  return 0;
}
