#include "core/exact_sum.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <string>

namespace vigil {
namespace {

constexpr std::uint64_t kLow32 = 0xffffffff;
constexpr std::uint8_t kVersion1 = 0x10;
constexpr std::int64_t kUnitByte = 134;  // byte 134 of the accumulator counts units of 2^-2

[[noreturn]] void fail_range() {
  throw Error(Code::kNumericOutOfRange, "sum is out of range",
              "The exact sum exceeds what merging 2^64 values could give.");
}

}  // namespace

// The absolute value of the sum in plain base 2^32, lowest digit first.
struct ExactSum::Magnitude {
  std::array<std::uint32_t, kMaxLimbs + 2> digits{};
  std::uint32_t size = 0;  // digits up to the highest that is not zero
  std::uint32_t low = 0;   // limb number of digits[0]
  bool negative = false;

  void negate() {
    std::uint64_t carry = 1;
    for (std::uint32_t i = 0; i < size; ++i) {
      carry += static_cast<std::uint32_t>(~digits[i]);
      digits[i] = static_cast<std::uint32_t>(carry & kLow32);
      carry >>= 32;
    }
  }

  std::uint8_t byte(std::uint32_t i) const {
    return static_cast<std::uint8_t>(digits[i / 4] >> (8 * (i % 4)));
  }

  bool bit(std::int64_t i) const {
    const auto at = static_cast<std::uint32_t>(i);
    return i >= 0 && ((digits[at / 32] >> (at % 32)) & 1) != 0;
  }

  // 53 bits of which the lowest is bit `from`; bits below bit 0 are zeros.
  std::uint64_t mantissa(std::int64_t from) const {
    std::uint64_t result = 0;
    for (std::int64_t i = from + 52; i >= from; --i) result = (result << 1) | (bit(i) ? 1 : 0);
    return result;
  }

