// How errors of a module get their keys: by its scheme and rules, and by those it had before.
#pragma once

#include <map>

#include "pg/error_groups.hpp"
#include "pg/fingerprint.hpp"

namespace vigil::pg {

// The settings of the modules of one call, each read once. An SPI connection must be open.
class ModuleGroupings {
 public:
  explicit ModuleGroupings(std::pmr::memory_resource* resource)
      : resource_(resource), modules_(resource) {}

  // The keys of an error, the one that stands for it first. `parts` are what a Sentry client says
  // its fingerprint is made of; none is no fingerprint.
  KeyList keys_of(const Uuid& module, const ErrorReport& report,
                  std::span<const std::string_view> parts);

 private:
  enum class Scheme { kV1, kSeed, kNone };
  struct Settings {
    Scheme scheme = Scheme::kV1;
    std::optional<Scheme> previous;  // while its keys are looked up
    std::optional<FingerprintRuleList> rules;
  };

  static Scheme scheme_named(std::string_view name);
  static void add_keys(Scheme scheme, const ErrorReport& report, const FingerprintRules& rules,
                       std::span<const std::string_view> parts, bool lookup, KeyList& keys);
  const Settings& settings_of(const Uuid& module);

  std::pmr::memory_resource* resource_;
  std::pmr::map<Uuid, Settings> modules_;
};

}  // namespace vigil::pg
