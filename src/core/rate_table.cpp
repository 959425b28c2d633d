#include "core/rate_table.hpp"

#include <algorithm>
#include <new>

namespace vigil {

namespace {

constexpr std::size_t kCacheLine = 64;

}  // namespace

std::size_t RateTable::sets_for(std::size_t buckets) noexcept {
  const std::size_t of_a_part = (buckets + kParts * kPlaces - 1) / (kParts * kPlaces);
  return std::max<std::size_t>(of_a_part, 1) * kParts;
}

std::size_t RateTable::size_of(std::size_t buckets) noexcept {
  static_assert(sizeof(RateTable) <= kCacheLine && sizeof(Set) % kCacheLine == 0);
  return kCacheLine + sets_for(buckets) * sizeof(Set);
}

RateTable* RateTable::create(void* memory, std::size_t buckets) noexcept {
  auto* table = new (memory) RateTable;
  table->sets_ = sets_for(buckets);
  for (std::size_t i = 0; i < table->sets_; ++i) {
    Set* set = new (&table->set(i)) Set;
    std::fill_n(set->places, kPlaces, Place{0, {}, kFull});
  }
  return table;
}

std::size_t RateTable::capacity() const noexcept { return sets_ * kPlaces; }

RateTable::Set& RateTable::set(std::size_t index) noexcept {
  return reinterpret_cast<Set*>(reinterpret_cast<char*>(this) + kCacheLine)[index];
}

const RateTable::Set& RateTable::set(std::size_t index) const noexcept {
  return reinterpret_cast<const Set*>(reinterpret_cast<const char*>(this) + kCacheLine)[index];
}

FullAt* RateTable::find(Key key, const RateLimit& limit, std::int64_t now) noexcept {
  Set& places = set(key % sets_);
  Place* free = nullptr;
  for (Place& place : places.places) {
    if (place.key == key && place.limit == limit) return &place.full_at;
    if (free == nullptr && place.full_at <= now) free = &place;
  }
  if (free == nullptr) return nullptr;
  *free = {key, limit, kFull};
  return &free->full_at;
}

int RateTable::fill(Key key, std::int64_t now) noexcept {
  int filled = 0;
  for (Place& place : set(key % sets_).places) {
    if (place.key != key) continue;
    filled += place.full_at > now;
    place.full_at = kFull;
  }
  return filled;
}

int RateTable::in_use(std::size_t index, std::int64_t now) const noexcept {
  return static_cast<int>(std::ranges::count_if(
      set(index).places, [&](const Place& place) { return place.full_at > now; }));
}

}  // namespace vigil
