#include "pg/fact_rows.hpp"

#include <set>

#include "pg/bulk_insert.hpp"
#include "pg/dirty.hpp"
#include "pg/uuid.hpp"

extern "C" {
#include "nodes/makefuncs.h"
#include "port/pg_bswap.h"
}

namespace vigil::pg {

namespace {

constexpr std::int64_t kPostgresEpoch =
    (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * static_cast<std::int64_t>(SECS_PER_DAY) * 1000000;

Oid type_of(ColumnType type) {
  static constexpr Oid kTypes[] = {UUIDOID, TEXTOID, FLOAT8OID, INT8OID,
                                   INT4OID, BOOLOID, JSONBOID,  TIMESTAMPTZOID};
  return kTypes[static_cast<std::size_t>(type)];
}

// Of every type but text, whose bytes need a header.
Datum field_datum(ColumnType type, const Field& field) {
  switch (type) {
    case ColumnType::kUuid:
      return PointerGetDatum(field.uuid.bytes.data());
    case ColumnType::kText:
      break;
    case ColumnType::kDouble:
      return Float8GetDatum(field.number);
    case ColumnType::kBigint:
      return Int64GetDatum(field.integer);
    case ColumnType::kInteger:
      return Int32GetDatum(static_cast<std::int32_t>(field.integer));
    case ColumnType::kBoolean:
      return BoolGetDatum(field.boolean);
    case ColumnType::kObject:
      return PointerGetDatum(field.container);
    case ColumnType::kTime:
      return TimestampTzGetDatum(field.integer - kPostgresEpoch);
  }
  return 0;
}

void add_field(ArrayBuilder& array, ColumnType type, const Field& field) {
  if (!field.present) return array.add_null();
  if (type == ColumnType::kText) return array.add_text(field.text);
  array.add(field_datum(type, field));
}

// A statement's text that lives as long as the backend: its plan does, too.
const char* keep_sql(const std::string& sql) {
  const char* text = sql.c_str();
  return call([&] { return MemoryContextStrdup(TopMemoryContext, text); });
}

// "id, module_id, ..." and "$1::uuid[], $2::uuid[], ...".
std::string column_list(const FactTable& table) {
  std::string list = "id";
  for (const Column& column : table.columns) list += ", " + std::string(column.name);
  return list;
}

std::string unnest_list(const FactTable& table) {
  static constexpr const char* kTypes[] = {"uuid",    "text",    "float8", "bigint",
                                           "integer", "boolean", "jsonb",  "timestamptz"};
  std::string list = "unnest($1::uuid[]";
  for (std::size_t i = 0; i < table.columns.size(); ++i)
    list += ", $" + std::to_string(i + 2) +
            "::" + kTypes[static_cast<std::size_t>(table.columns[i].type)] + "[]";
  return list + ")";
}

std::string insert_sql(const FactTable& table) {
  const std::string columns = column_list(table);
  return "INSERT INTO vigil." + std::string(table.name) + " (" + columns + ") SELECT * FROM " +
         unnest_list(table);
}

std::string quarantine_sql(const FactTable& table) {
  return "INSERT INTO vigil.quarantine (module_id, id, fact, created_at, reason, content) "
         "SELECT module_id, id, '" +
         std::string(table.name) +
         "', created_at, 'no partition holds the event time', to_jsonb(r) FROM " +
         unnest_list(table) + " AS r (" + column_list(table) + ")";
}

std::pmr::vector<Uuid> make_ids(std::size_t count, std::pmr::memory_resource* resource) {
  const std::uint64_t millis = unix_millis();
  std::pmr::vector<Uuid> ids(resource);
  ids.reserve(count);
  for (std::size_t i = 0; i < count; ++i) ids.push_back(new_uuid_v7(millis));
  return ids;
}

struct ClientKey {
  Uuid module;
  Uuid key;
  std::size_t row;
  bool operator<(const ClientKey& other) const {
    return std::tie(module, key, row) < std::tie(other.module, other.key, other.row);
  }
  bool same(const ClientKey& other) const { return module == other.module && key == other.key; }
};

Uuid uuid_result(std::uint64_t row, int column) {
  Uuid uuid;
  const pg_uuid_t* source = call([&] {
    bool null = false;
    return DatumGetUUIDP(
        SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, column, &null));
  });
  std::memcpy(uuid.bytes.data(), source->data, UUID_LEN);
  return uuid;
}

// Writes the keys that are not known yet and returns them. Sorted keys keep two callers that send
// the same ids from waiting for each other in a circle.
std::pmr::set<std::pair<Uuid, Uuid>> claim(const std::pmr::vector<ClientKey>& keys,
                                           std::pmr::memory_resource* resource) {
  static Statement insert{
      "INSERT INTO vigil.received_ids (module_id, key) SELECT * FROM unnest($1::uuid[], "
      "$2::uuid[]) "
      "ON CONFLICT DO NOTHING RETURNING module_id, key"};
  ArrayBuilder modules(UUIDOID);
  ArrayBuilder ids(UUIDOID);
  for (const ClientKey& key : keys) {
    modules.add(PointerGetDatum(key.module.bytes.data()));
    ids.add(PointerGetDatum(key.key.bytes.data()));
  }
  const Oid types[] = {UUIDARRAYOID, UUIDARRAYOID};
  Datum values[] = {modules.build(), ids.build()};
  const std::uint64_t rows = insert.run(types, values);
  std::pmr::set<std::pair<Uuid, Uuid>> fresh(resource);
  for (std::uint64_t i = 0; i < rows; ++i) fresh.emplace(uuid_result(i, 1), uuid_result(i, 2));
  return fresh;
}

// Whether retention takes the partition. It is locked as the insert would lock it, so that it
// cannot be closed before that.
bool is_closed(Oid partition) {
  Relation relation = table_open(partition, RowExclusiveLock);
  const TriggerDesc* triggers = relation->trigdesc;
  bool closed = false;
  for (int i = 0; triggers != nullptr && i < triggers->numtriggers; ++i)
    closed |= std::strcmp(triggers->triggers[i].tgname, "closed") == 0 &&
              triggers->triggers[i].tgenabled != TRIGGER_DISABLED;
  table_close(relation, NoLock);
  return closed;
}

}  // namespace

FactTable event_table() {
  return {"events", event_columns(), at(EventColumn::kModuleId), at(EventColumn::kCreatedAt),
          at(EventColumn::kExternalId)};
}

FactTable error_table() {
  return {"errors", error_columns(), at(ErrorColumn::kModuleId), at(ErrorColumn::kCreatedAt),
          at(ErrorColumn::kExternalId)};
}

void FactRows::drop_known(IngestCounts& counts) {
  std::pmr::vector<ClientKey> keys(resource_);
  for (std::size_t i = 0; i < rows_.size(); ++i) {
    const Field& id = rows_[i][table_.external_id];
    if (id.present)
      keys.push_back({rows_[i][table_.module].uuid, name_uuid(table_.name, id.text), i});
  }
  if (keys.empty()) return;
  std::sort(keys.begin(), keys.end());
  Choice known(rows_.size(), 0, resource_);
  std::pmr::vector<ClientKey> first(resource_);
  for (const ClientKey& key : keys) {
    if (!first.empty() && first.back().same(key))
      known[key.row] = 1;
    else
      first.push_back(key);
  }
  const auto fresh = claim(first, resource_);
  for (const ClientKey& key : first)
    if (!fresh.contains({key.module, key.key})) known[key.row] = 1;
  std::size_t kept = 0;
  for (std::size_t i = 0; i < rows_.size(); ++i) {
    if (known[i]) continue;
    if (kept != i) rows_[kept] = std::move(rows_[i]);
    ++kept;
  }
  counts.duplicate += static_cast<std::int32_t>(rows_.size() - kept);
  rows_.erase(rows_.begin() + static_cast<std::ptrdiff_t>(kept), rows_.end());
}

// Into the order of the key: neighbours share pages of its index, a partition and a minute, and who
// reads a module finds its rows side by side.
void FactRows::sort() {
  struct Key {
    std::uint64_t module;  // its first half
    std::int64_t time;
    std::uint32_t row;
  };
  std::pmr::vector<Key> keys(resource_);
  keys.reserve(rows_.size());
  for (const Row& row : rows_) {
    std::uint64_t half = 0;
    std::memcpy(&half, row[table_.module].uuid.bytes.data(), sizeof(half));
    keys.push_back(
        {pg_ntoh64(half), row[table_.created_at].integer, static_cast<std::uint32_t>(keys.size())});
  }
  const auto before = [](const Key& left, const Key& right) {
    return std::tie(left.module, left.time, left.row) <
           std::tie(right.module, right.time, right.row);
  };
  if (std::is_sorted(keys.begin(), keys.end(), before)) return;
  std::sort(keys.begin(), keys.end(), before);
  std::pmr::vector<Row> sorted(resource_);
  sorted.reserve(rows_.size());
  for (const Key& key : keys) sorted.push_back(std::move(rows_[key.row]));
  rows_ = std::move(sorted);
}

namespace {

// Whether the time lies between a finite bound and the finite one after it.
bool lies_between(const PartitionBoundInfoData* bounds, int bound, TimestampTz time) {
  if (bound < 0 || bound + 1 >= bounds->ndatums) return false;
  return bounds->kind[bound][0] == PARTITION_RANGE_DATUM_VALUE &&
         bounds->kind[bound + 1][0] == PARTITION_RANGE_DATUM_VALUE &&
         DatumGetTimestampTz(bounds->datums[bound][0]) <= time &&
         time < DatumGetTimestampTz(bounds->datums[bound + 1][0]);
}

}  // namespace

// The lock on the table is kept, so that they stay.
FactRows::Places FactRows::find_partitions() const {
  Places places{std::pmr::vector<Oid>(rows_.size(), InvalidOid, resource_)};
  Oid* found = places.partitions.data();
  const Row* rows = rows_.data();
  places.plain = call([&] {
    PreventCommandIfReadOnly("INSERT");
    PreventCommandIfParallelMode("INSERT");
    // By name, so that a table that is dropped while this waits for it is missed as any other.
    Relation relation =
        table_openrv(makeRangeVar(pstrdup("vigil"), pstrdup(table_.name), -1), RowExclusiveLock);
    PartitionKey key = RelationGetPartitionKey(relation);
    PartitionDesc partitions = RelationGetPartitionDesc(relation, !IsolationUsesXactSnapshot());
    int known = -1;
    bool closed = false;
    int bound = -1;
    for (std::size_t i = 0; i < rows_.size() && partitions->nparts > 0; ++i) {
      Datum time = TimestampTzGetDatum(rows[i][table_.created_at].integer - kPostgresEpoch);
      bool equal = false;
      // Neighbours mostly share a partition.
      if (!lies_between(partitions->boundinfo, bound, DatumGetTimestampTz(time)))
        bound = partition_range_datum_bsearch(key->partsupfunc, key->partcollation,
                                              partitions->boundinfo, 1, &time, &equal);
      const int index = partitions->boundinfo->indexes[bound + 1];
      if (index < 0) continue;
      if (index != known) closed = is_closed(partitions->oids[index]);
      known = index;
      if (!closed) found[i] = partitions->oids[index];
    }
    const bool plain = stores_plainly(relation);
    table_close(relation, NoLock);
    return plain;
  });
  return places;
}

// Makes the partitions that the policy wants anyway; false when it wants none of the missing.
bool FactRows::ensure_partitions(const Places& places) const {
  static Statement ensure{"SELECT vigil.ensure_partitions($1, $2)"};
  ArrayBuilder times(TIMESTAMPTZOID);
  for (std::size_t i = 0; i < rows_.size(); ++i)
    if (!OidIsValid(places.partitions[i]))
      add_field(times, ColumnType::kTime, rows_[i][table_.created_at]);
  if (times.size() == 0) return false;
  const Oid types[] = {TEXTOID, TIMESTAMPTZARRAYOID};
  Datum values[] = {text_datum(table_.name), times.build()};
  ensure.run(types, values);
  return call([&] {
    bool null = false;
    return DatumGetBool(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &null));
  });
}

