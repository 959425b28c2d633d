#include "core/rate_table.hpp"

#include <algorithm>
#include <new>

namespace vigil {

namespace {

constexpr std::size_t kCacheLine = 64;

}  // namespace

std::size_t RateTable::sets_for(std::size_t keys) noexcept {
  const std::size_t of_a_part = (keys + kParts * kPlaces - 1) / (kParts * kPlaces);
  return std::max<std::size_t>(of_a_part, 1) * kParts;
}

std::size_t RateTable::size_of(std::size_t keys) noexcept {
  static_assert(sizeof(RateTable) <= kCacheLine);
  return kCacheLine + sets_for(keys) * sizeof(Set);
}

RateTable* RateTable::create(void* memory, std::size_t keys) noexcept {
  auto* table = new (memory) RateTable;
  table->sets_ = sets_for(keys);
  for (std::size_t i = 0; i < table->sets_; ++i) {
    Set& set = *new (&table->sets()[i]) Set;
    std::fill_n(set.keys, kPlaces, 0);
    std::fill_n(set.buckets, kPlaces, kFull);
  }
  return table;
}

std::size_t RateTable::capacity() const noexcept { return sets_ * kPlaces; }

RateTable::Set* RateTable::sets() noexcept {
  return reinterpret_cast<Set*>(reinterpret_cast<char*>(this) + kCacheLine);
}

const RateTable::Set* RateTable::sets() const noexcept {
  return reinterpret_cast<const Set*>(reinterpret_cast<const char*>(this) + kCacheLine);
}

RateTable::Set& RateTable::set_of(Key key) noexcept {
  // sets_ is a multiple of kParts, so the set is of the key's part.
  return sets()[key % sets_];
}

FullAt* RateTable::find(Key key, std::int64_t now) noexcept {
  Set& set = set_of(key);
  for (std::size_t i = 0; i < kPlaces; ++i)
    if (set.keys[i] == key) return &set.buckets[i];
  for (std::size_t i = 0; i < kPlaces; ++i) {
    if (set.buckets[i] > now) continue;
    set.keys[i] = key;
    set.buckets[i] = kFull;
    return &set.buckets[i];
  }
  return nullptr;
}

bool RateTable::forget(Key key) noexcept {
  Set& set = set_of(key);
  for (std::size_t i = 0; i < kPlaces; ++i) {
    if (set.keys[i] != key) continue;
    const bool known = set.buckets[i] != kFull;
    set.buckets[i] = kFull;
    return known;
  }
  return false;
}

std::size_t RateTable::in_use(std::size_t part, std::int64_t now) const noexcept {
  std::size_t count = 0;
  for (std::size_t i = part; i < sets_; i += kParts)
    for (const FullAt bucket : sets()[i].buckets) count += bucket > now;
  return count;
}

}  // namespace vigil
