#include "core/envelope.hpp"

namespace vigil {
namespace {

constexpr std::string_view kBlanks = " \t\r";

// Walks the members of a JSON object, at its top level only. Nested values are skipped by their
// brackets and strings; what is inside them is not judged.
class Members {
 public:
  explicit Members(std::string_view text) : text_(text) {
    skip_blanks();
    good_ = take('{');
    skip_blanks();
    if (good_ && take('}')) finish();
  }

  // Moves to the next member; false at the end of the object and at its first fault.
  bool next() {
    if (!good_ || done_) return false;
    skip_blanks();
    good_ = string(key_) && (skip_blanks(), take(':')) && (skip_blanks(), value());
    skip_blanks();
    if (good_ && !take(',')) finish_after_member();
    return good_;
  }

  // After the last member: whether the object was complete, with nothing after it.
  bool good() const { return good_; }

  std::string_view key() const { return key_; }
  std::string_view raw() const { return raw_; }

  // The characters of a string value, as written; empty for other values.
  std::string_view text() const {
    return raw_.starts_with('"') ? raw_.substr(1, raw_.size() - 2) : std::string_view();
  }

 private:
  void skip_blanks() {
    while (at_ < text_.size() && kBlanks.find(text_[at_]) != kBlanks.npos) ++at_;
  }

  bool take(char c) {
    if (at_ == text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }

  void finish_after_member() {
    good_ = take('}');
    finish();
  }

  void finish() {
    done_ = true;
    skip_blanks();
    good_ = good_ && at_ == text_.size();
  }

  // Takes a string; `inner` is what stands between the quotes.
  bool string(std::string_view& inner) {
    if (!take('"')) return false;
    const std::size_t start = at_;
    for (; at_ < text_.size(); ++at_) {
      if (text_[at_] == '\\') {
        ++at_;
      } else if (text_[at_] == '"') {
        inner = text_.substr(start, at_++ - start);
        return true;
      }
    }
    at_ = text_.size();
    return false;
  }

  bool value() {
    const std::size_t start = at_;
    if (at_ == text_.size()) return false;
    std::string_view inner;
    const char c = text_[at_];
    const bool taken = c == '"' ? string(inner) : c == '{' || c == '[' ? container() : scalar();
    raw_ = text_.substr(start, at_ - start);
    return taken;
  }

  bool container() {
    std::size_t depth = 0;
    std::string_view inner;
    do {
      if (at_ == text_.size()) return false;
      const char c = text_[at_];
      if (c == '"') {
        if (!string(inner)) return false;
        continue;
      }
      if (c == '{' || c == '[') ++depth;
      if (c == '}' || c == ']') --depth;
      ++at_;
    } while (depth > 0);
    return true;
  }

  bool scalar() {
    constexpr std::string_view characters = "+-.0123456789Eaeflnrstu";
    const std::size_t start = at_;
    while (at_ < text_.size() && characters.find(text_[at_]) != characters.npos) ++at_;
    return at_ > start;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  bool good_ = false;
  bool done_ = false;
  std::string_view key_;
  std::string_view raw_;
};

// A non-negative whole number of at most 18 digits.
std::optional<std::uint64_t> whole_number(std::string_view text) {
  if (text.empty() || text.size() > 18) return std::nullopt;
  std::uint64_t value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + static_cast<std::uint64_t>(c - '0');
  }
  return value;
}

// Of the trace that an envelope belongs to, a member of its header.
std::string_view sample_rate_of(std::string_view trace) {
  Members member(trace);
  std::string_view rate;
  while (member.next()) {
    if (member.key() == "sample_rate") rate = member.text().empty() ? member.raw() : member.text();
  }
  return member.good() ? rate : std::string_view();
}

struct ItemHeader {
  EnvelopeItem item{};
  std::optional<std::uint64_t> length;
  bool good = false;
  bool bad_length = false;
};

void read_member(const Members& member, ItemHeader& header) {
  const std::string_view key = member.key();
  if (key == "type") header.item.type = member.text();
  if (key == "content_type") header.item.content_type = member.text();
  if (key == "filename") header.item.filename = member.text();
  if (key == "item_count") header.item.item_count = whole_number(member.raw());
  if (key == "length" && member.raw() != "null") {
    header.length = whole_number(member.raw());
    header.bad_length = !header.length;
  }
}

ItemHeader read_header(std::string_view line) {
  ItemHeader header;
  header.item.header = line;
  Members member(line);
  while (member.next()) read_member(member, header);
  header.good = member.good();
  return header;
}

class Splitter {
 public:
  Splitter(std::string_view text, Envelope& envelope) : text_(text), envelope_(envelope) {}

