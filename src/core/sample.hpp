// Deterministic sampling: what is kept depends on an id and a rate, on nothing else.
#pragma once

#include <string_view>

namespace vigil {

// The place of an id in [0, 1): the first 53 bits of the SHA-256 of its bytes, divided by 2^53.
double sample_point(std::string_view id);

// Whether the id belongs to the sample: its place is below the rate. So 0 keeps nothing, 1 all, and
// a sample is part of each larger one. Throws Error{kInvalidArgument} unless 0 <= rate <= 1.
bool is_sampled(std::string_view id, double rate);

}  // namespace vigil
