// Raw facts to minute cells in one pass: rows go from the executor straight into the table of
// cells.
#include <algorithm>
#include <tuple>

#include "core/cell_table.hpp"
#include "core/time_bucket.hpp"
#include "pg/settings.hpp"
#include "pg/spi.hpp"
#include "pg/uuid.hpp"

using namespace vigil;
using namespace vigil::pg;

namespace {

// The columns of the queries below, in their order.
enum Column {
  kModule,
  kEventType,
  kCreatedAt,
  kSuccess,
  kDuration,
  kValue,
  kMemory,
  kSite,
  kSession,
  kUser,
  kWeight,
  kVersion,
  kSubject,
  kName,
  kCountry,
  kDevice,
  kBrowser
};

#define VIGIL_FACTS(dimensions)                                                              \
  "SELECT module_id, event_type, created_at, success, duration_ms, value, memory_usage_kb, " \
  "site_id, session_id, user_key, sample_weight, " dimensions                                \
  " FROM vigil.facts WHERE created_at >= $1 AND created_at < $2"
#define VIGIL_DIMENSIONS "version_id, subject, name, country_code, device, browser"
#define VIGIL_OF_MODULES " AND module_id = ANY ($3)"

Statement facts_of_all{VIGIL_FACTS(VIGIL_DIMENSIONS)};
// The roller asks for thousands of short ranges, for which planning would take longer than reading.
Statement facts_of_modules{VIGIL_FACTS(VIGIL_DIMENSIONS) VIGIL_OF_MODULES, true};
// One cell for each type, without breakdowns: names, which may come from jsonb, are not even read.
Statement measures_of_modules{VIGIL_FACTS("NULL::uuid, '', '', NULL, NULL, NULL") VIGIL_OF_MODULES,
                              true};

#undef VIGIL_OF_MODULES
#undef VIGIL_DIMENSIONS
#undef VIGIL_FACTS

Datum uuid_datum(const Uuid& uuid) {
  return UUIDPGetDatum(reinterpret_cast<const pg_uuid_t*>(uuid.bytes.data()));
}

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
  Uuid uuid(Column column) const { return uuid_of(values_[column]); }
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

// Makes the cells of the facts that a statement finds.
void count_facts(Statement& statement, std::span<const Oid> types, std::span<const Datum> values,
                 CellTable& cells) {
  const SpiConnection spi;
  Receiver receiver{};
  receiver.base.receiveSlot = Receiver::receive;
  receiver.base.rStartup = Receiver::start;
  receiver.base.rShutdown = Receiver::end;
  receiver.base.rDestroy = Receiver::end;
  receiver.base.mydest = DestNone;
  receiver.cells = &cells;
  receiver.row_context = call([] {
    return AllocSetContextCreate(CurrentMemoryContext, "pg_vigil fact", ALLOCSET_SMALL_SIZES);
  });
  statement.send(types, values, &receiver.base);
  cells.finish(static_cast<std::size_t>(settings::max_subjects), "error", Cell::kMostNames);
}

// The rows of a result: version, type, subject, bucket and cell, behind whose it is where that is
// asked for.
class CellRows {
 public:
  explicit CellRows(FunctionCallInfo fcinfo)
      : result_(reinterpret_cast<ReturnSetInfo*>(fcinfo->resultinfo)),
        resource_(CurrentMemoryContext),
        cell_(&resource_) {
    call([&] { InitMaterializedSRF(fcinfo, 0); });
  }

  void put(Datum owner, const CellKey& key, std::span<const std::uint8_t> bytes) {
    cell_.resize(VARHDRSZ + bytes.size());
    SET_VARSIZE(cell_.data(), cell_.size());
    std::memcpy(VARDATA(cell_.data()), bytes.data(), bytes.size());
    call([&] {
      Datum row[6] = {owner};
      bool nulls[6] = {};
      const int first = result_->setDesc->natts == 6 ? 1 : 0;
      Datum* values = row + first;
      nulls[first] = !key.version;
      values[0] = key.version ? uuid_datum(*key.version) : 0;
      values[1] = PointerGetDatum(
          cstring_to_text_with_len(key.event_type.data(), static_cast<int>(key.event_type.size())));
      values[2] = PointerGetDatum(
          cstring_to_text_with_len(key.subject.data(), static_cast<int>(key.subject.size())));
      values[3] = TimestampTzGetDatum(key.bucket);
      values[4] = PointerGetDatum(cell_.data());
      tuplestore_putvalues(result_->setResult, result_->setDesc, row, nulls);
      pfree(DatumGetPointer(values[1]));
      pfree(DatumGetPointer(values[2]));
      CHECK_FOR_INTERRUPTS();
    });
  }

 private:
  ReturnSetInfo* result_;
  ContextResource resource_;
  std::pmr::vector<std::uint8_t> cell_;
};

// A time of a module, and its place among those that were asked for.
struct Window {
  TimestampTz starts_at;
  TimestampTz ends_at;
  Uuid module;
  std::int32_t number;

