#include "core/log_template.hpp"

#include <algorithm>
#include <array>
#include <iterator>
#include <numeric>
#include <unordered_map>

#include "core/message_template.hpp"

namespace vigil {
namespace {

enum class Kind : std::uint8_t {
  kMark,         // punctuation
  kPlaceholder,  // of the scanner
  kAny,          // <*>: words that were merged
  kMissing,      // stands where a value is missing
  kNumeral,      // the scanner left it because it is a code
  kGlue,         // has a meaning in every sentence
  kOutcome,      // tells what happened
  kNumbered,     // a name with a number, or an id without a digit
  kWord,
};

// Sorted.
constexpr std::string_view kMissingWords[] = {"n/a",  "nan",       "nil",    "none",
                                              "null", "undefined", "unknown"};
constexpr std::string_view kGlueWords[] = {
    "a",    "after", "all",     "already", "also",   "an",     "and",    "any",   "are",    "as",
    "at",   "be",    "because", "been",    "before", "but",    "by",     "can",   "cannot", "did",
    "do",   "does",  "during",  "for",     "from",   "had",    "has",    "have",  "if",     "in",
    "into", "is",    "it",      "its",     "never",  "no",     "not",    "now",   "of",     "off",
    "on",   "only",  "or",      "out",     "over",   "since",  "so",     "still", "than",   "that",
    "the",  "then",  "this",    "to",      "too",    "under",  "until",  "up",    "via",    "was",
    "were", "when",  "while",   "will",    "with",   "within", "without"};
constexpr std::string_view kOutcomeWords[] = {
    "abort",     "absent",      "active",   "add",     "alert",      "alive",   "allow",
    "available", "bad",         "begin",    "busy",    "clear",      "close",   "complete",
    "connect",   "create",      "critical", "dead",    "debug",      "delete",  "deny",
    "disable",   "disconnect",  "done",     "down",    "empty",      "enable",  "end",
    "error",     "exit",        "fail",     "failure", "false",      "fatal",   "finish",
    "full",      "get",         "good",     "high",    "idle",       "info",    "invalid",
    "kill",      "load",        "login",    "logout",  "lost",       "low",     "missing",
    "new",       "normal",      "notice",   "off",     "offline",    "ok",      "old",
    "online",    "open",        "pass",     "pending", "present",    "put",     "read",
    "ready",     "receive",     "refuse",   "reject",  "remove",     "reset",   "restart",
    "resume",    "retry",       "run",      "send",    "sent",       "set",     "shutdown",
    "skip",      "start",       "stop",     "success", "successful", "suspend", "timeout",
    "true",      "unavailable", "unload",   "update",  "valid",      "warn",    "warning",
    "write",     "wrong",       "yes"};
// What stands after these and = or : tells what happened, whatever it is.
constexpr std::string_view kTellingKeys[] = {
    "action",    "cause",    "code",     "err",    "errno",  "error", "event",
    "exception", "level",    "message",  "method", "msg",    "op",    "reason",
    "result",    "severity", "sqlstate", "state",  "status", "type"};
static_assert(std::ranges::is_sorted(kMissingWords) && std::ranges::is_sorted(kGlueWords) &&
              std::ranges::is_sorted(kOutcomeWords) && std::ranges::is_sorted(kTellingKeys));

constexpr std::string_view kMerged = "<*>";

constexpr std::size_t kMostQuoted = 64;

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || static_cast<unsigned char>(c) >= 0x80;
}
bool is_wordly(char c) { return is_letter(c) || is_digit(c) || c == '_'; }
bool joins(char c) { return c == '-' || c == '+' || c == '.' || c == '/' || c == '@' || c == '\\'; }

// The word in small letters, empty if it is longer than any of the lists.
class Folded {
 public:
  explicit Folded(std::string_view word) {
    if (word.size() > letters_.size()) return;
    for (const char c : word)
      letters_[size_++] = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  }
  template <std::size_t kCount>
  bool among(const std::string_view (&words)[kCount]) const {
    return std::ranges::binary_search(words, std::string_view(letters_.data(), size_));
  }

