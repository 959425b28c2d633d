#include "core/exempt_keys.hpp"

#include <gtest/gtest.h>

namespace vigil {
namespace {

ExemptKeys parsed(std::string_view text) {
  std::string reason;
  auto list = ExemptKeys::parse(text, reason);
  EXPECT_TRUE(list) << text << ": " << reason;
  return *list;
}

TEST(ExemptKeys, KeysPrefixesAndBlocks) {  // S2-62: whitelist
  const ExemptKeys list = parsed(" admin , GET /health,internal:*,10.0.0.0/8, ::1 ,192.0.2.7,");
  for (const auto* key :
       {"admin", "GET /health", "internal:", "internal:x", "10.1.2.3", "::1", "192.0.2.7"})
    EXPECT_TRUE(list.contains(key)) << key;
  for (const auto* key : {"", "Admin", "admin2", "GET /healthy", "internal", "11.0.0.1", "::2",
                          "192.0.2.8", "user:10.1.2.3", "10.1.2.3 ", "10.0.0.0/8"})
    EXPECT_FALSE(list.contains(key)) << key;
}

TEST(ExemptKeys, NothingAndEverything) {
  for (const auto* text : {"", " ", ",", " , ,"}) {
    EXPECT_FALSE(parsed(text).contains("")) << text;
    EXPECT_FALSE(parsed(text).contains("10.1.2.3")) << text;
  }
  EXPECT_TRUE(parsed("*").contains(""));
  EXPECT_TRUE(parsed("*").contains("anything"));
}

TEST(ExemptKeys, APathIsNoBlock) {
  EXPECT_TRUE(parsed("api/v1").contains("api/v1"));
  EXPECT_TRUE(parsed("/8").contains("/8"));
}

TEST(ExemptKeys, RefusesBlocksThatAreNone) {
  for (const auto* text : {"10.0.0.0/33", "ok,10.0.0.0/", "::1/129", "10.0.0.0/8/8"}) {
    std::string reason;
    EXPECT_FALSE(ExemptKeys::parse(text, reason)) << text;
    EXPECT_NE(reason.find('/'), reason.npos) << reason;
  }
}

}  // namespace
}  // namespace vigil
