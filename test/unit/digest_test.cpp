#include "core/digest.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace vigil {
namespace {

using namespace std::string_view_literals;

std::string hex_of(std::string_view text) { return to_hex(sha256(text)); }

TEST(Digest, Sha256OfPublishedVectors) {
  EXPECT_EQ(hex_of(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(hex_of("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(hex_of(std::string(1'000'000, 'a')),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Digest, HmacOfRfc4231) {
  EXPECT_EQ(to_hex(hmac_sha256(std::string(20, '\x0b'), "Hi There")),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  EXPECT_EQ(to_hex(hmac_sha256("Jefe", "what do ya want for nothing?")),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  EXPECT_EQ(to_hex(hmac_sha256(std::string(131, '\xaa'),
                               "Test Using Larger Than Block-Size Key - Hash Key First")),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

TEST(Digest, EmptyKeyAndMessageDoNotReuseAnEarlierKey) {
  hmac_sha256("secret", "x");
  EXPECT_EQ(to_hex(hmac_sha256({}, {})),
            "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

TEST(Digest, FieldsAreLengthPrefixed) {
  EXPECT_EQ(sha256_fields({"ab"}), sha256("\0\0\0\0\0\0\0\2ab"sv));
  EXPECT_EQ(sha256_fields({}), sha256(""));
  EXPECT_NE(sha256_fields({"ab", "c"}), sha256_fields({"a", "bc"}));
  EXPECT_NE(sha256_fields({"a", ""}), sha256_fields({"a"}));
  const std::vector<std::string_view> list = {"a", "b"};
  EXPECT_EQ(sha256_fields(list), sha256_fields({"a", "b"}));
}

TEST(Digest, Hex) {
  EXPECT_EQ(to_hex({}), "");
  EXPECT_EQ(to_hex(std::vector<std::uint8_t>{0x00, 0x0f, 0xa5, 0xff}), "000fa5ff");
}

}  // namespace
}  // namespace vigil
