// UUIDs of version 7, made here.
#pragma once

#include "core/uuid.hpp"

namespace vigil::pg {

std::uint64_t unix_millis();

// Random bits are drawn for some hundred at once: the generator costs more than all else.
Uuid new_uuid_v7(std::uint64_t millis);

}  // namespace vigil::pg
