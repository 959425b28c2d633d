// What the parsers of stack lines share. Internal to core/stack*.cpp.
#pragma once

#include <cstddef>
#include <string_view>

#include "core/stack.hpp"

namespace vigil::stack {

inline constexpr std::size_t kNowhere = std::string_view::npos;

// Searches, and counts the bytes that they pass over.
class Scan {
 public:
  std::size_t find(std::string_view text, char wanted, std::size_t from = 0) {
    return counted(text, from, text.find(wanted, from));
  }
  std::size_t find(std::string_view text, std::string_view wanted, std::size_t from = 0) {
    return counted(text, from, text.find(wanted, from));
  }
  bool contains(std::string_view text, std::string_view wanted) {
    return find(text, wanted) != kNowhere;
  }
  std::size_t find_last(std::string_view text, char wanted) {
    return counted_back(text, text.rfind(wanted));
  }
  std::size_t find_last(std::string_view text, std::string_view wanted) {
    return counted_back(text, text.rfind(wanted));
  }
  // The bracket that closes the one at `open`, or that opens the one at `close`.
  std::size_t closing(std::string_view text, std::size_t open);
  std::size_t opening(std::string_view text, std::size_t close);
  // Whether there is a blank outside of brackets of any kind.
  bool has_free_blank(std::string_view text);

  void count(std::size_t bytes) { work_ += bytes; }
  std::size_t work() const { return work_; }

 private:
  std::size_t counted(std::string_view text, std::size_t from, std::size_t at) {
    const std::size_t end = at == kNowhere ? text.size() : at;
    if (end > from) work_ += end - from;
    return at;
  }
  std::size_t counted_back(std::string_view text, std::size_t at) {
    work_ += text.size() - (at == kNowhere ? 0 : at);
    return at;
  }

  std::size_t work_ = 0;
};

using Language = StackLanguage;

inline bool is_digit(char c) { return c >= '0' && c <= '9'; }
inline bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
inline bool is_blank(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

inline std::string_view trim(std::string_view text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}
inline bool take_front(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}
inline bool take_back(std::string_view& text, std::string_view suffix) {
  if (!text.ends_with(suffix)) return false;
  text.remove_suffix(suffix.size());
  return true;
}
// A number of at most nine digits at the front or the back of the text.
bool take_number(std::string_view& text, std::int32_t& value);
bool take_last_number(std::string_view& text, std::int32_t& value);

struct Place {
  std::string_view file;
  std::int32_t line = StackFrame::kNone;
  std::int32_t column = StackFrame::kNone;
};

// Splits `file:line:column` or `file:line`; false, and the whole text as file, without a line.
bool split_place(std::string_view text, Place& place);
// Whether the text begins as an absolute path or a URL does.
bool begins_place(std::string_view text);
inline void set_place(StackFrame& frame, const Place& place) {
  frame.file = place.file;
  frame.line = place.line;
  frame.column = place.column;
}

// Each reads one line, without blanks around it, and says whether it is a frame of its kind.

// After `at `.
bool read_javascript(Scan& scan, std::string_view text, StackFrame& frame);
bool read_jvm(Scan& scan, std::string_view text, StackFrame& frame);
bool read_net(Scan& scan, std::string_view text, StackFrame& frame);
bool read_placed_net(Scan& scan, std::string_view text, StackFrame& frame);

// With what other languages than English say for `at`.
bool read_foreign_net(Scan& scan, std::string_view line, StackFrame& frame);
bool read_bare_jvm(Scan& scan, std::string_view line, StackFrame& frame);  // without `at `
bool read_unity(Scan& scan, std::string_view line, StackFrame& frame);

bool read_gecko(Scan& scan, std::string_view line, StackFrame& frame);  // name@place
bool read_metro(Scan& scan, std::string_view line, StackFrame& frame);  // of React Native
bool read_bare_place(Scan& scan, std::string_view line, StackFrame& frame);
bool is_bare_name(Scan& scan, std::string_view line);
std::string_view javascript_name(Scan& scan, std::string_view name);

bool read_python(Scan& scan, std::string_view line, StackFrame& frame);
bool read_ruby(Scan& scan, std::string_view line, StackFrame& frame);
bool read_perl(Scan& scan, std::string_view line, StackFrame& frame);
bool read_lua(Scan& scan, std::string_view line, StackFrame& frame);
bool read_elixir(Scan& scan, std::string_view line, StackFrame& frame);
bool read_erlang(Scan& scan, std::string_view line, StackFrame& frame);
bool read_postgres(Scan& scan, std::string_view line, StackFrame& frame);
bool read_foreign_postgres(Scan& scan, std::string_view line, StackFrame& frame);
bool read_plpython(Scan& scan, std::string_view line, StackFrame& frame);

// After `#` and a number.
bool read_php(Scan& scan, std::string_view text, StackFrame& frame);
bool read_dart(Scan& scan, std::string_view text, StackFrame& frame);
bool read_debugger(Scan& scan, std::string_view text,
                   StackFrame& frame);  // GDB, sanitizers, Android

bool read_xdebug(Scan& scan, std::string_view text, StackFrame& frame);        // after `1. `
bool read_boost(Scan& scan, std::string_view text, StackFrame& frame);         // after `1# `
bool read_crash_report(Scan& scan, std::string_view text, StackFrame& frame);  // after `1 `
bool read_lldb(Scan& scan, std::string_view line, StackFrame& frame);
bool read_valgrind(Scan& scan, std::string_view line, StackFrame& frame);
bool read_glibc(Scan& scan, std::string_view line, StackFrame& frame);
bool read_terse_dart(Scan& scan, std::string_view line, StackFrame& frame);
// The second line of a frame of Go; `function` is the first.
bool read_go(Scan& scan, std::string_view function, std::string_view place, StackFrame& frame);
// The first line of a frame of go-errors.
bool read_go_error(Scan& scan, std::string_view line, StackFrame& frame);
// Native symbols lose their parameters.
std::string_view without_parameters(Scan& scan, std::string_view symbol);

// Sets kind and in_app of a frame that has all else; a kind that is not app stays.
void classify(Scan& scan, Language language, StackFrame& frame);

}  // namespace vigil::stack