 private:
  std::array<char, 12> letters_{};
  std::size_t size_ = 0;
};

// Closed, Opening: forms of verbs. Names in mixed case or with digits are none.
bool is_verb_form(std::string_view word) {
  if (word.size() < 5 || !(word.ends_with("ed") || word.ends_with("ing"))) return false;
  return std::ranges::all_of(word.substr(1), [](char c) { return c >= 'a' && c <= 'z'; });
}

// What may be an id that happens to have no digit.
bool is_short_hash(std::string_view word) {
  return word.size() >= 4 && std::ranges::all_of(word, [](char c) { return c >= 'a' && c <= 'f'; });
}

Kind kind_of(std::string_view word) {
  if (word == kMerged) return Kind::kAny;
  if (std::ranges::find(kTemplatePlaceholders, word) != kTemplatePlaceholders.end())
    return Kind::kPlaceholder;
  if (word == "-") return Kind::kMissing;
  if (std::ranges::none_of(word, [](char c) { return is_letter(c) || c == '<'; }))
    return std::ranges::any_of(word, is_digit) ? Kind::kNumeral : Kind::kMark;
  if (word.find('<') != std::string_view::npos) return Kind::kNumbered;
  const Folded folded(word);
  if (folded.among(kMissingWords)) return Kind::kMissing;
  if (folded.among(kGlueWords)) return Kind::kGlue;
  if (folded.among(kOutcomeWords) || is_verb_form(word)) return Kind::kOutcome;
  if (is_short_hash(word)) return Kind::kNumbered;
  return Kind::kWord;
}

// A word of a template and whether a blank stands before it. Equal ids: equal for a merge, where
// all placeholders are one.
struct Token {
  std::uint32_t id;
  std::uint32_t shown;  // as a word

  std::uint32_t word() const { return id / 2; }
  bool after_blank() const { return (id & 1) != 0; }
};

class Words {
 public:
  static constexpr std::uint32_t kPlaceholder = 0;
  static constexpr std::uint32_t kAny = 1;

  explicit Words(std::pmr::memory_resource* resource) : ids_(resource), words_(resource) {
    add(kTemplatePlaceholders[0]);
    add(kMerged);
  }

  Token token(std::string_view word, bool after_blank) {
    const std::uint32_t shown = add(word);
    const Kind kind = words_[shown].kind;
    const bool value = kind == Kind::kPlaceholder || kind == Kind::kAny;
    const std::uint32_t id = value ? kPlaceholder : shown;
    return {id * 2 + (after_blank ? 1u : 0u), shown};
  }
  Kind kind(const Token& token) const { return words_[token.word()].kind; }
  std::string_view text(std::uint32_t word) const { return words_[word].text; }
  bool is_telling_key(const Token& token) const { return words_[token.word()].telling; }

 private:
  struct Word {
    std::string_view text;
    Kind kind;
    bool telling;
  };

  std::uint32_t add(std::string_view text) {
    const auto [at, is_new] = ids_.try_emplace(text, static_cast<std::uint32_t>(words_.size()));
    if (is_new) words_.push_back({text, kind_of(text), Folded(text).among(kTellingKeys)});
    return at->second;
  }

