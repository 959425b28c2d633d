#include "pg/ingest.hpp"

#include <set>

#include "core/digest.hpp"
#include "core/ip.hpp"
#include "pg/settings.hpp"

namespace vigil::pg {

namespace {

constexpr std::int64_t kPostgresEpoch =
    (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * static_cast<std::int64_t>(SECS_PER_DAY) * 1000000;

Datum empty_json() {
  return call([] {
    JsonbParseState* state = nullptr;
    pushJsonbValue(&state, WJB_BEGIN_OBJECT, nullptr);
    return JsonbPGetDatum(JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, nullptr)));
  });
}

void default_text(Field& field, std::string_view text) {
  if (!field.present && !text.empty()) set_text(field, text);
}

void default_member(Field& field, const void* object, std::string_view key) {
  if (!field.present) default_text(field, text_member(object, key));
}

// The jsonb whose outermost container it is.
Datum whole_datum(const void* container) {
  return PointerGetDatum(static_cast<const char*>(container) - offsetof(Jsonb, root));
}

// The container of a jsonb that is ready to be stored.
const void* container_of(const Field& field) {
  return field.present ? json_container(PointerGetDatum(field.container)) : nullptr;
}

std::pmr::string masked(std::string_view text, std::pmr::memory_resource* resource) {
  std::pmr::string out(resource);
  mask_ip_addresses(text, out);
  return out;
}

void upper_case(Texts& texts, Field& field) {
  const auto is_lower = [](char c) { return c >= 'a' && c <= 'z'; };
  if (!field.present || std::ranges::none_of(field.text, is_lower)) return;
  std::string text(field.text);
  for (char& c : text)
    if (is_lower(c)) c = static_cast<char>(c - 'a' + 'A');
  field.text = texts.keep(text);
}

}  // namespace

void refuse(const Rejection& rejection) {
  throw Error(rejection.code, rejection.reason, {}, rejection.hint);
}

std::optional<Rejection> check_size(std::string_view column, const void* container) {
  const std::size_t size = json_size(container);
  if (size <= static_cast<std::size_t>(settings::max_payload_bytes)) return std::nullopt;
  return Rejection{Code::kLimitExceeded,
                   "\"" + std::string(column) + "\" has " + std::to_string(size) +
                       " bytes, the limit is " + std::to_string(settings::max_payload_bytes),
                   "Raise vigil.max_payload_bytes, or send less."};
}

Ingest::Ingest(const char* source)
    : source_(source),
      resource_(CurrentMemoryContext),
      texts_(&resource_),
      events_(event_table(), texts_.resource()),
      errors_(error_table(), texts_.resource()),
      groupings_(&resource_),
      quotas_(&resource_),
      rejected_(&resource_),
      releases_(&resource_) {}

std::optional<Rejection> Ingest::read_members(std::span<const Member> members,
                                              std::span<const Column> columns, Row& row, int rest,
                                              Containers containers) {
  std::optional<JsonObject> others;
  const auto keep = [&](const Member& member) {
    if (rest < 0) return;
    if (!others) others.emplace();
    others->add(member.key, member.value);
  };
  struct Alias {
    std::size_t index;
    const Member* member;
  };
  std::pmr::vector<Alias> aliases(&resource_);
  for (const Member& member : members) {
    const ColumnMatch match = find_column(columns, member.key);
    const auto index = static_cast<std::size_t>(match.index);
    if (match.index < 0) {
      keep(member);
    } else if (!match.own_name) {
      aliases.push_back({index, &member});
    } else if (row[index].present) {
      keep(member);
    } else if (auto rejection = read_field(columns[index], member.value, row[index])) {
      return rejection;
    }
  }
  // The column's own name wins over its other keys, whatever their order.
  for (const auto& [index, member] : aliases) {
    if (row[index].present)
      keep(*member);
    else if (auto rejection = read_field(columns[index], member->value, row[index]))
      return rejection;
  }
  if (auto rejection = finish_members(columns, row, containers)) return rejection;
  return others ? keep_others(others->finish(), row[static_cast<std::size_t>(rest)]) : std::nullopt;
}

