#include "core/fingerprint.hpp"

#include <algorithm>
#include <cstring>

#include "core/digest.hpp"
#include "core/fingerprint_chain.hpp"
#include "core/fingerprint_frame.hpp"
#include "core/fingerprint_message.hpp"
#include "core/stack_line.hpp"

namespace vigil {
namespace {

constexpr std::size_t kFrames = 10;  // that make a key
constexpr std::size_t kPeriod = 3;   // of a recursion, in frames
constexpr std::size_t kScratch = 24 * 1024;
constexpr std::size_t kUsualFrames = 64;

// Fields with their lengths, as they are hashed: see sha256_fields.
class Fields {
 public:
  explicit Fields(std::pmr::memory_resource* resource) : bytes_(resource) { bytes_.reserve(2048); }

  std::pmr::string& begin() {
    start_ = bytes_.size();
    bytes_.append(kLength, '\0');
    return bytes_;
  }
  void end() {
    std::uint64_t size = bytes_.size() - start_ - kLength;
    for (std::size_t i = kLength; size > 0; size >>= 8)
      bytes_[start_ + --i] = static_cast<char>(size & 0xff);
  }
  void add(std::string_view text) {
    begin().append(text);
    end();
  }
  // Of the field that ended last.
  bool is_empty() const { return bytes_.size() == start_ + kLength; }

  std::string_view bytes() const { return bytes_; }
  void resize(std::size_t size) { bytes_.resize(size); }
  void append(std::string_view bytes) { bytes_.append(bytes); }

 private:
  static constexpr std::size_t kLength = 8;

  std::pmr::string bytes_;
  std::size_t start_ = 0;
};

Fingerprint key_of(Basis basis, const Digest& digest) {
  Fingerprint key{'e', '1', static_cast<char>(basis), '_'};
  constexpr std::string_view digits = "0123456789abcdef";
  for (std::size_t i = 0; i < 16; ++i) {
    key[4 + 2 * i] = digits[digest[i] >> 4];
    key[5 + 2 * i] = digits[digest[i] & 15];
  }
  return key;
}

// What of a report its keys are made of.
class Scheme {
 public:
  // The whole stack is read only for who wants to see all of it.
  Scheme(const ErrorReport& report, const FingerprintRules& rules, bool whole = false)
      : report_(report),
        rules_(rules),
        name_(stack::trim(report.name)),
        resource_(scratch_, sizeof scratch_),
        frames_(&resource_),
        verdicts_(&resource_),
        chain_(&resource_),
        kept_(&resource_),
        fields_(&resource_),
        file_(&resource_),
        message_(&resource_),
        head_(&resource_) {
    frames_.reserve(kUsualFrames);
    find_chain(report.stack, chain_);
    if (!whole && prints_at(report.stack)) {
      read(kFrames);
      if (is_settled()) return;
    }
    read(kMaxStackFrames);
  }

  Fingerprint first() { return basis_ == Basis::kMessage ? by_message() : by_frames(); }

  FingerprintLadder ladder() {
    FingerprintLadder ladder;
    if (basis_ != Basis::kMessage) {
      ladder.add(by_frames(), true);
      ladder.add(by_top(), named_ < 2);
    }
    ladder.add(by_message(), basis_ == Basis::kMessage);
    return ladder;
  }

  void explain(FingerprintExplanation& out) {
    out.basis = basis_;
    out.message_by_frames = basis_ == Basis::kMessage ? std::string_view() : message_by_frames();
    out.name = name_;
    out.cause = cause();
    out.message = message();
    explain_message(name_, message_source(), out.message_parts);
    for (std::size_t i = 0; i < frames_.size(); ++i) {
      ExplainedFrame frame{frames_[i], verdicts_[i],
                           std::pmr::string(out.frames.get_allocator().resource()),
                           std::pmr::string(out.frames.get_allocator().resource())};
      append_function(frames_[i], frame.function);
      if (has_file(frames_[i], !frame.function.empty())) append_file(frames_[i], frame.file);
      out.frames.push_back(std::move(frame));
    }
  }

 private:
  struct Kept {
    std::size_t frame;  // index
    std::size_t end;    // of its fields
    bool named;
  };

  // Reads the stack, and as many frames of the application as that; keeps what makes the key.
  void read(std::size_t app_frames) {
    frames_.clear();
    kept_.clear();
    fields_.resize(0);
    named_ = 0;
    parse_stack(report_.stack, {report_.name, report_.message}, frames_, app_frames);
    verdicts_.assign(frames_.size(), FrameVerdict::kBeyond);
    for (const FrameVerdict wanted :
         {FrameVerdict::kKept, FrameVerdict::kLibrary, FrameVerdict::kNative}) {
      select(wanted);
      if (kept_.empty()) continue;
      basis_ = wanted == FrameVerdict::kKept ? Basis::kStack : Basis::kLibrary;
      return;
    }
  }

