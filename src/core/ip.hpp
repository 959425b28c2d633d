// IP addresses in text: recognised, hashed and masked, so that no raw address needs to be stored.
#pragma once

#include <array>
#include <cstdint>
#include <memory_resource>
#include <optional>
#include <string>
#include <string_view>

namespace vigil {

// An address of either family, in network order. IPv4 is held in its IPv4-mapped form
// (::ffff:a.b.c.d, RFC 4291), so that both ways of writing one are equal.
struct IpAddress {
  std::array<std::uint8_t, 16> bytes{};

  bool is_v4() const noexcept;
  bool operator==(const IpAddress&) const = default;
};

// Reads a bare address: dotted IPv4 or IPv6, nothing before or after it.
std::optional<IpAddress> parse_ip(std::string_view text) noexcept;

// The canonical text: dotted for IPv4 in either form, else as RFC 5952 asks for.
std::string to_string(const IpAddress& address);

// Tells whether text is an address as headers carry it: with blanks around it, a port (after IPv4
// or after brackets), brackets or a zone (%eth0), which are all tolerated.
bool is_ip_address(std::string_view text) noexcept;

// The first 32 hexadecimal characters of HMAC-SHA256(key, canonical text of the address), without
// port, brackets or zone. Text that is no address is hashed as it is, less the blanks around it.
std::string hash_ip(std::string_view ip, std::string_view key);

// The hash that the first seed stored: 16 hexadecimal characters of SHA-256(ip || key), ip
// verbatim.
std::string seed_hash_ip(std::string_view ip, std::string_view key);

// Appends text to `out` with `[ip]` in place of every address that stands for itself: not inside a
// longer word, number or dotted name. IPv4 may carry a port and IPv6 a zone, which go too. Times of
// day and dotted versions of three parts are no addresses, and neither is `::` alone. A version of
// four small parts cannot be told from an address and is masked. Time is linear in the text.
void mask_ip_addresses(std::string_view text, std::pmr::string& out);

}  // namespace vigil
