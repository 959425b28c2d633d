// The keys of a rate limit that are never counted: single keys, prefixes and blocks of addresses.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/url_guard.hpp"

namespace vigil {

class ExemptKeys {
 public:
  // Reads a list with commas between its elements and blanks around them: a key, a prefix with *
  // behind it, or an address or block of addresses in CIDR notation. No value when a block is
  // malformed; `reason` then names it (lower case, for a user).
  static std::optional<ExemptKeys> parse(std::string_view text, std::string& reason);

  // Blocks hold keys that are a bare address.
  bool contains(std::string_view key) const noexcept;

 private:
  std::vector<std::string> keys_;
  std::vector<std::string> prefixes_;
  AddressList addresses_;
};

}  // namespace vigil
