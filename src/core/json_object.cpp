#include "core/json_object.hpp"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <limits>

#include "core/char_set.hpp"

namespace vigil {
namespace {

constexpr std::string_view kSpace = " \t\n\r";
constexpr CharSet kStringSpecial("\"\\");
constexpr CharSet kStructural("\"[]{},");

std::size_t skip_space(std::string_view text, std::size_t at) noexcept {
  while (at < text.size() && kSpace.find(text[at]) != kSpace.npos) ++at;
  return at;
}

// The place after the string that starts at `at`; the end of the text if it does not end.
std::size_t skip_string(std::string_view text, std::size_t at) noexcept {
  for (++at; at < text.size(); ++at) {
    at = kStringSpecial.find(text, at);
    if (at == text.npos) return text.size();
    if (text[at] == '"') return at + 1;
    ++at;
  }
  return text.size();
}

// The place after the value that starts at `at`, up to a comma or bracket that is not its own.
std::size_t skip_value(std::string_view text, std::size_t at) noexcept {
  std::size_t depth = 0;
  while (at < text.size()) {
    at = kStructural.find(text, at);
    if (at == text.npos) return text.size();
    const char c = text[at];
    if (c == '"') {
      at = skip_string(text, at);
      continue;
    }
    if (c == '[' || c == '{') {
      ++depth;
    } else if (depth == 0) {
      return at;
    } else if (c != ',') {
      --depth;
    }
    ++at;
  }
  return at;
}

// The same for text that may be no JSON: a bracket that closes an outer container closes the inner
// ones as well, so that a bad item ends where its neighbour begins.
std::size_t skip_item(std::string_view text, std::size_t at, std::pmr::string& open) {
  open.clear();
  while (at < text.size()) {
    at = kStructural.find(text, at);
    if (at == text.npos) return text.size();
    const char c = text[at];
    if (c == '"') {
      at = skip_string(text, at);
      continue;
    }
    if (c == '[' || c == '{') {
      open.push_back(c);
    } else if (open.empty()) {
      return at;
    } else if (c != ',') {
      const std::size_t opened = open.rfind(c == ']' ? '[' : '{');
      if (opened != open.npos) open.resize(opened);
    }
    ++at;
  }
  return at;
}

int hex_value(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  return (c | 0x20) - 'a' + 10;
}

std::uint32_t escaped_unit(std::string_view text, std::size_t at) noexcept {
  std::uint32_t unit = 0;
  for (std::size_t i = 0; i < 4; ++i)
    unit = unit * 16 + static_cast<std::uint32_t>(hex_value(text[at + i]));
  return unit;
}

char* put_utf8(char* out, std::uint32_t code) noexcept {
  const auto put = [&](std::uint32_t byte) { *out++ = static_cast<char>(byte); };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xC0 | code >> 6);
    put(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    put(0xE0 | code >> 12);
    put(0x80 | (code >> 6 & 0x3F));
    put(0x80 | (code & 0x3F));
  } else {
    put(0xF0 | code >> 18);
    put(0x80 | (code >> 12 & 0x3F));
    put(0x80 | (code >> 6 & 0x3F));
    put(0x80 | (code & 0x3F));
  }
  return out;
}

char short_escape(char c) noexcept {
  switch (c) {
    case 'b':
      return '\b';
    case 'f':
      return '\f';
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 't':
      return '\t';
    default:
      return c;
  }
}

// What stands between the quotes of a checked string. No escape is shorter than what it stands for.
std::string_view unescape(std::string_view inside, std::pmr::memory_resource* resource) {
  if (inside.find('\\') == inside.npos) return inside;
  char* const start = static_cast<char*>(resource->allocate(inside.size(), 1));
  char* out = start;
  for (std::size_t at = 0; at < inside.size();) {
    if (inside[at] != '\\') {
      *out++ = inside[at++];
    } else if (inside[at + 1] != 'u') {
      *out++ = short_escape(inside[at + 1]);
      at += 2;
    } else {
      std::uint32_t code = escaped_unit(inside, at + 2);
      at += 6;
      if (code >= 0xD800 && code < 0xDC00) {
        code = 0x10000 + ((code - 0xD800) << 10) + (escaped_unit(inside, at + 2) - 0xDC00);
        at += 6;
      }
      out = put_utf8(out, code);
    }
  }
  return {start, static_cast<std::size_t>(out - start)};
}

JsonValue read_value(std::string_view text, std::pmr::memory_resource* resource) {
  JsonValue value;
  value.text = text;
  switch (text.front()) {
    case '{':
      value.kind = JsonValue::Kind::kObject;
      break;
    case '[':
      value.kind = JsonValue::Kind::kArray;
      break;
    case '"':
      value.kind = JsonValue::Kind::kText;
      value.text = unescape(text.substr(1, text.size() - 2), resource);
      break;
    case 't':
    case 'f':
      value.kind = JsonValue::Kind::kBoolean;
      value.boolean = text.front() == 't';
      break;
    case 'n':
      break;
    default:
      value.kind = JsonValue::Kind::kNumber;
      if (std::from_chars(text.data(), text.data() + text.size(), value.number).ec != std::errc())
        value.number = std::numeric_limits<double>::infinity();
  }
  return value;
}

}  // namespace

