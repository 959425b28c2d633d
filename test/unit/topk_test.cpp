// Heavy hitters against exact counts, against a plain Space-Saving, and their bytes.
#include "core/topk.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "core/murmur3.hpp"

namespace vigil {
namespace {

using Counts = std::map<std::string, std::uint64_t, std::less<>>;
using Texts = std::vector<std::string>;

std::pmr::memory_resource* heap() { return std::pmr::get_default_resource(); }

TopK of(const Texts& texts, std::uint32_t limit) {
  TopK summary(heap(), limit);
  for (const std::string& text : texts) summary.add(text);
  return summary;
}

Counts counts_of(const Texts& texts) {
  Counts counts;
  for (const std::string& text : texts) ++counts[text];
  return counts;
}

Bytes bytes_of(const TopK& summary) {
  Bytes bytes;
  summary.write(bytes);
  return bytes;
}

std::string hex_of(const TopK& summary) {
  std::string text;
  for (const std::uint8_t byte : bytes_of(summary)) {
    text += "0123456789abcdef"[byte >> 4];
    text += "0123456789abcdef"[byte & 15];
  }
  return text;
}

Bytes from_hex(std::string_view text) {
  Bytes bytes;
  for (std::size_t i = 0; i + 1 < text.size(); i += 2) {
    bytes.push_back(
        static_cast<std::uint8_t>(std::stoi(std::string(text.substr(i, 2)), nullptr, 16)));
  }
  return bytes;
}

TopK read(const Bytes& bytes) { return TopK::read(bytes, heap()); }

// Words of Zipf's law: the n-th is drawn with a weight of 1 / n^skew.
Texts zipf(std::size_t count, std::size_t words, double skew, std::uint64_t seed) {
  std::vector<double> weights;
  for (std::size_t i = 1; i <= words; ++i) {
    weights.push_back(std::pow(static_cast<double>(i), -skew));
  }
  std::discrete_distribution<std::size_t> draw(weights.begin(), weights.end());
  std::mt19937_64 random(seed);
  Texts texts;
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t word = draw(random);
    texts.push_back("w" + std::to_string(word) + std::string(word % 23, '-'));
  }
  return texts;
}

// What the header promises, against exact counts.
void expect_promises(const TopK& summary, const Counts& counts) {
  std::uint64_t total = 0;
  for (const auto& [text, count] : counts) total += count;
  ASSERT_EQ(summary.total(), total);
  ASSERT_LE(summary.size(), summary.limit());
  EXPECT_LE(summary.floor(), total / summary.limit());
  Counts unlisted = counts;
  std::uint64_t sum = 0;
  for (const TopK::Item& item : summary.items(heap())) {
    const auto found = unlisted.find(item.text);
    ASSERT_NE(found, unlisted.end()) << item.text;
    EXPECT_LE(item.count - item.error, found->second);
    EXPECT_GE(item.count, found->second);
    EXPECT_LE(item.error, summary.floor());
    EXPECT_GE(item.count, summary.floor());
    sum += item.count;
    unlisted.erase(found);
  }
  EXPECT_LE(sum, total);
  for (const auto& [text, count] : unlisted) EXPECT_LE(count, summary.floor()) << text;
  if (counts.size() <= summary.limit()) {
    EXPECT_EQ(summary.floor(), 0U);
    EXPECT_TRUE(unlisted.empty());
  }
}

// Space-Saving as its paper has it, with the order in which this one gives up items of one count.
class Plain {
 public:
  explicit Plain(std::size_t limit) : limit_(limit) {}

  void add(const std::string& text) {
    for (Item& item : items_) {
      if (item.text == text) {
        ++item.count;
        return;
      }
    }
    if (items_.size() < limit_) {
      items_.push_back({text, 1, 0});
      return;
    }
    Item& least = *std::min_element(items_.begin(), items_.end(), [](const Item& a, const Item& b) {
      if (a.count != b.count) return a.count < b.count;
      if (a.error != b.error) return a.error > b.error;
      return hash_of(a.text) > hash_of(b.text);
    });
    least = {text, least.count + 1, least.count};
  }

  void expect_equal(const TopK& summary) {
    std::sort(items_.begin(), items_.end(), [](const Item& a, const Item& b) {
      if (a.count != b.count) return a.count > b.count;
      if (a.error != b.error) return a.error < b.error;
      return a.text < b.text;
    });
    const auto items = summary.items(heap());
    ASSERT_EQ(items.size(), items_.size());
    for (std::size_t i = 0; i < items.size(); ++i) {
      ASSERT_EQ(items[i].text, items_[i].text);
      ASSERT_EQ(items[i].count, items_[i].count);
      ASSERT_EQ(items[i].error, items_[i].error);
    }
  }