  // Whether one of the first two lines is a frame of the form that can be left unread.
  static bool prints_at(std::string_view stack) {
    const std::size_t second = stack.find('\n') + 1;
    return stack::trim(stack.substr(0, second)).starts_with("at ") ||
           stack::trim(stack.substr(second, stack.find('\n', second) - second)).starts_with("at ");
  }

  // Whether what was left unread can change nothing: it stands behind the frames that were kept,
  // and lines behind frames of this form only add frames.
  bool is_settled() const {
    const auto in_app = [](const StackFrame& frame) { return frame.in_app; };
    const auto most = static_cast<std::ptrdiff_t>(kFrames);
    if (std::ranges::count_if(frames_, in_app) < most) return true;  // nothing was
    if (kept_.size() < kFrames || chain_.size() > 1) return false;
    const auto end = frames_.begin() + static_cast<std::ptrdiff_t>(kept_.back().frame) + 1;
    return std::count_if(frames_.begin(), end, in_app) <= most &&
           std::all_of(frames_.begin(), end,
                       [](const StackFrame& frame) { return frame.raw.starts_with("at "); });
  }

  // What a frame is, before it is known whether it will be kept.
  FrameVerdict judge(const StackFrame& frame) const {
    if (const FingerprintRule* rule = rules_.empty() ? nullptr : rules_.frame_rule(frame)) {
      if (rule->action == RuleAction::kDrop) return FrameVerdict::kRule;
      return rule->action == RuleAction::kApp ? FrameVerdict::kKept : FrameVerdict::kLibrary;
    }
    if (frame.kind == FrameKind::kEval) return FrameVerdict::kEval;
    if (frame.in_app) return FrameVerdict::kKept;
    switch (frame.kind) {
      case FrameKind::kRuntime:
        return FrameVerdict::kRuntime;
      case FrameKind::kNative:
        return FrameVerdict::kNative;
      default:
        return FrameVerdict::kLibrary;
    }
  }

  // A symbol of a program is worth something where nothing else is known; one of an engine is not.
  static bool is_of_program(const StackFrame& frame) {
    return !frame.function.empty() &&
           (frame.language == StackLanguage::kNative || frame.language == StackLanguage::kRust ||
            frame.language == StackLanguage::kDart);
  }

  bool is_wanted(const StackFrame& frame, FrameVerdict verdict, FrameVerdict wanted) const {
    return verdict == wanted && (wanted != FrameVerdict::kNative || is_of_program(frame));
  }

  static bool is_plumbing(const StackFrame& frame) {
    std::pmr::string function;
    return !append_function(frame, function);
  }

  // The deepest exception of the chain that has frames of the wanted kind.
  const ChainLink& root(FrameVerdict wanted) const {
    const ChainLink* root = &chain_.front();
    if (chain_.size() == 1) return *root;
    bool found = false;
    for (const StackFrame& frame : frames_) {
      const ChainLink& link = link_of(report_.stack, chain_, frame);
      if (link.aside || (found && link.depth <= root->depth)) continue;
      if (!is_wanted(frame, judge(frame), wanted) || is_plumbing(frame)) continue;
      root = &link;
      found = true;
    }
    return *root;
  }

  // Keeps the first frames of the wanted kind, without repeats.
  void select(FrameVerdict wanted) {
    const ChainLink& link = root(wanted);
    for (std::size_t i = 0; i < frames_.size() && kept_.size() < kFrames; ++i) {
      const StackFrame& frame = frames_[i];
      if (chain_.size() > 1 && &link_of(report_.stack, chain_, frame) != &link) {
        verdicts_[i] = FrameVerdict::kSection;
        continue;
      }
      const FrameVerdict verdict = judge(frame);
      if (is_wanted(frame, verdict, wanted)) {
        verdicts_[i] = keep(i);
        if (verdicts_[i] == FrameVerdict::kKept) drop_repeat();
      } else if (verdict != FrameVerdict::kKept) {
        verdicts_[i] = verdict;
      }
    }
  }

