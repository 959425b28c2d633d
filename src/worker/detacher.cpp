// The detacher: a process that lives as long as closed partitions are to be detached, started by
// the step of retention that finds some. DETACH PARTITION ... CONCURRENTLY waits without a lock
// until nobody uses the partition, and cannot run inside a function.
#include <signal.h>

#include "worker/shared.hpp"
#include "worker/statement.hpp"

namespace vigil::worker {

namespace {

constexpr char kName[] = "pg_vigil detacher";
// Longer than a statement usually takes; what is then half detached, a later detacher finishes.
constexpr int kLongestWaitMs = 60000;

// A row of vigil.next_detach().
struct Detach {
  Oid target;
  const char* statement;  // null: nothing to do
};

template <typename F>
void in_transaction(MemoryContext context, F&& body) {
  SetCurrentStatementStartTimestamp();
  StartTransactionCommand();
  PushActiveSnapshot(GetTransactionSnapshot());
  SPI_connect();
  body();
  SPI_finish();
  PopActiveSnapshot();
  CommitTransactionCommand();
  MemoryContextSwitchTo(context);
}

// Becomes the owner of the extension; false if it is not there.
bool become_owner(MemoryContext context) {
  Oid owner = InvalidOid;
  in_transaction(context, [&] {
    SPI_execute("SELECT extowner FROM pg_catalog.pg_extension WHERE extname = 'pg_vigil'", true, 1);
    if (SPI_processed != 1) return;
    bool null;
    owner = DatumGetObjectId(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &null));
    SetSessionAuthorization(owner, superuser_arg(owner));
  });
  return OidIsValid(owner);
}

// The steps of retention, and vigil.restore_partition(), keep away from what is being detached.
void take_turn(MemoryContext context) {
  in_transaction(context, [] {
    SPI_execute("SELECT pg_advisory_lock(hashtextextended('vigil.retire_partitions', 0))", true, 1);
  });
}

Detach next_detach(MemoryContext context) {
  Detach next = {InvalidOid, nullptr};
  in_transaction(context, [&] {
    SPI_execute(
        "SELECT n.target, n.statement FROM vigil.next_detach() n WHERE n.target IS NOT NULL", true,
        1);
    if (SPI_processed != 1) return;
    bool null;
    next.target =
        DatumGetObjectId(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &null));
    next.statement =
        MemoryContextStrdup(context, SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 2));
  });
  return next;
}

void note_detach(MemoryContext context, Oid target, const char* failure) {
  in_transaction(context, [&] {
    Oid types[] = {OIDOID, TEXTOID};
    Datum values[] = {ObjectIdGetDatum(target),
                      failure != nullptr ? CStringGetTextDatum(failure) : Datum{0}};
    const char nulls[] = {' ', failure != nullptr ? ' ' : 'n'};
    SPI_execute_with_args("SELECT vigil.note_detach($1, $2)", 2, types, values, nulls, false, 1);
  });
}

// Runs the statement; returns why it failed, or null.
const char* detach(MemoryContext context, const char* statement) {
  const char* volatile failure = nullptr;
  PG_TRY();
  {
    enable_timeout_after(STATEMENT_TIMEOUT, kLongestWaitMs);
    run_statement(statement, context);
    disable_timeout(STATEMENT_TIMEOUT, false);
  }
  PG_CATCH();
  {
    HOLD_INTERRUPTS();
    disable_all_timeouts(false);
    QueryCancelPending = false;
    MemoryContextSwitchTo(context);
    failure = CopyErrorData()->message;
    FlushErrorState();
    AbortCurrentTransaction();
    MemoryContextSwitchTo(context);
    debug_query_string = nullptr;
    RESUME_INTERRUPTS();
  }
  PG_END_TRY();
  return failure;
}

// Detaches one partition after the other, until nothing is left or one has to wait for long.
void detach_all(MemoryContext context) {
  if (!become_owner(context)) return;
  take_turn(context);
  for (;;) {
    CHECK_FOR_INTERRUPTS();
    const Detach next = next_detach(context);
    if (next.statement == nullptr) return;
    const char* failure = detach(context, next.statement);
    note_detach(context, next.target, failure);
    pgstat_report_stat(true);
    if (failure != nullptr) return;
  }
}

void set_option(const char* name, const char* value) {
  SetConfigOption(name, value, PGC_SUSET, PGC_S_OVERRIDE);
}

}  // namespace

}  // namespace vigil::worker

extern "C" {

PGDLLEXPORT void vigil_detacher_main(Datum);
void vigil_detacher_main(Datum database) {
  using namespace vigil::worker;
  pqsignal(SIGTERM, die);
  BackgroundWorkerUnblockSignals();
  if (!enter_as_detacher(DatumGetObjectId(database))) proc_exit(0);
  BackgroundWorkerInitializeConnectionByOid(DatumGetObjectId(database), InvalidOid, 0);
  // The settings of a database or role must not change what it does.
  set_option("search_path", "pg_catalog, vigil, pg_temp");
  set_option("statement_timeout", "0");
  set_option("lock_timeout", "0");
  set_option("default_transaction_isolation", "read committed");
  SetConfigOption("application_name", MyBgworkerEntry->bgw_name, PGC_USERSET, PGC_S_SESSION);
  const MemoryContext context =
      AllocSetContextCreate(TopMemoryContext, "pg_vigil detacher", ALLOCSET_DEFAULT_SIZES);
  MemoryContextSwitchTo(context);
  vigil::pg::entry([&] { vigil::pg::call([&] { detach_all(context); }); });
}

PG_FUNCTION_INFO_V1(vigil_start_detacher);
Datum vigil_start_detacher(PG_FUNCTION_ARGS) {
  return vigil::pg::entry([&] {
    return vigil::pg::call([&] {
      BackgroundWorker worker;
      std::memset(&worker, 0, sizeof worker);
      worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
      worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
      worker.bgw_restart_time = BGW_NEVER_RESTART;
      std::strcpy(worker.bgw_library_name, "pg_vigil");
      std::strcpy(worker.bgw_function_name, "vigil_detacher_main");
      std::strcpy(worker.bgw_name, vigil::worker::kName);
      std::strcpy(worker.bgw_type, vigil::worker::kName);
      worker.bgw_main_arg = ObjectIdGetDatum(MyDatabaseId);
      return BoolGetDatum(RegisterDynamicBackgroundWorker(&worker, nullptr));
    });
  });
}
}
