// The launcher: looks for databases with the extension, keeps a scheduler and a courier in each,
// and starts a recorder where records wait.
#include <signal.h>

#include "core/schedule.hpp"
#include "pg/settings.hpp"
#include "worker/queue.hpp"
#include "worker/shared.hpp"
#include "worker/worker.hpp"

namespace vigil::worker {

namespace {

constexpr int kRestartSeconds = 5;
constexpr Micros kPause = kRestartSeconds * kSecond;  // before a worker that ended is started again
constexpr Micros kStartTime = 30 * kSecond;  // a worker that is not there by then never started
// Only a connection can tell whether a database has the extension, and CREATE EXTENSION tells by
// itself: a database without it is looked at again only after this many naps.
constexpr int kNapsBetweenLooks = 60;

Micros naptime() { return pg::settings::launcher_naptime * kSecond; }

// The lock on what is shared, until the end of the block; an exception releases it too.
class SharedLock {
 public:
  SharedLock() {
    pg::call([] { LWLockAcquire(shared()->lock, LW_EXCLUSIVE); });
  }
  ~SharedLock() { LWLockRelease(shared()->lock); }
  SharedLock(const SharedLock&) = delete;
  SharedLock& operator=(const SharedLock&) = delete;
};

// A database without the extension.
struct Absence {
  Oid database;
  Micros look_at;
};

// What the launcher remembers; lives as long as it does.
struct Launcher {
  std::vector<Absence> absences;
  bool told_full = false;        // that databases are more than vigil.max_databases
  bool told_no_process = false;  // that max_worker_processes is too small
};

void initialise(BackgroundWorker& worker, const char* name, const char* function) {
  std::memset(&worker, 0, sizeof worker);
  worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
  worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
  std::strcpy(worker.bgw_library_name, "pg_vigil");
  std::strcpy(worker.bgw_function_name, function);
  std::strcpy(worker.bgw_name, name);
  std::strcpy(worker.bgw_type, name);
}

// The databases that can be connected to, in the current memory context.
List* connectable_databases() {
  List* databases = NIL;
  const MemoryContext context = CurrentMemoryContext;
  StartTransactionCommand();
  (void)GetTransactionSnapshot();
  Relation relation = table_open(DatabaseRelationId, AccessShareLock);
  TableScanDesc scan = table_beginscan_catalog(relation, 0, nullptr);
  while (HeapTuple tuple = heap_getnext(scan, ForwardScanDirection)) {
    const auto* database = reinterpret_cast<Form_pg_database>(GETSTRUCT(tuple));
    constexpr int kInvalidDatabase = -2;  // DROP DATABASE was interrupted
    if (database->datistemplate || !database->datallowconn ||
        database->datconnlimit == kInvalidDatabase)
      continue;
    MemoryContextSwitchTo(context);
    databases = lappend_oid(databases, database->oid);
    MemoryContextSwitchTo(CurTransactionContext);
  }
  table_endscan(scan);
  table_close(relation, AccessShareLock);
  CommitTransactionCommand();
  MemoryContextSwitchTo(context);
  return databases;
}

std::vector<Oid> list_databases() {
  const List* list = pg::call([] { return connectable_databases(); });
  std::vector<Oid> databases;
  for (int i = 0; i < list_length(list); ++i) databases.push_back(list_nth_oid(list, i));
  return databases;
}

bool contains(const std::vector<Oid>& databases, Oid database) {
  return std::find(databases.begin(), databases.end(), database) != databases.end();
}

DatabaseSlot* slot_of(Oid database) {
  Shared* memory = shared();
  for (int i = 0; i < memory->slot_count; ++i)
    if (memory->slots[i].database == database) return &memory->slots[i];
  return nullptr;
}

bool has_worker(const DatabaseSlot& slot) {
  return std::any_of(std::begin(slot.workers), std::end(slot.workers),
                     [](const WorkerSlot& worker) { return worker.state != State::kStopped; });
}

// Forgets what sessions asked for, and returns it.
std::vector<Oid> take_asked(bool& everywhere) {
  Shared* memory = shared();
  std::vector<Oid> asked(memory->asked, memory->asked + memory->asked_count);
  everywhere = memory->look_everywhere;
  memory->asked_count = 0;
  memory->look_everywhere = false;
  return asked;
}

void forget_absences(Launcher& launcher, const std::vector<Oid>& databases) {
  bool everywhere = false;
  const std::vector<Oid> asked = take_asked(everywhere);
  std::erase_if(launcher.absences, [&](const Absence& absence) {
    return everywhere || contains(asked, absence.database) ||
           !contains(databases, absence.database);
  });
  // Also when the workers of the dropped one have not all left yet.
  for (const Oid database : asked)
    if (DatabaseSlot* slot = slot_of(database)) slot->absent = false;
}

bool is_absent(const Launcher& launcher, Oid database, Micros now) {
  return std::any_of(launcher.absences.begin(), launcher.absences.end(),
                     [&](const Absence& absence) {
                       return absence.database == database && absence.look_at > now;
                     });
}

void note_absence(Launcher& launcher, Oid database, Micros now) {
  std::erase_if(launcher.absences,
                [&](const Absence& absence) { return absence.database == database; });
  launcher.absences.push_back({database, now + kNapsBetweenLooks * naptime()});
}

// Frees slots that nobody needs any longer.
void sweep(Launcher& launcher, const std::vector<Oid>& databases, Micros now) {
  Shared* memory = shared();
  for (int i = 0; i < memory->slot_count; ++i) {
    DatabaseSlot& slot = memory->slots[i];
    if (!OidIsValid(slot.database)) continue;
    for (WorkerSlot& worker : slot.workers)
      if (worker.state == State::kStarting && worker.changed_at + kStartTime < now)
        worker = {State::kStopped, 0, nullptr, now};
    if (has_worker(slot) || slot.blocked_until > now) continue;
    if (!slot.absent && contains(databases, slot.database)) continue;
    if (slot.absent) note_absence(launcher, slot.database, now);
    close_lane(i);
    slot = {};
  }
}

// Gives a slot to every database that has none and may have the extension.
void assign_slots(Launcher& launcher, const std::vector<Oid>& databases, Micros now) {
  bool full = false;
  for (const Oid database : databases) {
    if (slot_of(database) != nullptr || is_absent(launcher, database, now)) continue;
    DatabaseSlot* slot = slot_of(InvalidOid);
    full = slot == nullptr;
    if (full) break;
    slot->database = database;
    // What is reported before the scheduler has looked is not lost.
    open_lane(static_cast<int>(slot - shared()->slots), database);
  }
  if (full && !launcher.told_full)
    pg::call([] {
      ereport(LOG,
              (errmsg("pg_vigil cannot look after more than %d databases", shared()->slot_count),
               errhint("Increase vigil.max_databases and restart the server.")));
    });
  launcher.told_full = full;
}

// Whether there is anything to do for a worker that is not there.
bool is_wanted(int position, Kind kind) {
  const DatabaseSlot& slot = shared()->slots[position];
  if (!OidIsValid(slot.database) || slot.absent) return false;
  if (slot.workers[static_cast<int>(kind)].state != State::kStopped) return false;
  if (kind == Kind::kScheduler) return true;
  if (is_roller(kind)) return slot.serving && is_roller_wanted(kind);
  return slot.serving && (kind != Kind::kRecorder || has_records(position));
}

bool may_start(int position, Kind kind, Micros now) {
  const DatabaseSlot& slot = shared()->slots[position];
  const WorkerSlot& worker = slot.workers[static_cast<int>(kind)];
  return is_wanted(position, kind) && slot.blocked_until <= now &&
         worker.changed_at + kPause <= now;
}

const char* title_of(Kind kind) {
  switch (kind) {
    case Kind::kScheduler:
      return "pg_vigil scheduler";
    case Kind::kCourier:
      return "pg_vigil courier";
    case Kind::kRecorder:
      return "pg_vigil recorder";
    case Kind::kRoller:
      break;
  }
  return "pg_vigil roller";
}

bool start(int position, Kind kind) {
  return pg::call([&] {
    BackgroundWorker worker;
    initialise(worker, title_of(kind), "vigil_worker_main");
    worker.bgw_restart_time = BGW_NEVER_RESTART;
    worker.bgw_notify_pid = MyProcPid;
    worker.bgw_main_arg = Int32GetDatum(position * kKindCount + static_cast<int>(kind));
    return RegisterDynamicBackgroundWorker(&worker, nullptr);
  });
}

void start_workers(Launcher& launcher, Micros now) {
  Shared* memory = shared();
  bool refused = false;
  for (int i = 0; i < memory->slot_count && !refused; ++i)
    for (int number = 0; number < kKindCount; ++number) {
      const auto kind = static_cast<Kind>(number);
      if (refused || !may_start(i, kind, now)) continue;
      memory->slots[i].workers[static_cast<int>(kind)] = {State::kStarting, 0, nullptr, now};
      refused = !start(i, kind);
      if (refused)
        memory->slots[i].workers[static_cast<int>(kind)] = {State::kStopped, 0, nullptr, 0};
    }
  if (refused && !launcher.told_no_process)
    pg::call([] {
      ereport(LOG, (errmsg("pg_vigil cannot start all its workers"),
                    errhint("Increase max_worker_processes: pg_vigil needs one, and two for each "
                            "database with the extension, three where errors are captured.")));
    });
  launcher.told_no_process = refused;
}

// When something that is known now has to be done.
Micros time_to_wait(Micros now) {
  Micros wait = naptime();
  const Shared* memory = shared();
  for (int i = 0; i < memory->slot_count; ++i) {
    const DatabaseSlot& slot = memory->slots[i];
    if (!OidIsValid(slot.database)) continue;
    for (int number = 0; number < kKindCount; ++number)
      if (const auto kind = static_cast<Kind>(number); is_wanted(i, kind))
        wait = std::min(
            wait,
            std::max(slot.workers[static_cast<int>(kind)].changed_at + kPause - now, kSecond));
  }
  return wait;
}

// One look; returns how long to sleep, in microseconds.
Micros look(Launcher& launcher) {
  if (!pg::settings::workers) return naptime();
  const std::vector<Oid> databases = list_databases();
  const Micros now = steady_now();
  const SharedLock lock;
  forget_absences(launcher, databases);
  sweep(launcher, databases, now);
  assign_slots(launcher, databases, now);
  start_workers(launcher, now);
  return time_to_wait(now);
}

void leave(int, Datum) {
  LWLockAcquire(shared()->lock, LW_EXCLUSIVE);
  if (shared()->launcher == MyLatch) shared()->launcher = nullptr;
  LWLockRelease(shared()->lock);
}

void enter() {
  before_shmem_exit(leave, Datum{0});
  LWLockAcquire(shared()->lock, LW_EXCLUSIVE);
  shared()->launcher = MyLatch;
  LWLockRelease(shared()->lock);
}

void serve() {
  Launcher launcher;
  const MemoryContext context = pg::call([] {
    return AllocSetContextCreate(TopMemoryContext, "pg_vigil turn", ALLOCSET_DEFAULT_SIZES);
  });
  for (;;) {
    ResetLatch(MyLatch);
    // Code 1, so that the postmaster starts the launcher again unless it stops itself.
    if (ProcDiePending) proc_exit(1);
    pg::call([] {
      CHECK_FOR_INTERRUPTS();
      if (!ConfigReloadPending) return;
      ConfigReloadPending = false;
      ProcessConfigFile(PGC_SIGHUP);
    });
    MemoryContextReset(context);
    MemoryContextSwitchTo(context);
    const Micros wait = look(launcher);
    (void)WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
                    static_cast<long>(wait / 1000), PG_WAIT_EXTENSION);
  }
}

}  // namespace

void register_launcher() {
  if (!process_shared_preload_libraries_in_progress || IsBinaryUpgrade) return;
  request_shared_memory();
  install_utility_hook();
  install_capture_hook();
  BackgroundWorker worker;
  initialise(worker, "pg_vigil launcher", "vigil_launcher_main");
  worker.bgw_restart_time = kRestartSeconds;
  RegisterBackgroundWorker(&worker);
}

}  // namespace vigil::worker

extern "C" {

PGDLLEXPORT void vigil_launcher_main(Datum);
void vigil_launcher_main(Datum) {
  pqsignal(SIGTERM, die);
  pqsignal(SIGHUP, SignalHandlerForConfigReload);
  BackgroundWorkerUnblockSignals();
  BackgroundWorkerInitializeConnection(nullptr, nullptr, 0);
  SetConfigOption("application_name", MyBgworkerEntry->bgw_name, PGC_USERSET, PGC_S_SESSION);
  vigil::worker::enter();
  // Whatever goes wrong ends this process, and the postmaster starts another.
  vigil::pg::entry([&] { vigil::worker::serve(); });
}
}
