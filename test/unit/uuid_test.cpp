#include "core/uuid.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace vigil {
namespace {

constexpr std::string_view kCanonical = "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11";

TEST(Uuid, ReadsTheFormsOfPostgres) {
  for (const std::string_view text :
       {"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11",
        "{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}", "a0eebc999c0b4ef8bb6d6bb9bd380a11",
        "a0ee-bc99-9c0b-4ef8-bb6d-6bb9-bd38-0a11", "{a0eebc99-9c0b4ef8-bb6d6bb9-bd380a11}",
        "{A0eebc999c0b4ef8bb6d6bb9bd380a11}"}) {
    const auto uuid = parse_uuid(text);
    ASSERT_TRUE(uuid) << text;
    EXPECT_EQ(to_string(*uuid), kCanonical) << text;
  }
}

TEST(Uuid, RefusesEverythingElse) {
  for (const std::string_view text :
       {"", "{", "}", "{}", "{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
        "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}", "-a0eebc999c0b4ef8bb6d6bb9bd380a11",
        "a0eebc999c0b4ef8bb6d6bb9bd380a11-", "a0eebc99--9c0b4ef8bb6d6bb9bd380a11",
        "a0e-ebc999c0b4ef8bb6d6bb9bd380a11", "a0-eebc999c0b4ef8bb6d6bb9bd380a11",
        "g0eebc999c0b4ef8bb6d6bb9bd380a11", " a0eebc999c0b4ef8bb6d6bb9bd380a11",
        "a0eebc999c0b4ef8bb6d6bb9bd380a11 ", "a0eebc999c0b4ef8bb6d6bb9bd380a1112",
        "{{a0eebc999c0b4ef8bb6d6bb9bd380a11}}", "@0eebc999c0b4ef8bb6d6bb9bd380a11"}) {
    EXPECT_FALSE(parse_uuid(text)) << text;
  }
}

TEST(Uuid, EveryTruncationIsRefused) {
  for (std::size_t size = 0; size < kCanonical.size(); ++size) {
    EXPECT_FALSE(parse_uuid(kCanonical.substr(0, size))) << size;
  }
}

TEST(Uuid, EveryByteInTheAlphabetOfDigitsOnly) {
  for (int c = 0; c < 256; ++c) {
    std::string text(kCanonical);
    text[3] = static_cast<char>(c);
    const bool digit = std::string_view("0123456789abcdefABCDEF").find(text[3]) != text.npos;
    EXPECT_EQ(parse_uuid(text).has_value(), digit && c != 0) << c;
  }
}

TEST(Uuid, Version7HoldsTimeThenRandomness) {
  // The example of RFC 9562, appendix A.6.
  const std::array<std::uint8_t, 10> random = {0x0C, 0xC3, 0x18, 0xC4, 0xDC,
                                               0x0C, 0x0C, 0x07, 0x39, 0x8F};
  EXPECT_EQ(to_string(make_uuid_v7(0x017F22E279B0, random)),
            "017f22e2-79b0-7cc3-98c4-dc0c0c07398f");
  std::array<std::uint8_t, 10> ones;
  ones.fill(0xFF);
  EXPECT_EQ(to_string(make_uuid_v7(0xFFFF000000000001, ones)),
            "00000000-0001-7fff-bfff-ffffffffffff");
  EXPECT_LT(make_uuid_v7(1, ones), make_uuid_v7(2, random));
}

TEST(Uuid, NamesGiveStableIds) {
  const Uuid id = name_uuid("release", "1.2.3");
  EXPECT_EQ(id, name_uuid("release", "1.2.3"));
  EXPECT_NE(id, name_uuid("release", "1.2.4"));
  EXPECT_NE(name_uuid("ab", "c"), name_uuid("a", "bc"));
  EXPECT_EQ(id.bytes[6] >> 4, 8);
  EXPECT_EQ(id.bytes[8] >> 6, 2);
  EXPECT_EQ(to_string(id), "df8eaaa2-938d-8434-93f9-c924e1a3cd93");  // stored ids depend on it
}

}  // namespace
}  // namespace vigil
