// The exact sum of finite doubles: a superaccumulator (Kulisch; Neal 2015, "Fast exact summation
// using small and large superaccumulators"). It holds the sum as an integer of 2^-1074, so neither
// the order of the values nor the way they were merged can change a bit of it.
#pragma once

#include <bit>
#include <cstdint>
#include <memory_resource>
#include <span>
#include <vector>

#include "core/bytes.hpp"

namespace vigil {

// Memory: nothing until the first value other than zero, then 8 bytes for every 32 bits between
// the lowest and the highest bit touched (40 bytes or so for values within 1e-6 .. 1e9, 560 at
// most). The resource must outlive the object; destroying the object may be skipped.
class ExactSum {
 public:
  explicit ExactSum(std::pmr::memory_resource* resource) : limbs_(resource) {}
  ExactSum(const ExactSum& other, std::pmr::memory_resource* resource)
      : limbs_(other.limbs_, resource), pending_(other.pending_), low_(other.low_) {}
  ExactSum(ExactSum&&) = default;
  ExactSum& operator=(ExactSum&&) = default;
  ExactSum(const ExactSum&) = delete;
  ExactSum& operator=(const ExactSum&) = delete;

  // Adds one value. Error{kNumericOutOfRange} when it is not finite.
  void add(double value) {
    const Parts parts = split(value);
    if (parts.mantissa == 0) return;
    add_to(room(parts.limb, 3), parts);
    if (++pending_ >= kMaxPending) carry();
  }

  // Asks for the memory that adding will need.
  void prefetch() const noexcept { __builtin_prefetch(limbs_.data()); }

  // Adds a normal or zero value where that takes no memory and no carries; otherwise returns false
  // with nothing changed.
  bool try_add(double value) noexcept {
    const Parts parts = split_finite(value);
    const std::uint32_t first = parts.limb - low_;
    if (first + std::size_t{3} > limbs_.size() || pending_ + 1 >= kMaxPending) return false;
    add_to(limbs_.data() + first, parts);
    ++pending_;
    return true;
  }

  // Adds `value` `times` times over, at the price of a few additions.
  void add(double value, std::uint64_t times);

  // Adds or takes away another sum. Error{kNumericOutOfRange} when the result leaves the range of
  // the accumulator, about 2^1165, which no sum of 2^64 doubles reaches.
  void merge(const ExactSum& other) { combine(other, 1); }
  void subtract(const ExactSum& other) { combine(other, -1); }

  // The double nearest to the exact sum, ties to even; an infinity beyond the largest double. An
  // exact zero is +0.
  double value() const;

  // -1, 0 or 1: the sign of the exact sum.
  int sign() const;

  // Equal sums write equal bytes (doc/format-histogram.md, "Exact sum"): one byte for zero, 4 or so
  // for a small whole number, 284 at most. read() takes only what write() gives, anything else is
  // Error{kInvalidBinary}.
  void write(ByteWriter& out) const;
  static ExactSum read(ByteReader& in, std::pmr::memory_resource* resource);

  // The same as a value of its own, headed by a version (doc/format-exact-sum.md).
  void write(Bytes& out) const;
  static ExactSum read(std::span<const std::uint8_t> bytes, std::pmr::memory_resource* resource);

  bool operator==(const ExactSum& other) const;

 private:
  struct Magnitude;

  // A finite double as +-mantissa * 2^(32 * limb + shift) units of 2^-1074.
  struct Parts {
    std::uint64_t mantissa;
    std::uint32_t limb;
    std::uint32_t shift;
    std::int64_t sign;  // 0, or -1 for negative values

    std::uint64_t piece(int i) const {
      if (i == 0) return (mantissa << shift) & 0xffffffff;
      if (i == 1) return (mantissa >> (32 - shift)) & 0xffffffff;
      return (mantissa >> 32) >> (32 - shift);
    }
    std::int64_t signed_piece(int i) const {
      return (static_cast<std::int64_t>(piece(i)) ^ sign) - sign;
    }
  };

  static constexpr std::uint32_t kMaxLimbs = 70;
  static constexpr std::uint32_t kMaxPending = 1U << 29;

  static Parts split(double value) {
    const auto bits = std::bit_cast<std::uint64_t>(value);
    if ((~bits & 0x7ff0000000000000) == 0) [[unlikely]] {
      reject(value);
    }
    return split_finite(value);
  }

  static Parts split_finite(double value) noexcept {
    const auto bits = std::bit_cast<std::uint64_t>(value);
    const auto exponent = static_cast<std::uint32_t>(bits >> 52) & 0x7ff;
    const std::uint32_t normal = exponent != 0;
    const std::uint32_t position = exponent - normal;
    const std::uint64_t fraction = bits & 0xfffffffffffff;
    return {fraction | (static_cast<std::uint64_t>(normal) << 52), position / 32, position % 32,
            static_cast<std::int64_t>(bits) >> 63};
  }

  static void add_to(std::int64_t* limb, const Parts& parts) noexcept {
    limb[0] += parts.signed_piece(0);
    limb[1] += parts.signed_piece(1);
    limb[2] += parts.signed_piece(2);
  }

  // The first of `count` limbs from number `limb` on, which are made where they do not exist.
  std::int64_t* room(std::uint32_t limb, std::uint32_t count) {
    if (limb < low_ || limb + count > low_ + limbs_.size()) [[unlikely]] {
      extend(limb, count);
    }
    return limbs_.data() + (limb - low_);
  }

  [[noreturn]] static void reject(double value);
  void extend(std::uint32_t limb, std::uint32_t count);
  void carry();
  void combine(const ExactSum& other, std::int64_t factor);
  Magnitude magnitude() const;

  // The sum is limbs_[i] * 2^(32 * (low_ + i)) units of 2^-1074, added up over i. Carries are
  // deferred: no limb exceeds (pending_ + 1) * 2^32 in magnitude.
  std::pmr::vector<std::int64_t> limbs_;
  std::uint32_t pending_ = 0;
  std::uint32_t low_ = 0;
};

}  // namespace vigil
