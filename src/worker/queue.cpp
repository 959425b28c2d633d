#include "worker/queue.hpp"

#include "pg/settings.hpp"
#include "worker/shared.hpp"

namespace vigil::worker {

namespace {

// Besides the lane, guarded by the same lock.
struct LaneState {
  Latch* recorder;       // null: there is none
  Micros due;            // when the oldest record shall be stored
  std::uint64_t stored;  // records since the lane was opened
  std::uint64_t failed;  // records that could not be stored, and never will
};

struct SharedQueue {
  LWLock* lock;
  int lanes;
  LaneState states[FLEXIBLE_ARRAY_MEMBER];
};

constexpr char kName[] = "pg_vigil queue";

SharedQueue* memory = nullptr;
RecordQueue* queue = nullptr;
int attended = -1;

std::size_t capacity_wanted() {
  return static_cast<std::size_t>(pg::settings::capture_queue_size) * 1024;
}

Size states_size(int lanes) {
  return MAXALIGN(offsetof(SharedQueue, states) +
                  static_cast<std::size_t>(lanes) * sizeof(LaneState));
}

// Taking it raises only in a backend that holds two hundred others.
class QueueLock {
 public:
  explicit QueueLock(LWLockMode mode = LW_EXCLUSIVE) { LWLockAcquire(memory->lock, mode); }
  ~QueueLock() { LWLockRelease(memory->lock); }
  QueueLock(const QueueLock&) = delete;
  QueueLock& operator=(const QueueLock&) = delete;
};

// The lane of this session's database, or -1. Lanes seldom change hands.
int own_lane() {
  static int known = 0;
  if (known < memory->lanes && queue->lane(static_cast<std::size_t>(known)).owner == MyDatabaseId)
    return known;
  for (int i = 0; i < memory->lanes; ++i)
    if (queue->lane(static_cast<std::size_t>(i)).owner == MyDatabaseId) return known = i;
  return -1;
}

// Sets when the lane is due; returns whom to wake.
Latch* note_due(int lane, Micros due) {
  LaneState& state = memory->states[lane];
  const std::uint64_t waiting = queue->lane(static_cast<std::size_t>(lane)).records;
  if (waiting == static_cast<std::uint64_t>(pg::settings::async_flush_items))
    due = 0;
  else if (waiting > 1 && due >= state.due)
    return nullptr;
  state.due = due;
  // The launcher's pointer is read without its lock: whatever it is, the latch is one.
  return state.recorder != nullptr ? state.recorder : shared()->launcher;
}

void detach(int, Datum) {
  const QueueLock lock;
  memory->states[attended].recorder = nullptr;
}

}  // namespace

Size queue_bytes() {
  const int lanes = pg::settings::max_databases;
  return add_size(states_size(lanes),
                  RecordQueue::size_of(static_cast<std::size_t>(lanes), capacity_wanted()));
}

void make_queue(LWLock* lock, int slots) {
  bool found = false;
  memory = static_cast<SharedQueue*>(ShmemInitStruct(kName, queue_bytes(), &found));
  char* rest = reinterpret_cast<char*>(memory) + states_size(slots);
  if (found) {
    queue = reinterpret_cast<RecordQueue*>(rest);
    return;
  }
  std::memset(static_cast<void*>(memory), 0, states_size(slots));
  memory->lock = lock;
  memory->lanes = slots;
  queue = RecordQueue::create(rest, static_cast<std::size_t>(slots), capacity_wanted());
}

bool has_queue() { return queue != nullptr; }

void open_lane(int slot, Oid database) {
  const QueueLock lock;
  RecordQueue::Lane& lane = queue->lane(static_cast<std::size_t>(slot));
  if (lane.owner == database) return;
  queue->open(lane, database);
  LaneState& state = memory->states[slot];
  state.due = 0;
  state.stored = state.failed = 0;
}

void close_lane(int slot) {
  const QueueLock lock;
  queue->close(queue->lane(static_cast<std::size_t>(slot)));
}

bool has_records(int slot) {
  const QueueLock lock(LW_SHARED);
  return queue->lane(static_cast<std::size_t>(slot)).records > 0;
}

bool enqueue(pg::QueuedKind kind, std::initializer_list<std::string_view> parts, Micros delay) {
  if (queue == nullptr || !pg::settings::workers) return false;
  const Micros due = steady_now() + delay;
  Latch* wakes = nullptr;
  bool taken = false;
  {
    const QueueLock lock;
    const int lane = own_lane();
    if (lane < 0) return false;
    taken = queue->append(queue->lane(static_cast<std::size_t>(lane)),
                          static_cast<std::uint32_t>(kind), parts);
    if (taken) wakes = note_due(lane, due);
  }
  if (wakes != nullptr) SetLatch(wakes);
  return taken;
}

// --- The recorder -------------------------------------------------------------------------------

namespace {

constexpr std::size_t kBatchRecords = 1000;
constexpr std::size_t kBatchBytes = 4 * 1024 * 1024;
constexpr Micros kGather = 200'000;  // between batches of a lane that is never empty
constexpr Micros kLongestWait = 60 * kSecond;
constexpr Micros kIdle = 300 * kSecond;

Micros last_work = 0;

// After a failure: so many records are stored one by one, until the one that is to blame is found.
std::uint64_t suspects = 0;

RecordQueue::Cursor start() {
  const QueueLock lock(LW_SHARED);
  return queue->start(queue->lane(static_cast<std::size_t>(attended)));
}

// Gives room back; returns how long to wait for the next batch.
Micros finish(const RecordQueue::Cursor& cursor, bool stored) {
  const QueueLock lock;
  RecordQueue::Lane& lane = queue->lane(static_cast<std::size_t>(attended));
  LaneState& state = memory->states[attended];
  queue->release(lane, cursor);
  (stored ? state.stored : state.failed) += cursor.records;
  if (lane.records == 0) return kLongestWait;
  const bool enough = lane.records >= static_cast<std::uint64_t>(pg::settings::async_flush_items);
  state.due = steady_now() + (enough ? 0 : kGather);
  return enough ? 0 : kGather;
}

std::pmr::vector<RecordQueue::Record> read_batch(RecordQueue::Cursor& cursor,
                                                 std::pmr::memory_resource* resource) {
  std::pmr::vector<RecordQueue::Record> batch(resource);
  const std::size_t most = suspects > 0 ? 1 : kBatchRecords;
  RecordQueue::Record record{0, std::pmr::vector<char>(resource)};
  while (batch.size() < most && cursor.bytes < kBatchBytes && queue->next(cursor, record)) {
    batch.push_back(std::move(record));
    record.bytes = std::pmr::vector<char>(resource);
  }
  return batch;
}

void begin() {
  SetCurrentStatementStartTimestamp();
  StartTransactionCommand();
  PushActiveSnapshot(GetTransactionSnapshot());
}

void commit() {
  PopActiveSnapshot();
  CommitTransactionCommand();
}

void store(std::span<const RecordQueue::Record> batch) {
  pg::call([] { begin(); });
  pg::store_queued(batch);
  pg::call([] { commit(); });
}

// What a dump brings must find its tables as CREATE EXTENSION made them. A restore takes its time,
// so asking now and then is enough.
bool being_restored() {
  static Micros asked = 0;
  static bool answer = false;
  if (steady_now() - asked < kSecond) return answer;
  asked = steady_now();
  return answer = pg::call([] {
           const MemoryContext caller = CurrentMemoryContext;
           begin();
           SPI_connect();
           SPI_execute("SELECT vigil.being_restored()", true, 1);
           bool null = false;
           const bool restored =
               DatumGetBool(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &null));
           SPI_finish();
           commit();
           MemoryContextSwitchTo(caller);
           return restored;
         });
}

// Whether the same record may be stored a moment later: the fault is not its own.
bool passes(int sqlstate) {
  switch (ERRCODE_TO_CATEGORY(sqlstate)) {
    case MAKE_SQLSTATE('2', '5', '0', '0', '0'):  // read-only
    case MAKE_SQLSTATE('4', '0', '0', '0', '0'):  // deadlock
    case MAKE_SQLSTATE('5', '3', '0', '0', '0'):  // out of space or memory
    case MAKE_SQLSTATE('5', '5', '0', '0', '0'):  // locked
    case MAKE_SQLSTATE('5', '7', '0', '0', '0'):  // cancelled
    case MAKE_SQLSTATE('5', '8', '0', '0', '0'):  // input or output
      return true;
    default:
      return false;
  }
}

// Decides what becomes of a batch that could not be stored, and raises why.
[[noreturn]] void give_up(const RecordQueue::Cursor& cursor, const pg::Failure& failure) {
  const int sqlstate =
      failure.kind == pg::Failure::Kind::kPostgres ? failure.data->sqlerrcode : failure.sqlstate;
  if (!passes(sqlstate)) {
    if (cursor.records == 1) {
      suspects -= suspects > 0;
      (void)finish(cursor, false);
    } else {
      suspects = cursor.records;
    }
  }
  pg::call([&] { pg::raise_failure(failure); });
  pg_unreachable();
}

Micros store_batch() {
  const MemoryContext caller = CurrentMemoryContext;
  RecordQueue::Cursor cursor = start();
  const pg::Failure failure = pg::run_guarded(
      [](void* argument) {
        pg::ContextResource resource(CurrentMemoryContext);
        store(read_batch(*static_cast<RecordQueue::Cursor*>(argument), &resource));
      },
      &cursor);
  if (failure.kind != pg::Failure::Kind::kNone) give_up(cursor, failure);
  MemoryContextSwitchTo(caller);
  suspects -= std::min(suspects, cursor.records);
  return finish(cursor, true);
}

}  // namespace

