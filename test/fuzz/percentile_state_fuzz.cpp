// Any bytes are an error or a state of approx_percentile that writes the same bytes.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <span>

#include "core/percentile_state.hpp"

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace vigil;
  const std::span<const std::uint8_t> input(data, size);
  try {
    PercentileState state = PercentileState::read(input, std::pmr::get_default_resource());
    Bytes again;
    state.write(again);
    require(std::ranges::equal(again, input));
    if (state.histogram.count() == 0) return 0;
    std::pmr::vector<double> values(state.fractions().size());
    state.percentiles(values);
    for (std::size_t i = 0; i < values.size(); ++i) {
      require(std::isnan(values[i]) == std::isnan(state.fractions()[i]));
      require(!(values[i] < *state.histogram.min()) && !(values[i] > *state.histogram.max()));
    }
    try {
      state.merge(PercentileState::read(input, std::pmr::get_default_resource()));
    } catch (const Error& error) {
      require(error.code() == Code::kNumericOutOfRange);
    }
  } catch (const Error& error) {
    require(error.code() == Code::kInvalidBinary);
  }
  return 0;
}