  std::pmr::unordered_map<std::string_view, std::uint32_t> ids_;
  std::pmr::vector<Word> words_;
};

// The end of the placeholder at `at`, or `at`.
std::size_t placeholder_end(std::string_view text, std::size_t at) {
  if (text[at] != '<') return at;
  const std::string_view rest = text.substr(at);
  if (rest.starts_with(kMerged)) return at + kMerged.size();
  for (const std::string_view one : kTemplatePlaceholders)
    if (rest.starts_with(one)) return at + one.size();
  return at;
}

// Letters, digits and placeholders, also joined by what joins; else one character.
std::size_t word_end(std::string_view text, std::size_t from) {
  std::size_t end = from;
  std::size_t at = from;
  while (at < text.size()) {
    const std::size_t after = placeholder_end(text, at);
    if (after > at || is_wordly(text[at]))
      end = at = std::max(after, at + 1);
    else if (end > from && joins(text[at]))
      ++at;
    else
      break;
  }
  return std::max(end, from + 1);
}

// The end of some words in quotes, which are one name; or `at`.
std::size_t quoted_end(std::string_view text, std::size_t at) {
  if (at == 0 || (text[at - 1] != '"' && text[at - 1] != '\'')) return at;
  const char quote = text[at - 1];
  if (at > 1 && is_wordly(text[at - 2])) return at;
  const std::size_t end = text.substr(0, at + kMostQuoted).find(quote, at);
  if (end == std::string_view::npos || (end + 1 < text.size() && is_wordly(text[end + 1])))
    return at;
  const std::string_view name = text.substr(at, end - at);
  const bool plain =
      name.find(' ') != std::string_view::npos && name.back() != ' ' && is_letter(name.front());
  return plain ? end : at;
}

bool is_value(const Words& words, const Token& token) {
  return words.kind(token) == Kind::kPlaceholder;
}

// Appends the tokens of a template, of a long one more than are merged. Values that only blanks or
// commas separate are one, and so is a list a,b,c.
void tokenize(std::string_view text, Words& words, std::pmr::vector<Token>& out) {
  const std::size_t start = out.size();
  const auto is_comma = [&](std::size_t at) {
    return words.text(out[at].word()) == "," && !out[at].after_blank();
  };
  bool blank = false;
  std::size_t items = 0;  // of the list that the last token belongs to
  for (std::size_t at = 0; at < text.size() && out.size() - start <= kMostTemplateTokens;) {
    if (text[at] == ' ') {
      blank = true;
      ++at;
      continue;
    }
    const std::size_t quoted = quoted_end(text, at);
    const std::size_t end = quoted > at ? quoted : word_end(text, at);
    const Token token = words.token(text.substr(at, end - at), blank);
    at = end;
    const std::size_t last = out.size();
    const bool after_comma = last > start + 1 && is_comma(last - 1);
    const bool is_word = words.kind(token) != Kind::kMark;
    if (is_value(words, token) && last > start && blank && is_value(words, out[last - 1])) {
      out[last - 1].shown = Words::kAny;
    } else if (is_value(words, token) && after_comma && is_value(words, out[last - 2])) {
      out.pop_back();
      out.back().shown = out.back().shown == token.shown ? token.shown : Words::kAny;
    } else if (is_word && !blank && after_comma && words.kind(out[last - 2]) != Kind::kMark) {
      if (++items > 2) {
        out.resize(last - (items == 3 ? 3u : 1u));
        Token& list = out.back();
        list = {Words::kPlaceholder * 2 + (list.after_blank() ? 1u : 0u), Words::kAny};
      } else {
        out.push_back(token);
      }
    } else {
      if (is_word) items = 1;
      out.push_back(token);
    }
    blank = false;
  }
}

std::uint64_t mixed(std::uint64_t value) {
  value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9;
  value = (value ^ value >> 27) * 0x94d049bb133111eb;
  return value ^ value >> 31;
}
// Hashes of a template are sums of these, so that one word is taken out at once.
std::uint64_t part(std::uint32_t id, std::size_t at) {
  return mixed((std::uint64_t{id} << 16 | at) + 0x9e3779b97f4a7c15);
}

class Learner {
 public:
  Learner(std::span<const std::string_view> templates, std::span<const std::string_view> apart,
          std::uint32_t enough, std::pmr::memory_resource* resource)
      : resource_(resource),
        enough_(std::max(enough, 2u)),
        words_(resource),
        nodes_(resource),
        kept_(resource),
        apart_(resource),
        node_of_(resource),
        parent_(resource) {
    read(templates, nodes_);
    read(apart, kept_);
    for (const Node& node : nodes_) apart_.push_back(is_kept(node));
    node_of_.resize(templates.size());
    std::iota(node_of_.begin(), node_of_.end(), 0u);
  }

  void run() {
    cut_properties();
    begin_level();
    for (bool changed = true; changed;) {
      join_equals();
      changed = merge();
      join_words();
      join_covered();
      changed |= merge();
      if (changed) continue;
      join_pairs();
      changed = merge();
    }
  }

  LearnedTemplates result(std::span<const std::string_view> templates) const {
    LearnedTemplates out{std::pmr::vector<std::uint32_t>(templates.size(), resource_),
                         std::pmr::vector<std::pmr::string>(resource_)};
    const std::uint32_t none = LearnedTemplates::kAlone;
    std::pmr::vector<std::uint32_t> first(nodes_.size(), none, resource_);
    std::pmr::vector<std::uint32_t> text_of(nodes_.size(), none, resource_);
    for (std::uint32_t i = 0; i < templates.size(); ++i) {
      const std::uint32_t node = node_of_[i];
      if (first[node] == none) {
        first[node] = i;
      } else if (text_of[node] == none && templates[i] != templates[first[node]]) {
        text_of[node] = static_cast<std::uint32_t>(out.texts.size());
        out.texts.push_back(text(nodes_[node]));
      }
    }
    for (std::uint32_t i = 0; i < templates.size(); ++i) out.merged[i] = text_of[node_of_[i]];
    return out;
  }

