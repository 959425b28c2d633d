// Which group an error belongs to, when it is known by several keys.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory_resource>
#include <span>
#include <vector>

namespace vigil {

// What a key of an error is good for.
enum class KeyRole : char {
  kBoth = '+',      // finds the group, and becomes one of its keys
  kAttached = '-',  // only becomes a key of the group
  kLookup = '?',    // only finds the group: a key of a scheme that is being left
};

// Keys and groups are numbers that the caller gives out.
struct GroupKey {
  std::uint32_t key;
  KeyRole role;
};

// The groups of the errors of one batch, as if they came one after the other.
class Grouping {
 public:
  static constexpr std::uint32_t kNone = UINT32_MAX;

  Grouping(std::size_t keys, std::pmr::memory_resource* resource)
      : groups_(keys, kNone, resource) {}

  // The key is known to belong to the group.
  void know(std::uint32_t key, std::uint32_t group) { groups_[key] = group; }

  // The group of an error with these keys, the most telling first: that of the first key that finds
  // one, otherwise `fresh`. Its keys that belong to no group yet then belong to this one.
  std::uint32_t place(std::span<const GroupKey> keys, std::uint32_t fresh);

  // The group of a key, or kNone.
  std::uint32_t group_of(std::uint32_t key) const { return groups_[key]; }

 private:
  std::pmr::vector<std::uint32_t> groups_;
};

}  // namespace vigil
