#include "pg/time_zone.hpp"

namespace vigil::pg {

void PgZoneClock::look_up(std::int64_t time) const {
  constexpr pg_time_t kEpoch = (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * pg_time_t{SECS_PER_DAY};
  const std::int64_t second = time / USECS_PER_SEC - (time % USECS_PER_SEC < 0 ? 1 : 0);
  const pg_time_t unix_second = second + kEpoch;
  pg_time_t change = 0;
  long ahead = 0;
  long ahead_after = 0;
  int is_dst = 0;
  const int found =
      pg_next_dst_boundary(&unix_second, &ahead, &is_dst, &change, &ahead_after, &is_dst, zone_);
  if (found < 0) throw Error(Code::kInternal, "time zone has no offset at this time");
  const bool last = found == 0 || change - kEpoch > DT_NOEND / USECS_PER_SEC;
  span_ = {ahead * USECS_PER_SEC, last ? DT_NOEND : (change - kEpoch) * USECS_PER_SEC};
  from_ = time;
}

const pg_tz* zone_argument(FunctionCallInfo fcinfo, int number) {
  const std::string name(text_view(PG_GETARG_DATUM(number)));
  const pg_tz* zone = call([&] { return pg_tzset(name.c_str()); });
  if (zone == nullptr)
    throw Error(Code::kInvalidArgument, "time zone \"" + name + "\" not recognized", {},
                "SELECT name FROM pg_timezone_names;");
  return zone;
}

}  // namespace vigil::pg
