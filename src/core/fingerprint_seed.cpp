#include "core/fingerprint.hpp"

#include <cstddef>

#include "core/digest.hpp"
#include "core/utf8.hpp"

namespace vigil {
namespace {

constexpr std::size_t kStackUnits = 500;
constexpr std::size_t kKeyCharacters = 32;

std::string key_of(const Digest& digest) { return to_hex(digest).substr(0, kKeyCharacters); }

std::size_t skip_digits(std::string_view text, std::size_t at) {
  while (at < text.size() && text[at] >= '0' && text[at] <= '9') ++at;
  return at;
}

// The size of a match of :\d+:\d+ at a colon, or 0. `tried` is where the next match may begin.
std::size_t position_size(std::string_view text, std::size_t at, std::size_t& tried) {
  const std::size_t colon = skip_digits(text, at + 1);
  tried = colon;
  if (colon == at + 1 || colon == text.size() || text[colon] != ':') return 0;
  const std::size_t end = skip_digits(text, colon + 1);
  return end == colon + 1 ? 0 : end - at;
}

std::string without_positions(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t colon = text.find(':', at);
    out.append(text.substr(at, colon - at));
    if (colon == text.npos) break;
    const std::size_t size = position_size(text, colon, at);
    out.append(size > 0 ? ":X:X" : text.substr(colon, at - colon));
    if (size > 0) at = colon + size;
  }
  return out;
}

// The size of the white space character of JavaScript (\s) at the front of text, or 0.
std::size_t space_size(std::string_view text) {
  const char first = text.empty() ? '\0' : text[0];
  if (first == ' ' || (first >= '\t' && first <= '\r')) return 1;
  if (text.starts_with("\u00A0")) return 2;
  for (const std::string_view space :
       {"\u1680", "\u2000", "\u2001", "\u2002", "\u2003", "\u2004", "\u2005", "\u2006", "\u2007",
        "\u2008", "\u2009", "\u200A", "\u2028", "\u2029", "\u202F", "\u205F", "\u3000", "\uFEFF"}) {
    if (text.starts_with(space)) return 3;
  }
  return 0;
}

// The end of the run of characters other than white space that starts at `at`.
std::size_t skip_dark(std::string_view text, std::size_t at) {
  while (at < text.size() && space_size(text.substr(at)) == 0) ++at;
  return at;
}

std::string without_queries(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t mark = text.find('?', at);
    out.append(text.substr(at, mark - at));
    if (mark == text.npos) break;
    at = skip_dark(text, mark + 1);
    if (at == mark + 1) out.push_back('?');
  }
  return out;
}

}  // namespace

std::string seed_fingerprint(std::string_view error_type, std::string_view error_name,
                             std::string_view stack) {
  const std::string normal = without_queries(without_positions(stack));
  const Utf16Prefix prefix = utf16_prefix(normal, kStackUnits);
  std::string text;
  text.append(error_type).append(":").append(error_name).append(":");
  text.append(normal, 0, prefix.bytes);
  if (prefix.split) text.append(kReplacement);
  return key_of(sha256(text));
}

}  // namespace vigil
