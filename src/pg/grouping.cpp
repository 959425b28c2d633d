#include "pg/grouping.hpp"

#include "core/digest.hpp"

namespace vigil::pg {

namespace {

// A key that no other error has.
std::string unique_key() {
  Digest random{};
  if (!pg_strong_random(random.data(), random.size()))
    throw Error(Code::kInternal, "could not generate random values");
  return "u_" + to_hex(random).substr(0, 32);
}

// Adds the keys from the most telling on. Those that tell too little only become keys of the group:
// everything that failed to fetch would be one, and everything that an assertion threw.
void add_ladder(const FingerprintLadder& ladder, bool lookup, KeyList& keys) {
  for (std::size_t i = 0; i < ladder.keys().size(); ++i) {
    const std::string_view key = text_of(ladder.keys()[i]);
    if (lookup && ladder.finds(i)) keys.add(KeyRole::kLookup, key);
    if (!lookup) keys.add(ladder.finds(i) ? KeyRole::kBoth : KeyRole::kAttached, key);
  }
}

}  // namespace

ModuleGroupings::Scheme ModuleGroupings::scheme_named(std::string_view name) {
  return name == "seed" ? Scheme::kSeed : name == "none" ? Scheme::kNone : Scheme::kV1;
}

void ModuleGroupings::add_keys(Scheme scheme, const ErrorReport& report,
                               const FingerprintRules& rules,
                               std::span<const std::string_view> parts, bool lookup,
                               KeyList& keys) {
  FingerprintLadder ladder;
  std::string key;
  switch (scheme) {
    case Scheme::kV1:
      ladder = fingerprints(report, rules);
      key = text_of(ladder.keys().front());
      break;
    case Scheme::kSeed:
      key = seed_fingerprint(report.type, report.name, report.stack);
      break;
    case Scheme::kNone:
      key = unique_key();
      break;
  }
  const std::string custom = parts.empty() ? key : custom_fingerprint(parts, key);
  if (custom == key && scheme == Scheme::kV1) return add_ladder(ladder, lookup, keys);
  keys.add(lookup ? KeyRole::kLookup : KeyRole::kBoth, custom);
}

const ModuleGroupings::Settings& ModuleGroupings::settings_of(const Uuid& module) {
  static Statement select{
      "SELECT s.scheme::text, CASE WHEN s.previous_until > now() THEN s.previous_scheme::text END, "
      "CASE WHEN EXISTS (SELECT FROM vigil.fingerprint_rules r WHERE r.module_id = $1) "
      "THEN vigil.fingerprint_rules_of($1) END "
      "FROM (SELECT) AS always LEFT JOIN vigil.grouping_settings s ON s.module_id = $1",
      true};
  const auto [found, fresh] = modules_.try_emplace(module);
  Settings& settings = found->second;
  if (!fresh) return settings;
  const Oid types[] = {UUIDOID};
  Datum values[] = {PointerGetDatum(module.bytes.data())};
  select.run(types, values);
  const auto value = [](int column) {
    return call([&] {
      NullableDatum result{};
      result.value =
          SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, column, &result.isnull);
      return result;
    });
  };
  const NullableDatum scheme = value(1);
  const NullableDatum previous = value(2);
  const NullableDatum rules = value(3);
  if (!scheme.isnull) settings.scheme = scheme_named(text_view(scheme.value));
  if (!previous.isnull) settings.previous = scheme_named(text_view(previous.value));
  if (!rules.isnull) settings.rules.emplace(rules.value, resource_);
  return settings;
}

KeyList ModuleGroupings::keys_of(const Uuid& module, const ErrorReport& report,
                                 std::span<const std::string_view> parts) {
  const Settings& settings = settings_of(module);
  const FingerprintRules rules = settings.rules ? settings.rules->rules() : FingerprintRules();
  KeyList keys;
  add_keys(settings.scheme, report, rules, parts, false, keys);
  // A rule that is new finds the group of before; so does a new scheme for a while.
  if (settings.scheme == Scheme::kV1 && !rules.empty())
    add_keys(Scheme::kV1, report, {}, parts, true, keys);
  if (settings.previous && *settings.previous != Scheme::kNone)
    add_keys(*settings.previous, report, rules, parts, true, keys);
  return keys;
}

}  // namespace vigil::pg
