#include "core/rate_table.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <random>
#include <vector>

namespace vigil {
namespace {

struct Table {
  explicit Table(std::size_t keys)
      : memory(RateTable::size_of(keys) / sizeof(std::max_align_t) + 1),
        table(*RateTable::create(memory.data(), keys)) {}

  std::size_t in_use(std::int64_t now) const {
    std::size_t count = 0;
    for (std::size_t part = 0; part < RateTable::kParts; ++part) count += table.in_use(part, now);
    return count;
  }

  std::vector<std::max_align_t> memory;
  RateTable& table;
};

TEST(RateTable, HasRoomForWhatWasAsked) {
  for (const std::size_t keys : {0U, 1U, 511U, 512U, 513U, 65536U}) {
    const Table it(keys);
    EXPECT_GE(it.table.capacity(), keys);
    EXPECT_LE(it.table.capacity(), keys + 512);
    EXPECT_EQ(it.in_use(0), 0U);
  }
}

TEST(RateTable, AKeyKeepsItsBucket) {
  Table it(1024);
  for (const std::uint64_t key : {std::uint64_t{0}, std::uint64_t{7}, UINT64_MAX}) {
    FullAt* bucket = it.table.find(key, 0);
    ASSERT_NE(bucket, nullptr);
    EXPECT_LE(*bucket, 0);
    *bucket = 100;
    EXPECT_EQ(it.table.find(key, 99), bucket);
  }
  EXPECT_EQ(it.in_use(99), 3U);
  EXPECT_EQ(it.in_use(100), 0U);
  EXPECT_TRUE(it.table.forget(7));
  EXPECT_FALSE(it.table.forget(7));
  EXPECT_FALSE(it.table.forget(8));
  EXPECT_EQ(it.in_use(99), 2U);
}

TEST(RateTable, OnlyFullBucketsMakeRoom) {
  Table it(512);  // a set for each part
  for (std::uint64_t i = 0; i < 8; ++i) {
    FullAt* bucket = it.table.find(i * RateTable::kParts, 0);
    ASSERT_NE(bucket, nullptr);
    *bucket = static_cast<FullAt>(10 + i);
  }
  constexpr std::uint64_t next = 8 * RateTable::kParts;
  EXPECT_EQ(it.table.find(next, 9), nullptr);
  EXPECT_NE(it.table.find(1, 9), nullptr) << "another part has room";
  FullAt* bucket = it.table.find(next, 10);
  ASSERT_NE(bucket, nullptr);
  EXPECT_EQ(*bucket, kFull);
  *bucket = 50;
  EXPECT_EQ(it.table.find(0, 10), nullptr) << "the evicted key finds no room";
  EXPECT_EQ(*it.table.find(7 * RateTable::kParts, 10), 17);
}

// A small table gives what one bucket for each key would, or says that it has no room.
TEST(RateTable, EqualsAnUnboundedTable) {
  Table it(512);
  std::map<std::uint64_t, FullAt> all;
  const RateLimit limit = RateLimit::make(10, 1000, 5);
  std::mt19937_64 random(64);
  std::vector<std::uint64_t> keys(2000);
  for (auto& key : keys) key = random();
  std::int64_t now = 0;
  int full = 0;
  for (int i = 0; i < 200'000; ++i) {
    now += static_cast<std::int64_t>(random() % 2);
    const std::uint64_t key = keys[random() % keys.size()];
    FullAt* bucket = it.table.find(key, now);
    if (bucket == nullptr) {
      ++full;
      continue;
    }
    FullAt& expected = all.emplace(key, kFull).first->second;
    const Taken one = take(limit, *bucket, now, 2);
    const Taken other = take(limit, expected, now, 2);
    ASSERT_EQ(one.allowed, other.allowed);
    ASSERT_EQ(one.remaining, other.remaining);
    ASSERT_EQ(one.wait, other.wait);
  }
  EXPECT_GT(full, 0);
}

}  // namespace
}  // namespace vigil
