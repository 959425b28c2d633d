#include "core/message_template.hpp"

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "core/murmur3.hpp"

namespace vigil {
namespace {

enum : std::uint8_t {
  kBlank = 1,
  kBreak = 2,  // ends a chunk
  kDigit = 4,
  kLetter = 8,  // also _ and what is not ASCII
  kHex = 16,
  kMark = 32,     // makes a chunk worth a second look: / \ @ : .
  kSpecial = 64,  // ends a value
  kDot = 128,
};

constexpr auto kClasses = [] {
  std::array<std::uint8_t, 256> classes{};
  for (unsigned c = 0; c <= ' '; ++c) classes[c] = kBlank;
  classes[0x7f] = kBlank;
  for (unsigned c = '0'; c <= '9'; ++c) classes[c] = kDigit | kHex;
  for (unsigned c = 'a'; c <= 'z'; ++c) classes[c] = classes[c - 32] = kLetter;
  for (unsigned c = 'a'; c <= 'f'; ++c) classes[c] = classes[c - 32] = kLetter | kHex;
  for (unsigned c = 0x80; c <= 0xff; ++c) classes[c] = kLetter;
  classes['_'] = kLetter;
  for (const char c : std::string_view(",;()[]{}<>\"'`|=!*"))
    classes[static_cast<unsigned char>(c)] = kBreak;
  for (const char c : std::string_view(",;)]}>\"'`|&"))
    classes[static_cast<unsigned char>(c)] |= kSpecial;
  for (const char c : std::string_view("/\\@:.")) classes[static_cast<unsigned char>(c)] = kMark;
  classes['.'] |= kDot;
  return classes;
}();

// A word that is looked for, or a word of the text in small letters; empty if it is longer than any
// that is looked for.
class Word {
 public:
  constexpr Word(const char* text) : Word(std::string_view(text)) {}
  constexpr Word(std::string_view text) {
    if (text.size() > 16) return;
    for (std::size_t i = 0; i < text.size(); ++i) {
      const char c = text[i] >= 'A' && text[i] <= 'Z' ? static_cast<char>(text[i] + 32) : text[i];
      halves_[i / 8] |= std::uint64_t{static_cast<unsigned char>(c)} << 8 * (i % 8);
    }
  }
  constexpr bool operator==(const Word&) const = default;
  constexpr std::size_t slot() const {
    return (halves_[0] ^ halves_[1]) * 0x9E3779B97F4A7C15 >> 56;
  }

 private:
  std::uint64_t halves_[2] = {};
};

// Words of which few texts have any: a filter of one bit for each says no at once.
template <std::size_t kCount>
class WordSet {
 public:
  template <class... Texts>
  constexpr explicit WordSet(Texts... texts) : words_{Word(texts)...} {
    for (const Word& word : words_)
      filter_[word.slot() / 64] |= std::uint64_t{1} << word.slot() % 64;
  }
  bool contains(Word word) const {
    if ((filter_[word.slot() / 64] >> word.slot() % 64 & 1) == 0) return false;
    for (const Word& one : words_)
      if (one == word) return true;
    return false;
  }

 private:
  Word words_[kCount];
  std::uint64_t filter_[4] = {};
};
template <class... Texts>
WordSet(Texts...) -> WordSet<sizeof...(Texts)>;

template <std::size_t kCount>
bool among(Word word, const WordSet<kCount>& words) {
  return words.contains(word);
}

constexpr WordSet kDurations("ns", "us", "ms", "s", "m", "h", "d", "w", "sec", "secs", "second",
                             "seconds", "min", "mins", "minute", "minutes", "hr", "hrs", "hour",
                             "hours", "day", "days", "week", "weeks", "msec", "msecs", "usec",
                             "usecs", "millis", "millisecond", "milliseconds", "microsecond",
                             "microseconds", "nanosecond", "nanoseconds", "\xC2\xB5s", "\xCE\xBCs");
constexpr WordSet kSizes("b", "k", "g", "t", "kb", "mb", "gb", "tb", "pb", "kib", "mib", "gib",
                         "tib", "byte", "bytes", "bps", "kbps", "mbps", "gbps");
constexpr WordSet kRates("s", "sec", "second", "min", "minute", "h", "hour");
// Numbers after these words tell what went wrong.
constexpr WordSet kCodes("code", "errno", "error", "status", "http", "sqlstate");
// Values of these keys are words that tell what happened.
constexpr WordSet kTellingKeys("error", "err", "errno", "code", "reason", "status", "state", "type",
                               "op", "method", "level", "severity", "msg", "message", "exception",
                               "cause", "event", "action", "result", "sqlstate");
// A quoted text after these words is a value even if it looks like an identifier.
constexpr WordSet kValueNouns("user", "username", "account", "customer", "login", "host",
                              "hostname", "entry", "value", "string", "input", "token", "file",
                              "directory", "domain");
// A quoted text after these words is the name of what is wrong.
constexpr WordSet kNamedNouns("relation", "table", "column", "constraint", "index", "function",
                              "schema", "type", "property", "attribute", "parameter", "trigger",
                              "sequence", "view", "operator", "extension", "key", "field",
                              "variable", "method", "class");
// Names that have a digit but do not vary.
constexpr WordSet kNames("aes128", "aes256", "amd64", "arm64", "base32", "base64", "crc32", "ec2",
                         "ed25519", "es5", "es6", "float32", "float64", "float4", "float8", "h2",
                         "h264", "html5", "http1", "http2", "http3", "i18n", "i386", "i686",
                         "int16", "int2", "int32", "int4", "int64", "int8", "ipv4", "ipv6", "k8s",
                         "l10n", "latin1", "log4j", "md5", "mp3", "mp4", "oauth1", "oauth2", "p2p",
                         "pkcs12", "pkcs8", "rs256", "hs256", "s3", "sha1", "sha256", "sha384",
                         "sha512", "slf4j", "socks4", "socks5", "ssh1", "ssh2", "sslv3", "tls1",
                         "uint16", "uint32", "uint64", "uint8", "utf16", "utf32", "utf8", "utf8mb4",
                         "uuid4", "win32", "win64", "x509", "x86", "x86_64");
constexpr WordSet kGenericDomains("com", "net", "org", "edu", "gov", "mil", "biz", "local", "lan",
                                  "internal", "localdomain");
constexpr WordSet kCountryDomains("info", "io", "dev", "app", "cloud", "arpa", "ar", "at", "au",
                                  "be", "br", "ca", "ch", "cl", "cn", "co", "cz", "de", "dk", "es",
                                  "eu", "fi", "fr", "gr", "hk", "hu", "id", "il", "in", "ir", "it",
                                  "jp", "kr", "mx", "my", "nl", "no", "nz", "pe", "pl", "pt", "ro",
                                  "ru", "se", "sg", "th", "tr", "tw", "ua", "uk", "us", "ve", "vn",
                                  "za");
// The first label of a package or class turned around is no host: com.example.app.
constexpr WordSet kPackages("com", "org", "net", "edu", "io", "java", "javax");
// Endings of file names that nobody gives to a member or a method.
constexpr WordSet kFileNames("exe", "dll", "sys", "so", "ko", "jar", "war", "ini", "conf", "cfg",
                             "xml", "yaml", "yml", "txt", "csv", "pdf", "tmp", "bak", "gz", "tgz",
                             "png", "jpg", "jpeg", "gif", "svg", "iso", "deb", "rpm", "pem", "crt",
                             "pid", "sock", "java", "cpp", "hpp", "py", "rb", "php");
// A slash after these words is the root of all paths.
constexpr WordSet kPlaces("on", "of", "to", "from", "in", "at", "for", "under", "mount", "path",
                          "directory", "filesystem");
// Words of hexadecimal letters that are not numbers.
constexpr WordSet kHexWords("acceded", "defaced", "effaced");
constexpr WordSet kZones("utc", "gmt", "est", "edt", "cst", "cdt", "mst", "mdt", "pst", "pdt",
                         "bst", "ist", "jst", "kst", "msk", "wet", "west", "cet", "cest", "eet",
                         "eest", "sgt", "hkt", "aest", "aedt", "nzst", "nzdt");
constexpr WordSet kMonths("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct",
                          "nov", "dec");
constexpr WordSet kWeekdays("mon", "tue", "wed", "thu", "fri", "sat", "sun");

// In the order of kTemplatePlaceholders.
enum class Kind : std::uint8_t {
  kNothing,
  kNumber,
  kHost,
  kMac,
  kUuid,
  kJwt,
  kEmail,
  kUrl,
  kPath,
  kTime,
  kDuration,
  kSize,
  kValue
};
class TextSink {
 public:
  explicit TextSink(std::pmr::string& out) : out_(out) {}
  void write(std::string_view text) { out_.append(text); }
  void looked() {}

