// Any text splits into elements that lie in it, in order; checked objects have members as jsonb has
// them.
#include <cstdint>
#include <cstdlib>

#include "core/json_object.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  std::pmr::monotonic_buffer_resource resource;
  const vigil::JsonElements elements = vigil::split_json_array(text, &resource);
  const char* last = text.data();
  for (const std::string_view item : elements.items) {
    if (item.data() < last || item.data() + item.size() > text.data() + size) std::abort();
    last = item.data() + item.size();
  }
  // Of a checked array every element is checked.
  if (!vigil::check_json(text) && elements.is_array) {
    if (elements.fault) std::abort();
    for (const std::string_view item : elements.items)
      if (vigil::check_json(item)) std::abort();
  }
  std::pmr::vector<vigil::JsonMember> members(&resource);
  for (const std::string_view item : elements.items) {
    if (vigil::check_json(item) || item.front() != '{') continue;
    vigil::read_json_object(item, &resource, members);
    for (std::size_t i = 0; i < members.size(); ++i) {
      if (i > 0 && members[i - 1].key.size() > members[i].key.size()) std::abort();
      if (i > 0 && members[i - 1].key == members[i].key) std::abort();
      const auto kind = members[i].value.kind;
      const bool nested =
          kind == vigil::JsonValue::Kind::kObject || kind == vigil::JsonValue::Kind::kArray;
      if (nested && vigil::check_json(members[i].value.text)) std::abort();
    }
  }
  return 0;
}
