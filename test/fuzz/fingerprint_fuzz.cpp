// A fingerprint is 32 hexadecimal digits, whatever the stack; one given in parts depends on the
// default key exactly if a part stands for it.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "core/fingerprint.hpp"

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

void require_key(const std::string& key) {
  require(key.size() == 32);
  require(key.find_first_not_of("0123456789abcdef") == key.npos);
}

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    lines.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::string key = vigil::seed_fingerprint("type", "name", text);
  require_key(key);
  const auto lines = lines_of(text);
  const std::string custom = vigil::custom_fingerprint(lines, key);
  require_key(custom);
  const bool takes_default = std::ranges::any_of(lines, [](std::string_view line) {
    return line.find("{{ default }}") != line.npos || line.find("{{default}}") != line.npos;
  });
  require((vigil::custom_fingerprint(lines, "other") == custom) != takes_default);
  return 0;
}
