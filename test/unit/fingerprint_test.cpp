#include "core/fingerprint.hpp"

#include <gtest/gtest.h>

#include <set>
#include <vector>

#include "core/digest.hpp"
#include "core/error.hpp"
#include "core/fingerprint_chain.hpp"

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

// --- Scheme v1 -----------------------------------------------------------------------------------

std::string key_of(std::initializer_list<std::string_view> fields) {
  return std::string(*fields.begin()) + "_" + to_hex(sha256_fields(fields)).substr(0, 32);
}

std::string first_key(std::string_view name, std::string_view message, std::string_view stack,
                      const FingerprintRules& rules = {}) {
  return std::string(text_of(fingerprint({"app", name, message, stack}, rules)));
}

// The kept frames of a stack, `function file`, one a line.
std::string kept(std::string_view stack, std::string_view name = "Error",
                 std::string_view message = "m", const FingerprintRules& rules = {}) {
  FingerprintExplanation explanation(std::pmr::get_default_resource());
  explain_fingerprint({"app", name, message, stack}, rules, explanation);
  std::string out;
  for (const ExplainedFrame& frame : explanation.frames) {
    if (frame.verdict != FrameVerdict::kKept) continue;
    if (!out.empty()) out += "\n";
    out.append(frame.function).append(" ").append(frame.file);
  }
  return out;
}

std::string kept_at(std::string_view function, std::string_view file) {
  return kept("    at " + std::string(function) + " (" + std::string(file) + ":1:2)\n");
}

constexpr std::string_view kNode =
    "TypeError: Cannot read properties of null (reading 'id')\n"
    "    at Ledger.post (/srv/bank/src/ledger/post.js:41:22)\n"
    "    at new Transfer (/srv/bank/src/transfer.js:12:10)\n"
    "    at async Promise.all (index 2)\n"
    "    at async handle (/srv/bank/node_modules/koa/lib/router.js:88:5)\n"
    "    at process.processTicksAndRejections (node:internal/process/task_queues:95:5)\n";
constexpr std::string_view kNullMessage = "Cannot read properties of null (reading 'id')";

TEST(FingerprintV1, KeysAreFieldsThatAnybodyCanHash) {
  const FingerprintLadder ladder = fingerprints({"app", "TypeError", kNullMessage, kNode});
  ASSERT_EQ(ladder.keys().size(), 3U);
  EXPECT_EQ(text_of(ladder.keys()[0]), key_of({"e1s", "app", "TypeError", "", "", "post",
                                               "ledger/post", "Transfer", "transfer"}));
  EXPECT_EQ(text_of(ladder.keys()[1]),
            key_of({"e1t", "app", "TypeError", "", "", "post", "ledger/post"}));
  EXPECT_EQ(text_of(ladder.keys()[2]),
            key_of({"e1m", "app", "TypeError", "no object with property id"}));
  EXPECT_EQ(first_key("TypeError", kNullMessage, kNode), text_of(ladder.keys()[0]));
}

struct GoldenLadder {
  ErrorReport report;
  std::vector<std::string_view> keys;
};

