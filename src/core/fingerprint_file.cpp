#include "core/fingerprint_frame.hpp"

#include <algorithm>
#include <array>

#include "core/char_set.hpp"
#include "core/stack_line.hpp"
#include "core/word_set.hpp"

namespace vigil {
namespace {

using namespace vigil::stack;

constexpr std::size_t kNone = std::string_view::npos;

bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
bool is_hex(char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

// What the name of a folder says.
enum Meaning : std::uint8_t {
  kRoot = 1,     // programs are put in it: where it runs, not what it is
  kHome = 2,     // the name of a user stands behind it
  kSource = 4,   // sources, or what is built of them: every package has one
  kMany = 8,     // a repository keeps the packages that are deployed from it in it
  kPackage = 16  // the name of a package, which no deploy changes, stands behind it
};

struct FolderMeaning {
  std::string_view name;
  unsigned meaning;
};

constexpr FolderMeaning kFolders[] = {{"app", kRoot},
                                      {"apps", kRoot | kMany},
                                      {"srv", kRoot},
                                      {"var", kRoot},
                                      {"www", kRoot},
                                      {"html", kRoot},
                                      {"htdocs", kRoot},
                                      {"public_html", kRoot},
                                      {"wwwroot", kRoot},
                                      {"opt", kRoot},
                                      {"usr", kRoot},
                                      {"local", kRoot},
                                      {"home", kRoot | kHome},
                                      {"Users", kRoot | kHome},
                                      {"root", kRoot},
                                      {"tmp", kRoot},
                                      {"private", kRoot},
                                      {"current", kRoot},
                                      {"releases", kRoot},
                                      {"release", kRoot},
                                      {"deploy", kRoot},
                                      {"deployments", kRoot},
                                      {"workspace", kRoot},
                                      {"workspaces", kRoot | kMany},
                                      {"builds", kRoot},
                                      {"build", kRoot | kSource},
                                      {"code", kRoot},
                                      {"task", kRoot},
                                      {"repo", kRoot},
                                      {"project", kRoot},
                                      {"projects", kRoot},
                                      {"mnt", kRoot},
                                      {"data", kRoot},
                                      {"runner", kRoot},
                                      {"work", kRoot},
                                      {"inetpub", kRoot},
                                      {"web", kRoot},
                                      {"site", kRoot},
                                      {"sites", kRoot},
                                      {"dist", kRoot | kSource},
                                      {"out", kRoot | kSource},
                                      {"output", kRoot},
                                      {"bundle", kRoot},
                                      {"package", kRoot},
                                      {"packages-cache", kRoot},
                                      {"src", kSource},
                                      {"packages", kMany},
                                      {"libs", kMany},
                                      {"services", kMany},
                                      {"crates", kMany},
                                      {"node_modules", kPackage},
                                      {"site-packages", kPackage},
                                      {"dist-packages", kPackage},
                                      {"gems", kPackage},
                                      {"bower_components", kPackage}};

// One look at most folders says that they mean nothing.
class FolderTable {
 public:
  constexpr FolderTable() {
    for (const FolderMeaning& folder : kFolders) {
      std::size_t at = slot(folder.name);
      while (slots_[at] != 0) at = (at + 1) % kSlots;
      slots_[at] = static_cast<std::uint8_t>(1 + (&folder - kFolders));
    }
  }

  unsigned meaning_of(std::string_view name) const {
    for (std::size_t at = slot(name); slots_[at] != 0; at = (at + 1) % kSlots) {
      const FolderMeaning& folder = kFolders[slots_[at] - 1];
      if (folder.name == name) return folder.meaning;
    }
    return 0;
  }

 private:
  static constexpr std::size_t kSlots = 512;

  static constexpr std::size_t slot(std::string_view name) {
    const auto letter = [&](std::size_t i) {
      return std::size_t{static_cast<unsigned char>(name[i])};
    };
    return (name.size() * 37 + letter(0) * 131 + letter(name.size() / 2) * 17 +
            letter(name.size() - 1) * 59) %
           kSlots;
  }

  std::uint8_t slots_[kSlots] = {};
};

constexpr FolderTable kFolderTable;

constexpr CharSet kVersionEnds("-+");

// 1.2.3, v2.0 and 7.1.2-rc1
bool is_version(std::string_view text) {
  take_front(text, "v");
  text = text.substr(0, kVersionEnds.find(text));
  if (text.empty() || !is_digit(text.front()) || text.find('.') == kNone) return false;
  return std::ranges::all_of(text, [](char c) { return is_digit(c) || c == '.'; });
}

// Small letters and marks: what no machine gives.
bool is_plain(std::string_view text) {
  return std::ranges::none_of(text, [](char c) { return is_digit(c) || is_upper(c); });
}

// Whether a machine gave this name: the hash of a build, a date, a number that counts releases.
// Letters and digits of such a name follow each other in no order that a word would have.
bool is_generated(std::string_view token) {
  if (token.size() < 6 || is_plain(token)) return false;
  std::size_t digits = 0;
  std::size_t hex = 0;
  std::size_t turns = 0;  // between letters and digits, and small and large letters
  std::size_t humps = 0;  // large letters with small ones behind them: two turns of a word
  for (std::size_t i = 0; i < token.size(); ++i) {
    const char c = token[i];
    if (!is_digit(c) && !is_letter(c)) return false;
    digits += is_digit(c);
    hex += is_digit(c) || (c >= 'a' && c <= 'f');
    if (i == 0) continue;
    const char last = token[i - 1];
    turns += is_digit(c) != is_digit(last) || is_upper(c) != is_upper(last);
    humps += is_upper(last) && is_lower(c);
  }
  if (digits == token.size()) return true;
  if (hex == token.size()) return turns > 2 || (digits > 0 && token.size() > 11);
  return token.size() > 7 && turns > 2 * humps + 2;
}

bool is_vowel(char c) { return std::string_view("aeiouyAEIOUY").find(c) != kNone; }

constexpr std::size_t kBundleHash = 8;

// Eight characters as bundlers write them: of base 32, or of base 64 with - and _ among them.
bool is_bundle_hash(std::string_view token) {
  if (token.size() != kBundleHash || is_plain(token)) return false;
  std::size_t digits = 0;
  std::size_t lower = 0;
  std::size_t upper = 0;
  std::size_t turns = 0;
  std::size_t vowels = 0;
  std::size_t consonants = 0;  // in a row
  std::size_t most = 0;
  for (std::size_t i = 0; i < token.size(); ++i) {
    const char c = token[i];
    digits += is_digit(c);
    lower += is_lower(c);
    upper += is_upper(c);
    vowels += is_vowel(c);
    consonants = is_letter(c) && !is_vowel(c) ? consonants + 1 : 0;
    most = std::max(most, consonants);
    if (i > 0)
      turns += is_digit(c) != is_digit(token[i - 1]) || is_upper(c) != is_upper(token[i - 1]);
  }
  if (digits + upper == token.size()) return digits > 0;
  if (digits > 0 && upper > 0) return turns > 2;
  return upper > 1 && lower > 0 && digits == 0 && (vowels < 2 || most > 4);
}

// A hash behind a name: what would be a word by itself may be one here.
bool is_hash_suffix(std::string_view token) {
  if (is_generated(token) || is_bundle_hash(token)) return true;
  return token.size() > 5 && std::ranges::all_of(token, is_hex) &&
         std::ranges::any_of(token, is_digit);
}

bool is_noise(std::string_view token) {
  return token == "min" || token == "production" || token == "development" || token == "prod";
}

constexpr CharSet kFolderMarks("-_");

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
  const std::size_t dash = kFolderMarks.find_last(folder);
  return dash != kNone &&
         (folder.starts_with("release") || folder.starts_with("build") ||
          folder.starts_with("deploy")) &&
         is_generated(folder.substr(dash + 1));
}

// `foo_3f2a1b9c` is foo.
void append_first_token(std::string_view token, bool last, std::pmr::string& out) {
  const std::size_t mark = token.rfind('_');
  if (!last && is_generated(token)) {
    out += '#';
  } else if (mark != kNone && mark > 0 && is_hash_suffix(token.substr(mark + 1))) {
    out.append(token.substr(0, mark));
  } else {
    out.append(token);
  }
}

// The end of a version that begins there with `@1`, `-1.2` or `_1.2`, or there.
std::size_t version_end(std::string_view name, std::size_t at) {
  if (at == 0 || at + 1 >= name.size() || !is_digit(name[at + 1])) return at;
  if (name[at] != '@' && name[at] != '-' && name[at] != '_') return at;
  bool dotted = name[at] == '@';
  std::size_t end = at + 1;
  for (; end < name.size(); ++end) {
    const bool dot = name[end] == '.' && end + 1 < name.size() && is_digit(name[end + 1]);
    dotted = dotted || dot;
    if (!dot && !is_digit(name[end])) break;
  }
  return dotted ? end : at;
}

constexpr CharSet kMarks(".-~");

// The end of the token that begins there: a mark, or a version.
std::size_t token_end(std::string_view name, std::size_t at) {
  while (at < name.size() && !kMarks.has(name[at]) && version_end(name, at) == at) ++at;
  return at;
}

// Most names: small letters, and one suffix.
bool is_plain_name(std::string_view name) {
  const std::size_t mark = kMarks.find(name);
  return is_plain(name) &&
         (mark == kNone || (name[mark] == '.' && kMarks.find(name, mark + 1) == kNone));
}

// Appends the name of a file: its tokens that are no hash, version or mode of building.
void append_file_name(std::string_view name, std::pmr::string& out) {
  if (is_plain_name(name)) {
    out.append(name);
    return;
  }
  if (name.find('.') == kNone && is_generated_folder(name)) {  // a blob
    out += '#';
    return;
  }
  char mark = 0;  // before the token
  for (std::size_t at = 0;;) {
    std::size_t end = token_end(name, at);
    // Of base 64, so maybe with marks in it. One byte more tells whether a longer name goes on.
    std::string_view hash = name.substr(at, kBundleHash + 1);
    hash = hash.substr(0, hash.find('.'));
    if (mark != 0 && is_bundle_hash(hash)) end = at + hash.size();
    const std::string_view token = name.substr(at, end - at);
    const bool last = end == name.size();
    if (mark == 0) {
      append_first_token(token, last, out);
    } else if (last || !(is_hash_suffix(token) || is_noise(token))) {
      out.append(1, mark).append(token);
    }
    if (last) return;
    end = version_end(name, end);
    if (end == name.size()) return;
    mark = kMarks.has(name[end]) ? name[end] : '\0';
    at = mark == 0 ? end : end + 1;
  }
}

// A path or URL, taken apart from its end.
struct Segments {
  static constexpr std::size_t kMost = 64;
  struct Segment {  // not cleared as texts would be
    const char* data;
    std::size_t size;
  };
  std::array<Segment, kMost> all;
  std::array<std::uint8_t, kMost> meanings;
  std::size_t size = 0;

