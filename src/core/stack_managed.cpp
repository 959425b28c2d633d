// Lines of virtual machines: Java, Kotlin and Scala; .NET, Mono and Unity.
#include <algorithm>
#include <span>

#include "core/stack_line.hpp"
#include "core/word_set.hpp"

namespace vigil::stack {
namespace {

// `) ~[spring-core-6.1.jar:6.1]` and `) ~[forge.jar:?] {re:mixin}`, what loggers append.
std::string_view without_packaging(Scan& scan, std::string_view text) {
  if (text.ends_with(')')) return text;
  std::string_view call = text;
  if (call.ends_with('}')) call = call.substr(0, scan.find_last(call, " {"));
  if (call.ends_with(']')) call = call.substr(0, scan.find_last(call, '['));
  take_back(call, "~");
  take_back(call, " ");
  return call.ends_with(')') ? call : text;
}

bool has_any_suffix(std::string_view file, std::span<const std::string_view> suffixes) {
  return std::ranges::any_of(suffixes,
                             [&](std::string_view suffix) { return file.ends_with(suffix); });
}

constexpr std::string_view kScriptSuffixes[] = {".js",  ".mjs", ".cjs",    ".ts",     ".jsx",
                                                ".tsx", ".vue", ".svelte", ".bundle", ".html"};
constexpr std::string_view kJvmSuffixes[] = {".java", ".kt",   ".scala", ".kts", ".groovy",
                                             ".clj",  ".cljc", ".jsp",   ".sc"};

// `app//com.bank.Main.main`, `java.base@17/java.util.List.of`; not `Main$$Lambda/0x0001.run`.
std::string_view without_module(Scan& scan, std::string_view function) {
  std::size_t from = 0;
  for (std::size_t at = scan.find(function, '/'); at != kNowhere;
       at = scan.find(function, '/', at + 1)) {
    if (at + 1 < function.size() && !is_digit(function[at + 1])) from = at + 1;
  }
  return function.substr(from);
}

// Takes a word of letters of any language off the end or the front.
bool is_of_word(char c) { return is_letter(c) || static_cast<unsigned char>(c) >= 0x80; }

constexpr std::size_t kLongestWord = 24;

bool take_last_word(std::string_view& text) {
  std::size_t size = 0;
  while (size < text.size() && size < kLongestWord && is_of_word(text[text.size() - size - 1]))
    ++size;
  text.remove_suffix(size);
  return size > 0;
}

bool take_word(std::string_view& text) {
  std::size_t size = 0;
  while (size < text.size() && size < kLongestWord && is_of_word(text[size])) ++size;
  text.remove_prefix(size);
  return size > 0;
}

// `/src/Ledger.cs:line 41`, in whatever language; Mono: `/src/Ledger.cs:41`.
bool split_net_place(Scan& scan, std::string_view text, Place& place) {
  take_back(text, "<---");  // of several exceptions
  take_back(text, ".");
  std::int32_t line = 0;
  if (!take_last_number(text, line)) return false;
  scan.count(kLongestWord);
  if (take_back(text, " ")) {
    if (!take_last_word(text)) return false;
    take_back(text, " ");
  }
  if (!take_back(text, ":")) return false;
  place = {text, line};
  return true;
}

// `Bank.Ledger.Post(Int32 id)` and what follows it.
bool split_net_call(Scan& scan, std::string_view text, std::string_view& function,
                    std::string_view& parameters, std::string_view& tail) {
  if (text.starts_with("(wrapper ")) {  // Mono
    const std::size_t end = scan.find(text, ") ");
    if (end == kNowhere) return false;
    text.remove_prefix(end + 2);
  }
  const std::size_t open = scan.find(text, '(');
  if (open == kNowhere || open == 0) return false;
  const std::size_t close = scan.closing(text, open);
  if (close == kNowhere) return false;
  function = trim(text.substr(0, open));
  parameters = text.substr(open, close + 1 - open);
  tail = text.substr(close + 1);
  return !function.empty() && !scan.has_free_blank(function);
}

// What .NET says for `at` where it gives no line.
constexpr std::string_view kAtWords[] = {"bei", "à",   "en",  "em", "in", "в",    "w",   "v",
                                         "ved", "vid", "bij", "在", "於", "場所", "위치"};

}  // namespace

bool read_jvm(Scan& scan, std::string_view text, StackFrame& frame) {
  text = without_packaging(scan, text);
  if (!text.ends_with(')')) return false;
  const std::size_t open = scan.find(text, '(');
  if (open == kNowhere || open == 0 || text[open - 1] == ' ') return false;
  const std::string_view function = text.substr(0, open);
  std::string_view source = text.substr(open + 1, text.size() - open - 2);
  if (source.ends_with(" Code)")) source = source.substr(0, scan.find(source, '('));  // of J9
  if (scan.find(source, '(') != kNowhere || scan.find(function, '.') == kNowhere) return false;
  Place place;
  if (source == "Native Method" || source.ends_with("/Native Method")) {
    frame.kind = FrameKind::kNative;
  } else if (source == "Unknown Source") {
    place.file = {};
  } else if (split_place(source, place)) {
    if (place.column != StackFrame::kNone) return false;
    if (place.file == "Unknown Source") {
      place.file = {};
    } else if (has_any_suffix(place.file, kJvmSuffixes)) {
      if (scan.find(place.file, '/') != kNowhere) {
        // A thread dump: `java.base@17.0.9/LockSupport.java`
        if (begins_place(place.file)) return false;
        place.file.remove_prefix(scan.find_last(place.file, '/') + 1);
      }
    } else if (begins_place(source) || has_any_suffix(place.file, kScriptSuffixes) ||
               scan.find(place.file, ' ') != kNowhere) {
      return false;
    }
  } else if (source != "<generated>" && source != "SourceFile" &&
             !has_any_suffix(source, kJvmSuffixes)) {
    return false;
  }
  if (frame.kind != FrameKind::kNative) set_place(frame, place);
  frame.function = without_module(scan, function);
  return true;
}

bool read_bare_jvm(Scan& scan, std::string_view line, StackFrame& frame) {
  return read_jvm(scan, line, frame) && frame.line != StackFrame::kNone &&
         has_any_suffix(frame.file, kJvmSuffixes) && !scan.has_free_blank(frame.function);
}

bool read_net(Scan& scan, std::string_view text, StackFrame& frame) {
  std::string_view parameters;
  std::string_view tail;
  if (!split_net_call(scan, text, frame.function, parameters, tail)) return false;
  if (!tail.empty() && !tail.starts_with(" + ")) return false;
  // A method of Mono has a blank before its parameters.
  return scan.find(frame.function, '.') != kNowhere || text.starts_with("(wrapper ") ||
         (scan.find(parameters, ' ') != kNowhere &&
          frame.function.data() + frame.function.size() == parameters.data());
}

bool read_placed_net(Scan& scan, std::string_view text, StackFrame& frame) {
  std::string_view parameters;
  std::string_view tail;
  if (!split_net_call(scan, text, frame.function, parameters, tail)) return false;
  // Mono: ` [0x00012] in <hash>:0`
  if (tail.starts_with(" [0x") || tail.starts_with(" <0x")) {
    const std::size_t end = scan.find(tail, tail[1] == '[' ? ']' : '>');
    if (end == kNowhere) return false;
    tail.remove_prefix(end + 1);
    if (tail.empty()) return true;
  }
  Place place;
  if (!take_front(tail, " ") || !take_word(tail) || !take_front(tail, " ") ||
      !split_net_place(scan, tail, place)) {
    return false;
  }
  if (!place.file.starts_with('<')) set_place(frame, place);
  return true;
}

bool read_foreign_net(Scan& scan, std::string_view line, StackFrame& frame) {
  std::string_view text = line;
  if (!take_word(text)) return false;
  const std::string_view word = line.substr(0, line.size() - text.size());
  take_front(text, ":");
  if (!take_front(text, " ")) return false;
  text = trim(text);
  if (!line.ends_with(')')) return read_placed_net(scan, text, frame) && begins_place(frame.file);
  const bool known = std::ranges::find(kAtWords, word) != std::end(kAtWords);
  return known && read_net(scan, text, frame) && scan.find(frame.function, '.') != kNowhere;
}

// `Player:Hit(Int32) (at Assets/Player.cs:12)`
bool read_unity(Scan& scan, std::string_view line, StackFrame& frame) {
  if (!line.ends_with(')')) return false;
  const std::size_t at = scan.find_last(line, " (at ");
  if (at == kNowhere) return false;
  Place place;
  if (!split_place(line.substr(at + 5, line.size() - at - 6), place)) return false;
  if (!begins_place(place.file) && scan.find(place.file, '/') == kNowhere) return false;
  const std::size_t open = scan.find(line, '(');
  const std::string_view function = trim(line.substr(0, open));
  if (open >= at || function.empty() || scan.has_free_blank(function)) return false;
  frame.function = function;
  if (!place.file.starts_with('<')) set_place(frame, place);
  return true;
}

// Applications that come with Elixir and Erlang, and well-known packages.
constexpr WordSet kBeamRuntime("elixir", "stdlib", "kernel", "erts", "mix", "ex_unit", "iex",
                               "logger", "eex", "compiler", "crypto", "ssl", "inets", "public_key");
constexpr WordSet kBeamLibraries("phoenix", "plug", "plug_cowboy", "ecto", "ecto_sql", "cowboy",
                                 "ranch", "bandit", "thousand_island", "telemetry", "postgrex",
                                 "db_connection", "phoenix_live_view", "phoenix_pubsub", "oban",
                                 "absinthe", "jason", "finch", "mint", "tesla", "broadway",
                                 "gen_stage", "hackney", "myxql", "swoosh");
constexpr std::string_view kBeamSuffixes[] = {".ex",   ".exs",  ".erl", ".eex",
                                              ".heex", ".leex", ".hrl"};

// `(bank 0.1.0) lib/bank/ledger.ex:41: Bank.Ledger.post/2`
bool read_elixir(Scan& scan, std::string_view line, StackFrame& frame) {
  bool packaged = false;
  if (take_front(line, "(")) {
    const std::size_t end = scan.find(line, ") ");
    if (end == kNowhere) return false;
    const std::string_view package = line.substr(0, end);
    const std::string_view name = package.substr(0, scan.find(package, ' '));
    if (kBeamRuntime.contains(name)) frame.kind = FrameKind::kRuntime;
    if (kBeamLibraries.contains(name)) frame.kind = FrameKind::kLibrary;
    line.remove_prefix(end + 2);
    packaged = true;
  }
  const std::size_t colon = scan.find(line, ": ");
  Place place;
  if (colon == kNowhere || !split_place(line.substr(0, colon), place)) {
    // `(stdlib 5.1) :erlang.apply/2`
    std::string_view arity = line;
    std::int32_t count = 0;
    if (!packaged || !take_last_number(arity, count) || !arity.ends_with('/')) return false;
    if (scan.has_free_blank(line)) return false;
    frame.function = line;
    return true;
  }
  if (!has_any_suffix(place.file, kBeamSuffixes) && place.file != "iex" && place.file != "nofile")
    return false;
  frame.function = line.substr(colon + 2);
  std::string_view arity = frame.function;
  std::int32_t count = 0;
  const bool counted = take_last_number(arity, count) && arity.ends_with('/');
  if (!counted && frame.function != "(module)" && frame.function != "(file)") return false;
  if (place.column != StackFrame::kNone) return false;
  set_place(frame, place);
  return true;
}

// `in function  ledger:post/2 (src/ledger.erl, line 41)`
bool read_erlang(Scan& scan, std::string_view line, StackFrame& frame) {
  if (!take_front(line, "in function ") && !take_front(line, "in call from ")) return false;
  const std::size_t open = scan.find(line, " (");
  frame.function = trim(line.substr(0, open));
  if (frame.function.empty() || scan.has_free_blank(frame.function)) return false;
  if (open == kNowhere) return true;
  std::string_view place = line.substr(open + 2);
  const std::size_t comma = scan.find(place, ", line ");
  if (comma == kNowhere) return false;
  frame.file = place.substr(0, comma);
  place.remove_prefix(comma + 7);
  return take_number(place, frame.line) && place == ")";
}

}  // namespace vigil::stack