// A key of v1 never changes; another one is another scheme.
TEST(FingerprintV1, KeysStayAsTheyAre) {
  const GoldenLadder golden[] = {
      {{"javascript", "TypeError", "Cannot read properties of null (reading 'id')",
        "TypeError: Cannot read properties of null (reading 'id')\n    at Ledger.post "
        "(https://cdn.example/js/main.3f2a1b9c.js:41:22)\n    at new Transfer "
        "(https://cdn.example/js/main.3f2a1b9c.js:12:10)\n    at async handle "
        "(https://cdn.example/js/vendor-BkT9x_2a.js?v=2:88:5)"},
       {"e1s_7da6116171d8b373e2c09bb97f5503e1", "e1t_9a0bb8935cc342aa8166d8a195cb5d7f",
        "e1m_da262180b713dca5da7ce48d350ad840"}},
      {{"javascript", "ApiError", "Request failed with status code 503",
        "post@https://cdn.example/js/app.js:41:22\nhandle/<@https://cdn.example/js/"
        "app.js:80:9\nasync*handle@https://cdn.example/js/app.js:79:12\n@https://cdn.example/js/"
        "app.js:99:1"},
       {"e1s_f6081c7933bf8ae6afb5f0ae6499fb33", "e1t_aedc8cc16ffdc496794403fa31dbb9bd",
        "e1m_e46335bf7245e67b70d9ebfa57abe130"}},
      {{"app", "ValueError", "bad amount: -3",
        "Traceback (most recent call last):\n  File \"/srv/releases/20251120/bank/api.py\", line "
        "31, in post\n    core.transfer(a)\n  File \"/srv/releases/20251120/bank/core.py\", line "
        "9, in transfer\n    raise ValueError(a)\nValueError: bad amount: -3"},
       {"e1s_47e569235e1d661d4f58d445c25fb848", "e1t_2694ccdcc0396becbbaa97a0cde3a42f",
        "e1m_a502d83783e988143595aa7fdc58decf"}},
      {{"app", "com.bank.TransferException", "limit",
        "com.bank.TransferException: limit\n\tat com.bank.Api.lambda$handle$0(Api.java:12)\n\tat "
        "java.base/java.util.ArrayList.forEach(ArrayList.java:1511)\nCaused by: "
        "java.lang.IllegalStateException: closed\n\tat com.bank.Store$1.open(Store.java:7)\n\t... "
        "2 more"},
       {"e1s_f7f53eb85af1c9b0febc67cd88a6a4b3", "e1t_563b9b5a88c35daa0687c1d1ddf656c9",
        "e1m_f3c639b37fc7ae119dfe70182a64a748"}},
      {{"app", "panic", "assignment to entry in nil map",
        "panic: assignment to entry in nil map\n\ngoroutine 7 "
        "[running]:\nmain.(*Ledger).Post(0xc0000120a0)\n\t/srv/bank/ledger.go:41 "
        "+0x1a5\nmain.main.func1()\n\t/srv/bank/main.go:12 +0x25\n"},
       {"e1s_c2344a093c451351f1a34a6fae737b2a", "e1t_4023bb42b99df41b27a76436c93acc53",
        "e1m_995dcb0e8278efc402e3853468ebe244"}},
      {{"app", "NoMethodError", "undefined method `id' for nil",
        "app/models/ledger.rb:41:in `post': undefined method `id' for nil (NoMethodError)\n\tfrom "
        "app/controllers/api.rb:12:in `block (2 levels) in handle'"},
       {"e1s_e3aca07bf39064f93ff23b95946a85e6", "e1t_5997b0b34139f36e0352e11f2a76206b",
        "e1m_987d8332ff04c8bb52f13239187e7d55"}},
      {{"app", "System.InvalidOperationException", "limit",
        "System.InvalidOperationException: limit\n   at Bank.Ledger.Post(Int32 id) in "
        "C:\\bank\\Ledger.cs:line 41\n   at Bank.Api.<Handle>d__5.MoveNext()"},
       {"e1s_f73d9b19073aae1a98d81ca68119e79b", "e1t_4ab201bdf954a42534a03b78dd5dce2b",
        "e1m_730ccb3be6b672d06b187087a5ba7456"}},
      {{"database", "unique_violation",
        "duplicate key value violates unique constraint \"orders_pkey\"",
        "PL/pgSQL function bank.post(bigint,numeric) line 14 at SQL statement"},
       {"e1s_a9037e55b5c036ce7a282310013a7d09", "e1t_3148e7e2d6516d9faec8aba29d8522f0",
        "e1m_b43159140a4ceea45b6e2b59d1c972d5"}},
      {{"app", "Error", "connect ECONNREFUSED 10.0.0.7:5432",
        "Error: connect ECONNREFUSED 10.0.0.7:5432\n    at TCPConnectWrap.afterConnect [as "
        "oncomplete] (node:net:1555:16)\n    at Client.connect "
        "(/app/node_modules/pg@8.11.3/lib/client.js:77:3)"},
       {"e1y_acbcc04bb78d3e826b62a041965e09e4", "e1t_6c628e168c9586e331e886bf8486bd4d",
        "e1m_98e5b92f8a2e6961f0b1e170a164683a"}},
      {{"api", "NetworkError", "order 77 of bob@example.com failed after 3.5 s", ""},
       {"e1m_f0721f0560893290ef3f9782922039b8"}},
      {{"app", "SyncError", "[E1234] sync of 8f14e45f-ceea-467f-a0d4-5c6b7d8e9f00 aborted", ""},
       {"e1m_4d3e784a49bc3e4e21a4ef25ac131b94"}},
      {{"", "", "", ""}, {"e1m_381f070ff4293a81378da80a48bca252"}},
  };
  for (const GoldenLadder& one : golden) {
    std::vector<std::string_view> keys;
    const FingerprintLadder ladder = fingerprints(one.report);
    for (const Fingerprint& key : ladder.keys()) keys.push_back(text_of(key));
    EXPECT_EQ(keys, one.keys) << one.report.stack;
  }
}