 private:
  std::pmr::string& out_;
};

// murmur3_x64_128 of what is written in pieces.
class HashSink {
 public:
  void write(std::string_view text) {
    while (text.size() > kBuffer - used_) {
      const std::size_t some = kBuffer - used_;
      std::memcpy(buffer_ + used_, text.data(), some);
      text.remove_prefix(some);
      used_ += some;
      mix();
      used_ = 0;
    }
    std::memcpy(buffer_ + used_, text.data(), text.size());
    used_ += text.size();
  }
  void looked() {}
  Hash128 finish() {
    using namespace murmur3_detail;
    const std::size_t size = mixed_ + used_;
    const std::size_t tail = mix();
    std::memset(buffer_ + used_, 0, kBlock);
    const Hash128 words = load(tail);
    std::uint64_t low = low_ ^ mix_low(words.low) ^ size;
    std::uint64_t high = high_ ^ mix_high(words.high) ^ size;
    low += high;
    high += low;
    low = murmur3_detail::finish(low);
    high = murmur3_detail::finish(high);
    low += high;
    return {low, high + low};
  }

 private:
  static constexpr std::size_t kBlock = 16;
  static constexpr std::size_t kBuffer = 16 * kBlock;

  Hash128 load(std::size_t at) const {
    Hash128 words;
    std::memcpy(&words.low, buffer_ + at, sizeof(words.low));
    std::memcpy(&words.high, buffer_ + at + sizeof(words.low), sizeof(words.high));
    return words;
  }
  // Takes the whole blocks; returns where the rest begins.
  std::size_t mix() {
    using namespace murmur3_detail;
    std::size_t at = 0;
    for (; used_ - at >= kBlock; at += kBlock) {
      const Hash128 words = load(at);
      low_ = (std::rotl(low_ ^ mix_low(words.low), 27) + high_) * 5 + 0x52dce729;
      high_ = (std::rotl(high_ ^ mix_high(words.high), 31) + low_) * 5 + 0x38495ab5;
    }
    mixed_ += at;
    return at;
  }

  std::uint64_t low_ = 0;
  std::uint64_t high_ = 0;
  std::uint8_t buffer_[kBuffer + kBlock];  // the last block is for the zeros after the rest
  std::size_t used_ = 0;
  std::size_t mixed_ = 0;
};

class CountSink {
 public:
  void write(std::string_view) {}
  void looked() { ++count_; }
  std::size_t count() const { return count_; }

 private:
  std::size_t count_ = 0;
};

// What is looked at: whole characters, if it is UTF-8.
std::string_view beginning(std::string_view text) {
  if (text.size() <= kTemplateInput) return text;
  std::size_t size = kTemplateInput;
  while (size > kTemplateInput - 3 && (text[size] & 0xC0) == 0x80) --size;
  return text.substr(0, size);
}

// What is written from the text itself is kept; between such pieces stands what was replaced.
class PartSink {
 public:
  PartSink(std::string_view text, std::pmr::vector<TemplatePart>& parts)
      : text_(text), parts_(parts), placeholder_(parts.get_allocator().resource()) {}

  void write(std::string_view written) {
    const bool kept =
        written.data() >= text_.data() && written.data() < text_.data() + text_.size();
    if (!kept) {
      placeholder_.append(written);
      return;
    }
    const auto at = static_cast<std::size_t>(written.data() - text_.data());
    replace(at);
    parts_.push_back({written, std::pmr::string(parts_.get_allocator().resource())});
    end_ = at + written.size();
  }
  void looked() {}

  // What is left is replaced, or blank.
  void finish() { replace(text_.size()); }

 private:
  void replace(std::size_t to) {
    std::string_view source = text_.substr(end_, to - end_);
    while (!source.empty() && source.front() == ' ') source.remove_prefix(1);
    while (!source.empty() && source.back() == ' ') source.remove_suffix(1);
    while (placeholder_.ends_with(' ')) placeholder_.pop_back();
    while (placeholder_.starts_with(' ')) placeholder_.erase(0, 1);
    if (!placeholder_.empty()) parts_.push_back({source, placeholder_});
    placeholder_.clear();
  }

  std::string_view text_;
  std::pmr::vector<TemplatePart>& parts_;
  std::size_t end_ = 0;  // of what was written last
  std::pmr::string placeholder_;
};

template <class Sink>
class Scanner {
 public:
  Scanner(std::string_view text, Sink& sink) : text_(beginning(text)), sink_(sink) {}

