#include "core/json_text.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "core/utf8.hpp"

namespace vigil {
namespace {

using namespace std::string_view_literals;

std::string repaired(std::string_view text) {
  std::pmr::string out("#");
  const bool changed = repair_json(text, out);
  if (!changed) {
    EXPECT_EQ(out, "#");
  }
  return changed ? std::string(out.substr(1)) : std::string(text);
}

bool needs_repair(std::string_view text) {
  std::pmr::string out;
  return repair_json(text, out);
}

std::string reason(std::string_view text, int max_depth = 512) {
  const auto fault = check_json(text, max_depth);
  return fault ? fault->reason : "";
}

std::string nested(std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); }

TEST(JsonRepair, GoodTextIsLeftAlone) {
  for (const auto text :
       {R"({"a":[1,2.5e-3,true,null,"x\n\u00e9\ud83d\ude00\\u0000\"\/"]})"sv, "\"\u00e9\u20ac\""sv,
        "  [ ]\r\n\t"sv, ""sv, R"("\\\\u0000")"sv, R"("\ud83d\uDE00")"sv}) {
    EXPECT_FALSE(needs_repair(text)) << text;
  }
}

TEST(JsonRepair, EscapedNul) {
  EXPECT_EQ(repaired(R"("a\u0000b")"), R"("a\ufffdb")");
  EXPECT_EQ(repaired(R"("\\\u0000")"), R"("\\\ufffd")");
  EXPECT_EQ(repaired(R"({"\u0000":"\\u0000"})"), R"({"\ufffd":"\\u0000"})");
}

TEST(JsonRepair, LoneSurrogates) {
  EXPECT_EQ(repaired(R"("\ud83d")"), R"("\ufffd")");
  EXPECT_EQ(repaired(R"("\ude00x")"), R"("\ufffdx")");
  EXPECT_EQ(repaired(R"("\uD83D\uD83D\uDE00")"), R"("\ufffd\uD83D\uDE00")");
  EXPECT_EQ(repaired(R"("\ude00\ud83d")"), R"("\ufffd\ufffd")");
  EXPECT_EQ(repaired(R"("\ud83d\\ude00")"), R"("\ufffd\\ude00")");
  EXPECT_EQ(repaired(R"("\ud83d\n")"), R"("\ufffd\n")");
}

TEST(JsonRepair, RawControlCharacters) {
  EXPECT_EQ(repaired("\"a\nb\tc\x1f\""), R"("a\u000ab\u0009c\u001f")");
  EXPECT_EQ(repaired("[\n\"\x7f\"\n]"), "[\n\"\x7f\"\n]");
  EXPECT_EQ(repaired("\"a\0b\"\0"sv), "\"a\uFFFDb\"\uFFFD");
}

TEST(JsonRepair, BackslashBeforeControlCharacterStaysAFault) {
  EXPECT_EQ(repaired("\"\\\n\""), "\"\\\n\"");
  EXPECT_EQ(reason("\"\\\n\""), "an escape is malformed");
  EXPECT_EQ(reason(repaired("\"\\\0\""sv)), "an escape is malformed");
}

TEST(JsonRepair, IllFormedUtf8AndByteOrderMark) {
  EXPECT_EQ(repaired("\"\xF0\x9F\x98\""), "\"\uFFFD\"");
  EXPECT_EQ(repaired("\"\xED\xA0\xBD\""), "\"\uFFFD\uFFFD\uFFFD\"");
  EXPECT_EQ(repaired("\xEF\xBB\xBF{}"), "{}");
  EXPECT_EQ(repaired("\xEF\xBB\xBF\"\\u0000\""), "\"\\ufffd\"");
  EXPECT_EQ(repaired("\"\\\xFF\""), "\"\\\uFFFD\"");
}

TEST(JsonRepair, EveryOffsetOfALongString) {
  for (std::size_t at = 0; at < 40; ++at) {
    for (const char bad : {'\n', '\0', '\xFF', '\x1f'}) {
      std::string text = "\"" + std::string(40, 'a') + "\"";
      text[1 + at] = bad;
      EXPECT_EQ(reason(repaired(text)), "") << at;
    }
  }
}

TEST(JsonRepair, EveryTruncationIsCleanAndStable) {
  const auto text = "\xEF\xBB\xBF{\"k\\u0000\":\"\\ud83d\\ude00\xF0\x9F\x98\x80\\ud83d\x01\0\"}"sv;
  for (std::size_t size = 0; size <= text.size(); ++size) {
    const std::string once = repaired(text.substr(0, size));
    EXPECT_TRUE(valid_utf8(once));
    EXPECT_FALSE(needs_repair(once)) << size;
  }
  EXPECT_EQ(reason(repaired(text)), "");
}

TEST(JsonCheck, AcceptsTheGrammar) {
  for (const auto text :
       {"{}"sv, "[]"sv, " null "sv, "true"sv, "false"sv, "0"sv, "-0"sv, "-0.0"sv, "10.25E+2"sv,
        "1e1000"sv, "1e-1000"sv, "\"\""sv, "[[],{},\"\"]"sv,
        R"({"a":{"b":[1,{"c":null}]},"a":2})"sv, R"("\"\\\/\b\f\n\r\t\u00e9\uD83D\uDE00")"sv,
        "\"\u20ac\x7f\""sv, "[1 ,\t2\r\n]"sv, "1e0000000000000000001"sv}) {
    EXPECT_EQ(reason(text), "") << text;
  }
}