void attend_lane(int slot) {
  attended = slot;
  before_shmem_exit(detach, Datum{0});
  const QueueLock lock;
  memory->states[slot].recorder = MyLatch;
  last_work = steady_now();
}

bool is_recorder() { return attended >= 0; }

Micros gather_time() {
  const QueueLock lock(LW_SHARED);
  if (queue->lane(static_cast<std::size_t>(attended)).records == 0) return 0;
  return std::max<Micros>(memory->states[attended].due - steady_now(), 0);
}

Micros record_turn(bool everything) {
  // Sessions that are ended together with us may still report why.
  if (everything) pg_usleep(50000);
  if (!has_records(attended)) return kLongestWait;
  Micros wait = being_restored() ? kSecond : 0;
  while (wait == 0 && has_records(attended)) {
    MemoryContext turn = pg::call([] {
      return AllocSetContextCreate(CurrentMemoryContext, "pg_vigil batch", ALLOCSET_DEFAULT_SIZES);
    });
    const MemoryContext caller = MemoryContextSwitchTo(turn);
    wait = store_batch();
    if (everything) wait = 0;
    MemoryContextSwitchTo(caller);
    MemoryContextDelete(turn);
    last_work = steady_now();
  }
  return has_records(attended) ? wait : kLongestWait;
}

