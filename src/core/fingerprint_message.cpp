#include "core/fingerprint_message.hpp"

#include "core/stack_line.hpp"
#include "core/word_set.hpp"

namespace vigil {
namespace {

using namespace vigil::stack;

constexpr std::size_t kNone = std::string_view::npos;

constexpr std::string_view kPrefixes[] = {
    "Uncaught (in promise) ",        "Uncaught exception ",           "Uncaught ",
    "Unhandled Promise Rejection: ", "Unhandled promise rejection: ", "Unhandled rejection ",
    "Unhandled exception: ",         "Unhandled exception. "};

std::string_view without_prefix(std::string_view name, std::string_view message) {
  message = trim(message);
  for (bool again = true; again;) {
    again = false;
    for (const std::string_view prefix : kPrefixes) again = again || take_front(message, prefix);
    std::string_view rest = message;
    if (!name.empty() && take_front(rest, name) && take_front(rest, ": ")) {
      message = rest;
      again = true;
    }
    message = trim(message);
  }
  return message;
}

// The first two lines that are not blank, with all that stands between.
std::string_view first_lines(std::string_view message) {
  std::size_t at = 0;
  std::size_t end = 0;
  for (int lines = 0; lines < 2 && at < message.size();) {
    const std::size_t line_end = std::min(message.find('\n', at), message.size());
    if (!trim(message.substr(at, line_end - at)).empty()) {
      ++lines;
      end = line_end;
    }
    at = line_end + 1;
  }
  return trim(message.substr(0, end));
}

// The text between two others, or nothing.
std::string_view between(std::string_view text, std::string_view open, std::string_view close) {
  const std::size_t from = text.find(open);
  if (from == kNone) return {};
  text.remove_prefix(from + open.size());
  const std::size_t to = text.find(close);
  return to == kNone ? std::string_view() : text.substr(0, to);
}

// The last property that an expression reads: `id` of `x.user.id`, `x["id"]`, `x.id = 3`.
std::string_view last_property(std::string_view expression) {
  expression = trim(expression.substr(0, expression.find(" = ")));
  if (expression.ends_with(')')) expression = expression.substr(0, expression.rfind('('));
  if (expression.ends_with(']')) {
    const std::size_t open = expression.rfind('[');
    std::string_view key = expression.substr(open + 1, expression.size() - open - 2);
    while (!key.empty() && (key.front() == '"' || key.front() == '\'')) {
      key.remove_prefix(1);
      key = key.substr(0, key.find_first_of("\"'"));
    }
    return key;
  }
  const std::size_t dot = expression.rfind('.');
  return dot == kNone ? std::string_view() : expression.substr(dot + 1);
}

// Reading or writing a property of null or undefined.
bool append_access(std::string_view message, std::pmr::string& out) {
  std::string_view property;
  if (message.starts_with("Cannot read propert") || message.starts_with("Cannot set propert") ||
      message.starts_with("Unable to get property '") ||
      message.starts_with("Unable to set property '")) {
    property = between(message, "ing '", "'");
    if (property.empty()) property = between(message, "property '", "'");
  } else if (message.starts_with("can't access property \"")) {
    property = between(message, "property \"", "\"");
  } else if (message.starts_with("null is not an object (evaluating '") ||
             message.starts_with("'null' is not an object (evaluating '") ||
             message.starts_with("undefined is not an object (evaluating '") ||
             message.starts_with("'undefined' is not an object (evaluating '")) {
    property = last_property(between(message, "evaluating '", "')"));
  }
  if (property.empty()) return false;
  out.append("no object with property ").append(property);
  return true;
}

constexpr std::string_view kNoConnection[] = {"Failed to fetch", "Load failed",
                                              "NetworkError when attempting to fetch resource."};

// Engines name the same mistake in different words; false if this is no such message.
bool append_engine_message(std::string_view message, std::pmr::string& out) {
  if (append_access(message, out)) return true;
  if (take_front(message, "Can't find variable: ")) {
    out.append(message).append(" is not defined");
    return true;
  }
  const std::size_t function = message.find(" is not a function");
  if (function != kNone && function < 200) {
    out.append(message.substr(0, function)).append(" is not a function");
    return true;
  }
  for (const std::string_view text : kNoConnection) {
    if (message != text) continue;
    out.append(kNoConnection[0]);
    return true;
  }
  if (message.starts_with("ResizeObserver loop ")) {
    out.append("ResizeObserver loop");
    return true;
  }
  const bool json = message.starts_with("JSON.parse: ") ||
                    message.starts_with("JSON Parse error: ") ||
                    message.ends_with("is not valid JSON") ||
                    (message.starts_with("Unexpected ") && message.find(" JSON") != kNone);
  if (!json) return false;
  const bool ends = message.find(" end of ") != kNone || message.find("Unterminated") != kNone ||
                    message.find("unterminated") != kNone || message.find("EOF") != kNone;
  out.append(ends ? "JSON ends too early" : "not valid JSON");
  return true;
}

// Zoe, but neither HTTP nor camelCase nor Order.customer.
bool is_proper_name(std::string_view word) {
  while (!word.empty() && (word.back() == ',' || word.back() == '.')) word.remove_suffix(1);
  return word.size() > 1 && word[0] >= 'A' && word[0] <= 'Z' &&
         std::all_of(word.begin() + 1, word.end(), [](char c) { return c >= 'a' && c <= 'z'; });
}

// The code before a message, `E1234: ` or `[TS2345] `, which is taken off; otherwise nothing. One
// letter other than E, and one or two digits, rather tell which thread or worker it was.
std::string_view take_code(std::string_view& message) {
  const bool bracket = message.starts_with('[');
  const std::size_t from = bracket ? 1 : 0;
  std::size_t at = from;
  const auto run = [&](auto is_part) {
    const std::size_t start = at;
    while (at < message.size() && is_part(message[at])) ++at;
    return at - start;
  };
  const std::size_t letters = run([](char c) { return c >= 'A' && c <= 'Z'; });
  if (letters > 5 || letters == 0 || (letters == 1 && message[from] != 'E')) return {};
  if (at < message.size() && (message[at] == '-' || message[at] == '_')) ++at;
  const std::size_t digits = run(is_digit);
  if (digits < 3 || digits > 6) return {};
  if (at == message.size() || message[at] != (bracket ? ']' : ':')) return {};
  const std::string_view code = message.substr(from, at - from);
  message = trim(message.substr(at + 1));
  return code;
}

std::string_view without_full_stop(std::string_view message) {
  take_back(message, ".");
  return message;
}

constexpr WordSet kEngineErrors("TypeError", "ReferenceError", "RangeError", "SyntaxError",
                                "URIError", "EvalError", "InternalError");

}  // namespace

void append_message(std::string_view name, std::string_view message, std::pmr::string& out) {
  message = first_lines(without_prefix(name, message));
  if (append_engine_message(message, out)) return;
  const std::string_view code = take_code(message);
  if (!code.empty()) out.append(code) += ' ';
  message_template(without_full_stop(message), out);
}

void explain_message(std::string_view name, std::string_view message,
                     std::pmr::vector<TemplatePart>& parts) {
  message = first_lines(without_prefix(name, message));
  std::pmr::string words(parts.get_allocator().resource());
  if (append_engine_message(message, words)) {
    parts.push_back({message, std::move(words)});
    return;
  }
  const std::string_view code = take_code(message);
  if (!code.empty()) parts.push_back({code, std::move(words)});
  explain_template(without_full_stop(message), parts);
}

void append_head(std::string_view message, std::pmr::string& out) {
  constexpr std::size_t kWords = 12;
  message = message.substr(0, message.find('\n'));
  for (std::size_t words = 0; words < kWords && !message.empty();) {
    const std::size_t end = std::min(message.find(' '), message.size());
    const std::string_view word = message.substr(0, end);
    message.remove_prefix(std::min(end + 1, message.size()));
    if (word.empty()) continue;
    if (words > 0) out += ' ';
    out.append(words > 0 && is_proper_name(word) ? "*" : word);
    ++words;
    if (words > 1 && word.ends_with(':')) break;
  }
}

bool is_engine_error(std::string_view name) { return kEngineErrors.contains(name); }

}  // namespace vigil
