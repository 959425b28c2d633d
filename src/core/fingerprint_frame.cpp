#include "core/fingerprint_frame.hpp"

#include <algorithm>
#include <array>

#include "core/stack_line.hpp"
#include "core/word_set.hpp"

namespace vigil {
namespace {

using namespace vigil::stack;

constexpr std::size_t kNone = std::string_view::npos;

bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
bool is_hex(char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

// The text behind the last `mark`, or all of it.
std::string_view after_last(std::string_view text, char mark) {
  return text.substr(text.rfind(mark) + 1);
}

std::string_view before(std::string_view text, std::string_view mark) {
  return text.substr(0, text.find(mark));
}

// --- functions ---------------------------------------------------------------------------------

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
  const std::size_t place = frame.raw.find('@');
  return place != kNone && place > 0 && frame.raw[place - 1] == '<';
}

std::string_view javascript_function(const StackFrame& frame) {
  std::string_view name = frame.function;
  for (bool again = true; again;) {
    again = take_front(name, "async ") || take_front(name, "async*") || take_front(name, "new ") ||
            take_front(name, "get ") || take_front(name, "set ") || take_front(name, "static ") ||
            take_front(name, "bound ");
  }
  if (name.ends_with(']')) name = name.substr(0, name.find(" [as "));
  if (is_nested_anonymous(frame)) return {};
  name = after_last(name, '*');  // of Firefox: what waited for a promise, an event or a timer
  if (!name.ends_with(']')) {    // a.[Symbol.iterator]
    name = after_last(name, '/');
    name = after_last(name, '.');
  } else if (const std::size_t open = name.rfind(".["); open != kNone) {
    name = name.substr(open + 1);
  }
  take_front(name, "#");
  if (name.size() <= kMinified && frame.column >= kBundleColumn) return {};
  return name;
}

constexpr std::string_view kRubyParts[] = {"block ", "rescue in ", "ensure in ", "rescue ",
                                           "ensure "};

// Block, rescue and ensure are parts of the method they stand in.
std::string_view ruby_function(std::string_view name) {
  for (const std::string_view part : kRubyParts) {
    if (!take_front(name, part)) continue;
    const std::size_t in = name.find("in ");
    if (part == "block " && in != kNone) name.remove_prefix(in + 3);
    return ruby_function(name);
  }
  if (name.starts_with('<')) return {};  // <main>, <class:Cart>
  const std::size_t owner = name.find_last_of("#.");
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
      const std::string_view inner = name.substr(1, close - 1);
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
    if (end < name.size() && (is_lower(name[end]) || is_upper(name[end]))) continue;
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

// A hash of six or more hexadecimal digits, one of them no letter, that a bundler or macro added.
std::string_view without_hash(std::string_view name) {
  const std::size_t mark = name.find_last_of("_$");
  if (mark == kNone || mark == 0 || name.size() - mark < 7) return name;
  const std::string_view tail = name.substr(mark + 1);
  if (!std::ranges::all_of(tail, is_hex) || std::ranges::none_of(tail, is_digit)) return name;
  return name.substr(0, mark);
}

std::string_view without_parameters(std::string_view name) {
  return name.ends_with(')') ? name.substr(0, name.rfind('(')) : name;
}

// --- files -------------------------------------------------------------------------------------

// Directories in which programs are put: they say where it runs, not what it is.
constexpr WordSet kRoots("app", "apps", "srv", "var", "www", "html", "htdocs", "public_html",
                         "wwwroot", "opt", "usr", "local", "home", "Users", "root", "tmp",
                         "private", "current", "releases", "release", "deploy", "deployments",
                         "workspace", "workspaces", "builds", "build", "code", "task", "repo",
                         "project", "projects", "mnt", "data", "runner", "work", "inetpub", "web",
                         "site", "sites", "dist", "out", "output", "bundle", "package",
                         "packages-cache");

// Behind these stands the name of a user.
constexpr WordSet kHomes("home", "Users");

// Sources and what is built of them: every package has such a folder.
constexpr WordSet kSourceFolders("src", "dist", "build", "out");
constexpr WordSet kPackageFolders("packages", "apps", "libs", "services", "modules", "plugins",
                                  "workspaces", "crates", "cmd", "components", "features");

// Behind these, a path has the name of a package, which no deploy changes.
constexpr WordSet kPackageRoots("node_modules", "site-packages", "dist-packages", "gems",
                                "bower_components");

bool is_version(std::string_view text) {
  take_front(text, "v");
  if (text.empty() || !is_digit(text.front())) return false;
  bool dot = false;
  for (const char c : text) {
    if (c == '.') dot = true;
    if (!is_digit(c) && c != '.' && c != '-' && c != '+' && !is_lower(c)) return false;
  }
  return dot;
}

// Small letters and marks: what no machine gives.
bool is_plain(std::string_view text) {
  return std::ranges::none_of(text, [](char c) { return is_digit(c) || is_upper(c); });
}

// Whether a machine gave this name: the hash of a build, a date, a number that counts releases.
// Words never are, however they mix cases, nor are words with a number behind them.
bool is_generated(std::string_view token) {
  if (token.size() < 6 || is_plain(token)) return false;
  std::size_t digits = 0;
  std::size_t hex = 0;
  std::size_t turns = 0;  // between small and large letters, and letters and digits
  std::size_t humps = 0;  // large letters with small ones behind them
  for (std::size_t i = 0; i < token.size(); ++i) {
    const char c = token[i];
    if (is_digit(c)) ++digits;
    if (is_digit(c) || (c >= 'a' && c <= 'f')) ++hex;
    if (!is_digit(c) && !is_letter(c) && c != '_' && c != '-') return false;
    if (i == 0) continue;
    const char last = token[i - 1];
    if (is_digit(c) != is_digit(last) || is_upper(c) != is_upper(last)) ++turns;
    if (is_upper(last) && is_lower(c)) ++humps;
  }
  if (digits > 0 && hex == token.size()) return true;
  if (token.size() < 8) return digits >= 2 && turns >= 3;
  std::string_view word = token;
  while (!word.empty() && is_digit(word.back())) word.remove_suffix(1);
  if (digits > 0) return word.size() == token.size() || turns > 2 * humps + 2;
  return turns > 2 * humps + 2;
}

bool is_noise(std::string_view token) {
  return token == "min" || token == "production" || token == "development" || token == "prod";
}

// A folder that only says which release it is.
bool is_generated_folder(std::string_view folder) {
  if (is_plain(folder)) return false;
  if (is_generated(folder) || (is_version(folder) && folder.size() > 2)) return true;
  if (folder.size() >= 4 && std::ranges::all_of(folder, is_digit)) return true;
  // 2025-11-01, 20251101-142233, release-20251101, f81d4fae-7dec-11d0-a765-00a0c91e6bf6
  std::size_t digits = 0;
  std::size_t others = 0;
  for (const char c : folder) {
    digits += is_digit(c);
    others += !is_hex(c) && c != '-' && c != '_' && c != 'T' && c != '.';
  }
  if (others == 0 && digits >= 6) return true;
  const std::size_t dash = folder.find_last_of("-_");
  return dash != kNone &&
         (folder.starts_with("release") || folder.starts_with("build") ||
          folder.starts_with("deploy")) &&
         is_generated(folder.substr(dash + 1));
}

// Appends the name of a file: its tokens that are no hash, version or mode of building.
void append_file_name(std::string_view name, std::pmr::string& out) {
  const std::size_t dot = name.find('.');
  if (is_plain(name) && name.find_first_of(".-~", dot + 1) == kNone &&
      name.substr(0, dot).find_first_of("-~") == kNone) {
    out.append(name);
    return;
  }
  if (is_generated_folder(name)) {  // a blob
    out += '#';
    return;
  }
  const std::size_t from = out.size();
  // `@1.2.3` and `-1.2.3`, and what follows up to the suffix
  for (std::size_t at = 1; at + 1 < name.size(); ++at) {
    if ((name[at] != '@' && name[at] != '-' && name[at] != '_') || !is_digit(name[at + 1]))
      continue;
    std::size_t end = at + 1;
    bool dotted = false;
    while (end < name.size() &&
           (is_digit(name[end]) ||
            (name[end] == '.' && end + 1 < name.size() && is_digit(name[end + 1])))) {
      dotted = dotted || name[end] == '.';
      ++end;
    }
    if (!dotted && name[at] != '@') continue;
    append_file_name(name.substr(0, at), out);
    append_file_name(name.substr(end), out);
    return;
  }
  std::size_t at = 0;
  char mark = 0;  // before the token
  while (at <= name.size()) {
    std::size_t end = at;
    while (end < name.size() && name[end] != '.' && name[end] != '-' && name[end] != '~') ++end;
    std::string_view token = name.substr(at, end - at);
    // Hashes in base 64 hold - and _ themselves, and end the name.
    if (mark == '-' || mark == '.') {
      const std::string_view rest = before(name.substr(at), ".");
      if (rest.size() == 8 && rest.size() > token.size() && is_generated(rest)) {
        token = rest;
        end = at + rest.size();
      }
    }
    const bool last = end == name.size();
    const bool cut = (at > 0 || !last) && (is_generated(token) || (mark != 0 && is_noise(token)));
    if (!cut) {
      if (mark != 0) out += mark;
      // foo_3f2a1b9c
      const std::size_t line = token.rfind('_');
      const bool tail = line != kNone && line > 0 && is_generated(token.substr(line + 1));
      out.append(tail ? token.substr(0, line) : token);
    }
    if (last) break;
    mark = name[end];
    at = end + 1;
  }
  if (out.size() == from) out += '#';  // all of it is hash
}

// A path or URL, taken apart from its end.
struct Segments {
  static constexpr std::size_t kMost = 64;
  std::array<std::string_view, kMost> all;
  std::size_t size = 0;
  bool url = false;

  explicit Segments(std::string_view path) {
    for (std::size_t at = 0; at < path.size();) {
      std::size_t end = at;
      while (end < path.size() && path[end] != '/' && path[end] != '\\') ++end;
      const std::string_view segment = path.substr(at, end - at);
      at = end + 1;
      if (segment.empty() || segment == "." || segment == "..") continue;
      if (segment.front() == '(' && segment.back() == ')' && size == 0) continue;  // (rsc)
      if (size == kMost) {  // the last ones are what counts
        std::shift_left(all.begin(), all.end(), 1);
        --size;
      }
      all[size++] = segment;
    }
  }
  std::string_view back(std::size_t from_end) const { return all[size - 1 - from_end]; }
};

constexpr std::string_view kBareSchemes[] = {"webpack:", "rsc:", "about:", "turbopack:"};

// What a URL has before and behind its path.
std::string_view without_origin(std::string_view file, bool& url) {
  const std::size_t scheme = file.find("://");
  if (scheme != kNone && scheme < 32 && file.find_first_of("/\\") > scheme) {
    const std::string_view name = file.substr(0, scheme);
    file.remove_prefix(scheme + 3);
    url = name != "file";
    // `webpack://shop/./src/a.js` has a package where others have their host.
    const std::size_t path = file.find('/');
    file = path == kNone ? std::string_view() : file.substr(path);
  } else if (file.size() > 2 && file[1] == ':' && is_letter(file[0]) &&
             (file[2] == '\\' || file[2] == '/')) {
    file.remove_prefix(2);
  } else {
    for (const std::string_view name : kBareSchemes) take_front(file, name);
  }
  return file.substr(0, file.find_first_of("?#"));
}

// The index of the segment behind the last folder that packages are kept in, or size.
std::size_t package_start(const Segments& segments) {
  for (std::size_t i = segments.size; i-- > 1;) {
    const std::string_view folder = segments.all[i - 1];
    if (kPackageRoots.contains(folder)) return i;
    if (i > 1 && folder == "mod" && segments.all[i - 2] == "pkg") return i;
    if (i > 1 && segments.all[i - 2] == "src" && folder.starts_with("index.crates.io")) return i;
    if (i > 1 && segments.all[i - 2] == "src" && folder.starts_with("github.com-")) return i;
  }
  return segments.size;
}

// `serde-1.0.1`, `pg@8.11.3`, `rails-7.1.2.rc1` without their version.
std::string_view without_version(std::string_view folder) {
  for (std::size_t at = 1; at + 1 < folder.size(); ++at) {
    const char next = folder[at + 1];
    const bool number =
        is_digit(next) || (next == 'v' && at + 2 < folder.size() && is_digit(folder[at + 2]));
    if ((folder[at] == '@' || folder[at] == '-') && number) return folder.substr(0, at);
  }
  return folder;
}

void append_package_path(const Segments& segments, std::size_t from, std::pmr::string& out) {
  for (std::size_t i = from; i < segments.size; ++i) {
    if (i > from) out += '/';
    if (i + 1 == segments.size)
      append_file_name(segments.all[i], out);
    else
      out.append(i < from + 4 ? without_version(segments.all[i]) : segments.all[i]);
  }
}

// The number of leading segments that say where the program is put.
std::size_t root_size(const Segments& segments) {
  std::size_t at = 0;
  while (at + 1 < segments.size) {
    const std::string_view folder = segments.all[at];
    if (kHomes.contains(folder) && at + 2 < segments.size) {
      at += 2;
    } else if (kRoots.contains(folder) || is_generated_folder(folder)) {
      ++at;
    } else {
      break;
    }
  }
  return at;
}

// The nearest folder that says more than which release it is or that sources are in it.
void append_app_path(const Segments& segments, std::pmr::string& out) {
  if (segments.size == 0) return;
  const std::size_t root = root_size(segments);
  std::size_t i = segments.size - 1;
  while (i > root && is_generated_folder(segments.all[i - 1])) --i;
  bool says = i > root;
  if (says && kSourceFolders.contains(segments.all[i - 1])) {
    --i;
    says = i > 1 && kPackageFolders.contains(segments.all[i - 2]);
  }
  if (says) out.append(segments.all[i - 1]) += '/';
  append_file_name(segments.back(0), out);
}

// What TypeScript is compiled to has another suffix.
void drop_script_suffix(std::pmr::string& path) {
  constexpr WordSet kSuffixes("js", "ts", "jsx", "tsx", "mjs", "cjs", "mts", "cts");
  const std::size_t dot = path.rfind('.');
  if (dot != kNone && kSuffixes.contains(std::string_view(path).substr(dot + 1))) path.resize(dot);
}

// A name that says where the function is by itself.
bool is_qualified(const StackFrame& frame) {
  switch (frame.language) {
    case StackLanguage::kJvm:
    case StackLanguage::kNet:
      return frame.function.find('.') != kNone;
    case StackLanguage::kGo:
      return frame.function.find('.') != kNone;
    case StackLanguage::kRust:
      return frame.function.find("::") != kNone;
    case StackLanguage::kPostgres:
      return true;
    default:
      return false;
  }
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
                                             "_COROUTINE._BOUNDARY."};

constexpr WordSet kPythonPlumbing("<listcomp>", "<dictcomp>", "<setcomp>", "<genexpr>");

}  // namespace

bool is_plumbing(const StackFrame& frame) {
  const std::string_view name = frame.function;
  switch (frame.language) {
    case StackLanguage::kJavaScript:
      if (name.empty()) return false;
      for (const std::string_view owner : kJavaScriptOwners)
        if (name.front() == owner.front() && name.starts_with(owner)) return true;
      return kJavaScriptPlumbing.contains(javascript_function(frame));
    case StackLanguage::kJvm:
      if (name.find('$') == kNone && name.find('_') == kNone && name.find("Generated") == kNone)
        return false;
      for (const std::string_view part : kJvmPlumbing)
        if (name.find(part) != kNone) return true;
      return false;
    case StackLanguage::kPython:
      return kPythonPlumbing.contains(name);
    case StackLanguage::kRuby:
      return false;
    default:
      return false;
  }
}

void append_function(const StackFrame& frame, std::pmr::string& out) {
  std::string_view name = frame.function;
  if (name.empty() || kAnonymous.contains(name)) return;
  switch (frame.language) {
    case StackLanguage::kJavaScript:
      name = javascript_function(frame);
      if (kAnonymous.contains(name)) return;
      if (name.starts_with("_callee")) return;  // of the regenerator
      return append_without_numbers(without_hash(name), out);
    case StackLanguage::kRuby:
      return append_without_numbers(ruby_function(name), out);
    case StackLanguage::kNet:
      return append_net(without_parameters(name), out);
    case StackLanguage::kGo:
      return append_go(name, out);
    case StackLanguage::kRust:
      return append_rust(name, out);
    case StackLanguage::kPhp:
      return append_php(name, out);
    case StackLanguage::kJvm:
      return append_without_numbers(name, out);
    case StackLanguage::kPython:
    case StackLanguage::kDart:
    case StackLanguage::kNative:
    case StackLanguage::kPostgres:
    case StackLanguage::kPerl:
    case StackLanguage::kLua:
    case StackLanguage::kBeam:
      return append_without_numbers(without_parameters(name), out);
  }
}

void append_file(const StackFrame& frame, bool named, std::pmr::string& out) {
  if (frame.file.empty() || (named && is_qualified(frame))) return;
  bool url = false;
  const Segments segments(without_origin(frame.file, url));
  const std::size_t package = package_start(segments);
  if (package < segments.size) return append_package_path(segments, package, out);
  append_app_path(segments, out);
  if (frame.language == StackLanguage::kJavaScript) drop_script_suffix(out);
}

}  // namespace vigil