TEST(FingerprintV1, KeysThatTellLittleFindNoGroup) {
  const auto finds = [](std::string_view stack) {
    const FingerprintLadder ladder = fingerprints({"app", "E", "m", stack});
    std::string out;
    for (std::size_t i = 0; i < ladder.keys().size(); ++i)
      out.append(1, ladder.keys()[i][2]).append(ladder.finds(i) ? "+" : "-");
    return out;
  };
  EXPECT_EQ(finds(kNode), "s+t-m-");
  EXPECT_EQ(finds("    at f (/app/src/a.js:1:2)\n"), "s+t+m-");
  EXPECT_EQ(finds("f@https://a.b/c.js:1:2\n@https://a.b/d.js:3:4\n"), "s+t+m-");
  EXPECT_EQ(finds(""), "m+");
}

TEST(FingerprintV1, WithoutFramesTheMessageDecides) {
  EXPECT_EQ(first_key("E", "order 77 is late", ""),
            key_of({"e1m", "app", "E", "order <num> is late"}));
  EXPECT_EQ(first_key("E", "order 77 is late", "no frames here"),
            key_of({"e1m", "app", "E", "order <num> is late"}));
  EXPECT_EQ(first_key(" E ", "Uncaught E: x\n\n  y\nz", ""), key_of({"e1m", "app", "E", "x y"}));
  EXPECT_EQ(first_key("", "", ""), key_of({"e1m", "app", "", ""}));
  // Codes tell mistakes apart, threads do not.
  EXPECT_EQ(first_key("E", "[E1234] sync of 7 failed", ""),
            key_of({"e1m", "app", "E", "E1234 sync of <num> failed"}));
  EXPECT_EQ(first_key("E", "TS2345: no type 7", ""),
            key_of({"e1m", "app", "E", "TS2345 no type <num>"}));
  EXPECT_EQ(first_key("E", "[T1234] late", ""), first_key("E", "[T1235] late", ""));
  EXPECT_EQ(first_key("E", "[WORKER12] late", ""), first_key("E", "[WORKER13] late", ""));
  // What has no message has at least its text.
  EXPECT_EQ(first_key("E", " ", "object 5"), key_of({"e1m", "app", "E", "object <num>"}));
  EXPECT_EQ(fingerprints({"app", "E", "x", ""}).keys().size(), 1U);
}

TEST(FingerprintV1, FramesOfLibrariesComeWithTheMessage) {
  EXPECT_EQ(first_key("Error", "connect 10.0.0.1:5432",
                      "    at connect (/app/node_modules/pg@8.1.2/lib/client.js:1:2)\n"
                      "    at emit (node:events:1:2)\n"),
            key_of({"e1y", "app", "Error", "", "connect <host>", "connect", "pg/lib/client.js"}));
  // Symbols of a program are better than nothing, those of an engine are not.
  EXPECT_EQ(first_key("SIGSEGV", "m", "0   App   0x0000000100e1 drawRow + 12\n"),
            key_of({"e1y", "app", "SIGSEGV", "", "m", "drawRow", ""}));
  EXPECT_EQ(first_key("Error", "m", "    at JSON.parse (<anonymous>)\n"),
            key_of({"e1m", "app", "Error", "m"}));
}

