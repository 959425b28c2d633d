// Errors of this server as records of the queue: what the server logs, and what sessions hand over.
#include "pg/settings.hpp"
#include "worker/queue.hpp"
#include "worker/shared.hpp"

namespace vigil::worker {

namespace {

// Errors are stored promptly, but those of a burst together.
constexpr Micros kErrorDelay = 200'000;

emit_log_hook_type previous_hook = nullptr;

std::string_view view_of(const char* text) { return text != nullptr ? text : std::string_view(); }

std::array<char, 5> sqlstate_text(int code) {
  std::array<char, 5> text{};
  for (char& c : text) {
    c = PGUNSIXBIT(code);
    code >>= 6;
  }
  return text;
}

std::string_view level_of(int elevel) {
  if (elevel >= FATAL) return "fatal";
  return elevel >= ERROR ? "error" : "warning";
}

std::int64_t unix_micros(TimestampTz time) { return time + pg::kPostgresEpochMicros; }

// What the session is, as far as it can be told without looking anything up: the transaction may
// have failed.
void describe_session(ServerError& error, std::span<char> id) {
  const int size = std::snprintf(id.data(), id.size(), "%lx.%x",
                                 static_cast<unsigned long>(MyStartTime), MyProcPid);
  error[ErrorText::kSession] = {id.data(), static_cast<std::size_t>(size)};
  error[ErrorText::kApplication] = view_of(application_name);
  error[ErrorText::kBackend] = GetBackendTypeDesc(MyBackendType);
  error.query_id = static_cast<std::uint64_t>(pgstat_get_my_query_id());
  error.role = GetSessionUserId();
  int length = 0;
  const char* command = get_ps_display(&length);
  error[ErrorText::kCommand] = {command, static_cast<std::size_t>(length)};
}

// Runs while an error is being reported: in any state of the backend, perhaps without memory.
void capture(const ErrorData* data) {
  static char record[kMaxPackedTexts];
  std::array<char, 40> id;
  std::array<char, 160> routine;
  ServerError error;
  error.at = unix_micros(GetCurrentTimestamp());
  error.sqlstate = sqlstate_text(data->sqlerrcode);
  error.whole_context = pg::settings::capture_values;
  error[ErrorText::kLevel] = level_of(data->elevel);
  error[ErrorText::kMessage] = view_of(data->message);
  error[ErrorText::kHint] = view_of(data->hint);
  error[ErrorText::kContext] = view_of(data->context);
  error[ErrorText::kSchema] = view_of(data->schema_name);
  error[ErrorText::kTable] = view_of(data->table_name);
  error[ErrorText::kColumn] = view_of(data->column_name);
  error[ErrorText::kConstraint] = view_of(data->constraint_name);
  error[ErrorText::kDatatype] = view_of(data->datatype_name);
  if (pg::settings::capture_values) {
    error[ErrorText::kDetail] = view_of(data->detail);
    if (!data->hide_stmt) error[ErrorText::kStatement] = view_of(debug_query_string);
  }
  if (data->filename != nullptr && data->funcname != nullptr) {
    const int size = std::snprintf(routine.data(), routine.size(), "%s, %s:%d", data->funcname,
                                   data->filename, data->lineno);
    error[ErrorText::kRoutine] = {routine.data(),
                                  std::min(static_cast<std::size_t>(size), routine.size() - 1)};
  }
  describe_session(error, id);
  const std::size_t size = pack(error, record);
  (void)enqueue(pg::QueuedKind::kServerError, {{record, size}}, kErrorDelay);
}

// Without a PGPROC no lock can be waited for; a parallel worker's error is its leader's, too; and
// what the recorder itself fails with would come back to it for ever.
bool wants(const ErrorData* data) {
  return pg::settings::capture_server_errors && data->elevel >= pg::settings::capture_severity &&
         has_queue() && OidIsValid(MyDatabaseId) && MyProc != nullptr && !IsParallelWorker() &&
         !is_recorder();
}

void emit_log(ErrorData* data) {
  static bool busy = false;
  if (wants(data) && !busy) {
    busy = true;
    capture(data);
    busy = false;
  }
  if (previous_hook != nullptr) previous_hook(data);
}

// --- SQL ----------------------------------------------------------------------------------------

std::string_view text_argument(FunctionCallInfo fcinfo, int number) {
  return PG_ARGISNULL(number) ? std::string_view() : pg::text_view(PG_GETARG_DATUM(number));
}

std::string_view object_argument(FunctionCallInfo fcinfo, int number, const char* name) {
  if (PG_ARGISNULL(number)) return {};
  const JsonbContainer* object = pg::json_container(PG_GETARG_DATUM(number));
  if (!JsonContainerIsObject(object))
    throw Error(Code::kInvalidArgument, std::string(name) + " must be a JSON object", {},
                "For example '{\"order\": 42}'.");
  return {reinterpret_cast<const char*>(object), pg::json_size(object)};
}

std::array<char, 5> sqlstate_argument(std::string_view text) {
  constexpr std::string_view kAllowed = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
  if (text.size() != 5 || text.find_first_not_of(kAllowed) != text.npos)
    throw Error(Code::kInvalidArgument, "invalid SQLSTATE: \"" + std::string(text) + "\"", {},
                "It has five digits or upper case letters; within EXCEPTION, pass SQLSTATE.");
  std::array<char, 5> sqlstate;
  std::copy(text.begin(), text.end(), sqlstate.begin());
  return sqlstate;
}

// In the order of the arguments of vigil.capture_exception.
enum Argument {
  kSqlstate,
  kMessage,
  kDetail,
  kHint,
  kContext,
  kModule,
  kTags,
  kExtra,
  kSchema,
  kTable,
  kColumn,
  kConstraint,
  kDatatype,
  kLevel,
  kSurvive,
};

struct TextArgument {
  Argument argument;
  ErrorText text;
};

constexpr TextArgument kTextArguments[] = {
    {kMessage, ErrorText::kMessage},  {kDetail, ErrorText::kDetail},
    {kHint, ErrorText::kHint},        {kSchema, ErrorText::kSchema},
    {kTable, ErrorText::kTable},      {kColumn, ErrorText::kColumn},
    {kLevel, ErrorText::kLevel},      {kConstraint, ErrorText::kConstraint},
    {kDatatype, ErrorText::kDatatype}};

// Without a context of the error: where we were called tells who caught it.
void set_context(FunctionCallInfo fcinfo, ServerError& error) {
  error[ErrorText::kContext] = text_argument(fcinfo, kContext);
  error.whole_context = !error[ErrorText::kContext].empty();
  if (!error.whole_context)
    error[ErrorText::kContext] = pg::call([] { return view_of(GetErrorContextStack()); });
}

pg::IngestCounts capture_exception(FunctionCallInfo fcinfo) {
  if (PG_ARGISNULL(kSqlstate) || PG_ARGISNULL(kMessage))
    throw Error(Code::kNullValue, "SQLSTATE and message must not be null", {},
                "Within EXCEPTION: PERFORM vigil.capture_exception(SQLSTATE, SQLERRM);");
  std::array<char, 40> id;
  ServerError error;
  error.at = unix_micros(GetCurrentTimestamp());
  error.sqlstate = sqlstate_argument(text_argument(fcinfo, kSqlstate));
  error.handled = true;
  describe_session(error, id);
  for (const TextArgument& each : kTextArguments)
    error[each.text] = text_argument(fcinfo, each.argument);
  if (error[ErrorText::kLevel].empty()) error[ErrorText::kLevel] = "error";
  error[ErrorText::kTags] = object_argument(fcinfo, kTags, "tags");
  error[ErrorText::kExtra] = object_argument(fcinfo, kExtra, "extra");
  set_context(fcinfo, error);
  if (!PG_ARGISNULL(kModule))
    std::memcpy(error.module.data(), PG_GETARG_UUID_P(kModule)->data, UUID_LEN);

  if (!PG_ARGISNULL(kSurvive) && PG_GETARG_BOOL(kSurvive) && has_queue()) {
    auto* record = static_cast<char*>(pg::allocate(packed_size(error)));
    const std::size_t size = pack(error, record);
    if (enqueue(pg::QueuedKind::kServerError, {{record, size}}, kErrorDelay))
      return {.accepted = 1, .duplicate = 0, .rejected = 0, .quarantined = 0};
  }
  return pg::store_error(error, "capture_exception");
}

}  // namespace

void install_capture_hook() {
  previous_hook = emit_log_hook;
  emit_log_hook = emit_log;
}

}  // namespace vigil::worker

