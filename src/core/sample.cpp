#include "core/sample.hpp"

#include <cstdint>
#include <sstream>

#include "core/digest.hpp"
#include "core/error.hpp"

namespace vigil {

double sample_point(std::string_view id) {
  const Digest digest = sha256(id);
  std::uint64_t bits = 0;
  for (int i = 0; i < 8; ++i) bits = bits << 8 | digest[static_cast<std::size_t>(i)];
  return static_cast<double>(bits >> 11) * 0x1p-53;
}

bool is_sampled(std::string_view id, double rate) {
  if (rate >= 0 && rate <= 1) return sample_point(id) < rate;
  std::ostringstream value;
  value << rate;
  throw Error(Code::kInvalidArgument, "rate " + value.str() + " is not between 0 and 1");
}

}  // namespace vigil
