// Which templates of logs are one: those that differ in one word of which enough different ones
// were seen.
#pragma once

#include <cstdint>
#include <memory_resource>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace vigil {

// How many different words in one place show that the place varies.
inline constexpr std::uint32_t kEnoughWords = 5;

// Templates of more words and punctuation marks than these are never merged.
inline constexpr std::size_t kMostTemplateTokens = 256;

// What templates were merged into. All memory is from the resource they were learned with.
struct LearnedTemplates {
  static constexpr std::uint32_t kAlone = ~std::uint32_t{0};

  std::pmr::vector<std::uint32_t> merged;    // of each template, where in `texts`, or kAlone
  std::pmr::vector<std::pmr::string> texts;  // each of two templates or more, with <*>
};

// Merges templates (of message_template()), each given once. What a text of `apart` covers, which
// may have <*> for any word, is not merged, but shows like the others that a place varies. The
// result depends on the set of templates and not on their order. Time is almost linear in the bytes
// of the templates.
LearnedTemplates learn_log_templates(std::span<const std::string_view> templates,
                                     std::span<const std::string_view> apart, std::uint32_t enough,
                                     std::pmr::memory_resource* resource);

}  // namespace vigil