  void run() {
    while (at_ < text_.size()) {
      const std::uint8_t kind = kind_at(at_);
      if (kind & kBlank) {
        blank_ = true;
        ++at_;
      } else if (kind & kBreak) {
        punctuation();
      } else {
        chunk();
      }
    }
    write_run();
    if (held_ != 0) sink_.write({&held_, 1});
  }

 private:
  static constexpr std::size_t kNone = std::string_view::npos;

  // Reading. Beyond the end there are blanks.

  char byte(std::size_t at) {
    sink_.looked();
    return at < text_.size() ? text_[at] : ' ';
  }
  std::uint8_t kind_at(std::size_t at) { return kClasses[static_cast<unsigned char>(byte(at))]; }
  bool is_digit(std::size_t at) { return (kind_at(at) & kDigit) != 0; }
  bool is_word(std::size_t at) { return (kind_at(at) & (kDigit | kLetter)) != 0; }
  std::string_view piece(std::size_t from, std::size_t to) const {
    return {text_.data() + from, to - from};
  }
  std::size_t skip(std::size_t at, unsigned kinds) {
    while (at < text_.size() && (kind_at(at) & kinds) != 0) ++at;
    return at;
  }
  std::size_t skip_word(std::size_t at) { return skip(at, kDigit | kLetter); }
  // The number of digits at `at` if it is within the bounds, else 0.
  std::size_t digits(std::size_t at, std::size_t least, std::size_t most) {
    std::size_t count = 0;
    while (count <= most && is_digit(at + count)) ++count;
    return count >= least && count <= most ? count : 0;
  }
  bool one_of(std::size_t at, std::string_view set) {
    if (at >= text_.size()) return false;
    const char c = byte(at);
    for (const char one : set)
      if (c == one) return true;
    return false;
  }

  // Writing. A blank or one joining character after a placeholder waits: if the same placeholder
  // follows, both are one (lists, versions, ranges).

  void flush() {
    if (held_ != 0) sink_.write({&held_, 1});
    if (blank_ && !empty_) sink_.write(" ");
    held_ = 0;
    blank_ = false;
    empty_ = false;
  }
  // Literals that stand together in the text are written together.
  void literal(std::size_t from, std::size_t to) {
    if (from == to) return;
    const bool after_blank =
        blank_ && held_ == 0 && run_to_ > run_from_ && run_to_ + 1 == from && byte(run_to_) == ' ';
    if (after_blank || (from == run_to_ && held_ == 0 && !blank_ && run_to_ > run_from_)) {
      blank_ = false;
    } else {
      write_run();
      flush();
      run_from_ = from;
    }
    run_to_ = to;
    last_ = Kind::kNothing;
  }
  void write_run() {
    if (run_to_ > run_from_) sink_.write(piece(run_from_, run_to_));
    run_from_ = run_to_;
  }
  void joiner(std::size_t at) {
    const char c = byte(at);
    if (last_ != Kind::kNothing && held_ == 0 && !blank_ && one_of(at, ",.:-_/"))
      held_ = c;
    else
      literal(at, at + 1);
  }
  void placeholder(Kind name) {
    if (name == last_ && (held_ == 0 || held_ == ',' || !blank_)) {
      held_ = 0;
      blank_ = false;
      return;
    }
    write_run();
    flush();
    sink_.write(kTemplatePlaceholders[static_cast<std::size_t>(name) - 1]);
    last_ = name;
    prefix_ = {};
  }

  // Context.

  void remember(std::size_t from, std::size_t to) {
    before_word_ = word_;
    word_ = piece(from, to);
    word_end_ = to;
  }
  // Only blanks and few of the given characters stand between the last word and `at`.
  bool follows_word(std::size_t at, std::string_view between) {
    if (word_.empty() || at - word_end_ > 3) return false;
    for (std::size_t i = word_end_; i < at; ++i)
      if (!one_of(i, between)) return false;
    return true;
  }
  // A code that tells errors apart. In a record of requests, which names its protocol, a status is
  // data, and success needs no code.
  bool is_code(std::size_t from, std::size_t to) {
    if (record_ || to - from > 6 || !follows_word(from, " :=#(")) return false;
    const Word word(word_);
    const bool failed = word_ == "with" && before_word_ == "failed";
    if (!failed && !among(word, kCodes)) return false;
    if (word == Word("error") && byte(word_end_) == ':') return false;
    const bool status = failed || word == Word("status") || word == Word("http") ||
                        Word(before_word_) == Word("status");
    return !status || (to - from == 3 && one_of(from, "45"));
  }

  // Matchers: the end of what begins at `at`, or kNone.