namespace {

// What fills a column of a partition.
constexpr int kNull = -1;
constexpr int kId = -2;
constexpr int kReceivedAt = -3;

// For each column of the partition the column of the row that fills it. False if that is not all
// that an INSERT of the row would do. Runs inside call().
bool match_columns(const FactTable& table, TupleDesc partition, int* sources) {
  const auto size = static_cast<int>(table.columns.size());
  int matched = 0;
  int next = 0;  // both have nearly the same order
  for (int i = 0; i < partition->natts; ++i) {
    const FormData_pg_attribute& attribute = *TupleDescAttr(partition, i);
    const std::string_view name(NameStr(attribute.attname));
    sources[i] = kNull;
    if (attribute.attisdropped) continue;
    Oid type = UUIDOID;
    if (name == "id") {
      sources[i] = kId;
    } else if (name == "received_at") {
      sources[i] = kReceivedAt;
      type = TIMESTAMPTZOID;
    } else {
      int tried = 0;
      for (; tried < size && table.columns[next].name != name; ++tried) next = (next + 1) % size;
      if (tried == size) {
        if (attribute.atthasdef || attribute.attidentity != '\0') return false;
        continue;
      }
      sources[i] = next;
      type = type_of(table.columns[next].type);
    }
    if (attribute.atttypid != type) return false;
    ++matched;
  }
  return matched == size + 2;
}

}  // namespace

