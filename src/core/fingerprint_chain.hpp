// Which frames of a trace belong to the exception at its root. Internal to core/fingerprint*.cpp.
#pragma once

#include <cstddef>
#include <memory_resource>
#include <string_view>
#include <vector>

#include "core/stack.hpp"

namespace vigil {

// One exception of a chain: the text from its header on. The first may have its header before it.
struct ChainLink {
  std::size_t from;       // offset in the stack
  int depth;              // the root is deepest
  bool aside;             // suppressed, or another thread: no part of the chain
  std::string_view name;  // of the exception; empty: not said
};

// Appends the links of a trace in the order of the text; at least one. The result is the work done:
// how often a byte was looked at.
std::size_t find_chain(std::string_view stack, std::pmr::vector<ChainLink>& chain);

// The link that a frame stands in.
const ChainLink& link_of(std::string_view stack, const std::pmr::vector<ChainLink>& chain,
                         const StackFrame& frame);

}  // namespace vigil
