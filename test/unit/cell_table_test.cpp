// Tables of cells: equal to one cell for each key, and folding of subjects.
#include "core/cell_table.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <map>
#include <random>
#include <string>
#include <tuple>

namespace vigil {
namespace {

std::pmr::memory_resource* heap() { return std::pmr::get_default_resource(); }

using Key = std::tuple<Uuid, std::optional<Uuid>, std::string, std::string, std::int64_t>;

Key key_of(const CellKey& key) {
  return {key.module, key.version, std::string(key.event_type), std::string(key.subject),
          key.bucket};
}

Bytes bytes_of(const Cell& cell) {
  Bytes bytes;
  cell.write(bytes);
  return bytes;
}

std::map<Key, Bytes> bytes_of(const CellTable& table) {
  std::map<Key, Bytes> result;
  table.for_each([&](const CellKey& key, std::span<const std::uint8_t> bytes) {
    EXPECT_TRUE(result.emplace(key_of(key), Bytes(bytes.begin(), bytes.end())).second);
  });
  return result;
}

Uuid uuid(unsigned number) {
  Uuid result;
  result.bytes[number % 16] = static_cast<std::uint8_t>(number);
  return result;
}

Observation fact(std::int64_t time, std::string_view name) {
  Observation seen{};
  seen.time = time;
  seen.name = name;
  seen.duration = static_cast<double>(time % 100);
  return seen;
}

std::uint64_t count_of(const CellTable& table, std::string_view subject) {
  std::uint64_t count = 0;
  table.for_each([&](const CellKey& key, std::span<const std::uint8_t> bytes) {
    if (key.subject == subject) count += Cell::read(bytes, heap()).count;
  });
  return count;
}

constexpr std::size_t kAll = 1000;

TEST(CellTable, HasOneCellForEachKey) {
  std::mt19937 random(1);
  for (const std::size_t batch : {1u, 7u, 100u, 100000u}) {
    CellTable table(heap(), batch);
    std::map<Key, Cell> expected;
    const std::string types[] = {"render", "a type whose name is longer than sixteen bytes", ""};
    for (int i = 0; i < 5000; ++i) {
      CellKey key{};
      key.module = uuid(static_cast<unsigned>(random() % 20));
      // A version of zeros is not the same as none.
      if (random() % 2) key.version = uuid(static_cast<unsigned>(random() % 3));
      key.event_type = types[random() % 3];
      const std::string subject = random() % 2 ? "" : "subject " + std::to_string(random() % 5);
      key.subject = subject;
      key.bucket = static_cast<std::int64_t>(random() % 5) - 2;
      const std::string name = "name " + std::to_string(random() % 30);
      auto seen = fact(i, name);
      if (random() % 2) seen.success = random() % 2 == 0;
      if (random() % 2) seen.duration.reset();
      if (random() % 2) seen.value = std::numeric_limits<double>::infinity();
      if (random() % 2) seen.memory = static_cast<std::int64_t>(random());
      if (random() % 2) seen.site = std::span<const std::uint8_t>(key.module.bytes);
      if (random() % 2) seen.session = name;
      if (random() % 2) seen.user = subject;
      // The same text in several breakdowns.
      if (random() % 2) seen.country = name;
      if (random() % 2) seen.device = subject;
      if (random() % 2) seen.browser = "";
      if (random() % 2) seen.weight = 1 + static_cast<double>(random() % 1000) / 7;
      table.add(key, seen);
      expected.try_emplace(key_of(key), heap()).first->second.add(seen);
    }
    table.finish(kAll, "", kAll);
    const auto got = bytes_of(table);
    ASSERT_EQ(got.size(), expected.size());
    for (const auto& [key, cell] : expected) EXPECT_EQ(got.at(key), bytes_of(cell));
  }
}

TEST(CellTable, IsEmptyAtFirst) {
  CellTable table(heap());
  table.finish(1, "", 1);
  EXPECT_EQ(table.size(), 0u);
}

TEST(CellTable, FoldsSubjectsOfOneBucket) {
  CellTable table(heap());
  const auto add = [&](std::string_view type, std::string_view subject, int times,
                       std::int64_t bucket = 0) {
    for (int i = 0; i < times; ++i) {
      table.add({uuid(1), std::nullopt, type, subject, bucket}, fact(i, subject));
    }
  };
  add("render", "often", 9);
  add("render", "b", 2);
  add("render", "a", 2);
  add("render", "c", 2);
  add("render", CellTable::kOther, 10);
  add("render", "elsewhere", 1, 1);
  for (const char* subject : {"e1", "e2", "e3"}) add("error", subject, 1);
  table.finish(2, "error", kAll);
  EXPECT_EQ(count_of(table, "often"), 9u);
  EXPECT_EQ(count_of(table, "a"), 2u);
  EXPECT_EQ(count_of(table, "b"), 0u);
  EXPECT_EQ(count_of(table, "elsewhere"), 1u);
  EXPECT_EQ(count_of(table, "e3"), 1u);
  EXPECT_EQ(count_of(table, CellTable::kOther), 14u);
}

TEST(CellTable, OrderDoesNotMatterToFolding) {
  std::mt19937 random(3);
  for (int round = 0; round < 50; ++round) {
    CellTable forth(heap(), 64);
    CellTable back(heap(), 17);
    std::vector<std::string> subjects;
    for (int i = 0; i < 300; ++i) subjects.push_back("s" + std::to_string(random() % 40));
    const auto add = [&](CellTable& table, const std::string& subject) {
      auto seen = fact(7, subject);
      seen.weight = 1 / 0.3;
      table.add({uuid(1), std::nullopt, "render", subject, 0}, seen);
    };
    for (auto at = subjects.begin(); at != subjects.end(); ++at) add(forth, *at);
    for (auto at = subjects.rbegin(); at != subjects.rend(); ++at) add(back, *at);
    forth.finish(10, "error", 20);
    back.finish(10, "error", 20);
    EXPECT_EQ(bytes_of(forth), bytes_of(back));
    EXPECT_EQ(forth.size(), 11u);
    forth.for_each([](const CellKey&, std::span<const std::uint8_t> bytes) {
      EXPECT_LE(Cell::read(bytes, heap()).breakdowns.size(), 21u);
    });
  }
}

}  // namespace
}  // namespace vigil