TEST(FingerprintV1, WordsOfTheMessageStandBesideFrames) {
  const auto words = [](std::string_view name, std::string_view message) {
    FingerprintExplanation explanation(std::pmr::get_default_resource());
    explain_fingerprint({"app", name, message, "    at f (/app/src/a.js:1:2)\n"}, {}, explanation);
    return std::string(explanation.message_by_frames);
  };
  EXPECT_EQ(words("ApiError", "Incorrect password"), "Incorrect password");
  EXPECT_EQ(words("ApiError", "upload failed: the server said hello"), "upload failed:");
  EXPECT_EQ(words("ApiError", "ERROR: no such table"), "ERROR: no such table");
  EXPECT_EQ(words("ApiError", "Customer Alice Miller not found, HTTP 404"),
            "Customer * * not found, HTTP 404");
  EXPECT_EQ(words("ApiError", "a b c d e f g h i j k l m n"), "a b c d e f g h i j k l");
  // Engines of JavaScript word the same mistake differently.
  EXPECT_EQ(words("TypeError", "x is not a function"), "");
  EXPECT_EQ(words("RangeError", "Invalid array length"), "");
  // Files alone tell little.
  EXPECT_EQ(first_key("TypeError", "x is undefined", "@https://a.b/js/app.js:1:2\n"),
            key_of({"e1s", "app", "TypeError", "", "x is undefined", "", "js/app"}));
}

TEST(FingerprintV1, EnginesMeanTheSame) {
  const auto same = [](std::vector<std::string_view> messages) {
    std::set<std::string> keys;
    for (const std::string_view message : messages)
      keys.insert(first_key("TypeError", message, ""));
    return keys.size() == 1;
  };
  EXPECT_TRUE(same({"Cannot read properties of undefined (reading 'id')",
                    "Cannot read property 'id' of undefined",
                    "Cannot set properties of undefined (setting 'id')",
                    "can't access property \"id\", x.user is undefined",
                    "undefined is not an object (evaluating 'x.user.id')",
                    "null is not an object (evaluating 'x.user.id = 3')",
                    "undefined is not an object (evaluating 'x.user[\"id\"]')",
                    "Unable to get property 'id' of undefined or null reference"}));
  EXPECT_FALSE(same({"Cannot read properties of undefined (reading 'id')",
                     "Cannot read properties of undefined (reading 'ids')"}));
  EXPECT_TRUE(same({"a.b is not a function", "a.b is not a function. (In 'a.b()', 'a.b' is 3)"}));
  EXPECT_TRUE(same({"x is not defined", "Can't find variable: x"}));
  EXPECT_TRUE(
      same({"Failed to fetch", "Load failed", "NetworkError when attempting to fetch resource."}));
  EXPECT_TRUE(same({"Unexpected token '<', \"<!DOCTYPE \"... is not valid JSON",
                    "JSON.parse: unexpected character at line 1 column 1 of the JSON data",
                    "JSON Parse error: Unrecognized token '<'"}));
  EXPECT_FALSE(same({"Unexpected token '<' is not valid JSON", "Unexpected end of JSON input"}));
}

