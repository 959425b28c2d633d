// What stays the same of a message. Internal to core/fingerprint*.cpp.
#pragma once

#include <memory_resource>
#include <string>
#include <string_view>
#include <vector>

#include "core/message_template.hpp"

namespace vigil {

// Appends the template of the message: of its first two lines that are not blank, without the
// error's own name and words like "Uncaught" before it. What the JavaScript engines say in words of
// their own about one mistake has one text.
void append_message(std::string_view name, std::string_view message, std::pmr::string& out);

// Appends the parts of the message that the template is made of, or one part for all of it where
// engines have words of their own.
void explain_message(std::string_view name, std::string_view message,
                     std::pmr::vector<TemplatePart>& parts);

// Appends what a template says beside the frames of an error: the part before a colon that has two
// words at least, at most twelve words, no names of people and things.
void append_head(std::string_view message, std::pmr::string& out);

// Whether the engine throws errors of this name by itself, in words of its own.
bool is_engine_error(std::string_view name);

}  // namespace vigil
