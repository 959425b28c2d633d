#include "core/stack.hpp"

#include <algorithm>

#include "core/stack_line.hpp"

namespace vigil {
namespace {

using namespace vigil::stack;

class Parser {
 public:
  Parser(std::string_view text, const StackHeader& header, std::pmr::vector<StackFrame>& frames,
         std::size_t app_frames)
      : text_(text),
        header_{trim(header.name), trim(header.message)},
        frames_(frames),
        most_app_frames_(app_frames),
        message_spans_(header_.message.find('\n') != kNowhere),
        message_tries_(header_.message.empty() ? 0 : kMessageTries) {}

  std::size_t run();

 private:
  static constexpr std::size_t kMessageTries = 64;  // to find it

  // Traces that print the caller first are turned round.
  enum class Order { kThrowFirst, kCallerFirst };
  using Reader = bool (*)(Scan& scan, std::string_view text, StackFrame& frame);

  std::string_view next_line();
  std::string_view without_message(std::string_view line);
  bool begins_with_name(std::string_view line) const;
  bool is_beyond(std::string_view line);

  // Each says whether it knew the line for what it is.
  void read(std::string_view line);
  bool read_at(std::string_view line);
  bool read_place_of_rust(std::string_view place, std::string_view line);
  bool read_begun(std::string_view line);
  bool read_hashed(std::string_view line);
  bool read_numbered(std::string_view line);
  bool read_language_of_server(std::string_view line);
  void read_other(std::string_view line);
  bool read_go_lines(std::string_view before, std::string_view line);
  bool read_name_of_go(std::string_view line);
  bool read_ruby_line(std::string_view line);
  bool read_gecko_line(std::string_view line);
  bool pass_statement(std::string_view line);

  bool try_read(Reader reader, Language language, std::string_view text, std::string_view line,
                Order order = Order::kThrowFirst);
  void add(Language language, StackFrame& frame, Order order = Order::kThrowFirst);
  void hold(std::string_view line, StackFrame& frame);
  void turn();
  void drop_held();

  std::string_view text_;
  StackHeader header_;
  std::pmr::vector<StackFrame>& frames_;
  std::size_t most_app_frames_;
  Scan scan_;

