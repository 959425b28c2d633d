#include "core/json_text.hpp"

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "core/utf8.hpp"

namespace vigil {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
constexpr std::string_view kEscapedReplacement = "\\ufffd";
constexpr std::size_t kMaxStringBytes = 200'000'000;
constexpr std::size_t kMaxDigits = 15'000;
constexpr int kMaxExponent = 1'000;

// A jsonb container holds less than 2^28 bytes. Each value is charged its text and this much, which
// is more than its entry and numeric header take.
constexpr std::size_t kMaxStored = 250'000'000;
constexpr std::size_t kValueCost = 16;

bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }
bool is_control(char c) noexcept { return static_cast<std::uint8_t>(c) < 0x20; }
bool is_ascii(char c) noexcept { return static_cast<std::uint8_t>(c) < 0x80; }
bool is_high_surrogate(int unit) noexcept { return unit >= 0xD800 && unit <= 0xDBFF; }
bool is_low_surrogate(int unit) noexcept { return unit >= 0xDC00 && unit <= 0xDFFF; }

bool is_plain(char c) noexcept { return c != '"' && c != '\\' && !is_control(c) && is_ascii(c); }

// Zero exactly when no byte of the word is zero.
constexpr std::uint64_t zero_bytes(std::uint64_t word) noexcept {
  return (word - 0x0101010101010101U) & ~word & 0x8080808080808080U;
}

// Tells whether none of eight bytes is a quote, a backslash, a control character or beyond ASCII.
bool all_plain(const char* bytes) noexcept {
  std::uint64_t word = 0;
  std::memcpy(&word, bytes, 8);
  const std::uint64_t quote = zero_bytes(word ^ 0x2222222222222222U);
  const std::uint64_t backslash = zero_bytes(word ^ 0x5C5C5C5C5C5C5C5CU);
  const std::uint64_t control = (word - 0x2020202020202020U) & ~word;
  return ((quote | backslash | control | word) & 0x8080808080808080U) == 0;
}

// The end of the run of plain string characters that starts at `at`.
std::size_t skip_plain(std::string_view text, std::size_t at) noexcept {
  while (text.size() - at >= 8 && all_plain(text.data() + at)) at += 8;
  while (at < text.size() && is_plain(text[at])) ++at;
  return at;
}

