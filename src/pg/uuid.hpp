// UUIDs from values of the server, and new ones of version 7.
#pragma once

#include <cstring>

#include "core/uuid.hpp"
#include "pg/postgres.hpp"

namespace vigil::pg {

inline Uuid uuid_of(Datum value) {
  Uuid uuid;
  std::memcpy(uuid.bytes.data(), DatumGetUUIDP(value)->data, uuid.bytes.size());
  return uuid;
}

std::uint64_t unix_millis();

// Random bits are drawn for some hundred at once: the generator costs more than all else.
Uuid new_uuid_v7(std::uint64_t millis);

}  // namespace vigil::pg