TEST(FingerprintV1, FunctionsLoseWhatTheirCompilerGaveThem) {
  const auto function = [](std::string_view stack) { return kept(stack); };
  EXPECT_EQ(kept_at("async Ledger.post [as handler]", "/a/x/b.js"), "post x/b");
  EXPECT_EQ(kept_at("Foo.[Symbol.iterator]", "/a/x/b.js"), "[Symbol.iterator] x/b");
  EXPECT_EQ(kept_at("Foo.#save", "/a/x/b.js"), "save x/b");
  EXPECT_EQ(kept_at("_callee2$", "/a/x/b.js"), " x/b");
  EXPECT_EQ(kept_at("asyncGeneratorStep", "/a/x/b.js"), "");
  EXPECT_EQ(kept_at("save_3f2a1b9c", "/a/x/b.js"), "save x/b");
  EXPECT_EQ(kept("    at t.e (https://a.b/js/main.js:1:52813)\n"), " js/main");
  EXPECT_EQ(kept("    at t.e (https://a.b/js/main.js:12:13)\n"), "e js/main");
  EXPECT_EQ(kept("save/<@https://a.b/js/x.js:1:2\nasync*load@https://a.b/js/x.js:2:2\n"),
            " js/x\nload js/x");
  EXPECT_EQ(function("\tat com.acme.Cart.lambda$total$12(Cart.java:3)\n"
                     "\tat com.acme.Cart$$Lambda$14/0x0000.run(Unknown Source)\n"
                     "\tat com.acme.Cart$3.run(Cart.java:9)\n"),
            "com.acme.Cart.lambda$total$ \ncom.acme.Cart$.run ");
  EXPECT_EQ(function("   at Acme.Cart.<Add>d__5.MoveNext() in /src/Cart.cs:line 3\n"
                     "   at Acme.Cart.<>c__DisplayClass3_0.<Add>b__1()\n"
                     "   at Acme.Cart.<Add>g__Check|3_0(Int32 i)\n"
                     "   at Acme.List`1.Find(T x)\n"),
            "Acme.Cart.Add \nAcme.Cart.Add.Check \nAcme.List.Find ");
  EXPECT_EQ(function("goroutine 1 [running]:\nmain.(*S).run.func1.2(0x1)\n\t/go/app/s.go:3 +0x1\n"),
            "main.(*S).run.func ");
  EXPECT_EQ(function("app/models/cart.rb:3:in `block (2 levels) in total'\n"
                     "app/models/cart.rb:9:in 'Cart#add'\n"),
            "total models/cart.rb\nadd models/cart.rb");
  EXPECT_EQ(function("Traceback (most recent call last):\n"
                     "  File \"/app/shop/cart.py\", line 3, in <module>\n"
                     "  File \"/app/shop/cart.py\", line 4, in <listcomp>\n"
                     "  File \"/app/shop/cart.py\", line 5, in total\n"),
            "total shop/cart.py\n shop/cart.py");
  EXPECT_EQ(function("#0 /app/src/Cart.php(3): Shop\\{closure}()\n"), "Shop\\{closure} Cart.php");
}

TEST(FingerprintV1, FilesLoseWhereTheyAre) {
  const auto file = [](std::string_view path) { return kept_at("f", path).substr(2); };
  for (const std::string_view path :
       {"https://cdn.example/assets/main.js?v=3", "https://a.b:8080/assets/main.3f2a1b9c.js#x",
        "/srv/releases/20251120/assets/main-BkT9x_2a.min.js", "C:\\app\\assets\\main.js",
        "file:///home/ann/assets/main.ts", "webpack:///./assets/main.tsx",
        "/var/www/v1.2.3/assets/main-4QWM6PVG.js", "assets/0f1e2d3c4b/main.js"})
    EXPECT_EQ(file(path), "assets/main") << path;
  EXPECT_EQ(file("/app/src/index.js"), "index");
  EXPECT_EQ(file("/srv/shop/dist/index.js"), "index");
  EXPECT_EQ(file("/repo/packages/cart/src/index.js"), "cart/index");
  EXPECT_EQ(file("/app/app/[lang]/page.tsx"), "[lang]/page");
  EXPECT_EQ(file("/app/orders/[lang]/page.tsx"), "orders/[lang]/page");
  EXPECT_EQ(file("blob:https://a.b/0b1c6a1e-8c55-4a5c-9f7e-1d2a3b4c5d6e"), "#");
  EXPECT_EQ(file("/app/lib/app.facade.js"), "lib/app.facade");
  EXPECT_EQ(file("/app/lib/UserProfileV2Card.js"), "lib/UserProfileV2Card");
  EXPECT_EQ(file("/app/lib/20230101_create_users.js"), "lib/20230101_create_users");
  EXPECT_EQ(file("/app/lib/s3_upload_v2_handler.js"), "lib/s3_upload_v2_handler");
  EXPECT_EQ(file("/app/lib/jquery-3.6.0.min.js"), "lib/jquery");
  std::string deep;
  for (int i = 0; i < 200; ++i) deep += "/d";
  EXPECT_EQ(file(deep + "/x/y.js"), "x/y");
}