int hex_value(char c) noexcept {
  if (is_digit(c)) return c - '0';
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

// The UTF-16 unit that the escape \uXXXX at `at` stands for, or -1 when there is none.
int escaped_unit(std::string_view text, std::size_t at) noexcept {
  if (text.size() < 6 || at > text.size() - 6) return -1;
  if (text[at] != '\\' || text[at + 1] != 'u') return -1;
  int unit = 0;
  for (std::size_t i = 2; i < 6; ++i) {
    const int digit = hex_value(text[at + i]);
    if (digit < 0) return -1;
    unit = unit * 16 + digit;
  }
  return unit;
}

class Repairer {
 public:
  Repairer(std::string_view text, std::pmr::string& out) : text_(text), out_(out) {}

  bool run() {
    if (text_.substr(0, 3) == kByteOrderMark) replace(3, {});
    while (at_ < text_.size()) {
      if (inside_) {
        string_character();
      } else {
        structural_character();
      }
    }
    if (changed_) out_.append(text_.substr(copied_));
    return changed_;
  }

 private:
  void structural_character() {
    const char c = text_[at_];
    if (c == '\0' || !is_ascii(c)) return raw_character();
    inside_ = c == '"';
    ++at_;
  }

  void string_character() {
    at_ = skip_plain(text_, at_);
    if (at_ == text_.size()) return;
    const char c = text_[at_];
    if (c == '\\') return escape();
    if (c == '\0' || !is_ascii(c)) return raw_character();
    if (is_control(c)) return control_character(c);
    inside_ = false;
    ++at_;
  }

  // A NUL or a character beyond ASCII.
  void raw_character() {
    const Utf8Step step = utf8_step(text_, at_);
    if (text_[at_] == '\0' || !step.valid) return replace(step.size, kReplacement);
    at_ += step.size;
  }

  void control_character(char c) {
    constexpr std::string_view digits = "0123456789abcdef";
    const auto value = static_cast<std::size_t>(c);
    const char escaped[] = {'\\', 'u', '0', '0', digits[value >> 4], digits[value & 15]};
    replace(1, {escaped, sizeof escaped});
  }

  void escape() {
    const int unit = escaped_unit(text_, at_);
    if (unit < 0) return skip_short_escape();
    if (is_high_surrogate(unit) && is_low_surrogate(escaped_unit(text_, at_ + 6))) {
      at_ += 12;
    } else if (unit == 0 || is_high_surrogate(unit) || is_low_surrogate(unit)) {
      replace(6, kEscapedReplacement);
    } else {
      at_ += 6;
    }
  }

  // A raw control character after a backslash stays: escaping it would make the backslash a text.
  void skip_short_escape() {
    ++at_;
    if (at_ < text_.size() && text_[at_] != '\0' && is_ascii(text_[at_])) ++at_;
  }

  void replace(std::size_t size, std::string_view by) {
    if (!changed_) out_.reserve(out_.size() + text_.size() + by.size());
    out_.append(text_.substr(copied_, at_ - copied_));
    out_.append(by);
    at_ += size;
    copied_ = at_;
    changed_ = true;
  }

  std::string_view text_;
  std::pmr::string& out_;
  std::size_t at_ = 0;
  std::size_t copied_ = 0;
  bool inside_ = false;
  bool changed_ = false;
};

class Checker {
 public:
  Checker(std::string_view text, int max_depth)
      : text_(text), max_depth_(static_cast<std::size_t>(std::max(max_depth, 0))) {}

  std::optional<JsonFault> run() {
    while (!fault_) {
      skip_space();
      if (at_ == text_.size()) {
        if (expect_ != Expect::kEnd) fail("the text ends too early");
        break;
      }
      step(text_[at_]);
    }
    return fault_;
  }

 private:
  enum class Expect { kValue, kValueOrEnd, kKey, kKeyOrEnd, kColon, kNext, kEnd };

  void step(char c) {
    switch (expect_) {
      case Expect::kValue:
        return value(c);
      case Expect::kValueOrEnd:
        return c == ']' ? close(c) : value(c);
      case Expect::kKey:
        return key(c);
      case Expect::kKeyOrEnd:
        return c == '}' ? close(c) : key(c);
      case Expect::kColon:
        return colon(c);
      case Expect::kNext:
        return next(c);
      case Expect::kEnd:
        return fail("text follows the value");
    }
  }

  void value(char c) {
    charge(kValueCost);
    if (c == '{' || c == '[') return open(c);
    if (c == '"') {
      string();
    } else if (c == '-' || is_digit(c)) {
      number();
    } else if (!word("true") && !word("false") && !word("null")) {
      return fail("a value is expected");
    }
    after_value();
  }

  void key(char c) {
    if (c != '"') return fail("a key in double quotes is expected");
    charge(kValueCost);
    string();
    expect_ = Expect::kColon;
  }

  void colon(char c) {
    if (c != ':') return fail("a colon is expected");
    ++at_;
    expect_ = Expect::kValue;
  }

  void next(char c) {
    if (c == ']' || c == '}') return close(c);
    if (c != ',') return fail("a comma or the end of the container is expected");
    ++at_;
    expect_ = open_.back() == '{' ? Expect::kKey : Expect::kValue;
  }

  void open(char c) {
    if (open_.size() >= max_depth_) return fail("containers are nested too deeply");
    open_.push_back(c);
    ++at_;
    expect_ = c == '{' ? Expect::kKeyOrEnd : Expect::kValueOrEnd;
  }

  void close(char c) {
    if ((open_.back() == '{') != (c == '}')) return fail("the wrong bracket closes a container");
    open_.pop_back();
    ++at_;
    after_value();
  }

  void after_value() { expect_ = open_.empty() ? Expect::kEnd : Expect::kNext; }

  bool word(std::string_view expected) {
    if (text_.substr(at_, expected.size()) != expected) return false;
    at_ += expected.size();
    return true;
  }

  void string() {
    const std::size_t start = ++at_;
    while (!fault_) {
      at_ = skip_plain(text_, at_);
      if (at_ == text_.size()) return fail("a string does not end");
      if (text_[at_] == '"') break;
      special_character(text_[at_]);
    }
    if (!fault_ && at_ - start > kMaxStringBytes) return fail_at(start, "a string is too long");
    charge(at_ - start);
    ++at_;
  }

  void special_character(char c) {
    if (c == '\\') return escape();
    if (is_control(c)) return fail("a control character stands in a string");
    const Utf8Step step = utf8_step(text_, at_);
    if (!step.valid) return fail("the text is not UTF-8");
    at_ += step.size;
  }

  void escape() {
    const int unit = escaped_unit(text_, at_);
    if (unit < 0) return short_escape();
    if (unit == 0) return fail("the character NUL is escaped");
    if (is_low_surrogate(unit)) return fail("a low surrogate stands alone");
    if (!is_high_surrogate(unit)) {
      at_ += 6;
    } else if (is_low_surrogate(escaped_unit(text_, at_ + 6))) {
      at_ += 12;
    } else {
      fail("a high surrogate stands alone");
    }
  }

  void short_escape() {
    constexpr std::string_view known = "\"\\/bfnrt";
    const bool good = at_ + 1 < text_.size() && known.find(text_[at_ + 1]) != known.npos;
    if (!good) return fail("an escape is malformed");
    at_ += 2;
  }

  void number() {
    const std::size_t start = at_;
    if (text_[at_] == '-') ++at_;
    const std::size_t whole = at_;
    if (!digits()) return fail("a digit is expected");
    if (text_[whole] == '0' && at_ > whole + 1) return fail_at(whole, "a number starts with 0");
    if (peek() == '.') {
      ++at_;
      if (!digits()) return fail("a digit is expected");
    }
    if (at_ - start > kMaxDigits) return fail_at(start, "number out of range");
    if (peek() == 'e' || peek() == 'E') exponent(start);
    charge(at_ - start);
  }

  void exponent(std::size_t start) {
    ++at_;
    if (peek() == '+' || peek() == '-') ++at_;
    std::size_t first = at_;
    if (!digits()) return fail("a digit is expected");
    int value = 0;
    for (; first < at_ && value <= kMaxExponent; ++first) value = value * 10 + text_[first] - '0';
    if (value > kMaxExponent) fail_at(start, "number out of range");
  }

  // Skips digits; false when there is none.
  bool digits() {
    const std::size_t start = at_;
    while (at_ < text_.size() && is_digit(text_[at_])) ++at_;
    return at_ > start;
  }

  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }

  void skip_space() {
    constexpr std::string_view space = " \t\n\r";
    while (at_ < text_.size() && space.find(text_[at_]) != space.npos) ++at_;
  }

  void charge(std::size_t size) {
    stored_ += size;
    if (stored_ > kMaxStored) fail("the value is too large for jsonb");
  }

  void fail(const char* reason) { fail_at(at_, reason); }

  // The first fault is the one that is told.
  void fail_at(std::size_t offset, const char* reason) {
    if (!fault_) fault_ = JsonFault{offset, reason};
  }

  std::string_view text_;
  std::size_t max_depth_;
  std::size_t at_ = 0;
  std::size_t stored_ = 0;
  std::string open_;  // the containers around this place, each by its bracket
  Expect expect_ = Expect::kValue;
  std::optional<JsonFault> fault_;
};

}  // namespace

bool repair_json(std::string_view text, std::pmr::string& out) { return Repairer(text, out).run(); }

std::optional<JsonFault> check_json(std::string_view text, int max_depth) {
  return Checker(text, max_depth).run();
}

}  // namespace vigil
