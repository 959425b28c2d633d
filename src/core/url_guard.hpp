// Where deliveries and checks may connect to: the guard against requests into the inner network.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/ip.hpp"

namespace vigil {

// The address that a socket address holds; no value for null and for families other than IPv4 and
// IPv6.
std::optional<IpAddress> address_of(const sockaddr* address) noexcept;

// Tells whether an address is one of the public internet. False for what the IANA registries of
// special-purpose addresses (RFC 6890) keep for this host, private networks, link-local, shared
// and benchmarking use, multicast and reserved ranges; for IPv6 that embeds an IPv4 address
// (mapped, compatible, NAT64) the inner address is judged, and 6to4, Teredo, site-local and local
// NAT64 never are public. False as well for a null pointer and for other families.
bool is_public_address(const IpAddress& address) noexcept;
bool is_public_address(const sockaddr* address) noexcept;

// A list of address blocks, such as those allowed in spite of the rule above.
class AddressList {
 public:
  // Reads blocks in CIDR notation with commas between them ("127.0.0.0/8, ::1/128"); an address
  // alone is a block of one, bits beyond the prefix are ignored, and empty text is an empty list.
  // No value when an element is malformed; `reason` then names it (lower case, for a user).
  static std::optional<AddressList> parse(std::string_view text, std::string& reason);

  // IPv4 blocks hold IPv4-mapped IPv6 addresses too; IPv6 blocks never hold IPv4 addresses.
  bool contains(const IpAddress& address) const noexcept;
  bool contains(const sockaddr* address) const noexcept;

  bool empty() const noexcept { return blocks_.empty(); }

 private:
  struct Block {
    IpAddress address;
    unsigned bits;  // of the IPv6 form: 96 more than those of IPv4
  };

  static std::optional<Block> parse_block(std::string_view text);

  std::vector<Block> blocks_;
};

}  // namespace vigil
