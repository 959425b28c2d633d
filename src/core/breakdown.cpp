#include "core/breakdown.hpp"

#include <algorithm>

namespace vigil {

void Breakdowns::fail_count() {
  throw Error(Code::kNumericOutOfRange, "count in a breakdown is out of range",
              "A breakdown counts up to 2^64 - 1.");
}

void Breakdowns::merge(const Breakdowns& other) {
  for (const Entry& entry : other.counts_.entries()) {
    add(static_cast<Kind>(entry.tag()), other.counts_.text_of(entry), entry.value);
  }
}

std::pmr::vector<const Breakdowns::Entry*> Breakdowns::sorted(Kind kind) const {
  std::pmr::vector<const Entry*> order(counts_.resource());
  order.reserve(counts_.size());
  for (const Entry& entry : counts_.entries()) {
    if (static_cast<Kind>(entry.tag()) == kind) order.push_back(&entry);
  }
  std::sort(order.begin(), order.end(), [this](const Entry* left, const Entry* right) {
    return counts_.is_before(*left, *right);
  });
  return order;
}

void Breakdowns::fold(std::size_t limit) {
  if (counts_.size() <= limit) return;
  Breakdowns folded(counts_.resource());
  for (const Kind kind : kKinds) {
    auto order = sorted(kind);
    std::stable_sort(order.begin(), order.end(), [](const Entry* left, const Entry* right) {
      return left->value > right->value;
    });
    std::size_t kept = 0;
    for (const Entry* entry : order) {
      const std::string_view name = counts_.text_of(*entry);
      const bool keep = name == kOther || kept++ < limit;
      folded.add(kind, keep ? name : kOther, entry->value);
    }
  }
  *this = std::move(folded);
}

void Breakdowns::write(ByteWriter& out) const {
  for (const Kind kind : kKinds) {
    const auto order = sorted(kind);
    out.varint(order.size());
    for (const Entry* entry : order) {
      out.text(counts_.text_of(*entry));
      out.varint(entry->value);
    }
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
