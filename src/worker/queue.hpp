// The queue between sessions and the recorder of their database, in shared memory. Sessions copy a
// record and go on; the recorder stores records in batches. There is no queue without preload.
#pragma once

#include "core/schedule.hpp"
#include "pg/capture.hpp"

namespace vigil::worker {

// Size of its memory, and its making; a slot of Shared has the lane of the same number.
Size queue_bytes();
void make_queue(LWLock* lock, int slots);

// Whether this server has a queue.
bool has_queue();

// The lane of a slot is open while its database may have the extension. Opening an open one does
// nothing; closing throws away what waits.
void open_lane(int slot, Oid database);
void close_lane(int slot);
bool has_records(int slot);

// Appends a record for the recorder of this database, which shall store it within the delay. False
// when it found no room, which is counted, or when nobody serves this database. Raises nothing and
// takes no memory, so that it may be called while an error is reported.
bool enqueue(pg::QueuedKind kind, std::initializer_list<std::string_view> parts, Micros delay);

// --- The recorder -------------------------------------------------------------------------------

// Says that this process is the recorder of the slot, until it exits.
void attend_lane(int slot);

// Whether this process is a recorder: what it fails with must not become a record.
bool is_recorder();

// How long the records that wait shall be left to gather; 0 when they are due, or none waits.
Micros gather_time();

// Stores what is due, or everything. Returns how long to wait for more. Throws what storing throws;
// what was not stored then still waits, unless it is to blame.
Micros record_turn(bool everything);

// Whether there was nothing to do for so long that this process may end. It is then no recorder any
// more: the next record asks the launcher for one.
bool is_idle();

}  // namespace vigil::worker
