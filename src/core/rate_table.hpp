// A table of token buckets by key, of a fixed size, in memory that others own.
//
// It holds no pointers and takes no memory, so it can stand in shared memory. It has no lock:
// whoever calls holds the lock of the key's part, and parts share nothing. A key can stand in eight
// places. A full bucket is as good as none, so only the place of a full one is taken by another
// key: no bucket is forgotten before it is full.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/token_bucket.hpp"

namespace vigil {

class RateTable {
 public:
  // A hash of the key with all its 64 bits. Two keys of one hash share a bucket.
  using Key = std::uint64_t;
  static constexpr std::size_t kParts = 64;

  // Bytes of memory, aligned as std::max_align_t, for at least so many keys.
  static std::size_t size_of(std::size_t keys) noexcept;

  // Makes an empty table in that memory.
  static RateTable* create(void* memory, std::size_t keys) noexcept;

  static std::size_t part_of(Key key) noexcept { return key % kParts; }
  std::size_t capacity() const noexcept;

  // The bucket of the key, which has a place from now on; null when all its places have buckets
  // that are not full.
  FullAt* find(Key key, std::int64_t now) noexcept;

  // Fills the bucket of the key; false when it has no place.
  bool forget(Key key) noexcept;

  // Buckets of a part that are not full.
  std::size_t in_use(std::size_t part, std::int64_t now) const noexcept;

 private:
  static constexpr std::size_t kPlaces = 8;

  struct Set {
    Key keys[kPlaces];
    FullAt buckets[kPlaces];
  };

  static std::size_t sets_for(std::size_t keys) noexcept;
  Set* sets() noexcept;
  const Set* sets() const noexcept;
  Set& set_of(Key key) noexcept;

  std::size_t sets_;  // a multiple of kParts; the set n belongs to the part n % kParts
};

}  // namespace vigil
