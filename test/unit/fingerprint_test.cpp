#include "core/fingerprint.hpp"

#include <gtest/gtest.h>

#include <set>
#include <vector>

#include "core/digest.hpp"

namespace vigil {
namespace {

std::string repeat(std::string_view text, int times) {
  std::string out;
  for (int i = 0; i < times; ++i) out += text;
  return out;
}

struct Golden {
  std::string type;
  std::string name;
  std::string stack;
  std::string_view key;
};

// Keys that the formula gives in Node.js 20: the seed's own code, run over what is hard.
const std::vector<Golden>& golden() {
  static const std::vector<Golden> rows = {
      {"javascript", "TypeError",
       "TypeError: x is undefined\n    at foo (https://cdn.example.com/app.js:10:15)\n    at bar "
       "(https://cdn.example.com/lib.js:20:3)",
       "712c0fdf6a2a676e33d570a6948eff1f"},
      {"javascript", "TypeError",
       "TypeError: x is undefined\n    at foo (https://cdn.example.com/app.js:999:1)\n    at bar "
       "(https://cdn.example.com/lib.js:7:77777)",
       "712c0fdf6a2a676e33d570a6948eff1f"},
      {"javascript", "TypeError", "", "b233f9e584ed698e7973f188f58d5d98"},
      {"javascript", "TypeError", "::1:2", "eff1d6fe96d25eac627a6bd9fa1182f9"},
      {"javascript", "TypeError", ":1:2:3", "a990d5354358e8b7c1882cd3863b8f7c"},
      {"javascript", "TypeError", ":1:2:3:4", "31ef5ade7bc6a602029a25eb5b29b7d9"},
      {"javascript", "TypeError", ":1::2", "7832fffc5b3ad8a8a8d61b1a8e51da8c"},
      {"javascript", "TypeError", ":1:2:", "77f11c4aa940cdd5609ba3045550dc67"},
      {"javascript", "TypeError", ":12", "63778158013cb53b3d06025565d36454"},
      {"javascript", "TypeError", ":1:", "239012dc249602837c91561401657e6c"},
      {"javascript", "TypeError", "1:2:3", "b065791366750767d3ba04f75a195405"},
      {"javascript", "TypeError", "a:1:b:2:3", "5853a666e77d39d20cdcc8c9873a557c"},
      {"javascript", "TypeError", "::::1:2", "7f28b59d6e8354a6901f7e50e719d0ef"},
      {"javascript", "TypeError", "a:1:1:1:1:1b", "406a520bb1c4b89927ad0e684c8e14d7"},
      {"javascript", "TypeError", ":\xd9\xa1:\xd9\xa2", "b588bd6b3d9e76aa792d79e38c35fc12"},
      {"javascript", "TypeError", ":1:\xd9\xa2", "facf068eba442a8b0c357c5e3879048e"},
      {"javascript", "TypeError", ":1a:2:3", "2b002f86396c94bd335fa3b1329cca22"},
      {"javascript", "TypeError", "?", "4f74790d0349b7b876b0cebc4e620b70"},
      {"javascript", "TypeError", "??", "b233f9e584ed698e7973f188f58d5d98"},
      {"javascript", "TypeError", "?a?b c", "54b11aed8e98fd3dc1d4ce1eb08a2438"},
      {"javascript", "TypeError", "? a", "0e0a41515df749ed834b210c84efdfa8"},
      {"javascript", "TypeError", "a?b:1:2)\nc", "61a651241b56f23650d03bc2a4445aad"},
      {"javascript", "TypeError", "x?y\x09z", "2c681e403cdd85449141195676f192d2"},
      {"javascript", "TypeError", "x?y\x0dz", "ceabc92d62b5a0c657a38ae8abc886e9"},
      {"javascript", "TypeError", "x?y\x0d\nz", "cf825ae5a64837973468a7932f42d80b"},
      {"javascript", "TypeError", "x?y\x0bz", "da93acd10ffbe3153d7d82d9099bc6d9"},
      {"javascript", "TypeError", "x?y\x0cz", "1c38ee274006d6ac110efeaa17dc3837"},
      {"javascript", "TypeError", "x?y\xc2\xa0z", "793537688bcfea8df310d8fbefb5a698"},
      {"javascript", "TypeError", "x?y\xe1\x9a\x80z", "31469849da7d1aee64ba0c554e8fad06"},
      {"javascript", "TypeError", "x?y\xe1\xa0\x8ez", "04f7c041484467f0b73c4971e87b477f"},
      {"javascript", "TypeError", "x?y\xe2\x80\x80z", "c135d088df3396396f19cab257aa2078"},
      {"javascript", "TypeError", "x?y\xe2\x80\x8az", "7efc6c35782243222613a618f504c280"},
      {"javascript", "TypeError", "x?y\xe2\x80\x8bz", "04f7c041484467f0b73c4971e87b477f"},
      {"javascript", "TypeError", "x?y\xe2\x80\xa8z", "faa9fe33e2acc8b4049d86942c0d23e1"},
      {"javascript", "TypeError", "x?y\xe2\x80\xa9z", "36b9cdae32bfeb19a621904879ac7824"},
      {"javascript", "TypeError", "x?y\xe2\x80\xafz", "2e25e5ad8a33ad08b1ce5b0d8fb0b7e5"},
      {"javascript", "TypeError", "x?y\xe2\x81\x9fz", "8721d56b55d302a4550c1e5e89f2c84e"},
      {"javascript", "TypeError", "x?y\xe3\x80\x80z", "9b476418efeb6b374d48e0ce6a265c59"},
      {"javascript", "TypeError", "x?y\xef\xbb\xbfz", "5611b9ebfc0d22614057a5170c9eea16"},
      {"javascript", "TypeError", "x?y\xc2\x85z", "04f7c041484467f0b73c4971e87b477f"},
      {"javascript", "TypeError", "?\xc2\xa0", "35001189d050663e6ce8a7939a49fdce"},
      {"javascript", "TypeError", "?\xf0\x9f\x98\x80 x", "68258fa4bce2fb907cbba2441a452ae2"},
      {"javascript", "TypeError", "x?\xef\xbb\xbf:1:2", "1a5c150e844b21a497aaf67a69b2b499"},
      {"javascript", "TypeError", "app.js?v=1:10:15\nlib.js?v=2:20:3",
       "9946b99f3c0e417d62e2f6bba463af5a"},
      {"javascript", "TypeError", "Is it gone? yes?no", "4c751d5516feae3e7644cc5edd69b72a"},
      {"javascript", "TypeError", "\xc3\xa9:1:2\xe2\x82\xac?x \xf0\x9f\x98\x80:3:4",
       "a31d617c508578e6c217f714c8d62531"},
      {"javascript", "TypeError", "at f (a.js:1:2)\x0d\n  at g (b.js:3:4)\x0d\n",
       "dcf32f0ca7ac721b693061b60131c828"},
      {"javascript", "TypeError",
       "\xe4\xb8\xad\xe6\x96\x87\xe9\x94\x99\xe8\xaf\xaf\xef\xbc\x9a"
       "1:2:3",
       "ea3d6201b54717cbbbc81519a9888792"},
      {"javascript", "TypeError", "tab\x09here:1:2", "bfc0a674c7067a3fb6f1edab8dea389f"},
      {"javascript", "TypeError", "nul-free \x01\x1f:1:2?x", "99a42e020ae6f25149cafb7eb98f63e5"},
      {"javascript", "TypeError", repeat("a", 496) + "\xf0\x9f\x98\x80tail",
       "a33e38e378d375e7c0621d9b5ff261c2"},
      {"javascript", "TypeError", repeat("a", 497) + "\xf0\x9f\x98\x80tail",
       "a87afa060896da114a46f40dfb6fd97f"},
      {"javascript", "TypeError", repeat("a", 498) + "\xf0\x9f\x98\x80tail",
       "c0279a34658eb60b6b5b678b4beeaed5"},
      {"javascript", "TypeError", repeat("a", 499) + "\xf0\x9f\x98\x80tail",
       "a9611ddc8fd982599ec3c99b63d00188"},
      {"javascript", "TypeError", repeat("a", 500) + "\xf0\x9f\x98\x80tail",
       "d31e3a6c090002088d2ff229a9a7d655"},
      {"javascript", "TypeError", repeat("a", 501) + "\xf0\x9f\x98\x80tail",
       "d31e3a6c090002088d2ff229a9a7d655"},
      {"javascript", "TypeError", repeat("\xc3\xa9", 498) + "\xf0\x9f\x9a\x80\xf0\x9f\x9a\x80",
       "6b07e2c4f356f8a8e6a09727a119dd16"},
      {"javascript", "TypeError", repeat("\xe2\x82\xac", 498) + "zz",
       "3a13df00ab1408d53d5df6565579e869"},
      {"javascript", "TypeError", repeat("\xc3\xa9", 499) + "\xf0\x9f\x9a\x80\xf0\x9f\x9a\x80",
       "7d12be5b85f0c6f7110af0ee91c6a8e7"},
      {"javascript", "TypeError", repeat("\xe2\x82\xac", 499) + "zz",
       "2e5d5b06db0e8f41b37102d3377c9ffb"},
      {"javascript", "TypeError", repeat("\xc3\xa9", 500) + "\xf0\x9f\x9a\x80\xf0\x9f\x9a\x80",
       "7999d06d2540bea51c522b1100c9a010"},
      {"javascript", "TypeError", repeat("\xe2\x82\xac", 500) + "zz",
       "91f947b96de7e16d35c9fb76c4c8acf0"},
      {"javascript", "TypeError", repeat("\xf0\x9f\x98\x80", 249),
       "bba3bfaad70a4394fde29c7d8124b8c5"},
      {"javascript", "TypeError", "b" + repeat("\xf0\x9f\x98\x80", 249),
       "b47d5ff9f609ce4cb27a8f1da6a3390f"},
      {"javascript", "TypeError", repeat("\xf0\x9f\x98\x80", 250),
       "cfcebff01a7a0fe34d0a66645509e5b9"},
      {"javascript", "TypeError", "b" + repeat("\xf0\x9f\x98\x80", 250),
       "1b6c63c3da69acf7804f97610c2a7670"},
      {"javascript", "TypeError", repeat("\xf0\x9f\x98\x80", 251),
       "cfcebff01a7a0fe34d0a66645509e5b9"},
      {"javascript", "TypeError", "b" + repeat("\xf0\x9f\x98\x80", 251),
       "1b6c63c3da69acf7804f97610c2a7670"},
      {"javascript", "TypeError", repeat("a", 495) + ":1:2:3", "c09344ac39f78a9f1d0ffc42f0d236d5"},
      {"javascript", "TypeError", repeat("a", 498) + ":123456:789\nmore",
       "640c36fbb8da93d59ecaf667fa3bfd98"},
      {"javascript", "TypeError", "?" + repeat("q", 600) + " rest",
       "6e749db0b2e3d2f6725ea2f6abe669a1"},
      {"javascript", "TypeError", repeat("a", 499) + "?b \xf0\x9f\x98\x80",
       "0dcfec3b53362012bb756e9df07699d5"},
      {"javascript", "TypeError",
       repeat("TypeError: x is undefined\n    at foo (https://cdn.example.com/app.js:10:15)\n    "
              "at bar (https://cdn.example.com/lib.js:20:3)\n",
              20),
       "4fb4a2095ceea4d49eb9931f06992e6c"},
      {"api", "NetworkError", "", "61726bda244a3e4cb4964c59a0792ab8"},
      {"", "", "", "71546855d6279ef70d20909b292c42c2"},
      {"a:b", "c", "x", "316eb620286a4d327a732c03180ac3f6"},
      {"a", "b", "c:x", "316eb620286a4d327a732c03180ac3f6"},
      {"\xf0\x9f\x98\x80", "\xc3\xbc", "x", "7b8d20bc86c70673a18cd156cc6a94d0"},
      {"api", "NetworkError", "", "61726bda244a3e4cb4964c59a0792ab8"},
  };
  return rows;
}

TEST(SeedFingerprint, IsThatOfJavaScript) {
  EXPECT_GE(golden().size(), 60U);
  for (const Golden& row : golden()) {
    EXPECT_EQ(seed_fingerprint(row.type, row.name, row.stack), row.key) << row.stack;
  }
}

TEST(SeedFingerprint, LineNumbersDoNotMatter) {
  EXPECT_EQ(seed_fingerprint("t", "n", "at f (a.js:1:2)"),
            seed_fingerprint("t", "n", "at f (a.js:333:44)"));
  EXPECT_NE(seed_fingerprint("t", "n", "at f (a.js:1)"),
            seed_fingerprint("t", "n", "at f (a.js:2)"));
}

TEST(SeedFingerprint, HostileStacksTakeLinearTime) {
  for (const std::string_view part : {":1", ":", "?", "? ", ":1:", ":1:1", "\xE2\x80", "\xFF?"}) {
    EXPECT_EQ(seed_fingerprint("t", "n", repeat(part, 1'000'000)).size(), 32U);
  }
  const std::string digits = ":" + std::string(3'000'000, '1');
  EXPECT_EQ(seed_fingerprint("t", "n", digits + ":" + digits).size(), 32U);
}

TEST(SeedFingerprint, EveryTruncationHasAKey) {
  const std::string& stack = golden().front().stack;
  std::set<std::string> keys;
  for (std::size_t size = 0; size <= stack.size(); ++size) {
    keys.insert(seed_fingerprint("t", "n", stack.substr(0, size)));
  }
  EXPECT_GT(keys.size(), 100U);
}

std::string custom(std::vector<std::string_view> parts, std::string_view key = "K") {
  return custom_fingerprint(parts, key);
}

TEST(CustomFingerprint, PartsAreFields) {
  EXPECT_EQ(custom({"payments", "card_declined"}), custom({"payments", "card_declined"}, "other"));
  EXPECT_NE(custom({"ab", "c"}), custom({"a", "bc"}));
  EXPECT_NE(custom({"a", ""}), custom({"a"}));
  EXPECT_NE(custom({}), custom({""}));
  EXPECT_EQ(custom({"a"}), "e1c_" + to_hex(sha256_fields({"e1c", "a"})).substr(0, 32));
}

TEST(CustomFingerprint, DefaultStandsForTheKey) {
  EXPECT_EQ(custom({"{{ default }}", "x"}), custom({"K", "x"}));
  EXPECT_EQ(custom({"{{default}}"}), "K");
  EXPECT_EQ(custom({"{{ default }}"}), "K");
  EXPECT_EQ(custom({"a-{{ default }}-{{default}}"}), custom({"a-K-K"}));
  EXPECT_EQ(custom({"{{{default}}}"}), custom({"{K}"}));
  EXPECT_NE(custom({"{{ default }}"}, "1"), custom({"{{ default }}"}, "2"));
  EXPECT_NE(custom({"{{ other }}"}), custom({"K"}));
  EXPECT_NE(custom({"{{ default }"}), custom({"K"}));
  EXPECT_EQ(custom({"{{default}}", ""}, "{{default}}").size(), 36U);
}

TEST(CustomFingerprint, KeysStayAsTheyAre) {
  EXPECT_EQ(custom({"payments", "card_declined"}), "e1c_03324c8fc9c80c52b8f42841a226771e");
}

}  // namespace
}  // namespace vigil
