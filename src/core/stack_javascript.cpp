// Lines of JavaScript engines: V8, SpiderMonkey, JavaScriptCore, Chakra, Hermes.
#include "core/stack_line.hpp"
#include "core/word_set.hpp"

namespace vigil::stack {
namespace {

constexpr WordSet kAnonymous("?", "<anonymous>", "<unknown>", "anonymous", "Anonymous function",
                             "global code", "Global code", "module code", "eval code", "eval",
                             "(null)", "()", "<eval>", "<global>", "<anonymous function>",
                             "(anonymous)", "(anonymous function)");

bool is_anonymous(std::string_view name) {
  return kAnonymous.contains(name) || name.ends_with(".<anonymous>");
}

// What stands where a place is expected if there is no source.
bool is_native(std::string_view place) {
  return place == "native" || place == "native code" || place == "[native code]" ||
         place == "<anonymous>" || place == "unknown source" || place == "unknown location";
}

bool is_index(std::string_view place) {
  std::int32_t index = 0;
  return take_front(place, "index ") && take_number(place, index) && place.empty();
}

// `eval at f (eval at g (file:1:2)), <anonymous>:1:7`: the place of the last in the chain is real.
void read_eval(Scan& scan, std::string_view text, StackFrame& frame) {
  frame.kind = FrameKind::kEval;
  text.remove_prefix(scan.find_last(text, "eval at "));
  const std::size_t open = scan.find(text, " (");
  if (open == kNowhere) return;
  const std::size_t close = scan.closing(text, open + 1);
  Place place;
  if (split_place(text.substr(open + 2, close == kNowhere ? close : close - open - 2), place)) {
    set_place(frame, place);
    if (frame.file == "<anonymous>") frame.file = {};
  }
}

// `url:wasm-function[7]:0x1f`
bool read_wasm(Scan& scan, std::string_view place, StackFrame& frame) {
  if (place.starts_with("wasm-function[")) {
    frame.function = place.substr(0, scan.find(place, ':'));
    return true;
  }
  const std::size_t at = scan.find(place, ":wasm-function[");
  if (at == kNowhere) return false;
  frame.file = place.substr(0, at);
  if (frame.function.empty()) {
    const std::size_t end = scan.find(place, ']', at);
    if (end != kNowhere) frame.function = place.substr(at + 1, end - at);
  }
  return true;
}

bool read_place(Scan& scan, std::string_view place, StackFrame& frame) {
  if (is_native(place) || is_index(place)) {
    frame.kind = FrameKind::kNative;
    return true;
  }
  if (place.starts_with("eval at ")) {
    read_eval(scan, place, frame);
    return true;
  }
  take_front(place, "address at ");
  const bool internal = take_front(place, "native ");
  Place found;
  if (!split_place(place, found)) {
    if (read_wasm(scan, place, frame)) return true;
    if (!begins_place(place) || !scan.contains(place, "://")) return false;
    frame.file = place;
    return true;
  }
  set_place(frame, found);
  if (internal) frame.kind = FrameKind::kRuntime;
  if (found.file == "<anonymous>") frame.file = {};
  if (found.file == "eval code" || found.file == "Function code") {
    frame.file = {};
    frame.kind = FrameKind::kEval;
  }
  return true;
}

// Where the place begins: names and places may both hold parentheses.
std::size_t place_open(Scan& scan, std::string_view text, bool closed) {
  std::size_t first = kNowhere;
  for (std::size_t at = scan.find(text, " ("); at != kNowhere; at = scan.find(text, " (", at + 2)) {
    const std::string_view rest = text.substr(at + 2);
    if (begins_place(rest) || rest.starts_with("native") || rest.starts_with("eval at ") ||
        rest.starts_with("index ") || rest.starts_with("address at ")) {
      return at + 1;
    }
    if (first == kNowhere) first = at + 1;
  }
  if (!closed) return kNowhere;
  return first != kNowhere ? first : scan.opening(text, text.size() - 1);
}

}  // namespace

std::string_view javascript_name(Scan& scan, std::string_view name) {
  while (take_front(name, "async ") || take_front(name, "async*") || take_front(name, "new ")) {
  }
  if (name.ends_with(']')) {
    const std::size_t alias = scan.find_last(name, " [as ");
    if (alias != kNowhere) name = name.substr(0, alias);
  }
  while (take_back(name, "/<")) {
  }
  return is_anonymous(name) ? std::string_view() : name;
}

// `src/ledger.ts:41:22 in post`, as Metro prints; without `* ` or `- ` before it, after `at `.
bool read_metro(Scan& scan, std::string_view line, StackFrame& frame) {
  if (!take_front(line, "* ")) take_front(line, "- ");
  const std::size_t in = scan.find_last(line, " in ");
  Place place;
  if (in == kNowhere || !split_place(line.substr(0, in), place) ||
      place.column == StackFrame::kNone) {
    return false;
  }
  set_place(frame, place);
  frame.function = javascript_name(scan, trim(line.substr(in + 4)));
  return true;
}

namespace {

// After `at `: `https://bank.example/a.js:1:2`.
bool read_unnamed(Scan& scan, std::string_view text, StackFrame& frame) {
  if (is_native(text)) return false;  // `at <anonymous>` marks a gap, and is no frame
  Place place;
  const bool split = split_place(text, place);
  if (!split && read_metro(scan, text, frame)) return true;
  if (place.column == StackFrame::kNone && !text.starts_with("wasm-function[")) {
    // Words may end with a number, and begin with a URL.
    const bool spaced = scan.find(text, ' ') != kNowhere;
    if (split ? spaced && !begins_place(text) : spaced || !begins_place(text)) return false;
  }
  return read_place(scan, text, frame);
}

// Both names and places may hold an @: the first before a URL or path counts, else the first that
// is outside of brackets and quotes.
std::size_t gecko_split(Scan& scan, std::string_view line) {
  const std::size_t first = scan.find(line, '@');
  for (std::size_t at = first; at != kNowhere; at = scan.find(line, '@', at + 1)) {
    const std::string_view rest = line.substr(at + 1);
    if (begins_place(rest) || rest.starts_with("[native code]")) return at;
  }
  if (first == kNowhere) return kNowhere;
  scan.count(line.size());
  std::size_t depth = 0;
  bool quoted = false;
  for (std::size_t at = 0; at < line.size(); ++at) {
    const char c = line[at];
    if (c == '"') quoted = !quoted;
    if (c == '[') ++depth;
    if (c == ']' && depth > 0) --depth;
    if (c == '@' && depth == 0 && !quoted) return at;
  }
  return kNowhere;
}

}  // namespace

bool read_javascript(Scan& scan, std::string_view text, StackFrame& frame) {
  take_front(text, "async ");
  const bool closed = text.ends_with(')');
  const std::size_t open =
      closed || !begins_place(text) ? place_open(scan, text, closed) : kNowhere;
  std::string_view place = open == kNowhere ? text : text.substr(open + 1);
  if (closed) place.remove_suffix(1);
  if (open == kNowhere) return read_unnamed(scan, place, frame);
  frame.function = javascript_name(scan, trim(text.substr(0, open)));
  return read_place(scan, place, frame);
}

bool read_gecko(Scan& scan, std::string_view line, StackFrame& frame) {
  const std::size_t split = gecko_split(scan, line);
  if (split == kNowhere) return false;
  std::string_view name = line.substr(0, split);
  std::string_view place = line.substr(split + 1);
  if (place.ends_with(')') && scan.contains(place, ":(//")) place.remove_suffix(1);
  // Old Firefox prints arguments.
  if (name.ends_with(')')) {
    const std::size_t open = scan.opening(name, name.size() - 1);
    if (open != kNowhere) name = name.substr(0, open);
  }
  frame.function = javascript_name(scan, name);
  if (place == "[native code]") {
    frame.kind = FrameKind::kNative;
    return true;
  }
  if (place.empty() && (name == "eval code" || name == "global code")) {
    if (name.front() == 'e') frame.kind = FrameKind::kEval;
    return true;
  }
  // `file.js line 26 > eval line 2 > eval:1:30`
  const std::size_t nested = scan.find(place, " > ");
  if (nested != kNowhere) {
    std::string_view outer = place.substr(0, nested);
    std::int32_t number = 0;
    if (take_last_number(outer, number) && take_back(outer, " line ")) {
      frame.file = outer;
      frame.line = number;
      frame.kind = FrameKind::kEval;
      return true;
    }
  }
  Place found;
  if (!split_place(place, found)) return read_wasm(scan, place, frame);
  if (found.file.empty()) return false;
  if (found.file == "debugger eval code") {
    frame.kind = FrameKind::kEval;
  } else if (!begins_place(place) && scan.find(found.file, ' ') != kNowhere) {
    return false;
  }
  set_place(frame, found);
  return true;
}

bool read_bare_place(Scan& scan, std::string_view line, StackFrame& frame) {
  Place place;
  if (!split_place(line, place) || place.column == StackFrame::kNone) return false;
  const bool is_file = begins_place(line) || scan.find(place.file, '.') != kNowhere ||
                       scan.find(place.file, '/') != kNowhere;
  if (!is_file || scan.find(place.file, ' ') != kNowhere) return false;
  set_place(frame, place);
  return true;
}

bool is_bare_name(Scan& scan, std::string_view line) {
  constexpr std::size_t kMaxName = 256;
  if (line == "eval code" || line == "global code" || line == "module code") return true;
  if (line.empty() || line.size() > kMaxName || is_digit(line.front())) return false;
  scan.count(line.size());
  for (const char c : line) {
    const bool of_name = is_letter(c) || is_digit(c) || c == '_' || c == '$' || c == '.' ||
                         c == '#' || c == '<' || c == '/' || static_cast<unsigned char>(c) >= 0x80;
    if (!of_name) return false;
  }
  return true;
}

}  // namespace vigil::stack
