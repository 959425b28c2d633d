// Repaired text is well-formed, free of NUL, and stays as it is when repaired again.
#include <cstdint>
#include <cstdlib>

#include "core/utf8.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  std::pmr::string once;
  std::pmr::string twice;
  vigil::repair_utf8(text, once);
  vigil::repair_utf8(once, twice);
  if (!vigil::valid_utf8(once) || once != twice) std::abort();
  if (once.find('\0') != once.npos || once.size() > 3 * size) std::abort();
  const bool clean = vigil::valid_utf8(text) && text.find('\0') == text.npos;
  if (clean != (std::string_view(once) == text)) std::abort();
  const auto prefix = vigil::utf16_prefix(text, size == 0 ? 0 : data[0]);
  if (prefix.bytes > size) std::abort();
  return 0;
}