 private:
  using Node = std::pmr::vector<Token>;
  static constexpr std::size_t kPairCompany = 3;  // words besides a pair that varies
  static constexpr std::size_t kMostPaired = 16;  // words of a text of which pairs are looked at
  static constexpr std::size_t kMostPairs = 4'000'000;
  struct Place {
    std::uint64_t hash;  // of all other words, and of where the place is
    std::uint32_t node;
    std::uint32_t at;
  };

  void read(std::span<const std::string_view> texts, std::pmr::vector<Node>& out) {
    out.reserve(texts.size());
    for (const std::string_view text : texts) {
      Node& node = out.emplace_back();
      tokenize(text, words_, node);
    }
  }

  // A list of properties, name: key=value, in which the keys vary: the values are anything then,
  // of any length.
  void cut_properties() {
    std::pmr::vector<Place> places(resource_);
    for (std::uint32_t i = 0; i < nodes_.size(); ++i) {
      const Node& node = nodes_[i];
      std::size_t sign = 0;
      while (sign < node.size() && !is_mark(node, sign, '=')) ++sign;
      if (!fits(node) || sign < 3 || sign + 1 >= node.size() || !is_mark(node, sign - 2, ':') ||
          words_.kind(node[sign - 1]) == Kind::kMark || tells(node, sign - 1))
        continue;
      std::uint64_t sum = sign;
      for (std::size_t at = 0; at + 1 < sign; ++at) sum += part(node[at].id, at);
      places.push_back({sum, i, static_cast<std::uint32_t>(sign)});
    }
    for_each_group(places, [&](std::span<const Place> group) {
      const std::uint32_t sign = group[0].at;
      const std::span<const Token> name(nodes_[group[0].node].data(), sign - 1);
      std::pmr::vector<std::uint32_t> keys(resource_);
      for (const Place& place : group) {
        const Node& node = nodes_[place.node];
        if (place.at != sign ||
            !std::ranges::equal(name, std::span(node.data(), sign - 1), {}, &Token::id, &Token::id))
          return;
        keys.push_back(node[sign - 1].word());
      }
      std::ranges::sort(keys);
      keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
      if (keys.size() < enough_) return;
      for (const Place& place : group) {
        const Node& node = nodes_[place.node];
        const bool one = node.size() == sign + 2 && is_value(words_, node[sign + 1]);
        Node cut(node.begin(), node.begin() + sign + 1, resource_);
        cut.push_back(
            {Words::kPlaceholder * 2, one ? node[sign + 1].shown : std::uint32_t{Words::kAny}});
        if (is_kept(cut))
          apart_[place.node] = true;
        else if (!apart_[place.node])
          nodes_[place.node] = std::move(cut);
      }
    });
  }

  // What is too long is left alone.
  static bool fits(const Node& node) { return !node.empty() && node.size() <= kMostTemplateTokens; }
  static std::uint64_t hash(const Node& node) {
    std::uint64_t sum = node.size();
    for (std::size_t i = 0; i < node.size(); ++i) sum += part(node[i].id, i);
    return sum;
  }

  // Disjoint sets over the nodes of this level.

  void begin_level() {
    parent_.resize(nodes_.size());
    std::iota(parent_.begin(), parent_.end(), 0u);
  }
  std::uint32_t root(std::uint32_t node) {
    while (parent_[node] != node) node = parent_[node] = parent_[parent_[node]];
    return node;
  }
  void join(std::uint32_t one, std::uint32_t other) {
    if (apart_[one] || apart_[other]) return;
    one = root(one);
    other = root(other);
    parent_[std::max(one, other)] = std::min(one, other);
  }

