// Nanoseconds per value added to, and per sketch merged, written and read.
#include <benchmark/benchmark.h>

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "core/exact_sum.hpp"
#include "core/histogram.hpp"
#include "core/hyperloglog.hpp"
#include "core/murmur3.hpp"

namespace {

using vigil::Bytes;
using vigil::ExactSum;
using vigil::Histogram;
using vigil::HyperLogLog;

constexpr std::size_t kValues = 1 << 16;

std::pmr::memory_resource* heap() { return std::pmr::get_default_resource(); }

std::vector<double> lognormal_values() {
  std::mt19937_64 random(1);
  std::lognormal_distribution<double> draw(4, 1);
  std::vector<double> values(kValues);
  for (double& value : values) value = draw(random);
  return values;
}

std::vector<double> few_whole_values() {
  std::mt19937_64 random(2);
  std::vector<double> values(kValues);
  for (double& value : values) value = static_cast<double>(random() % 50);
  return values;
}

std::vector<std::uint64_t> hashes() {
  std::mt19937_64 random(3);
  std::vector<std::uint64_t> values(kValues);
  for (std::uint64_t& value : values) value = random();
  return values;
}

// Reports the time of one of the kValues additions of an iteration.
void report(benchmark::State& state) {
  const auto items = static_cast<double>(state.iterations()) * kValues;
  state.counters["per_add"] =
      benchmark::Counter(items, benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

void BM_ExactSumAdd(benchmark::State& state) {
  const auto values = lognormal_values();
  ExactSum sum(heap());
  for (auto _ : state) {
    for (const double value : values) sum.add(value);
  }
  benchmark::DoNotOptimize(sum.value());
  report(state);
}

void add_to_histogram(benchmark::State& state, const std::vector<double>& values) {
  Histogram histogram(heap());
  for (auto _ : state) {
    for (const double value : values) histogram.add(value);
  }
  benchmark::DoNotOptimize(histogram.count());
  report(state);
}

void BM_HistogramAddLognormal(benchmark::State& state) {
  add_to_histogram(state, lognormal_values());
}

void BM_HistogramAddFewDistinct(benchmark::State& state) {
  add_to_histogram(state, few_whole_values());
}

void BM_HistogramAddFromEmpty(benchmark::State& state) {
  const auto values = lognormal_values();
  for (auto _ : state) {
    Histogram histogram(heap());
    for (const double value : values) histogram.add(value);
    benchmark::DoNotOptimize(histogram.count());
  }
  report(state);
}

Histogram histogram_of(std::size_t size) {
  Histogram histogram(heap());
  const auto values = lognormal_values();
  for (std::size_t i = 0; i < size; ++i) histogram.add(values[i]);
  return histogram;
}

void BM_HistogramMerge(benchmark::State& state) {
  const Histogram part = histogram_of(static_cast<std::size_t>(state.range(0)));
  Histogram whole(heap());
  for (auto _ : state) whole.merge(part);
}

void BM_HistogramPercentile(benchmark::State& state) {
  const Histogram histogram = histogram_of(static_cast<std::size_t>(state.range(0)));
  for (auto _ : state) benchmark::DoNotOptimize(histogram.percentile(0.95));
}

void BM_HistogramWriteAndRead(benchmark::State& state) {
  const Histogram histogram = histogram_of(static_cast<std::size_t>(state.range(0)));
  Bytes bytes;
  for (auto _ : state) {
    bytes.clear();
    histogram.write(bytes);
    benchmark::DoNotOptimize(Histogram::read(bytes, heap()).count());
  }
  state.counters["bytes"] = static_cast<double>(bytes.size());
}

void BM_HyperLogLogAddHash(benchmark::State& state) {
  const auto values = hashes();
  HyperLogLog sketch(heap());
  for (auto _ : state) {
    for (const std::uint64_t value : values) sketch.add_hash(value);
  }
  benchmark::DoNotOptimize(sketch.cardinality());
  report(state);
}

void BM_HyperLogLogAddFewDistinct(benchmark::State& state) {
  const auto values = hashes();
  HyperLogLog sketch(heap());
  for (auto _ : state) {
    for (std::size_t i = 0; i < kValues; ++i) sketch.add_hash(values[i % 300]);
  }
  benchmark::DoNotOptimize(sketch.cardinality());
  report(state);
}

void BM_HyperLogLogAddUuidText(benchmark::State& state) {
  std::vector<std::string> texts;
  for (const std::uint64_t hash : hashes())
    texts.push_back(std::to_string(hash) + "-0123456789abcde");
  HyperLogLog sketch(heap());
  for (auto _ : state) {
    for (const std::string& text : texts) {
      sketch.add_bytes({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
    }
  }
  benchmark::DoNotOptimize(sketch.cardinality());
  report(state);
}

HyperLogLog sketch_of(std::size_t size) {
  HyperLogLog sketch(heap());
  const auto values = hashes();
  for (std::size_t i = 0; i < size; ++i) sketch.add_hash(values[i]);
  return sketch;
}

void BM_HyperLogLogMerge(benchmark::State& state) {
  const HyperLogLog part = sketch_of(static_cast<std::size_t>(state.range(0)));
  HyperLogLog whole(heap());
  for (auto _ : state) whole.merge(part);
}

void BM_HyperLogLogMergeStored(benchmark::State& state) {
  Bytes part;
  sketch_of(static_cast<std::size_t>(state.range(0))).write(part);
  HyperLogLog whole(heap());
  for (auto _ : state) whole.merge_stored(part);
}

void BM_HyperLogLogAddFromEmpty(benchmark::State& state) {
  const auto values = hashes();
  for (auto _ : state) {
    HyperLogLog sketch(heap());
    for (std::size_t i = 0; i < static_cast<std::size_t>(state.range(0)); ++i)
      sketch.add_hash(values[i]);
    benchmark::DoNotOptimize(sketch.is_exact());
  }
}

void BM_HyperLogLogIntersection(benchmark::State& state) {
  const HyperLogLog one = sketch_of(60000);
  const HyperLogLog other = sketch_of(static_cast<std::size_t>(state.range(0)));
  for (auto _ : state) benchmark::DoNotOptimize(HyperLogLog::intersection(one, other));
}

void BM_HyperLogLogCardinality(benchmark::State& state) {
  const HyperLogLog sketch = sketch_of(static_cast<std::size_t>(state.range(0)));
  for (auto _ : state) benchmark::DoNotOptimize(sketch.cardinality());
}

void BM_HyperLogLogWriteAndRead(benchmark::State& state) {
  const HyperLogLog sketch = sketch_of(static_cast<std::size_t>(state.range(0)));
  Bytes bytes;
  for (auto _ : state) {
    bytes.clear();
    sketch.write(bytes);
    benchmark::DoNotOptimize(HyperLogLog::read(bytes, heap()).is_exact());
  }
  state.counters["bytes"] = static_cast<double>(bytes.size());
}

BENCHMARK(BM_ExactSumAdd);
BENCHMARK(BM_HistogramAddLognormal);
BENCHMARK(BM_HistogramAddFewDistinct);
BENCHMARK(BM_HistogramAddFromEmpty);
BENCHMARK(BM_HistogramMerge)->Arg(20)->Arg(200)->Arg(60000);
BENCHMARK(BM_HistogramPercentile)->Arg(20)->Arg(200)->Arg(60000);
BENCHMARK(BM_HistogramWriteAndRead)->Arg(20)->Arg(200)->Arg(60000);
BENCHMARK(BM_HyperLogLogAddHash);
BENCHMARK(BM_HyperLogLogAddFewDistinct);
BENCHMARK(BM_HyperLogLogAddUuidText);
BENCHMARK(BM_HyperLogLogMerge)->Arg(20)->Arg(1000)->Arg(60000);
BENCHMARK(BM_HyperLogLogMergeStored)->Arg(20)->Arg(500)->Arg(700)->Arg(60000);
BENCHMARK(BM_HyperLogLogAddFromEmpty)->Arg(20)->Arg(500)->Arg(5000);
BENCHMARK(BM_HyperLogLogIntersection)->Arg(1000)->Arg(60000);
BENCHMARK(BM_HyperLogLogCardinality)->Arg(20)->Arg(1000)->Arg(60000);
BENCHMARK(BM_HyperLogLogWriteAndRead)->Arg(20)->Arg(1000)->Arg(60000);

}  // namespace