 private:
  struct Item {
    std::string text;
    std::uint64_t count;
    std::uint64_t error;
  };

  static std::uint64_t hash_of(const std::string& text) {
    return murmur3_x64_128({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()}).low;
  }

  std::size_t limit_;
  std::vector<Item> items_;
};

TEST(TopK, IsEmptyAtFirst) {
  const TopK summary = of({}, 10);
  EXPECT_EQ(summary.total(), 0U);
  EXPECT_TRUE(summary.items(heap()).empty());
  EXPECT_EQ(hex_of(summary), "100a00");
}

TEST(TopK, IsExactUpToTheLimit) {
  const TopK summary = of({"b", "a", "c", "a", "", "b", "a"}, 4);
  const auto items = summary.items(heap());
  ASSERT_EQ(items.size(), 4U);
  EXPECT_EQ(items[0].text, "a");
  EXPECT_EQ(items[0].count, 3U);
  EXPECT_EQ(items[1].text, "b");
  EXPECT_EQ(items[2].text, "");
  EXPECT_EQ(items[3].text, "c");
  for (const TopK::Item& item : items) EXPECT_EQ(item.error, 0U);
  EXPECT_EQ(summary.floor(), 0U);
}

TEST(TopK, AgreesWithAPlainSpaceSaving) {
  for (const std::uint32_t limit : {1U, 2U, 3U, 7U, 40U, 150U}) {
    for (const double skew : {0.0, 0.8, 1.5}) {
      TopK summary(heap(), limit);
      Plain plain(limit);
      std::size_t at = 0;
      for (const std::string& text : zipf(4000, 300, skew, limit)) {
        summary.add(text);
        plain.add(text);
        if (++at % 800 == 0) plain.expect_equal(summary);
      }
    }
  }
}

TEST(TopK, KeepsItsPromises) {
  for (const std::uint32_t limit : {1U, 5U, 50U, 1000U, 10000U}) {
    for (const double skew : {0.0, 0.7, 1.1, 2.0}) {
      const Texts texts = zipf(20000, 3000, skew, limit);
      expect_promises(of(texts, limit), counts_of(texts));
    }
  }
}

TEST(TopK, KeepsItsPromisesWhenTheOrderIsTheWorst) {
  // All frequent ones first, then many that occur once; and the reverse.
  Texts texts;
  for (int i = 0; i < 20; ++i) texts.insert(texts.end(), 50, "frequent " + std::to_string(i));
  for (int i = 0; i < 5000; ++i) texts.push_back("rare " + std::to_string(i));
  for (int round = 0; round < 2; ++round) {
    for (const std::uint32_t limit : {10U, 21U, 200U}) {
      expect_promises(of(texts, limit), counts_of(texts));
    }
    std::reverse(texts.begin(), texts.end());
  }
}

// Random data, partitions and trees of merging, also of summaries with different limits.
TEST(TopK, MergingKeepsThePromises) {
  std::mt19937_64 random(3);
  for (int round = 0; round < 2000; ++round) {
    const auto limit = static_cast<std::uint32_t>(1 + random() % 30);
    const Texts texts =
        zipf(random() % 400, 1 + random() % 100, static_cast<double>(random() % 20) / 10, random());
    std::vector<TopK> parts;
    for (std::size_t i = 0; i < 1 + random() % 8; ++i) {
      parts.emplace_back(heap(), limit + static_cast<std::uint32_t>(random() % 3));
    }
    for (const std::string& text : texts) parts[random() % parts.size()].add(text);
    while (parts.size() > 1) {
      TopK& into = parts[random() % (parts.size() - 1)];
      TopK other_way(parts.back(), heap());
      other_way.merge(into);
      into.merge(parts.back());
      EXPECT_EQ(bytes_of(into), bytes_of(other_way));
      parts.pop_back();
    }
    expect_promises(parts[0], counts_of(texts));
    // What was merged goes on like any other.
    Texts more = zipf(100, 50, 1, random());
    for (const std::string& text : more) parts[0].add(text);
    more.insert(more.end(), texts.begin(), texts.end());
    expect_promises(parts[0], counts_of(more));
    EXPECT_EQ(bytes_of(read(bytes_of(parts[0]))), bytes_of(parts[0]));
  }
}

TEST(TopK, ExactBytesDependOnTheCountsOnly) {
  std::mt19937_64 random(4);
  for (int round = 0; round < 300; ++round) {
    Texts texts = zipf(500, 1 + random() % 60, 1, random());
    const TopK whole = of(texts, 60);
    std::shuffle(texts.begin(), texts.end(), random);
    std::vector<TopK> parts;
    for (int i = 0; i < 5; ++i) parts.emplace_back(heap(), 60U);
    for (const std::string& text : texts) parts[random() % 5].add(text);
    while (parts.size() > 1) {
      parts[random() % (parts.size() - 1)].merge(parts.back());
      parts.pop_back();
    }
    EXPECT_EQ(hex_of(parts[0]), hex_of(whole));
  }
}

TEST(TopK, FindsAllThatAreMoreFrequentThanTheBound) {
  const Texts texts = zipf(100000, 20000, 1.2, 5);
  const TopK summary = of(texts, 200);
  const auto items = summary.items(heap());
  for (const auto& [text, count] : counts_of(texts)) {
    if (count <= texts.size() / 200) continue;
    EXPECT_TRUE(std::any_of(items.begin(), items.end(),
                            [&](const TopK::Item& item) { return item.text == text; }));
  }
}

TEST(TopK, GoesOnAfterReadingAsBefore) {
  const Texts texts = zipf(3000, 500, 0.9, 6);
  TopK whole(heap(), 40);
  TopK stored(heap(), 40);
  for (std::size_t i = 0; i < texts.size(); ++i) {
    whole.add(texts[i]);
    stored.add(texts[i]);
    if (i % 100 == 0) stored = read(bytes_of(stored));
  }
  EXPECT_EQ(hex_of(stored), hex_of(whole));
  const TopK copy(whole, heap());
  EXPECT_EQ(hex_of(copy), hex_of(whole));
}

TEST(TopK, TimesIsRepetition) {
  TopK once(heap(), 3);
  TopK often(heap(), 3);
  for (const std::string& text : zipf(500, 20, 1, 7)) {
    const std::uint64_t times = text.size() % 4;
    once.add(text, times);
    for (std::uint64_t i = 0; i < times; ++i) often.add(text);
  }
  EXPECT_EQ(hex_of(once), hex_of(often));
}

TEST(TopK, MergesItself) {
  TopK summary = of(zipf(500, 50, 1, 8), 10);
  const TopK same(summary, heap());
  TopK other(summary, heap());
  other.merge(same);
  summary.merge(summary);
  EXPECT_EQ(hex_of(summary), hex_of(other));
  EXPECT_EQ(summary.total(), 1000U);
}

TEST(TopK, AddingWhatItKnowsAllocatesNothing) {
  std::vector<std::byte> memory(1 << 16);
  std::pmr::monotonic_buffer_resource arena(memory.data(), memory.size(),
                                            std::pmr::null_memory_resource());
  TopK summary(&arena, 100);
  for (int i = 0; i < 100; ++i) summary.add("item " + std::to_string(i));
  summary.add("one that makes a heap");
  TopK full(summary, heap());
  const Texts known = {"item 1", "item 2", "item 3", "item 4"};
  for (int i = 0; i < 100000; ++i) summary.add(known[static_cast<std::size_t>(i % 4)]);
  EXPECT_EQ(summary.total(), 100101U);
  EXPECT_LE(sizeof(TopK), 160U);
}

// However long the texts that come and go, an item's place is at most given up a few times.
TEST(TopK, PlacesOfTextsAreUsedAgain) {
  std::vector<std::byte> memory(1 << 17);
  std::pmr::monotonic_buffer_resource arena(memory.data(), memory.size(),
                                            std::pmr::null_memory_resource());
  TopK summary(&arena, 8);
  std::mt19937_64 random(9);
  for (int i = 0; i < 200000; ++i) {
    std::string text = std::to_string(random());
    text.resize(random() % (TopK::kMaxBytes + 1), 'x');
    summary.add(text);
  }
  EXPECT_EQ(summary.total(), 200000U);
}

TEST(TopK, RefusesWhatDoesNotFit) {
  EXPECT_THROW(TopK(heap(), 0), Error);
  EXPECT_THROW(TopK(heap(), 10001), Error);
  EXPECT_NO_THROW(TopK(heap(), 10000));
  TopK summary(heap(), 2);
  EXPECT_THROW(summary.set_limit(0), Error);
  summary.set_limit(3);
  summary.add(std::string(TopK::kMaxBytes, 'x'));
  EXPECT_THROW(summary.set_limit(4), Error);
  summary.set_limit(3);
  EXPECT_THROW(summary.add(std::string(TopK::kMaxBytes + 1, 'x')), Error);
  EXPECT_THROW(summary.add("a", std::uint64_t{1} << 63), Error);
  summary.add("a", (std::uint64_t{1} << 63) - 2);
  EXPECT_THROW(summary.add("b"), Error);
  TopK other = of({"b"}, 3);
  EXPECT_THROW(other.merge(summary), Error);
  EXPECT_EQ(hex_of(other), hex_of(of({"b"}, 3)));
}

TEST(TopK, ShortensLongTexts) {
  std::array<char, TopK::kMaxBytes> out;
  const std::string text(5000, 'x');
  const std::size_t size = TopK::shortened(text, TopK::kMaxPrefix, out);
  EXPECT_EQ(size, TopK::kMaxBytes);
  EXPECT_EQ(std::string(out.data(), 992), std::string(989, 'x') + "...");
  const std::string other = text + "y";
  std::array<char, TopK::kMaxBytes> out2;
  EXPECT_EQ(TopK::shortened(other, 5000, out2), TopK::kMaxBytes);
  EXPECT_NE(out, out2);
  EXPECT_EQ(TopK::shortened("hello", 2, out), 37U);
  EXPECT_EQ(std::string(out.data(), 37), "he...5b1e906a48ae1d19cbd8a7b341bd9b02");
}

TEST(TopK, WritesGoldenBytes) {
  EXPECT_EQ(hex_of(of({}, 10000)), "10904e00");
  EXPECT_EQ(hex_of(of({"a"}, 3)), "1003010001000161");
  EXPECT_EQ(hex_of(of({"b", "a", "b"}, 3)), "1003030002010162010161");
  EXPECT_EQ(hex_of(of({"a", "b", "a", "c", "a"}, 2)), "10020501020200016101010163");
  std::mt19937_64 random(10);
  TopK summary(heap(), 50);
  for (int i = 0; i < 10000; ++i) {
    const std::uint64_t below = 1 + random() % 1000;
    summary.add("w" + std::to_string(random() % below));
  }
  const Bytes bytes = bytes_of(summary);
  EXPECT_EQ(bytes.size(), 381U);
  EXPECT_EQ(murmur3_x64_128(bytes).low, 490334181764935885U);
}

void expect_error_or_canonical(const Bytes& bytes) {
  try {
    TopK summary = read(bytes);
    EXPECT_EQ(bytes_of(summary), bytes);
    TopK twice(summary, heap());
    if (summary.total() < std::uint64_t{1} << 60) {
      twice.merge(summary);
      EXPECT_EQ(bytes_of(read(bytes_of(twice))), bytes_of(twice));
      summary.add("something");
      EXPECT_EQ(bytes_of(read(bytes_of(summary))), bytes_of(summary));
    }
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kInvalidBinary);
  }
}

