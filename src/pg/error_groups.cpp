#include "pg/error_groups.hpp"

#include <ctime>
#include <numeric>

namespace vigil::pg {

namespace {

// Owners with this bit are groups that the sighting of that number makes.
constexpr std::uint32_t kMade = 0x80000000U;

struct ResultRow {
  std::uint64_t row;

  Datum value(int column) const {
    return call([&] {
      bool null = false;
      return SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, column, &null);
    });
  }
  Uuid uuid(int column) const {
    Uuid result;
    std::memcpy(result.bytes.data(), DatumGetUUIDP(value(column))->data, UUID_LEN);
    return result;
  }
};

void add_uuid(ArrayBuilder& array, const Uuid& uuid) {
  array.add(PointerGetDatum(uuid.bytes.data()));
}

Uuid new_uuid() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  std::array<std::uint8_t, 10> random{};
  if (!pg_strong_random(random.data(), random.size()))
    throw Error(Code::kInternal, "could not generate random values");
  return make_uuid_v7(static_cast<std::uint64_t>(now.tv_sec) * 1000 +
                          static_cast<std::uint64_t>(now.tv_nsec) / 1000000,
                      random);
}

}  // namespace

std::uint32_t ErrorGroups::number_of(const Uuid& module, std::string_view key) {
  const auto number = static_cast<std::uint32_t>(keys_.size());
  const auto [found, fresh] = key_numbers_.try_emplace({module, key}, number);
  if (fresh) keys_.push_back({module, key});
  return found->second;
}

void ErrorGroups::add(const Sighting& sighting) {
  const Uuid version = sighting.version.value_or(Uuid{});
  if (!seen_.emplace(sighting.module, version, sighting.keys).second) return;
  Placed placed{sighting, std::pmr::vector<GroupKey>(resource_)};
  for (std::string_view rest = sighting.keys; !rest.empty();) {
    const std::string_view key = rest.substr(0, rest.find('\0'));
    rest.remove_prefix(key.size() + 1);
    placed.keys.push_back(
        {number_of(sighting.module, key.substr(1)), static_cast<KeyRole>(key.front())});
  }
  keys_[placed.keys.front().key].first = true;
  sightings_.push_back(std::move(placed));
}

std::uint32_t ErrorGroups::owner_number(const Owner& owner) {
  const auto number = static_cast<std::uint32_t>(owners_.size());
  const auto [found, fresh] = owner_numbers_.try_emplace(owner.id, number);
  if (fresh) owners_.push_back(owner);
  return found->second;
}

// Row by row, so that a plan made for small tables is right for large ones.
void ErrorGroups::look_up(const Numbers& keys) {
  static Statement select{
      "SELECT k.n, o.* FROM unnest($1::uuid[], $2::text[]) WITH ORDINALITY "
      "AS k (module_id, fingerprint, n), LATERAL (SELECT g.id, coalesce(r.id, g.id), "
      "coalesce(r.status, g.status) = 'resolved' FROM vigil.error_fingerprints f "
      "JOIN vigil.error_groups g ON g.module_id = f.module_id AND g.id = f.group_id "
      "LEFT JOIN vigil.error_groups r ON r.module_id = g.module_id AND r.id = g.root_id "
      "WHERE f.module_id = k.module_id AND f.fingerprint = k.fingerprint OFFSET 0) AS o",
      true};
  ArrayBuilder modules(UUIDOID);
  ArrayBuilder texts(TEXTOID);
  for (const std::uint32_t key : keys) {
    add_uuid(modules, keys_[key].module);
    texts.add_text(keys_[key].text);
  }
  const Oid types[] = {UUIDARRAYOID, TEXTARRAYOID};
  Datum values[] = {modules.build(), texts.build()};
  const std::uint64_t rows = select.run(types, values);
  for (std::uint64_t i = 0; i < rows; ++i) {
    const ResultRow row{i};
    const auto position = static_cast<std::size_t>(DatumGetInt64(row.value(1)) - 1);
    keys_[keys[position]].owner =
        owner_number({row.uuid(2), row.uuid(3), DatumGetBool(row.value(4))});
  }
}

Grouping ErrorGroups::place() {
  Grouping grouping(keys_.size(), resource_);
  for (std::uint32_t key = 0; key < keys_.size(); ++key)
    if (keys_[key].owner != Grouping::kNone) grouping.know(key, keys_[key].owner);
  for (std::uint32_t i = 0; i < sightings_.size(); ++i)
    sightings_[i].owner = grouping.place(sightings_[i].keys, kMade | i);
  return grouping;
}

