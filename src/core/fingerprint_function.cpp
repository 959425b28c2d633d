#include "core/fingerprint_frame.hpp"

#include <algorithm>

#include "core/char_set.hpp"
#include "core/stack_line.hpp"
#include "core/word_set.hpp"

namespace vigil {
namespace {

using namespace vigil::stack;

constexpr std::size_t kNone = std::string_view::npos;

bool is_hex(char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

std::string_view before(std::string_view text, std::string_view mark) {
  return text.substr(0, text.find(mark));
}

constexpr WordSet kAnonymous("?", "<anonymous>", "anonymous", "(anonymous)", "Anonymous function",
                             "<unknown>", "global code", "eval code", "eval", "module code",
                             "<module>", "<main>", "<lambda>", "{closure}", "{anonymous}",
                             "<top (required)>", "<eval>", "anonymous function",
                             "(anonymous function)", "<global>", "<compiled>", "<no symbol>",
                             "main chunk", "<computed>", "{main}");

// In one line of a bundle, a name this short was given by a minifier, anew with every build.
constexpr std::int32_t kBundleColumn = 500;
constexpr std::size_t kMinified = 2;

// Firefox writes `save/<@place` for a function without a name inside of save.
bool is_nested_anonymous(const StackFrame& frame) {
  if (frame.raw.starts_with("at ")) return false;
  const std::size_t place = frame.raw.find('@');
  return place != kNone && place > 0 && frame.raw[place - 1] == '<';
}

constexpr std::string_view kDecorations[] = {"async ", "async*",  "new ",  "get ",
                                             "set ",   "static ", "bound "};

bool take_decoration(std::string_view& name) {
  for (const std::string_view decoration : kDecorations)
    if (name.front() == decoration.front() && take_front(name, decoration)) return true;
  return false;
}

constexpr CharSet kOwners("./*");  // * of Firefox: what waited for a promise, an event or a timer

std::string_view javascript_function(const StackFrame& frame) {
  std::string_view name = frame.function;
  while (!name.empty() && take_decoration(name)) {
  }
  if (is_nested_anonymous(frame)) return {};
  if (name.ends_with(']')) name = name.substr(0, name.find(" [as "));
  if (!name.ends_with(']')) {
    name = name.substr(kOwners.find_last(name) + 1);
  } else if (const std::size_t open = name.rfind(".["); open != kNone) {  // a.[Symbol.iterator]
    name = name.substr(open + 1);
  }
  take_front(name, "#");
  if (name.size() <= kMinified && frame.column >= kBundleColumn) return {};
  return name;
}

constexpr std::string_view kRubyParts[] = {"rescue in ", "ensure in ", "rescue ", "ensure "};

bool take_ruby_part(std::string_view& name) {
  if (take_front(name, "block ")) {
    const std::size_t in = name.find("in ");
    if (in != kNone) name.remove_prefix(in + 3);
    return in != kNone;
  }
  return std::ranges::any_of(kRubyParts,
                             [&](std::string_view part) { return take_front(name, part); });
}

constexpr CharSet kRubyOwners("#.");

// Block, rescue and ensure are parts of the method they stand in.
std::string_view ruby_function(std::string_view name) {
  while (take_ruby_part(name)) {
  }
  if (name.starts_with('<')) return {};  // <main>, <class:Cart>
  const std::size_t owner = kRubyOwners.find_last(name);
  return owner == kNone || owner + 1 == name.size() ? name : name.substr(owner + 1);
}

// `Cart.<Add>d__5.MoveNext`, `Cart.<>c.<Add>b__3_0`, `Cart.<Add>g__Check|3_0`: code of method Add.
void append_net(std::string_view name, std::pmr::string& out) {
  const std::size_t from = out.size();
  while (!name.empty()) {
    const char c = name.front();
    if (c == '<') {
      const std::size_t close = name.find('>');
      if (close == kNone) break;
      std::string_view inner = name.substr(1, close - 1);
      while (take_front(inner, "<")) {  // an asynchronous lambda
      }
      std::string_view rest = name.substr(close + 1);
      const std::size_t end = std::min(rest.find('.'), rest.size());
      std::string_view kind = rest.substr(0, end);
      if (inner.empty()) {  // a class for closures
        while (out.size() > from && out.back() == '.') out.pop_back();
      } else {
        out.append(inner);
        if (kind.starts_with("g__")) out.append(".").append(before(kind.substr(3), "|"));
      }
      name = rest.substr(end);
      if (name == ".MoveNext") name = {};
    } else if (c == '`' || c == '[') {  // generic arity and arguments
      std::size_t end = 1;
      while (end < name.size() && (c == '[' ? name[end - 1] != ']' : is_digit(name[end]))) ++end;
      name.remove_prefix(end);
    } else {
      out += c;
      name.remove_prefix(1);
    }
  }
}

// Numbers and hashes that stand behind `$` or `__`, addresses behind `@`, what is in brackets
// behind a name of Go or Rust. The rest is appended as it is.
void append_without_numbers(std::string_view name, std::pmr::string& out) {
  for (std::size_t at = 0; at < name.size(); ++at) {
    const char c = name[at];
    const bool mark = c == '$' || (c == '_' && at > 0 && name[at - 1] == '_');
    out += c;
    if (!mark) continue;
    std::size_t end = at + 1;
    while (end < name.size() && (is_digit(name[end]) || (name[end] == '_' && end > at + 1))) ++end;
    if (end < name.size() && is_letter(name[end])) continue;
    at = end - 1;
  }
}

// `main.(*Server).run.func1.2` → `main.(*Server).run.func`
void append_go(std::string_view name, std::pmr::string& out) {
  while (true) {
    std::string_view rest = name;
    while (!rest.empty() && is_digit(rest.back())) rest.remove_suffix(1);
    if (rest.size() == name.size()) break;
    if (rest.ends_with(".func") || rest.ends_with(".gowrap")) {
      name = rest;
      break;
    }
    if (!rest.ends_with('.')) break;
    name = rest.substr(0, rest.size() - 1);
  }
  take_back(name, "-fm");
  // Type arguments: `Map[...]`
  for (std::size_t at = 0; at < name.size(); ++at) {
    if (name[at] == '[') {
      const std::size_t close = name.find(']', at);
      if (close == kNone) break;
      at = close;
      continue;
    }
    out += name[at];
  }
}

void append_rust(std::string_view name, std::pmr::string& out) {
  constexpr std::size_t kHash = 19;  // ::h0123456789abcdef
  if (name.size() > kHash && name.substr(name.size() - kHash).starts_with("::h") &&
      std::all_of(name.end() - 16, name.end(), is_hex))
    name.remove_suffix(kHash);
  while (take_back(name, "::{{closure}}") || take_back(name, "::{closure#0}") ||
         take_back(name, "::{closure#1}") || take_back(name, "::{closure#2}")) {
  }
  out.append(name);
}

constexpr std::string_view kSwiftParts[] = {"partial apply for ",
                                            "specialized ",
                                            "@objc ",
                                            "@nonobjc ",
                                            "merged ",
                                            "static ",
                                            "protocol witness for ",
                                            "(1) await resume partial function for ",
                                            "(2) suspend resume partial function for "};

// `closure #1 in Cart.total` is code of Cart.total.
bool take_swift_part(std::string_view& name) {
  if (take_front(name, "closure #") || take_front(name, "implicit closure #")) {
    const std::size_t in = name.find(" in ");
    if (in != kNone) name.remove_prefix(in + 4);
    return in != kNone;
  }
  return std::ranges::any_of(kSwiftParts,
                             [&](std::string_view part) { return take_front(name, part); });
}

std::string_view native_function(std::string_view name) {
  while (take_swift_part(name)) {
  }
  return name;
}

std::string_view dart_function(std::string_view name) {
  while (take_back(name, ".<anonymous closure>") || take_back(name, ".<fn>")) {
  }
  return name.starts_with('<') ? std::string_view() : name;
}

void append_php(std::string_view name, std::pmr::string& out) {
  const std::size_t anonymous = name.find("@anonymous");
  if (anonymous != kNone) {
    out.append(name.substr(0, anonymous + 10));
    name = name.substr(std::min(name.find("->", anonymous), name.size()));
  }
  const std::size_t closure = name.find("{closure");
  append_without_numbers(name.substr(0, closure), out);
  if (closure != kNone) out.append("{closure}");
}

constexpr CharSet kHashMarks("_$");

// A hash of six or more hexadecimal digits, one of them no letter, that a bundler or macro added.
std::string_view without_hash(std::string_view name) {
  const std::size_t mark = kHashMarks.find_last(name);
  if (mark == kNone || mark == 0 || name.size() - mark < 7) return name;
  const std::string_view tail = name.substr(mark + 1);
  if (!std::ranges::all_of(tail, is_hex) || std::ranges::none_of(tail, is_digit)) return name;
  return name.substr(0, mark);
}

std::string_view without_parameters(std::string_view name) {
  return name.ends_with(')') ? name.substr(0, name.rfind('(')) : name;
}

constexpr WordSet kJavaScriptPlumbing("asyncGeneratorStep", "_asyncToGenerator", "__awaiter",
                                      "__generator", "_next", "_throw", "sentryWrapped",
                                      "nrWrapper", "__webpack_require__", "__webpack_exec__",
                                      "webpackJsonpCallback", "processTicksAndRejections",
                                      "runMicrotasks", "tryCatcher", "__webpack_modules__");

constexpr std::string_view kJavaScriptOwners[] = {
    "Generator.",     "ZoneDelegate.",      "Zone.",          "ZoneTask.",
    "_ZoneDelegate.", "zone_ZoneDelegate.", "AsyncGenerator."};

constexpr std::string_view kJvmPlumbing[] = {"$$Lambda$",
                                             "$$Lambda/",
                                             "$Proxy",
                                             "GeneratedMethodAccessor",
                                             "GeneratedConstructorAccessor",
                                             "$$FastClassBy",
                                             "$$EnhancerBy",
                                             "$$SpringCGLIB$$",
                                             "CGLIB$",
                                             "ByteBuddy$",
                                             "$MockitoMock$",
                                             "LambdaForm$",
                                             "$$ExternalSyntheticLambda",
                                             "_COROUTINE._BOUNDARY."};

// All of these have one of them.
constexpr CharSet kJvmMarks("$_M");

constexpr WordSet kPythonPlumbing("<listcomp>", "<dictcomp>", "<setcomp>", "<genexpr>");

// By the name as printed; a name of JavaScript is looked at without its owner.
bool is_plumbing(const StackFrame& frame) {
  const std::string_view name = frame.function;
  switch (frame.language) {
    case StackLanguage::kJavaScript:
      return std::ranges::any_of(kJavaScriptOwners, [&](std::string_view owner) {
        return owner.front() == name.front() && name.starts_with(owner);
      });
    case StackLanguage::kJvm:
      return kJvmMarks.find(name) != kNone &&
             std::ranges::any_of(kJvmPlumbing,
                                 [&](std::string_view part) { return name.find(part) != kNone; });
    case StackLanguage::kNet:
      return name.starts_with("lambda_method");
    case StackLanguage::kPython:
      return kPythonPlumbing.contains(name);
    default:
      return false;
  }
}

}  // namespace

bool append_function(const StackFrame& frame, std::pmr::string& out) {
  std::string_view name = frame.function;
  if (name.empty()) return true;
  if (is_plumbing(frame)) return false;
  if (kAnonymous.contains(name)) return true;
  switch (frame.language) {
    case StackLanguage::kJavaScript:
      name = javascript_function(frame);
      if (kJavaScriptPlumbing.contains(name)) return false;
      if (kAnonymous.contains(name) || name.starts_with("_callee")) return true;
      append_without_numbers(without_hash(name), out);
      break;
    case StackLanguage::kRuby:
      append_without_numbers(ruby_function(name), out);
      break;
    case StackLanguage::kNet:
      append_net(without_parameters(name), out);
      break;
    case StackLanguage::kGo:
      append_go(name, out);
      break;
    case StackLanguage::kRust:
      append_rust(name, out);
      break;
    case StackLanguage::kPhp:
      append_php(name, out);
      break;
    case StackLanguage::kJvm:
      append_without_numbers(name, out);
      break;
    case StackLanguage::kDart:
      append_without_numbers(dart_function(name), out);
      break;
    case StackLanguage::kNative:
      append_without_numbers(without_parameters(native_function(name)), out);
      break;
    case StackLanguage::kPython:
    case StackLanguage::kPostgres:
    case StackLanguage::kPerl:
    case StackLanguage::kLua:
    case StackLanguage::kBeam:
      append_without_numbers(without_parameters(name), out);
      break;
  }
  return true;
}

}  // namespace vigil