  std::size_t clock(std::size_t at) {
    const std::size_t hour = digits(at, 1, 2);
    if (hour == 0 || byte(at + hour) != ':' || digits(at + hour + 1, 2, 2) == 0) return kNone;
    at += hour + 3;
    if (byte(at) == ':') {
      if (digits(at + 1, 2, 2) == 0) return kNone;
      at += 3;
      if (one_of(at, ".,") && is_digit(at + 1)) at = skip(at + 1, kDigit);
    } else if (byte(at) == '.' && is_digit(at + 1)) {
      at = skip(at + 1, kDigit);
      if (one_of(at, ".-+~") && is_digit(at + 1)) return kNone;  // the version 1:15.0.6
    }
    return is_word(at) && !one_of(at, "ZzAPap") ? kNone : zone(at);
  }
  std::size_t zone(std::size_t at) {
    const std::size_t next = at + (byte(at) == ' ' ? 1 : 0);
    if (one_of(at, "Zz") && !is_word(at + 1)) return at + 1;
    if (one_of(next, "APap") && one_of(next + 1, "Mm") && !is_word(next + 2)) return next + 2;
    if (one_of(next, "+-") && digits(next + 1, 4, 4) != 0) return next + 5;
    if (one_of(next, "+-") && digits(next + 1, 2, 2) != 0)
      return byte(next + 3) == ':' && digits(next + 4, 2, 2) != 0 ? next + 6 : next + 3;
    std::size_t end = next;
    while (end < next + 5 && is_capital(end)) ++end;
    if (end < next + 3 || is_word(end) || !among(Word(piece(next, end)), kZones)) return at;
    return zone_offset(end);
  }
  std::size_t zone_offset(std::size_t at) {
    return one_of(at, "+-") && digits(at + 1, 4, 4) != 0 ? at + 5 : at;
  }
  // A clock after a date, if there is one.
  std::size_t with_clock(std::size_t at) {
    std::size_t next = at;
    if (byte(next) == ',') ++next;
    if (one_of(next, "Tt :_")) {
      const std::size_t end = clock(next + 1);
      if (end != kNone) return end;
    }
    return at;
  }
  std::size_t month(std::size_t at) { return calendar_word(at, kMonths); }
  template <class Names>
  std::size_t calendar_word(std::size_t at, const Names& names) {
    if (at + 3 > text_.size() || !among(Word(piece(at, at + 3)), names)) return kNone;
    std::size_t end = at + 3;
    while (end < at + 9 && (kind_at(end) & kLetter)) ++end;
    return is_word(end) ? kNone : end;
  }
  std::size_t time_in_digits(std::size_t at) {
    const std::size_t end = clock(at);
    if (end != kNone && !(at > 0 && byte(at - 1) == ':')) return end;
    if (digits(at, 8, 8) != 0 && byte(at + 8) == 'T' && digits(at + 9, 6, 6) != 0)
      return zone(at + 15);
    const std::size_t first = digits(at, 1, 4);
    if (first == 0 || first == 3) return kNone;
    const char by = byte(at + first);
    if (at > 0 && byte(at - 1) == by && by != ' ') return kNone;
    if (by == '-' || by == '/' || by == '.' || by == ' ') {
      std::size_t next = at + first + 1;
      const std::size_t named = first <= 2 && by != '.' ? month(next) : kNone;
      if (named != kNone && byte(named) == by && digits(named + 1, 4, 4) != 0)
        return with_clock(named + 5);
      const std::size_t second = by == ' ' ? 0 : digits(next, 1, 2);
      if (second == 0 || byte(next + second) != by) return kNone;
      next += second + 1;
      const std::size_t third = digits(next, 1, 4);
      if (first == 4 ? third == 0 || third > 2 : !(third == 4 || (third == 2 && by == '/')))
        return kNone;
      next += third;
      if (byte(next) == by || (is_word(next) && byte(next) != 'T')) return kNone;
      return with_clock(next);
    }
    return kNone;
  }
  std::size_t time_in_words(std::size_t at) {
    std::size_t next = calendar_word(at, kWeekdays);
    if (next != kNone) {
      if (byte(next) == ',') ++next;
      next = skip_few_blanks(next);
      if (is_digit(next)) return time_in_digits(next);
      at = next;
    }
    next = month(at);
    if (next == kNone || byte(next) != ' ') return kNone;
    next = skip_few_blanks(next);
    const std::size_t day = digits(next, 1, 2);
    if (day == 0) return kNone;
    next += day;
    if (byte(next) == ',') ++next;
    if (byte(next) != ' ') return kNone;
    const std::size_t end = clock(next + 1);
    if (end != kNone) return byte(end) == ' ' && digits(end + 1, 4, 4) != 0 ? end + 5 : end;
    return digits(next + 1, 4, 4) != 0 ? with_clock(next + 5) : kNone;
  }
  std::size_t skip_few_blanks(std::size_t at) {
    for (int i = 0; i < 2 && byte(at) == ' '; ++i) ++at;
    return at;
  }

  std::size_t uuid(std::size_t at) {
    for (const std::size_t part : {8u, 4u, 4u, 4u, 12u}) {
      for (std::size_t i = 0; i < part; ++i, ++at)
        if ((kind_at(at) & kHex) == 0) return kNone;
      if (part != 12 && byte(at++) != '-') return kNone;
    }
    return is_word(at) ? kNone : at;
  }

