// UUIDs (RFC 9562): read, written, made from time and randomness, or from names.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace vigil {

// The bytes are in network order, as PostgreSQL stores them.
struct Uuid {
  std::array<std::uint8_t, 16> bytes{};

  bool operator==(const Uuid&) const = default;
  auto operator<=>(const Uuid&) const = default;
};

// Reads every form that the uuid type of PostgreSQL accepts: 32 hexadecimal digits of either case,
// with or without a hyphen after each group of four digits, with or without braces around all.
std::optional<Uuid> parse_uuid(std::string_view text) noexcept;

// The canonical text: lower case, 8-4-4-4-12.
std::string to_string(const Uuid& uuid);

// A version 7 UUID: 48 bits of time (milliseconds since the Unix epoch, modulo 2^48), then 74 of
// the 80 given random bits.
Uuid make_uuid_v7(std::uint64_t unix_ms, std::span<const std::uint8_t, 10> random) noexcept;

// A version 8 UUID that depends only on its arguments: the first 122 free bits of SHA-256 over the
// two length-prefixed fields. Equal names in different spaces have different ids.
Uuid name_uuid(std::string_view space, std::string_view name);

}  // namespace vigil
