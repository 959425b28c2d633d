// The token buckets of all databases of this server, in shared memory. There are none without
// preload; then, and when there is no room for a bucket, everything within the burst is allowed.
#pragma once

#include "pg/postgres.hpp"

namespace vigil::pg {

// Size of their memory, and its making; called while the library is preloaded.
Size rate_limit_bytes();
void make_rate_limits();

}  // namespace vigil::pg
