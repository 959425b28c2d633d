#include "core/ip.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>

#include "core/digest.hpp"

namespace vigil {
namespace {

constexpr std::array<std::uint8_t, 12> kMapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};
constexpr std::string_view kBlanks = " \t\r\n\f\v";
constexpr std::string_view kMask = "[ip]";

bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

bool is_hex(char c) noexcept {
  const char lower = static_cast<char>(c | 0x20);
  return is_digit(c) || (lower >= 'a' && lower <= 'f');
}

bool is_word(char c) noexcept {
  const char lower = static_cast<char>(c | 0x20);
  return is_digit(c) || (lower >= 'a' && lower <= 'z') || c == '_';
}

bool is_token(char c) noexcept { return is_word(c) || c == ':' || c == '.'; }

std::string_view trim(std::string_view text) noexcept {
  const std::size_t first = text.find_first_not_of(kBlanks);
  if (first == text.npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

// The length of a decimal number up to 65535 at the front of text, or 0.
std::size_t port_size(std::string_view text) noexcept {
  std::size_t size = 0;
  unsigned value = 0;
  for (; size < text.size() && size < 6 && is_digit(text[size]); ++size) {
    value = value * 10 + static_cast<unsigned>(text[size] - '0');
  }
  return size > 5 || value > 65535 ? 0 : size;
}

// Tells whether text is nothing, or a colon and a port.
bool is_port_suffix(std::string_view text) noexcept {
  if (text.empty()) return true;
  const std::size_t size = port_size(text.substr(1));
  return text[0] == ':' && size > 0 && size + 1 == text.size();
}

std::optional<IpAddress> parse_zoned(std::string_view text) noexcept {
  const std::size_t zone = text.find('%');
  if (zone == text.npos) return parse_ip(text);
  const auto address = parse_ip(text.substr(0, zone));
  const bool good = zone + 1 < text.size() && text.substr(0, zone).find(':') != text.npos;
  return good ? address : std::nullopt;
}

// An address together with what may surround it in a header.
std::optional<IpAddress> parse_decorated(std::string_view text) noexcept {
  text = trim(text);
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    if (end == text.npos || !is_port_suffix(text.substr(end + 1))) return std::nullopt;
    const std::string_view inner = text.substr(1, end - 1);
    return inner.find(':') == inner.npos ? std::nullopt : parse_zoned(inner);
  }
  const std::size_t colon = text.find(':');
  if (colon == text.npos || text.find(':', colon + 1) != text.npos) return parse_zoned(text);
  return is_port_suffix(text.substr(colon)) ? parse_ip(text.substr(0, colon)) : std::nullopt;
}

// The length of a dotted IPv4 address at the front of text, or 0.
std::size_t v4_size(std::string_view text) noexcept {
  std::size_t at = 0;
  for (int part = 0; part < 4; ++part) {
    if (part > 0 && (at >= text.size() || text[at++] != '.')) return 0;
    const std::size_t start = at;
    int value = 0;
    while (at < text.size() && at - start < 4 && is_digit(text[at])) {
      value = value * 10 + text[at++] - '0';
    }
    if (at == start || value > 255 || (text[start] == '0' && at > start + 1)) return 0;
  }
  return at;
}

// Tells whether a number that ends before `at` ends there for a reader too.
bool ends_number(std::string_view token, std::size_t at) noexcept {
  if (at == token.size()) return true;
  if (token[at] == '.') return at + 1 == token.size() || !is_word(token[at + 1]);
  return !is_word(token[at]);
}

// The length of an IPv4 address with an optional port that stands for itself at `at`, or 0.
std::size_t v4_with_port_size(std::string_view token, std::size_t at) noexcept {
  if (!is_digit(token[at])) return 0;
  if (at > 0 && (is_word(token[at - 1]) || token[at - 1] == '.')) return 0;
  const std::size_t size = v4_size(token.substr(at));
  if (size == 0 || !ends_number(token, at + size)) return 0;
  const std::size_t end = at + size;
  if (end == token.size() || token[end] != ':') return size;
  const std::size_t port = port_size(token.substr(end + 1));
  return port > 0 && ends_number(token, end + 1 + port) ? size + 1 + port : size;
}

// Where an IPv6 address lies in a token; size 0 when there is none. Before it may stand a word and
// a colon (`ip:`), after it the punctuation of a sentence.
struct Part {
  std::size_t at;
  std::size_t size;
};

Part find_v6(std::string_view token) noexcept {
  const auto inside = [](char c) { return is_hex(c) || c == ':' || c == '.'; };
  const auto word = std::find_if_not(token.rbegin(), token.rend(), inside);
  std::size_t at = static_cast<std::size_t>(token.rend() - word);
  if (at > 0 && (at == token.size() || token[at++] != ':')) return {0, 0};
  std::string_view text = token.substr(at);
  for (int tries = 0; tries < 3 && text.size() > 2; ++tries) {
    if (text.find(':') != text.npos && parse_ip(text)) return {at, text.size()};
    if (text.back() != ':' && text.back() != '.') break;
    text.remove_suffix(1);
  }
  return {0, 0};
}

void mask_v4(std::string_view token, std::pmr::string& out) {
  for (std::size_t at = 0; at < token.size();) {
    const std::size_t size = v4_with_port_size(token, at);
    if (size > 0) {
      out.append(kMask);
      at += size;
    } else {
      out.push_back(token[at++]);
    }
  }
}

// The length of a zone (%eth0) at the front of text.
std::size_t zone_size(std::string_view text) noexcept {
  if (!text.starts_with('%')) return 0;
  std::size_t size = 1;
  while (size < text.size() && is_word(text[size])) ++size;
  return size > 1 ? size : 0;
}

}  // namespace

bool IpAddress::is_v4() const noexcept {
  return std::equal(kMapped.begin(), kMapped.end(), bytes.begin());
}

std::optional<IpAddress> parse_ip(std::string_view text) noexcept {
  char terminated[INET6_ADDRSTRLEN] = {};
  if (text.size() >= sizeof terminated || text.find('\0') != text.npos) return std::nullopt;
  std::copy(text.begin(), text.end(), terminated);
  IpAddress address;
  if (inet_pton(AF_INET6, terminated, address.bytes.data()) == 1) return address;
  if (inet_pton(AF_INET, terminated, address.bytes.data() + kMapped.size()) != 1) {
    return std::nullopt;
  }
  std::copy(kMapped.begin(), kMapped.end(), address.bytes.begin());
  return address;
}

std::string to_string(const IpAddress& address) {
  char text[INET6_ADDRSTRLEN] = {};
  if (address.is_v4()) {
    inet_ntop(AF_INET, address.bytes.data() + kMapped.size(), text, sizeof text);
  } else {
    inet_ntop(AF_INET6, address.bytes.data(), text, sizeof text);
  }
  return text;
}

bool is_ip_address(std::string_view text) noexcept { return parse_decorated(text).has_value(); }

std::string hash_ip(std::string_view ip, std::string_view key) {
  const auto address = parse_decorated(ip);
  const std::string text = address ? to_string(*address) : std::string(trim(ip));
  return to_hex(hmac_sha256(key, text)).substr(0, 32);
}

std::string seed_hash_ip(std::string_view ip, std::string_view key) {
  return to_hex(sha256(std::string(ip).append(key))).substr(0, 16);
}

void mask_ip_addresses(std::string_view text, std::pmr::string& out) {
  out.reserve(out.size() + text.size());
  while (!text.empty()) {
    const auto start = std::find_if(text.begin(), text.end(), is_token);
    out.append(text.begin(), start);
    const auto end = std::find_if_not(start, text.end(), is_token);
    const std::string_view token(start, end);
    text.remove_prefix(static_cast<std::size_t>(end - text.begin()));
    const Part part = find_v6(token);
    if (part.size == 0) {
      mask_v4(token, out);
      continue;
    }
    out.append(token.substr(0, part.at)).append(kMask).append(token.substr(part.at + part.size));
    if (part.at + part.size == token.size()) text.remove_prefix(zone_size(text));
  }
}

}  // namespace vigil
