// A time in 8 bytes, and an expression: what is read has a next time, later and on a minute, that
// is also the next one of the moment before it; by clocks that are set every week it is later, too.
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "core/cron.hpp"
#include "core/error.hpp"

namespace {

constexpr std::int64_t kHour = 3'600'000'000;
constexpr std::int64_t kWeek = 7 * 24 * kHour;

// An hour ahead in every other week.
class Clocks final : public vigil::ZoneClock {
 public:
  vigil::ZoneSpan span(std::int64_t time) const override {
    const std::int64_t week = time / kWeek - (time % kWeek < 0 ? 1 : 0);
    return {week % 2 == 0 ? 0 : kHour, (week + 1) * kWeek};
  }
};

void check(bool holds) {
  if (!holds) std::abort();
}

void check(const vigil::Cron& cron, std::int64_t after) {
  constexpr std::int64_t kMinute = 60'000'000;
  const auto next = cron.next(after);
  if (next) {
    check(*next > after && *next % kMinute == 0);
    check(cron.next(*next - 1) == next);
  }
  const auto local = cron.next(after, Clocks());
  if (local) {
    check(*local > after && *local % kMinute == 0);
    check(cron.next(*local - 1, Clocks()) == local);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::int64_t after = 0;
  if (size < sizeof after) return 0;
  std::memcpy(&after, data, sizeof after);
  try {
    check(vigil::Cron({reinterpret_cast<const char*>(data) + sizeof after, size - sizeof after}),
          after);
  } catch (const vigil::Error& error) {
    check(error.code() == vigil::Code::kInvalidArgument);
  }
  return 0;
}
