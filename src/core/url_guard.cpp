#include "core/url_guard.hpp"

#include <netinet/in.h>

#include <algorithm>
#include <cstring>

namespace vigil {
namespace {

// Tells whether the first `bits` bits of both are equal.
bool same_prefix(const IpAddress& a, const IpAddress& b, unsigned bits) noexcept {
  const std::size_t whole = bits / 8;
  if (std::memcmp(a.bytes.data(), b.bytes.data(), whole) != 0) return false;
  if (bits % 8 == 0) return true;
  return ((a.bytes[whole] ^ b.bytes[whole]) >> (8 - bits % 8)) == 0;
}

struct Range4 {
  std::uint32_t first;
  unsigned bits;
};

constexpr Range4 kInner4[] = {
    {0x00000000, 8},   // this network
    {0x0A000000, 8},   // private
    {0x64400000, 10},  // shared by providers
    {0x7F000000, 8},   // loopback
    {0xA9FE0000, 16},  // link-local, cloud metadata
    {0xAC100000, 12},  // private
    {0xC0000000, 24},  // protocol assignments
    {0xC0A80000, 16},  // private
    {0xC6120000, 15},  // benchmarking
    {0xE0000000, 4},   // multicast
    {0xF0000000, 4},   // reserved, broadcast
};

struct Range6 {
  IpAddress first;
  unsigned bits;
};

constexpr Range6 kInner6[] = {
    {{{0xFC}}, 7},                           // unique local
    {{{0xFE, 0x80}}, 10},                    // link-local
    {{{0xFE, 0xC0}}, 10},                    // site-local (deprecated)
    {{{0xFF}}, 8},                           // multicast
    {{{0x20, 0x01, 0x00, 0x00}}, 32},        // Teredo: holds an IPv4 address
    {{{0x20, 0x02}}, 16},                    // 6to4: holds an IPv4 address
    {{{0x00, 0x64, 0xFF, 0x9B, 0, 1}}, 48},  // NAT64 for local use
};

constexpr IpAddress kNat64 = {{0x00, 0x64, 0xFF, 0x9B}};
constexpr IpAddress kCompatible = {};  // also holds :: and ::1, whose inner addresses are in 0/8

bool is_public_v4(const IpAddress& address) noexcept {
  std::uint32_t value = 0;
  for (std::size_t i = 12; i < 16; ++i) value = value << 8 | address.bytes[i];
  return std::none_of(std::begin(kInner4), std::end(kInner4), [&](const Range4& range) {
    return ((value ^ range.first) >> (32 - range.bits)) == 0;
  });
}

std::string_view trim(std::string_view text) noexcept {
  constexpr std::string_view blanks = " \t\r\n";
  const std::size_t first = text.find_first_not_of(blanks);
  if (first == text.npos) return {};
  return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

// A number of bits: one to three digits, without a leading zero.
std::optional<unsigned> parse_bits(std::string_view text) noexcept {
  if (text.empty() || text.size() > 3 || (text[0] == '0' && text.size() > 1)) return std::nullopt;
  unsigned value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + static_cast<unsigned>(c - '0');
  }
  return value;
}

}  // namespace

std::optional<IpAddress> address_of(const sockaddr* address) noexcept {
  if (address == nullptr) return std::nullopt;
  IpAddress result;
  if (address->sa_family == AF_INET) {
    sockaddr_in v4{};
    std::memcpy(&v4, address, sizeof v4);
    result.bytes[10] = result.bytes[11] = 0xFF;
    std::memcpy(result.bytes.data() + 12, &v4.sin_addr, 4);
    return result;
  }
  if (address->sa_family != AF_INET6) return std::nullopt;
  sockaddr_in6 v6{};
  std::memcpy(&v6, address, sizeof v6);
  std::memcpy(result.bytes.data(), &v6.sin6_addr, 16);
  return result;
}

bool is_public_address(const IpAddress& address) noexcept {
  const bool embeds_v4 =
      address.is_v4() || same_prefix(address, kCompatible, 96) || same_prefix(address, kNat64, 96);
  if (embeds_v4) return is_public_v4(address);
  return std::none_of(std::begin(kInner6), std::end(kInner6), [&](const Range6& range) {
    return same_prefix(address, range.first, range.bits);
  });
}

bool is_public_address(const sockaddr* address) noexcept {
  const auto ip = address_of(address);
  return ip && is_public_address(*ip);
}

std::optional<AddressList> AddressList::parse(std::string_view text, std::string& reason) {
  AddressList list;
  if (trim(text).empty()) return list;
  for (;;) {
    const std::size_t comma = text.find(',');
    const std::string_view element = trim(text.substr(0, comma));
    const auto block = parse_block(element);
    if (!block) {
      reason = "\"" + std::string(element) + "\" is not an address block in CIDR notation";
      return std::nullopt;
    }
    list.blocks_.push_back(*block);
    if (comma == text.npos) return list;
    text.remove_prefix(comma + 1);
  }
}

std::optional<AddressList::Block> AddressList::parse_block(std::string_view text) {
  const std::size_t slash = text.find('/');
  const std::string_view host = text.substr(0, slash);
  const auto address = parse_ip(host);
  if (!address) return std::nullopt;
  if (slash == text.npos) return Block{*address, 128};
  const auto bits = parse_bits(text.substr(slash + 1));
  if (!bits) return std::nullopt;
  const bool dotted = host.find(':') == host.npos;
  const unsigned whole = dotted && *bits <= 32 ? *bits + 96 : *bits;
  // A mapped block wider than all of IPv4 would hold what it does not seem to.
  const bool good = dotted ? *bits <= 32 : whole <= 128 && (!address->is_v4() || whole >= 96);
  return good ? std::optional(Block{*address, whole}) : std::nullopt;
}

bool AddressList::contains(const IpAddress& address) const noexcept {
  return std::any_of(blocks_.begin(), blocks_.end(), [&](const Block& block) {
    return block.address.is_v4() == address.is_v4() &&
           same_prefix(block.address, address, block.bits);
  });
}

bool AddressList::contains(const sockaddr* address) const noexcept {
  const auto ip = address_of(address);
  return ip && contains(*ip);
}

}  // namespace vigil