  // Makes one node of each set: <*> where they differ. Whether there was anything to do.
  bool merge() {
    std::pmr::vector<Node> merged(resource_);
    std::pmr::vector<bool> apart(resource_);
    std::pmr::vector<std::uint32_t> place(nodes_.size(), resource_);
    for (std::uint32_t i = 0; i < nodes_.size(); ++i) {
      const std::uint32_t first = root(i);
      if (first == i) {
        place[i] = static_cast<std::uint32_t>(merged.size());
        merged.push_back(std::move(nodes_[i]));
        apart.push_back(apart_[i]);
        continue;
      }
      place[i] = place[first];
      generalize(merged[place[i]], nodes_[i]);
    }
    const bool done = merged.size() < nodes_.size();
    nodes_ = std::move(merged);
    apart_ = std::move(apart);
    for (std::uint32_t& node : node_of_) node = place[node];
    begin_level();
    return done;
  }
  void generalize(Node& into, const Node& other) {
    for (std::size_t i = 0; i < into.size(); ++i) {
      if (into[i].id != other[i].id) into[i].id = Words::kAny * 2 + (into[i].id & 1);
      if (into[i].shown != other[i].shown) into[i].shown = Words::kAny;
    }
  }

  // Those that differ in the kind of placeholders only.
  void join_equals() {
    std::pmr::unordered_map<std::uint64_t, std::uint32_t> seen(resource_);
    seen.reserve(nodes_.size());
    for (std::uint32_t i = 0; i < nodes_.size(); ++i) {
      if (!fits(nodes_[i])) continue;
      if (apart_[i]) continue;
      const auto [at, is_new] = seen.try_emplace(hash(nodes_[i]), i);
      if (!is_new && same_but(nodes_[at->second], nodes_[i], {})) join(at->second, i);
    }
  }

  // Those that differ in one word.
  void join_words() {
    std::pmr::vector<Place> places(resource_);
    for (std::uint32_t i = 0; i < nodes_.size(); ++i) {
      const Node& node = nodes_[i];
      if (!fits(node)) continue;
      const std::uint64_t sum = hash(node);
      for (std::uint32_t at = 0; at < node.size(); ++at) {
        if (words_.kind(node[at]) == Kind::kMark || words_.kind(node[at]) == Kind::kGlue) continue;
        const std::uint64_t other = part(~(node[at].id & 1), at);
        places.push_back({sum - part(node[at].id, at) + other, i, at});
      }
    }
    for_each_group(places, [&](std::span<const Place> group) { judge(group); });
  }

  template <typename Visit>
  void for_each_group(std::pmr::vector<Place>& places, Visit&& visit) {
    std::ranges::sort(places, {}, &Place::hash);
    for (auto from = places.begin(); from != places.end();) {
      const auto to = std::find_if(from, places.end(),
                                   [&](const Place& one) { return one.hash != from->hash; });
      if (to - from > 1) visit(std::span<const Place>(from, to));
      from = to;
    }
  }

  void judge(std::span<const Place> group) {
    const std::uint32_t at = group[0].at;
    const Node& first = nodes_[group[0].node];
    const std::array<std::uint32_t, 1> hole{at};
    std::pmr::vector<std::uint32_t> seen(resource_);
    std::array<std::size_t, 9> count{};
    for (const Place& place : group) {
      if (place.at != at || !same_but(first, nodes_[place.node], hole)) return;  // equal hashes
      seen.push_back(nodes_[place.node][at].word());
    }
    std::ranges::sort(seen);
    seen.erase(std::unique(seen.begin(), seen.end()), seen.end());
    for (const std::uint32_t word : seen)
      ++count[static_cast<std::size_t>(words_.kind(Token{word * 2, word}))];
    const auto counted = [&](Kind kind) { return count[static_cast<std::size_t>(kind)]; };

    const std::size_t fixed = fixed_words(first, at);
    if (fixed == 0) return;
    const bool varies = counted(Kind::kAny) != 0;
    const bool values = counted(Kind::kPlaceholder) != 0;
    // A place that begins a text, or has one word for company, must show more words.
    std::size_t needed = fixed > 1 || at > 0 ? enough_ : 2 * enough_;
    // A placeholder is as good as some words, and a name with a number as two.
    if (values) needed -= enough_ / 2;
    const bool words = !tells(first, at) &&
                       (varies || counted(Kind::kWord) + 2 * counted(Kind::kNumbered) >= needed);
    const bool numerals = counted(Kind::kNumeral) >= 2 * enough_;
    std::uint32_t joined = LearnedTemplates::kAlone;
    for (const Place& place : group) {
      const Kind kind = words_.kind(nodes_[place.node][at]);
      const bool take = kind == Kind::kMissing || kind == Kind::kNumbered ? words || values
                        : kind == Kind::kWord || kind == Kind::kOutcome   ? words
                        : kind == Kind::kNumeral                          ? numerals
                                                                          : true;
      if (!take || apart_[place.node]) continue;
      if (joined == LearnedTemplates::kAlone)
        joined = place.node;
      else
        join(joined, place.node);
    }
  }

