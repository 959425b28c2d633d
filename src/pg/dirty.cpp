#include "pg/dirty.hpp"

#include <unordered_map>

#include "core/time_bucket.hpp"
#include "pg/bulk_insert.hpp"
#include "pg/spi.hpp"

extern "C" {
#include "commands/sequence.h"
#include "nodes/makefuncs.h"
#include "utils/rls.h"
}

namespace vigil::pg {

namespace {

struct MinuteHash {
  std::size_t operator()(const Minute& minute) const noexcept {
    std::uint64_t half = 0;
    std::memcpy(&half, minute.module.bytes.data() + 8, sizeof(half));
    return (half ^ static_cast<std::uint64_t>(minute.start)) * 0x9E3779B97F4A7C15ULL >> 7;
  }
};

// What the transaction has marked, so that each minute is marked once however many statements
// change it. Forgets what a savepoint takes back, and everything when marks are deleted. It lives
// in the memory of the transaction and goes with it.
class Marks {
 public:
  Marks() : resource_(TopTransactionContext) {}

  // Of the running transaction.
  static Marks& current();
  // The same, or null when it has none.
  static Marks* existing() { return existing_; }

  // Whether the minute needs a trigger to mark it: it is not marked, and the running command has
  // not asked before.
  bool queue(const Minute& minute);

  // Takes the minute, and all others that wait in this subtransaction, unless it is marked; the
  // caller writes them.
  void take(const Minute& minute, std::pmr::vector<Minute>& unmarked);

  void forget();
  void end(SubXactEvent event, SubTransactionId ended, SubTransactionId parent);

 private:
  struct Mark {
    Minute minute;
    SubTransactionId owner;
    CommandId command;  // that waits for its trigger to write it
    bool written;
  };

  void add(const Minute& minute, bool written);

  static Marks* existing_;