  FrameVerdict keep(std::size_t index) {
    const std::size_t start = fields_.bytes().size();
    if (!append_function(frames_[index], fields_.begin())) {
      fields_.resize(start);
      return FrameVerdict::kPlumbing;
    }
    fields_.end();
    const bool named = !fields_.is_empty();
    fields_.add(has_file(frames_[index], named) ? file_of(frames_[index]) : std::string_view());
    if (!named && fields_.is_empty()) {
      fields_.resize(start);
      return FrameVerdict::kUnnamed;
    }
    named_ += named;
    kept_.push_back({index, fields_.bytes().size(), named});
    return FrameVerdict::kKept;
  }

  // Frames often are of the file of the frame before them.
  std::string_view file_of(const StackFrame& frame) {
    if (frame.file != printed_file_ || frame.language != file_language_) {
      printed_file_ = frame.file;
      file_language_ = frame.language;
      file_.clear();
      append_file(frame, file_);
    }
    return file_;
  }

  std::size_t end_of(std::size_t count) const { return count == 0 ? 0 : kept_[count - 1].end; }

  std::string_view bytes_of(std::size_t from, std::size_t to) const {
    return fields_.bytes().substr(end_of(from), end_of(to) - end_of(from));
  }

  // Depth of recursion is no difference: frames that repeat the ones before them go.
  void drop_repeat() {
    const std::size_t count = kept_.size();
    for (std::size_t period = 1; period <= kPeriod && 2 * period <= count; ++period) {
      const std::size_t half = count - period;
      if (bytes_of(half, count) != bytes_of(half - period, half)) continue;
      for (std::size_t i = half; i < count; ++i) {
        verdicts_[kept_[i].frame] = FrameVerdict::kRepeat;
        named_ -= kept_[i].named;
      }
      fields_.resize(end_of(half));
      kept_.resize(half);
      return;
    }
  }

  // Name of the exception at the root of a chain.
  std::string_view cause() const {
    const ChainLink* deepest = &chain_.front();
    for (const ChainLink& link : chain_)
      if (!link.aside && link.depth > deepest->depth) deepest = &link;
    return deepest->name;
  }

  // A report without message and frames has at least the text where its frames should be.
  std::string_view message_source() const {
    const bool empty = stack::trim(report_.message).empty() && frames_.empty();
    return empty ? report_.stack : report_.message;
  }

  std::string_view message() {
    if (!has_message_) {
      append_message(name_, message_source(), message_);
      has_message_ = true;
    }
    return message_;
  }

  // Frames of libraries say little of the mistake, and so do files alone.
  bool with_message() const { return basis_ == Basis::kLibrary || named_ == 0; }

  // What the message says beside the frames.
  std::string_view message_by_frames() {
    if (with_message()) return message();
    if (head_.empty() && !is_of_engine()) append_head(message(), head_);
    return head_;
  }

  // Engines of JavaScript word the same mistake differently.
  bool is_of_engine() const {
    return frames_[kept_.front().frame].language == StackLanguage::kJavaScript &&
           is_engine_error(name_);
  }

  Fields begin_key(Basis basis) {
    Fields fields(&resource_);
    const char domain[] = {'e', '1', static_cast<char>(basis)};
    fields.add({domain, sizeof domain});
    fields.add(report_.type);
    fields.add(name_);
    return fields;
  }

  Fingerprint by_frames() {
    Fields fields = begin_key(basis_);
    fields.add(cause());
    fields.add(message_by_frames());
    fields.append(fields_.bytes());
    return key_of(basis_, sha256(fields.bytes()));
  }

  Fingerprint by_top() {
    Fields fields = begin_key(Basis::kTop);
    fields.add(cause());
    fields.add(message_by_frames());
    fields.append(bytes_of(0, 1));
    return key_of(Basis::kTop, sha256(fields.bytes()));
  }

  Fingerprint by_message() {
    Fields fields = begin_key(Basis::kMessage);
    fields.add(message());
    return key_of(Basis::kMessage, sha256(fields.bytes()));
  }