JsonElements split_json_array(std::string_view text, std::pmr::memory_resource* resource) {
  JsonElements result{false, std::pmr::vector<std::string_view>(resource), std::nullopt};
  std::pmr::string open(resource);
  std::size_t at = skip_space(text, 0);
  result.is_array = at < text.size() && text[at] == '[';
  if (!result.is_array) return result;
  at = skip_space(text, at + 1);
  if (at < text.size() && text[at] == ']') {
    ++at;
  } else {
    for (;;) {
      const std::size_t end = skip_item(text, at, open);
      const std::size_t last = text.find_last_not_of(kSpace, end - 1);
      const std::string_view item = text.substr(at, std::max(last + 1, at) - at);
      if (!item.empty() || end < text.size()) result.items.push_back(item);
      at = end;
      if (at == text.size()) {
        result.fault = JsonFault{at, "the text ends too early"};
        return result;
      }
      if (text[at] != ',') break;
      at = skip_space(text, at + 1);
    }
    if (text[at] != ']') {
      result.fault = JsonFault{at, "the wrong bracket closes a container"};
      return result;
    }
    ++at;
  }
  at = skip_space(text, at);
  if (at < text.size()) result.fault = JsonFault{at, "text follows the value"};
  return result;
}

void read_json_object(std::string_view checked, std::pmr::memory_resource* resource,
                      std::pmr::vector<JsonMember>& members) {
  members.clear();
  std::size_t at = skip_space(checked, 0) + 1;
  for (;;) {
    at = skip_space(checked, at);
    if (checked[at] == '}') break;
    if (checked[at] == ',') {
      ++at;
      continue;
    }
    std::size_t end = skip_string(checked, at);
    const std::string_view key = unescape(checked.substr(at + 1, end - at - 2), resource);
    at = skip_space(checked, skip_space(checked, end) + 1);
    end = skip_value(checked, at);
    const std::size_t last = checked.find_last_not_of(kSpace, end - 1);
    members.push_back({key, read_value(checked.substr(at, last + 1 - at), resource)});
    at = end;
  }
  const auto before = [](const JsonMember& a, const JsonMember& b) {
    return a.key.size() != b.key.size() ? a.key.size() < b.key.size() : a.key < b.key;
  };
  std::stable_sort(members.begin(), members.end(), before);
  std::size_t kept = 0;
  for (std::size_t i = 0; i < members.size(); ++i) {
    if (i + 1 < members.size() && members[i].key == members[i + 1].key) continue;
    members[kept++] = members[i];
  }
  members.resize(kept);
}

}  // namespace vigil
