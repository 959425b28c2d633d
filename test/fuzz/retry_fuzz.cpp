// A Retry-After header asks for nothing, or for a wait of at most a day.
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "core/retry.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::uint32_t now = 0;  // up to the year 2106
  if (size < sizeof now) return 0;
  std::memcpy(&now, data, sizeof now);
  const std::string_view text(reinterpret_cast<const char*>(data) + sizeof now, size - sizeof now);
  const auto seconds = vigil::parse_retry_after(text, now);
  if (seconds && (*seconds < 0 || *seconds > vigil::kMaxRetryAfterSeconds)) std::abort();
  return 0;
}
