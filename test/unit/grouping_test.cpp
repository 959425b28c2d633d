#include "core/grouping.hpp"

#include <gtest/gtest.h>

#include <array>

namespace vigil {
namespace {

using enum KeyRole;

class GroupingTest : public testing::Test {
 protected:
  std::uint32_t place(std::initializer_list<GroupKey> keys, std::uint32_t fresh) {
    return grouping_.place({keys.begin(), keys.size()}, fresh);
  }
  Grouping grouping_{8, std::pmr::get_default_resource()};
};

TEST_F(GroupingTest, AnUnknownErrorMakesAGroupOfAllItsKeys) {
  EXPECT_EQ(place({{0, kBoth}, {1, kBoth}, {2, kAttached}}, 10), 10U);
  EXPECT_EQ(grouping_.group_of(0), 10U);
  EXPECT_EQ(grouping_.group_of(1), 10U);
  EXPECT_EQ(grouping_.group_of(2), 10U);
  EXPECT_EQ(grouping_.group_of(3), Grouping::kNone);
}

TEST_F(GroupingTest, TheFirstKnownKeyWinsAndTheOthersAreAttached) {
  grouping_.know(1, 4);
  grouping_.know(2, 5);
  EXPECT_EQ(place({{0, kBoth}, {1, kBoth}, {2, kBoth}, {3, kAttached}}, 10), 4U);
  EXPECT_EQ(grouping_.group_of(0), 4U);
  EXPECT_EQ(grouping_.group_of(2), 5U) << "a key that belongs to a group stays there";
  EXPECT_EQ(grouping_.group_of(3), 4U);
}

TEST_F(GroupingTest, AKeyThatIsOnlyAttachedFindsNoGroup) {
  grouping_.know(1, 4);
  EXPECT_EQ(place({{0, kBoth}, {1, kAttached}}, 10), 10U);
  EXPECT_EQ(grouping_.group_of(1), 4U);
}

TEST_F(GroupingTest, AMessageFindsTheGroupOfAnErrorWithFrames) {
  EXPECT_EQ(place({{0, kBoth}, {1, kBoth}, {2, kAttached}}, 10), 10U);
  EXPECT_EQ(place({{2, kBoth}}, 11), 10U);
}

TEST_F(GroupingTest, AKeyOfAnOldSchemeFindsAGroupAndIsNotAttached) {
  grouping_.know(5, 7);
  EXPECT_EQ(place({{0, kBoth}, {1, kAttached}, {5, kLookup}}, 10), 7U);
  EXPECT_EQ(grouping_.group_of(0), 7U);
  EXPECT_EQ(grouping_.group_of(1), 7U);
  EXPECT_EQ(place({{3, kBoth}, {6, kLookup}}, 11), 11U);
  EXPECT_EQ(grouping_.group_of(6), Grouping::kNone);
}

TEST_F(GroupingTest, ErrorsOfOneBatchShareWhatTheFirstOfThemMade) {
  EXPECT_EQ(place({{0, kBoth}, {1, kBoth}}, 10), 10U);
  EXPECT_EQ(place({{2, kBoth}, {1, kBoth}}, 11), 10U);
  EXPECT_EQ(place({{3, kBoth}}, 12), 12U);
}

TEST_F(GroupingTest, WhoeverMadeAGroupTheSecondTimeMadeItTheFirstTime) {
  // Another session was faster with key 1: what is placed again makes no group that was not made
  // before.
  EXPECT_EQ(place({{0, kBoth}, {1, kBoth}, {4, kBoth}}, 10), 10U);
  EXPECT_EQ(place({{3, kBoth}, {4, kBoth}}, 11), 10U);
  Grouping again{8, std::pmr::get_default_resource()};
  again.know(1, 2);
  const std::array<GroupKey, 3> first{{{0, kBoth}, {1, kBoth}, {4, kBoth}}};
  const std::array<GroupKey, 2> second{{{3, kBoth}, {4, kBoth}}};
  EXPECT_EQ(again.place(first, 10), 2U);
  EXPECT_EQ(again.place(second, 11), 2U);
}

}  // namespace
}  // namespace vigil
