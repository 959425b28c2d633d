// Scheduler and courier: each runs the jobs of its kind in one database, one after the other. The
// recorder is no different but for what it does in a turn.
#include <signal.h>

#include "core/schedule.hpp"
#include "pg/settings.hpp"
#include "worker/queue.hpp"
#include "worker/shared.hpp"
#include "worker/statement.hpp"

namespace vigil::worker {

namespace {

constexpr Micros kLongestWait = 60 * kSecond;
constexpr Micros kRollerNap = 5 * kSecond;
constexpr char kExtension[] = "pg_vigil";
constexpr int kLastTurns = 3;  // a recorder that is stopped tries so often to leave nothing behind

struct Extension {
  Oid oid;
  Oid owner;
  const char* version;
};

// A row of vigil.worker_jobs().
struct Job {
  const char* name;
  JobState state;
};

struct Jobs {
  Job* rows;
  std::size_t count;
};

enum class Presence { kServing, kOtherVersion, kGone, kReplaced };

// What a worker knows of itself; lives as long as it does.
struct Server {
  Kind kind;
  DatabaseSlot* slot;
  Oid extension;
  const char* database;   // its name when the worker came
  MemoryContext context;  // of one turn
  bool told_version;
  int failed_turns;  // in a row
};

const char* name_of(Kind kind) {
  static constexpr const char* kNames[] = {"scheduler", "courier", "recorder", "roller"};
  return kNames[std::min(static_cast<int>(kind), static_cast<int>(Kind::kRoller))];
}

int position_of(const Server& server) { return static_cast<int>(server.slot - shared()->slots); }

WorkerSlot& worker_slot(const Server& server) {
  return server.slot->workers[static_cast<int>(server.kind)];
}

// --- In and out of shared memory ---------------------------------------------------------------

// Whether this recorder leaves because there is nothing to do: it may be back at once.
bool rests = false;

void leave(int, Datum argument) {
  const int number = DatumGetInt32(argument);
  LWLockAcquire(shared()->lock, LW_EXCLUSIVE);
  shared()->slots[number / kKindCount].workers[number % kKindCount] = {State::kStopped, 0, nullptr,
                                                                       rests ? 0 : steady_now()};
  if (shared()->launcher != nullptr) SetLatch(shared()->launcher);
  LWLockRelease(shared()->lock);
}

// Takes the slot that the launcher has prepared; returns its database, or none when somebody wants
// the database for himself.
Oid enter(const Server& server, Datum argument) {
  before_shmem_exit(leave, argument);
  LWLockAcquire(shared()->lock, LW_EXCLUSIVE);
  const bool blocked = server.slot->blocked_until > steady_now();
  worker_slot(server) = {State::kRunning, MyProcPid, MyLatch, steady_now()};
  const Oid database = blocked ? InvalidOid : server.slot->database;
  LWLockRelease(shared()->lock);
  return database;
}

void publish(const Server& server, bool serving) {
  LWLockAcquire(shared()->lock, LW_EXCLUSIVE);
  const bool news = server.slot->serving != serving;
  server.slot->serving = serving;
  server.slot->absent = !serving;
  serving ? open_lane(position_of(server), MyDatabaseId) : close_lane(position_of(server));
  // The others shall leave with us.
  for (const WorkerSlot& worker : server.slot->workers)
    if (news && !serving && worker.latch != nullptr) SetLatch(worker.latch);
  if (news && shared()->launcher != nullptr) SetLatch(shared()->launcher);
  LWLockRelease(shared()->lock);
}

// --- Against the database ----------------------------------------------------------------------

// The extension as it is installed, in the current memory context; its oid is invalid if it is not.
Extension find_extension() {
  Extension extension = {InvalidOid, InvalidOid, nullptr};
  const MemoryContext context = CurrentMemoryContext;
  SPI_connect();
  SPI_execute(
      "SELECT oid, extowner, extversion FROM pg_catalog.pg_extension WHERE extname = 'pg_vigil'",
      true, 1);
  if (SPI_processed == 1) {
    bool null;
    HeapTuple row = SPI_tuptable->vals[0];
    TupleDesc columns = SPI_tuptable->tupdesc;
    extension.oid = DatumGetObjectId(SPI_getbinval(row, columns, 1, &null));
    extension.owner = DatumGetObjectId(SPI_getbinval(row, columns, 2, &null));
    const char* version = TextDatumGetCString(SPI_getbinval(row, columns, 3, &null));
    extension.version = MemoryContextStrdup(context, version);
  }
  SPI_finish();
  return extension;
}

void begin() {
  SetCurrentStatementStartTimestamp();
  StartTransactionCommand();
  PushActiveSnapshot(GetTransactionSnapshot());
}

void commit(MemoryContext context) {
  PopActiveSnapshot();
  CommitTransactionCommand();
  MemoryContextSwitchTo(context);
}

Extension look_for_extension(MemoryContext context) {
  begin();
  MemoryContextSwitchTo(context);
  const Extension extension = find_extension();
  commit(context);
  return extension;
}

LOCKTAG extension_tag(Oid extension) {
  LOCKTAG tag;
  SET_LOCKTAG_OBJECT(tag, MyDatabaseId, ExtensionRelationId, extension, 0);
  return tag;
}

// Keeps the extension from being dropped until let_go_extension, or until a transaction fails: the
// lock belongs to the session, for a turn has many transactions. DROP EXTENSION waits for the end
// of the turn, and the next turn for the end of DROP EXTENSION.
Presence hold_extension(const Server& server) {
  StartTransactionCommand();
  const LOCKTAG tag = extension_tag(server.extension);
  (void)LockAcquire(&tag, AccessShareLock, true, false);
  CommitTransactionCommand();
  const Extension now = look_for_extension(server.context);
  if (!OidIsValid(now.oid)) return Presence::kGone;
  if (now.oid != server.extension) return Presence::kReplaced;
  return std::strcmp(now.version, VIGIL_VERSION) == 0 ? Presence::kServing
                                                      : Presence::kOtherVersion;
}

void let_go_extension(const Server& server) {
  const LOCKTAG tag = extension_tag(server.extension);
  (void)LockRelease(&tag, AccessShareLock, true);
}

JobState state_of(HeapTuple row, TupleDesc columns) {
  bool null;
  JobState state;
  state.next_run = DatumGetTimestampTz(SPI_getbinval(row, columns, 2, &null));
  state.latest_run = DatumGetTimestampTz(SPI_getbinval(row, columns, 3, &null));
  state.last_started = DatumGetTimestampTz(SPI_getbinval(row, columns, 4, &null));
  state.enabled = DatumGetBool(SPI_getbinval(row, columns, 5, &null));
  state.idle = DatumGetBool(SPI_getbinval(row, columns, 6, &null));
  return state;
}

// The jobs of this worker, in the turn's memory.
Jobs list_jobs(const Server& server) {
  begin();
  SPI_connect();
  Oid types[] = {TEXTOID};
  Datum values[] = {CStringGetTextDatum(name_of(server.kind))};
  SPI_execute_with_args(
      "SELECT name, next_run_at, latest_run_at, last_started_at, enabled, idle "
      "FROM vigil.worker_jobs($1)",
      1, types, values, nullptr, false, 0);
  Jobs jobs = {nullptr, SPI_processed};
  jobs.rows = static_cast<Job*>(
      MemoryContextAllocZero(server.context, sizeof(Job) * std::max<std::size_t>(jobs.count, 1)));
  for (std::size_t i = 0; i < jobs.count; ++i) {
    HeapTuple row = SPI_tuptable->vals[i];
    const char* name = SPI_getvalue(row, SPI_tuptable->tupdesc, 1);
    jobs.rows[i].name = MemoryContextStrdup(server.context, name);
    jobs.rows[i].state = state_of(row, SPI_tuptable->tupdesc);
  }
  SPI_finish();
  commit(server.context);
  return jobs;
}

// --- Errors -------------------------------------------------------------------------------------

// Ends what the failure left behind. The session's locks go with the transaction, but for the
// advisory ones.
void clean_up(MemoryContext context) {
  HOLD_INTERRUPTS();
  disable_all_timeouts(false);
  QueryCancelPending = false;
  AbortCurrentTransaction();
  LockReleaseAll(USER_LOCKMETHOD, true);
  MemoryContextSwitchTo(context);
  debug_query_string = nullptr;
  RESUME_INTERRUPTS();
}

// Writes the failure to the server's log as the error it was.
void report(const pg::Failure& failure) {
  PG_TRY();
  { pg::raise_failure(failure); }
  PG_CATCH();
  {
    EmitErrorReport();
    FlushErrorState();
  }
  PG_END_TRY();
}

// Runs a body of C++; tells whether it succeeded. An error that comes from the extension having
// been dropped under it says nothing new.
template <typename F>
bool attempt(const Server& server, F&& body) {
  using Body = std::remove_reference_t<F>;
  const pg::Failure failure =
      pg::run_guarded([](void* argument) { (*static_cast<Body*>(argument))(); }, &body);
  if (failure.kind == pg::Failure::Kind::kNone) return true;
  clean_up(server.context);
  if (OidIsValid(look_for_extension(server.context).oid)) report(failure);
  MemoryContextSwitchTo(server.context);
  return false;
}

// --- Turns --------------------------------------------------------------------------------------

[[noreturn]] void stop_gone(const Server& server) {
  // The scheduler speaks for both.
  if (server.kind == Kind::kScheduler)
    ereport(LOG, (errmsg("extension \"%s\" was dropped from database \"%s\", its workers end",
                         kExtension, server.database)));
  publish(server, false);
  proc_exit(0);
}

void tell_version(Server& server) {
  if (!server.told_version)
    ereport(LOG, (errmsg("pg_vigil %s waits in database \"%s\", which has another version",
                         name_of(server.kind), server.database),
                  errhint("Run ALTER EXTENSION pg_vigil UPDATE; the library is version %s.",
                          VIGIL_VERSION)));
  server.told_version = true;
}

Actions decide(const Jobs& jobs) {
  std::vector<JobState> states;
  for (std::size_t i = 0; i < jobs.count; ++i) states.push_back(jobs.rows[i].state);
  return next_actions(states, GetCurrentTimestamp(), kLongestWait);
}

void run_job(const Server& server, const char* name) {
  pg::call([&] {
    run_statement(psprintf("CALL vigil.run_job(%s)", quote_literal_cstr(name)), server.context);
  });
}

// Whether a job that has just failed is due again: then not even its failure could be recorded.
bool is_due_again(const Server& server, std::span<const char* const> failed) {
  if (failed.empty()) return false;
  const Jobs jobs = pg::call([&] { return list_jobs(server); });
  const Actions actions = decide(jobs);
  return std::any_of(actions.start.begin(), actions.start.end(), [&](std::size_t position) {
    return std::any_of(failed.begin(), failed.end(), [&](const char* name) {
      return std::strcmp(name, jobs.rows[position].name) == 0;
    });
  });
}

// Runs what is due, all of it, whatever fails; returns how long to wait then. What has run is due
// again at another time, so the jobs are asked for anew. No value: failures were not recorded.
std::optional<Micros> run_due_jobs(const Server& server) {
  if (pg::settings::pause_jobs) return kLongestWait;
  const Jobs jobs = pg::call([&] { return list_jobs(server); });
  const Actions actions = decide(jobs);
  std::vector<const char*> failed;
  for (const std::size_t position : actions.start) {
    if (ProcDiePending || ConfigReloadPending) break;
    const char* name = jobs.rows[position].name;
    if (attempt(server, [&] { run_job(server, name); })) continue;
    failed.push_back(name);
    // The lock on the extension went with the transaction.
    if (pg::call([&] { return hold_extension(server); }) != Presence::kServing) return 0;
  }
  if (is_due_again(server, failed)) return std::nullopt;
  return actions.wait;
}

// One turn of rolling up, besides the job; returns how long to wait then.
Micros roll(const Server& server) {
  constexpr char kStatement[] = "SELECT vigil.assist_rollup()";
  if (pg::settings::pause_jobs) return kLongestWait;
  const bool was_idle = pg::call([&] {
    pgstat_report_activity(STATE_RUNNING, kStatement);
    begin();
    SPI_connect();
    SPI_execute(kStatement, false, 0);
    bool null;
    const Datum minutes = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &null);
    const bool idle = DatumGetInt64(minutes) == 0;
    SPI_finish();
    commit(server.context);
    return idle;
  });
  return was_idle ? kRollerNap : 0;
}

// One turn; returns how long to wait before the next, in microseconds, or nothing when it failed.
std::optional<Micros> turn(Server& server) {
  if (server.kind == Kind::kRecorder && !ShutdownRequestPending && gather_time() > 0)
    return gather_time();
  const Presence presence = pg::call([&] { return hold_extension(server); });
  if (presence == Presence::kGone) pg::call([&] { stop_gone(server); });
  if (presence == Presence::kReplaced) proc_exit(0);
  std::optional<Micros> wait = kLongestWait;
  if (presence == Presence::kServing && is_roller(server.kind))
    wait = roll(server);
  else if (presence == Presence::kServing)
    wait =
        server.kind == Kind::kRecorder ? record_turn(ShutdownRequestPending) : run_due_jobs(server);
  else
    pg::call([&] {
      begin();
      tell_version(server);
      commit(server.context);
    });
  pg::call([&] { let_go_extension(server); });
  return wait;
}

// After a failed turn: one second, doubled with every further one, so that an error outside the
// jobs, which have their own patience, does not fill the log.
Micros wait_after_failure(int failed_turns) {
  return std::min(kSecond << std::min(failed_turns - 1, 6), kLongestWait);
}

void prepare_turn(const Server& server) {
  if (ProcDiePending) proc_exit(0);
  CHECK_FOR_INTERRUPTS();
  if (ConfigReloadPending) {
    ConfigReloadPending = false;
    ProcessConfigFile(PGC_SIGHUP);
  }
  if (!pg::settings::workers) {
    if (server.kind != Kind::kRecorder) proc_exit(0);
    ShutdownRequestPending = true;
  }
  if (is_roller(server.kind) && !is_roller_wanted(server.kind)) proc_exit(0);
  MemoryContextReset(server.context);
  MemoryContextSwitchTo(server.context);
}

[[noreturn]] void serve(Server& server) {
  for (;;) {
    ResetLatch(MyLatch);
    prepare_turn(server);
    std::optional<Micros> result;
    const bool leaves = ShutdownRequestPending;
    const bool succeeded = attempt(server, [&] { result = turn(server); }) && result;
    server.failed_turns = succeeded ? 0 : server.failed_turns + 1;
    if (leaves && (succeeded || server.failed_turns > kLastTurns)) proc_exit(0);
    if (leaves) continue;
    const Micros wait = succeeded ? *result : wait_after_failure(server.failed_turns);
    (void)pgstat_report_stat(false);
    pgstat_report_activity(STATE_IDLE, nullptr);
    if (wait == 0) continue;
    if (server.kind == Kind::kRecorder && is_idle()) {
      rests = true;
      proc_exit(0);
    }
    (void)WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
                    static_cast<long>((wait + 999) / 1000), PG_WAIT_EXTENSION);
  }
}