TEST(FingerprintV1, RecursionHasNoDepth) {
  const auto frames = [](std::vector<std::string_view> functions) {
    std::string stack;
    for (const std::string_view function : functions)
      stack.append("    at ").append(function).append(" (/app/src/a.js:1:2)\n");
    return kept(stack);
  };
  EXPECT_EQ(frames({"a", "a", "a", "b"}), "a a\nb a");
  EXPECT_EQ(frames({"a", "b", "a", "b", "a", "b", "c"}), "a a\nb a\nc a");
  EXPECT_EQ(frames({"a", "b", "c", "a", "b", "c", "d"}), "a a\nb a\nc a\nd a");
  EXPECT_EQ(frames({"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k"}),
            "a a\nb a\nc a\nd a\ne a\nf a\ng a\nh a\ni a\nj a");
}

TEST(FingerprintV1, TheRootOfAChainCounts) {
  constexpr std::string_view java =
      "a.Outer: x\n\tat a.Api.get(Api.java:3)\n\tSuppressed: a.S: s\n\t\tat a.Sup.f(S.java:1)\n"
      "\t\tCaused by: a.T: t\n\t\t\tat a.Tt.f(T.java:1)\n"
      "Caused by: a.Inner: y\n\tat a.Store.open(Store.java:7)\n\t... 3 more\n";
  EXPECT_EQ(first_key("a.Outer", "x", java),
            key_of({"e1s", "app", "a.Outer", "a.Inner", "x", "a.Store.open", ""}));
  constexpr std::string_view python =
      "Traceback (most recent call last):\n  File \"/app/s/a.py\", line 1, in inner\n"
      "    return d[k]\nKeyError: 'k'\n\n"
      "During handling of the above exception, another exception occurred:\n\n"
      "Traceback (most recent call last):\n  File \"/app/s/b.py\", line 2, in outer\n"
      "ValueError: bad\n";
  EXPECT_EQ(first_key("ValueError", "bad", python),
            key_of({"e1s", "app", "ValueError", "KeyError", "bad", "inner", "s/a.py"}));
  constexpr std::string_view net =
      "A.Outer: x\n ---> A.Inner: y\n   at A.Store.Open()\n"
      "   --- End of inner exception stack trace ---\n   at A.Api.Get()\n";
  EXPECT_EQ(first_key("A.Outer", "x", net),
            key_of({"e1s", "app", "A.Outer", "A.Inner", "x", "A.Store.Open", ""}));
  constexpr std::string_view node =
      "Error: x\n    at get (/app/src/api.js:3:4) {\n  [cause]: TypeError: y\n"
      "      at open (/app/src/store.js:3:4)\n}\n";
  EXPECT_EQ(first_key("Error", "x", node),
            key_of({"e1s", "app", "Error", "TypeError", "x", "open", "store"}));
  constexpr std::string_view php =
      "PHP Fatal error:  Uncaught Inner: y in /app/s/a.php:3\nStack trace:\n"
      "#0 /app/s/b.php(4): open()\n#1 {main}\n\nNext Outer: x in /app/s/c.php:5\n"
      "Stack trace:\n#0 /app/s/d.php(6): get()\n#1 {main}\n";
  EXPECT_EQ(first_key("Outer", "x", php),
            key_of({"e1s", "app", "Outer", "Inner", "x", "open", "s/b.php"}));
  // Where the root has frames of libraries only, the application's are in what wraps it.
  constexpr std::string_view driver =
      "a.Outer: x\n\tat a.Api.get(Api.java:3)\n"
      "Caused by: org.postgresql.util.PSQLException: y\n\tat org.postgresql.core.Q.run(Q.java:7)\n";
  EXPECT_EQ(
      first_key("a.Outer", "x", driver),
      key_of({"e1s", "app", "a.Outer", "org.postgresql.util.PSQLException", "x", "a.Api.get", ""}));
}

