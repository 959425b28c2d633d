// What checks of the doctor cannot learn from SQL.
#include <sys/statvfs.h>

#include "pg/boundary.hpp"

extern "C" {

using namespace vigil::pg;

// Of the file system that holds the default tablespace of this database.
PG_FUNCTION_INFO_V1(vigil_free_disk_bytes);
Datum vigil_free_disk_bytes(PG_FUNCTION_ARGS) {
  return entry([&] {
    struct statvfs disk;
    if (statvfs(DatabasePath, &disk) != 0)
      call([] {
        ereport(ERROR, (errcode_for_file_access(),
                        errmsg("could not read the free space of \"%s\": %m", DatabasePath)));
      });
    return Int64GetDatum(static_cast<std::int64_t>(disk.f_bavail * disk.f_frsize));
  });
}
}
