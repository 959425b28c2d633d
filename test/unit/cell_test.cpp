// Cells: what they hold against a plain count, merging in any order, folding, and the stored bytes.
#include "core/cell.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <map>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "core/digest.hpp"
#include "core/exact_sum.hpp"

namespace vigil {
namespace {

using Kind = Breakdowns::Kind;

std::pmr::memory_resource* heap() { return std::pmr::get_default_resource(); }

// Texts and ids of observations, which only view them.
struct Fact {
  std::int64_t time = 0;
  std::string name;
  std::optional<bool> success;
  std::optional<double> duration;
  std::optional<double> value;
  std::optional<std::int64_t> memory;
  std::optional<std::array<std::uint8_t, 16>> site;
  std::optional<std::string> session;
  std::optional<std::string> user;
  std::optional<std::string> country;
  double weight = 1;

  Observation seen() const {
    Observation observation{};
    observation.time = time;
    observation.name = name;
    observation.success = success;
    observation.duration = duration;
    observation.value = value;
    observation.memory = memory;
    if (site) observation.site = std::span<const std::uint8_t>(*site);
    if (session) observation.session = *session;
    if (user) observation.user = *user;
    if (country) observation.country = *country;
    observation.device = country;
    observation.weight = weight;
    return observation;
  }
};

std::vector<Fact> some_facts(std::size_t count, unsigned seed = 1) {
  std::mt19937 random(seed);
  const auto below = [&](unsigned limit) { return random() % limit; };
  std::vector<Fact> facts(count);
  for (Fact& fact : facts) {
    fact.time = static_cast<std::int64_t>(below(1000000)) - 500000;
    fact.name = "name-" + std::to_string(below(7));
    if (below(3) > 0) fact.success = below(2) > 0;
    if (below(3) > 0) fact.duration = static_cast<double>(below(100000)) / 7;
    if (below(3) > 0) fact.value = static_cast<double>(below(1000)) - 500;
    if (below(3) > 0) fact.memory = static_cast<std::int64_t>(below(1000000));
    if (below(3) > 0) {
      fact.site.emplace();
      fact.site->fill(static_cast<std::uint8_t>(below(200)));
    }
    if (below(3) > 0) fact.session = "s" + std::to_string(below(500));
    if (below(3) > 0) fact.user = "u" + std::to_string(below(500));
    if (below(3) > 0) fact.country = "C" + std::to_string(below(30));
  }
  return facts;
}

// Three quarters of them stand for more than themselves.
std::vector<Fact> sampled_facts(std::size_t count, unsigned seed = 1) {
  auto facts = some_facts(count, seed);
  std::mt19937 random(seed);
  for (Fact& fact : facts) {
    const double weights[] = {1, 10, 1 / 0.3, 1 + static_cast<double>(random()) / 7};
    fact.weight = weights[random() % 4];
  }
  return facts;
}

Cell cell_of(std::span<const Fact> facts) {
  Cell cell(heap());
  for (const Fact& fact : facts) cell.add(fact.seen());
  return cell;
}

Bytes bytes_of(const Cell& cell) {
  Bytes bytes;
  cell.write(bytes);
  return bytes;
}

Bytes again(const Bytes& bytes) { return bytes_of(Cell::read(bytes, heap())); }

std::map<std::string, std::uint64_t> counts_of(const Cell& cell, Breakdowns::Kind kind) {
  std::map<std::string, std::uint64_t> counts;
  cell.breakdowns.for_each(
      kind, [&](std::string_view name, std::uint64_t count) { counts[std::string(name)] = count; });
  return counts;
}

TEST(Cell, HoldsWhatWasSeen) {
  const auto facts = some_facts(1000);
  const Cell cell = cell_of(facts);
  std::uint64_t successes = 0, failures = 0, timed = 0, samples = 0;
  std::int64_t first = std::numeric_limits<std::int64_t>::max(),
               last = std::numeric_limits<std::int64_t>::min(), memory = 0, most = 0;
  std::map<std::string, std::uint64_t> names, countries;
  for (const Fact& fact : facts) {
    successes += fact.success == true;
    failures += fact.success == false;
    timed += fact.duration.has_value();
    first = std::min(first, fact.time);
    last = std::max(last, fact.time);
    if (fact.memory) ++samples, memory += *fact.memory, most = std::max(most, *fact.memory);
    ++names[fact.name];
    if (fact.country) ++countries[*fact.country];
  }
  EXPECT_EQ(cell.count, 1000u);
  EXPECT_EQ(cell.successes, successes);
  EXPECT_EQ(cell.failures, failures);
  EXPECT_EQ(cell.duration.count(), timed);
  EXPECT_EQ(cell.first_time, first);
  EXPECT_EQ(cell.last_time, last);
  EXPECT_EQ(cell.memory_count, samples);
  EXPECT_EQ(static_cast<std::int64_t>(cell.memory_sum), memory);
  EXPECT_EQ(cell.memory_max, most);
  EXPECT_EQ(counts_of(cell, Kind::kNames), names);
  EXPECT_EQ(counts_of(cell, Kind::kCountries), countries);
  EXPECT_EQ(counts_of(cell, Kind::kDevices), countries);
  EXPECT_TRUE(counts_of(cell, Kind::kBrowsers).empty());
}

TEST(Cell, IsEmptyAtFirst) {
  const Cell cell(heap());
  EXPECT_EQ(bytes_of(cell), (Bytes{1, 0}));
  EXPECT_EQ(again(bytes_of(cell)), bytes_of(cell));
  Cell other = cell_of(some_facts(5));
  const Bytes before = bytes_of(other);
  other.merge(cell);
  EXPECT_EQ(bytes_of(other), before);
  Cell empty(heap());
  empty.merge(other);
  EXPECT_EQ(bytes_of(empty), before);
}

TEST(Cell, LeavesOutWhatIsNotFinite) {
  Cell cell(heap());
  for (const double odd :
       {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity(),
        -std::numeric_limits<double>::infinity()}) {
    Observation seen{};
    seen.name = "n";
    seen.duration = odd;
    seen.value = odd;
    cell.add(seen);
  }
  EXPECT_EQ(cell.count, 3u);
  EXPECT_EQ(cell.duration.count(), 0u);
  EXPECT_EQ(cell.value.count(), 0u);
}

// Any order of adding and any tree of merging.
TEST(Cell, OrderDoesNotMatter) {
  for (unsigned seed = 1; seed <= 20; ++seed) {
    auto facts = seed % 2 == 0 ? some_facts(50 * seed, seed) : sampled_facts(50 * seed, seed);
    const Bytes whole = bytes_of(cell_of(facts));
    std::mt19937 random(seed);
    std::shuffle(facts.begin(), facts.end(), random);
    EXPECT_EQ(bytes_of(cell_of(facts)), whole);
    std::vector<Cell> parts;
    for (std::size_t at = 0; at < facts.size();) {
      const std::size_t size = std::min<std::size_t>(1 + random() % 40, facts.size() - at);
      parts.push_back(cell_of(std::span(facts).subspan(at, size)));
      at += size;
    }
    while (parts.size() > 1) {
      const std::size_t into = random() % (parts.size() - 1);
      Cell stored = Cell::read(bytes_of(parts.back()), heap());
      parts.pop_back();
      if (random() % 2 == 0) {
        parts[into].merge_stored(bytes_of(stored));
      } else {
        stored.merge(parts[into]);
        parts[into] = std::move(stored);
      }
    }
    EXPECT_EQ(bytes_of(parts[0]), whole);
  }
}

TEST(Cell, NegativeAndExtremeMemory) {
  Cell cell(heap());
  const std::int64_t values[] = {std::numeric_limits<std::int64_t>::max(),
                                 std::numeric_limits<std::int64_t>::min(), -5,
                                 std::numeric_limits<std::int64_t>::max()};
  __int128 sum = 0;
  for (const std::int64_t value : values) {
    Observation seen{};
    seen.name = "n";
    seen.memory = value;
    sum += value;
    cell.add(seen);
  }
  const Cell stored = Cell::read(bytes_of(cell), heap());
  EXPECT_TRUE(stored.memory_sum == sum);
  EXPECT_EQ(stored.memory_max, std::numeric_limits<std::int64_t>::max());
}

TEST(Cell, CountsWhatFactsStandFor) {  // S1-74
  const auto facts = sampled_facts(5000);
  const Cell cell = cell_of(facts);
  ExactSum all(heap()), successes(heap()), failures(heap());
  for (const Fact& fact : facts) {
    all.add(fact.weight);
    if (fact.success == true) successes.add(fact.weight);
    if (fact.success == false) failures.add(fact.weight);
  }
  EXPECT_TRUE(cell.has_weights());
  EXPECT_EQ(cell.count, 5000u);
  EXPECT_EQ(cell.weight(), all.value());
  EXPECT_EQ(cell.weight_of_successes(), successes.value());
  EXPECT_EQ(cell.weight_of_failures(), failures.value());
  const Cell plain = cell_of(some_facts(5000));
  EXPECT_FALSE(plain.has_weights());
  EXPECT_EQ(plain.weight(), 5000);
  EXPECT_EQ(plain.weight_of_failures(), static_cast<double>(plain.failures));
  EXPECT_EQ(Cell(heap()).weight(), 0);
}

TEST(Cell, WeightsChangeNothingElse) {
  Cell sampled = cell_of(sampled_facts(700));
  sampled.extra_successes = sampled.extra_failures = sampled.extra_others = WeightSum();
  EXPECT_EQ(bytes_of(sampled), bytes_of(cell_of(some_facts(700))));
}

TEST(Cell, RefusesWhatIsNoWeight) {
  for (const double weight : {0.0, 0.5, -1.0, 1e10, std::numeric_limits<double>::quiet_NaN(),
                              std::numeric_limits<double>::infinity()}) {
    Fact fact;
    fact.weight = weight;
    try {
      cell_of(std::span(&fact, 1));
      ADD_FAILURE() << weight;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Code::kNumericOutOfRange);
    }
  }
}

TEST(Cell, CountsDoNotWrap) {
  Cell cell = cell_of(some_facts(1));
  cell.count = std::numeric_limits<std::uint64_t>::max();
  const Cell other = cell_of(some_facts(1));
  try {
    cell.merge(other);
    FAIL() << "merged";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kNumericOutOfRange);
  }
}

