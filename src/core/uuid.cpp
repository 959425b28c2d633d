#include "core/uuid.hpp"

#include <algorithm>

#include "core/digest.hpp"

namespace vigil {
namespace {

int hex_value(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

// Reads two digits from the front of text; -1 when they are not there.
int take_byte(std::string_view& text) noexcept {
  if (text.size() < 2) return -1;
  const int high = hex_value(text[0]);
  const int low = hex_value(text[1]);
  text.remove_prefix(2);
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

void set_version(Uuid& uuid, unsigned version) noexcept {
  uuid.bytes[6] = static_cast<std::uint8_t>(version << 4 | (uuid.bytes[6] & 0x0FU));
  uuid.bytes[8] = static_cast<std::uint8_t>(0x80U | (uuid.bytes[8] & 0x3FU));
}

}  // namespace

std::optional<Uuid> parse_uuid(std::string_view text) noexcept {
  const bool braces = text.starts_with('{');
  if (braces != text.ends_with('}')) return std::nullopt;
  if (braces) text = text.substr(1, text.size() - 2);
  Uuid uuid;
  for (std::size_t i = 0; i < 16; ++i) {
    const int byte = take_byte(text);
    if (byte < 0) return std::nullopt;
    uuid.bytes[i] = static_cast<std::uint8_t>(byte);
    if (i % 2 == 1 && i < 15 && text.starts_with('-')) text.remove_prefix(1);
  }
  if (!text.empty()) return std::nullopt;
  return uuid;
}

std::string to_string(const Uuid& uuid) {
  std::string text = to_hex(uuid.bytes);
  for (const std::size_t at : {20U, 16U, 12U, 8U}) text.insert(at, 1, '-');
  return text;
}

Uuid make_uuid_v7(std::uint64_t unix_ms, std::span<const std::uint8_t, 10> random) noexcept {
  Uuid uuid;
  for (std::size_t i = 0; i < 6; ++i) {
    uuid.bytes[i] = static_cast<std::uint8_t>(unix_ms >> (40 - 8 * i));
  }
  std::copy(random.begin(), random.end(), uuid.bytes.begin() + 6);
  set_version(uuid, 7);
  return uuid;
}

Uuid name_uuid(std::string_view space, std::string_view name) {
  const Digest digest = sha256_fields({space, name});
  Uuid uuid;
  std::copy_n(digest.begin(), uuid.bytes.size(), uuid.bytes.begin());
  set_version(uuid, 8);
  return uuid;
}

}  // namespace vigil