  auto span() const { return std::tie(starts_at, ends_at); }
  auto order() const { return std::tuple(starts_at, ends_at, module, number); }
  auto start_and_module() const { return std::tuple(starts_at, module); }
};
using Windows = std::span<const Window>;

// The windows of three arrays, in order, but those that can hold nothing: with a null, or turned
// round.
std::pmr::vector<Window> windows_of(FunctionCallInfo fcinfo, std::pmr::memory_resource* resource) {
  const Elements modules = elements_of(PG_GETARG_DATUM(0));
  const Elements starts = elements_of(PG_GETARG_DATUM(1));
  const Elements ends = elements_of(PG_GETARG_DATUM(2));
  if (starts.count != modules.count || ends.count != modules.count)
    throw Error(Code::kInvalidArgument, "windows must have as many modules as starts and ends",
                "There are " + std::to_string(modules.count) + " modules, " +
                    std::to_string(starts.count) + " starts and " + std::to_string(ends.count) +
                    " ends.");
  std::pmr::vector<Window> windows(resource);
  for (int i = 0; i < modules.count; ++i) {
    if (modules.nulls[i] || starts.nulls[i] || ends.nulls[i]) continue;
    const Window window{DatumGetTimestampTz(starts.values[i]), DatumGetTimestampTz(ends.values[i]),
                        uuid_of(modules.values[i]), i + 1};
    if (window.starts_at < window.ends_at) windows.push_back(window);
  }
  std::ranges::sort(windows, {}, &Window::order);
  return windows;
}

// Those at the front that have one span.
Windows same_span(Windows windows) {
  const auto end = std::ranges::find_if(
      windows, [&](const Window& window) { return window.span() != windows.front().span(); });
  return {windows.begin(), end};
}

// Those at the front that are read in one pass: of one span, and of the same modules in the minutes
// that follow it. It ends with the hour, as its cells are held in memory.
Windows same_pass(Windows windows) {
  Windows last = same_span(windows);
  std::size_t size = last.size();
  while (size < windows.size()) {
    const Windows next = same_span(windows.subspan(size));
    const TimestampTz border = next.front().starts_at;
    if (border != last.front().ends_at || border % USECS_PER_MINUTE != 0 ||
        border % USECS_PER_HOUR == 0 ||
        !std::ranges::equal(last, next, {}, &Window::module, &Window::module))
      break;
    size += next.size();
    last = next;
  }
  return windows.first(size);
}

// The cells of windows of one pass.
void read_pass(Windows windows, Statement& statement, CellRows& rows) {
  ArrayBuilder modules(UUIDOID);
  const Windows first = same_span(windows);
  for (std::size_t i = 0; i < first.size(); ++i) {
    if (i == 0 || first[i].module != first[i - 1].module) modules.add(uuid_datum(first[i].module));
  }
  const Oid types[] = {TIMESTAMPTZOID, TIMESTAMPTZOID, UUIDARRAYOID};
  const Datum values[] = {TimestampTzGetDatum(windows.front().starts_at),
                          TimestampTzGetDatum(windows.back().ends_at), modules.build()};
  ContextResource resource(CurrentMemoryContext);
  CellTable cells(&resource);
  count_facts(statement, types, values, cells);
  cells.for_each([&](const CellKey& key, std::span<const std::uint8_t> bytes) {
    // All but the first begin with a minute.
    const auto later =
        std::ranges::lower_bound(windows, key.bucket + USECS_PER_MINUTE, {}, &Window::starts_at);
    const TimestampTz starts_at = std::prev(later)->starts_at;
    for (const Window& window : std::ranges::equal_range(windows, std::tuple(starts_at, key.module),
                                                         {}, &Window::start_and_module)) {
      rows.put(Int32GetDatum(window.number), key, bytes);
    }
  });
}

void read_windows(Windows windows, Statement& statement, CellRows& rows) {
  while (!windows.empty()) {
    const Windows pass = same_pass(windows);
    read_pass(pass, statement, rows);
    windows = windows.subspan(pass.size());
  }
}

}  // namespace

extern "C" {

// Of all modules between two times.
PG_FUNCTION_INFO_V1(vigil_raw_cells);
Datum vigil_raw_cells(PG_FUNCTION_ARGS) {
  return entry([&]() -> Datum {
    CellRows rows(fcinfo);
    ContextResource resource(CurrentMemoryContext);
    CellTable cells(&resource);
    const Oid types[] = {TIMESTAMPTZOID, TIMESTAMPTZOID};
    const Datum values[] = {PG_GETARG_DATUM(0), PG_GETARG_DATUM(1)};
    count_facts(facts_of_all, types, values, cells);
    cells.for_each([&](const CellKey& key, std::span<const std::uint8_t> bytes) {
      rows.put(uuid_datum(key.module), key, bytes);
    });
    return 0;
  });
}

// Of a module between two times.
PG_FUNCTION_INFO_V1(vigil_raw_cells_of_window);
Datum vigil_raw_cells_of_window(PG_FUNCTION_ARGS) {
  return entry([&]() -> Datum {
    CellRows rows(fcinfo);
    const Window window{PG_GETARG_TIMESTAMPTZ(1), PG_GETARG_TIMESTAMPTZ(2),
                        uuid_of(PG_GETARG_DATUM(0)), 1};
    read_windows({&window, 1}, facts_of_modules, rows);
    return 0;
  });
}

// Of several modules, each between two times.
PG_FUNCTION_INFO_V1(vigil_raw_cells_of_windows);
Datum vigil_raw_cells_of_windows(PG_FUNCTION_ARGS) {
  return entry([&]() -> Datum {
    CellRows rows(fcinfo);
    ContextResource resource(CurrentMemoryContext);
    const std::pmr::vector<Window> windows = windows_of(fcinfo, &resource);
    read_windows(windows, PG_GETARG_BOOL(3) ? measures_of_modules : facts_of_modules, rows);
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