std::optional<Rejection> Ingest::finish_members(std::span<const Column> columns, Row& row,
                                                Containers containers) {
  if (auto missing = missing_field(columns, row)) return missing;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    if (columns[i].type != ColumnType::kObject || !row[i].present) continue;
    const void* container = row[i].container;
    if (auto rejection = check_size(columns[i].name, container)) return rejection;
    set_json(row[i], containers == Containers::kWhole ? scrubbed_json(whole_datum(container))
                                                      : scrubbed_json(container));
  }
  return std::nullopt;
}

// Members that have no column are not lost; those of the object itself win.
std::optional<Rejection> Ingest::keep_others(Datum others, Field& field) {
  const void* container = json_container(others);
  if (auto rejection = check_size("members without a column", container)) return rejection;
  const Datum kept = scrubbed_json(others);
  set_json(field, field.present ? call([&] {
             return DirectFunctionCall2(jsonb_concat, kept, PointerGetDatum(field.container));
           })
                                : kept);
  return std::nullopt;
}

// Texts that did not come as a member of their own (a subject found in the payload, all of an
// envelope) have been measured by nobody. An id is compared by its hash, so it is left whole.
void Ingest::clip(std::span<const Column> columns, Row& row, std::size_t external_id) const {
  for (std::size_t i = 0; i < columns.size(); ++i)
    if (columns[i].type == ColumnType::kText && row[i].text.size() > columns[i].longest &&
        i != external_id)
      clip_text(columns[i], row[i]);
}

void Ingest::set_now(Field& time) const {
  if (time.present) return;
  time.present = true;
  time.integer = GetCurrentTransactionStartTimestamp() + kPostgresEpoch;
}

std::string_view Ingest::secret_key() {
  if (!secret_.empty()) return secret_;
  if (settings::ip_hash_key != nullptr && settings::ip_hash_key[0] != '\0')
    return secret_ = settings::ip_hash_key;
  static Statement select{"SELECT value FROM vigil.secrets WHERE name = 'ip_hash_key'"};
  if (select.run({}, {}, nullptr, true) == 0)
    throw Error(Code::kNullValue, "no key to hash IP addresses with", {},
                "Set vigil.ip_hash_key, or insert a row ip_hash_key into vigil.secrets.");
  const Datum key = call([] {
    bool null = false;
    return SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &null);
  });
  return secret_ = texts_.keep(text_view(key));
}

// The address and the user's id leave no trace but their keyed hashes.
void Ingest::hide_person(Field& ip, Field& user) {
  if (ip.present) ip.text = texts_.keep(hash_ip(ip.text, secret_key()));
  if (user.present) {
    const Digest digest = hmac_sha256(secret_key(), user.text);
    user.text = texts_.keep(to_hex(digest).substr(0, 32));
  }
}

void Ingest::default_json(Field& field) {
  if (field.present) return;
  if (!empty_.present) set_json(empty_, empty_json());
  field = empty_;
}

std::optional<Rejection> Ingest::add_event(Row&& row) {
  using enum EventColumn;
  if (!quotas_.admits_event(row[at(kModuleId)].uuid)) return std::nullopt;
  const void* payload = container_of(row[at(kPayload)]);
  const void* metadata = container_of(row[at(kMetadata)]);
  // Collectors put the client's time there.
  if (!row[at(kCreatedAt)].present && metadata != nullptr)
    (void)read_field(event_columns()[at(kCreatedAt)], member(metadata, "timestamp"),
                     row[at(kCreatedAt)]);
  set_now(row[at(kCreatedAt)]);
  const std::string_view type = row[at(kType)].text;
  if (!row[at(kSubject)].present) {
    std::string_view subject;
    if (const auto key = subject_key(type))
      subject = key->empty() ? row[at(kName)].text : text_member(payload, *key);
    set_text(row[at(kSubject)], subject);
  }
  default_member(row[at(kStatus)], payload, "statusCode");
  if (!row[at(kSuccess)].present) {
    const std::string_view status = row[at(kStatus)].present ? row[at(kStatus)].text : "";
    if (const auto success = judge_success(type, row[at(kName)].text, status)) {
      row[at(kSuccess)].present = true;
      row[at(kSuccess)].boolean = *success;
    }
  }
  default_member(row[at(kDevice)], metadata, "device");
  default_member(row[at(kBrowser)], metadata, "browser");
  hide_person(row[at(kIpHash)], row[at(kUserKey)]);
  upper_case(texts_, row[at(kCountry)]);
  default_json(row[at(kPayload)]);
  default_json(row[at(kMetadata)]);
  clip(event_columns(), row, at(kExternalId));
  events_.add(std::move(row));
  return std::nullopt;
}

