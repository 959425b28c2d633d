#include "core/breakdown.hpp"

#include <algorithm>

namespace vigil {

void Breakdowns::fail_count() {
  throw Error(Code::kNumericOutOfRange, "count in a breakdown is out of range",
              "A breakdown counts up to 2^64 - 1.");
}

Breakdowns::Lookup Breakdowns::look_up(const Names& names) const {
  Lookup lookup;
  lookup.names = names;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (!names[i]) continue;
    lookup.keys[i] = counts_.key_of(static_cast<std::uint8_t>(i), *names[i]);
    counts_.prefetch(lookup.keys[i]);
  }
  return lookup;
}

void Breakdowns::add(const Lookup& lookup) {
  for (std::size_t i = 0; i < lookup.names.size(); ++i) {
    if (lookup.names[i]) increase(counts_.at(lookup.keys[i], *lookup.names[i]), 1);
  }
}

void Breakdowns::merge(const Breakdowns& other) {
  counts_.reserve(other.counts_.size());
  other.counts_.for_each(
      [&](const Entry& entry) { add(kind_of(entry), other.counts_.text_of(entry), entry.value); });
}

std::pmr::vector<const Breakdowns::Entry*> Breakdowns::sorted() const {
  std::pmr::vector<const Entry*> order(counts_.resource());
  order.reserve(counts_.size());
  counts_.for_each([&](const Entry& entry) { order.push_back(&entry); });
  std::sort(order.begin(), order.end(), [this](const Entry* left, const Entry* right) {
    if (left->tag() != right->tag()) return left->tag() < right->tag();
    return counts_.is_before(*left, *right);
  });
  return order;
}

void Breakdowns::fold(std::size_t limit) {
  if (counts_.size() <= limit) return;
  auto order = sorted();
  std::stable_sort(order.begin(), order.end(), [](const Entry* left, const Entry* right) {
    return left->tag() != right->tag() ? left->tag() < right->tag() : left->value > right->value;
  });
  Breakdowns folded(counts_.resource());
  std::array<std::size_t, kKinds.size()> kept{};
  for (const Entry* entry : order) {
    const std::string_view name = counts_.text_of(*entry);
    const bool keep = name == kOther || kept[entry->tag()]++ < limit;
    folded.add(kind_of(*entry), keep ? name : kOther, entry->value);
  }
  *this = std::move(folded);
}

void Breakdowns::write(ByteWriter& out) const {
  const auto order = sorted();
  std::pmr::vector<Named> names(counts_.resource());
  names.reserve(order.size());
  for (const Entry* entry : order) names.push_back({counts_.text_of(*entry), entry->value});
  std::size_t at = 0;
  for (const Kind kind : kKinds) {
    const std::size_t start = at;
    while (at < order.size() && kind_of(*order[at]) == kind) ++at;
    write_kind(out, std::span(names).subspan(start, at - start));
  }
}

void Breakdowns::write_kind(ByteWriter& out, std::span<const Named> names) {
  out.varint(names.size());
  for (const Named& named : names) {
    out.text(named.name);
    out.varint(named.count);
  }
}

void Breakdowns::read(ByteReader& in) {
  for (const Kind kind : kKinds) {
    const std::uint64_t size = in.varint();
    if (size > in.left()) in.fail("it ends too early");
    std::string_view before;
    for (std::uint64_t i = 0; i < size; ++i) {
      const std::string_view name = in.text();
      if (i > 0 && name <= before) in.fail("names are out of order");
      const std::uint64_t count = in.varint();
      if (count == 0) in.fail("a name has no count");
      add(kind, name, count);
      before = name;
    }
  }
}

}  // namespace vigil
