// Two releases, a line each: turned round, their order is turned round, and no release comes before
// itself.
#include <cstdint>
#include <cstdlib>

#include "core/release.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::size_t end = text.find('\n');
  if (end == std::string_view::npos) return 0;
  const std::string_view left = text.substr(0, end);
  const std::string_view right = text.substr(end + 1);
  const auto order = vigil::compare_releases(left, right);
  if (vigil::compare_releases(right, left) != (0 <=> order)) std::abort();
  for (const std::string_view release : {left, right}) {
    const auto same = vigil::compare_releases(release, release);
    if (same < 0 || same > 0) std::abort();
  }
  return 0;
}