  // Those that differ in two words, if both vary and the rest says enough: names that come in
  // pairs, so that no word stays the same while the other changes.
  void join_pairs() {
    std::pmr::vector<std::uint32_t> nodes(resource_);
    std::size_t total = 0;
    for (std::uint32_t i = 0; i < nodes_.size(); ++i) {
      if (!fits(nodes_[i])) continue;
      const std::size_t count =
          fixed_words(nodes_[i], nodes_[i].size()) + count_of(nodes_[i], Kind::kNumbered);
      if (count < kPairCompany + 2 || count > kMostPaired) continue;
      total += count * (count - 1) / 2;
      nodes.push_back(i);
    }
    if (total > kMostPairs) return;
    std::pmr::vector<Place> places(resource_);
    places.reserve(total);
    for (const std::uint32_t i : nodes) {
      const Node& node = nodes_[i];
      const std::uint64_t sum = hash(node);
      const auto without = [&](std::size_t at) {
        return part(~(node[at].id & 1), at) - part(node[at].id, at);
      };
      for (std::uint32_t at = 0; at < node.size(); ++at) {
        if (!can_vary(node, at)) continue;
        for (std::uint32_t next = at + 1; next < node.size(); ++next)
          if (can_vary(node, next))
            places.push_back({sum + without(at) + without(next), i, at << 16 | next});
      }
    }
    for_each_group(places, [&](std::span<const Place> group) { judge_pair(group); });
  }
  bool can_vary(const Node& node, std::size_t at) const {
    const Kind kind = words_.kind(node[at]);
    return (kind == Kind::kWord || kind == Kind::kNumbered) && !tells(node, at);
  }
  void judge_pair(std::span<const Place> group) {
    if (group.size() < enough_) return;
    const std::array<std::uint32_t, 2> holes{group[0].at >> 16, group[0].at & 0xffff};
    const Node& first = nodes_[group[0].node];
    for (const std::uint32_t hole : holes) {
      std::pmr::vector<std::uint32_t> seen(resource_);
      for (const Place& place : group) {
        if (place.at != group[0].at || !same_but(first, nodes_[place.node], holes)) return;
        seen.push_back(nodes_[place.node][hole].word());
      }
      std::ranges::sort(seen);
      seen.erase(std::unique(seen.begin(), seen.end()), seen.end());
      if (seen.size() < enough_) return;
    }
    std::uint32_t joined = LearnedTemplates::kAlone;
    for (const Place& place : group) {
      if (apart_[place.node]) continue;
      if (joined == LearnedTemplates::kAlone) joined = place.node;
      join(joined, place.node);
    }
  }

