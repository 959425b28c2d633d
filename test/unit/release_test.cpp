#include "core/release.hpp"

#include <gtest/gtest.h>

#include <string>

namespace vigil {
namespace {

constexpr auto kUnordered = std::partial_ordering::unordered;

// Each of a list comes before all that follow it.
TEST(ReleaseTest, VersionsAreOrdered) {
  const char* const ordered[] = {"0.9",
                                 "1.0.0-0.3.7",
                                 "1.0.0-1",
                                 "1.0.0-2",
                                 "1.0.0-11",
                                 "1.0.0-alpha",
                                 "1.0.0-alpha.1",
                                 "1.0.0-alpha.b",
                                 "1.0.0-beta",
                                 "1.0.0-beta.2",
                                 "1.0.0-beta.11",
                                 "1.0.0-rc.1",
                                 "1.0.0",
                                 "1.0.1",
                                 "1.2",
                                 "1.10",
                                 "2.0.0",
                                 "2024.01.15",
                                 "2024.2.1",
                                 "18446744073709551616.0",
                                 "18446744073709551617.0"};
  for (std::size_t i = 0; i < std::size(ordered); ++i)
    for (std::size_t j = 0; j < std::size(ordered); ++j)
      EXPECT_TRUE(compare_releases(ordered[i], ordered[j]) == (i <=> j))
          << ordered[i] << " " << ordered[j];
}

TEST(ReleaseTest, EqualVersionsAreWrittenInManyWays) {
  const char* const equal[] = {"1.2",    "1.2.0",   "v1.2",         "V1.2.0.0",
                               "01.002", "1.2+abc", "1.2.0+build.7"};
  for (const char* left : equal)
    for (const char* right : equal)
      EXPECT_TRUE(compare_releases(left, right) == 0) << left << right;
}

TEST(ReleaseTest, BuildsCountWhenTheyAreNumbers) {
  EXPECT_TRUE(compare_releases("app@1.2.3+99", "app@1.2.3+100") < 0);
  EXPECT_TRUE(compare_releases("app@1.2.3+100", "app@1.2.4+1") < 0);
  EXPECT_TRUE(compare_releases("app@1.2.3+a", "app@1.2.3+100") == 0);
}

TEST(ReleaseTest, PackagesAreNotCompared) {
  EXPECT_TRUE(compare_releases("shop@2.7.1", "shop@2.10.0") < 0);
  EXPECT_TRUE(compare_releases("@scope/shop@2.7.1", "@scope/shop@v2.7.1") == 0);
  EXPECT_TRUE(compare_releases("shop@2.7.1", "admin@2.7.1") == kUnordered);
  EXPECT_TRUE(compare_releases("shop@2.7.1", "2.7.1") == kUnordered);
}

TEST(ReleaseTest, WhatIsNoVersionHasNoOrder) {
  for (const char* text : {"", "v", "4f2a91c", "1234567", "142", "1.", ".1", "1..2", "1.x", "main",
                           "shop@", "1.2 ", "1,2", "-1.2", "+1.2", "1.2@"}) {
    EXPECT_TRUE(compare_releases(text, "1.2") == kUnordered) << text;
    EXPECT_TRUE(compare_releases("1.2", text) == kUnordered) << text;
    EXPECT_TRUE(compare_releases(text, text) == kUnordered) << text;
  }
}

TEST(ReleaseTest, TheSizeOfTheTextIsNoProblem) {
  const std::string dots = std::string(100000, '1') + ".0";
  EXPECT_TRUE(compare_releases(dots, dots) == 0);
  EXPECT_TRUE(compare_releases(dots + "-" + std::string(100000, '.'), dots) < 0);
}

}  // namespace
}  // namespace vigil
