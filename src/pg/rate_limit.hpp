// The token buckets of all databases of this server, in shared memory. There are none without
// preload; then, and when there is no room for a bucket, everything within the burst is allowed.
#pragma once

#include "core/token_bucket.hpp"
#include "pg/postgres.hpp"

namespace vigil::pg {

// Size of their memory, and its making; called while the library is preloaded.
Size rate_limit_bytes();
void make_rate_limits();

// Throws Error{kInvalidArgument} for what is no limit.
RateLimit make_rate_limit(std::int32_t max, const Interval& per, std::int32_t burst);

// A key of a scope, as the table knows it.
struct LimitedKey {
  std::uint64_t hash;
  bool exempt;
};
LimitedKey limited_key(std::string_view scope, std::string_view key);

// Takes a token from the bucket of the key; false when there is none.
bool take_one(const LimitedKey& key, const RateLimit& limit);

}  // namespace vigil::pg
