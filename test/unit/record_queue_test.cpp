#include "core/record_queue.hpp"

#include <gtest/gtest.h>

#include <deque>
#include <random>
#include <string>

namespace vigil {
namespace {

struct Memory {
  explicit Memory(std::size_t lanes, std::size_t capacity)
      : words((RecordQueue::size_of(lanes, capacity) + sizeof(std::max_align_t) - 1) /
              sizeof(std::max_align_t)),
        queue(*RecordQueue::create(words.data(), lanes, capacity)) {}
  std::vector<std::max_align_t> words;
  RecordQueue& queue;
};

std::string text_of(const RecordQueue::Record& record) {
  return {record.bytes.begin(), record.bytes.end()};
}

// Reads all, in order, and gives the room back.
std::vector<std::string> drain(RecordQueue& queue, RecordQueue::Lane& lane) {
  std::vector<std::string> texts;
  auto cursor = queue.start(lane);
  for (RecordQueue::Record record; queue.next(cursor, record);) texts.push_back(text_of(record));
  queue.release(lane, cursor);
  return texts;
}

TEST(RecordQueue, GivesRecordsInOrder) {
  Memory memory(2, 64 * 1024);
  RecordQueue& queue = memory.queue;
  EXPECT_EQ(queue.find(7), nullptr);
  queue.open(queue.lane(1), 7);
  RecordQueue::Lane* lane = queue.find(7);
  ASSERT_EQ(lane, &queue.lane(1));
  EXPECT_TRUE(queue.append(*lane, 1, {"one"}));
  EXPECT_TRUE(queue.append(*lane, 2, {""}));
  EXPECT_TRUE(queue.append(*lane, 3, {"th", "", "ree"}));
  EXPECT_EQ(lane->records, 3u);
  EXPECT_EQ(lane->bytes, 8u);
  auto cursor = queue.start(*lane);
  RecordQueue::Record record;
  ASSERT_TRUE(queue.next(cursor, record));
  EXPECT_EQ(record.kind, 1u);
  EXPECT_EQ(text_of(record), "one");
  queue.release(*lane, cursor);
  EXPECT_EQ(drain(queue, *lane), (std::vector<std::string>{"", "three"}));
  EXPECT_EQ(lane->records, 0u);
  EXPECT_EQ(lane->bytes, 0u);
  EXPECT_EQ(lane->appended, 3u);
}

TEST(RecordQueue, RecordsSpanBlocks) {
  Memory memory(1, 64 * 1024);
  RecordQueue& queue = memory.queue;
  queue.open(queue.lane(0), 1);
  const std::string large(20'000, 'x');
  EXPECT_TRUE(queue.append(queue.lane(0), 1, {"small"}));
  EXPECT_TRUE(queue.append(queue.lane(0), 1, {large}));
  EXPECT_TRUE(queue.append(queue.lane(0), 1, {"small"}));
  EXPECT_EQ(drain(queue, queue.lane(0)), (std::vector<std::string>{"small", large, "small"}));
}

TEST(RecordQueue, CountsWhatFindsNoRoom) {
  Memory memory(1, 8 * 1024);
  RecordQueue& queue = memory.queue;
  RecordQueue::Lane& lane = queue.lane(0);
  queue.open(lane, 1);
  EXPECT_FALSE(queue.append(lane, 1, {std::string(9'000, 'x')}));
  EXPECT_EQ(lane.dropped, 1u);
  const std::string record(100, 'y');
  std::size_t taken = 0;
  while (queue.append(lane, 1, {record})) ++taken;
  EXPECT_GE(taken * (record.size() + 8), 8 * 1024 - 4 * 8 - record.size() - 8);
  EXPECT_EQ(lane.dropped, 2u);
  EXPECT_EQ(drain(queue, lane).size(), taken);
  for (std::size_t i = 0; i < taken; ++i) EXPECT_TRUE(queue.append(lane, 1, {record}));
}

TEST(RecordQueue, WhatIsNotReleasedIsReadAgain) {
  Memory memory(1, 64 * 1024);
  RecordQueue& queue = memory.queue;
  RecordQueue::Lane& lane = queue.lane(0);
  queue.open(lane, 1);
  queue.append(lane, 1, {"a"});
  queue.append(lane, 1, {"b"});
  auto lost = queue.start(lane);
  RecordQueue::Record record;
  while (queue.next(lost, record)) {
  }
  queue.append(lane, 1, {"c"});
  EXPECT_FALSE(queue.next(lost, record));
  EXPECT_EQ(drain(queue, lane), (std::vector<std::string>{"a", "b", "c"}));
}

TEST(RecordQueue, ACursorOutlivesItsLane) {
  Memory memory(1, 64 * 1024);
  RecordQueue& queue = memory.queue;
  RecordQueue::Lane& lane = queue.lane(0);
  queue.open(lane, 1);
  queue.append(lane, 1, {"old"});
  auto cursor = queue.start(lane);
  RecordQueue::Record record;
  ASSERT_TRUE(queue.next(cursor, record));
  queue.close(lane);
  EXPECT_EQ(queue.find(1), nullptr);
  queue.release(lane, cursor);
  queue.open(lane, 1);
  queue.append(lane, 1, {"new"});
  queue.release(lane, cursor);
  EXPECT_EQ(drain(queue, lane), (std::vector<std::string>{"new"}));
}

TEST(RecordQueue, ClosingGivesRoomToOthers) {
  Memory memory(2, 16 * 1024);
  RecordQueue& queue = memory.queue;
  queue.open(queue.lane(0), 1);
  queue.open(queue.lane(1), 2);
  while (queue.append(queue.lane(0), 1, {std::string(500, 'x')})) {
  }
  EXPECT_FALSE(queue.append(queue.lane(1), 1, {"y"}));
  queue.close(queue.lane(0));
  EXPECT_TRUE(queue.append(queue.lane(1), 1, {std::string(14'000, 'y')}));
}

// Against a deque for each lane, with random sizes, partial reads and lanes that come and go.
TEST(RecordQueue, BehavesLikeAModel) {
  std::mt19937 random(4711);
  for (int round = 0; round < 20; ++round) {
    constexpr std::size_t kLanes = 3;
    Memory memory(kLanes, 32 * 1024);
    RecordQueue& queue = memory.queue;
    std::deque<std::string> models[kLanes];
    for (std::size_t i = 0; i < kLanes; ++i)
      queue.open(queue.lane(i), static_cast<RecordQueue::Owner>(i + 1));
    for (int step = 0; step < 5000; ++step) {
      const std::size_t at = random() % kLanes;
      RecordQueue::Lane& lane = queue.lane(at);
      std::deque<std::string>& model = models[at];
      const auto action = random() % 100;
      if (action < 60) {
        std::string text(random() % (random() % 10 == 0 ? 5000 : 200),
                         static_cast<char>('a' + random() % 26));
        if (queue.append(lane, 1, {text})) model.push_back(text);
      } else if (action < 99) {
        auto cursor = queue.start(lane);
        RecordQueue::Record record;
        const std::size_t wanted = random() % 20;
        std::size_t count = 0;
        while (count < wanted && queue.next(cursor, record))
          ASSERT_EQ(text_of(record), model[count++]);
        if (count < wanted) {
          ASSERT_EQ(count, model.size());
        }
        if (random() % 4 != 0) {
          queue.release(lane, cursor);
          model.erase(model.begin(), model.begin() + static_cast<std::ptrdiff_t>(count));
        }
      } else {
        queue.close(lane);
        queue.open(lane, static_cast<RecordQueue::Owner>(at + 1));
        model.clear();
      }
      ASSERT_EQ(lane.records, model.size());
    }
    // All room comes back.
    for (std::size_t i = 0; i < kLanes; ++i) drain(queue, queue.lane(i));
    EXPECT_TRUE(queue.append(queue.lane(0), 1, {std::string(31 * 1024, 'x')}));
  }
}

}  // namespace
}  // namespace vigil
