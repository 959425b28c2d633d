// The settings vigil.*: one variable and one line in settings.cpp each; doc/settings.md lists them.
#pragma once

namespace vigil::pg::settings {

inline constexpr int kMostRollupWorkers = 8;

extern bool workers;                // run launcher, scheduler and courier (needs preload)
extern bool pause_jobs;             // workers start no job
extern int launcher_naptime;        // seconds between looks for databases with the extension
extern int max_databases;           // databases that workers serve at most
extern char* ip_hash_key;           // key of hashed IP addresses; empty: the database's own
extern int max_batch_items;         // items that one ingest call may carry
extern int max_payload_bytes;       // size of one stored payload, metadata or context
extern bool version_rows;           // analytics views show a row per version besides all versions
extern int max_subjects;            // subjects a bucket keeps apart; the rest share one cell
extern int rollup_workers;          // processes of a database that roll up
extern int rollup_patience;         // milliseconds that an ended minute is left alone
extern bool capture_server_errors;  // the server's errors become errors of vigil.server_module
extern int capture_severity;        // from which level on: WARNING, ERROR, FATAL, PANIC
extern bool capture_values;         // with details, statements and contexts: they may hold values
extern int capture_queue_size;      // kB of shared memory in which records wait for the recorder
extern char* server_module;         // uuid of their module; empty: the database's own
extern int async_flush_items;       // so many records are stored at once
extern int async_flush_interval;    // milliseconds that an event waits for others at most
extern int rate_limit_buckets;      // buckets of vigil.rate_limit in shared memory, at least
extern char* rate_limit_exempt;     // keys that vigil.rate_limit never counts
extern char* http_allow;            // CIDR blocks that deliveries may reach though they are private
extern int http_timeout;            // milliseconds one delivery may take
extern int http_connections;        // deliveries in flight at once

// Defines all of them; called once from _PG_init.
void define();

}  // namespace vigil::pg::settings