  explicit Segments(std::string_view path) {
    for (std::size_t at = 0; at < path.size();) {
      std::size_t end = kSegmentEnds.find(path, at);
      if (end == kNone) end = path.size();
      add(path.substr(at, end - at));
      if (end < path.size() && (path[end] == '?' || path[end] == '#')) break;
      at = end + 1;
    }
  }

  std::string_view at(std::size_t index) const { return {all[index].data, all[index].size}; }
  std::string_view name() const { return at(size - 1); }
  bool means(std::size_t index, Meaning meaning) const { return (meanings[index] & meaning) != 0; }

 private:
  static constexpr CharSet kSegmentEnds{"/\\?#"};

  void add(std::string_view segment) {
    if (segment.empty() || segment == "." || segment == "..") return;
    if (size == 0 && segment.front() == '(' && segment.back() == ')') return;  // (rsc)
    if (size == kMost) {  // the last ones are what counts
      std::shift_left(all.begin(), all.end(), 1);
      std::shift_left(meanings.begin(), meanings.end(), 1);
      --size;
    }
    all[size] = {segment.data(), segment.size()};
    meanings[size++] = static_cast<std::uint8_t>(kFolderTable.meaning_of(segment));
  }
};

constexpr std::string_view kBareSchemes[] = {"webpack:", "rsc:", "about:", "turbopack:"};

// What a URL has before its path. `webpack://shop/./src/a.js` has a package there.
std::string_view without_origin(std::string_view file) {
  std::size_t scheme = 0;
  while (scheme < file.size() &&
         (is_letter(file[scheme]) || file[scheme] == '-' || file[scheme] == '+'))
    ++scheme;
  std::string_view rest = file.substr(scheme);
  if (file.starts_with("blob:")) rest = file.substr(std::min(file.find(':', 5), file.size()));
  if (take_front(rest, "://")) {
    const std::size_t path = rest.find('/');
    return path == kNone ? std::string_view() : rest.substr(path);
  }
  if (scheme == 1 && rest.starts_with(':')) return rest.substr(1);  // a drive
  if (rest.starts_with(':'))
    for (const std::string_view name : kBareSchemes) take_front(file, name);
  return file;
}

// The index of the segment behind the last folder that packages are kept in, or size.
std::size_t package_start(const Segments& segments) {
  for (std::size_t i = segments.size; i-- > 1;) {
    const std::string_view folder = segments.at(i - 1);
    if (segments.means(i - 1, kPackage)) return i;
    if (i > 1 && folder == "mod" && segments.at(i - 2) == "pkg") return i;
    if (i > 1 && segments.at(i - 2) == "src" && folder.starts_with("index.crates.io")) return i;
    if (i > 1 && segments.at(i - 2) == "src" && folder.starts_with("github.com-")) return i;
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
      append_file_name(segments.at(i), out);
    else
      out.append(i < from + 4 ? without_version(segments.at(i)) : segments.at(i));
  }
}

// The number of leading segments that say where the program is put.
std::size_t root_size(const Segments& segments) {
  std::size_t at = 0;
  while (at + 1 < segments.size) {
    const std::string_view folder = segments.at(at);
    if (segments.means(at, kHome) && at + 2 < segments.size) {
      at += 2;
    } else if (segments.means(at, kRoot) || is_generated_folder(folder)) {
      ++at;
    } else {
      break;
    }
  }
  return at;
}

// The package of a repository with many, or none.
std::string_view package_of(const Segments& segments, bool absolute) {
  for (std::size_t i = absolute ? 1 : 0; i + 2 < segments.size; ++i)
    if (segments.means(i, kMany)) return segments.at(i + 1);
  return {};
}

// `[id]`, `(group)`: parts of routes that many have.
bool is_placeholder(std::string_view folder) {
  return folder.front() == '[' || folder.front() == '(' || folder.front() == '$';
}

// The package, the nearest folder that says more than which release it is or that sources are in
// it, and the name.
void append_app_path(const Segments& segments, bool absolute, std::pmr::string& out) {
  if (segments.size == 0) return;
  const std::size_t root = root_size(segments);
  const std::string_view package = package_of(segments, absolute);
  std::size_t end = segments.size - 1;  // of the folders
  while (end > root && is_generated_folder(segments.at(end - 1))) --end;
  if (end > root && segments.means(end - 1, kSource)) end = root;
  std::size_t from = end;
  if (from > root) --from;
  while (from > root && from < end && is_placeholder(segments.at(from))) --from;
  if (!package.empty() && (from == end || segments.at(from).data() != package.data()))
    out.append(package) += '/';
  for (std::size_t i = from; i < end; ++i) out.append(segments.at(i)) += '/';
  append_file_name(segments.name(), out);
}

constexpr WordSet kScriptSuffixes("js", "ts", "jsx", "tsx", "mjs", "cjs", "mts", "cts");

// What TypeScript is compiled to has another suffix.
void drop_script_suffix(std::pmr::string& path) {
  const std::size_t dot = path.rfind('.');
  if (dot != kNone && kScriptSuffixes.contains(std::string_view(path).substr(dot + 1)))
    path.resize(dot);
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

}  // namespace

bool has_file(const StackFrame& frame, bool named) {
  return !frame.file.empty() && !(named && is_qualified(frame));
}

void append_file(const StackFrame& frame, std::pmr::string& out) {
  const std::string_view path = without_origin(frame.file);
  const Segments segments(path);
  const std::size_t package = package_start(segments);
  if (package < segments.size) return append_package_path(segments, package, out);
  const bool absolute =
      !path.starts_with("/.") && (path.starts_with('/') || path.starts_with('\\'));
  append_app_path(segments, absolute, out);
  if (frame.language == StackLanguage::kJavaScript) drop_script_suffix(out);
}

}  // namespace vigil
