// The background workers. Arrows go down: workers use src/pg and src/core, nothing uses them but
// _PG_init.
#pragma once

namespace vigil::worker {

// Registers the launcher when the library is being preloaded; otherwise does nothing.
void register_launcher();

}  // namespace vigil::worker