  ContextResource resource_;
  std::pmr::vector<Mark> marks_{&resource_};  // those of a subtransaction behind its parent's
  std::pmr::unordered_map<Minute, std::uint32_t, MinuteHash> numbers_{&resource_};
  std::pmr::vector<std::uint32_t> waiting_{&resource_};
  Minute last_{{}, PG_INT64_MAX};  // written, or asked for by this command
  CommandId last_command_ = InvalidCommandId;
};

Marks* Marks::existing_ = nullptr;

Marks& Marks::current() {
  if (existing_ != nullptr) return *existing_;
  static const bool registered = call([] {
    RegisterXactCallback(
        [](XactEvent event, void*) {
          if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT ||
              event == XACT_EVENT_PREPARE)
            existing_ = nullptr;
        },
        nullptr);
    RegisterSubXactCallback(
        [](SubXactEvent event, SubTransactionId ended, SubTransactionId parent, void*) {
          entry([&] {
            if (existing_ != nullptr) existing_->end(event, ended, parent);
          });
        },
        nullptr);
    return true;
  });
  (void)registered;
  ContextResource resource(TopTransactionContext);
  return *(existing_ = new (resource.allocate(sizeof(Marks), alignof(Marks))) Marks);
}

void Marks::add(const Minute& minute, bool written) {
  const auto number = static_cast<std::uint32_t>(marks_.size());
  marks_.push_back({minute, GetCurrentSubTransactionId(), GetCurrentCommandId(true), written});
  numbers_.emplace(minute, number);
  if (!written) waiting_.push_back(number);
}

// The trigger of an earlier command may still be to come when that command called a function that
// runs this one. Readers must not wait for it, so this command has its own. A command id that was
// used is not the next command's.
bool Marks::queue(const Minute& minute) {
  const CommandId command = GetCurrentCommandId(true);
  if (minute == last_ && command == last_command_) return false;
  const auto found = numbers_.find(minute);
  bool fresh = found == numbers_.end();
  if (fresh) {
    add(minute, false);
  } else if (Mark& mark = marks_[found->second]; !mark.written && mark.command != command) {
    mark.command = command;
    fresh = true;
  }
  last_ = minute;
  last_command_ = command;
  return fresh;
}

void Marks::take(const Minute& minute, std::pmr::vector<Minute>& unmarked) {
  const SubTransactionId subtransaction = GetCurrentSubTransactionId();
  const auto found = numbers_.find(minute);
  if (found == numbers_.end()) {
    unmarked.push_back(minute);
    add(minute, true);
  } else if (Mark& mark = marks_[found->second]; !mark.written) {
    unmarked.push_back(minute);
    // What an outer one waits for stays its own: this one may be rolled back.
    mark.written = mark.owner == subtransaction;
  }
  std::erase_if(waiting_, [&](std::uint32_t number) {
    Mark& mark = marks_[number];
    if (mark.written) return true;
    if (mark.owner != subtransaction) return false;
    unmarked.push_back(mark.minute);
    return mark.written = true;
  });
}

void Marks::forget() {
  marks_.clear();
  numbers_.clear();
  waiting_.clear();
  last_.start = PG_INT64_MAX;
}

void Marks::end(SubXactEvent event, SubTransactionId ended, SubTransactionId parent) {
  if (event == SUBXACT_EVENT_COMMIT_SUB) {
    for (std::size_t i = marks_.size(); i > 0 && marks_[i - 1].owner == ended; --i)
      marks_[i - 1].owner = parent;
  } else if (event == SUBXACT_EVENT_ABORT_SUB) {
    for (; !marks_.empty() && marks_.back().owner == ended; marks_.pop_back())
      numbers_.erase(marks_.back().minute);
    std::erase_if(waiting_, [&](std::uint32_t number) { return number >= marks_.size(); });
    last_.start = PG_INT64_MAX;
  }
}

// The columns of vigil.dirty as this file fills them; false if there are others with a default.
struct DirtyColumns {
  int module = -1;
  int minute = -1;
  int id = -1;
  int marked_at = -1;
};

bool find_columns(TupleDesc row, DirtyColumns& columns) {
  for (int i = 0; i < row->natts; ++i) {
    const FormData_pg_attribute& attribute = *TupleDescAttr(row, i);
    const char* name = NameStr(attribute.attname);
    if (attribute.attisdropped) continue;
    if (std::strcmp(name, "module_id") == 0 && attribute.atttypid == UUIDOID)
      columns.module = i;
    else if (std::strcmp(name, "minute") == 0 && attribute.atttypid == TIMESTAMPTZOID)
      columns.minute = i;
    else if (std::strcmp(name, "id") == 0 && attribute.atttypid == INT8OID)
      columns.id = i;
    else if (std::strcmp(name, "marked_at") == 0 && attribute.atttypid == TIMESTAMPTZOID)
      columns.marked_at = i;
    else if (attribute.atthasdef || attribute.attidentity != '\0')
      return false;
  }
  return columns.module >= 0 && columns.minute >= 0 && columns.id >= 0 && columns.marked_at >= 0;
}

// False if the table needs the executor. Minutes are distinct, so that one id will do for all.
bool write_plainly(std::span<const Minute> minutes) {
  return call([&] {
    PreventCommandIfReadOnly("INSERT");
    Relation dirty =
        table_openrv(makeRangeVar(pstrdup("vigil"), pstrdup("dirty"), -1), RowExclusiveLock);
    const Oid sequence = get_relname_relid("dirty_id_seq", RelationGetNamespace(dirty));
    DirtyColumns columns;
    const bool plain = OidIsValid(sequence) && stores_plainly(dirty) &&
                       find_columns(RelationGetDescr(dirty), columns);
    if (plain) {
      BulkInsert insert(dirty);
      const Datum id = Int64GetDatum(nextval_internal(sequence, false));
      for (const Minute& minute : minutes) {
        Datum* values = insert.values();
        std::fill_n(insert.nulls(), RelationGetDescr(dirty)->natts, true);
        for (const int column : {columns.module, columns.minute, columns.id, columns.marked_at})
          insert.nulls()[column] = false;
        values[columns.module] = PointerGetDatum(minute.module.bytes.data());
        values[columns.minute] = TimestampTzGetDatum(minute.start);
        values[columns.id] = id;
        values[columns.marked_at] = TimestampTzGetDatum(GetCurrentTransactionStartTimestamp());
        insert.put();
      }
      insert.finish();
    }
    table_close(dirty, NoLock);
    return plain;
  });
}

void write_marks(std::span<const Minute> minutes) {
  static Statement insert{
      "INSERT INTO vigil.dirty (module_id, minute) SELECT * FROM unnest($1::uuid[], "
      "$2::timestamptz[])"};
  if (minutes.empty() || write_plainly(minutes)) return;
  const SpiConnection spi;
  ArrayBuilder modules(UUIDOID);
  ArrayBuilder starts(TIMESTAMPTZOID);
  for (const Minute& minute : minutes) {
    modules.add(PointerGetDatum(minute.module.bytes.data()));
    starts.add(TimestampTzGetDatum(minute.start));
  }
  const Oid types[] = {UUIDARRAYOID, TIMESTAMPTZARRAYOID};
  Datum values[] = {modules.build(), starts.build()};
  insert.run(types, values);
}

Minute minute_of(Datum module, Datum time) {
  Uuid uuid;
  std::memcpy(uuid.bytes.data(), DatumGetUUIDP(module)->data, UUID_LEN);
  return pg::minute_of(uuid, DatumGetTimestampTz(time));
}

Minute minute_of(TriggerData* trigger, TupleTableSlot* slot) {
  struct Key {
    Datum module;
    Datum time;
  };
  const Key key = call([&] {
    const TupleDesc row = RelationGetDescr(trigger->tg_relation);
    bool null = false;
    return Key{slot_getattr(slot, SPI_fnumber(row, "module_id"), &null),
               slot_getattr(slot, SPI_fnumber(row, "created_at"), &null)};
  });
  return minute_of(key.module, key.time);
}

// pg_dump turns both off in what it writes. Restored facts have their marks and cells in the dump.
bool being_restored() { return !row_security && !check_function_bodies; }

}  // namespace

