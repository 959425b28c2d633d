// Marks: the rows of vigil.dirty that say which minutes of which modules a transaction changed.
#pragma once

#include "core/uuid.hpp"
#include "pg/boundary.hpp"

namespace vigil::pg {

struct Minute {
  Uuid module;
  std::int64_t start;  // microseconds since 2000
  auto operator<=>(const Minute&) const = default;
};

Minute minute_of(const Uuid& module, std::int64_t time);

// Marks the minutes that this transaction has not marked yet. The marks commit, or roll back to a
// savepoint, with what the caller stores in the same transaction.
void mark_minutes(std::span<const Minute> minutes);

}  // namespace vigil::pg