// Every byte of the text is looked at a few times at most, whatever it holds.
TEST(FingerprintV1, EffortIsLinear) {
  for (const std::string_view line :
       {"Caused by: X\n", "  Suppressed: X\n", "Next X: y\n", "#0 {main}\nNext X: y\n",
        "goroutine 1 [\n", "The above exception was the direct cause of\n",
        "During handling of the above exception\n",
        "x\nThe above exception was the direct cause of\n",
        "--- End of inner exception stack trace\n",
        " ---> A: b\n--- End of inner exception stack trace\n", "\n", "      \n", "[cause]: X\n"}) {
    const std::string stack = repeat(line, static_cast<int>(1'000'000 / line.size()));
    std::pmr::vector<ChainLink> chain;
    EXPECT_LE(find_chain(stack, chain), 4 * stack.size()) << line;
    first_key("E", "m", stack);
  }
}

// A key is found without reading all of a stack; what was left out must not matter.
TEST(FingerprintV1, KeysAreThoseOfTheWholeStack) {
  constexpr std::string_view kLines[] = {"    at a (/app/src/a.js:1:2)\n",
                                         "    at b (/app/src/b.js:1:2)\n",
                                         "    at c (/app/node_modules/c/c.js:1:2)\n",
                                         "    at d.e (E.java:3)\n",
                                         "    at processTicksAndRejections (node:x:1:2)\n",
                                         "f@https://a.b/c/d.js:1:2\n",
                                         "g\n",
                                         "words that are no frame\n",
                                         "Caused by: X: y\n",
                                         "  File \"/app/h.py\", line 3, in i\n",
                                         "[cause]: Z\n",
                                         "\n",
                                         "    at j (k.js:1:2)\n",
                                         "   at L.M() in /n/o.cs:line 3\n"};
  std::uint32_t random = 42;
  const auto draw = [&](std::uint32_t below) {
    random = random * 1664525 + 1013904223;
    return (random >> 16) % below;
  };
  for (int round = 0; round < 5000; ++round) {
    std::string stack;
    const std::uint32_t kinds = 1 + draw(std::size(kLines));
    for (std::uint32_t lines = draw(60); lines > 0; --lines) stack += kLines[draw(kinds)];
    FingerprintExplanation explanation(std::pmr::get_default_resource());
    explain_fingerprint({"app", "E", "m", stack}, {}, explanation);
    ASSERT_EQ(first_key("E", "m", stack), text_of(explanation.ladder.keys()[0])) << stack;
  }
}

// Whether the key is the one that is explained, which is made of the whole stack.
bool is_explained(std::string_view name, std::string_view message, std::string_view stack) {
  FingerprintExplanation explanation(std::pmr::get_default_resource());
  explain_fingerprint({"app", name, message, stack}, {}, explanation);
  return first_key(name, message, stack) == text_of(explanation.ladder.keys()[0]);
}

