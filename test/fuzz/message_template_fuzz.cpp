// Whatever the bytes: the key is the hash of the template, the work and the size are bounded, and
// the template of well-formed text is well-formed.
#include <cstdint>
#include <cstdlib>

#include "core/message_template.hpp"
#include "core/utf8.hpp"

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  std::pmr::string out;
  vigil::message_template(text, out);
  require(vigil::template_key(text) == vigil::key_of_template(out));
  require(out.size() <= 8 * size);
  require(vigil::template_work(text) <= 96 * (size + 1));
  if (vigil::valid_utf8(text)) require(vigil::valid_utf8(out));
  std::pmr::vector<vigil::TemplatePart> parts;
  vigil::explain_template(text, parts);
  require(parts.empty() == out.empty());
  for (const vigil::TemplatePart& part : parts)
    require(!part.placeholder.empty() || out.find(part.text) != out.npos);
  return 0;
}
