// UTF-8 as RFC 3629 and the Unicode standard (table 3-7) define it, and its length in UTF-16.
#pragma once

#include <cstddef>
#include <memory_resource>
#include <string>
#include <string_view>

namespace vigil {

// U+FFFD REPLACEMENT CHARACTER in UTF-8.
inline constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

// One step through text: a whole character, or the maximal subpart of one that is ill-formed.
// The size is at least 1 and never reaches beyond the end of the text.
struct Utf8Step {
  std::size_t size;
  bool valid;
};

// Takes the step at byte offset `at`, which must lie inside the text.
Utf8Step utf8_step(std::string_view text, std::size_t at) noexcept;

// Tells whether all of the text is well-formed. U+0000 is well-formed here, although a text value
// of PostgreSQL cannot hold it.
bool valid_utf8(std::string_view text) noexcept;

// Appends the text to `out`, with U+FFFD for each maximal ill-formed subpart (as the WHATWG decoder
// does) and for each NUL byte. The result is well-formed and at most three times as long.
void repair_utf8(std::string_view text, std::pmr::string& out);

// The longest prefix, in bytes, that holds at most the asked number of UTF-16 code units.
// `split` is true when the cut at exactly that number would fall inside a surrogate pair; the
// prefix then ends before that character. An ill-formed subpart counts as one unit.
struct Utf16Prefix {
  std::size_t bytes;
  bool split;
};

Utf16Prefix utf16_prefix(std::string_view text, std::size_t units) noexcept;

}  // namespace vigil
