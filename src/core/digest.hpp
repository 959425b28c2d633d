// SHA-256 (FIPS 180-4), HMAC-SHA256 (RFC 2104) and hexadecimal text, over OpenSSL's libcrypto.
// All of them throw Error{kInternal} when libcrypto refuses, which happens only without memory.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>

namespace vigil {

using Digest = std::array<std::uint8_t, 32>;

Digest sha256(std::string_view text);

// The digest of a list of fields: each is preceded by its length as 8 bytes, most significant
// first, so that different lists never are the same bytes.
Digest sha256_fields(std::span<const std::string_view> fields);
Digest sha256_fields(std::initializer_list<std::string_view> fields);

Digest hmac_sha256(std::string_view key, std::string_view message);

// Two lower-case characters per byte.
std::string to_hex(std::span<const std::uint8_t> bytes);

}  // namespace vigil
