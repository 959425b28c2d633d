// Repair is stable, leaves good text alone, and yields nothing that the checker refuses for NUL,
// surrogates, control characters or encoding.
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "core/json_text.hpp"
#include "core/utf8.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  std::pmr::string once;
  std::pmr::string twice;
  const bool changed = vigil::repair_json(text, once);
  if (!changed && !once.empty()) std::abort();
  const std::string_view repaired = changed ? std::string_view(once) : text;
  if (!vigil::valid_utf8(repaired) || repaired.find('\0') != repaired.npos) std::abort();
  if (repaired.substr(0, 3) != "\xEF\xBB\xBF" && vigil::repair_json(repaired, twice)) std::abort();
  if (changed && !vigil::check_json(text)) std::abort();  // good text needs no repair
  const auto fault = vigil::check_json(repaired);
  if (!fault) return 0;
  if (fault->offset > repaired.size()) std::abort();
  for (const char* word : {"UTF-8", "surrogate", "NUL"}) {
    if (std::strstr(fault->reason, word) != nullptr) std::abort();
  }
  return 0;
}
