// Whatever the bytes, frames are parts of the text, there are no more of them than lines, the work
// is linear, and the same text gives the same frames.
#include <cstdint>
#include <cstdlib>

#include "core/stack.hpp"

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

bool is_part(std::string_view part, std::string_view text) {
  return part.empty() ||
         (part.data() >= text.data() && part.data() + part.size() <= text.data() + text.size());
}

}  // namespace

// Name and message, if there are any, are the first two parts that end with a zero byte.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  vigil::StackHeader header;
  for (std::string_view* part : {&header.name, &header.message}) {
    const std::size_t end = text.find('\0');
    if (end == text.npos) break;
    *part = text.substr(0, end);
    text.remove_prefix(end + 1);
  }
  std::pmr::vector<vigil::StackFrame> frames;
  const std::size_t work = vigil::parse_stack(text, header, frames);
  require(work <= 150 * (text.size() + 1));
  std::size_t lines = 1;
  for (const char c : text) lines += c == '\n';
  require(frames.size() <= lines);
  for (const vigil::StackFrame& frame : frames) {
    require(is_part(frame.function, text) && is_part(frame.file, text) && is_part(frame.raw, text));
    require(!frame.raw.empty());
    require(frame.line >= vigil::StackFrame::kNone && frame.column >= vigil::StackFrame::kNone);
  }
  std::pmr::vector<vigil::StackFrame> again;
  require(vigil::parse_stack(text, header, again) == work && again.size() == frames.size());
  return 0;
}
