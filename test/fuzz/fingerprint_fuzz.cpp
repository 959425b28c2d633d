// A fingerprint is 32 hexadecimal digits, whatever the stack; one given in parts depends on the
// default key exactly if a part stands for it.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "core/fingerprint.hpp"

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

void require_key(std::string_view key) {
  require(key.size() == 32);
  require(key.find_first_not_of("0123456789abcdef") == key.npos);
}

void require_v1(std::string_view key, std::string_view bases) {
  require(key.size() == 36 && key.starts_with("e1") && key[3] == '_');
  require(bases.find(key[2]) != bases.npos);
  require_key(key.substr(4));
}

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    lines.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::string key = vigil::seed_fingerprint("type", "name", text);
  require_key(key);

  const auto lines = lines_of(text);
  const std::string custom = vigil::custom_fingerprint(lines, key);
  const bool takes_default = std::ranges::any_of(lines, [](std::string_view line) {
    return line.find("{{ default }}") != line.npos || line.find("{{default}}") != line.npos;
  });
  require((vigil::custom_fingerprint(lines, "other") == custom) != takes_default);
  if (!takes_default) require_v1(custom, "c");

  // The first line is the message, the second a pattern, and the rest the stack.
  const std::string_view message = lines.empty() ? std::string_view() : lines[0];
  const std::string_view pattern = lines.size() < 2 ? std::string_view() : lines[1];
  const vigil::ErrorReport report{"type", "TypeError", message, text};
  const vigil::Fingerprint first = vigil::fingerprint(report);
  require_v1(vigil::text_of(first), "sym");
  const vigil::FingerprintLadder ladder = vigil::fingerprints(report);
  require(ladder.keys().front() == first);
  require(ladder.keys().size() == (first[2] == 'm' ? 1U : 3U));
  vigil::FingerprintExplanation explanation(std::pmr::get_default_resource());
  explain_fingerprint(report, {}, explanation);
  require(explanation.ladder.keys().front() == first);

  const vigil::FingerprintRule rules[] = {
      {vigil::RuleAction::kDrop, pattern, {}, {}, {}, {}},
      {vigil::RuleAction::kApp, "*node_modules*", {}, {}, {}, {}}};
  require_v1(vigil::text_of(vigil::fingerprint(report, vigil::FingerprintRules(rules))), "sym");
  require(vigil::matches(pattern, pattern));
  return 0;
}
