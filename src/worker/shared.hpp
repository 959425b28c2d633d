// What launcher, workers and sessions know of each other, in shared memory: one slot per database
// that is served or looked at. There is none without shared_preload_libraries.
#pragma once

#include <chrono>

#include "core/schedule.hpp"
#include "pg/boundary.hpp"
#include "pg/settings.hpp"

namespace vigil::worker {

// Rollers are of as many kinds as there may be besides the scheduler: kRoller and what follows.
enum class Kind : int { kScheduler = 0, kCourier = 1, kRecorder = 2, kRoller = 3 };
inline constexpr int kKindCount = 3 + pg::settings::kMostRollupWorkers - 1;

inline bool is_roller(Kind kind) { return kind >= Kind::kRoller; }

// Whether the settings want a roller of this kind.
inline bool is_roller_wanted(Kind kind) {
  return static_cast<int>(kind) - static_cast<int>(Kind::kRoller) <
         pg::settings::rollup_workers - 1;
}

enum class State : int {
  kStopped,   // not there; may be started
  kStarting,  // registered with the postmaster
  kRunning,
};

// Microseconds of a clock that nobody sets, the same in all processes: waits must not become hours
// when the server's clock is set back.
inline Micros steady_now() {
  using namespace std::chrono;
  return duration_cast<microseconds>(steady_clock::now().time_since_epoch()).count();
}

struct WorkerSlot {
  State state;
  pid_t pid;
  Latch* latch;
  Micros changed_at;  // when the state was last changed, by steady_now()
};

struct DatabaseSlot {
  Oid database;                    // invalid: the slot is free
  bool serving;                    // the scheduler has found the extension
  bool absent;                     // the scheduler has found none, and is gone
  Micros blocked_until;            // somebody wants the database for himself; by steady_now()
  pid_t detacher;                  // 0: there is none
  WorkerSlot workers[kKindCount];  // by Kind
};

struct Shared {
  LWLock* lock;  // guards everything below
  Latch* launcher;
  bool look_everywhere;  // more databases asked than there was room for
  int asked_count;
  Oid asked[16];  // databases in which the extension was created
  int slot_count;
  DatabaseSlot slots[FLEXIBLE_ARRAY_MEMBER];
};

// Null without preload.
Shared* shared();

// Asks for the memory; called from _PG_init while the library is preloaded.
void request_shared_memory();

// Makes the XactCallback of this backend wake, when the transaction commits, the courier, or with
// `launcher` everybody who works for this database.
void wake_at_commit(bool launcher);

// Notes that this process is the detacher of a database, until it ends. False when it shall end at
// once: somebody wants the database for himself, or there is one already.
bool enter_as_detacher(Oid database);

// Keeps workers out of a database for a while and stops those that are there; waits up to five
// seconds for their end. Raises errors of PostgreSQL.
void leave_database(Oid database);

// Chains the hook that makes workers leave a database which is dropped, renamed, moved or copied.
void install_utility_hook();

// Chains the hook that makes records of what the server logs.
void install_capture_hook();

}  // namespace vigil::worker
