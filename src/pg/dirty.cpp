// Statement triggers on the fact tables: which minutes of which modules did the statement change?
#include <unordered_set>

#include "core/time_bucket.hpp"
#include "core/uuid.hpp"
#include "pg/spi.hpp"

using namespace vigil;
using namespace vigil::pg;

namespace {

struct Minute {
  Uuid module;
  TimestampTz start;
  bool operator==(const Minute&) const = default;
};

struct MinuteHash {
  std::size_t operator()(const Minute& minute) const noexcept {
    std::uint64_t half = 0;
    std::memcpy(&half, minute.module.bytes.data() + 8, sizeof(half));
    return (half ^ static_cast<std::uint64_t>(minute.start)) * 0x9E3779B97F4A7C15ULL >> 7;
  }
};

// The set of minutes of a statement. Neighbouring rows mostly share one, so the last is remembered.
class MinuteSet {
 public:
  MinuteSet() : resource_(CurrentMemoryContext), minutes_(&resource_) {}

  void add(const pg_uuid_t& module, TimestampTz time) {
    Minute minute{};
    std::memcpy(minute.module.bytes.data(), module.data, UUID_LEN);
    minute.start = start_of_minute(time);
    if (minute == last_) return;
    last_ = minute;
    minutes_.insert(minute);
  }

  bool empty() const { return minutes_.empty(); }
  void write_marks();

 private:
  ContextResource resource_;
  std::pmr::unordered_set<Minute, MinuteHash> minutes_;
  Minute last_{{}, PG_INT64_MAX};
};

void MinuteSet::write_marks() {
  static Statement insert{
      "INSERT INTO vigil.dirty (module_id, minute) SELECT * FROM unnest($1::uuid[], "
      "$2::timestamptz[])"};
  const SpiConnection spi;
  ArrayBuilder modules(UUIDOID);
  ArrayBuilder starts(TIMESTAMPTZOID);
  for (const Minute& minute : minutes_) {
    modules.add(PointerGetDatum(minute.module.bytes.data()));
    starts.add(TimestampTzGetDatum(minute.start));
  }
  const Oid types[] = {UUIDARRAYOID, TIMESTAMPTZARRAYOID};
  Datum values[] = {modules.build(), starts.build()};
  insert.run(types, values);
}

struct KeyColumns {
  int module;
  int time;
};

KeyColumns key_columns(TriggerData* trigger) {
  return call([&] {
    const TupleDesc row = RelationGetDescr(trigger->tg_relation);
    return KeyColumns{SPI_fnumber(row, "module_id"), SPI_fnumber(row, "created_at")};
  });
}

void collect(TriggerData* trigger, Tuplestorestate* rows, KeyColumns columns, MinuteSet& minutes) {
  if (rows == nullptr) return;
  struct Key {
    bool found;
    const pg_uuid_t* module;
    TimestampTz time;
  };
  TupleTableSlot* slot = call([&] {
    return MakeSingleTupleTableSlot(RelationGetDescr(trigger->tg_relation), &TTSOpsMinimalTuple);
  });
  for (;;) {
    const Key key = call([&] {
      Key read{tuplestore_gettupleslot(rows, true, false, slot), nullptr, 0};
      if (!read.found) return read;
      bool null = false;
      read.module = DatumGetUUIDP(slot_getattr(slot, columns.module, &null));
      read.time = DatumGetTimestampTz(slot_getattr(slot, columns.time, &null));
      return read;
    });
    if (!key.found) break;
    minutes.add(*key.module, key.time);
  }
  call([&] { ExecDropSingleTupleTableSlot(slot); });
}

TriggerData* trigger_data(FunctionCallInfo fcinfo) {
  if (!CALLED_AS_TRIGGER(fcinfo))
    throw Error(Code::kInvalidArgument, "function must be called as a trigger");
  return reinterpret_cast<TriggerData*>(fcinfo->context);
}

}  // namespace

extern "C" {

PG_FUNCTION_INFO_V1(vigil_mark_dirty);
Datum vigil_mark_dirty(PG_FUNCTION_ARGS) {
  return entry([&] {
    TriggerData* trigger = trigger_data(fcinfo);
    const KeyColumns columns = key_columns(trigger);
    MinuteSet minutes;
    collect(trigger, trigger->tg_newtable, columns, minutes);
    collect(trigger, trigger->tg_oldtable, columns, minutes);
    if (!minutes.empty()) minutes.write_marks();
    return PointerGetDatum(nullptr);
  });
}
}
