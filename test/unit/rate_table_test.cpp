#include "core/rate_table.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <random>
#include <vector>

namespace vigil {
namespace {

const RateLimit kLimit = RateLimit::make(10, 1000, 5);

struct Table {
  explicit Table(std::size_t buckets)
      : memory(RateTable::size_of(buckets) / sizeof(std::max_align_t) + 1),
        table(*RateTable::create(memory.data(), buckets)) {}

  int in_use(std::int64_t now) const {
    int count = 0;
    for (std::size_t set = 0; set < table.sets(); ++set) count += table.in_use(set, now);
    return count;
  }

  std::vector<std::max_align_t> memory;
  RateTable& table;
};

TEST(RateTable, HasRoomForWhatWasAsked) {
  for (const std::size_t buckets : {0U, 1U, 511U, 512U, 513U, 65536U}) {
    const Table it(buckets);
    EXPECT_GE(it.table.capacity(), buckets);
    EXPECT_LE(it.table.capacity(), buckets + 512);
    EXPECT_EQ(it.in_use(0), 0);
  }
}

TEST(RateTable, AKeyKeepsItsBucket) {
  Table it(1024);
  for (const std::uint64_t key : {std::uint64_t{0}, std::uint64_t{7}, UINT64_MAX}) {
    FullAt* bucket = it.table.find(key, kLimit, 0);
    ASSERT_NE(bucket, nullptr);
    EXPECT_LE(*bucket, 0);
    *bucket = 100;
    EXPECT_EQ(it.table.find(key, kLimit, 99), bucket);
  }
  EXPECT_EQ(it.in_use(99), 3);
  EXPECT_EQ(it.in_use(100), 0);
  EXPECT_EQ(it.table.fill(7, 99), 1);
  EXPECT_EQ(it.table.fill(7, 99), 0);
  EXPECT_EQ(it.table.fill(8, 99), 0);
  EXPECT_EQ(it.in_use(99), 2);
}

TEST(RateTable, PartsShareNothing) {
  const Table it(4096);
  for (const std::uint64_t key : {std::uint64_t{1}, std::uint64_t{12345}, UINT64_MAX - 63})
    EXPECT_EQ(RateTable::part_of(key), RateTable::part_of_set(key % it.table.sets()));
}

TEST(RateTable, EachLimitOfAKeyHasItsBucket) {
  Table it(512);
  const RateLimit other = RateLimit::make(10, 1000, 6);
  *it.table.find(1, kLimit, 0) = 50;
  FullAt* bucket = it.table.find(1, other, 0);
  ASSERT_NE(bucket, nullptr);
  EXPECT_EQ(*bucket, kFull);
  *bucket = 60;
  EXPECT_EQ(*it.table.find(1, kLimit, 0), 50);
  EXPECT_EQ(it.table.fill(1, 55), 1) << "one of the two was full already";
  EXPECT_EQ(it.in_use(0), 0);
}

TEST(RateTable, OnlyFullBucketsMakeRoom) {
  Table it(512);  // a set for each part
  for (std::uint64_t i = 0; i < 8; ++i) {
    FullAt* bucket = it.table.find(i * RateTable::kParts, kLimit, 0);
    ASSERT_NE(bucket, nullptr);
    *bucket = static_cast<FullAt>(10 + i);
  }
  constexpr std::uint64_t next = 8 * RateTable::kParts;
  EXPECT_EQ(it.table.find(next, kLimit, 9), nullptr);
  EXPECT_NE(it.table.find(1, kLimit, 9), nullptr) << "another part has room";
  FullAt* bucket = it.table.find(next, kLimit, 10);
  ASSERT_NE(bucket, nullptr);
  EXPECT_EQ(*bucket, kFull);
  *bucket = 50;
  EXPECT_EQ(it.table.find(0, kLimit, 10), nullptr) << "the evicted key finds no room";
  EXPECT_EQ(*it.table.find(7 * RateTable::kParts, kLimit, 10), 17);
}

// A small table gives what one bucket for each key would, or says that it has no room.
TEST(RateTable, EqualsAnUnboundedTable) {
  Table it(512);
  std::map<std::uint64_t, FullAt> all;
  std::mt19937_64 random(64);
  std::vector<std::uint64_t> keys(2000);
  for (auto& key : keys) key = random();
  std::int64_t now = 0;
  int full = 0;
  for (int i = 0; i < 200'000; ++i) {
    now += static_cast<std::int64_t>(random() % 2);
    const std::uint64_t key = keys[random() % keys.size()];
    FullAt* bucket = it.table.find(key, kLimit, now);
    if (bucket == nullptr) {
      ++full;
      continue;
    }
    FullAt& expected = all.emplace(key, kFull).first->second;
    const Taken one = take(kLimit, *bucket, now, 2);
    const Taken other = take(kLimit, expected, now, 2);
    ASSERT_EQ(one.allowed, other.allowed);
    ASSERT_EQ(one.remaining, other.remaining);
    ASSERT_EQ(one.wait, other.wait);
  }
  EXPECT_GT(full, 0);
}

}  // namespace
}  // namespace vigil
