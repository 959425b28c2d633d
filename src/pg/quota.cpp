#include "pg/quota.hpp"

#include "pg/spi.hpp"

namespace vigil::pg {

namespace {

constexpr std::string_view kQuotaNames[] = {"events", "errors", "error_copies"};
static_assert(lengthof(kQuotaNames) == kQuotaCount);

using ModuleQuotas = std::array<std::optional<RateLimit>, kQuotaCount>;

// vigil.quotas as this backend last read it. They are few and seldom change: the trigger of the
// table invalidates its relation cache entry, and with it what every backend has read.
struct KnownQuotas {
  std::map<Uuid, ModuleQuotas> modules;
  Oid table = InvalidOid;
  bool valid = false;
};

KnownQuotas known;

void forget_quotas(Datum, Oid relation) {
  if (relation == known.table || !OidIsValid(relation)) known.valid = false;
}

std::size_t index_of(std::string_view fact) {
  return static_cast<std::size_t>(std::ranges::find(kQuotaNames, fact) - kQuotaNames);
}

void add_quota(std::uint64_t row) {
  struct Values {
    const pg_uuid_t* module;
    Datum fact;
    std::int32_t max;
    const Interval* per;
    std::int32_t burst;
  };
  const Values values = call([&] {
    const auto value = [&](int column) {
      bool null = false;
      return SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, column, &null);
    };
    return Values{DatumGetUUIDP(value(1)), value(2), DatumGetInt32(value(3)),
                  DatumGetIntervalP(value(4)), DatumGetInt32(value(5))};
  });
  const std::size_t fact = index_of(text_view(values.fact));
  if (fact == kQuotaCount) return;
  Uuid module;
  std::memcpy(module.bytes.data(), values.module->data, UUID_LEN);
  try {
    known.modules[module][fact] = make_rate_limit(values.max, *values.per, values.burst);
  } catch (const Error&) {
    // Numbers that vigil.set_quota would not have written must not stop ingest.
  }
}

void read_quotas() {
  static Statement select{
      "SELECT module_id, fact, max, per, coalesce(burst, max) FROM vigil.quotas"};
  static bool registered = false;
  if (!registered) call([] { CacheRegisterRelcacheCallback(forget_quotas, Datum{0}); });
  registered = true;
  known.modules.clear();
  known.table = call([] { return get_relname_relid("quotas", get_namespace_oid("vigil", false)); });
  try {
    // A change from now on makes it invalid again; an old snapshot says nothing of later ones.
    known.valid = !IsolationUsesXactSnapshot();
    const std::uint64_t rows = select.run({}, {});
    for (std::uint64_t row = 0; row < rows; ++row) add_quota(row);
  } catch (...) {
    known.valid = false;
    throw;
  }
}

const std::optional<RateLimit>& quota_of(const Uuid& module, QuotaFact fact) {
  static constexpr std::optional<RateLimit> kNone;
  const auto found = known.modules.find(module);
  return found == known.modules.end() ? kNone : found->second[static_cast<std::size_t>(fact)];
}

}  // namespace

bool Quotas::admits_event(const Uuid& module) { return admits(module, QuotaFact::kEvents); }

// Copies first: a flood of one error shall leave room for others.
bool Quotas::admits_error(const Uuid& module, std::string_view fingerprint) {
  return admits(module, QuotaFact::kErrorCopies, fingerprint) && admits(module, QuotaFact::kErrors);
}

bool Quotas::admits(const Uuid& module, QuotaFact fact, std::string_view copy_of) {
  if (!ready_ && !known.valid) read_quotas();
  ready_ = true;
  if (known.modules.empty()) return true;
  const auto& quota = quota_of(module, fact);
  if (!quota || take_one(key_of(module, fact, copy_of), *quota)) return true;
  ++refused_[{module, fact}];
  return false;
}

// Most items of a call are of one module.
LimitedKey Quotas::key_of(const Uuid& module, QuotaFact fact, std::string_view copy_of) {
  auto& last = last_[static_cast<std::size_t>(fact)];
  if (last && last->module == module && copy_of.empty()) return last->key;
  // The key is the module alone, so that it can be exempt.
  std::string scope = "quota of " + std::string(kQuotaNames[static_cast<std::size_t>(fact)]);
  if (!copy_of.empty()) scope.append(" ").append(copy_of);
  last = {module, limited_key(scope, to_string(module))};
  return last->key;
}

std::int32_t Quotas::write_refused(const char* source) {
  static Statement insert{
      "INSERT INTO vigil.rejected (source, module_id, sqlstate, reason, hint, items) "
      "SELECT $1, r.module_id, '53400', format('%s %s above the quota of %s in %s', r.items, "
      "replace(r.fact, '_', ' '), q.max, q.per), format('SELECT vigil.set_quota(%L, %L, ...);', "
      "r.module_id, r.fact), r.items "
      "FROM unnest($2::uuid[], $3::text[], $4::int[]) AS r (module_id, fact, items) "
      "LEFT JOIN vigil.quotas q ON q.module_id = r.module_id AND q.fact = r.fact"};
  if (refused_.empty()) return 0;
  ArrayBuilder modules(UUIDOID);
  ArrayBuilder facts(TEXTOID);
  ArrayBuilder counts(INT4OID);
  std::int32_t total = 0;
  for (const auto& [what, count] : refused_) {
    modules.add(PointerGetDatum(what.first.bytes.data()));
    facts.add_text(kQuotaNames[static_cast<std::size_t>(what.second)]);
    counts.add(Int32GetDatum(count));
    total += count;
  }
  const Oid types[] = {TEXTOID, UUIDARRAYOID, TEXTARRAYOID, INT4ARRAYOID};
  Datum values[] = {text_datum(source), modules.build(), facts.build(), counts.build()};
  insert.run(types, values);
  return total;
}

}  // namespace vigil::pg

extern "C" {

PG_FUNCTION_INFO_V1(vigil_quotas_changed);
Datum vigil_quotas_changed(PG_FUNCTION_ARGS) {
  using namespace vigil::pg;
  return entry([&] {
    if (!CALLED_AS_TRIGGER(fcinfo))
      throw vigil::Error(vigil::Code::kInvalidArgument,
                         "quotas_changed was not called as a trigger");
    call([&] {
      CacheInvalidateRelcache(reinterpret_cast<TriggerData*>(fcinfo->context)->tg_relation);
    });
    return PointerGetDatum(nullptr);
  });
}
}
