#include "pg/settings.hpp"

#include <climits>

#include "core/exempt_keys.hpp"
#include "core/url_guard.hpp"
#include "core/uuid.hpp"
#include "pg/boundary.hpp"

namespace vigil::pg::settings {

bool workers = true;
bool pause_jobs = false;
int launcher_naptime = 10;
int max_databases = 16;
char* ip_hash_key = nullptr;
int max_batch_items = 100000;
int max_payload_bytes = 256 * 1024;
bool version_rows = true;
int max_subjects = 100;
int rollup_workers = 1;
int rollup_patience = 10000;
bool capture_server_errors = false;
int capture_severity = ERROR;
bool capture_values = false;
int capture_queue_size = 4096;
char* server_module = nullptr;
int async_flush_items = 100;
int async_flush_interval = 5000;
int rate_limit_buckets = 65536;
char* rate_limit_exempt = nullptr;
char* http_allow = nullptr;
int http_timeout = 15000;
int http_connections = 32;

namespace {

struct Flag {
  const char* name;
  const char* description;
  bool* variable;
  GucContext context;
};

struct Number {
  const char* name;
  const char* description;
  int* variable;
  int lowest;
  int highest;
  GucContext context;
  int flags;
};

struct Word {
  const char* name;
  const char* description;
  int* variable;
  const config_enum_entry* words;
  GucContext context;
};

struct Text {
  const char* name;
  const char* description;
  char** variable;
  GucContext context;
  int flags;
  GucStringCheckHook check;
};

// A list that cannot be read must not be set: `parse` tells why it cannot.
template <auto parse>
bool check_list(char** value, void**, GucSource) {
  struct Check {
    const char* text;
    const char* reason;
  } check{*value, nullptr};
  const Failure failure = run_guarded(
      [](void* argument) {
        auto* self = static_cast<Check*>(argument);
        std::string reason;
        if (!parse(self->text, reason))
          self->reason = static_cast<char*>(
              std::memcpy(allocate(reason.size() + 1), reason.c_str(), reason.size() + 1));
      },
      &check);
  if (failure.kind == Failure::Kind::kNone && check.reason == nullptr) return true;
  GUC_check_errdetail("%s", check.reason != nullptr ? check.reason : "out of memory");
  return false;
}

bool check_module(char** value, void**, GucSource) {
  if (**value == '\0' || parse_uuid(*value)) return true;
  GUC_check_errdetail("It must be a UUID, or empty for the database's own.");
  return false;
}

const config_enum_entry kSeverities[] = {{"warning", WARNING, false},
                                         {"error", ERROR, false},
                                         {"fatal", FATAL, false},
                                         {"panic", PANIC, false},
                                         {nullptr, 0, false}};

const Flag kFlags[] = {
    {"vigil.workers", "Runs the background workers (needs shared_preload_libraries).", &workers,
     PGC_SIGHUP},
    {"vigil.pause_jobs", "Workers start no job; CALL vigil.run_job works.", &pause_jobs,
     PGC_SIGHUP},
    {"vigil.version_rows", "Analytics views show one row per version besides the row of all.",
     &version_rows, PGC_USERSET},
    {"vigil.capture_server_errors",
     "Errors of the server are stored and grouped (needs shared_preload_libraries).",
     &capture_server_errors, PGC_SUSET},
    {"vigil.capture_values",
     "Captured errors have detail, statement and whole context, which may hold values of rows.",
     &capture_values, PGC_SUSET},
};

const Number kNumbers[] = {
    {"vigil.launcher_naptime", "Time between looks for databases with the extension.",
     &launcher_naptime, 1, 3600, PGC_SIGHUP, GUC_UNIT_S},
    {"vigil.max_databases", "Databases that background workers serve at most.", &max_databases, 1,
     1024, PGC_POSTMASTER, 0},
    {"vigil.max_batch_items", "Items that one ingest call may carry.", &max_batch_items, 1, INT_MAX,
     PGC_SUSET, 0},
    {"vigil.max_payload_bytes", "Size of one stored payload, metadata or context.",
     &max_payload_bytes, 1024, 64 * 1024 * 1024, PGC_SUSET, GUC_UNIT_BYTE},
    {"vigil.max_subjects", "Subjects that a bucket keeps apart; the rest share one cell.",
     &max_subjects, 1, 100000, PGC_SIGHUP, 0},
    {"vigil.rollup_workers", "Processes of a database that roll up at once.", &rollup_workers, 1,
     kMostRollupWorkers, PGC_SIGHUP, 0},
    {"vigil.rollup_patience", "Time that an ended minute is left alone before it is rolled up.",
     &rollup_patience, 0, 3600000, PGC_SIGHUP, GUC_UNIT_MS},
    {"vigil.capture_queue_size", "Shared memory in which records wait to be stored.",
     &capture_queue_size, 64, 1024 * 1024, PGC_POSTMASTER, GUC_UNIT_KB},
    {"vigil.async_flush_items", "So many waiting records are stored at once.", &async_flush_items,
     1, 1000000, PGC_SIGHUP, 0},
    {"vigil.async_flush_interval", "Time that an event waits for others at most.",
     &async_flush_interval, 10, 3600000, PGC_SIGHUP, GUC_UNIT_MS},
    {"vigil.rate_limit_buckets", "Token buckets in shared memory, one for each key in use.",
     &rate_limit_buckets, 512, 64 * 1024 * 1024, PGC_POSTMASTER, 0},
    {"vigil.http_timeout", "Time that one delivery may take.", &http_timeout, 100, 600000,
     PGC_SIGHUP, GUC_UNIT_MS},
    {"vigil.http_connections", "Deliveries in flight at once.", &http_connections, 1, 512,
     PGC_SIGHUP, 0},
};

const Word kWords[] = {
    {"vigil.capture_severity", "Severity from which on errors of the server are captured.",
     &capture_severity, kSeverities, PGC_SUSET},
};

const Text kTexts[] = {
    {"vigil.ip_hash_key", "Key of hashed IP addresses; empty: a random key of the database.",
     &ip_hash_key, PGC_SUSET, GUC_SUPERUSER_ONLY | GUC_NO_SHOW_ALL | GUC_NOT_IN_SAMPLE, nullptr},
    {"vigil.server_module", "Module of captured errors, a UUID; empty: the database's own.",
     &server_module, PGC_SUSET, 0, check_module},
    {"vigil.rate_limit_exempt", "Keys that rate limits never count: keys, prefixes*, CIDR blocks.",
     &rate_limit_exempt, PGC_SUSET, 0, check_list<ExemptKeys::parse>},
    {"vigil.http_allow", "CIDR blocks that deliveries may reach though they are not public.",
     &http_allow, PGC_SIGHUP, 0, check_list<AddressList::parse>},
};

}  // namespace

void define() {
  for (const Flag& flag : kFlags)
    DefineCustomBoolVariable(flag.name, flag.description, nullptr, flag.variable, *flag.variable,
                             flag.context, 0, nullptr, nullptr, nullptr);
  for (const Number& number : kNumbers) {
    // A setting of the postmaster can only be defined while it loads the library.
    if (number.context == PGC_POSTMASTER && !process_shared_preload_libraries_in_progress) continue;
    DefineCustomIntVariable(number.name, number.description, nullptr, number.variable,
                            *number.variable, number.lowest, number.highest, number.context,
                            number.flags, nullptr, nullptr, nullptr);
  }
  for (const Word& word : kWords)
    DefineCustomEnumVariable(word.name, word.description, nullptr, word.variable, *word.variable,
                             word.words, word.context, 0, nullptr, nullptr, nullptr);
  for (const Text& text : kTexts)
    DefineCustomStringVariable(text.name, text.description, nullptr, text.variable, "",
                               text.context, text.flags, text.check, nullptr, nullptr);
  MarkGUCPrefixReserved("vigil");
}

}  // namespace vigil::pg::settings
