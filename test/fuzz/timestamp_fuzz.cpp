// A time that is read lies within a day of the years 1 to 9999.
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "core/timestamp.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::int64_t day = 86'400'000'000;
  const auto time = vigil::parse_rfc3339({reinterpret_cast<const char*>(data), size});
  if (time && (*time < -62'135'596'800'000'000 - day || *time > 253'402'300'800'000'000 + day)) {
    std::abort();
  }
  double number = 0;
  if (size < sizeof number) return 0;
  std::memcpy(&number, data, sizeof number);
  const auto epoch = vigil::epoch_to_micros(number);
  if (epoch && (*epoch < 0 || *epoch > 253'402'300'800'000'000)) std::abort();
  return 0;
}