  std::size_t at_ = 0;  // of the next line
  std::size_t lines_ = 0;
  bool message_spans_;  // lines
  std::size_t message_tries_;
  std::size_t app_frames_ = 0;  // of the trace that is being read
  bool frame_read_ = false;     // in this line
  std::string_view previous_;   // line
  std::string_view symbol_;     // line `0: symbol` that waits for its place
  StackFrame symbol_frame_;
  bool placeable_ = false;                // the last frame may get a place from the next line,
  bool nameable_ = false;                 // or a name
  bool backtrace_ = false;                // of Rust
  bool lua_ = false;                      // its heading was seen
  bool recent_first_ = false;             // Python's faulthandler
  bool gecko_ = false;                    // name@place was seen
  bool statements_end_ = true;            // as far as is known
  std::size_t source_column_ = kNowhere;  // further right is source that Python shows
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
  // Nothing but the header has it, and where lines are name@place there is none.
  if (message_tries_ == 0 || gecko_) return line;
  const bool may_begin = lines_ <= kFirstLines || message_spans_;
  if (!may_begin && trim(line).starts_with("at ")) return line;
  const auto is_end = [&](std::size_t at) { return at >= text_.size() || is_blank(text_[at]); };
  std::size_t from = start;
  for (std::size_t i = 0; i <= kColons && message_tries_ > 0; ++i) {
    if (i > 0 || may_begin) {
      --message_tries_;
      scan_.count(std::min(header_.message.size(), text_.size() - from));
      if (text_.substr(from).starts_with(header_.message) &&
          is_end(from + header_.message.size())) {
        message_tries_ = 0;
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

// A further frame of a trace of which enough were read.
bool Parser::is_beyond(std::string_view line) {
  if (app_frames_ < most_app_frames_) return false;
  return trim(line).starts_with("at ") || (gecko_ && scan_.find(line, '@') != kNowhere);
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
  const bool throws_first =
      language == Language::kJavaScript || language == Language::kJvm || language == Language::kNet;
  if (throws_first && frame.in_app) ++app_frames_;
  frame_read_ = true;
}

void Parser::hold(std::string_view line, StackFrame& frame) {
  turn();
  frame.raw = line;
  if (held_from_ == kNowhere) held_from_ = frames_.size();
  if (frames_.size() >= kMaxStackFrames) return;
  classify(scan_, Language::kJavaScript, frame);
  frames_.push_back(frame);
}

bool Parser::try_read(Reader reader, Language language, std::string_view text,
                      std::string_view line, Order order) {
  StackFrame frame;
  frame.raw = line;
  if (!reader(scan_, text, frame)) return false;
  add(language, frame, order);
  return true;
}

bool Parser::read_at(std::string_view line) {
  std::string_view text = trim(line.substr(3));
  // Node prints an error's properties behind it, or the next one of several errors.
  if (!take_back(text, " {")) take_back(text, ",");
  if (text.empty()) return false;
  if ((placeable_ || !symbol_.empty()) && read_place_of_rust(text, line)) return true;
  if (!text.ends_with(')') && try_read(read_placed_net, Language::kNet, text, line)) return true;
  // Kotlin/Native: `at 0   bank.kexe   0x1 kfun:main() + 2 (/src/main.kt:3:5)`
  if (is_digit(text.front()) && read_numbered(text)) return true;
  if (try_read(read_jvm, Language::kJvm, text, line)) return true;
  if (try_read(read_javascript, Language::kJavaScript, text, line)) {
    gecko_ = false;
    return true;
  }
  return try_read(read_net, Language::kNet, text, line);
}

// The second line of a frame of Rust.
bool Parser::read_place_of_rust(std::string_view text, std::string_view line) {
  Place place;
  if (text.ends_with(')') || !split_place(text, place)) return false;
  if (!symbol_.empty()) add(Language::kRust, symbol_frame_);
  symbol_ = {};
  placeable_ = false;
  if (frames_.empty()) return true;
  StackFrame& last = frames_.back();
  set_place(last, place);
  last.raw = spanning(last.raw, line);
  last.kind = FrameKind::kApp;
  classify(scan_, Language::kRust, last);
  return true;
}

// Lines that tell by how they begin what they are; others may begin likewise.
bool Parser::read_begun(std::string_view line) {
  switch (line.front()) {
    case '#':
      return read_hashed(line);
    case 'F':
      return try_read(read_python, Language::kPython, line, line,
                      recent_first_ ? Order::kThrowFirst : Order::kCallerFirst);
    case 'P':
      if (line.starts_with("PHP ")) {
        const std::string_view rest = trim(line.substr(4));
        return !rest.empty() && is_digit(rest.front()) && read_numbered(rest);
      }
      return line.starts_with("PL/") && read_language_of_server(line);
    case 'S':
      if (line.starts_with("SQL function ")) return read_language_of_server(line);
      if (line.starts_with("SQL ")) return pass_statement(line);
      return backtrace_ = line == "Stack backtrace:";
    case 'c':
      return line.starts_with("compilation of ") && read_language_of_server(line);
    case 's':
      if (line == "stack traceback:") return lua_ = true;
      if (line == "stack backtrace:") return backtrace_ = true;
      return false;
    case 'i':
      return line.starts_with("in ") && try_read(read_erlang, Language::kBeam, line, line);
    case '(':
      return try_read(read_elixir, Language::kBeam, line, line);
    case '=':
      return try_read(read_valgrind, Language::kNative, line, line);
    case '*':
    case '-':
      if (try_read(read_metro, Language::kJavaScript, line, line)) return true;
      [[fallthrough]];
    case 'f':
      return try_read(read_lldb, Language::kNative, line, line);
    case 'T':
    case 'E':
    case '+':
    case 'C':
      if (line.ends_with("(most recent call first):")) recent_first_ = true;
      if (!line.ends_with("(most recent call last):")) return false;
      turn();
      recent_first_ = false;
      return true;
    default:
      return is_digit(line.front()) && read_numbered(line);
  }
}

bool Parser::read_hashed(std::string_view line) {
  std::string_view text = line.substr(1);
  std::int32_t number = 0;
  if (!take_number(text, number) || text.empty() || !is_blank(text.front())) return false;
  text = trim(text);
  return try_read(read_php, Language::kPhp, text, line) ||
         try_read(read_dart, Language::kDart, text, line) ||
         try_read(read_debugger, Language::kNative, text, line);
}

// `0: symbol`, `0   image   0x1 symbol + 2`, `0# symbol`, `2: from file.rb:3` and
// `2. call() /file.php:3`.
bool Parser::read_numbered(std::string_view line) {
  std::string_view text = line;
  std::int32_t number = 0;
  if (!take_number(text, number) || text.size() < 3) return false;
  if (take_front(text, ". "))
    return try_read(read_xdebug, Language::kPhp, trim(text), line, Order::kCallerFirst);
  if (take_front(text, "# ")) return try_read(read_boost, Language::kNative, trim(text), line);
  if (!take_front(text, ": ")) {
    return is_blank(text.front()) &&
           try_read(read_crash_report, Language::kNative, trim(text), line);
  }
  text = trim(text);
  if (text.starts_with("from ") &&
      try_read(read_ruby, Language::kRuby, text, line, Order::kCallerFirst)) {
    return true;
  }
  if (text.starts_with("0x")) {
    const std::size_t dash = scan_.find(text, " - ");
    if (dash != kNowhere) text = trim(text.substr(dash + 3));
  }
  if (text.ends_with(')')) {  // or behind it: `bank::post (0x55a1)`
    const std::size_t address = scan_.find_last(text, " (0x");
    if (address != kNowhere) text = text.substr(0, address);
  }
  if (text.empty() || scan_.has_free_blank(text)) return false;
  StackFrame frame;
  frame.raw = line;
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

// Whatever PostgreSQL prints of a language is nothing else.
bool Parser::read_language_of_server(std::string_view line) {
  if (!try_read(read_plpython, Language::kPostgres, line, line, Order::kCallerFirst) &&
      !try_read(read_postgres, Language::kPostgres, line, line)) {
    try_read(read_foreign_postgres, Language::kPostgres, line, line);
  }
  return true;
}

// `SQL statement "SELECT ..."`, which may have many lines.
bool Parser::pass_statement(std::string_view line) {
  const std::size_t quote = line.find('"');
  constexpr std::size_t kLongestWord = 24;
  if (quote == kNowhere || quote > kLongestWord) return false;
  if ((line.ends_with('"') && line.size() > quote + 1) || !statements_end_) return true;
  const std::size_t end = scan_.find(text_, "\"\n", at_);
  if (end != kNowhere) {
    at_ = end + 2;
  } else if (text_.ends_with('"')) {
    at_ = text_.size();
  }
  statements_end_ = end != kNowhere;
  return true;
}

bool Parser::read_go_lines(std::string_view before, std::string_view line) {
  StackFrame frame;
  if (before.empty() || !read_go(scan_, before, line, frame)) return false;
  drop_held();  // its first line may have looked like a bare name
  frame.raw = spanning(before, line);
  add(Language::kGo, frame);
  return true;
}

// The second line of a frame that has its place in the first: `post: return a / b`.
bool Parser::read_name_of_go(std::string_view line) {
  const std::size_t colon = scan_.find(line, ": ");
  if (colon == kNowhere || frames_.empty()) return false;
  StackFrame& last = frames_.back();
  last.function = line.substr(0, colon);
  last.raw = spanning(last.raw, line);
  return true;
}

bool Parser::read_ruby_line(std::string_view line) {
  // Ruby 2.5 to 2.7 printed the caller first on terminals, and the place of the error last.
  const Order order = turn_from_ == kNowhere ? Order::kThrowFirst : Order::kCallerFirst;
  if (!try_read(read_ruby, Language::kRuby, line, line, order)) return false;
  turn();
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
  if (!read_bare_place(scan_, line, frame)) {
    if (!is_bare_name(scan_, line)) return false;
    frame = {};
    frame.function = javascript_name(scan_, line);
    if (line == "eval code") frame.kind = FrameKind::kEval;
  }
  hold(line, frame);
  if (gecko_) held_from_ = kNowhere;
  return true;
}

// Lines that have to be looked at whole. The last byte tells of most kinds what it is not.
void Parser::read_other(std::string_view line) {
  const char last = line.back();
  const bool numbered = is_digit(last);
  if (numbered && gecko_ && read_gecko_line(line)) return;
  if (lua_ && try_read(read_lua, Language::kLua, line, line)) return;
  if (read_ruby_line(line)) return;
  if (last == ')') {
    if (try_read(read_unity, Language::kNet, line, line)) return;
    if (try_read(read_bare_jvm, Language::kJvm, line, line)) return;
    if ((nameable_ = try_read(read_go_error, Language::kGo, line, line))) return;
  }
  if (last == ']' && try_read(read_glibc, Language::kNative, line, line)) return;
  if (numbered || last == '.' || last == ')') {
    if (try_read(read_perl, Language::kPerl, line, line)) return;
    if (try_read(read_elixir, Language::kBeam, line, line)) return;
    if (try_read(read_foreign_net, Language::kNet, line, line)) return;
  }
  if (try_read(read_terse_dart, Language::kDart, line, line)) return;
  if (read_gecko_line(line)) return;
  if (try_read(read_foreign_postgres, Language::kPostgres, line, line)) return;
  // What logs put before a line: `E/AndroidRuntime( 1234): \tat com.bank.Ledger.post(...)`
  for (const std::string_view indented : {"\tat ", "  at "}) {
    const std::size_t at = scan_.find(line, indented);
    if (at == kNowhere) continue;
    read_at(line.substr(at + indented.size() - 3));
    return;
  }
}

void Parser::read(std::string_view whole) {
  std::string_view line = trim(whole);
  while (line.starts_with('|')) line = trim(line.substr(1));  // groups of Python
  if (line.empty() || whole.size() > kMaxStackLine) return;
  const auto column = static_cast<std::size_t>(line.data() - whole.data());
  const bool in_python = line.starts_with("File ") || line.starts_with("PL/");
  if (column > source_column_ && !in_python) return;
  source_column_ = kNowhere;
  if (take_front(line, "CONTEXT:")) line = trim(line);
  if (line.empty()) return;
  const std::string_view before = previous_;
  previous_ = line;
  if (nameable_) {
    nameable_ = false;
    if (column > 0 && read_name_of_go(line)) return;
  }
  if (line.starts_with("at ") && read_at(line)) return;
  placeable_ = false;
  symbol_ = {};
  if (read_begun(line)) {
    if (in_python) source_column_ = column;
    return;
  }
  if ((column > 0 || scan_.contains(line, " +0x")) && read_go_lines(before, line)) return;
  read_other(line);
}

std::size_t Parser::run() {
  while (at_ < text_.size() && frames_.size() < kMaxStackFrames) {
    const std::string_view line = next_line();
    scan_.count(line.size());
    const std::string_view rest = without_message(line);
    if (is_beyond(rest)) continue;
    frame_read_ = false;
    if (lines_ > 1 || !begins_with_name(rest)) read(rest);
    if (!frame_read_) app_frames_ = 0;
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

std::string_view name_of(StackLanguage language) {
  switch (language) {
    case StackLanguage::kJavaScript:
      return "javascript";
    case StackLanguage::kJvm:
      return "jvm";
    case StackLanguage::kNet:
      return "dotnet";
    case StackLanguage::kPython:
      return "python";
    case StackLanguage::kRuby:
      return "ruby";
    case StackLanguage::kPhp:
      return "php";
    case StackLanguage::kGo:
      return "go";
    case StackLanguage::kRust:
      return "rust";
    case StackLanguage::kDart:
      return "dart";
    case StackLanguage::kNative:
      return "native";
    case StackLanguage::kPostgres:
      return "postgresql";
    case StackLanguage::kPerl:
      return "perl";
    case StackLanguage::kLua:
      return "lua";
    case StackLanguage::kBeam:
      return "beam";
  }
  return {};
}

std::size_t parse_stack(std::string_view text, const StackHeader& header,
                        std::pmr::vector<StackFrame>& frames, std::size_t app_frames) {
  return Parser(text, header, frames, app_frames).run();
}

}  // namespace vigil
