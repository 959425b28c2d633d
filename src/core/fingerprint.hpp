// Keys that put equal errors into one group.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace vigil {

// The fingerprint of the first seed, bit for bit: 32 hexadecimal characters of SHA-256 over
// `error_type:error_name:` and the first 500 UTF-16 code units of the stack, in which
//   1. every match of /:\d+:\d+/ became `:X:X`, then
//   2. every match of /\?[^\s]+/ was removed (both as JavaScript matches; \s is its white space).
// A cut inside a surrogate pair leaves U+FFFD for its first half, as JavaScript encodes a lone
// surrogate. A stack that is null is empty here. Text is expected to be well-formed UTF-8.
std::string seed_fingerprint(std::string_view error_type, std::string_view error_name,
                             std::string_view stack);

// The key of a fingerprint that a client gives in parts: 32 hexadecimal characters of SHA-256 over
// the length-prefixed parts. `{{ default }}` and `{{default}}` anywhere in a part stand for
// `default_key`, the key that the error would have without it.
std::string custom_fingerprint(std::span<const std::string_view> parts,
                               std::string_view default_key);

}  // namespace vigil