const Uuid& ErrorGroups::id_of(std::uint32_t owner) const {
  return (owner & kMade) != 0 ? *sightings_[owner & ~kMade].made : owners_[owner].id;
}

void ErrorGroups::insert_groups() {
  static Statement insert{
      "INSERT INTO vigil.error_groups (module_id, id, fingerprint, error_type, error_name, "
      "error_message, sample_stack, level, priority) SELECT s.*, "
      "coalesce(CASE WHEN EXISTS (SELECT FROM vigil.error_priority_rules) THEN "
      "vigil.priority_by_rules(s.module_id, s.type, s.name, s.message, s.level) END, 'medium') "
      "FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], "
      "$7::text[], $8::text[]) AS s (module_id, id, key, type, name, message, stack, level)",
      true};
  ArrayBuilder uuids[] = {ArrayBuilder(UUIDOID), ArrayBuilder(UUIDOID)};
  ArrayBuilder texts[] = {ArrayBuilder(TEXTOID), ArrayBuilder(TEXTOID), ArrayBuilder(TEXTOID),
                          ArrayBuilder(TEXTOID), ArrayBuilder(TEXTOID), ArrayBuilder(TEXTOID)};
  for (std::uint32_t i = 0; i < sightings_.size(); ++i) {
    Placed& placed = sightings_[i];
    if (placed.owner != (kMade | i)) continue;
    const Sighting& first = placed.sighting;
    placed.made = new_uuid();
    add_uuid(uuids[0], first.module);
    add_uuid(uuids[1], *placed.made);
    texts[0].add_text(keys_[placed.keys.front().key].text);
    texts[1].add_text(first.type);
    texts[2].add_text(first.name);
    texts[3].add_text(first.message);
    texts[4].add_text(first.stack);
    texts[5].add_text(first.level);
  }
  if (uuids[0].size() == 0) return;
  Oid types[8] = {UUIDARRAYOID, UUIDARRAYOID};
  Datum values[8] = {uuids[0].build(), uuids[1].build()};
  for (std::size_t i = 0; i < std::size(texts); ++i) {
    types[i + 2] = TEXTARRAYOID;
    values[i + 2] = texts[i].build();
  }
  insert.run(types, values);
}

// Inserts the keys, which are sorted, so that two writers that meet several new ones do not wait in
// a circle. Returns those that are not inserted: another session has done so meanwhile, or their
// group has enough. Messages that are all different must not make a row each; only what is the
// first key of an error is always kept.
ErrorGroups::Numbers ErrorGroups::insert_keys(const Numbers& keys, const Grouping& grouping) {
  static Statement insert{
      "INSERT INTO vigil.error_fingerprints (module_id, fingerprint, group_id) "
      "SELECT k.module_id, k.fingerprint, k.group_id FROM unnest($1::uuid[], $2::text[], "
      "$3::uuid[], $4::boolean[]) AS k (module_id, fingerprint, group_id, first) "
      "WHERE k.first OR (SELECT count(*) FROM (SELECT FROM vigil.error_fingerprints f WHERE "
      "f.module_id = k.module_id AND f.group_id = k.group_id LIMIT 200) AS c) < 200 "
      "ON CONFLICT DO NOTHING "
      "RETURNING module_id, fingerprint",
      true};
  ArrayBuilder modules(UUIDOID);
  ArrayBuilder texts(TEXTOID);
  ArrayBuilder groups(UUIDOID);
  ArrayBuilder firsts(BOOLOID);
  for (const std::uint32_t key : keys) {
    add_uuid(modules, keys_[key].module);
    texts.add_text(keys_[key].text);
    add_uuid(groups, id_of(grouping.group_of(key)));
    firsts.add(BoolGetDatum(keys_[key].first));
  }
  const Oid types[] = {UUIDARRAYOID, TEXTARRAYOID, UUIDARRAYOID, BOOLARRAYOID};
  Datum values[] = {modules.build(), texts.build(), groups.build(), firsts.build()};
  const std::uint64_t rows = insert.run(types, values);
  Numbers others(resource_);
  if (rows == keys.size()) return others;
  std::pmr::set<std::uint32_t> inserted(resource_);
  for (std::uint64_t i = 0; i < rows; ++i) {
    const ResultRow row{i};
    inserted.insert(number_of(row.uuid(1), text_view(row.value(2))));
  }
  for (const std::uint32_t key : keys)
    if (!inserted.contains(key)) others.push_back(key);
  return others;
}

