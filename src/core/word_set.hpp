// A fixed set of words of which few texts have any: a filter of one bit for each says no at once.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace vigil {

template <std::size_t kCount>
class WordSet {
 public:
  template <class... Texts>
  constexpr explicit WordSet(Texts... texts) : words_{std::string_view(texts)...} {
    for (const std::string_view word : words_)
      filter_[slot(word) / 64] |= std::uint64_t{1} << slot(word) % 64;
  }

  bool contains(std::string_view text) const {
    if (text.empty()) return false;
    const std::size_t at = slot(text);
    return (filter_[at / 64] >> at % 64 & 1) != 0 &&
           std::ranges::find(words_, text) != words_ + kCount;
  }

 private:
  static constexpr std::size_t kBits = 1024;

  // The size, and three letters: enough to tell most words apart.
  static constexpr std::size_t slot(std::string_view text) {
    const auto letter = [&](std::size_t i) {
      return std::size_t{static_cast<unsigned char>(text[i])};
    };
    return (text.size() * 37 + letter(0) * 131 + letter(text.size() / 2) * 17 +
            letter(text.size() - 1) * 59) %
           kBits;
  }

  std::string_view words_[kCount];
  std::uint64_t filter_[kBits / 64] = {};
};

template <class... Texts>
WordSet(Texts...) -> WordSet<sizeof...(Texts)>;

}  // namespace vigil