TEST(FingerprintV1, HostileTextHasAKey) {
  const std::string megabyte(1'000'000, 'x');
  const std::string deep =
      repeat("    at f (/app/src/a.js:1:2)\n    at g (/app/src/b.js:1:2)\n", 60'000);
  const std::string other =
      repeat("    at f (/app/src/a.js:1:2)\n    at g (/app/src/b.js:1:2)\n", 50'000);
  EXPECT_EQ(first_key("E", "m", deep), first_key("E", "m", other));
  for (const std::string_view stack :
       {std::string_view(megabyte), std::string_view("    at f (\0:1:2)\n", 15),
        std::string_view("    at \xff\xfe (/app/\xc3.js:1:2)\n"), std::string_view("\xf0\x9f", 2)})
    EXPECT_TRUE(is_explained("E", megabyte, stack));
  for (const std::string_view part :
       {"a-", "A-", "a/", "-1", "_1", "@1", ".", "1.", "-1.1", "a~", "?", "B-2"})
    EXPECT_TRUE(is_explained("E", "m", "    at f (/" + repeat(part, 15'000) + ":1:2)\n"));
  for (const std::string_view name :
       {"block ", "closure #", "<", "<>", "[", "$1", "__1", ".func1", "async "})
    EXPECT_TRUE(is_explained("E", "m", "app/a.rb:3:in '" + repeat(name, 6000) + "'\n"));
}

TEST(FingerprintV1, TextOfTheMessageIsNoFrame) {
  const std::string message = "script failed:\n    at evil (/app/src/evil.js:1:2)";
  EXPECT_EQ(kept("Error: " + message + "\n    at run (/app/src/run.js:3:4)\n", "Error", message),
            "run run");
}

TEST(FingerprintRules, SayWhoseAFrameIs) {
  const auto with = [](FingerprintRule rule) {
    const FingerprintRule rules[] = {rule};
    return kept(
        "    at a (/app/src/http.js:1:2)\n    at b (/app/src/cart.js:1:2)\n"
        "    at c (/app/node_modules/shop/c.js:1:2)\n",
        "Error", "m", FingerprintRules(rules));
  };
  EXPECT_EQ(with({RuleAction::kLibrary, "*/http.js", {}, {}, {}, {}}), "b cart");
  EXPECT_EQ(with({RuleAction::kDrop, {}, "a*", {}, {}, {}}), "b cart");
  EXPECT_EQ(with({RuleAction::kApp, "*/node_modules/shop/*", {}, {}, {}, {}}),
            "a http\nb cart\nc shop/c.js");
  EXPECT_EQ(with({RuleAction::kDrop, "*/http.js", "b", {}, {}, {}}), "a http\nb cart");
}

TEST(FingerprintRules, GiveKeys) {
  const std::string_view parts[] = {"payments", "{{ default }}"};
  const FingerprintRule rules[] = {{RuleAction::kKey, {}, {}, "*Timeout*", "*pay*", parts}};
  const FingerprintRules payments(rules);
  const std::string plain = first_key("TimeoutError", "to pay", kNode);
  EXPECT_EQ(first_key("TimeoutError", "to pay", kNode, payments),
            key_of({"e1c", "payments", plain}));
  EXPECT_EQ(first_key("TimeoutError", "to say", kNode, payments),
            first_key("TimeoutError", "to say", kNode));
  EXPECT_EQ(fingerprints({"app", "TimeoutError", "to pay", kNode}, payments).keys().size(), 1U);
  EXPECT_EQ(first_key(" TimeoutError ", "to pay", "", payments).substr(0, 4), "e1c_");
  // A rule may say that errors have their own keys.
  const std::string_view own[] = {"{{ default }}"};
  const FingerprintRule none[] = {{RuleAction::kKey, {}, {}, "T*", {}, own}};
  EXPECT_EQ(fingerprints({"app", "TimeoutError", "m", kNode}, FingerprintRules(none)).keys().size(),
            3U);
}

TEST(FingerprintRules, PatternsStandForText) {
  EXPECT_TRUE(matches("", ""));
  EXPECT_TRUE(matches("*", ""));
  EXPECT_TRUE(matches("*", "abc"));
  EXPECT_TRUE(matches("a*c", "abbc"));
  EXPECT_TRUE(matches("a?c", "abc"));
  EXPECT_TRUE(matches("*/vendor/*", "C:\\app\\vendor\\x.js"));
  EXPECT_TRUE(matches("*a*b*", "xaxbx"));
  EXPECT_FALSE(matches("a*c", "abcd"));
  EXPECT_FALSE(matches("?", ""));
  EXPECT_FALSE(matches("abc", "ab"));
  EXPECT_FALSE(matches("\\", "/"));
  const std::string stars = repeat("*a", 200) + "b";
  EXPECT_FALSE(matches(stars, repeat("a", 20000)));
}

TEST(FingerprintRules, AnUnknownActionIsRefused) {
  EXPECT_EQ(rule_action("app"), RuleAction::kApp);
  EXPECT_THROW(rule_action("App"), Error);
}

TEST(CustomFingerprint, KeysStayAsTheyAre) {
  EXPECT_EQ(custom({"payments", "card_declined"}), "e1c_03324c8fc9c80c52b8f42841a226771e");
}

}  // namespace
}  // namespace vigil
