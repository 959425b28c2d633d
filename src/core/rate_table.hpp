// A table of token buckets by key, of a fixed size, in memory that others own.
//
// It holds no pointers and takes no memory, so it can stand in shared memory. It has no lock:
// whoever calls holds the lock of the key's part, and parts share nothing. A bucket can stand in
// the eight places of its key's set. A full bucket is as good as none, so only the place of a full
// one is taken by another: no bucket is forgotten before it is full.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/token_bucket.hpp"

namespace vigil {

class RateTable {
 public:
  // A hash of the key with all its 64 bits. Keys of one hash share their buckets.
  using Key = std::uint64_t;
  static constexpr std::size_t kParts = 64;

  // Bytes of memory, aligned as std::max_align_t, for at least so many buckets.
  static std::size_t size_of(std::size_t buckets) noexcept;

  // Makes an empty table in that memory.
  static RateTable* create(void* memory, std::size_t buckets) noexcept;

  std::size_t capacity() const noexcept;
  std::size_t sets() const noexcept { return sets_; }

  static std::size_t part_of(Key key) noexcept { return key % kParts; }
  static std::size_t part_of_set(std::size_t set) noexcept { return set % kParts; }

  // The bucket that the key has for this limit, in a place from now on; null when all its places
  // have others that are not full.
  FullAt* find(Key key, const RateLimit& limit, std::int64_t now) noexcept;

  // Fills the buckets of the key, whatever their limits; returns how many were not full.
  int fill(Key key, std::int64_t now) noexcept;

  // Buckets of a set that are not full.
  int in_use(std::size_t set, std::int64_t now) const noexcept;

 private:
  static constexpr std::size_t kPlaces = 8;

  struct Place {
    Key key;
    RateLimit limit;
    FullAt full_at;
  };
  struct Set {
    Place places[kPlaces];
  };

  static std::size_t sets_for(std::size_t buckets) noexcept;
  Set& set(std::size_t index) noexcept;
  const Set& set(std::size_t index) const noexcept;

  // A multiple of kParts: the part of a key is that of its set.
  std::size_t sets_;
};

}  // namespace vigil
