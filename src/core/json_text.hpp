// JSON text from the wire, made fit for the jsonb of PostgreSQL (grammar: RFC 8259).
#pragma once

#include <cstddef>
#include <memory_resource>
#include <optional>
#include <string>
#include <string_view>

namespace vigil {

// Repairs what jsonb refuses although clients send it, and nothing else:
//   - inside strings, the escape of NUL and lone surrogate escapes become \ufffd, and raw control
//     characters become \u00XX;
//   - NUL bytes and ill-formed UTF-8, wherever they stand, become U+FFFD;
//   - a leading byte order mark is dropped.
// Returns false, and leaves `out` alone, when the text needs no repair: it can then be used as it
// is. Otherwise appends the repaired text to `out` (at most six times as long). It does not
// validate: text that was no JSON before is none afterwards.
bool repair_json(std::string_view text, std::pmr::string& out);

// Where text stops being JSON, as a byte offset, and why (a static string, lower case).
struct JsonFault {
  std::size_t offset;
  const char* reason;
};

// Checks that text is one JSON value whose conversion to jsonb cannot fail. Beyond the grammar it
// asks for well-formed UTF-8, no escaped NUL or lone surrogate, containers nested at most
// `max_depth` deep, numbers within 15000 digits and exponents within 1000 of 0 (which numeric can
// hold), strings of at most 200 MB, and a value that fits the 256 MB of a jsonb container.
std::optional<JsonFault> check_json(std::string_view text, int max_depth = 512);

}  // namespace vigil
