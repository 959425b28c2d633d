// Lines of virtual machines: Java, Kotlin and Scala; .NET, Mono and Unity.
#include "core/stack_line.hpp"

namespace vigil::stack {
namespace {

// `) ~[spring-core-6.1.jar:6.1]`, what loggers append.
std::string_view without_packaging(Scan& scan, std::string_view text) {
  if (!text.ends_with(']')) return text;
  const std::size_t open = scan.find_last(text, '[');
  std::string_view call = text.substr(0, open);
  take_back(call, "~");
  take_back(call, " ");
  return call.ends_with(')') ? call : text;
}

bool has_script_suffix(std::string_view file) {
  for (const std::string_view suffix :
       {".js", ".mjs", ".cjs", ".ts", ".jsx", ".tsx", ".vue", ".svelte", ".bundle", ".html"}) {
    if (file.ends_with(suffix)) return true;
  }
  return false;
}

bool has_jvm_suffix(std::string_view file) {
  for (const std::string_view suffix :
       {".java", ".kt", ".kts", ".scala", ".groovy", ".clj", ".cljc", ".jsp", ".sc"}) {
    if (file.ends_with(suffix)) return true;
  }
  return false;
}

// `app//com.bank.Main.main`, `java.base@17/java.util.List.of`; not `Main$$Lambda/0x0001.run`.
std::string_view without_module(Scan& scan, std::string_view function) {
  std::size_t from = 0;
  for (std::size_t at = scan.find(function, '/'); at != kNowhere;
       at = scan.find(function, '/', at + 1)) {
    if (at + 1 < function.size() && !is_digit(function[at + 1])) from = at + 1;
  }
  return function.substr(from);
}

// Where .NET says the line, in the languages of its runtime.
constexpr std::string_view kLineWords[] = {":line ", ":Zeile ",  ":ligne ", ":línea ", ":linha ",
                                           ":riga ", ":строка ", ":行号 ",  ":行 "};

bool split_net_place(Scan& scan, std::string_view text, Place& place) {
  take_back(text, ".");
  std::string_view rest = text;
  std::int32_t line = 0;
  if (!take_last_number(rest, line)) return false;
  for (const std::string_view word : kLineWords) {
    if (!take_back(rest, word)) continue;
    place = {rest, line};
    return true;
  }
  if (!take_back(rest, ":")) return false;
  scan.count(text.size());
  place = {rest, line};
  return true;
}

}  // namespace

bool read_jvm(Scan& scan, std::string_view text, StackFrame& frame) {
  text = without_packaging(scan, text);
  if (!text.ends_with(')')) return false;
  const std::size_t open = scan.find_last(text, '(');
  if (open == kNowhere || open == 0 || text[open - 1] == ' ') return false;
  const std::string_view function = text.substr(0, open);
  const std::string_view source = text.substr(open + 1, text.size() - open - 2);
  if (scan.find(function, '(') != kNowhere || scan.find(function, '.') == kNowhere) return false;
  Place place;
  if (source == "Native Method") {
    frame.kind = FrameKind::kNative;
  } else if (source == "Unknown Source" || source == "<generated>" || source == "SourceFile") {
    place.file = {};
  } else if (split_place(source, place)) {
    if (place.column != StackFrame::kNone || begins_place(source) || has_script_suffix(place.file))
      return false;
    if (place.file == "Unknown Source") place.file = {};
    if (scan.find(place.file, ' ') != kNowhere) return false;
  } else if (!has_jvm_suffix(source)) {
    return false;
  }
  if (source != "Native Method") set_place(frame, place);
  frame.function = without_module(scan, function);
  return true;
}

bool read_net(Scan& scan, std::string_view text, StackFrame& frame, bool placed) {
  if (text.starts_with("(wrapper ")) {  // Mono
    const std::size_t end = scan.find(text, ") ");
    if (end == kNowhere) return false;
    text.remove_prefix(end + 2);
  }
  const std::size_t open = scan.find(text, '(');
  if (open == kNowhere || open == 0) return false;
  const std::size_t close = scan.closing(text, open);
  if (close == kNowhere) return false;
  const std::string_view function = trim(text.substr(0, open));
  if (function.empty() || scan.has_free_blank(function)) return false;
  std::string_view tail = text.substr(close + 1);
  if (!placed) {
    if (!tail.empty() && !tail.starts_with(" + ")) return false;
    const bool method = scan.find(function, '.') != kNowhere;
    if (!method && !scan.contains(text.substr(open, close - open), " ")) return false;
    if (text[open - 1] == ' ' && !method) return false;
    frame.function = function;
    return true;
  }
  // Mono: ` [0x00012] in <hash>:0`
  if (tail.starts_with(" [0x") || tail.starts_with(" <0x")) {
    const std::size_t end = scan.find(tail, tail[1] == '[' ? ']' : '>');
    if (end == kNowhere) return false;
    tail.remove_prefix(end + 1);
    if (tail.empty()) {
      frame.function = function;
      return true;
    }
  }
  if (!take_front(tail, " in ") && !take_front(tail, " dans ") && !take_front(tail, " en ") &&
      !take_front(tail, " em ") && !take_front(tail, " в ")) {
    return false;
  }
  Place place;
  if (!split_net_place(scan, tail, place)) return false;
  if (!place.file.starts_with('<')) set_place(frame, place);
  frame.function = function;
  return true;
}

// `Player:Hit(Int32) (at Assets/Player.cs:12)`
bool read_unity(Scan& scan, std::string_view line, StackFrame& frame) {
  if (!line.ends_with(')')) return false;
  const std::size_t at = scan.find_last(line, " (at ");
  if (at == kNowhere) return false;
  Place place;
  if (!split_place(line.substr(at + 5, line.size() - at - 6), place)) return false;
  const std::size_t open = scan.find(line, '(');
  const std::string_view function = trim(line.substr(0, open));
  if (open >= at || function.empty() || scan.has_free_blank(function)) return false;
  frame.function = function;
  if (!place.file.starts_with('<')) set_place(frame, place);
  return true;
}

}  // namespace vigil::stack