extern "C" {

PG_FUNCTION_INFO_V1(vigil_capture_exception);
Datum vigil_capture_exception(PG_FUNCTION_ARGS) {
  const auto counts = vigil::pg::entry([&] { return vigil::worker::capture_exception(fcinfo); });
  return vigil::pg::entry([&] { return vigil::pg::ingest_result(fcinfo, counts); });
}

PG_FUNCTION_INFO_V1(vigil_track_async);
Datum vigil_track_async(PG_FUNCTION_ARGS) {
  using namespace vigil::worker;
  return vigil::pg::entry([&]() -> Datum {
    if (!has_queue())
      vigil::pg::call([] {
        ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                        errmsg("vigil.track_async() needs pg_vigil to be preloaded"),
                        errhint("Add pg_vigil to shared_preload_libraries and restart, or use "
                                "vigil.track_event().")));
      });
    const JsonbContainer* object = vigil::pg::json_container(PG_GETARG_DATUM(0));
    if (!JsonContainerIsObject(object))
      throw vigil::Error(vigil::Code::kInvalidArgument,
                         "argument of vigil.track_async() must be a JSON object");
    const std::int64_t now = unix_micros(GetCurrentTimestamp());
    const std::string_view time(reinterpret_cast<const char*>(&now), sizeof now);
    const std::string_view event(reinterpret_cast<const char*>(object),
                                 vigil::pg::json_size(object));
    return BoolGetDatum(
        enqueue(vigil::pg::QueuedKind::kEvent, {time, event},
                static_cast<vigil::Micros>(vigil::pg::settings::async_flush_interval) * 1000));
  });
}
}
