// A fixed set of bytes, and where in a text one of them is. The standard library's find_first_of
// calls a search for every byte of the text.
#pragma once

#include <cstddef>
#include <string_view>

namespace vigil {

class CharSet {
 public:
  constexpr explicit CharSet(std::string_view members) {
    for (const char c : members) has_[static_cast<unsigned char>(c)] = true;
  }

  constexpr bool has(char c) const { return has_[static_cast<unsigned char>(c)]; }

  // Of the first member from there on, or of the last one; npos if there is none.
  constexpr std::size_t find(std::string_view text, std::size_t from = 0) const {
    for (std::size_t i = from; i < text.size(); ++i)
      if (has(text[i])) return i;
    return text.npos;
  }
  constexpr std::size_t find_last(std::string_view text) const {
    for (std::size_t i = text.size(); i-- > 0;)
      if (has(text[i])) return i;
    return text.npos;
  }

 private:
  bool has_[256] = {};
};

}  // namespace vigil
