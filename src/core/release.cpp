#include "core/release.hpp"

#include <algorithm>
#include <optional>

namespace vigil {

namespace {

struct Release {
  std::string_view package;
  std::string_view numbers;  // digits and single dots between them
  std::string_view pre;
  std::string_view build;
};

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool is_number(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), is_digit);
}

// Cuts off what stands before the first separator; all when there is none.
std::string_view take(std::string_view& text, char separator) {
  const std::string_view part = text.substr(0, text.find(separator));
  text.remove_prefix(std::min(text.size(), part.size() + 1));
  return part;
}

bool are_numbers(std::string_view text) {
  std::size_t count = 0;
  for (; !text.empty(); ++count)
    if (text.ends_with('.') || !is_number(take(text, '.'))) return false;
  return count >= 2;
}

std::optional<Release> read_release(std::string_view text) {
  Release release;
  if (const std::size_t sign = text.rfind('@'); sign != std::string_view::npos) {
    release.package = text.substr(0, sign);
    text.remove_prefix(sign + 1);
  }
  if (text.starts_with('v') || text.starts_with('V')) text.remove_prefix(1);
  std::string_view version = take(text, '+');
  release.build = text;
  release.numbers = take(version, '-');
  release.pre = version;
  if (!are_numbers(release.numbers)) return std::nullopt;
  return release;
}

std::strong_ordering compare_numbers(std::string_view left, std::string_view right) {
  for (std::string_view* number : {&left, &right})
    number->remove_prefix(std::min(number->find_first_not_of('0'), number->size()));
  if (left.size() != right.size()) return left.size() <=> right.size();
  return left.compare(right) <=> 0;
}

std::strong_ordering compare_parts(std::string_view left, std::string_view right) {
  const bool numbers[] = {is_number(left), is_number(right)};
  if (numbers[0] != numbers[1]) return numbers[1] <=> numbers[0];
  return numbers[0] ? compare_numbers(left, right) : left.compare(right) <=> 0;
}

std::strong_ordering compare_lists(std::string_view left, std::string_view right) {
  while (!left.empty() || !right.empty()) {
    const auto order = compare_numbers(take(left, '.'), take(right, '.'));
    if (order != 0) return order;
  }
  return std::strong_ordering::equal;
}

std::strong_ordering compare_pre_releases(std::string_view left, std::string_view right) {
  if (left.empty() || right.empty()) return left.empty() <=> right.empty();
  while (!left.empty() && !right.empty()) {
    const auto order = compare_parts(take(left, '.'), take(right, '.'));
    if (order != 0) return order;
  }
  return right.empty() <=> left.empty();
}

}  // namespace

std::partial_ordering compare_releases(std::string_view left, std::string_view right) noexcept {
  const auto first = read_release(left);
  const auto second = read_release(right);
  if (!first || !second || first->package != second->package)
    return std::partial_ordering::unordered;
  if (const auto order = compare_lists(first->numbers, second->numbers); order != 0) return order;
  if (const auto order = compare_pre_releases(first->pre, second->pre); order != 0) return order;
  if (is_number(first->build) && is_number(second->build))
    return compare_numbers(first->build, second->build);
  return std::partial_ordering::equivalent;
}

}  // namespace vigil
