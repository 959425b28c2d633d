#include "core/utf8.hpp"

#include <cstdint>
#include <cstring>

namespace vigil {
namespace {

// What a lead byte asks for: the number of further bytes, and the range of the first of them.
struct Lead {
  unsigned trail;
  std::uint8_t low;
  std::uint8_t high;
};

constexpr Lead lead_of(std::uint8_t byte) noexcept {
  if (byte < 0xC2 || byte > 0xF4) return {0, 0, 0};
  if (byte < 0xE0) return {1, 0x80, 0xBF};
  if (byte == 0xE0) return {2, 0xA0, 0xBF};  // lower ones are overlong
  if (byte == 0xED) return {2, 0x80, 0x9F};  // higher ones are surrogates
  if (byte < 0xF0) return {2, 0x80, 0xBF};
  if (byte == 0xF0) return {3, 0x90, 0xBF};
  if (byte == 0xF4) return {3, 0x80, 0x8F};  // U+10FFFF is the last
  return {3, 0x80, 0xBF};
}

std::uint8_t byte_at(std::string_view text, std::size_t at) noexcept {
  return static_cast<std::uint8_t>(text[at]);
}

// The end of the run of ASCII that starts at `at`.
std::size_t skip_ascii(std::string_view text, std::size_t at) noexcept {
  for (; text.size() - at >= 8; at += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, text.data() + at, 8);
    if ((word & 0x8080808080808080U) != 0) break;
  }
  while (at < text.size() && byte_at(text, at) < 0x80) ++at;
  return at;
}

// The offset of the first ill-formed byte at or after `at`, or the size of the text.
std::size_t find_fault(std::string_view text, std::size_t at) noexcept {
  while ((at = skip_ascii(text, at)) < text.size()) {
    const Utf8Step step = utf8_step(text, at);
    if (!step.valid) return at;
    at += step.size;
  }
  return at;
}

// Appends well-formed text, with U+FFFD for each NUL.
void append_without_nul(std::string_view text, std::pmr::string& out) {
  for (;;) {
    const std::size_t nul = text.find('\0');
    out.append(text.substr(0, nul));
    if (nul == std::string_view::npos) return;
    out.append(kReplacement);
    text.remove_prefix(nul + 1);
  }
}

}  // namespace

Utf8Step utf8_step(std::string_view text, std::size_t at) noexcept {
  const std::uint8_t first = byte_at(text, at);
  if (first < 0x80) return {1, true};
  const Lead lead = lead_of(first);
  if (lead.trail == 0) return {1, false};
  std::uint8_t low = lead.low;
  std::uint8_t high = lead.high;
  for (std::size_t i = 1; i <= lead.trail; ++i) {
    if (at + i >= text.size()) return {i, false};
    const std::uint8_t byte = byte_at(text, at + i);
    if (byte < low || byte > high) return {i, false};
    low = 0x80;
    high = 0xBF;
  }
  return {lead.trail + std::size_t{1}, true};
}

bool valid_utf8(std::string_view text) noexcept { return find_fault(text, 0) == text.size(); }

void repair_utf8(std::string_view text, std::pmr::string& out) {
  out.reserve(out.size() + text.size());
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t fault = find_fault(text, at);
    append_without_nul(text.substr(at, fault - at), out);
    if (fault == text.size()) return;
    out.append(kReplacement);
    at = fault + utf8_step(text, fault).size;
  }
}

Utf16Prefix utf16_prefix(std::string_view text, std::size_t units) noexcept {
  std::size_t at = 0;
  while (units > 0 && at < text.size()) {
    const Utf8Step step = utf8_step(text, at);
    const std::size_t width = step.valid && step.size == 4 ? 2 : 1;
    if (width > units) return {at, true};
    units -= width;
    at += step.size;
  }
  return {at, false};
}

}  // namespace vigil