std::string hash_of(const Bytes& bytes) {
  return to_hex(sha256({reinterpret_cast<const char*>(bytes.data()), bytes.size()}));
}

// Cells without weights are of version 1.
TEST(Stored, WritesGoldenBytes) {
  Fact fact;
  fact.time = 5;
  fact.name = "n";
  fact.success = false;
  const std::string rest = "0110011003118c4003118c4003118c4001016e01000000";
  EXPECT_EQ(to_hex(bytes_of(cell_of(std::span(&fact, 1)))), "010100010a0a00" + rest);
  EXPECT_EQ(hash_of(bytes_of(cell_of(some_facts(400)))),
            "f21f0f2c1bc51d214581741ece1974931fbef0669bcb62364e8182110115f633");
  EXPECT_EQ(hash_of(bytes_of(cell_of(some_facts(3000)))),
            "542dc515269c25316065c4d6eab7dd548bd25db0886caf2b1b359c0b2699ec20");
  fact.weight = 10;
  Bytes sampled = bytes_of(cell_of(std::span(&fact, 1)));
  EXPECT_EQ(to_hex(sampled), "020100010a0a00000009000000" + rest);
  // Version 2 without a weight.
  sampled[9] = 0;
  EXPECT_THROW(Cell::read(sampled, heap()), Error);
  EXPECT_THROW(Cell::read(Bytes{2, 0}, heap()), Error);
}