  const ErrorReport& report_;
  const FingerprintRules& rules_;
  std::string_view name_;
  alignas(std::max_align_t) std::byte scratch_[kScratch];
  std::pmr::monotonic_buffer_resource resource_;
  std::pmr::vector<StackFrame> frames_;
  std::pmr::vector<FrameVerdict> verdicts_;
  std::pmr::vector<ChainLink> chain_;
  std::pmr::vector<Kept> kept_;
  Fields fields_;                  // function and file of every frame that is kept
  std::string_view printed_file_;  // the one that was looked at last,
  StackLanguage file_language_ = StackLanguage::kJavaScript;
  std::pmr::string file_;  // and what it is in a key
  std::pmr::string message_;
  bool has_message_ = false;
  std::pmr::string head_;  // of the message
  std::size_t named_ = 0;  // frames that are kept and have a function
  Basis basis_ = Basis::kMessage;
};

std::string with_default(std::string_view part, std::string_view default_key) {
  std::string out;
  while (!part.empty()) {
    const std::size_t open = part.find("{{");
    out.append(part.substr(0, open));
    if (open == part.npos) break;
    part.remove_prefix(open);
    std::size_t size = 0;
    for (const std::string_view name : {"{{ default }}", "{{default}}"}) {
      if (part.starts_with(name)) size = name.size();
    }
    out.append(size > 0 ? default_key : part.substr(0, 1));
    part.remove_prefix(size > 0 ? size : 1);
  }
  return out;
}

bool is_default(std::string_view part) { return part == "{{ default }}" || part == "{{default}}"; }

// The rule that gives the error a key of its own. The first that fits may also say that none does.
const FingerprintRule* key_rule(const ErrorReport& report, const FingerprintRules& rules) {
  const FingerprintRule* rule = rules.key_rule(stack::trim(report.name), report.message);
  const bool none = rule != nullptr && rule->key.size() == 1 && is_default(rule->key.front());
  return none ? nullptr : rule;
}

// The only key of an error that a rule gives one, which may stand for the key it would have.
Fingerprint key_by_rule(const FingerprintRule& rule, Scheme& scheme) {
  const Fingerprint plain = scheme.first();
  Fingerprint key;
  const std::string text = custom_fingerprint(rule.key, text_of(plain));
  std::memcpy(key.data(), text.data(), key.size());
  return key;
}

}  // namespace

std::string_view reason_of(FrameVerdict verdict) {
  switch (verdict) {
    case FrameVerdict::kKept:
      return "part of the key";
    case FrameVerdict::kLibrary:
      return "frame of a library";
    case FrameVerdict::kRuntime:
      return "frame of the language's own library";
    case FrameVerdict::kNative:
      return "native frame";
    case FrameVerdict::kEval:
      return "frame of evaluated text";
    case FrameVerdict::kPlumbing:
      return "made by a compiler, proxy or wrapper";
    case FrameVerdict::kUnnamed:
      return "has neither function nor file";
    case FrameVerdict::kRepeat:
      return "repeats the frames before it";
    case FrameVerdict::kBeyond:
      return "behind the frames that make a key";
    case FrameVerdict::kSection:
      return "of another exception of the chain, or of another thread";
    case FrameVerdict::kRule:
      return "dropped by a rule";
  }
  return {};
}

std::string_view reason_of(Basis basis) {
  switch (basis) {
    case Basis::kStack:
      return "frames of the application";
    case Basis::kLibrary:
      return "frames of libraries, as there are none of the application";
    case Basis::kTop:
      return "the frame that threw";
    case Basis::kMessage:
      return "the message, as there are no frames";
    case Basis::kCustom:
      return "parts that were given";
  }
  return {};
}

Fingerprint fingerprint(const ErrorReport& report, const FingerprintRules& rules) {
  Scheme scheme(report, rules);
  const FingerprintRule* rule = key_rule(report, rules);
  return rule != nullptr ? key_by_rule(*rule, scheme) : scheme.first();
}

FingerprintLadder fingerprints(const ErrorReport& report, const FingerprintRules& rules) {
  Scheme scheme(report, rules);
  const FingerprintRule* rule = key_rule(report, rules);
  if (rule == nullptr) return scheme.ladder();
  FingerprintLadder ladder;
  ladder.add(key_by_rule(*rule, scheme), true);
  return ladder;
}

void explain_fingerprint(const ErrorReport& report, const FingerprintRules& rules,
                         FingerprintExplanation& out) {
  Scheme scheme(report, rules, true);
  scheme.explain(out);
  out.rule = key_rule(report, rules);
  if (out.rule == nullptr) {
    out.ladder = scheme.ladder();
  } else {
    out.basis = Basis::kCustom;
    out.ladder.add(key_by_rule(*out.rule, scheme), true);
  }
}

std::string custom_fingerprint(std::span<const std::string_view> parts,
                               std::string_view default_key) {
  if (parts.size() == 1 && is_default(parts.front())) return std::string(default_key);
  std::vector<std::string> texts;
  texts.reserve(parts.size());
  for (const std::string_view part : parts) texts.push_back(with_default(part, default_key));
  std::vector<std::string_view> fields = {"e1c"};
  fields.insert(fields.end(), texts.begin(), texts.end());
  return std::string(text_of(key_of(Basis::kCustom, sha256_fields(fields))));
}

}  // namespace vigil
