#include "core/fingerprint_rules.hpp"

#include "core/error.hpp"

namespace vigil {
namespace {

bool same(char wanted, char c) { return wanted == c || (wanted == '/' && c == '\\'); }

bool asks(std::string_view pattern, std::string_view text) {
  return pattern.empty() || matches(pattern, text);
}

}  // namespace

RuleAction rule_action(std::string_view word) {
  if (word == "app") return RuleAction::kApp;
  if (word == "library") return RuleAction::kLibrary;
  if (word == "drop") return RuleAction::kDrop;
  if (word == "key") return RuleAction::kKey;
  throw Error(Code::kInvalidArgument, "unknown action \"" + std::string(word) + "\" of a rule", {},
              "Known actions: app, library, drop, key.");
}

bool matches(std::string_view pattern, std::string_view text) noexcept {
  std::size_t at = 0;
  std::size_t wanted = 0;
  std::size_t star = pattern.npos;  // the last one seen, and where its text ends for now
  std::size_t star_end = 0;
  while (at < text.size()) {
    if (wanted < pattern.size() && pattern[wanted] == '*') {
      star = wanted++;
      star_end = at;
    } else if (wanted < pattern.size() &&
               (pattern[wanted] == '?' || same(pattern[wanted], text[at]))) {
      ++wanted;
      ++at;
    } else if (star != pattern.npos) {
      wanted = star + 1;
      at = ++star_end;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', wanted) == pattern.npos;
}

const FingerprintRule* FingerprintRules::key_rule(std::string_view name,
                                                  std::string_view message) const {
  for (const FingerprintRule& rule : rules_)
    if (rule.action == RuleAction::kKey && asks(rule.name, name) && asks(rule.message, message))
      return &rule;
  return nullptr;
}

const FingerprintRule* FingerprintRules::frame_rule(const StackFrame& frame) const {
  for (const FingerprintRule& rule : rules_)
    if (rule.action != RuleAction::kKey && asks(rule.file, frame.file) &&
        asks(rule.function, frame.function))
      return &rule;
  return nullptr;
}

}  // namespace vigil
