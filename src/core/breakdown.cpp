#include "core/breakdown.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <string>

#include "core/murmur3.hpp"

namespace vigil {

namespace {

constexpr std::size_t kFewestSlots = 16;
constexpr std::size_t kLongestName = std::numeric_limits<std::uint32_t>::max() >> 2;
constexpr std::size_t kMostText = std::numeric_limits<std::uint32_t>::max();

[[noreturn]] void fail_count() {
  throw Error(Code::kNumericOutOfRange, "count in a breakdown is out of range",
              "A breakdown counts up to 2^64 - 1.");
}

template <typename Word>
inline std::uint64_t load(const char* from) {
  Word word;
  std::memcpy(&word, from, sizeof(word));
  return word;
}

// Up to 8 bytes as a word padded with zeros, without a loop: reads may overlap.
inline std::uint64_t padded_word(const char* text, std::size_t size) {
  if (size == 8) return load<std::uint64_t>(text);
  if (size >= 4) {
    return load<std::uint32_t>(text) | load<std::uint32_t>(text + size - 4) << (8 * (size - 4));
  }
  if (size == 0) return 0;
  const std::size_t middle = size / 2;
  return load<std::uint8_t>(text) | load<std::uint8_t>(text + middle) << (8 * middle) |
         load<std::uint8_t>(text + size - 1) << (8 * (size - 1));
}

// Where the program was loaded is not known to those who send names, so they cannot choose names
// that collide.
inline std::uint64_t seed() {
  static constexpr char kAnchor = 0;
  return reinterpret_cast<std::uintptr_t>(&kAnchor) * 0x9e3779b97f4a7c15;
}

}  // namespace

inline Breakdowns::Key Breakdowns::key_of(Kind kind, std::string_view name) {
  const auto tagged = static_cast<std::uint32_t>(name.size() << 2 | static_cast<unsigned>(kind));
  if (name.size() <= 8) return {{padded_word(name.data(), name.size()), 0}, tagged, 0};
  if (name.size() <= 16) {
    return {{load<std::uint64_t>(name.data()), padded_word(name.data() + 8, name.size() - 8)},
            tagged,
            0};
  }
  return long_key(tagged, name);
}

Breakdowns::Key Breakdowns::long_key(std::uint32_t tagged, std::string_view name) {
  if (name.size() > kLongestName) {
    throw Error(Code::kStringTooLong, "name in a breakdown is too long",
                "It has " + std::to_string(name.size()) + " bytes.");
  }
  const Hash128 hash =
      murmur3_x64_128({reinterpret_cast<const std::uint8_t*>(name.data()), name.size()});
  return {{hash.low, hash.high}, tagged, 0};
}

inline std::size_t Breakdowns::hash_of(const Key& key) {
  const auto product =
      static_cast<unsigned __int128>(key.words[0] ^ seed()) *
      (key.words[1] ^ (0xa0761d6478bd642f + key.size_and_kind * std::uint64_t{0xe7037ed1a0b428db}));
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

std::string_view Breakdowns::text_of(const Entry& entry) const {
  if (entry.key.is_long()) return {texts_.data() + entry.key.offset, entry.key.size()};
  return {reinterpret_cast<const char*>(entry.key.words), entry.key.size()};
}

// Calls visit(slot) for the slots where the key may be until it returns true.
template <typename Visit>
void Breakdowns::probe(const Key& key, Visit&& visit) {
  const std::size_t mask = slots_.size() - 1;
  std::uint32_t* const slots = slots_.data();
  for (std::size_t at = hash_of(key) & mask; !visit(slots[at]);) at = (at + 1) & mask;
}

void Breakdowns::add(Kind kind, std::string_view name, std::uint64_t times) {
  const Key key = key_of(kind, name);
  if (slots_.empty()) [[unlikely]] {
    rebuild_slots(kFewestSlots);
  }
  Entry* found = nullptr;
  probe(key, [&](std::uint32_t number) {
    if (number == 0) return true;
    Entry& entry = entries_.data()[number - 1];
    if (!entry.key.may_equal(key)) return false;
    if (key.is_long() && text_of(entry) != name) return false;
    found = &entry;
    return true;
  });
  if (found == nullptr) [[unlikely]] {
    append(key, name, times);
  } else if (__builtin_add_overflow(found->count, times, &found->count)) {
    found->count -= times;
    fail_count();
  }
}

void Breakdowns::append(Key key, std::string_view name, std::uint64_t times) {
  if (2 * (entries_.size() + 1) > slots_.size()) rebuild_slots(2 * slots_.size());
  if (key.is_long() && name.size() > kMostText - texts_.size()) {
    throw Error(Code::kLimitExceeded, "breakdown has too many names");
  }
  if (key.is_long()) {
    key.offset = static_cast<std::uint32_t>(texts_.size());
    texts_.insert(texts_.end(), name.begin(), name.end());
  }
  entries_.push_back({key, times});
  place(static_cast<std::uint32_t>(entries_.size()));
}

void Breakdowns::place(std::uint32_t number) {
  probe(entries_[number - 1].key, [&](std::uint32_t& slot) {
    if (slot != 0) return false;
    slot = number;
    return true;
  });
}

void Breakdowns::rebuild_slots(std::size_t slots) {
  slots_.assign(slots, 0);
  entries_.reserve(slots / 2);
  for (std::uint32_t number = 1; number <= entries_.size(); ++number) place(number);
}

void Breakdowns::merge(const Breakdowns& other) {
  for (const Entry& entry : other.entries_) {
    add(entry.key.kind(), other.text_of(entry), entry.count);
  }
}

std::pmr::vector<const Breakdowns::Entry*> Breakdowns::sorted(Kind kind) const {
  std::pmr::vector<const Entry*> order(entries_.get_allocator());
  order.reserve(entries_.size());
  for (const Entry& entry : entries_) {
    if (entry.key.kind() == kind) order.push_back(&entry);
  }
  std::sort(order.begin(), order.end(), [this](const Entry* left, const Entry* right) {
    return text_of(*left) < text_of(*right);
  });
  return order;
}

void Breakdowns::fold(std::size_t limit) {
  if (entries_.size() <= limit) return;
  Breakdowns folded(entries_.get_allocator().resource());
  for (const Kind kind : kKinds) {
    auto order = sorted(kind);
    std::stable_sort(order.begin(), order.end(), [](const Entry* left, const Entry* right) {
      return left->count > right->count;
    });
    std::size_t kept = 0;
    for (const Entry* entry : order) {
      const std::string_view name = text_of(*entry);
      const bool keep = name == kOther || kept++ < limit;
      folded.add(kind, keep ? name : kOther, entry->count);
    }
  }
  *this = std::move(folded);
}

void Breakdowns::write(ByteWriter& out) const {
  for (const Kind kind : kKinds) {
    const auto order = sorted(kind);
    out.varint(order.size());
    for (const Entry* entry : order) {
      out.text(text_of(*entry));
      out.varint(entry->count);
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
