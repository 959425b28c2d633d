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

// Whether the file is part of a key: not where the function, which has a name, says it all with its
// class or package.
bool has_file(const StackFrame& frame, bool named);

// Appends the file: without host, query, deploy root, version and build hash.
void append_file(const StackFrame& frame, std::pmr::string& out);

}  // namespace vigil