Minute minute_of(const Uuid& module, std::int64_t time) { return {module, start_of_minute(time)}; }

void mark_minutes(std::span<const Minute> minutes) {
  ContextResource resource(CurrentMemoryContext);
  std::pmr::vector<Minute> unmarked(&resource);
  Marks& marks = Marks::current();
  for (const Minute& minute : minutes) marks.take(minute, unmarked);
  // In the order of the key, as facts are. What an outer subtransaction waits for may be there
  // twice.
  std::sort(unmarked.begin(), unmarked.end());
  unmarked.erase(std::unique(unmarked.begin(), unmarked.end()), unmarked.end());
  write_marks(unmarked);
}

}  // namespace vigil::pg

using namespace vigil::pg;

extern "C" {

// unmarked(module_id uuid, created_at timestamptz) returns boolean
PG_FUNCTION_INFO_V1(vigil_unmarked);
Datum vigil_unmarked(PG_FUNCTION_ARGS) {
  return entry([&] {
    const bool unmarked = !being_restored() &&
                          Marks::current().queue(minute_of(PG_GETARG_DATUM(0), PG_GETARG_DATUM(1)));
    return BoolGetDatum(unmarked);
  });
}

PG_FUNCTION_INFO_V1(vigil_mark_dirty);
Datum vigil_mark_dirty(PG_FUNCTION_ARGS) {
  return entry([&] {
    if (!CALLED_AS_TRIGGER(fcinfo))
      throw vigil::Error(vigil::Code::kInvalidArgument, "function must be called as a trigger");
    auto* trigger = reinterpret_cast<TriggerData*>(fcinfo->context);
    if (!TRIGGER_FIRED_AFTER(trigger->tg_event) || !TRIGGER_FIRED_FOR_ROW(trigger->tg_event))
      throw vigil::Error(vigil::Code::kInvalidArgument,
                         "vigil.mark_dirty() must be the function of an AFTER ROW trigger");
    const bool update = TRIGGER_FIRED_BY_UPDATE(trigger->tg_event);
    const Minute minutes[] = {
        minute_of(trigger, trigger->tg_trigslot),
        minute_of(trigger, update ? trigger->tg_newslot : trigger->tg_trigslot)};
    mark_minutes(minutes);
    return PointerGetDatum(nullptr);
  });
}

PG_FUNCTION_INFO_V1(vigil_forget_marks);
Datum vigil_forget_marks(PG_FUNCTION_ARGS) {
  return entry([&] {
    if (Marks* marks = Marks::existing()) marks->forget();
    return PointerGetDatum(nullptr);
  });
}
}
