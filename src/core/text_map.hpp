// A hash table of texts: values by (tag, text), in the order in which they came.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory_resource>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.hpp"
#include "core/murmur3.hpp"

namespace vigil {

// For few, mostly short texts that are looked up very often. A text of up to 16 bytes is compared
// as two words and needs no memory of its own. All memory comes from the resource, none until there
// is a text.
template <typename Value>
class TextMap {
 private:
  // A text padded with zeros, or the hash of a longer one.
  struct Key {
    std::uint64_t words[2];
    std::uint32_t size_and_tag;
    std::uint32_t offset;  // of a longer one, in texts_

    std::uint32_t size() const { return size_and_tag / kTags; }
    bool is_long() const { return size() > sizeof(words); }
    // Short ones are the same text then.
    bool operator==(const Key& other) const {
      return ((words[0] ^ other.words[0]) | (words[1] ^ other.words[1]) |
              (size_and_tag ^ other.size_and_tag)) == 0;
    }
  };

 public:
  static constexpr std::uint8_t kTags = 4;

  class Entry {
   public:
    explicit Entry(const Key& key) : key_(key) {}
    std::uint8_t tag() const { return static_cast<std::uint8_t>(key_.size_and_tag & (kTags - 1)); }
    Value value{};

   private:
    friend class TextMap;
    Key key_;
  };

  explicit TextMap(std::pmr::memory_resource* resource)
      : entries_(resource), slots_(resource), texts_(resource) {}

  // The value of the text, new ones being Value{}. `tag` is below kTags. Error{kStringTooLong}
  // beyond 1 GiB, Error{kLimitExceeded} when the long texts together exceed 4 GiB.
  Value& at(std::uint8_t tag, std::string_view text) {
    const Key key = key_of(tag, text);
    if (!slots_.empty()) [[likely]] {
      const std::size_t mask = slots_.size() - 1;
      const std::uint32_t* const slots = slots_.data();
      Entry* const entries = entries_.data() - 1;
      for (std::size_t at = hash_of(key) & mask; slots[at] != 0; at = (at + 1) & mask) {
        Entry& entry = entries[slots[at]];
        if (entry.key_ == key && (!key.is_long() || text_of(entry) == text)) return entry.value;
      }
    }
    return append(key, text);
  }

  // Makes room for that many texts.
  void reserve(std::size_t texts) {
    std::size_t slots = std::max(slots_.size(), kFewestSlots);
    while (slots < 2 * texts) slots *= 2;
    if (slots != slots_.size()) rebuild_slots(slots);
  }

  std::size_t size() const { return entries_.size(); }
  const std::pmr::vector<Entry>& entries() const { return entries_; }

  // Valid until the next at().
  std::string_view text_of(const Entry& entry) const {
    const Key& key = entry.key_;
    if (key.is_long()) return {texts_.data() + key.offset, key.size()};
    return {reinterpret_cast<const char*>(key.words), key.size()};
  }

  // Whether the text of one entry comes before that of another, by their bytes.
  bool is_before(const Entry& one, const Entry& other) const {
    const Key& left = one.key_;
    const Key& right = other.key_;
    if (left.is_long() || right.is_long()) return text_of(one) < text_of(other);
    for (int i = 0; i < 2; ++i) {
      if (left.words[i] != right.words[i])
        return __builtin_bswap64(left.words[i]) < __builtin_bswap64(right.words[i]);
    }
    return left.size() < right.size();
  }

  std::pmr::memory_resource* resource() const { return entries_.get_allocator().resource(); }

 private:
  static constexpr std::size_t kFewestSlots = 16;
  static constexpr std::size_t kMost = std::numeric_limits<std::uint32_t>::max();

  template <typename Word>
  static std::uint64_t load(const char* from) {
    Word word;
    std::memcpy(&word, from, sizeof(word));
    return word;
  }

  // Up to 8 bytes as a word padded with zeros, without a loop: reads may overlap.
  static std::uint64_t padded_word(const char* text, std::size_t size) {
    if (size == 8) return load<std::uint64_t>(text);
    if (size >= 4) {
      return load<std::uint32_t>(text) | load<std::uint32_t>(text + size - 4) << (8 * (size - 4));
    }
    if (size == 0) return 0;
    const std::size_t middle = size / 2;
    return load<std::uint8_t>(text) | load<std::uint8_t>(text + middle) << (8 * middle) |
           load<std::uint8_t>(text + size - 1) << (8 * (size - 1));
  }

  static Key key_of(std::uint8_t tag, std::string_view text) {
    const auto tagged = static_cast<std::uint32_t>(text.size() * kTags + tag);
    if (text.size() <= 8) return {{padded_word(text.data(), text.size()), 0}, tagged, 0};
    if (text.size() <= 16) {
      const std::uint64_t rest = padded_word(text.data() + 8, text.size() - 8);
      return {{load<std::uint64_t>(text.data()), rest}, tagged, 0};
    }
    return long_key(tagged, text);
  }

  [[gnu::noinline]] static Key long_key(std::uint32_t tagged, std::string_view text) {
    if (text.size() > kMost / kTags) {
      throw Error(Code::kStringTooLong, "text is too long",
                  "It has " + std::to_string(text.size()) + " bytes, the limit is " +
                      std::to_string(kMost / kTags) + ".");
    }
    const Hash128 hash =
        murmur3_x64_128({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
    return {{hash.low, hash.high}, tagged, 0};
  }

  // Where the program was loaded is not known to those who send texts, so they cannot choose texts
  // that collide.
  static std::uint64_t seed() {
    static constexpr char kAnchor = 0;
    return reinterpret_cast<std::uintptr_t>(&kAnchor) * 0x9e3779b97f4a7c15;
  }

  static std::size_t hash_of(const Key& key) {
    const std::uint64_t other =
        key.words[1] ^ (0xa0761d6478bd642f + key.size_and_tag * std::uint64_t{0xe7037ed1a0b428db});
    const auto product = static_cast<unsigned __int128>(key.words[0] ^ seed()) * other;
    return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
  }

  [[gnu::noinline]] Value& append(Key key, std::string_view text) {
    if (2 * (entries_.size() + 1) > slots_.size()) reserve(std::max<std::size_t>(1, 2 * size()));
    if (key.is_long()) {
      if (text.size() > kMost - texts_.size())
        throw Error(Code::kLimitExceeded, "too many different texts");
      key.offset = static_cast<std::uint32_t>(texts_.size());
      texts_.insert(texts_.end(), text.begin(), text.end());
    }
    entries_.emplace_back(key);
    place(static_cast<std::uint32_t>(entries_.size()));
    return entries_.back().value;
  }

  void place(std::uint32_t number) {
    const std::size_t mask = slots_.size() - 1;
    std::size_t at = hash_of(entries_[number - 1].key_) & mask;
    while (slots_[at] != 0) at = (at + 1) & mask;
    slots_[at] = number;
  }

  void rebuild_slots(std::size_t slots) {
    slots_.assign(slots, 0);
    entries_.reserve(slots / 2);
    for (std::uint32_t number = 1; number <= entries_.size(); ++number) place(number);
  }

  std::pmr::vector<Entry> entries_;
  std::pmr::vector<std::uint32_t> slots_;  // entry number + 1, 0 is free; open addressing
  std::pmr::vector<char> texts_;
};

}  // namespace vigil
