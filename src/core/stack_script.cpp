// Lines of Python, Ruby, PHP, Perl, Lua and PL/pgSQL.
#include "core/stack_line.hpp"

namespace vigil::stack {
namespace {

// The name of what is called, without arguments: `{closure:Api::run():12}(Array)` has inner ones.
std::string_view php_callee(Scan& scan, std::string_view call) {
  std::size_t depth = 0;
  for (std::size_t at = 0; at < call.size(); ++at) {
    if (call[at] == '{') ++depth;
    if (call[at] == '}' && depth > 0) --depth;
    if (call[at] == '(' && depth == 0) {
      scan.count(at);
      return call.substr(0, at);
    }
  }
  scan.count(call.size());
  return trim(call);
}

// Takes `(12)` off the end of a path.
bool take_call_line(std::string_view& path, std::int32_t& line) {
  std::string_view rest = path;
  if (!take_back(rest, ")") || !take_last_number(rest, line) || !take_back(rest, "(")) return false;
  path = rest;
  return !path.empty();
}

// A line that is a place and nothing else.
bool is_ruby_place(std::string_view line) {
  std::int32_t number = 0;
  if (!take_last_number(line, number) || !take_back(line, ":")) return false;
  return line.ends_with(".rb") && !line.starts_with('#');
}

constexpr std::string_view kPerlSuffixes[] = {".pl", ".pm", ".t", ".cgi", ".psgi", ".al"};

bool is_perl_file(std::string_view file) {
  if (file.starts_with("(eval ") || file == "-e") return true;
  for (const std::string_view suffix : kPerlSuffixes) {
    if (file.ends_with(suffix)) return true;
  }
  return false;
}

}  // namespace

bool read_python(Scan& scan, std::string_view line, StackFrame& frame) {
  if (!take_front(line, "File ")) return false;
  if (take_front(line, "\"")) {
    const std::size_t end = scan.find(line, "\", line ");
    if (end == kNowhere) return false;
    frame.file = line.substr(0, end);
    line.remove_prefix(end + 8);
    if (!take_number(line, frame.line)) return false;
  } else {
    // IPython: `File ~/bank/api.py:31, in post(data)`
    const std::size_t end = scan.find(line, ", in ");
    Place place;
    if (!split_place(line.substr(0, end), place) || scan.find(place.file, ' ') != kNowhere)
      return false;
    set_place(frame, place);
    if (end == kNowhere) return place.column == StackFrame::kNone;
    line.remove_prefix(end);
    line = line.substr(0, scan.find(line, '('));
  }
  take_front(line, ",");
  if (take_front(line, " in ")) {
    frame.function = trim(line);
    if (frame.function == "<module>") frame.function = {};
  }
  if (frame.file == "<string>" || frame.file == "<stdin>") frame.kind = FrameKind::kEval;
  return true;
}

bool read_ruby(Scan& scan, std::string_view line, StackFrame& frame) {
  const bool from = take_front(line, "from ");
  std::size_t in = scan.find(line, ":in ");
  std::size_t quote = in + 4;
  if (in == kNowhere && from) {  // Crystal: `from src/bank.cr:41:5 in 'post'`
    in = scan.find(line, " in '");
    quote = in + 4;
  }
  if (in != kNowhere) {
    if (quote >= line.size() || (line[quote] != '`' && line[quote] != '\'')) return false;
    const std::size_t end = scan.find(line, '\'', quote + 1);
    if (end == kNowhere) return false;
    frame.function = line.substr(quote + 1, end - quote - 1);
    if (frame.function == "<main>") frame.function = {};
  } else if (!from && !is_ruby_place(line)) {
    return false;
  }
  Place place;
  if (!split_place(line.substr(0, in), place) || place.file.empty()) return false;
  set_place(frame, place);
  if (place.file.starts_with("(eval")) {
    frame.kind = FrameKind::kEval;
    if (take_front(place.file, "(eval at ") && take_back(place.file, ")") &&
        split_place(place.file, place)) {
      set_place(frame, place);
    }
  }
  return true;
}

bool read_php(Scan& scan, std::string_view text, StackFrame& frame) {
  if (text.ends_with(']')) {  // debug_print_backtrace: `post() called at [/var/www/a.php:10]`
    const std::size_t called = scan.find_last(text, " called at [");
    Place place;
    if (called != kNowhere &&
        split_place(text.substr(called + 12, text.size() - called - 13), place)) {
      set_place(frame, place);
      frame.function = php_callee(scan, text.substr(0, called));
      return true;
    }
  }
  if (take_front(text, "[internal function]: ")) {
    frame.function = php_callee(scan, text);
    frame.kind = FrameKind::kNative;
    return true;
  }
  for (std::size_t at = scan.find(text, ')'); at != kNowhere; at = scan.find(text, ')', at + 1)) {
    const std::string_view rest = text.substr(at + 1);
    const bool evaluated =
        rest.starts_with(" : eval()'d code") || rest.starts_with(" : runtime-created function");
    if (!rest.empty() && !rest.starts_with(": ") && !evaluated) continue;
    std::string_view path = text.substr(0, at + 1);
    if (!take_call_line(path, frame.line)) continue;
    frame.file = path;
    if (evaluated) {
      frame.kind = FrameKind::kEval;
      at = scan.find(text, "): ", at + 1);
    }
    if (at == kNowhere || at + 3 > text.size()) return true;
    frame.function = php_callee(scan, text.substr(at + 3));
    return true;
  }
  return false;
}

bool read_xdebug(Scan& scan, std::string_view text, StackFrame& frame) {
  const std::size_t open = scan.find(text, '(');
  if (open == kNowhere || open == 0 || text.starts_with("{main}")) return false;
  const std::size_t close = scan.closing(text, open);
  if (close == kNowhere || scan.has_free_blank(text.substr(0, open))) return false;
  Place place;
  if (!split_place(trim(text.substr(close + 1)), place) || !begins_place(place.file)) return false;
  set_place(frame, place);
  frame.function = text.substr(0, open);
  return true;
}

// `Bank::Ledger::post(3) called at lib/Bank/Api.pm line 12`, `limit at lib/Bank/Ledger.pm line 41.`
bool read_perl(Scan& scan, std::string_view line, StackFrame& frame) {
  const std::size_t handle = scan.find_last(line, ", <");  // `, <STDIN> line 3.`
  if (handle != kNowhere && line.ends_with('.')) line = line.substr(0, handle);
  take_back(line, ".");
  std::string_view rest = line;
  if (!take_last_number(rest, frame.line) || !take_back(rest, " line ")) return false;
  const std::size_t at = scan.find_last(rest, " at ");
  if (at == kNowhere) return false;
  frame.file = rest.substr(at + 4);
  rest = rest.substr(0, at);
  if (frame.file.starts_with("(eval ")) frame.kind = FrameKind::kEval;
  if (take_back(rest, " called")) {
    frame.function = rest.starts_with("eval ") ? rest : rest.substr(0, scan.find(rest, '('));
    return !frame.function.empty();
  }
  return is_perl_file(frame.file);
}

// `ledger.lua:41: in function 'ledger.post'`
bool read_lua(Scan& scan, std::string_view line, StackFrame& frame) {
  const std::size_t in = scan.find(line, ": in ");
  if (in == kNowhere) return false;
  Place place;
  if (line.substr(0, in) == "[C]") {
    frame.kind = FrameKind::kNative;
  } else if (split_place(line.substr(0, in), place) && place.column == StackFrame::kNone) {
    set_place(frame, place);
  } else {
    return false;
  }
  std::string_view name = line.substr(in + 5);
  const std::size_t blank = scan.find(name, ' ');  // function, local, upvalue, method, field
  if (blank == kNowhere || name == "main chunk") return true;
  name = name.substr(blank + 1);
  if (name.starts_with('<')) return true;
  take_front(name, "'");
  frame.function = name.substr(0, scan.find(name, '\''));
  return true;
}

bool read_postgres(Scan& scan, std::string_view line, StackFrame& frame) {
  if (take_front(line, "compilation of ")) {
    std::string_view start = line;
    if (!take_last_number(start, frame.line) || !take_back(start, " near line ")) return false;
    line = start;
  }
  const bool placed = frame.line != StackFrame::kNone;
  if (line.starts_with("SQL function ")) {
    line.remove_prefix(13);
  } else if (line.starts_with("PL/")) {
    const std::size_t word = scan.find(line, " function ");
    if (word == kNowhere) return false;
    line.remove_prefix(word + 10);
  } else {
    return false;
  }
  std::size_t end = line.size();
  if (take_front(line, "\"")) {
    end = scan.find(line, '"');
    if (end == kNowhere) return false;
    frame.function = line.substr(0, end++);
  } else {
    for (const std::string_view word : {" line ", " while ", " during ", " statement "}) {
      end = scan.find(line.substr(0, end), word) == kNowhere ? end : scan.find(line, word);
    }
    frame.function = line.substr(0, end);
  }
  line.remove_prefix(end);
  if (!placed && take_front(line, " line ")) take_number(line, frame.line);
  return !frame.function.empty();
}

// `PL/pgSQL-Funktion bank.post(bigint) Zeile 14 bei RAISE`, in whatever language the server speaks.
bool read_foreign_postgres(Scan& scan, std::string_view line, StackFrame& frame) {
  constexpr std::string_view kName = "PL/pgSQL";
  constexpr std::string_view kBlock = "inline_code_block";
  const std::size_t name = scan.find(line, kName);
  if (name == kNowhere) return false;
  line.remove_prefix(name + kName.size());
  const std::size_t blank = scan.find(line, ' ');  // behind `-Funktion`
  if (blank == kNowhere) return false;
  line.remove_prefix(blank + 1);
  std::size_t end = kBlock.size();
  if (!line.starts_with(kBlock)) {
    const std::size_t open = scan.find(line, '(');
    if (open == kNowhere || scan.has_free_blank(line.substr(0, open))) return false;
    end = scan.closing(line, open) + 1;
    if (end == 0) return false;
  }
  frame.function = line.substr(0, end);
  while (end < line.size() && !is_digit(line[end])) ++end;
  line.remove_prefix(end);
  scan.count(end);
  return take_number(line, frame.line);
}

// `PL/Python function "transfer", line 5, in post`
bool read_plpython(Scan& scan, std::string_view line, StackFrame& frame) {
  const std::size_t word = scan.find(line, "\", line ");
  if (word == kNowhere) return false;
  line.remove_prefix(word + 8);
  if (!take_number(line, frame.line) || !take_front(line, ", in ")) return false;
  frame.function = line == "<module>" ? std::string_view() : line;
  return true;
}

}  // namespace vigil::stack
