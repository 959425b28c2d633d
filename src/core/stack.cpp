#include "core/stack.hpp"

#include <algorithm>

#include "core/stack_line.hpp"

namespace vigil {
namespace {

using namespace vigil::stack;

class Parser {
 public:
  Parser(std::string_view text, const StackHeader& header, std::pmr::vector<StackFrame>& frames)
      : text_(text), header_{trim(header.name), trim(header.message)}, frames_(frames) {}

  std::size_t run();

 private:
  // Traces that print the caller first are turned round.
  enum class Order { kThrowFirst, kCallerFirst };

  std::string_view next_line();
  std::string_view without_message(std::string_view line);
  void read(std::string_view line);
  bool begins_with_name(std::string_view line) const;
  bool read_at(std::string_view line);
  bool read_numbered(std::string_view line);
  bool read_hashed(std::string_view line);
  bool read_gecko_line(std::string_view line);
  void add(Language language, StackFrame& frame, Order order = Order::kThrowFirst);
  void hold(std::string_view line, StackFrame& frame);
  void turn();
  void drop_held();

  std::string_view text_;
  StackHeader header_;
  std::pmr::vector<StackFrame>& frames_;
  Scan scan_;

  std::size_t at_ = 0;  // of the next line
  std::size_t lines_ = 0;
  bool message_found_ = false;
  std::size_t message_tries_ = 64;
  std::string_view previous_;  // line
  std::string_view symbol_;    // line `0: symbol` that waits for its place
  StackFrame symbol_frame_;
  bool placeable_ = false;     // the last frame may get a place from the next line
  bool backtrace_ = false;     // of Rust
  bool recent_first_ = false;  // Python's faulthandler
  bool gecko_ = false;         // name@place was seen
  std::size_t turn_from_ = kNowhere;
  std::size_t held_from_ = kNowhere;  // frames that only name@place behind them makes frames
};

// A line, and the next that begins right behind it.
std::string_view spanning(std::string_view first, std::string_view last) {
  return {first.data(), static_cast<std::size_t>(last.data() + last.size() - first.data())};
}

std::string_view Parser::next_line() {
  std::size_t end = scan_.find(text_, '\n', at_);
  if (end == kNowhere) end = text_.size();
  const std::string_view line = text_.substr(at_, end - at_);
  at_ = end + 1;
  ++lines_;
  return line;
}

// The line up to the known message, which is then passed by.
std::string_view Parser::without_message(std::string_view line) {
  const std::size_t start = static_cast<std::size_t>(line.data() - text_.data());
  constexpr std::size_t kFirstLines = 3;
  constexpr std::size_t kColons = 4;
  if (header_.message.empty() || message_found_ || message_tries_ == 0) return line;
  const auto is_end = [&](std::size_t at) { return at >= text_.size() || is_blank(text_[at]); };
  const bool spans = header_.message.find('\n') != kNowhere;
  std::size_t from = start;
  for (std::size_t i = 0; i <= kColons && message_tries_ > 0; ++i) {
    if (i > 0 || lines_ <= kFirstLines || spans) {
      --message_tries_;
      scan_.count(std::min(header_.message.size(), text_.size() - from));
      if (text_.substr(from).starts_with(header_.message) &&
          is_end(from + header_.message.size())) {
        message_found_ = true;
        at_ = std::max(at_, from + header_.message.size());
        if (at_ > start + line.size() + 1) next_line();  // what is left of its last line
        return line.substr(0, from - start);
      }
    }
    const std::size_t colon = scan_.find(line, ": ", from - start);
    if (colon == kNowhere) break;
    from = start + colon + 2;
  }
  return line;
}

// As the header of most engines does; a name and an @ is a function of that name.
bool Parser::begins_with_name(std::string_view line) const {
  if (header_.name.empty() || !take_front(line, header_.name)) return false;
  return line.empty() || line.front() == ':' || is_blank(line.front());
}

void Parser::turn() {
  if (turn_from_ != kNowhere) {
    std::reverse(frames_.begin() + static_cast<std::ptrdiff_t>(turn_from_), frames_.end());
    scan_.count(frames_.size() - turn_from_);
  }
  turn_from_ = kNowhere;
}

void Parser::drop_held() {
  if (held_from_ != kNowhere) frames_.resize(held_from_);
  held_from_ = kNowhere;
}

void Parser::add(Language language, StackFrame& frame, Order order) {
  if (language != Language::kJavaScript || !gecko_) drop_held();
  if (order == Order::kThrowFirst) turn();
  if (order == Order::kCallerFirst && turn_from_ == kNowhere) turn_from_ = frames_.size();
  if (frames_.size() >= kMaxStackFrames) return;
  classify(scan_, language, frame);
  frames_.push_back(frame);
}

void Parser::hold(std::string_view line, StackFrame& frame) {
  turn();
  frame.raw = line;
  if (held_from_ == kNowhere) held_from_ = frames_.size();
  if (frames_.size() >= kMaxStackFrames) return;
  classify(scan_, Language::kJavaScript, frame);
  frames_.push_back(frame);
}

bool Parser::read_at(std::string_view line) {
  std::string_view text = line;
  bool foreign = false;
  if (!take_front(text, "at ")) {
    foreign = take_front(text, "bei ") || take_front(text, "à ") || take_front(text, "en ") ||
              take_front(text, "em ") || take_front(text, "в ");
    if (!foreign) return false;
  }
  text = trim(text);
  take_back(text, " {");  // Node prints the error's properties there
  StackFrame frame;
  frame.raw = line;
  Place place;
  // The second line of a frame of Rust.
  if (!foreign && (placeable_ || !symbol_.empty()) && !text.ends_with(')') &&
      split_place(text, place)) {
    if (!symbol_.empty()) {
      add(Language::kRust, symbol_frame_);
      symbol_ = {};
    }
    if (!frames_.empty()) {
      StackFrame& last = frames_.back();
      set_place(last, place);
      last.raw = spanning(last.raw, line);
      last.kind = FrameKind::kApp;
      classify(scan_, Language::kRust, last);
    }
    placeable_ = false;
    return true;
  }
  if (!text.ends_with(')') && read_net(scan_, text, frame, true)) {
    add(Language::kNet, frame);
    return true;
  }
  if (foreign) return false;
  // Kotlin/Native: `at 0   bank.kexe   0x1 kfun:main() + 2 (/src/main.kt:3:5)`
  if (!text.empty() && is_digit(text.front()) && read_numbered(text)) return true;
  frame = {};
  frame.raw = line;
  if (read_jvm(scan_, text, frame)) {
    add(Language::kJvm, frame);
    return true;
  }
  frame = {};
  frame.raw = line;
  if (read_javascript(scan_, text, frame)) {
    gecko_ = false;
    add(Language::kJavaScript, frame);
    return true;
  }
  frame = {};
  frame.raw = line;
  if (read_net(scan_, text, frame, false)) {
    add(Language::kNet, frame);
    return true;
  }
  return false;
}

// `0: symbol`, `0   image   0x1 symbol + 2`, `2: from file.rb:3`, `2. call() /file.php:3`.
bool Parser::read_numbered(std::string_view line) {
  std::string_view text = line;
  std::int32_t number = 0;
  if (!take_number(text, number) || text.size() < 3) return false;
  StackFrame frame;
  frame.raw = line;
  if (take_front(text, ": ")) {
    text = trim(text);
    if (text.starts_with("from ") && read_ruby(scan_, text, frame)) {
      add(Language::kRuby, frame, Order::kCallerFirst);
      return true;
    }
    if (text.starts_with("0x")) {
      const std::size_t dash = scan_.find(text, " - ");
      if (dash != kNowhere) text = trim(text.substr(dash + 3));
    }
    if (text.empty() || scan_.has_free_blank(text)) return false;
    frame.function = text == "<unknown>" ? std::string_view() : text;
    if (backtrace_) {
      add(Language::kRust, frame);
      placeable_ = true;
    } else {
      symbol_ = line;
      symbol_frame_ = frame;
    }
    return true;
  }
  if (take_front(text, ". ")) {
    if (!read_xdebug(scan_, trim(text), frame)) return false;
    add(Language::kPhp, frame, Order::kCallerFirst);
    return true;
  }
  if (!is_blank(text.front())) return false;
  if (!read_crash_report(scan_, trim(text), frame)) return false;
  add(Language::kNative, frame);
  return true;
}

bool Parser::read_hashed(std::string_view line) {
  std::string_view text = line.substr(1);
  std::int32_t number = 0;
  if (!take_number(text, number) || text.empty() || !is_blank(text.front())) return false;
  text = trim(text);
  StackFrame frame;
  frame.raw = line;
  if (read_php(scan_, text, frame)) {
    add(Language::kPhp, frame);
    return true;
  }
  frame = {};
  frame.raw = line;
  if (read_dart(scan_, text, frame)) {
    add(Language::kDart, frame);
    return true;
  }
  frame = {};
  frame.raw = line;
  if (!read_debugger(scan_, text, frame)) return false;
  add(Language::kNative, frame);
  return true;
}

bool Parser::read_gecko_line(std::string_view line) {
  StackFrame frame;
  frame.raw = line;
  if (read_gecko(scan_, line, frame)) {
    gecko_ = true;
    held_from_ = kNowhere;
    add(Language::kJavaScript, frame);
    return true;
  }
  frame = {};
  if (read_bare_place(scan_, line, frame)) {
    hold(line, frame);
    if (gecko_) held_from_ = kNowhere;
    return true;
  }
  if (!is_bare_name(scan_, line)) return false;
  frame = {};
  frame.function = javascript_name(scan_, line);
  if (line == "eval code") frame.kind = FrameKind::kEval;
  hold(line, frame);
  if (gecko_) held_from_ = kNowhere;
  return true;
}

void Parser::read(std::string_view whole) {
  const bool indented = !whole.empty() && is_blank(whole.front());
  std::string_view line = trim(whole);
  while (line.starts_with('|')) line = trim(line.substr(1));  // groups of Python
  if (line.empty() || whole.size() > kMaxStackLine) return;
  const std::string_view before = previous_;
  previous_ = line;
  StackFrame frame;
  frame.raw = line;
  if (read_at(line)) return;
  placeable_ = false;
  symbol_ = {};
  switch (line.front()) {
    case '#':
      if (read_hashed(line)) return;
      break;
    case 'F':
      if (!read_python(scan_, line, frame)) break;
      add(Language::kPython, frame, recent_first_ ? Order::kThrowFirst : Order::kCallerFirst);
      return;
    case 'T':
    case 'E':
    case '+':
    case 'C':
      if (line.ends_with("(most recent call last):")) {
        turn();
        recent_first_ = false;
        return;
      }
      if (line.ends_with("(most recent call first):")) recent_first_ = true;
      if (take_front(line, "CONTEXT:")) line = trim(line);
      if (line.empty()) return;
      break;
    case 's':
    case 'S':
      if (line == "stack backtrace:" || line == "Stack backtrace:") {
        backtrace_ = true;
        return;
      }
      break;
    default:
      break;
  }
  if (is_digit(line.front()) && read_numbered(line)) return;
  if (line.starts_with("PHP ")) {
    const std::string_view rest = trim(line.substr(4));
    if (!rest.empty() && is_digit(rest.front()) && read_numbered(rest)) return;
  }
  if (line.starts_with("PL/") || line.starts_with("SQL function ") ||
      line.starts_with("compilation of ")) {
    frame = {};
    frame.raw = line;
    if (read_postgres(scan_, line, frame)) add(Language::kPostgres, frame);
    return;
  }
  frame = {};
  if (indented && !before.empty() && read_go(scan_, before, line, frame)) {
    drop_held();  // its first line may have looked like a bare name
    frame.raw = spanning(before, line);
    add(Language::kGo, frame);
    return;
  }
  frame = {};
  frame.raw = line;
  if (read_ruby(scan_, line, frame)) {
    // Ruby 2.5 to 2.7 printed the caller first on terminals, and the place of the error last.
    add(Language::kRuby, frame, turn_from_ != kNowhere ? Order::kCallerFirst : Order::kThrowFirst);
    turn();
    return;
  }
  frame = {};
  frame.raw = line;
  if (read_unity(scan_, line, frame)) {
    add(Language::kNet, frame);
    return;
  }
  frame = {};
  frame.raw = line;
  if (read_terse_dart(scan_, line, frame)) {
    add(Language::kDart, frame);
    return;
  }
  frame = {};
  frame.raw = line;
  if (read_glibc(scan_, line, frame)) {
    add(Language::kNative, frame);
    return;
  }
  read_gecko_line(line);
}

std::size_t Parser::run() {
  while (at_ < text_.size() && frames_.size() < kMaxStackFrames) {
    const std::string_view line = next_line();
    scan_.count(line.size());
    const std::string_view rest = without_message(line);
    if (lines_ > 1 || !begins_with_name(rest)) read(rest);
  }
  // Without any name@place, lone names are words; places may well be all there is.
  if (held_from_ != kNowhere) {
    const auto held = frames_.begin() + static_cast<std::ptrdiff_t>(held_from_);
    frames_.erase(
        std::remove_if(held, frames_.end(),
                       [](const StackFrame& frame) { return frame.line == StackFrame::kNone; }),
        frames_.end());
  }
  turn();
  return scan_.work();
}

}  // namespace

std::string_view name_of(FrameKind kind) {
  switch (kind) {
    case FrameKind::kApp:
      return "app";
    case FrameKind::kLibrary:
      return "library";
    case FrameKind::kRuntime:
      return "runtime";
    case FrameKind::kNative:
      return "native";
    case FrameKind::kEval:
      return "eval";
  }
  return {};
}

std::size_t parse_stack(std::string_view text, const StackHeader& header,
                        std::pmr::vector<StackFrame>& frames) {
  return Parser(text, header, frames).run();
}

}  // namespace vigil
