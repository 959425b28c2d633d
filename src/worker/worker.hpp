// The background workers. Arrows go down: workers use src/pg and src/core, nothing uses them but
// _PG_init.
//
// launcher  one per server: finds the databases that have the extension, keeps workers there
// scheduler one per database: runs the jobs that are due
// courier   one per database: the same for jobs that wait for the network
// roller    as many per database as vigil.rollup_workers says, less one: help the job rollup
// recorder  one per database while there is need: stores what sessions left in the queue
// detacher  one per database while there is need: detaches old partitions, for which nobody waits
#pragma once

namespace vigil::worker {

// Registers the launcher when the library is being preloaded; otherwise does nothing.
void register_launcher();

}  // namespace vigil::worker
