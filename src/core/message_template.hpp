// What two messages of one kind have in common: a text with placeholders for what varies.
#pragma once

#include <array>
#include <cstddef>
#include <memory_resource>
#include <string>
#include <string_view>
#include <vector>

namespace vigil {

// Only so many bytes of a text are looked at; what follows has no influence.
inline constexpr std::size_t kTemplateInput = 8192;

// What stands in templates for what varies.
inline constexpr std::array<std::string_view, 12> kTemplatePlaceholders = {
    "<num>", "<host>", "<mac>",  "<uuid>",     "<jwt>",  "<email>",
    "<url>", "<path>", "<time>", "<duration>", "<size>", "<val>"};

// Appends the template of the text to `out`. The text is taken as bytes: anything is allowed, what
// is not ASCII counts as letters. Stateless, without locale, and linear in the text.
void message_template(std::string_view text, std::pmr::string& out);

// `t1_` and 32 hexadecimal digits: MurmurHash3_x64_128 (seed 0) of the template, both words as
// numbers, the low one first. Computed while scanning, without memory. `t1` is the version of the
// rules: other rules get another one.
using TemplateKey = std::array<char, 35>;
TemplateKey template_key(std::string_view text) noexcept;

// The same hash over a template that is already there.
TemplateKey key_of_template(std::string_view message) noexcept;

// A part of a text: kept in its template, or a placeholder there.
struct TemplatePart {
  std::string_view text;
  std::pmr::string placeholder;  // empty: kept
};

// Appends the parts of a text in their order; blanks between them are left out.
void explain_template(std::string_view text, std::pmr::vector<TemplatePart>& parts);

// How often a byte of the text is read to find its template: at most a fixed multiple of its size.
std::size_t template_work(std::string_view text) noexcept;

}  // namespace vigil