  // Those that a merge with <*> in several places covers.
  void join_covered() {
    std::pmr::vector<std::uint32_t> covers(resource_);
    for (std::uint32_t i = 0; i < nodes_.size(); ++i)
      if (fits(nodes_[i]) && holes(nodes_[i]).size() > 1) covers.push_back(i);
    // Few shapes have many merges; more shapes than this are not looked at.
    std::ranges::sort(covers, [&](std::uint32_t one, std::uint32_t other) {
      return shape(nodes_[one]) < shape(nodes_[other]);
    });
    std::pmr::vector<Place> places(resource_);
    int shapes = 0;
    for (auto from = covers.begin(); from != covers.end() && ++shapes <= 32;) {
      const auto same = shape(nodes_[*from]);
      const auto to = std::find_if(from, covers.end(),
                                   [&](std::uint32_t one) { return shape(nodes_[one]) != same; });
      cover(same, places);
      from = to;
    }
  }
  void cover(const std::pair<std::size_t, std::pmr::vector<std::uint32_t>>& shape,
             std::pmr::vector<Place>& places) {
    places.clear();
    for (std::uint32_t i = 0; i < nodes_.size(); ++i) {
      if (nodes_[i].size() != shape.first) continue;
      std::uint64_t sum = hash(nodes_[i]);
      bool possible = true;
      for (const std::uint32_t at : shape.second) {
        const Kind kind = words_.kind(nodes_[i][at]);
        possible = possible && kind != Kind::kMark && kind != Kind::kGlue && kind != Kind::kNumeral;
        sum += part(~(nodes_[i][at].id & 1), at) - part(nodes_[i][at].id, at);
      }
      if (possible) places.push_back({sum, i, 0});
    }
    for_each_group(places, [&](std::span<const Place> group) {
      const auto is_cover = [&](const Place& one) {
        return holes(nodes_[one.node]) == shape.second;
      };
      const auto found = std::ranges::find_if(group, is_cover);
      if (found == group.end()) return;
      for (const Place& place : group)
        if (same_but(nodes_[found->node], nodes_[place.node], shape.second))
          join(found->node, place.node);
    });
  }
  std::pmr::vector<std::uint32_t> holes(const Node& node) const {
    std::pmr::vector<std::uint32_t> out(resource_);
    for (std::uint32_t i = 0; i < node.size(); ++i)
      if (node[i].word() == Words::kAny) out.push_back(i);
    return out;
  }
  std::pair<std::size_t, std::pmr::vector<std::uint32_t>> shape(const Node& node) const {
    return {node.size(), holes(node)};
  }

  static bool same_but(const Node& one, const Node& other, std::span<const std::uint32_t> holes) {
    if (one.size() != other.size()) return false;
    for (std::size_t i = 0; i < one.size(); ++i) {
      const bool is_hole = std::ranges::find(holes, i) != holes.end();
      if (is_hole ? one[i].after_blank() != other[i].after_blank() : one[i].id != other[i].id)
        return false;
    }
    return true;
  }

  std::size_t count_of(const Node& node, Kind kind) const {
    return static_cast<std::size_t>(std::ranges::count_if(
        node, [&](const Token& token) { return words_.kind(token) == kind; }));
  }
  // Words that say what it is about.
  std::size_t fixed_words(const Node& node, std::size_t but) const {
    std::size_t count = 0;
    for (std::size_t i = 0; i < node.size(); ++i) {
      const Kind kind = words_.kind(node[i]);
      count += i != but && (kind == Kind::kWord || kind == Kind::kOutcome) ? 1 : 0;
    }
    return count;
  }
  // state: X, reason=X.
  bool tells(const Node& node, std::size_t at) const {
    return at >= 2 && (is_mark(node, at - 1, '=') || is_mark(node, at - 1, ':')) &&
           words_.is_telling_key(node[at - 2]);
  }
  bool is_mark(const Node& node, std::size_t at, char mark) const {
    return at < node.size() && words_.text(node[at].word()) == std::string_view(&mark, 1);
  }
  bool is_kept(const Node& node) const {
    return std::ranges::any_of(kept_, [&](const Node& one) { return covers(one, node); });
  }
  // Whether <*> or nothing makes the difference.
  static bool covers(const Node& one, const Node& other) {
    return one.size() == other.size() &&
           std::ranges::equal(one, other, [](const Token& mine, const Token& its) {
             return mine.shown == Words::kAny || mine.id == its.id;
           });
  }

  std::pmr::string text(const Node& node) const {
    std::pmr::string out(resource_);
    for (std::size_t i = 0; i < node.size(); ++i) {
      if (node[i].after_blank() && i > 0) out += ' ';
      out += words_.text(node[i].shown);
    }
    return out;
  }

  std::pmr::memory_resource* resource_;
  std::size_t enough_;
  Words words_;
  std::pmr::vector<Node> nodes_;  // templates, then merges of them
  std::pmr::vector<Node> kept_;
  std::pmr::vector<bool> apart_;  // these are not merged, but show that a place varies
  std::pmr::vector<std::uint32_t> node_of_;
  std::pmr::vector<std::uint32_t> parent_;
};

}  // namespace

LearnedTemplates learn_log_templates(std::span<const std::string_view> templates,
                                     std::span<const std::string_view> apart, std::uint32_t enough,
                                     std::pmr::memory_resource* resource) {
  Learner learner(templates, apart, enough, resource);
  learner.run();
  return learner.result(templates);
}

}  // namespace vigil