// The keys of an error stand behind its columns until its group is found.
constexpr std::size_t kKeys = at(ErrorColumn::kContext) + 1;

void Ingest::set_fingerprint(Row& row, std::span<const std::string_view> parts) {
  using enum ErrorColumn;
  row.resize(kKeys + 1);
  const auto text = [&](ErrorColumn column) {
    return row[at(column)].present ? row[at(column)].text : std::string_view();
  };
  Field& fingerprint = row[at(kFingerprint)];
  KeyList keys;
  if (fingerprint.present && !fingerprint.text.empty()) {
    keys.add(KeyRole::kBoth, fingerprint.text);
  } else {
    keys = groupings_.keys_of(row[at(kModuleId)].uuid,
                              {text(kType), text(kName), text(kMessage), text(kStack)}, parts);
    set_text(fingerprint, texts_.keep(keys.first()));
  }
  set_text(row[kKeys], texts_.keep(keys.text()));
}

std::optional<Rejection> Ingest::add_error(Row&& row, std::span<const std::string_view> parts) {
  using enum ErrorColumn;
  set_now(row[at(kCreatedAt)]);
  set_fingerprint(row, parts);
  if (!quotas_.admits_error(row[at(kModuleId)].uuid, row[at(kFingerprint)].text))
    return std::nullopt;
  default_text(row[at(kLevel)], "error");
  hide_person(row[at(kIpHash)], row[at(kUserKey)]);
  upper_case(texts_, row[at(kCountry)]);
  default_json(row[at(kTags)]);
  default_json(row[at(kContext)]);
  clip(error_columns(), row, at(kExternalId));
  errors_.add(std::move(row));
  return std::nullopt;
}

void Ingest::set_release(const Uuid& module, std::string_view release, Field& version) {
  const std::string_view space(reinterpret_cast<const char*>(module.bytes.data()), UUID_LEN);
  version.present = true;
  version.uuid = name_uuid(space, release);
  releases_.push_back({module, version.uuid, texts_.keep(release)});
}

// New releases are rare: look first, write only what is missing.
void Ingest::write_releases() {
  static Statement insert{
      "INSERT INTO vigil.versions (module_id, version_id, release) "
      "SELECT r.* FROM unnest($1::uuid[], $2::uuid[], $3::text[]) AS r (module_id, version_id, "
      "name) "
      "WHERE NOT EXISTS (SELECT FROM vigil.versions v WHERE v.module_id = r.module_id "
      "AND v.version_id = r.version_id) ON CONFLICT DO NOTHING"};
  if (releases_.empty()) return;
  const std::pmr::set<Release> distinct(releases_.begin(), releases_.end(), &resource_);
  ArrayBuilder modules(UUIDOID);
  ArrayBuilder versions(UUIDOID);
  ArrayBuilder names(TEXTOID);
  for (const Release& release : distinct) {
    modules.add(PointerGetDatum(release.module.bytes.data()));
    versions.add(PointerGetDatum(release.version.bytes.data()));
    names.add_text(release.name);
  }
  const Oid types[] = {UUIDARRAYOID, UUIDARRAYOID, TEXTARRAYOID};
  Datum values[] = {modules.build(), versions.build(), names.build()};
  insert.run(types, values);
}

