// Statements that a worker runs at top level, as a client's are run.
#pragma once

#include "pg/boundary.hpp"

namespace vigil::worker {

// Runs one statement in transactions of its own, so that it can be what no function can contain: a
// procedure that commits, DETACH PARTITION ... CONCURRENTLY. No transaction may be open; what it
// needs is allocated in the context, which is the current one afterwards. Raises.
void run_statement(const char* statement, MemoryContext context);

}  // namespace vigil::worker