bool FactRows::insert_plainly(const Places& places, Oid partition) const {
  std::pmr::vector<const Field*> rows(resource_);
  rows.reserve(rows_.size());
  for (std::size_t i = 0; i < rows_.size(); ++i)
    if (places.partitions[i] == partition) rows.push_back(rows_[i].data());
  const auto ids = make_ids(rows.size(), resource_);
  const Uuid* id = ids.data();
  return call([&] {
    Relation relation = table_open(partition, RowExclusiveLock);
    const TupleDesc columns = RelationGetDescr(relation);
    int sources[MaxTupleAttributeNumber];
    const bool plain = relation->rd_rel->relkind == RELKIND_RELATION && stores_plainly(relation) &&
                       match_columns(table_, columns, sources);
    if (plain) {
      BulkInsert insert(relation);
      const Datum now = TimestampTzGetDatum(GetCurrentTransactionStartTimestamp());
      for (const Field* fields : rows) {
        Datum* values = insert.values();
        bool* nulls = insert.nulls();
        for (int i = 0; i < columns->natts; ++i) {
          const int source = sources[i];
          nulls[i] = source == kNull || (source >= 0 && !fields[source].present);
          if (source >= 0 && !nulls[i])
            values[i] = table_.columns[source].type == ColumnType::kText
                            ? insert.text(fields[source].text)
                            : field_datum(table_.columns[source].type, fields[source]);
          else if (source == kId)
            values[i] = PointerGetDatum((id++)->bytes.data());
          else if (source == kReceivedAt)
            values[i] = now;
        }
        insert.put();
      }
      insert.finish();
    }
    table_close(relation, NoLock);
    return plain;
  });
}