  std::size_t port(std::size_t at) {
    const std::size_t size = byte(at) == ':' ? digits(at + 1, 1, 5) : 0;
    return size != 0 && !is_word(at + 1 + size) ? at + 1 + size : at;
  }
  std::size_t ipv4(std::size_t at) {
    for (int part = 0; part < 4; ++part) {
      const std::size_t size = digits(at, 1, 3);
      if (size == 0 || (part < 3 && byte(at + size) != '.')) return kNone;
      at += size + (part < 3 ? 1 : 0);
    }
    return is_word(at) || (byte(at) == '.' && is_digit(at + 1)) ? kNone : port(at);
  }
  // At least eight groups, or two colons and a digit: A::b is a name of C++.
  std::size_t ipv6(std::size_t at) {
    int colons = 0;
    bool digit = false;
    bool gap = false;
    std::size_t group = 0;
    const std::size_t start = at;
    for (; at < start + 46; ++at) {
      const std::uint8_t kind = kind_at(at);
      if (kind & kHex) {
        if (++group > 4) return kNone;
        digit |= (kind & kDigit) != 0;
      } else if (byte(at) == ':') {
        gap |= at > start && byte(at - 1) == ':';
        ++colons;
        group = 0;
      } else {
        break;
      }
    }
    if (byte(at) == '.' && colons >= 2) {
      while (byte(at - 1) != ':') --at;
      at = ipv4(at);
      if (at == kNone) return kNone;
    }
    if (is_word(at) || !digit || !(gap ? colons <= 7 : colons == 7)) return kNone;
    if (byte(at) == '%') at = skip_word(at + 1);
    return at;
  }
  std::size_t mac(std::size_t at) {
    const char by = byte(at + 2);
    if (by != ':' && by != '-') return kNone;
    for (int part = 0; part < 6; ++part, at += 3) {
      if (!(kind_at(at) & kHex) || !(kind_at(at + 1) & kHex)) return kNone;
      if (part < 5 && byte(at + 2) != by) return kNone;
    }
    return is_word(at - 1) ? kNone : at - 1;
  }
  // A name of several labels under a known top level, within [at, end).
  std::size_t host(std::size_t at, std::size_t end) {
    int dots = 0;
    std::size_t label = at;
    std::size_t i = at;
    for (; i < end; ++i) {
      const char c = byte(i);
      if (c == '.') {
        if (i == label) return kNone;
        if (i + 1 == end) break;
        ++dots;
        label = i + 1;
      } else if (c != '-' && !is_word(i)) {
        break;
      }
    }
    if (dots == 0) return piece(at, i) == "localhost" ? port(i) : kNone;
    if (i < end && byte(i) != ':' && byte(i) != '/' && i + 1 != end) return kNone;
    const std::string_view top = piece(label, i);
    if (!among(Word(top), kGenericDomains)) {
      const bool known = dots > 1 || (port(i) > i + 2 && top != "pl");
      if (!known || !among(Word(top), kCountryDomains)) return kNone;
    }
    return is_namespace(at, label, i, dots) ? kNone : port(i);
  }
  // com.example.cloud, System.Net and ASP.NET are names of programs.
  bool is_namespace(std::size_t at, std::size_t top, std::size_t end, int dots) {
    std::size_t first = at;
    while (byte(first) != '.') ++first;
    if (among(Word(piece(at, first)), kPackages)) return true;
    if (!is_capital(top)) return false;
    return dots == 1 ||
           std::ranges::any_of(piece(at, end), [](char c) { return c >= 'a' && c <= 'z'; });
  }
  // What Java makes of an address: name/10.0.0.1:80. `slash` is the first one of the chunk.
  std::size_t named_address(std::size_t at, std::size_t slash) {
    if (!dots_ || slash == kNone || slash == at || !is_digit(slash + 1)) return kNone;
    for (; at < slash; ++at)
      if (!is_word(at) && !one_of(at, "-.")) return kNone;
    return ipv4(slash + 1);
  }
  std::size_t email(std::size_t at) {
    const std::size_t start = at;
    while (is_word(at) || one_of(at, ".+-%")) ++at;
    if (at == start || at >= text_.size() || byte(at) != '@') return kNone;
    const std::size_t domain = ++at;
    bool dot = false;
    for (; is_word(at) || one_of(at, ".-"); ++at) dot |= byte(at) == '.' && is_word(at + 1);
    while (at > domain && one_of(at - 1, ".-")) --at;
    return dot ? at : kNone;
  }
  bool starts_path(std::size_t at) {
    const char c = byte(at);
    if (c == '/') return is_word(at + 1) || one_of(at + 1, "._-~*$@");
    if (c == '~') return byte(at + 1) == '/';
    if (c == '.') return byte(at + 1) == '/' || (byte(at + 1) == '.' && byte(at + 2) == '/');
    if (c == '\\')
      return byte(at + 1) == '\\' ? is_word(at + 2)
                                  : is_capital(at + 1) && byte(skip_word(at + 1)) == '\\';
    return (kind_at(at) & kLetter) && byte(at + 1) == ':' && one_of(at + 2, "\\/");
  }
  // Line and column belong to the path; other words after a colon do not.
  std::size_t path(std::size_t at) {
    bool windows = false;
    at += 2;
    for (; at < text_.size(); ++at) {
      const char c = byte(at);
      if (c == ':' && !is_digit(at + 1) && !one_of(at + 1, "\\/")) break;
      if (c == '\\') windows = true;
      if ((kind_at(at) & kBlank) || one_of(at, ",;()[]{}<>\"'`|")) {
        const std::size_t next = windows && c == ' ' ? next_folder(at + 1) : kNone;
        if (next == kNone) break;
        at = next;
      }
    }
    return at;
  }
  // The backslash after few more words of a folder's name: Program Files (x86)\.
  std::size_t next_folder(std::size_t at) {
    int blanks = 0;
    for (std::size_t i = at; i < at + 32 && blanks < 3; ++i) {
      const char c = byte(i);
      if (c == '\\') return i > at ? i : kNone;
      if (c == ' ')
        ++blanks;
      else if (!is_word(i) && !one_of(i, "-.()"))
        break;
    }
    return kNone;
  }
  // Words that are joined by slashes are a path if there are many of them or if a file ends them;
  // one word is if it ends as only files do, libx.so.1 too.
  bool relative_path(std::size_t at, std::size_t end) {
    int slashes = 0;
    bool extension = false;
    bool file = false;
    std::size_t label = end;
    for (; at < end; ++at) {
      const char c = byte(at);
      if (c == '/' || c == '\\') {
        ++slashes;
        extension = false;
      } else if (c == '.') {
        file |= is_file_name(label, at);
        extension = (kind_at(at + 1) & kLetter) != 0;
        if (extension) file = false;
        label = at + 1;
      } else if (c == ':' || c == '@') {
        break;
      }
    }
    return slashes > 1 || (slashes == 1 && extension) ||
           (slashes == 0 && (file || is_file_name(label, at)));
  }
  bool is_file_name(std::size_t label, std::size_t end) {
    return label + 2 <= end && end <= label + 4 && among(Word(piece(label, end)), kFileNames);
  }
  // The end of four or more words of so many hexadecimal digits each.
  std::size_t hex_dump(std::size_t at, std::size_t size) {
    if ((size != 2 && size != 4 && size != 8) || byte(at + size) != ' ' || at < letters_to_)
      return kNone;
    bool digit = false;
    int words = 0;
    std::size_t end = kNone;
    for (;; at += size + 1, ++words) {
      std::size_t i = 0;
      for (; i < size && (kind_at(at + i) & kHex); ++i) digit |= is_digit(at + i);
      if (i < size || is_word(at + size)) break;
      end = at + size;
      if (byte(end) != ' ') {
        ++words;
        break;
      }
    }
    if (words >= 4 && digit) return end;
    letters_to_ = at;
    return kNone;
  }
  // 0000:ab:1f.2, an address on a bus.
  std::size_t pci(std::size_t at) {
    if (byte(at + 4) != ':' || byte(at + 7) != ':' || byte(at + 10) != '.') return kNone;
    for (const std::size_t i : {0u, 1u, 2u, 3u, 5u, 6u, 8u, 9u, 11u})
      if ((kind_at(at + i) & kHex) == 0) return kNone;
    return is_word(at + 12) ? kNone : at + 12;
  }
  // sda, vdb, xvdc: disks have letters where others have numbers.
  bool disk(std::size_t from, std::size_t to) {
    if (to - from == 4 && byte(from) == 'x') ++from;
    return to - from == 3 && byte(from + 1) == 'd' &&
           (one_of(from, "sv") ? one_of(from + 2, "abcdefgh")
                               : byte(from) == 'h' && one_of(from + 2, "abc"));
  }
  // A hash or an address of memory without a digit.
  bool hex_letters(std::size_t from, std::size_t to) {
    if (to - from < 7) return false;
    for (std::size_t i = from; i < to; ++i)
      if ((kind_at(i) & kHex) == 0) return false;
    return !among(Word(piece(from, to)), kHexWords);
  }
  // [a, b]: words that commas separate, of which one is nothing but a word. The end, without the
  // bracket; at most what is before the next bracket is looked at.
  std::size_t word_list(std::size_t at) {
    bool comma = byte(at - 2) == '=';  // the value of a key may be a list of one
    bool word = false;
    for (;;) {
      const std::size_t item = at;
      bool plain = true;
      for (; at < text_.size(); ++at) {
        const std::uint8_t kind = kind_at(at);
        if ((kind & (kLetter | kDigit | kMark)) == 0 && !one_of(at, "-$#")) break;
        if ((kind & (kDigit | kMark)) != 0) plain = false;
      }
      if (at == item || at >= text_.size()) return kNone;
      word |= plain;
      if (byte(at) == ']') return comma && word ? at : kNone;
      if (byte(at) != ',') return kNone;
      comma = true;
      at += byte(at + 1) == ' ' ? 2u : 1u;
    }
  }
  // A number, without a unit; letters may follow.
  std::size_t number(std::size_t at) {
    if (byte(at) == '0' && one_of(at + 1, "xX") && (kind_at(at + 2) & kHex))
      return skip(at + 2, kHex);
    const std::size_t first = skip(at, kDigit);
    std::size_t end = first;
    if (first - at <= 3)
      while (byte(end) == ',' && digits(end + 1, 3, 3) != 0 && !is_word(end + 4)) end += 4;
    if (byte(end) == '.' && is_digit(end + 1)) end = skip(end + 1, kDigit);
    if (one_of(end, "eE")) {
      const std::size_t exponent = end + 1 + (one_of(end + 1, "+-") ? 1 : 0);
      const std::size_t after = skip(exponent, kDigit);
      if (after > exponent && !is_word(after)) end = after;
    }
    return end;
  }

