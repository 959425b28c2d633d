// An address that is read is read again from its canonical text, has one hash in every form and is
// masked where it stands alone; masking text makes it longer by a third at most.
#include <cstdint>
#include <cstdlib>

#include "core/ip.hpp"

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

std::pmr::string masked(std::string_view text) {
  std::pmr::string out;
  vigil::mask_ip_addresses(text, out);
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto address = vigil::parse_ip(text)) {
    require(vigil::parse_ip(vigil::to_string(*address)) == address);
    require(vigil::is_ip_address(text));
    require(vigil::hash_ip(text, "key") == vigil::hash_ip(vigil::to_string(*address), "key"));
    require(masked(text) == (text == "::" ? "::" : "[ip]"));
  }
  require(vigil::hash_ip(text, "key").size() == 32);
  require(masked(text).size() <= size + size / 3);
  return 0;
}
