// Lines of Python, Ruby, PHP and PL/pgSQL.
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
    if (end == kNowhere || !split_place(line.substr(0, end), place)) return false;
    set_place(frame, place);
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
  } else if (!from) {
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

}  // namespace vigil::stack