TEST(Stored, RoundTrips) {
  for (const std::size_t count : {1u, 2u, 63u, 64u, 65u, 400u, 3000u}) {
    const Bytes bytes = bytes_of(cell_of(some_facts(count)));
    EXPECT_EQ(again(bytes), bytes) << count;
    const Bytes sampled = bytes_of(cell_of(sampled_facts(count + 2)));
    EXPECT_EQ(sampled[0], 2) << count;
    EXPECT_EQ(again(sampled), sampled) << count;
  }
}

TEST(Stored, TotalsAreReadAlone) {
  for (const std::size_t count : {0u, 1u, 65u, 3000u}) {
    const Cell cell = cell_of(sampled_facts(count));
    const Totals totals = Cell::read_totals(bytes_of(cell));
    EXPECT_EQ(totals.count, cell.count);
    EXPECT_EQ(totals.failures, cell.failures);
    EXPECT_EQ(totals.last_time, cell.last_time);
    EXPECT_EQ(totals.memory_sum, cell.memory_sum);
    EXPECT_EQ(totals.weight(), cell.weight());
  }
  EXPECT_THROW(Cell::read_totals(Bytes{9}), Error);
}

TEST(Stored, MeasuresMergeWithoutNames) {
  Cell merged(heap());
  Cell durations(heap());
  Cell whole(heap());
  for (const unsigned seed : {1u, 2u, 3u}) {
    const Bytes bytes = bytes_of(cell_of(sampled_facts(seed == 2 ? 0 : 700, seed)));
    merged.merge_measures(bytes);
    durations.merge_measures(bytes, &Cell::duration);
    whole.merge_stored(bytes);
  }
  EXPECT_EQ(merged.breakdowns.size(), 0u);
  EXPECT_GT(merged.value.count(), 0u);
  EXPECT_EQ(durations.value.count(), 0u);
  EXPECT_EQ(durations.duration, merged.duration);
  EXPECT_EQ(durations.sessions, merged.sessions);
  whole.breakdowns = Breakdowns(heap());
  EXPECT_EQ(bytes_of(merged), bytes_of(whole));
}

