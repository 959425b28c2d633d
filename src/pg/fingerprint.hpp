// Rules of fingerprints as SQL gives them.
#pragma once

#include "core/fingerprint.hpp"
#include "pg/boundary.hpp"

namespace vigil::pg {

// The rules of a jsonb array, as vigil.fingerprint_rules_of() makes it:
//   {"action": "app|library|drop|key", "file", "function", "name", "message": patterns, "key":
//   [texts]}
// Views are into the datum. Throws Error{kInvalidArgument} with the rule that is wrong.
class FingerprintRuleList {
 public:
  FingerprintRuleList(Datum rules, std::pmr::memory_resource* resource);
  FingerprintRules rules() const { return FingerprintRules(rules_); }

 private:
  std::pmr::vector<FingerprintRule> rules_;
};

}  // namespace vigil::pg