  // Emitting.

  void punctuation() {
    const char c = byte(at_);
    if (c == '=') return equals();
    if ((c == '"' || c == '\'' || c == '`') && quoted()) return;
    if (c == '[' && byte(at_ + 1) != ' ') {
      const std::size_t end = ipv6(at_ + 1);
      if (end != kNone && byte(end) == ']') {
        at_ = port(end + 1);
        placeholder(Kind::kHost);
        dark_ = at_;
        return;
      }
      const std::size_t list = word_list(at_ + 1);
      if (list != kNone) {
        literal(at_, at_ + 1);
        placeholder(Kind::kValue);
        dark_ = at_ = list;
        return;
      }
    }
    if (c == ',')
      joiner(at_);
    else
      literal(at_, at_ + 1);
    dark_ = ++at_;
  }

  // key=value and (key)=(value).
  void equals() {
    const std::size_t sign = at_++;
    literal(sign, at_);
    dark_ = at_;
    if (sign == 0) return;
    if (byte(sign - 1) == ')' && byte(at_) == '(') {
      literal(at_, at_ + 1);
      at_ = skip_to(at_ + 1, ")");
      placeholder(Kind::kValue);
      dark_ = at_;
      return;
    }
    if (!is_word(sign - 1) || (kind_at(at_) & kBlank) || one_of(at_, "=>~[{(<\"'`")) return;
    if (word_end_ == sign && among(Word(word_), kTellingKeys)) return;
    std::size_t end = at_;
    while (end < text_.size() && (kind_at(end) & (kBlank | kSpecial)) == 0) ++end;
    while (end > at_ && one_of(end - 1, ".:!")) --end;
    if (end == at_) return;
    at_ = end;
    placeholder(Kind::kValue);
    dark_ = at_;
  }
  std::size_t skip_to(std::size_t at, std::string_view set) {
    while (at < text_.size() && !one_of(at, set)) ++at;
    return at;
  }

  // Masks a quoted value; other quotes are punctuation, and identifiers in them stay.
  bool quoted() {
    if (at_ == 0 || dark_ == 0 || is_word(at_ - 1)) return false;
    if (follows_word(at_, " ") && among(Word(word_), kNamedNouns)) return named();
    const char before = byte(dark_ - 1);
    if (before != '=' && before != ':' &&
        !(follows_word(at_, " ") && among(Word(word_), kValueNouns)))
      return false;
    if (before == '=' && among(Word(word_), kTellingKeys)) return false;
    // KeyError: 'name' says which.
    if (before == ':' && (word_.ends_with("Error") || word_.ends_with("Exception"))) return false;
    const char quote = byte(at_);
    std::size_t end = at_ + 1;
    while (end < text_.size() && (byte(end) != quote || (is_word(end - 1) && is_word(end + 1))))
      end += byte(end) == '\\' ? 2u : 1u;
    if (end >= text_.size() || end == at_ + 1) return false;
    const std::size_t next = end + 1;
    if (before == ':' && next < text_.size() && !one_of(next, ",;})]\n\r")) return false;
    literal(at_, at_ + 1);
    placeholder(Kind::kValue);
    literal(end, next);
    dark_ = at_ = next;
    return true;
  }

  // A name keeps up to three digits: users2 is a table, but the partition of a day varies.
  bool named() {
    std::size_t end = at_ + 1;
    int numerals = 0;
    for (; is_word(end) || one_of(end, ".$"); ++end) numerals += is_digit(end) ? 1 : 0;
    if (end == at_ + 1 || end >= text_.size() || byte(end) != byte(at_) || numerals > 3)
      return false;
    literal(at_, end + 1);
    dark_ = at_ = end + 1;
    return true;
  }

  void chunk() {
    const std::size_t start = at_;
    std::size_t end = at_;
    std::uint8_t kinds = 0;
    std::size_t scheme = kNone;
    std::size_t mark = kNone;
    std::size_t sign = kNone;
    std::size_t slash = kNone;
    for (; end < text_.size(); ++end) {
      const std::uint8_t kind = kind_at(end);
      if (kind & (kBlank | kBreak)) break;
      kinds |= kind;
      if ((kind & kMark) == 0) continue;
      if (mark == kNone) mark = end;
      if (byte(end) == '@' && sign == kNone) sign = end;
      if (byte(end) == '/' && slash == kNone) slash = end;
      if (byte(end) == ':' && byte(end + 1) == '/' && byte(end + 2) == '/' && end > start) {
        scheme = end;
        break;
      }
    }
    if (is_actor(start, end)) {
      placeholder(Kind::kValue);
      remember(start, end);
      at_ = dark_ = end;
      return;
    }
    if (scheme != kNone) {
      std::size_t from = scheme;
      while (from > start && is_word(from - 1)) --from;
      if (from < scheme) {
        segments(start, from, sign);
        at_ = skip_url(scheme + 3);
        placeholder(Kind::kUrl);
        dark_ = at_;
        return;
      }
      end = scheme + 3;
    }
    dots_ = (kinds & kDot) != 0;
    std::size_t to = kNone;
    if (kind_at(start) & kHex) to = hex_dump(start, end - start);
    if (to != kNone) {
      at_ = dark_ = emit(Kind::kNumber, to);
      return;
    }
    if ((to = named_address(start, slash)) != kNone) {
      at_ = start;
      placeholder(Kind::kHost);
      at_ = dark_ = to;
      return;
    }
    if (slash == start && end == start + 1 && follows_word(start, " ") &&
        among(Word(word_), kPlaces)) {
      at_ = dark_ = emit(Kind::kPath, end);
      return;
    }
    if ((kinds & kDigit) == 0 &&
        (mark == kNone || (mark + 1 == end && one_of(mark, ":.") && mark > start)))
      plain(start, std::min(mark, end), end);
    else
      segments(start, end, sign);
  }
  std::size_t skip_url(std::size_t at) {
    std::size_t end = at;
    while (end < text_.size() && !(kind_at(end) & kBlank) && !one_of(end, "\"'`<>|{}\\")) ++end;
    while (end > at && one_of(end - 1, ".,;:!?)]")) --end;
    return end;
  }

