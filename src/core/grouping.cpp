#include "core/grouping.hpp"

namespace vigil {

std::uint32_t Grouping::place(std::span<const GroupKey> keys, std::uint32_t fresh) {
  std::uint32_t group = kNone;
  for (const GroupKey& key : keys) {
    if (key.role != KeyRole::kAttached) group = groups_[key.key];
    if (group != kNone) break;
  }
  if (group == kNone) group = fresh;
  for (const GroupKey& key : keys)
    if (key.role != KeyRole::kLookup && groups_[key.key] == kNone) groups_[key.key] = group;
  return group;
}

}  // namespace vigil