void Ingest::touch_groups() {
  using enum ErrorColumn;
  ErrorGroups groups(&resource_);
  for (const Row& row : errors_.rows()) {
    Sighting sighting{};
    sighting.module = row[at(kModuleId)].uuid;
    if (row[at(kVersionId)].present) sighting.version = row[at(kVersionId)].uuid;
    sighting.keys = row[kKeys].text;
    sighting.type = row[at(kType)].text;
    sighting.name = row[at(kName)].text;
    sighting.message = row[at(kMessage)].text;
    if (row[at(kStack)].present) sighting.stack = row[at(kStack)].text;
    sighting.level = row[at(kLevel)].text;
    groups.add(sighting);
  }
  groups.touch();
}

void Ingest::write_rejected() {
  static Statement insert{
      "INSERT INTO vigil.rejected (source, position, module_id, sqlstate, reason, hint, item, "
      "item_bytes) SELECT $1, r.* FROM unnest($2::int[], $3::uuid[], $4::text[], $5::text[], "
      "$6::text[], $7::text[], $8::int[]) AS r"};
  if (rejected_.empty()) return;
  constexpr std::size_t kLongestItem = 64 * 1024;
  ArrayBuilder positions(INT4OID);
  ArrayBuilder modules(UUIDOID);
  ArrayBuilder states(TEXTOID);
  ArrayBuilder reasons(TEXTOID);
  ArrayBuilder hints(TEXTOID);
  ArrayBuilder items(TEXTOID);
  ArrayBuilder sizes(INT4OID);
  for (const RejectedItem& rejected : rejected_) {
    positions.add(Int32GetDatum(rejected.position));
    rejected.module ? modules.add(PointerGetDatum(rejected.module->bytes.data()))
                    : modules.add_null();
    const char* state = unpack_sql_state(sqlstate_of(rejected.rejection.code));
    states.add_text(std::string_view(state));
    reasons.add_text(std::string_view(masked(rejected.rejection.reason, &resource_)));
    rejected.rejection.hint.empty() ? hints.add_null()
                                    : hints.add_text(std::string_view(rejected.rejection.hint));
    std::size_t cut = std::min(rejected.item.size(), kLongestItem);
    while (cut < rejected.item.size() && cut > 0 &&
           (static_cast<unsigned char>(rejected.item[cut]) & 0xC0) == 0x80)
      --cut;
    items.add_text(std::string_view(masked(rejected.item.substr(0, cut), &resource_)));
    sizes.add(Int32GetDatum(static_cast<std::int32_t>(rejected.item.size())));
  }
  const Oid types[] = {TEXTOID,      INT4ARRAYOID, UUIDARRAYOID, TEXTARRAYOID,
                       TEXTARRAYOID, TEXTARRAYOID, TEXTARRAYOID, INT4ARRAYOID};
  Datum values[] = {text_datum(source_), positions.build(), modules.build(), states.build(),
                    reasons.build(),     hints.build(),     items.build(),   sizes.build()};
  insert.run(types, values);
}

IngestCounts Ingest::finish() {
  IngestCounts counts;
  counts.rejected = static_cast<std::int32_t>(rejected_.size());
  events_.drop_known(counts);
  errors_.drop_known(counts);
  write_releases();
  touch_groups();
  events_.store(counts);
  errors_.store(counts);
  write_rejected();
  counts.rejected += quotas_.write_refused(source_);
  return counts;
}

Datum ingest_result(FunctionCallInfo fcinfo, const IngestCounts& counts) {
  return call([&] {
    TupleDesc row = nullptr;
    if (get_call_result_type(fcinfo, nullptr, &row) != TYPEFUNC_COMPOSITE)
      elog(ERROR, "return type must be vigil.ingest_result");
    Datum values[] = {Int32GetDatum(counts.accepted), Int32GetDatum(counts.duplicate),
                      Int32GetDatum(counts.rejected), Int32GetDatum(counts.quarantined)};
    bool nulls[] = {false, false, false, false};
    return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(row), values, nulls));
  });
}

}  // namespace vigil::pg