bool is_idle() {
  if (steady_now() - last_work < kIdle) return false;
  const QueueLock lock;
  if (queue->lane(static_cast<std::size_t>(attended)).records > 0) return false;
  memory->states[attended].recorder = nullptr;
  return true;
}

}  // namespace vigil::worker

extern "C" {

PG_FUNCTION_INFO_V1(vigil_capture_stats);
Datum vigil_capture_stats(PG_FUNCTION_ARGS) {
  using namespace vigil::worker;
  return vigil::pg::entry([&]() -> Datum {
    vigil::pg::call([&] { InitMaterializedSRF(fcinfo, 0); });
    if (!has_queue()) return 0;
    vigil::RecordQueue::Lane lane;
    LaneState state;
    bool recorder = false;
    {
      const QueueLock lock(LW_SHARED);
      const int own = own_lane();
      if (own < 0) return 0;
      lane = queue->lane(static_cast<std::size_t>(own));
      state = memory->states[own];
      recorder = state.recorder != nullptr;
    }
    Datum values[] = {Int64GetDatum(lane.appended),     Int64GetDatum(state.stored),
                      Int64GetDatum(lane.records),      Int64GetDatum(lane.bytes),
                      Int64GetDatum(lane.dropped),      Int64GetDatum(state.failed),
                      Int64GetDatum(queue->capacity()), BoolGetDatum(recorder)};
    bool nulls[lengthof(values)] = {};
    vigil::pg::call([&] {
      auto* result = reinterpret_cast<ReturnSetInfo*>(fcinfo->resultinfo);
      tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
    });
    return 0;
  });
}
}