  // A chunk without digits, or with a mark at its end only.
  void plain(std::size_t from, std::size_t to, std::size_t end) {
    const std::size_t time = is_capital(from) ? time_in_words(from) : kNone;
    if (time != kNone) {
      at_ = dark_ = emit(Kind::kTime, time);
      return;
    }
    if (byte(from) == 'l' && piece(from, to) == "localhost")
      placeholder(Kind::kHost);
    else if (disk(from, to) || ((kind_at(from) & kHex) && hex_letters(from, to)))
      placeholder(Kind::kNumber);
    else
      literal(from, to);
    remember(from, to);
    if (to < end) joiner(to);
    at_ = dark_ = end;
  }
  bool is_capital(std::size_t at) { return byte(at) >= 'A' && byte(at) <= 'Z'; }

  // Whoever comes from an address, or is an invalid user, is a value.
  bool is_actor(std::size_t from, std::size_t to) {
    if (word_.size() < 2 || word_.size() > 4 || from == word_end_ || !follows_word(from, " "))
      return false;
    const bool user = word_ == "user";
    if (!user && word_ != "for" && word_ != "by") return false;
    if (user &&
        (before_word_ == "invalid" || before_word_ == "unknown" || before_word_ == "illegal"))
      return true;
    if (user && before_word_ == "for" &&
        (to == text_.size() || piece(to, text_.size()).starts_with(" by ")))
      return true;
    return piece(to, text_.size()).starts_with(" from ") && is_digit(to + 6);
  }

  void segments(std::size_t at, std::size_t end, std::size_t sign) {
    const std::size_t start = at;
    while (at < end) {
      const char c = byte(at);
      const std::uint8_t kind = kind_at(at);
      const bool fresh = at == start || one_of(at - 1, ":");
      std::size_t to = kNone;
      if (c == '/' && (to = address(at + 1, end)) != kNone) {
        joiner(at);
        at = emit(Kind::kHost, to);
      } else if (fresh && starts_path(at)) {
        at = emit(Kind::kPath, path(at));
      } else if (fresh && sign != kNone && at < sign && (to = email(at)) != kNone) {
        at = emit(Kind::kEmail, to);
      } else if (kind & (kDigit | kLetter)) {
        at = word(at, end, at == start);
      } else if ((c == '-' || c == '+' || c == '.') && is_digit(at + 1) && !joins(at)) {
        at = word(at, end, false);
      } else if (c == ':' && at == start && byte(at + 1) == ':' && (to = ipv6(at)) != kNone) {
        at = emit(Kind::kHost, to);
      } else {
        joiner(at++);
      }
    }
    at_ = dark_ = std::max(at, end);
  }
  // A sign or a point belongs to a number unless it joins it to what is before.
  bool joins(std::size_t at) { return at > 0 && is_word(at - 1) && byte(at - 1) != '_'; }

  std::size_t emit(Kind name, std::size_t end) {
    placeholder(name);
    return end;
  }
  std::size_t address(std::size_t at, std::size_t end) {
    std::size_t to = kNone;
    if (is_digit(at)) to = ipv4(at);
    if (to == kNone && (kind_at(at) & kHex)) to = ipv6(at);
    if (to == kNone && (dots_ || byte(at) == 'l')) to = host(at, end);
    return to;
  }

  std::size_t word(std::size_t at, std::size_t end, bool first) {
    std::size_t to;
    const std::uint8_t kind = kind_at(at);
    const char c = byte(at);
    if ((kind & kHex) && (to = uuid(at)) != kNone) return emit(Kind::kUuid, to);
    if ((kind & kHex) && (to = mac(at)) != kNone) return emit(Kind::kMac, to);
    if ((kind & kDigit) && (to = time_in_digits(at)) != kNone) return emit(Kind::kTime, to);
    if (first && is_capital(at) && (to = time_in_words(at)) != kNone) return emit(Kind::kTime, to);
    if ((kind & kHex) && (to = pci(at)) != kNone) return emit(Kind::kNumber, to);
    if (first && (to = address(at, end)) != kNone) {
      if ((kind & kLetter) && byte(to) == '/' && to + 1 < end)
        return emit(Kind::kUrl, skip_url(to));
      return emit(Kind::kHost, to);
    }
    if (first && !(kind & kDigit) && relative_path(at, end)) return emit(Kind::kPath, path(at));
    if (first && c == 'e' && (to = jwt(at, end)) != kNone) return emit(Kind::kJwt, to);
    return (kind & kLetter) ? name(at, end) : quantity(at);
  }
  std::size_t jwt(std::size_t at, std::size_t end) {
    if (!piece(at, end).starts_with("eyJ")) return kNone;
    int dots = 0;
    for (; at < end && (is_word(at) || one_of(at, ".-")); ++at) dots += byte(at) == '.';
    return dots >= 2 ? at : kNone;
  }

  // A word that begins with a letter.
  std::size_t name(std::size_t at, std::size_t end) {
    std::size_t to = at;
    std::size_t digit = kNone;
    std::size_t prefix = at;
    bool hex = true;
    for (; to < end; ++to) {
      const std::uint8_t kind = kind_at(to);
      if ((kind & (kDigit | kLetter)) == 0) break;
      if ((kind & kHex) == 0) hex = false;
      if (digit != kNone) continue;
      if (kind & kDigit) digit = to;
      if (byte(to) == '_') prefix = to + 1;
    }
    if (digit == kNone && byte(to - 1) == '_' && byte(to) == '-' && is_digit(to + 1)) {
      numbered(at, to);
      return absorb(skip_word(to + 1));
    }
    if (digit == kNone && byte(to) == '-' && is_digit(to + 1) && continues(piece(at, to + 1))) {
      placeholder(Kind::kNumber);
      return absorb(skip_word(to + 1));
    }
    const bool identity =
        hex && digit == kNone &&
        (hex_letters(at, to) || (to - at >= 6 && at > 0 && one_of(at - 1, "@{#")));
    if (digit == kNone && !identity) {
      literal(at, to);
      if (byte(to) == '/' && is_digit(to + 1) && piece(at, to) == "HTTP") record_ = in_quotes(to);
      remember(at, to);
      return to;
    }
    if (!identity && (among(Word(piece(at, to)), kNames) || error_code(at, digit, to))) {
      literal(at, to);
      remember(at, to);
      return to;
    }
    numbered(at, prefix);
    return absorb(to);
  }
  // job_1 job_2 is a list as 1 2 is.
  bool continues(std::string_view prefix) const {
    return !prefix.empty() && last_ == Kind::kNumber && prefix == prefix_ &&
           (held_ == 0 || held_ == ',');
  }
  void numbered(std::size_t from, std::size_t to) {
    const std::string_view prefix = piece(from, to);
    if (continues(prefix)) {
      placeholder(Kind::kNumber);
      return;
    }
    literal(from, to);
    placeholder(Kind::kNumber);
    prefix_ = prefix;
  }
  // HTTP/1.1" ends a request line.
  bool in_quotes(std::size_t at) {
    const std::size_t end = number(at + 1);
    return byte(end) == '"';
  }
  // ORA-00942: is two words; this is the other form, TS2345: or E0308.
  bool error_code(std::size_t at, std::size_t digit, std::size_t to) {
    if (digit - at > 5 || to - digit < 3 || to - digit > 5 || skip(digit, kDigit) != to)
      return false;
    for (std::size_t i = at; i < digit; ++i)
      if (byte(i) < 'A' || byte(i) > 'Z') return false;
    if (follows_word(at, " :=#([") && among(Word(word_), kCodes)) return true;
    return byte(to) == ':' && (at == 0 || (dark_ > 0 && byte(dark_ - 1) == ':'));
  }
  // What is joined to something variable varies with it.
  std::size_t absorb(std::size_t at) {
    while (one_of(at, "-._+~") && is_word(at + 1)) at = skip_word(at + 1);
    return at;
  }

