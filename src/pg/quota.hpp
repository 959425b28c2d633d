// What ingest takes of a module in a time: quotas are rate limits that the database keeps.
#pragma once

#include <array>
#include <map>

#include "core/uuid.hpp"
#include "pg/boundary.hpp"
#include "pg/rate_limit.hpp"

namespace vigil::pg {

// What a quota is of, in the order of kQuotaNames.
enum class QuotaFact { kEvents, kErrors, kErrorCopies };
inline constexpr std::size_t kQuotaCount = 3;

// The quotas as one call of an ingest function meets them. An SPI connection must be open.
class Quotas {
 public:
  explicit Quotas(std::pmr::memory_resource* resource) : refused_(resource) {}

  // Whether a quota has room for one more, which is then taken; else it counts as refused.
  bool admits_event(const Uuid& module);
  bool admits_error(const Uuid& module, std::string_view fingerprint);

  // Writes a row for each module and quota that refused something into vigil.rejected; returns how
  // many items were refused.
  std::int32_t write_refused(const char* source);

 private:
  bool admits(const Uuid& module, QuotaFact fact, std::string_view copy_of = {});

  LimitedKey key_of(const Uuid& module, QuotaFact fact, std::string_view copy_of);

  struct Last {
    Uuid module;
    LimitedKey key;
  };

  bool ready_ = false;
  std::array<std::optional<Last>, kQuotaCount> last_;
  std::pmr::map<std::pair<Uuid, QuotaFact>, std::int32_t> refused_;
};

}  // namespace vigil::pg
