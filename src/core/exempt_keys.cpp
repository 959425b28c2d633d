#include "core/exempt_keys.hpp"

#include <algorithm>
#include <utility>

namespace vigil {

namespace {

constexpr std::string_view kBlanks = " \t\r\n";

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(kBlanks);
  if (first == text.npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

// Cuts the first element off the list.
std::string_view next_element(std::string_view& rest) {
  const std::size_t comma = std::min(rest.find(','), rest.size());
  const std::string_view element = rest.substr(0, comma);
  rest.remove_prefix(std::min(comma + 1, rest.size()));
  return trimmed(element);
}

bool is_block(std::string_view element) {
  return parse_ip(element.substr(0, element.find('/'))).has_value();
}

}  // namespace

std::optional<ExemptKeys> ExemptKeys::parse(std::string_view text, std::string& reason) {
  ExemptKeys list;
  std::string blocks;
  while (!text.empty()) {
    const std::string_view element = next_element(text);
    if (element.empty()) continue;
    if (element.back() == '*')
      list.prefixes_.emplace_back(element.substr(0, element.size() - 1));
    else if (is_block(element))
      blocks.append(blocks.empty() ? "" : ",").append(element);
    else
      list.keys_.emplace_back(element);
  }
  auto addresses = AddressList::parse(blocks, reason);
  if (!addresses) return std::nullopt;
  list.addresses_ = *std::move(addresses);
  return list;
}

bool ExemptKeys::contains(std::string_view key) const noexcept {
  if (std::ranges::find(keys_, key) != keys_.end()) return true;
  for (const std::string& prefix : prefixes_)
    if (key.starts_with(prefix)) return true;
  if (addresses_.empty()) return false;
  const auto address = parse_ip(key);
  return address && addresses_.contains(*address);
}

}  // namespace vigil
