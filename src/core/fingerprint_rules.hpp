// What a project says about its own code: whose a frame is, what no frame is, which messages have a
// group of their own.
#pragma once

#include <memory_resource>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/stack.hpp"

namespace vigil {

enum class RuleAction : std::uint8_t { kApp, kLibrary, kDrop, kKey };

// The action of a word: app, library, drop or key. Throws Error{kInvalidArgument}.
RuleAction rule_action(std::string_view word);

// Whether the whole text is as the pattern says: `*` stands for any text, `?` for one byte, any
// other byte for itself. Takes at most the product of both sizes.
bool matches(std::string_view pattern, std::string_view text) noexcept;

// An empty pattern asks nothing.
struct FingerprintRule {
  RuleAction action;
  std::string_view file;      // patterns: of the frame's file, with / for every backslash
  std::string_view function;  // of its function, as printed
  std::string_view name;      // of the error
  std::string_view message;
  std::span<const std::string_view> key;  // parts, for action key
};

inline constexpr std::size_t kMaxRulePattern = 500;

// The rules of one module, in their order: the first that fits decides.
class FingerprintRules {
 public:
  FingerprintRules() = default;
  explicit FingerprintRules(std::span<const FingerprintRule> rules) : rules_(rules) {}

  bool empty() const { return rules_.empty(); }

  // The rule that gives the error its key, or null.
  const FingerprintRule* key_rule(std::string_view name, std::string_view message) const;

  // The rule that says what a frame is, or null.
  const FingerprintRule* frame_rule(const StackFrame& frame) const;

 private:
  std::span<const FingerprintRule> rules_;
};

}  // namespace vigil
