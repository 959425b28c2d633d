#include "worker/shared.hpp"

#include <signal.h>

#include "pg/rate_limit.hpp"
#include "pg/settings.hpp"
#include "worker/queue.hpp"

namespace vigil::worker {

namespace {

constexpr char kName[] = "pg_vigil";
constexpr Micros kBlock = 15 * kSecond;
constexpr int kLeaveMs = 5000;

Shared* memory = nullptr;
shmem_request_hook_type previous_request_hook = nullptr;
shmem_startup_hook_type previous_startup_hook = nullptr;

int slots_wanted() { return pg::settings::max_databases; }

Size size_wanted() {
  return add_size(offsetof(Shared, slots), mul_size(slots_wanted(), sizeof(DatabaseSlot)));
}

void request_memory() {
  if (previous_request_hook != nullptr) previous_request_hook();
  RequestAddinShmemSpace(add_size(size_wanted(), queue_bytes()));
  RequestAddinShmemSpace(pg::rate_limit_bytes());
  RequestNamedLWLockTranche(kName, 2);  // of Shared, and of the queue
}

void start_memory() {
  if (previous_startup_hook != nullptr) previous_startup_hook();
  LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
  bool found = false;
  memory = static_cast<Shared*>(ShmemInitStruct(kName, size_wanted(), &found));
  if (!found) {
    std::memset(static_cast<void*>(memory), 0, size_wanted());
    memory->lock = &GetNamedLWLockTranche(kName)->lock;
    memory->slot_count = slots_wanted();
  }
  make_queue(&GetNamedLWLockTranche(kName)[1].lock, slots_wanted());
  pg::make_rate_limits();
  LWLockRelease(AddinShmemInitLock);
}

// What this backend does when its transaction commits.
bool wakes_courier = false;
bool wakes_everybody = false;

void ask_for_look(Oid database) {
  for (int i = 0; i < memory->asked_count; ++i)
    if (memory->asked[i] == database) return;
  if (memory->asked_count == lengthof(memory->asked))
    memory->look_everywhere = true;
  else
    memory->asked[memory->asked_count++] = database;
}

void wake(Latch* latch) {
  if (latch != nullptr) SetLatch(latch);
}

void wake_now() {
  LWLockAcquire(memory->lock, LW_EXCLUSIVE);
  for (int i = 0; i < memory->slot_count; ++i) {
    DatabaseSlot& slot = memory->slots[i];
    if (slot.database != MyDatabaseId) continue;
    wake(slot.workers[static_cast<int>(Kind::kCourier)].latch);
    if (wakes_everybody) wake(slot.workers[static_cast<int>(Kind::kScheduler)].latch);
  }
  if (wakes_everybody) {
    ask_for_look(MyDatabaseId);
    wake(memory->launcher);
  }
  LWLockRelease(memory->lock);
}

void at_transaction_end(XactEvent event, void*) {
  if (!wakes_courier && !wakes_everybody) return;
  switch (event) {
    case XACT_EVENT_COMMIT:
      wake_now();
      [[fallthrough]];
    case XACT_EVENT_ABORT:
    case XACT_EVENT_PREPARE:
      wakes_courier = wakes_everybody = false;
      break;
    default:
      break;
  }
}

// Sends the workers of the database away; tells whether there is one left.
bool send_away(Oid database) {
  bool left = false;
  LWLockAcquire(memory->lock, LW_EXCLUSIVE);
  for (int i = 0; i < memory->slot_count; ++i) {
    DatabaseSlot& slot = memory->slots[i];
    if (slot.database != database) continue;
    slot.blocked_until = steady_now() + kBlock;
    if (slot.detacher != 0) {
      left = true;
      kill(slot.detacher, SIGTERM);
    }
    for (const WorkerSlot& worker : slot.workers) {
      if (worker.state != State::kRunning) continue;
      left = true;
      kill(worker.pid, SIGTERM);
    }
  }
  LWLockRelease(memory->lock);
  return left;
}

void leave_as_detacher(int, Datum) {
  LWLockAcquire(memory->lock, LW_EXCLUSIVE);
  for (int i = 0; i < memory->slot_count; ++i)
    if (memory->slots[i].detacher == MyProcPid) memory->slots[i].detacher = 0;
  LWLockRelease(memory->lock);
}

}  // namespace

Shared* shared() { return memory; }

void request_shared_memory() {
  previous_request_hook = shmem_request_hook;
  shmem_request_hook = request_memory;
  previous_startup_hook = shmem_startup_hook;
  shmem_startup_hook = start_memory;
}

void wake_at_commit(bool launcher) {
  static bool registered = false;
  if (memory == nullptr) return;
  if (!registered) RegisterXactCallback(at_transaction_end, nullptr);
  registered = true;
  (launcher ? wakes_everybody : wakes_courier) = true;
}

bool enter_as_detacher(Oid database) {
  if (memory == nullptr) return true;
  before_shmem_exit(leave_as_detacher, Datum{0});
  bool may_stay = true;
  LWLockAcquire(memory->lock, LW_EXCLUSIVE);
  for (int i = 0; i < memory->slot_count; ++i) {
    DatabaseSlot& slot = memory->slots[i];
    if (slot.database != database) continue;
    may_stay = slot.detacher == 0 && slot.blocked_until <= steady_now();
    if (may_stay) slot.detacher = MyProcPid;
  }
  LWLockRelease(memory->lock);
  return may_stay;
}

void leave_database(Oid database) {
  if (memory == nullptr) return;
  for (int waited = 0; send_away(database) && waited < kLeaveMs; waited += 10) {
    CHECK_FOR_INTERRUPTS();
    pg_usleep(10000);
  }
}

}  // namespace vigil::worker

extern "C" {

PG_FUNCTION_INFO_V1(vigil_wake_workers);
Datum vigil_wake_workers(PG_FUNCTION_ARGS) {
  return vigil::pg::entry([&] {
    vigil::pg::call([] { vigil::worker::wake_at_commit(true); });
    return Datum{0};
  });
}

PG_FUNCTION_INFO_V1(vigil_wake_courier);
Datum vigil_wake_courier(PG_FUNCTION_ARGS) {
  return vigil::pg::entry([&] {
    if (!CALLED_AS_TRIGGER(fcinfo))
      throw vigil::Error(vigil::Code::kInvalidArgument, "wake_courier was not called as a trigger");
    vigil::pg::call([] { vigil::worker::wake_at_commit(false); });
    return PointerGetDatum(nullptr);
  });
}
}