  void run() {
    skip_empty_lines();
    if (at_ < text_.size()) envelope_header();
    for (skip_empty_lines(); at_ < text_.size(); skip_empty_lines()) {
      if (envelope_.items.size() == kMaxEnvelopeItems) return rest("too many items");
      if (envelope_.faults.size() >= kMaxEnvelopeFaults) return rest("too many faults");
      item();
    }
  }

 private:
  void envelope_header() {
    const std::size_t start = at_;
    const std::string_view line = take_line();
    Members member(line);
    std::string_view event_id;
    std::string_view sample_rate;
    while (member.next()) {
      if (member.key() == "event_id") event_id = member.text();
      if (member.key() == "trace") sample_rate = sample_rate_of(member.raw());
    }
    if (!member.good()) return fault(start, "the envelope header is no JSON object", line);
    envelope_.header = line;
    envelope_.event_id = event_id;
    envelope_.sample_rate = sample_rate;
  }

  void item() {
    const std::size_t start = at_;
    const std::string_view line = take_line();
    ItemHeader header = read_header(line);
    if (!header.good) return fault(start, "the item header is no JSON object", line);
    if (header.item.type.empty()) return fault(start, "the item header has no type", line);
    if (header.bad_length) fault(start, "the length is no whole number", line);
    if (header.length) {
      sized_payload(header, start);
    } else {
      header.item.truncated = !ended_;
      header.item.payload = take_line();
    }
    envelope_.items.push_back(header.item);
  }

  void sized_payload(ItemHeader& header, std::size_t start) {
    const std::size_t left = text_.size() - at_;
    if (*header.length > left) {
      fault(start, "the length reaches beyond the end", header.item.header);
      header.item.truncated = true;
    }
    const std::size_t size = header.item.truncated ? left : std::size_t(*header.length);
    header.item.payload = text_.substr(at_, size);
    at_ += size;
    const std::size_t after = at_;
    const std::string_view junk = take_line();
    if (!junk.empty()) fault(after, "a payload is longer than its length", junk);
  }

  // The rest of the line, without its end.
  std::string_view take_line() {
    const std::size_t end = text_.find('\n', at_);
    ended_ = end != text_.npos;
    std::string_view line = text_.substr(at_, ended_ ? end - at_ : text_.npos);
    at_ = ended_ ? end + 1 : text_.size();
    if (line.ends_with('\r')) line.remove_suffix(1);
    return line;
  }

  void skip_empty_lines() {
    while (at_ < text_.size() && (text_[at_] == '\n' || text_.substr(at_, 2) == "\r\n")) {
      at_ += text_[at_] == '\n' ? std::size_t{1} : std::size_t{2};
    }
  }

  void rest(const char* reason) {
    fault(at_, reason, text_.substr(at_));
    at_ = text_.size();
  }

  void fault(std::size_t offset, const char* reason, std::string_view bytes) {
    envelope_.faults.push_back({offset, reason, bytes});
  }

  std::string_view text_;
  Envelope& envelope_;
  std::size_t at_ = 0;
  bool ended_ = false;  // the last line taken had an end
};

}  // namespace

Envelope split_envelope(std::string_view text, std::pmr::memory_resource* memory) {
  Envelope envelope{
      {}, {}, {}, std::pmr::vector<EnvelopeItem>(memory), std::pmr::vector<EnvelopeFault>(memory)};
  Splitter(text, envelope).run();
  return envelope;
}

}  // namespace vigil
