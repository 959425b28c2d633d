#include "core/utf8.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

namespace vigil {
namespace {

std::string repaired(std::string_view text) {
  std::pmr::string out;
  repair_utf8(text, out);
  return std::string(out);
}

std::string encode(std::uint32_t point) {
  const auto byte = [](std::uint32_t value) { return static_cast<char>(value); };
  const auto trail = [&](int shift) { return byte(0x80 | ((point >> shift) & 0x3F)); };
  if (point < 0x80) return {byte(point)};
  if (point < 0x800) return {byte(0xC0 | point >> 6), trail(0)};
  if (point < 0x10000) return {byte(0xE0 | point >> 12), trail(6), trail(0)};
  return {byte(0xF0 | point >> 18), trail(12), trail(6), trail(0)};
}

TEST(Utf8, EveryCodePointIsValidExceptSurrogates) {
  for (std::uint32_t point = 0; point <= 0x110000; ++point) {
    const bool expected = point <= 0x10FFFF && (point < 0xD800 || point > 0xDFFF);
    ASSERT_EQ(valid_utf8(encode(point)), expected) << point;
  }
}

// An independent decoder: tries every shortest form by value instead of by byte ranges.
bool valid_by_value(std::string_view text) {
  std::size_t at = 0;
  while (at < text.size()) {
    const auto first = static_cast<std::uint8_t>(text[at]);
    const std::size_t size = first < 0x80             ? 1
                             : (first & 0xE0) == 0xC0 ? 2
                             : (first & 0xF0) == 0xE0 ? 3
                             : (first & 0xF8) == 0xF0 ? 4
                                                      : 0;
    if (size == 0 || at + size > text.size()) return false;
    std::uint32_t point = size == 1 ? first : first & (0x7FU >> size);
    for (std::size_t i = 1; i < size; ++i) {
      const auto byte = static_cast<std::uint8_t>(text[at + i]);
      if ((byte & 0xC0) != 0x80) return false;
      point = point << 6 | (byte & 0x3F);
    }
    if (point > 0x10FFFF || (point >= 0xD800 && point <= 0xDFFF)) return false;
    if (encode(point) != text.substr(at, size)) return false;
    at += size;
  }
  return true;
}

TEST(Utf8, AllShortStringsAgreeWithDecodingByValue) {
  const std::vector<int> bytes = {0x00, 0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF,
                                  0xC0, 0xC1, 0xC2, 0xDF, 0xE0, 0xE1, 0xEC, 0xED, 0xEE,
                                  0xEF, 0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xF8, 0xFF};
  std::string text(4, '\0');
  for (int a : bytes) {
    for (int b : bytes) {
      for (int c : bytes) {
        for (int d : bytes) {
          text[0] = static_cast<char>(a);
          text[1] = static_cast<char>(b);
          text[2] = static_cast<char>(c);
          text[3] = static_cast<char>(d);
          for (std::size_t size = 0; size <= 4; ++size) {
            const auto part = std::string_view(text).substr(0, size);
            ASSERT_EQ(valid_utf8(part), valid_by_value(part));
          }
          ASSERT_TRUE(valid_utf8(repaired(text)));
        }
      }
    }
  }
}

TEST(Utf8, RepairsEachMaximalSubpartOnce) {
  EXPECT_EQ(repaired("plain"), "plain");
  EXPECT_EQ(repaired("a\xFF"
                     "b"),
            "a\xEF\xBF\xBD"
            "b");
  EXPECT_EQ(repaired("\xF0\x9F\x98"), "\xEF\xBF\xBD");
  EXPECT_EQ(repaired("\xE2\x82"
                     "A"),
            "\xEF\xBF\xBD"
            "A");
  EXPECT_EQ(repaired("\xED\xA0\x80"), "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");
  // The example of the Unicode standard, table 3-8.
  EXPECT_EQ(repaired("\x61\xF1\x80\x80\xE1\x80\xC2\x62\x80\x63\x80\xBF\x64"),
            "a\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"
            "b\xEF\xBF\xBD"
            "c\xEF\xBF\xBD\xEF\xBF\xBD"
            "d");
}

TEST(Utf8, RepairReplacesNulAndAppends) {
  std::pmr::string out("x");
  repair_utf8(std::string_view("\0a\0", 3), out);
  EXPECT_EQ(out,
            "x\xEF\xBF\xBD"
            "a\xEF\xBF\xBD");
}

TEST(Utf8, FaultIsFoundAtEveryOffsetOfLongText) {
  for (std::size_t at = 0; at < 70; ++at) {
    std::string text(70, 'a');
    EXPECT_TRUE(valid_utf8(text));
    text[at] = '\x80';
    EXPECT_FALSE(valid_utf8(text)) << at;
    EXPECT_EQ(repaired(text).size(), 72U) << at;
  }
}

TEST(Utf8, TruncatedTextIsRepaired) {
  const std::string text = "a\u00e9\u20ac\U0001F600z";
  for (std::size_t size = 0; size <= text.size(); ++size) {
    EXPECT_TRUE(valid_utf8(repaired(text.substr(0, size))));
  }
}

TEST(Utf8, PrefixCountsUtf16Units) {
  const std::string text = "a\u00e9\u20ac\U0001F600z";  // 1, 2, 3, 4 and 1 bytes
  const std::vector<std::size_t> bytes = {0, 1, 3, 6, 6, 10, 11, 11};
  for (std::size_t units = 0; units < bytes.size(); ++units) {
    const Utf16Prefix prefix = utf16_prefix(text, units);
    EXPECT_EQ(prefix.bytes, bytes[units]) << units;
    EXPECT_EQ(prefix.split, units == 4) << units;
  }
  EXPECT_EQ(utf16_prefix("", 5).bytes, 0U);
  EXPECT_EQ(utf16_prefix("\xFF\xFF", 1).bytes, 1U);
}

}  // namespace
}  // namespace vigil
