// Keys that put equal errors into one group. doc/fingerprint.md says exactly how they are made.
#pragma once

#include <array>
#include <cstdint>
#include <memory_resource>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/fingerprint_rules.hpp"
#include "core/message_template.hpp"
#include "core/stack.hpp"

namespace vigil {

// An error as it was reported; any part may be empty. Text is expected to be well-formed UTF-8.
struct ErrorReport {
  std::string_view type;
  std::string_view name;
  std::string_view message;
  std::string_view stack;
};

// What a key of scheme v1 was made from.
enum class Basis : char {
  kStack = 's',    // frames of the application
  kLibrary = 'y',  // frames of libraries, as there were none of the application
  kTop = 't',      // the frame that threw
  kMessage = 'm',
  kCustom = 'c',  // parts that the client or a rule gave
};

// `e1`, the basis, `_` and 32 hexadecimal digits.
using Fingerprint = std::array<char, 36>;

inline std::string_view text_of(const Fingerprint& key) { return {key.data(), key.size()}; }

// The keys of one error, the most telling first: all frames, the top frame, the message.
class FingerprintLadder {
 public:
  void add(const Fingerprint& key, bool finds) {
    keys_[size_] = key;
    finds_[size_++] = finds;
  }
  std::span<const Fingerprint> keys() const { return {keys_.data(), size_}; }

  // Whether the key may find the group of its error; otherwise it tells too little, and is only
  // there for errors of which less is known. The frame that threw does if no other frame has a
  // name, the message if there is no frame.
  bool finds(std::size_t index) const { return finds_[index]; }

 private:
  std::array<Fingerprint, 3> keys_;
  std::array<bool, 3> finds_{};
  std::size_t size_ = 0;
};

// Scheme v1. The first takes the time of one hash, the second of three.
Fingerprint fingerprint(const ErrorReport& report, const FingerprintRules& rules = {});
FingerprintLadder fingerprints(const ErrorReport& report, const FingerprintRules& rules = {});

// What became of a frame.
enum class FrameVerdict : std::uint8_t {
  kKept,
  kLibrary,  // not of the application
  kRuntime,
  kNative,
  kEval,
  kPlumbing,  // made by a compiler or a proxy
  kUnnamed,   // neither function nor file
  kRepeat,    // of the frames before it
  kBeyond,    // enough were kept
  kSection,   // of another exception of the chain, or another thread
  kRule,      // dropped by a rule
};

// Why, in words that end up before people.
std::string_view reason_of(FrameVerdict verdict);
std::string_view reason_of(Basis basis);

struct ExplainedFrame {
  StackFrame frame;
  FrameVerdict verdict;
  std::pmr::string function;  // as it is part of the key
  std::pmr::string file;
};

// How the key of a report came about.
struct FingerprintExplanation {
  explicit FingerprintExplanation(std::pmr::memory_resource* resource)
      : cause(resource),
        message(resource),
        message_parts(resource),
        message_by_frames(resource),
        frames(resource) {}

  FingerprintLadder ladder;
  Basis basis = Basis::kMessage;
  std::string_view name;
  std::pmr::string cause;    // name of the exception at the root, if there is a chain
  std::pmr::string message;  // template,
  std::pmr::vector<TemplatePart> message_parts;  // and what it is made of
  std::pmr::string message_by_frames;  // what of it is part of keys that are made of frames
  std::pmr::vector<ExplainedFrame> frames;
  const FingerprintRule* rule = nullptr;  // that gave the key
};

// Fills `out`; its views are into the report and the rules.
void explain_fingerprint(const ErrorReport& report, const FingerprintRules& rules,
                         FingerprintExplanation& out);

// The key of a fingerprint that is given in parts. `{{ default }}` and `{{default}}` anywhere in a
// part stand for `default_key`, the key that the error would have without it; a single part that is
// nothing else is no custom fingerprint, so the result is that key.
std::string custom_fingerprint(std::span<const std::string_view> parts,
                               std::string_view default_key);

// The fingerprint of the first seed, bit for bit: 32 hexadecimal characters of SHA-256 over
// `error_type:error_name:` and the first 500 UTF-16 code units of the stack, in which
//   1. every match of /:\d+:\d+/ became `:X:X`, then
//   2. every match of /\?[^\s]+/ was removed (both as JavaScript matches; \s is its white space).
// A cut inside a surrogate pair leaves U+FFFD for its first half, as JavaScript encodes a lone
// surrogate. A stack that is null is empty here.
std::string seed_fingerprint(std::string_view error_type, std::string_view error_name,
                             std::string_view stack);

}  // namespace vigil
