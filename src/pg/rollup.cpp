// Raw facts to minute cells in one pass: rows go from the executor straight into the table of
// cells.
#include "core/cell_table.hpp"
#include "core/time_bucket.hpp"
#include "pg/settings.hpp"
#include "pg/spi.hpp"

using namespace vigil;
using namespace vigil::pg;

namespace {

// The columns of the queries below, in their order.
enum Column {
  kModule,
  kVersion,
  kEventType,
  kSubject,
  kCreatedAt,
  kName,
  kSuccess,
  kDuration,
  kValue,
  kMemory,
  kSite,
  kSession,
  kUser,
  kCountry,
  kDevice,
  kBrowser,
  kWeight
};

#define VIGIL_FACTS                                                                             \
  "SELECT module_id, version_id, event_type, subject, created_at, name, success, duration_ms, " \
  "value, memory_usage_kb, site_id, session_id, user_key, country_code, device, browser, "      \
  "sample_weight "                                                                              \
  "FROM vigil.facts WHERE created_at >= $1 AND created_at < $2"

Statement facts_of_all{VIGIL_FACTS};
// The roller asks for thousands of short ranges, for which planning would take longer than reading.
Statement facts_of_module{VIGIL_FACTS " AND module_id = $3", true};
Statement facts_of_modules{VIGIL_FACTS " AND module_id = ANY ($3)", true};

#undef VIGIL_FACTS

// Columns of a row by number, null or not.
class Row {
 public:
  explicit Row(TupleTableSlot* slot) : values_(slot->tts_values), nulls_(slot->tts_isnull) {}

  bool has(Column column) const { return !nulls_[column]; }
  Datum operator[](Column column) const { return values_[column]; }

  std::string_view text(Column column) const {
    if (nulls_[column]) throw Error(Code::kNullValue, "name and type of a fact must not be null");
    return text_view(values_[column]);
  }
  Uuid uuid(Column column) const {
    Uuid result;
    std::memcpy(result.bytes.data(), DatumGetUUIDP(values_[column])->data, UUID_LEN);
    return result;
  }
  std::optional<std::string_view> optional_text(Column column) const {
    if (nulls_[column]) return std::nullopt;
    return text_view(values_[column]);
  }

 private:
  const Datum* values_;
  const bool* nulls_;
};

CellKey key_of(const Row& row) {
  CellKey key{row.uuid(kModule), std::nullopt, row.text(kEventType), row.text(kSubject),
              start_of_minute(DatumGetTimestampTz(row[kCreatedAt]))};
  if (row.has(kVersion)) key.version = row.uuid(kVersion);
  return key;
}

Observation observation_of(const Row& row) {
  Observation seen{};
  seen.time = DatumGetTimestampTz(row[kCreatedAt]);
  seen.name = row.text(kName);
  if (row.has(kSuccess)) seen.success = DatumGetBool(row[kSuccess]);
  if (row.has(kDuration)) seen.duration = DatumGetFloat8(row[kDuration]);
  if (row.has(kValue)) seen.value = DatumGetFloat8(row[kValue]);
  if (row.has(kMemory)) seen.memory = DatumGetInt64(row[kMemory]);
  if (row.has(kSite)) {
    seen.site = std::span<const std::uint8_t>(DatumGetUUIDP(row[kSite])->data, UUID_LEN);
  }
  seen.session = row.optional_text(kSession);
  seen.user = row.optional_text(kUser);
  seen.country = row.optional_text(kCountry);
  seen.device = row.optional_text(kDevice);
  seen.browser = row.optional_text(kBrowser);
  if (row.has(kWeight)) seen.weight = DatumGetFloat8(row[kWeight]);
  return seen;
}

// Where the executor sends the rows, which it neither copies nor keeps.
struct Receiver {
  DestReceiver base;
  CellTable* cells;
  MemoryContext row_context;