  // What begins with a digit, a sign or a decimal point.
  std::size_t quantity(std::size_t from) {
    const std::size_t at = from + (one_of(from, "+-") ? 1 : 0);
    std::size_t to = number(at);
    if (to == at) to = at + 1;
    if (!is_word(to)) {
      if (is_code(from, to)) {
        literal(from, to);
        word_ = {};
        return to;
      }
      // The code of a vendor: ORA-00942: or PLS-00201:.
      if (from > 0 && byte(from - 1) == '-' && vendor_code(from, to)) {
        literal(from, to);
        return to;
      }
    }
    const std::size_t gap = byte(to) == ' ' ? 1 : 0;
    const std::size_t unit = to + gap;
    if (kind_at(unit) & kLetter) {
      std::size_t after = unit;
      while (after < unit + 13 && (kind_at(after) & kLetter)) ++after;
      const Word folded(piece(unit, after));
      // One letter after a blank is a word, and after many digits the end of a hash.
      const bool one = after - unit == 1 && (gap != 0 || to - from > 6);
      if (one && gap != 0 && folded == Word("s") && !is_word(after))
        return emit(Kind::kDuration, after);
      if (one && among(folded, kSizes) && rate(after) != after)
        return emit(Kind::kSize, rate(after));
      if (!one && !(kind_at(after) & kLetter)) {
        // Minutes are small.
        if (piece(unit, after) == "M" && !is_digit(after)) return emit(Kind::kSize, rate(after));
        if (among(folded, kDurations)) {
          if (!is_digit(after)) return emit(Kind::kDuration, after);
          const std::size_t rest = gap == 0 ? compound(after) : kNone;
          if (rest != kNone) return emit(Kind::kDuration, rest);
        } else if (among(folded, kSizes) && !is_digit(after)) {
          return emit(Kind::kSize, rate(after));
        }
      }
    }
    placeholder(Kind::kNumber);
    if (from > 0 && byte(from - 1) == '-' && word_end_ == from - 1 && !word_.empty())
      prefix_ = {word_.data(), word_.size() + 1};
    return absorb(is_word(to) ? skip_word(to) : to);
  }
  // The end of /s after a size.
  std::size_t rate(std::size_t at) {
    if (byte(at) != '/') return at;
    std::size_t end = at + 1;
    while (end < at + 8 && (kind_at(end) & kLetter)) ++end;
    return !is_word(end) && among(Word(piece(at + 1, end)), kRates) ? end : at;
  }
  // The rest of 1h30m or 1m2.5s.
  std::size_t compound(std::size_t at) {
    while (is_digit(at)) {
      const std::size_t unit = number(at);
      at = skip(unit, kLetter);
      if (at - unit > 2 || !among(Word(piece(unit, at)), kDurations)) return kNone;
    }
    return is_word(at) ? kNone : at;
  }
  bool vendor_code(std::size_t from, std::size_t to) {
    if (word_.size() < 2 || word_.size() > 4 || word_end_ != from - 1 || to - from < 3 ||
        byte(to) != ':')
      return false;
    return std::ranges::all_of(word_, [](char c) { return c >= 'A' && c <= 'Z'; });
  }

  std::string_view text_;
  Sink& sink_;
  std::size_t at_ = 0;
  std::size_t run_from_ = 0;  // what is to be written
  std::size_t run_to_ = 0;
  std::size_t dark_ = 0;  // after the last thing that was not blank
  std::string_view word_;
  std::string_view before_word_;
  std::size_t word_end_ = 0;
  Kind last_ =
      Kind::kNothing;        // the placeholder that was written last, if nothing but held_ follows
  std::string_view prefix_;  // what stands before it in the same word
  char held_ = 0;
  bool blank_ = false;
  bool empty_ = true;
  bool record_ = false;
  bool dots_ = false;           // in this chunk
  std::size_t letters_to_ = 0;  // no hexadecimal dump begins before
};

TemplateKey key_of(Hash128 hash) {
  TemplateKey key{'t', '1', '_'};
  for (std::size_t i = 0; i < 16; ++i) {
    key[3 + i] = "0123456789abcdef"[hash.low >> (60 - 4 * i) & 15];
    key[19 + i] = "0123456789abcdef"[hash.high >> (60 - 4 * i) & 15];
  }
  return key;
}

}  // namespace

void message_template(std::string_view text, std::pmr::string& out) {
  TextSink sink(out);
  Scanner(text, sink).run();
}

TemplateKey template_key(std::string_view text) noexcept {
  HashSink sink;
  Scanner(text, sink).run();
  return key_of(sink.finish());
}

TemplateKey key_of_template(std::string_view message) noexcept {
  return key_of(
      murmur3_x64_128({reinterpret_cast<const std::uint8_t*>(message.data()), message.size()}));
}

void explain_template(std::string_view text, std::pmr::vector<TemplatePart>& parts) {
  PartSink sink(beginning(text), parts);
  Scanner(text, sink).run();
  sink.finish();
}

std::size_t template_work(std::string_view text) noexcept {
  CountSink sink;
  Scanner(text, sink).run();
  return sink.count();
}

}  // namespace vigil
