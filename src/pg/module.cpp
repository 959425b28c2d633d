// The library as PostgreSQL sees it.
#include "pg/boundary.hpp"
#include "pg/settings.hpp"
#include "worker/worker.hpp"

extern "C" {

PG_MODULE_MAGIC;

PGDLLEXPORT void _PG_init(void);
void _PG_init(void) {
  vigil::pg::settings::define();
  vigil::worker::register_launcher();
}

PG_FUNCTION_INFO_V1(vigil_version);
Datum vigil_version(PG_FUNCTION_ARGS) {
  return vigil::pg::entry([&] { return vigil::pg::text_datum(VIGIL_VERSION); });
}
}
