// What is read as a UUID is read again from its canonical text.
#include <cstdint>
#include <cstdlib>

#include "core/uuid.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto uuid = vigil::parse_uuid({reinterpret_cast<const char*>(data), size});
  if (uuid && vigil::parse_uuid(vigil::to_string(*uuid)) != uuid) std::abort();
  return 0;
}
