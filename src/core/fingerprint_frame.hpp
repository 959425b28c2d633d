// The part of a frame that stays the same from one deploy, browser and compiler run to the next.
// Internal to core/fingerprint*.cpp.
#pragma once

#include <memory_resource>
#include <string>
#include <string_view>

#include "core/stack.hpp"

namespace vigil {

// Appends the function: without decoration, parameters, and numbers that a compiler gave. Nothing
// is appended for an anonymous one, however the language spells that. False, and nothing, when a
// compiler, a proxy or a wrapper made the frame: it comes and goes with versions.
bool append_function(const StackFrame& frame, std::pmr::string& out);

// Appends the file: without host, query, deploy root, version and build hash. Nothing is appended
// where the function says it all: its name has the class or package.
void append_file(const StackFrame& frame, bool named, std::pmr::string& out);

}  // namespace vigil
