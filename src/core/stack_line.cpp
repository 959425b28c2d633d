#include "core/stack_line.hpp"

namespace vigil::stack {
namespace {

constexpr std::size_t kMaxDigits = 9;

bool opens(char c) { return c == '(' || c == '[' || c == '{' || c == '<'; }
bool closes(char c) { return c == ')' || c == ']' || c == '}' || c == '>'; }

}  // namespace

std::size_t Scan::closing(std::string_view text, std::size_t open) {
  std::size_t depth = 0;
  for (std::size_t at = open; at < text.size(); ++at) {
    ++work_;
    if (text[at] == '(') ++depth;
    if (text[at] == ')' && --depth == 0) return at;
  }
  return kNowhere;
}

std::size_t Scan::opening(std::string_view text, std::size_t close) {
  std::size_t depth = 0;
  for (std::size_t at = close + 1; at-- > 0;) {
    ++work_;
    if (text[at] == ')') ++depth;
    if (text[at] == '(' && --depth == 0) return at;
  }
  return kNowhere;
}

bool Scan::has_free_blank(std::string_view text) {
  std::size_t depth = 0;
  for (std::size_t at = 0; at < text.size(); ++at) {
    ++work_;
    if (opens(text[at])) ++depth;
    if (closes(text[at]) && depth > 0 && (at == 0 || text[at - 1] != '-')) --depth;
    if (is_blank(text[at]) && depth == 0) return true;
  }
  return false;
}

bool take_number(std::string_view& text, std::int32_t& value) {
  std::size_t size = 0;
  std::int32_t number = 0;
  while (size < text.size() && is_digit(text[size])) {
    if (++size > kMaxDigits) return false;
    number = number * 10 + (text[size - 1] - '0');
  }
  if (size == 0) return false;
  value = number;
  text.remove_prefix(size);
  return true;
}

bool take_last_number(std::string_view& text, std::int32_t& value) {
  std::size_t size = 0;
  std::int32_t number = 0;
  std::int32_t power = 1;
  while (size < text.size() && is_digit(text[text.size() - size - 1])) {
    if (size == kMaxDigits) return false;
    number += power * (text[text.size() - size - 1] - '0');
    if (++size < kMaxDigits) power *= 10;
  }
  if (size == 0) return false;
  value = number;
  text.remove_suffix(size);
  return true;
}

bool split_place(std::string_view text, Place& place) {
  place = {text};
  std::string_view rest = text;
  std::int32_t last = 0;
  if (!take_last_number(rest, last) || !take_back(rest, ":")) return false;
  place = {rest, last};
  std::int32_t first = 0;
  if (take_last_number(rest, first) && take_back(rest, ":")) place = {rest, first, last};
  return true;
}

bool begins_place(std::string_view text) {
  if (text.starts_with('/') || text.starts_with("./") || text.starts_with("../") ||
      text.starts_with("\\\\") || text.starts_with('<')) {
    return true;
  }
  constexpr std::size_t kMaxScheme = 32;
  for (std::size_t at = 0; at < text.size() && at < kMaxScheme; ++at) {
    const char c = text[at];
    if (c == ':')
      return at > 0 && at + 1 < text.size() && !is_digit(text[at + 1]) && text[at + 1] != ' ';
    const bool of_scheme =
        is_letter(c) || (at > 0 && (is_digit(c) || c == '-' || c == '+' || c == '.'));
    if (!of_scheme) return false;
  }
  return false;
}

}  // namespace vigil::stack