  bool any_below(std::int64_t end) const {
    std::int64_t i = 0;
    for (; i + 32 <= end; i += 32) {
      if (digits[static_cast<std::uint32_t>(i / 32)] != 0) return true;
    }
    for (; i < end; ++i) {
      if (bit(i)) return true;
    }
    return false;
  }
};

void ExactSum::reject(double value) {
  throw Error(Code::kNumericOutOfRange, "summed values must be finite",
              "The value is " + std::to_string(value) + ".");
}

void ExactSum::extend(std::uint32_t limb, std::uint32_t count) {
  if (limbs_.empty()) {
    limbs_.assign(count, 0);
    low_ = limb;
    return;
  }
  const std::uint32_t first = std::min(limb, low_);
  const std::uint32_t last =
      std::max(limb + count, low_ + static_cast<std::uint32_t>(limbs_.size()));
  if (last > kMaxLimbs) fail_range();
  limbs_.reserve(last - first);
  limbs_.insert(limbs_.begin(), low_ - first, 0);
  limbs_.resize(last - first, 0);
  low_ = first;
}

// Brings every limb but the last into [0, 2^32). The last keeps the sign, and is split when it
// needs more than 32 bits.
void ExactSum::carry() {
  for (std::size_t i = 0; i + 1 < limbs_.size(); ++i) {
    limbs_[i + 1] += limbs_[i] >> 32;
    limbs_[i] &= static_cast<std::int64_t>(kLow32);
  }
  const std::int64_t top = limbs_.back() >> 31;
  if (top != 0 && top != -1) {
    extend(low_ + static_cast<std::uint32_t>(limbs_.size()), 1);
    std::int64_t* last = &limbs_.back();
    last[0] = last[-1] >> 32;
    last[-1] &= static_cast<std::int64_t>(kLow32);
  }
  pending_ = 0;
}

void ExactSum::add(double value, std::uint64_t times) {
  const Parts parts = split(value);
  if (parts.mantissa == 0 || times == 0) return;
  std::int64_t* limb = room(parts.limb, 5);
  for (int i = 0; i < 3; ++i) {
    for (int j = 0; j < 2; ++j) {
      const std::uint64_t product = parts.piece(i) * ((times >> (32 * j)) & kLow32);
      const auto lower = static_cast<std::int64_t>(product & kLow32);
      const auto upper = static_cast<std::int64_t>(product >> 32);
      limb[i + j] += (lower ^ parts.sign) - parts.sign;
      limb[i + j + 1] += (upper ^ parts.sign) - parts.sign;
    }
  }
  pending_ += 4;
  if (pending_ >= kMaxPending) carry();
}

void ExactSum::combine(const ExactSum& other, std::int64_t factor) {
  if (other.limbs_.empty()) return;
  if (pending_ + other.pending_ >= kMaxPending) carry();
  const auto count = static_cast<std::uint32_t>(other.limbs_.size());
  std::int64_t* limb = room(other.low_, count);
  for (std::uint32_t i = 0; i < count; ++i) limb[i] += factor * other.limbs_[i];
  pending_ += other.pending_ + 1;
}

ExactSum::Magnitude ExactSum::magnitude() const {
  Magnitude result;
  result.low = low_;
  std::int64_t carry = 0;
  for (const std::int64_t limb : limbs_) {
    const std::int64_t total = limb + carry;
    result.digits[result.size++] =
        static_cast<std::uint32_t>(total & static_cast<std::int64_t>(kLow32));
    carry = total >> 32;
  }
  result.negative = carry < 0;
  for (int i = 0; i < 2; ++i) {
    result.digits[result.size++] =
        static_cast<std::uint32_t>(carry & static_cast<std::int64_t>(kLow32));
    carry >>= 32;
  }
  if (result.negative) result.negate();
  while (result.size > 0 && result.digits[result.size - 1] == 0) --result.size;
  return result;
}

int ExactSum::sign() const {
  const Magnitude sum = magnitude();
  if (sum.size == 0) return 0;
  return sum.negative ? -1 : 1;
}

double ExactSum::value() const {
  const Magnitude sum = magnitude();
  if (sum.size == 0) return 0;
  const std::int64_t top =
      32 * static_cast<std::int64_t>(sum.size) - 1 - std::countl_zero(sum.digits[sum.size - 1]);
  const std::int64_t base = 32 * static_cast<std::int64_t>(sum.low);
  // Position of the mantissa's lowest bit: no lower than the unit of the subnormals.
  const std::int64_t from = std::max(top - 52, -base);
  std::uint64_t bits = sum.mantissa(from);
  if (sum.bit(from - 1) && (bits % 2 == 1 || sum.any_below(from - 1))) ++bits;
  // A mantissa with its leading bit adds one to the exponent, a subnormal one does not; a carry
  // out of the mantissa does what rounding up to the next power of two must do.
  bits += static_cast<std::uint64_t>(from + base) << 52;
  constexpr std::uint64_t kInfinity = 0x7ff0000000000000;
  bits = from + base >= 2046 ? kInfinity : std::min(bits, kInfinity);
  return std::bit_cast<double>(bits | (static_cast<std::uint64_t>(sum.negative) << 63));
}

void ExactSum::write(ByteWriter& out) const {
  const Magnitude sum = magnitude();
  if (sum.size == 0) return out.varint(0);
  if (sum.low + sum.size > kMaxLimbs) fail_range();
  std::uint32_t first = 0;
  std::uint32_t last = 4 * sum.size - 1;
  while (sum.byte(first) == 0) ++first;
  while (sum.byte(last) == 0) --last;
  const std::uint32_t length = last - first + 1;
  out.varint(2 * length + (sum.negative ? 1 : 0));
  out.signed_varint(static_cast<std::int64_t>(4 * sum.low + first) - kUnitByte);
  for (std::uint32_t i = first; i <= last; ++i) out.fixed(sum.byte(i));
}

ExactSum ExactSum::read(ByteReader& in, std::pmr::memory_resource* resource) {
  ExactSum result(resource);
  const std::uint64_t head = in.varint();
  if (head == 0) return result;
  const std::uint64_t length = head / 2;
  const std::int64_t shift = in.signed_varint();
  if (length == 0 || length > 4 * kMaxLimbs || shift < -kUnitByte ||
      shift > 4 * static_cast<std::int64_t>(kMaxLimbs) - kUnitByte -
                  static_cast<std::int64_t>(length)) {
    in.fail("its sum is out of range");
  }
  const auto bytes = in.raw(static_cast<std::size_t>(length));
  if (bytes.front() == 0 || bytes.back() == 0) in.fail("its sum has needless zeros");
  const auto first = static_cast<std::uint32_t>(shift + kUnitByte);
  const auto end = first + static_cast<std::uint32_t>(length);
  std::int64_t* limbs = result.room(first / 4, (end + 3) / 4 - first / 4);
  for (std::uint32_t i = 0; i < length; ++i) {
    const std::uint32_t at = first % 4 + i;
    limbs[at / 4] |= static_cast<std::int64_t>(bytes[i]) << (8 * (at % 4));
  }
  if (head % 2 == 1) {
    for (std::int64_t& limb : result.limbs_) limb = -limb;
  }
  return result;
}

void ExactSum::write(Bytes& out) const {
  ByteWriter writer(out);
  writer.fixed(kVersion1);
  write(writer);
}

ExactSum ExactSum::read(std::span<const std::uint8_t> bytes, std::pmr::memory_resource* resource) {
  ByteReader in(bytes, "vigil.exact_sum");
  if (in.fixed<std::uint8_t>() != kVersion1) in.fail("its version is unknown");
  ExactSum result = read(in, resource);
  in.finish();
  return result;
}

bool ExactSum::operator==(const ExactSum& other) const {
  std::array<std::byte, 2048> memory;
  std::pmr::monotonic_buffer_resource arena(memory.data(), memory.size(),
                                            limbs_.get_allocator().resource());
  ExactSum difference(*this, &arena);
  difference.subtract(other);
  return difference.sign() == 0;
}

}  // namespace vigil
