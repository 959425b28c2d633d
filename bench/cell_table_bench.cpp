// What the roller's table needs for a fact, without and with weights of a sample.
#include <benchmark/benchmark.h>

#include <array>
#include <random>
#include <string>
#include <vector>

#include "core/cell_table.hpp"

namespace vigil {
namespace {

struct Fact {
  CellKey key{};
  Observation seen{};
};

// Ten minutes of 100 modules and three types; what facts refer to lives as long as the program.
const std::vector<Fact>& facts() {
  static const std::vector<Fact> made = [] {
    static std::vector<std::string> names, sessions;
    static std::array<std::array<std::uint8_t, 16>, 50> sites{};
    for (int i = 0; i < 8; ++i) names.push_back("name " + std::to_string(i));
    for (int i = 0; i < 400; ++i) sessions.push_back("session-" + std::to_string(i));
    for (std::size_t i = 0; i < sites.size(); ++i) sites[i][0] = static_cast<std::uint8_t>(i);
    constexpr std::array<std::string_view, 3> kTypes = {"render", "api_call", "user_interaction"};
    std::mt19937 random(1);
    std::vector<Fact> result(500'000);
    for (std::size_t i = 0; i < result.size(); ++i) {
      auto& [key, seen] = result[i];
      key.module.bytes[0] = static_cast<std::uint8_t>(random() % 100);
      key.event_type = kTypes[random() % kTypes.size()];
      key.bucket = static_cast<std::int64_t>(i / 50'000) * 60'000'000;
      seen.time = static_cast<std::int64_t>(i);
      seen.name = names[random() % names.size()];
      seen.duration = static_cast<double>(random() % 5000) / 10;
      if (key.event_type == "api_call") {
        key.subject = seen.name;
        seen.success = random() % 2 == 0;
      }
      seen.site = sites[random() % sites.size()];
      seen.session = sessions[random() % sessions.size()];
      seen.country = "DE";
      seen.device = "desktop";
      seen.browser = "Firefox";
    }
    return result;
  }();
  return made;
}

void fill(benchmark::State& state, double weight) {
  for (auto _ : state) {
    std::pmr::monotonic_buffer_resource memory;
    CellTable table(&memory);
    for (Fact fact : facts()) {
      fact.seen.weight = weight;
      table.add(fact.key, fact.seen);
    }
    table.finish(1000, "error", 200);
    benchmark::DoNotOptimize(table.size());
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(facts().size()));
}

BENCHMARK_CAPTURE(fill, plain, 1.0)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(fill, weighted, 1 / 0.3)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace vigil
