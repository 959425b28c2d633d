// The order of releases that carry a version in their name.
#pragma once

#include <compare>
#include <string_view>

namespace vigil {

// Compares two releases by semantic version: `package@version`, or the version alone. A version is
// two or more numbers with dots between them, after an optional `v`; then optionally `-` and a
// pre-release, `+` and a build. Missing numbers are 0; a pre-release comes before its release;
// parts of pre-releases are compared as numbers or by bytes, a number before a word, fewer before
// more; builds count only when both are numbers. Numbers have any length. Without order are
// releases of different packages, and those of which one has no version (a commit, a single
// number).
std::partial_ordering compare_releases(std::string_view left, std::string_view right) noexcept;

}  // namespace vigil
