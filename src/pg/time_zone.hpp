// Time zones of the server, as the core wants to know them.
#pragma once

#include "core/time_zone.hpp"
#include "pg/boundary.hpp"

namespace vigil::pg {

// A zone of the server, which keeps every zone it has read, and the span of time last looked up.
class PgZoneClock final : public ZoneClock {
 public:
  explicit PgZoneClock(const pg_tz* zone) : zone_(zone) {}

  ZoneSpan span(std::int64_t time) const override {
    if (time < from_ || time >= span_.until) look_up(time);
    return span_;
  }

 private:
  void look_up(std::int64_t time) const;

  const pg_tz* zone_;
  mutable std::int64_t from_ = DT_NOEND;
  mutable ZoneSpan span_ = {0, DT_NOBEGIN};
};

// The zone that argument `number` names; Error{kInvalidArgument} when there is none.
const pg_tz* zone_argument(FunctionCallInfo fcinfo, int number);

}  // namespace vigil::pg