  static bool receive(TupleTableSlot* slot, DestReceiver* self) {
    auto* receiver = reinterpret_cast<Receiver*>(self);
    slot_getallattrs(slot);
    const MemoryContext before = MemoryContextSwitchTo(receiver->row_context);
    entry([&] {
      const Row row(slot);
      receiver->cells->add(key_of(row), observation_of(row));
    });
    MemoryContextSwitchTo(before);
    MemoryContextReset(receiver->row_context);  // what was decompressed
    return true;
  }
  static void start(DestReceiver*, int, TupleDesc) {}
  static void end(DestReceiver*) {}
};

// The three functions: of all modules, of one, of several; those of more than one have a column
// more.
void read_facts(FunctionCallInfo fcinfo, bool has_module, CellTable& cells) {
  const bool all = PG_NARGS() == 2;
  const Oid types[] = {TIMESTAMPTZOID, TIMESTAMPTZOID,
                       has_module ? Oid{UUIDARRAYOID} : Oid{UUIDOID}};
  Datum values[3] = {PG_GETARG_DATUM(all ? 0 : 1), PG_GETARG_DATUM(all ? 1 : 2),
                     all ? 0 : PG_GETARG_DATUM(0)};
  const std::size_t parameters = all ? 2 : 3;
  const MemoryContext row_context = call([] {
    return AllocSetContextCreate(CurrentMemoryContext, "pg_vigil fact", ALLOCSET_SMALL_SIZES);
  });
  Receiver receiver{};
  receiver.base.receiveSlot = Receiver::receive;
  receiver.base.rStartup = Receiver::start;
  receiver.base.rShutdown = Receiver::end;
  receiver.base.rDestroy = Receiver::end;
  receiver.base.mydest = DestNone;
  receiver.cells = &cells;
  receiver.row_context = row_context;
  (all          ? facts_of_all
   : has_module ? facts_of_modules
                : facts_of_module)
      .send({types, parameters}, {values, parameters}, &receiver.base);
}

// One row for each cell: version, type, subject, bucket, cell, behind the module if it is asked
// for.
void put_cells(ReturnSetInfo* result, const CellTable& cells) {
  ContextResource resource(CurrentMemoryContext);
  std::pmr::vector<std::uint8_t> cell_datum(&resource);
  const int first = result->setDesc->natts == 6 ? 1 : 0;
  cells.for_each([&](const CellKey& key, std::span<const std::uint8_t> bytes) {
    cell_datum.resize(VARHDRSZ + bytes.size());
    SET_VARSIZE(cell_datum.data(), cell_datum.size());
    std::memcpy(VARDATA(cell_datum.data()), bytes.data(), bytes.size());
    call([&] {
      Datum row[6] = {UUIDPGetDatum(reinterpret_cast<const pg_uuid_t*>(key.module.bytes.data()))};
      bool nulls[6] = {};
      Datum* values = row + first;
      nulls[first] = !key.version;
      if (key.version) {
        values[0] = UUIDPGetDatum(reinterpret_cast<const pg_uuid_t*>(key.version->bytes.data()));
      }
      values[1] = PointerGetDatum(
          cstring_to_text_with_len(key.event_type.data(), static_cast<int>(key.event_type.size())));
      values[2] = PointerGetDatum(
          cstring_to_text_with_len(key.subject.data(), static_cast<int>(key.subject.size())));
      values[3] = TimestampTzGetDatum(key.bucket);
      values[4] = PointerGetDatum(cell_datum.data());
      tuplestore_putvalues(result->setResult, result->setDesc, row, nulls);
      pfree(DatumGetPointer(values[1]));
      pfree(DatumGetPointer(values[2]));
      CHECK_FOR_INTERRUPTS();
    });
  });
}

}  // namespace

extern "C" {

// Of one, several or all modules between two times.
PG_FUNCTION_INFO_V1(vigil_raw_cells);
Datum vigil_raw_cells(PG_FUNCTION_ARGS) {
  return entry([&]() -> Datum {
    call([&] { InitMaterializedSRF(fcinfo, 0); });
    auto* result = reinterpret_cast<ReturnSetInfo*>(fcinfo->resultinfo);
    ContextResource resource(CurrentMemoryContext);
    CellTable cells(&resource);
    {
      const SpiConnection spi;
      read_facts(fcinfo, result->setDesc->natts == 6, cells);
    }
    cells.finish(static_cast<std::size_t>(settings::max_subjects), "error", Cell::kMostNames);
    put_cells(result, cells);
    return 0;
  });
}

PG_FUNCTION_INFO_V1(vigil_rollup_patience);
Datum vigil_rollup_patience(PG_FUNCTION_ARGS) {
  return entry([&] {
    const bool scheduled = PG_ARGISNULL(0) ? MyBgworkerEntry != nullptr : PG_GETARG_BOOL(0);
    auto* patience = static_cast<Interval*>(allocate(sizeof(Interval)));
    *patience = {};
    if (scheduled) patience->time = TimeOffset{settings::rollup_patience} * 1000;
    return IntervalPGetDatum(patience);
  });
}
}
