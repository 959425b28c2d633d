// A hash table of texts: values by (tag, text).
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
 public:
  static constexpr std::uint8_t kTags = 4;

  // What a text is looked up by.
  class Key {
   private:
    friend class TextMap;

    std::uint32_t size() const { return size_and_tag / kTags; }
    bool is_long() const { return size() > sizeof(words); }
    // Short ones are the same text then.
    bool operator==(const Key& other) const {
      return ((words[0] ^ other.words[0]) | (words[1] ^ other.words[1]) |
              (size_and_tag ^ other.size_and_tag)) == 0;
    }

    std::uint64_t words[2] = {};  // the text padded with zeros, or the hash of a longer one
    std::uint32_t size_and_tag = 0;
    std::uint32_t offset = 0;  // of a longer one, in texts_
  };

  class Entry {
   public:
    std::uint8_t tag() const { return static_cast<std::uint8_t>(key_.size_and_tag & (kTags - 1)); }
    Value value{};  // Value{} in a free place

   private:
    friend class TextMap;
    Key key_;
  };

  explicit TextMap(std::pmr::memory_resource* resource) : entries_(resource), texts_(resource) {}

  // The value of the text; a new one is Value{}, and must be given another before the next call.
  // `tag` is below kTags. Error{kStringTooLong} beyond 1 GiB, Error{kLimitExceeded} when the long
  // texts together exceed 4 GiB.
  Value& at(std::uint8_t tag, std::string_view text) { return at(key_of(tag, text), text); }

  // The same in steps, for many maps that are larger together than the processor's caches: between
  // them other things can be done while the memory is on its way.
  static Key key_of(std::uint8_t tag, std::string_view text) {
    Key key;
    key.size_and_tag = static_cast<std::uint32_t>(text.size() * kTags + tag);
    if (text.size() <= 8) {
      key.words[0] = padded_word(text.data(), text.size());
    } else if (text.size() <= 16) {
      key.words[0] = load<std::uint64_t>(text.data());
      key.words[1] = padded_word(text.data() + 8, text.size() - 8);
    } else {
      hash_long(key, text);
    }
    return key;
  }
  void prefetch(const Key& key) const {
    if (!entries_.empty()) __builtin_prefetch(&entries_[first_place(key)]);
  }
  Value& at(const Key& key, std::string_view text) {
    if (!entries_.empty()) [[likely]] {
      Entry& entry = place_of(key, text);
      if (entry.value != Value{}) [[likely]] {
        return entry.value;
      }
    }
    return append(key, text);
  }

  // Makes room for that many texts.
  void reserve(std::size_t texts) {
    std::size_t places = std::max(entries_.size(), kFewest);
    while (!fit(texts, places)) places *= 2;
    if (places != entries_.size()) rebuild(places);
  }

  std::size_t size() const { return size_; }

  // Calls visit(entry) for every text, in no order.
  template <typename Visit>
  void for_each(Visit&& visit) const {
    for (const Entry& entry : entries_) {
      if (entry.value != Value{}) visit(entry);
    }
  }

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
  static constexpr std::size_t kFewest = 16;
  static constexpr std::size_t kMost = std::numeric_limits<std::uint32_t>::max();

  static bool fit(std::size_t texts, std::size_t places) { return 3 * places >= 4 * texts; }

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

  [[gnu::noinline]] static void hash_long(Key& key, std::string_view text) {
    if (text.size() > kMost / kTags) {
      throw Error(Code::kStringTooLong, "text is too long",
                  "It has " + std::to_string(text.size()) + " bytes, the limit is " +
                      std::to_string(kMost / kTags) + ".");
    }
    const Hash128 hash =
        murmur3_x64_128({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
    key.words[0] = hash.low;
    key.words[1] = hash.high;
  }

  // Where the program was loaded is not known to those who send texts, so they cannot choose texts
  // that collide.
  static std::uint64_t seed() {
    static constexpr char kAnchor = 0;
    return reinterpret_cast<std::uintptr_t>(&kAnchor) * 0x9e3779b97f4a7c15;
  }

  std::size_t first_place(const Key& key) const {
    const std::uint64_t other =
        key.words[1] ^ (0xa0761d6478bd642f + key.size_and_tag * std::uint64_t{0xe7037ed1a0b428db});
    const auto product = static_cast<unsigned __int128>(key.words[0] ^ seed()) * other;
    const auto hash =
        static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
    return hash & (entries_.size() - 1);
  }

  // The entry of the text, or the free one where it belongs.
  Entry& place_of(const Key& key, std::string_view text) {
    Entry* const entries = entries_.data();
    const std::size_t mask = entries_.size() - 1;
    for (std::size_t at = first_place(key);; at = (at + 1) & mask) {
      Entry& entry = entries[at];
      if (entry.value == Value{}) return entry;
      if (entry.key_ == key && (!key.is_long() || text_of(entry) == text)) return entry;
    }
  }

  [[gnu::noinline]] Value& append(const Key& key, std::string_view text) {
    if (!fit(size_ + 1, entries_.size())) reserve(size_ + 1);
    Entry& entry = place_of(key, text);
    entry.key_ = key;
    if (key.is_long()) {
      if (text.size() > kMost - texts_.size())
        throw Error(Code::kLimitExceeded, "too many different texts");
      entry.key_.offset = static_cast<std::uint32_t>(texts_.size());
      texts_.insert(texts_.end(), text.begin(), text.end());
    }
    ++size_;
    return entry.value;
  }

  void rebuild(std::size_t places) {
    std::pmr::vector<Entry> before(places, entries_.get_allocator());
    before.swap(entries_);
    for (const Entry& entry : before) {
      if (entry.value != Value{}) place_of(entry.key_, text_of(entry)) = entry;
    }
  }

  std::pmr::vector<Entry> entries_;  // open addressing, a power of two of places or none
  std::pmr::vector<char> texts_;
  std::size_t size_ = 0;
};

}  // namespace vigil