TEST(JsonCheck, RefusesWhatIsNoJson) {
  for (const auto text : {""sv,
                          " "sv,
                          "nul"sv,
                          "True"sv,
                          "nullx"sv,
                          "{"sv,
                          "["sv,
                          "]"sv,
                          "}"sv,
                          "[1,]"sv,
                          "[,1]"sv,
                          "{,}"sv,
                          "{\"a\"}"sv,
                          "{\"a\":}"sv,
                          "{\"a\":1,}"sv,
                          "{a:1}"sv,
                          "{1:1}"sv,
                          "[1 2]"sv,
                          "[1}"sv,
                          "{\"a\":1]"sv,
                          "[]]"sv,
                          "1 2"sv,
                          "01"sv,
                          "-01"sv,
                          "-"sv,
                          "+1"sv,
                          "1."sv,
                          ".5"sv,
                          "1e"sv,
                          "1e+"sv,
                          "0x1"sv,
                          "NaN"sv,
                          "Infinity"sv,
                          "-Infinity"sv,
                          "'a'"sv,
                          "\"a"sv,
                          "\"\\\""sv,
                          "\"\\x\""sv,
                          "\"\\u12\""sv,
                          "\"\\u12G4\""sv,
                          "\"\n\""sv,
                          "\"\\"sv,
                          "// c"sv,
                          "[1]//"sv,
                          "\xEF\xBB\xBF[]"sv,
                          "\v1"sv,
                          "[\0]"sv,
                          "\"\xff\""sv,
                          "\"\\u0000\""sv,
                          "\"\\ud800\""sv,
                          "\"\\udc00\""sv,
                          "\"\\ud800\\u0041\""sv,
                          "[\"a\",\n4\n,1,"sv}) {
    EXPECT_NE(reason(text), "") << text;
  }
}

TEST(JsonCheck, TellsWhere) {
  EXPECT_EQ(check_json("[1, x]")->offset, 4U);
  EXPECT_EQ(check_json("[1")->offset, 2U);
  EXPECT_EQ(check_json("{\"a\":1e9999}")->offset, 5U);
  EXPECT_STREQ(check_json("{\"a\":1e9999}")->reason, "number out of range");
}

TEST(JsonCheck, EveryTruncationIsAFault) {
  const auto text = R"({"a":[1.5e+3,"x\ud83d\ude00",true,{"b":null}],"c":"\u00e9"})"sv;
  for (std::size_t size = 0; size < text.size(); ++size) {
    EXPECT_NE(reason(text.substr(0, size)), "") << size;
  }
  EXPECT_EQ(reason(text), "");
}

TEST(JsonCheck, DepthIsLimitedWithoutRecursion) {
  EXPECT_EQ(reason(nested(512)), "");
  EXPECT_EQ(reason(nested(513)), "containers are nested too deeply");
  EXPECT_EQ(reason(nested(3), 3), "");
  EXPECT_NE(reason(nested(4), 3), "");
  EXPECT_EQ(reason("1", 0), "");
  EXPECT_NE(reason("[]", 0), "");
  EXPECT_EQ(reason(nested(1'000'000), 2'000'000), "");
}

TEST(JsonCheck, NumbersStayWithinNumeric) {
  EXPECT_EQ(reason(std::string(15'000, '9')), "");
  EXPECT_EQ(reason(std::string(15'001, '9')), "number out of range");
  EXPECT_EQ(reason("0." + std::string(15'001, '9')), "number out of range");
  EXPECT_EQ(reason("1e1001"), "number out of range");
  EXPECT_EQ(reason("1E-1001"), "number out of range");
  EXPECT_EQ(reason("0e99999999999999999999999"), "number out of range");
}

TEST(JsonCheck, SizeIsLimited) {
  EXPECT_EQ(reason("\"" + std::string(200'000'001, 'a') + "\""), "a string is too long");
  std::string many = "[";
  many.reserve(40'000'000);
  while (many.size() < 36'000'000) many += "1,";
  many += "1]";
  EXPECT_EQ(reason(many), "the value is too large for jsonb");
}

// All texts of up to six characters over a small alphabet: one closing bracket more or less, and
// every comma at a wrong place, is found. A recursive grammar in three lines is the other opinion.
struct Grammar {
  std::string_view text;
  std::size_t at = 0;

  bool take(char c) { return at < text.size() && text[at] == c && ++at > 0; }
  bool list(char end, bool keyed) {
    if (take(end)) return true;
    do {
      if (keyed && !(take('"') && take('"') && take(':'))) return false;
      if (!value()) return false;
    } while (take(','));
    return take(end);
  }
  bool value() {
    if (take('[')) return list(']', false);
    if (take('{')) return list('}', true);
    if (take('"')) return take('"');
    return take('1');
  }
};

TEST(JsonCheck, AgreesWithARecursiveGrammarOnAllShortTexts) {
  constexpr std::string_view alphabet = "[]{}\",:1";
  for (std::size_t size = 1; size <= 6; ++size) {
    for (std::size_t code = 0; code < (std::size_t{1} << (3 * size)); ++code) {
      std::string text;
      for (std::size_t i = 0; i < size; ++i) text += alphabet[code >> (3 * i) & 7];
      if (text.find("11") != text.npos) continue;
      // A string with something inside is beyond the grammar above.
      bool outside = true;
      bool inner = false;
      for (const char c : text) {
        inner |= !outside && c != '"';
        if (c == '"') outside = !outside;
      }
      if (inner) continue;
      Grammar grammar{text};
      const bool good = grammar.value() && grammar.at == text.size();
      ASSERT_EQ(reason(text).empty(), good) << text;
    }
  }
}

}  // namespace
}  // namespace vigil
