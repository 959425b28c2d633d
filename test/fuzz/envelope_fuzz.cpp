// Headers, payloads and faults lie in order inside the envelope, and leave only line ends between.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "core/envelope.hpp"

namespace {

const char* base = nullptr;
std::vector<bool> covered;

void cover(std::string_view part) {
  if (part.empty()) return;
  const auto start = static_cast<std::size_t>(part.data() - base);
  if (start + part.size() > covered.size()) std::abort();
  for (std::size_t i = 0; i < part.size(); ++i) covered[start + i] = true;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  base = text.data();
  covered.assign(size, false);
  const vigil::Envelope envelope = vigil::split_envelope(text);
  cover(envelope.header);
  for (const auto& item : envelope.items) {
    cover(item.header);
    cover(item.payload);
    if (item.type.empty()) std::abort();
  }
  for (const auto& fault : envelope.faults) {
    cover(fault.bytes);
    if (fault.offset > size) std::abort();
  }
  if (envelope.items.size() > vigil::kMaxEnvelopeItems) std::abort();
  for (std::size_t i = 0; i < size; ++i) {
    if (!covered[i] && text[i] != '\n' && text[i] != '\r') std::abort();
  }
  return 0;
}