TEST(TopK, HostileBytesAreAnErrorOrCanonical) {
  for (const std::uint32_t limit : {3U, 20U}) {
    for (const std::size_t count : {0U, 1U, 5U, 300U}) {
      const Bytes valid = bytes_of(of(zipf(count, 12, 0.5, 11), limit));
      for (std::size_t size = 0; size < valid.size(); ++size) {
        EXPECT_THROW(read(Bytes(valid.begin(), valid.begin() + static_cast<std::ptrdiff_t>(size))),
                     Error);
      }
      for (std::size_t at = 0; at < valid.size(); ++at) {
        for (int flip = 1; flip < 256; ++flip) {
          Bytes bytes = valid;
          bytes[at] = static_cast<std::uint8_t>(bytes[at] ^ flip);
          expect_error_or_canonical(bytes);
        }
      }
    }
  }
}

TEST(TopK, RejectsMalformedBytes) {
  for (const char* text : {
           "",                                    // nothing
           "10",                                  // no limit
           "200300",                              // version 2
           "100000",                              // limit 0
           "10914e00",                            // limit 10001
           "10030000",                            // something follows nothing
           "1003ffffffffffffffffff010001000161",  // count 2^64 - 1
           "100301000100016100",                  // a byte follows
           "10030100010001",                      // half an item
           "1003010000",                          // no items
           "10030200010101"
           "61",  // counts less than the total, but no floor
           "10030500020301610001"
           "61",                      // twice the same, not falling
           "1003020002010162000161",  // items of one count not in order
           "10020501010200"
           "0161",                      // a floor, but not as many items as allowed
           "100205010202020161010163",  // an error above the floor
       }) {
    EXPECT_THROW(read(from_hex(text)), Error) << text;
  }
}

}  // namespace
}  // namespace vigil
