// Whatever the templates: learning ends, gives the same merges in any order, merges of merges
// change nothing but what they may, and what is kept apart stays alone.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <set>

#include "core/log_template.hpp"
#include "core/message_template.hpp"

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

std::vector<std::string> merges(const std::vector<std::string_view>& templates,
                                const std::vector<std::string_view>& apart, std::uint32_t enough) {
  const vigil::LearnedTemplates learned =
      vigil::learn_log_templates(templates, apart, enough, std::pmr::get_default_resource());
  require(learned.merged.size() == templates.size());
  std::vector<std::string> out;
  for (std::size_t i = 0; i < templates.size(); ++i) {
    const std::uint32_t at = learned.merged[i];
    require(at == vigil::LearnedTemplates::kAlone || at < learned.texts.size());
    out.emplace_back(at == vigil::LearnedTemplates::kAlone ? std::string(templates[i])
                                                           : "\n" + std::string(learned.texts[at]));
  }
  return out;
}

}  // namespace

// The first byte says how many words are enough and how many lines are kept apart; the rest are
// lines, as they are or as templates.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::uint32_t enough = 1 + data[0] % 8;
  const std::size_t few = data[0] / 8 % 4;
  const bool raw = data[0] >= 128;
  std::string_view rest(reinterpret_cast<const char*>(data + 1), size - 1);
  std::vector<std::string> apart;
  std::set<std::string> lines;
  while (!rest.empty() && lines.size() < 256) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    std::pmr::string text(rest.substr(0, end));
    if (!raw) {
      text.clear();
      vigil::message_template(rest.substr(0, end), text);
    }
    if (apart.size() < few)
      apart.emplace_back(text);
    else
      lines.emplace(text);
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  std::vector<std::string_view> templates(lines.begin(), lines.end());
  const std::vector<std::string_view> kept(apart.begin(), apart.end());
  const std::vector<std::string> merged = merges(templates, kept, enough);
  for (std::size_t i = 0; i < templates.size(); ++i) {
    if (std::ranges::find(kept, templates[i]) != kept.end()) require(merged[i] == templates[i]);
    require(merged[i].size() <= 3 * templates[i].size() + 4);
  }
  std::ranges::reverse(templates);
  std::vector<std::string> again = merges(templates, kept, enough);
  std::ranges::reverse(again);
  require(again == merged);
  return 0;
}