// Bytes that read() takes must be bytes that write() gives; all others are one kind of error.
void take_or_refuse(const Bytes& bytes) {
  try {
    EXPECT_EQ(again(bytes), bytes);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kInvalidBinary) << error.message();
  }
}

TEST(Stored, NoBeginningIsACell) {
  const Bytes bytes = bytes_of(cell_of(sampled_facts(40)));
  for (std::size_t size = 0; size < bytes.size(); ++size)
    EXPECT_THROW(Cell::read(std::span(bytes).first(size), heap()), Error) << size;
  Bytes longer = bytes;
  longer.push_back(0);
  EXPECT_THROW(Cell::read(longer, heap()), Error);
}

TEST(Stored, EveryChangedByte) {
  for (const auto& facts :
       {some_facts(1, 7), some_facts(3, 7), some_facts(12, 7), sampled_facts(12, 7)}) {
    const Bytes bytes = bytes_of(cell_of(facts));
    for (std::size_t at = 0; at < bytes.size(); ++at)
      for (int value = 0; value < 256; ++value) {
        Bytes changed = bytes;
        changed[at] = static_cast<std::uint8_t>(value);
        take_or_refuse(changed);
      }
  }
}

TEST(Stored, RefusesWhatCannotBe) {
  const Cell good = cell_of(some_facts(3));
  const auto refuses = [](const Cell& cell) {
    const Bytes bytes = bytes_of(cell);
    EXPECT_THROW(Cell::read(bytes, heap()), Error);
  };
  Cell outcomes = Cell::read(bytes_of(good), heap());
  outcomes.successes = 4;
  refuses(outcomes);
  Cell times = Cell::read(bytes_of(good), heap());
  times.first_time = times.last_time + 1;
  refuses(times);
  Cell sets = Cell::read(bytes_of(good), heap());
  sets.sites = HyperLogLog(heap(), {.log2m = 11});
  refuses(sets);
  Cell memory = Cell::read(bytes_of(good), heap());
  memory.memory_count = 1;
  memory.memory_sum = static_cast<__int128>(1) << 64;
  refuses(memory);
  Cell weights = Cell::read(bytes_of(good), heap());
  for (std::uint64_t i = 0; i <= weights.successes; ++i) weights.extra_successes.add(1e9);
  refuses(weights);
}

}  // namespace
}  // namespace vigil