std::int32_t FactRows::write(const Choice& choice, char wanted, Statement& statement) const {
  const auto count = static_cast<std::size_t>(std::count(choice.begin(), choice.end(), wanted));
  if (count == 0) return 0;
  const auto ids = make_ids(count, resource_);
  ArrayBuilder id_array(UUIDOID);
  for (const Uuid& id : ids) id_array.add(PointerGetDatum(id.bytes.data()));
  std::pmr::vector<Oid> types({UUIDARRAYOID}, resource_);
  std::pmr::vector<Datum> values({id_array.build()}, resource_);
  for (std::size_t i = 0; i < table_.columns.size(); ++i) {
    const ColumnType type = table_.columns[i].type;
    ArrayBuilder array(type_of(type));
    for (std::size_t row = 0; row < rows_.size(); ++row)
      if (choice[row] == wanted) add_field(array, type, rows_[row][i]);
    types.push_back(array_of(type_of(type)));
    values.push_back(array.build());
  }
  statement.run(types, values);
  return static_cast<std::int32_t>(count);
}

void FactRows::mark(const Places& places) const {
  std::pmr::vector<Minute> minutes(resource_);
  for (std::size_t i = 0; i < rows_.size(); ++i) {
    if (!OidIsValid(places.partitions[i])) continue;
    const Minute minute = minute_of(rows_[i][table_.module].uuid,
                                    rows_[i][table_.created_at].integer - kPostgresEpoch);
    if (minutes.empty() || !(minutes.back() == minute)) minutes.push_back(minute);
  }
  mark_minutes(minutes);
}

void FactRows::store(IngestCounts& counts) {
  if (rows_.empty()) return;
  sort();
  static Statement inserts[2];
  static Statement quarantines[2];
  const int which = table_.name == std::string_view("events") ? 0 : 1;
  Statement& insert = inserts[which];
  Statement& quarantine = quarantines[which];
  if (insert.sql == nullptr) insert.sql = keep_sql(insert_sql(table_));
  if (quarantine.sql == nullptr) quarantine.sql = keep_sql(quarantine_sql(table_));
  Places places = find_partitions();
  if (ensure_partitions(places)) places = find_partitions();

  constexpr char kOutside = 0;
  constexpr char kForExecutor = 1;
  constexpr char kStored = 2;
  Choice choice(rows_.size(), kOutside, resource_);
  const std::pmr::set<Oid> partitions(places.partitions.begin(), places.partitions.end(),
                                      resource_);
  for (const Oid partition : partitions) {
    if (!OidIsValid(partition)) continue;
    const bool stored = places.plain && insert_plainly(places, partition);
    for (std::size_t i = 0; i < rows_.size(); ++i)
      if (places.partitions[i] == partition) choice[i] = stored ? kStored : kForExecutor;
  }
  write(choice, kForExecutor, insert);
  counts.quarantined += write(choice, kOutside, quarantine);
  counts.accepted +=
      static_cast<std::int32_t>(rows_.size() - std::count(choice.begin(), choice.end(), kOutside));
  mark(places);
}

}  // namespace vigil::pg
