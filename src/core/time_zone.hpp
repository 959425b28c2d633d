// The clocks of a time zone.
#pragma once

#include <cstdint>

namespace vigil {

// For how long clocks stay equally far ahead of UTC, in microseconds.
struct ZoneSpan {
  std::int64_t ahead;
  std::int64_t until;  // when they may be set next; the highest value: never
};

class ZoneClock {
 public:
  // The span that a time falls into.
  virtual ZoneSpan span(std::int64_t time) const = 0;

  // How far the clocks are ahead of UTC at a time.
  std::int64_t ahead(std::int64_t time) const { return span(time).ahead; }

 protected:
  ~ZoneClock() = default;
};

}  // namespace vigil
