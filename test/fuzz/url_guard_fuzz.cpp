// A list of address blocks is malformed with a reason, or holds each address that it lists; both
// forms of an address are judged alike.
#include <netinet/in.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "core/url_guard.hpp"

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

void judge(const vigil::AddressList& list, const vigil::IpAddress& address) {
  sockaddr_in6 socket{};
  socket.sin6_family = AF_INET6;
  std::memcpy(&socket.sin6_addr, address.bytes.data(), address.bytes.size());
  const auto* general = reinterpret_cast<const sockaddr*>(&socket);
  require(vigil::address_of(general) == address);
  require(vigil::is_public_address(general) == vigil::is_public_address(address));
  require(list.contains(general) == list.contains(address));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  vigil::IpAddress address;
  if (size < address.bytes.size()) return 0;
  std::memcpy(address.bytes.data(), data, address.bytes.size());
  const std::string_view text(reinterpret_cast<const char*>(data) + address.bytes.size(),
                              size - address.bytes.size());
  std::string reason;
  const auto list = vigil::AddressList::parse(text, reason);
  require(list.has_value() == reason.empty());
  if (!list) return 0;
  judge(*list, address);
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find_first_of(",/", at), text.size());
    if (const auto listed = vigil::parse_ip(text.substr(at, end - at))) {
      require(list->contains(*listed));
      judge(*list, *listed);
    }
    at = std::min(text.find(',', at), text.size() - 1) + 1;
  }
  return 0;
}
