#include "pg/uuid.hpp"

#include <ctime>

#include "pg/boundary.hpp"

namespace vigil::pg {

std::uint64_t unix_millis() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1000 +
         static_cast<std::uint64_t>(now.tv_nsec) / 1000000;
}

Uuid new_uuid_v7(std::uint64_t millis) {
  constexpr std::size_t kEach = 10;
  static std::array<std::uint8_t, 400 * kEach> random;
  static std::size_t used = random.size();
  if (used == random.size()) {
    if (!pg_strong_random(random.data(), random.size()))
      throw Error(Code::kInternal, "could not generate random values");
    used = 0;
  }
  used += kEach;
  return make_uuid_v7(millis,
                      std::span<const std::uint8_t, kEach>(random.data() + used - kEach, kEach));
}

}  // namespace vigil::pg

using namespace vigil;
using namespace vigil::pg;

extern "C" {

PG_FUNCTION_INFO_V1(vigil_uuid_v7);
Datum vigil_uuid_v7(PG_FUNCTION_ARGS) {
  return entry([&] {
    const Uuid made = new_uuid_v7(unix_millis());
    auto* result = static_cast<pg_uuid_t*>(allocate(sizeof(pg_uuid_t)));
    std::memcpy(result->data, made.bytes.data(), UUID_LEN);
    return UUIDPGetDatum(result);
  });
}

PG_FUNCTION_INFO_V1(vigil_version_id);
Datum vigil_version_id(PG_FUNCTION_ARGS) {
  return entry([&] {
    const pg_uuid_t* module = PG_GETARG_UUID_P(0);
    const std::string_view space(reinterpret_cast<const char*>(module->data), UUID_LEN);
    const Uuid made = name_uuid(space, text_view(PG_GETARG_DATUM(1)));
    auto* result = static_cast<pg_uuid_t*>(allocate(sizeof(pg_uuid_t)));
    std::memcpy(result->data, made.bytes.data(), UUID_LEN);
    return UUIDPGetDatum(result);
  });
}
}