void ErrorGroups::move_keys(const Numbers& keys, const Grouping& before, const Grouping& after) {
  static Statement update{
      "UPDATE vigil.error_fingerprints f SET group_id = k.group_id "
      "FROM unnest($1::uuid[], $2::text[], $3::uuid[]) AS k (module_id, fingerprint, group_id) "
      "WHERE f.module_id = k.module_id AND f.fingerprint = k.fingerprint"};
  ArrayBuilder modules(UUIDOID);
  ArrayBuilder texts(TEXTOID);
  ArrayBuilder groups(UUIDOID);
  for (const std::uint32_t key : keys) {
    if (before.group_of(key) == after.group_of(key)) continue;
    add_uuid(modules, keys_[key].module);
    texts.add_text(keys_[key].text);
    add_uuid(groups, id_of(after.group_of(key)));
  }
  if (modules.size() == 0) return;
  const Oid types[] = {UUIDARRAYOID, TEXTARRAYOID, UUIDARRAYOID};
  Datum values[] = {modules.build(), texts.build(), groups.build()};
  update.run(types, values);
}

// Those that were made for errors whose group is another after all.
void ErrorGroups::delete_groups() {
  static Statement remove{
      "DELETE FROM vigil.error_groups g USING unnest($1::uuid[], $2::uuid[]) AS m (module_id, id) "
      "WHERE g.module_id = m.module_id AND g.id = m.id"};
  ArrayBuilder modules(UUIDOID);
  ArrayBuilder groups(UUIDOID);
  for (std::uint32_t i = 0; i < sightings_.size(); ++i) {
    const Placed& placed = sightings_[i];
    if (!placed.made || placed.owner == (kMade | i)) continue;
    add_uuid(modules, placed.sighting.module);
    add_uuid(groups, *placed.made);
  }
  if (modules.size() == 0) return;
  const Oid types[] = {UUIDARRAYOID, UUIDARRAYOID};
  Datum values[] = {modules.build(), groups.build()};
  remove.run(types, values);
}

// Whoever inserts a key first decides its group. A key that is ours waits for nobody any more, so
// what was lost to another session is corrected without further waiting.
void ErrorGroups::write(const Numbers& keys, const Grouping& grouping) {
  insert_groups();
  const Numbers lost = insert_keys(keys, grouping);
  if (lost.empty()) return;
  look_up(lost);
  const std::pmr::set<std::uint32_t> theirs(lost.begin(), lost.end(), resource_);
  Numbers ours(resource_);
  for (const std::uint32_t key : keys)
    if (!theirs.contains(key)) ours.push_back(key);
  const Grouping after = place();
  move_keys(ours, grouping, after);
  delete_groups();
}

void ErrorGroups::reopen() {
  static Statement touch{"SELECT vigil.reopen_error_groups($1::uuid[], $2::uuid[], $3::uuid[])",
                         true};
  ArrayBuilder modules(UUIDOID);
  ArrayBuilder groups(UUIDOID);
  ArrayBuilder versions(UUIDOID);
  for (const Placed& placed : sightings_) {
    if ((placed.owner & kMade) != 0 || !owners_[placed.owner].resolved) continue;
    add_uuid(modules, placed.sighting.module);
    add_uuid(groups, owners_[placed.owner].shown);
    if (placed.sighting.version)
      add_uuid(versions, *placed.sighting.version);
    else
      versions.add_null();
  }
  if (modules.size() == 0) return;
  const Oid types[] = {UUIDARRAYOID, UUIDARRAYOID, UUIDARRAYOID};
  Datum values[] = {modules.build(), groups.build(), versions.build()};
  touch.run(types, values);
}

void ErrorGroups::touch() {
  if (sightings_.empty()) return;
  Numbers sorted(resource_);
  for (const auto& [key, number] : key_numbers_) sorted.push_back(number);
  look_up(sorted);
  const Grouping grouping = place();
  Numbers fresh(resource_);
  for (const std::uint32_t key : sorted)
    if (keys_[key].owner == Grouping::kNone && grouping.group_of(key) != Grouping::kNone)
      fresh.push_back(key);
  if (!fresh.empty()) write(fresh, grouping);
  reopen();
}

}  // namespace vigil::pg
