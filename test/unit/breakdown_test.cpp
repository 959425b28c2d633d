// Breakdowns: counts by name against a map, names of all lengths, folding, and the stored bytes.
#include "core/breakdown.hpp"

#include <gtest/gtest.h>

#include <array>
#include <limits>
#include <map>
#include <random>
#include <string>
#include <vector>

namespace vigil {
namespace {

using Kind = Breakdowns::Kind;
using Counts = std::map<std::string, std::uint64_t>;

std::pmr::memory_resource* heap() { return std::pmr::get_default_resource(); }

Counts counts_of(const Breakdowns& breakdowns, Kind kind = Kind::kNames) {
  Counts counts;
  breakdowns.for_each(kind, [&](std::string_view name, std::uint64_t count) {
    EXPECT_TRUE(counts.empty() || name > counts.rbegin()->first);
    counts[std::string(name)] = count;
  });
  return counts;
}

Bytes bytes_of(const Breakdowns& breakdowns) {
  Bytes bytes;
  ByteWriter out(bytes);
  breakdowns.write(out);
  return bytes;
}

Breakdowns read(const Bytes& bytes) {
  Breakdowns breakdowns(heap());
  ByteReader in(bytes, "test");
  breakdowns.read(in);
  in.finish();
  return breakdowns;
}

TEST(Breakdowns, NamesOfAllLengthsAreApart) {
  std::mt19937 random(1);
  Breakdowns breakdowns(heap());
  std::array<Counts, 4> expected;
  for (int i = 0; i < 20000; ++i) {
    std::string name(random() % 40, 'a');
    // Few letters, so that names share beginnings and ends; zeros as hostile bytes may hold them.
    for (char& letter : name) letter = "ab\0"[random() % 3];
    const Kind kind = Breakdowns::kKinds[random() % 4];
    const std::uint64_t times = 1 + random() % 3;
    breakdowns.add(kind, name, times);
    expected[static_cast<std::size_t>(kind)][name] += times;
  }
  for (const Kind kind : Breakdowns::kKinds) {
    EXPECT_EQ(counts_of(breakdowns, kind), expected[static_cast<std::size_t>(kind)]);
  }
  EXPECT_EQ(bytes_of(read(bytes_of(breakdowns))), bytes_of(breakdowns));
}

TEST(Breakdowns, OrderDoesNotMatter) {
  std::mt19937 random(2);
  for (int round = 0; round < 200; ++round) {
    std::vector<Breakdowns> parts;
    for (int i = 0; i < 5; ++i) parts.emplace_back(heap());
    Breakdowns whole(heap());
    for (unsigned i = 0; i < 1 + random() % 200; ++i) {
      const std::string name = "a name of any length " + std::to_string(random() % 50);
      const Kind kind = Breakdowns::kKinds[random() % 4];
      const std::string_view part = std::string_view(name).substr(random() % 22);
      parts[random() % 5].add(kind, part);
      whole.add(kind, part);
    }
    std::shuffle(parts.begin(), parts.end(), random);
    Breakdowns merged(heap());
    for (const Breakdowns& part : parts) merged.merge(part);
    EXPECT_EQ(bytes_of(merged), bytes_of(whole));
  }
}

TEST(Breakdowns, CountsDoNotWrap) {
  Breakdowns breakdowns(heap());
  breakdowns.add(Kind::kNames, "x", std::numeric_limits<std::uint64_t>::max());
  const Bytes before = bytes_of(breakdowns);
  try {
    breakdowns.add(Kind::kNames, "x");
    FAIL() << "added";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kNumericOutOfRange);
  }
  EXPECT_EQ(bytes_of(breakdowns), before);
}

TEST(Breakdowns, FoldKeepsTheMostFrequent) {
  Breakdowns breakdowns(heap());
  for (int i = 0; i < 10; ++i) {
    breakdowns.add(Kind::kNames, "n" + std::to_string(i), i < 5 ? 1 : 10);
  }
  breakdowns.add(Kind::kDevices, "mobile");
  breakdowns.fold(7);
  EXPECT_EQ(counts_of(breakdowns), (Counts{{"(other)", 3},
                                           {"n0", 1},
                                           {"n1", 1},
                                           {"n5", 10},
                                           {"n6", 10},
                                           {"n7", 10},
                                           {"n8", 10},
                                           {"n9", 10}}));
  EXPECT_EQ(counts_of(breakdowns, Kind::kDevices), (Counts{{"mobile", 1}}));
  Breakdowns twice(heap());
  twice.merge(breakdowns);
  twice.fold(7);
  EXPECT_EQ(bytes_of(twice), bytes_of(breakdowns));
}

TEST(Breakdowns, FoldCountsTheOthersOnce) {
  Breakdowns breakdowns(heap());
  breakdowns.add(Kind::kNames, "(other)", 100);
  for (const char* name : {"a", "b", "c"}) breakdowns.add(Kind::kNames, name);
  breakdowns.fold(3);
  EXPECT_EQ(counts_of(breakdowns).size(), 4u);
  breakdowns.fold(1);
  EXPECT_EQ(counts_of(breakdowns), (Counts{{"(other)", 102}, {"a", 1}}));
}

TEST(Breakdowns, FoldBelowTheLimitChangesNothing) {
  Breakdowns breakdowns(heap());
  breakdowns.fold(0);
  EXPECT_TRUE(counts_of(breakdowns).empty());
  breakdowns.add(Kind::kNames, "", 2);
  breakdowns.fold(1);
  EXPECT_EQ(counts_of(breakdowns), (Counts{{"", 2}}));
}

}  // namespace
}  // namespace vigil
