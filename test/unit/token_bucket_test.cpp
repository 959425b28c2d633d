#include "core/token_bucket.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <random>

#include "core/error.hpp"

namespace vigil {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::int64_t kLeast = std::numeric_limits<std::int64_t>::min();
constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();

TEST(TokenBucket, AHundredAMinuteWithABurstOfTen) {  // S2-62
  const RateLimit limit = RateLimit::make(100, 60 * kSecond, 10);
  EXPECT_EQ(limit.token, kSecond * 6 / 10);
  FullAt bucket = kFull;
  for (int i = 1; i <= 10; ++i) {
    const Taken taken = take(limit, bucket, 0, 1);
    EXPECT_TRUE(taken.allowed);
    EXPECT_EQ(taken.remaining, 10 - i);
    EXPECT_EQ(taken.full_in, i * limit.token);
    EXPECT_EQ(taken.wait, 0);
  }
  Taken taken = take(limit, bucket, 0, 1);
  EXPECT_FALSE(taken.allowed);
  EXPECT_EQ(taken.remaining, 0);
  EXPECT_EQ(taken.wait, limit.token);
  EXPECT_FALSE(take(limit, bucket, limit.token - 1, 1).allowed);
  EXPECT_TRUE(take(limit, bucket, limit.token, 1).allowed);
  EXPECT_FALSE(take(limit, bucket, limit.token, 1).allowed);
  taken = take(limit, bucket, 60 * kSecond, 0);
  EXPECT_TRUE(taken.allowed);
  EXPECT_EQ(taken.remaining, 10) << "a bucket holds no more than its burst";
  EXPECT_EQ(taken.full_in, 0);
}

TEST(TokenBucket, CostsAreTakenWholeOrNotAtAll) {  // D-130
  const RateLimit limit = RateLimit::make(1000, 60 * kSecond, 1000);
  FullAt bucket = kFull;
  EXPECT_TRUE(take(limit, bucket, 0, 999).allowed);
  const FullAt before = bucket;
  const Taken refused = take(limit, bucket, 0, 2);
  EXPECT_FALSE(refused.allowed);
  EXPECT_EQ(refused.remaining, 1);
  EXPECT_EQ(refused.wait, limit.token);
  EXPECT_EQ(bucket, before);
  EXPECT_TRUE(take(limit, bucket, 0, 1).allowed);
  EXPECT_EQ(take(limit, bucket, 0, 1001).wait, Taken::kNever);
}

TEST(TokenBucket, NothingAsked) {
  const RateLimit limit = RateLimit::make(1, kSecond, 1);
  FullAt bucket = kFull;
  for (const std::int64_t cost : {std::int64_t{0}, std::int64_t{-1}, kLeast}) {
    EXPECT_TRUE(take(limit, bucket, 0, cost).allowed);
    EXPECT_EQ(bucket, kFull);
  }
}

TEST(TokenBucket, ZeroRatesGiveNothing) {
  FullAt bucket = kFull;
  for (const RateLimit& limit :
       {RateLimit::make(0, kSecond, 5), RateLimit::make(5, kSecond, 0), RateLimit{}}) {
    for (const std::int64_t now : {kLeast, std::int64_t{0}, kMost}) {
      const Taken taken = take(limit, bucket, now, 1);
      EXPECT_FALSE(taken.allowed);
      EXPECT_EQ(taken.remaining, 0);
      EXPECT_EQ(taken.wait, Taken::kNever);
      EXPECT_TRUE(take(limit, bucket, now, 0).allowed);
    }
  }
  EXPECT_EQ(bucket, kFull);
}

TEST(TokenBucket, RefusesWhatIsNoLimit) {
  EXPECT_THROW(RateLimit::make(-1, 1, 1), Error);
  EXPECT_THROW(RateLimit::make(1, 0, 1), Error);
  EXPECT_THROW(RateLimit::make(1, -1, 1), Error);
  EXPECT_THROW(RateLimit::make(1, 1, -1), Error);
  EXPECT_THROW(RateLimit::make(1, kSecond, kMost), Error);
  EXPECT_THROW(RateLimit::make(1, kMost, 1), Error);
  EXPECT_NO_THROW(RateLimit::make(1, RateLimit::kLongest, 1));
  EXPECT_NO_THROW(RateLimit::make(kMost, 1, RateLimit::kLongest));
}

TEST(TokenBucket, EndsOfTime) {
  const RateLimit limit = RateLimit::make(1, RateLimit::kLongest, 1);
  FullAt bucket = kFull;
  EXPECT_TRUE(take(limit, bucket, kLeast, 1).allowed);
  EXPECT_FALSE(take(limit, bucket, kLeast, 1).allowed);
  EXPECT_TRUE(take(limit, bucket, kMost, 1).allowed);
  EXPECT_EQ(bucket, kMost);
  const Taken back = take(limit, bucket, kLeast, 1);
  EXPECT_FALSE(back.allowed);
  EXPECT_EQ(back.remaining, 0);
  EXPECT_GT(back.wait, 0);
}

TEST(TokenBucket, AClockThatGoesBackGivesNothing) {
  const RateLimit limit = RateLimit::make(10, kSecond, 3);
  FullAt bucket = kFull;
  while (take(limit, bucket, 3600 * kSecond, 1).allowed) {
  }
  for (std::int64_t now = 0; now <= 3600 * kSecond; now += 60 * kSecond) {
    const Taken taken = take(limit, bucket, now, 1);
    EXPECT_FALSE(taken.allowed);
    EXPECT_EQ(taken.remaining, 0);
    EXPECT_EQ(now + taken.wait, 3600 * kSecond + limit.token);
  }
  EXPECT_TRUE(take(limit, bucket, 3600 * kSecond + limit.token, 1).allowed);
}

// Whatever is asked, at whatever times: never more than rate * time + burst, and what is refused
// would be allowed after the wait, not a nanosecond before.
TEST(TokenBucket, NeverMoreThanItsRateAndBurst) {
  std::mt19937_64 random(62);
  const auto below = [&](std::int64_t end) {
    return static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(end));
  };
  for (int round = 0; round < 300; ++round) {
    const std::int64_t rate = 1 + below(round % 2 ? 10 : 2'000'000);
    const std::int64_t window = 1 + below(100 * kSecond);
    const std::int64_t burst = 1 + below(50);
    const RateLimit limit = RateLimit::make(rate, window, burst);
    FullAt bucket = kFull;
    std::int64_t now = below(kMost / 4);
    const std::int64_t start = now;
    std::int64_t latest = now;
    std::int64_t given = 0;
    for (int step = 0; step < 1000; ++step) {
      now = std::max(start, now + below(3 * limit.token + 2) - below(limit.token + 1));
      latest = std::max(latest, now);
      const std::int64_t cost = 1 + below(burst);
      const FullAt before = bucket;
      const Taken taken = take(limit, bucket, now, cost);
      ASSERT_GE(taken.remaining, 0);
      ASSERT_LE(taken.remaining, burst);
      if (taken.allowed) {
        given += cost;
      } else {
        ASSERT_EQ(bucket, before);
        FullAt copy = bucket;
        ASSERT_FALSE(take(limit, copy, now + taken.wait - 1, cost).allowed);
        ASSERT_TRUE(take(limit, copy, now + taken.wait, cost).allowed);
      }
      const auto most =
          static_cast<__int128>(burst) * window + static_cast<__int128>(rate) * (latest - start);
      ASSERT_LE(static_cast<__int128>(given) * window, most);
    }
  }
}

TEST(TokenBucket, GivesAllOfItsRate) {
  const RateLimit limit = RateLimit::make(7, 60 * kSecond, 1);
  FullAt bucket = kFull;
  std::int64_t given = 0;
  std::int64_t now = 0;
  while (now < 3600 * kSecond) {
    const Taken taken = take(limit, bucket, now, 1);
    given += taken.allowed;
    now += taken.allowed ? limit.token : taken.wait;
  }
  EXPECT_EQ(given, 7 * 60);
}

}  // namespace
}  // namespace vigil