void set_option(const char* name, const char* value) {
  SetConfigOption(name, value, PGC_SUSET, PGC_S_OVERRIDE);
}

// The settings of a database or role must not change what jobs do.
void pin_settings() {
  set_option("search_path", "pg_catalog, vigil, pg_temp");
  set_option("statement_timeout", "0");
  set_option("lock_timeout", "0");
  set_option("idle_in_transaction_session_timeout", "0");
  set_option("default_transaction_isolation", "read committed");
  set_option("client_min_messages", "error");
  set_option("jit", "off");  // jobs are many short statements
  SetConfigOption("application_name", MyBgworkerEntry->bgw_name, PGC_USERSET, PGC_S_SESSION);
}

// Becomes the owner of the extension, whose functions the jobs are.
void become_owner(Server& server, const Extension& extension) {
  StartTransactionCommand();
  SetSessionAuthorization(extension.owner, superuser_arg(extension.owner));
  server.database = MemoryContextStrdup(TopMemoryContext, get_database_name(MyDatabaseId));
  CommitTransactionCommand();
}

}  // namespace

}  // namespace vigil::worker

extern "C" {

PGDLLEXPORT void vigil_worker_main(Datum);
void vigil_worker_main(Datum argument) {
  using namespace vigil::worker;
  const int number = DatumGetInt32(argument);
  Server server = {};
  server.kind = static_cast<Kind>(number % kKindCount);
  server.slot = &shared()->slots[number / kKindCount];
  // The recorder stores what waits before it goes.
  pqsignal(SIGTERM, server.kind == Kind::kRecorder ? SignalHandlerForShutdownRequest : die);
  pqsignal(SIGHUP, SignalHandlerForConfigReload);
  BackgroundWorkerUnblockSignals();
  const Oid database = enter(server, argument);
  if (!OidIsValid(database)) proc_exit(0);
  if (server.kind == Kind::kRecorder) attend_lane(number / kKindCount);
  BackgroundWorkerInitializeConnectionByOid(database, InvalidOid, 0);

  server.context = AllocSetContextCreate(TopMemoryContext, "pg_vigil turn", ALLOCSET_DEFAULT_SIZES);
  MemoryContextSwitchTo(server.context);
  pin_settings();
  // The queue does not survive a crash, so no commit has to.
  if (server.kind == Kind::kRecorder) set_option("synchronous_commit", "off");
  const Extension extension = look_for_extension(server.context);
  server.extension = extension.oid;
  if (server.kind == Kind::kScheduler) publish(server, OidIsValid(extension.oid));
  if (!OidIsValid(extension.oid)) proc_exit(0);
  become_owner(server, extension);
  serve(server);
}
}
