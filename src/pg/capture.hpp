// How what waited in the queue of shared memory, and errors of PostgreSQL, become rows: through the
// same door as everything else.
#pragma once

#include "core/record_queue.hpp"
#include "core/server_error.hpp"
#include "pg/ingest.hpp"

namespace vigil::pg {

// What a record of the queue is.
enum class QueuedKind : std::uint32_t {
  kServerError = 1,  // a packed ServerError
  kEvent = 2,        // microseconds since the Unix epoch (8 bytes), and jsonb as stored
};

constexpr std::int64_t kPostgresEpochMicros =
    (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * static_cast<std::int64_t>(SECS_PER_DAY) * 1000000;

// Stores the records in the current transaction. A bad one goes to vigil.rejected.
IngestCounts store_queued(std::span<const RecordQueue::Record> records);

// Stores one error in the current transaction; a bad value is an error.
IngestCounts store_error(const ServerError& error, const char* source);

}  // namespace vigil::pg
