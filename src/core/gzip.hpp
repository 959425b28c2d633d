// Compressed request bodies: gzip (RFC 1952) and zlib (RFC 1950), inflated within a limit.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "core/bytes.hpp"

namespace vigil {

// Tells whether bytes start as a gzip member does (1f 8b).
bool is_gzip(std::span<const std::uint8_t> bytes) noexcept;

enum class InflateStatus {
  kOk,
  kTruncated,  // the input ends too early; what could be inflated is kept
  kCorrupt,    // the input is not what it says; what was inflated before the fault is kept
  kTooLarge,   // the output would exceed the limit; its first `limit` bytes are kept
};

// The reason is empty when the status is kOk, else a lower-case phrase for a user.
struct InflateResult {
  InflateStatus status;
  std::string reason;
};

// Appends to `out` at most `limit` inflated bytes. Several gzip members one after the other are one
// body; zero bytes after the last are padding. Throws std::bad_alloc when memory runs out.
InflateResult inflate_gzip(std::span<const std::uint8_t> bytes, std::size_t limit, Bytes& out);

}  // namespace vigil
