#include "core/histogram.hpp"

#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>

namespace vigil {
namespace bucket {
namespace {

constexpr int kFractionBits = 52;
constexpr int kBoundaries = 1 << kMaxScale;
constexpr int kCells = 2 * kBoundaries;
constexpr int kCellShift = kFractionBits - kMaxScale - 1;

// floor(2^(k/256) * 2^52) - 2^52: the fraction bits of the largest double at or below each
// boundary between 1 and 2. All but the first and the last boundary are irrational, so no double
// equals one, and a double exceeds the boundary where its fraction exceeds these bits.
constexpr std::array<std::uint64_t, kBoundaries + 1> kBoundary = {
    0x0000000000000, 0x00b1afa5abcbe, 0x0163da9fb3335, 0x02168143b0280, 0x02c9a3e778060,
    0x037d42e11bbcc, 0x04315e86e7f84, 0x04e5f72f654b1, 0x059b0d3158574, 0x0650a0e3c1f88,
    0x0706b29ddf6dd, 0x07bd42b72a836, 0x0874518759bc8, 0x092bdf66607df, 0x09e3ecac6f383,
    0x0a9c79b1f3919, 0x0b5586cf9890f, 0x0c0f145e46c85, 0x0cc922b7247f7, 0x0d83b23395deb,
    0x0e3ec32d3d1a2, 0x0efa55fdfa9c4, 0x0fb66affed31a, 0x1073028d7233e, 0x11301d0125b50,
    0x11edbab5e2ab5, 0x12abdc06c31cb, 0x136a814f204aa, 0x1429aaea92ddf, 0x14e95934f312d,
    0x15a98c8a58e51, 0x166a45471c3c2, 0x172b83c7d517a, 0x17ed48695bbc0, 0x18af9388c8de9,
    0x1972658375d2f, 0x1a35beb6fcb75, 0x1af99f8138a1c, 0x1bbe084045cd3, 0x1c82f95281c6b,
    0x1d4873168b9aa, 0x1e0e75eb44026, 0x1ed5022fcd91c, 0x1f9c18438ce4c, 0x2063b88628cd6,
    0x212be3578a819, 0x21f49917ddc96, 0x22bdda27912d1, 0x2387a6e756238, 0x2451ffb82140a,
    0x251ce4fb2a63f, 0x25e85711ece75, 0x26b4565e27cdd, 0x2780e341ddf29, 0x284dfe1f56380,
    0x291ba7591bb6f, 0x29e9df51fdee1, 0x2ab8a66d10f12, 0x2b87fd0dad98f, 0x2c57e39771b2e,
    0x2d285a6e4030b, 0x2df961f641589, 0x2ecafa93e2f56, 0x2f9d24abd886a, 0x306fe0a31b715,
    0x31432edeeb2fd, 0x32170fc4cd831, 0x32eb83ba8ea31, 0x33c08b26416ff, 0x3496266e3fa2c,
    0x356c55f929ff0, 0x36431a2de883a, 0x371a7373aa9ca, 0x37f26231e7549, 0x38cae6d05d865,
    0x39a401b7140ee, 0x3a7db34e59ff6, 0x3b57fbfec6cf4, 0x3c32dc313a8e4, 0x3d0e544ede173,
    0x3dea64c123422, 0x3ec70df1c5174, 0x3fa4504ac801b, 0x40822c367a024, 0x4160a21f72e29,
    0x423fb27094689, 0x431f5d950a896, 0x43ffa3f84b9d4, 0x44e086061892d, 0x45c2042a7d231,
    0x46a41ed1d0057, 0x4786d668b3236, 0x486a2b5c13cd0, 0x494e1e192aed1, 0x4a32af0d7d3de,
    0x4b17dea6db7d6, 0x4bfdad5362a27, 0x4ce41b817c114, 0x4dcb299fddd0d, 0x4eb2d81d8abfe,
    0x4f9b2769d2ca6, 0x508417f4531ee, 0x516daa2cf6641, 0x5257de83f4eee, 0x5342b569d4f81,
    0x542e2f4f6ad27, 0x551a4ca5d920e, 0x56070dde910d1, 0x56f4736b527da, 0x57e27dbe2c4ce,
    0x58d12d497c7fd, 0x59c0827ff07cb, 0x5ab07dd485429, 0x5ba11fba87a02, 0x5c9268a5946b7,
    0x5d84590998b92, 0x5e76f15ad2148, 0x5f6a320dceb70, 0x605e1b976dc08, 0x6152ae6cdf6f4,
    0x6247eb03a5584, 0x633dd1d1929fd, 0x6434634ccc31f, 0x652b9febc8fb6, 0x6623882552224,
    0x671c1c70833f5, 0x68155d44ca973, 0x690f4b19e9538, 0x6a09e667f3bcc, 0x6b052fa75173e,
    0x6c012750bdabe, 0x6cfdcddd47645, 0x6dfb23c651a2e, 0x6ef9298593ae4, 0x6ff7df9519483,
    0x70f7466f42e87, 0x71f75e8ec5f73, 0x72f8286ead089, 0x73f9a48a58173, 0x74fbd35d7cbfd,
    0x75feb564267c8, 0x77024b1ab6e09, 0x780694fde5d3f, 0x790b938ac1cf6, 0x7a11473eb0186,
    0x7b17b0976cfda, 0x7c1ed0130c132, 0x7d26a62ff86f0, 0x7e2f336cf4e62, 0x7f3878491c490,
    0x80427543e1a11, 0x814d2add106d9, 0x82589994cce12, 0x8364c1eb941f7, 0x8471a4623c7ac,
    0x857f4179f5b20, 0x868d99b4492ec, 0x879cad931a436, 0x88ac7d98a6699, 0x89bd0a478580f,
    0x8ace5422aa0db, 0x8be05bad61778, 0x8cf3216b5448b, 0x8e06a5e0866d8, 0x8f1ae99157736,
    0x902fed0282c8a, 0x9145b0b91ffc5, 0x925c353aa2fe1, 0x93737b0cdc5e4, 0x948b82b5f98e4,
    0x95a44cbc8520e, 0x96bdd9a7670b2, 0x97d829fde4e4f, 0x98f33e47a22a2, 0x9a0f170ca07b9,
    0x9b2bb4d53fe0c, 0x9c49182a3f090, 0x9d674194bb8d4, 0x9e86319e32323, 0x9fa5e8d07f29d,
    0xa0c667b5de564, 0xa1e7aed8eb8bb, 0xa309bec4a2d33, 0xa42c980460ad7, 0xa5503b23e255c,
    0xa674a8af46052, 0xa799e1330b358, 0xa8bfe53c12e58, 0xa9e6b5579fdbf, 0xab0e521356eba,
    0xac36bbfd3f379, 0xad5ff3a3c2774, 0xae89f995ad3ad, 0xafb4ce622f2fe, 0xb0e07298db665,
    0xb20ce6c9a8952, 0xb33a2b84f15fa, 0xb468415b749b0, 0xb59728de55939, 0xb6c6e29f1c52a,
    0xb7f76f2fb5e46, 0xb928cf22749e3, 0xba5b030a10649, 0xbb8e0b79a6f1e, 0xbcc1e904bc1d2,
    0xbdf69c3f3a206, 0xbf2c25bd71e08, 0xc06286141b33c, 0xc199bdd85529c, 0xc2d1cd9fa652b,
    0xc40ab5fffd07a, 0xc544778fafb22, 0xc67f12e57d14b, 0xc7ba88988c932, 0xc8f6d9406e7b5,
    0xca3405751c4da, 0xcb720dcef9069, 0xccb0f2e6d1674, 0xcdf0b555dc3f9, 0xcf3155b5bab73,
    0xd072d4a07897b, 0xd1b532b08c968, 0xd2f87080d89f1, 0xd43c8eacaa1d6, 0xd5818dcfba487,
    0xd6c76e862e6d3, 0xd80e316c98397, 0xd955d71ff6075, 0xda9e603db3285, 0xdbe7cd63a8314,
    0xdd321f301b460, 0xde7d5641c0657, 0xdfc97337b9b5e, 0xe11676b197d16, 0xe264614f5a128,
    0xe3b333b16ee11, 0xe502ee78b3ff6, 0xe653924676d75, 0xe7a51fbc74c83, 0xe8f7977cdb73f,
    0xea4afa2a490d9, 0xeb9f4867cca6e, 0xecf482d8e67f0, 0xee4aaa2188510, 0xefa1bee615a27,
    0xf0f9c1cb64129, 0xf252b376bba97, 0xf3ac948dd7273, 0xf50765b6e4540, 0xf6632798844f8,
    0xf7bfdad9cbe13, 0xf91d802243c88, 0xfa7c1819e90d8, 0xfbdba3692d513, 0xfd3c22b8f71f1,
    0xfe9d96b2a23d9, 0x10000000000000};

// For each of 512 equal cells of the fraction, how many boundaries lie below it. Boundaries are
// more than a cell apart, so at most one more lies within.
constexpr std::array<std::uint16_t, kCells> make_cells() {
  std::array<std::uint16_t, kCells> cells{};
  std::uint16_t below = 0;
  for (std::uint64_t cell = 0; cell < kCells; ++cell) {
    while (kBoundary[below] < (cell << kCellShift)) ++below;
    cells[cell] = below;
  }
  return cells;
}

constexpr std::array<std::uint16_t, kCells> kCell = make_cells();

}  // namespace

std::int32_t index_of(double value) {
  auto bits = std::bit_cast<std::uint64_t>(value);
  std::int32_t exponent = static_cast<std::int32_t>(bits >> kFractionBits) - 1023;
  if (exponent == -1023) [[unlikely]] {  // subnormal: bring the leading bit where others have it
    const int shift = std::countl_zero(bits) - (63 - kFractionBits);
    bits <<= shift;
    exponent -= shift - 1;
  }
  const std::uint64_t fraction = bits & ((std::uint64_t{1} << kFractionBits) - 1);
  const std::int32_t below = kCell[fraction >> kCellShift];
  const std::int32_t further = fraction > kBoundary[static_cast<std::size_t>(below)] ? 1 : 0;
  return exponent * kBoundaries + below + further - 1;
}

double lower_bound(std::int32_t index, int scale) {
  const std::int64_t fine = std::int64_t{index} * (std::int64_t{1} << (kMaxScale - scale));
  const std::uint64_t fraction = kBoundary[static_cast<std::size_t>(fine & (kBoundaries - 1))];
  const auto exponent = static_cast<int>(fine >> kMaxScale);
  if (exponent > 1023) return std::numeric_limits<double>::max();
  constexpr std::uint64_t kOne = std::uint64_t{1023} << kFractionBits;
  return std::ldexp(std::bit_cast<double>(kOne | fraction), exponent);
}

double middle(std::int32_t index, int scale) {
  // 2 l u / (l + u) with u = l * base: this form does not overflow in the last bucket.
  const double point = lower_bound(index, scale) * (1 + max_relative_error(scale));
  return std::max(point, std::numeric_limits<double>::denorm_min());
}

double max_relative_error(int scale) {
  const double base = lower_bound(1, scale);
  return (base - 1) / (base + 1);
}

namespace {

template <typename Counter>
std::uint64_t load_as(const std::uint8_t* at) {
  Counter count;
  std::memcpy(&count, at, sizeof(count));
  return count;
}

template <typename Counter>
void store_as(std::uint8_t* at, std::uint64_t wide) {
  const auto count = static_cast<Counter>(wide);
  std::memcpy(at, &count, sizeof(count));
}

}  // namespace

std::uint64_t Counts::load(std::uint32_t slot) const {
  const std::uint8_t* at = bytes_.data() + (std::size_t{slot} << width_);
  switch (width_) {
    case 0:
      return *at;
    case 1:
      return load_as<std::uint16_t>(at);
    case 2:
      return load_as<std::uint32_t>(at);
    default:
      return load_as<std::uint64_t>(at);
  }
}

void Counts::store(std::uint32_t slot, std::uint64_t count) {
  std::uint8_t* at = bytes_.data() + (std::size_t{slot} << width_);
  switch (width_) {
    case 0:
      return store_as<std::uint8_t>(at, count);
    case 1:
      return store_as<std::uint16_t>(at, count);
    case 2:
      return store_as<std::uint32_t>(at, count);
    default:
      return store_as<std::uint64_t>(at, count);
  }
}

// Rewrites the counters for another window or width; what is in use must lie within.
void Counts::rebuild(std::int32_t base, std::uint32_t slots, std::uint32_t width) {
  Counts next(bytes_.get_allocator().resource());
  next.bytes_.resize(std::size_t{slots} << width);
  next.base_ = base;
  next.slots_ = slots;
  next.width_ = width;
  for_each([&](std::int32_t index, std::uint64_t count) {
    next.store(static_cast<std::uint32_t>(index - base), count);
    return true;
  });
  *this = std::move(next);
}

// The width of a counter that can hold `count`, at least the present one.
std::uint32_t Counts::width_for(std::uint64_t count) const {
  std::uint32_t width = width_;
  while (width < 3 && (count >> (8U << width)) != 0) ++width;
  return width;
}

bool Counts::try_add(std::int32_t index, std::uint64_t times) {
  const auto slot = static_cast<std::uint32_t>(index - base_);
  if (slot >= slots_) return false;
  const std::uint64_t count = load(slot) + times;
  if (width_ < 3 && (count >> (8U << width_)) != 0) [[unlikely]] {
    rebuild(base_, slots_, width_for(count));
  }
  store(slot, count);
  return true;
}

void Counts::cover(Range range, std::uint32_t limit, std::uint64_t most) {
  const Range used = occupied();
  const Range all = used.join(range);
  const std::int64_t end = std::int64_t{base_} + slots_;
  if (slots_ > 0 && all.first >= base_ && all.last < end) return;
  const auto span = static_cast<std::uint32_t>(all.span());
  constexpr std::uint32_t kFewest = 16;
  const std::uint32_t slots = std::min(std::max({2 * slots_, span, kFewest}), limit);
  const auto spare = static_cast<std::int32_t>(slots - span);
  // Room to grow lies where growth was seen: below, above, or around the first value.
  std::int32_t below = spare / 2;
  if (!used.empty() && all.last == used.last) below = spare;
  if (!used.empty() && all.first == used.first) below = 0;
  rebuild(all.first - below, slots, width_for(most));
}

void Counts::downscale(int by) {
  Counts next(bytes_.get_allocator().resource());
  next.width_ = width_;
  next.merge(*this, by, static_cast<std::uint32_t>(occupied().at_lower_scale(by).span()));
  *this = std::move(next);
}

void Counts::merge(const Counts& other, int by, std::uint32_t limit) {
  const Range range = other.occupied();
  if (range.empty()) return;
  cover(range.at_lower_scale(by), limit);
  other.for_each([&](std::int32_t index, std::uint64_t count) {
    try_add(index >> by, count);
    return true;
  });
}

Range Counts::occupied() const {
  std::uint32_t first = 0;
  std::uint32_t end = slots_;
  while (first < end && load(first) == 0) ++first;
  while (end > first && load(end - 1) == 0) --end;
  if (first == end) return {};
  return {base_ + static_cast<std::int32_t>(first), base_ + static_cast<std::int32_t>(end) - 1};
}

bool Counts::operator==(const Counts& other) const {
  const Range range = occupied();
  if (range != other.occupied()) return false;
  for (std::int32_t i = range.first; i <= range.last; ++i) {
    if (at(i) != other.at(i)) return false;
  }
  return true;
}

std::uint64_t Counts::at(std::int32_t index) const {
  const auto slot = static_cast<std::uint32_t>(index - base_);
  return slot < slots_ ? load(slot) : 0;
}

}  // namespace bucket

namespace {

using bucket::Range;

constexpr std::uint32_t kFewestBuckets = 4;
constexpr std::uint32_t kMostBuckets = 16384;

// The head byte: the format's version, how the values are kept, and whether parameters follow.
constexpr std::uint8_t kVersion = 0x10;
constexpr std::uint8_t kEmpty = 0;
constexpr std::uint8_t kDistinct = 1;
constexpr std::uint8_t kBuckets = 2;
constexpr std::uint8_t kParameters = 4;

std::string text_of(double value) {
  std::array<char, 32> text;
  return {text.data(), std::to_chars(text.data(), text.data() + text.size(), value).ptr};
}

// The bucket of a magnitude at a scale.
std::int32_t index_at(double magnitude, int scale) {
  return bucket::index_of(magnitude) >> (bucket::kMaxScale - scale);
}

bool is_scale(std::int64_t scale) {
  return scale >= bucket::kMinScale && scale <= bucket::kMaxScale;
}

bool is_limit(std::uint64_t max_buckets) {
  return max_buckets >= kFewestBuckets && max_buckets <= kMostBuckets;
}

void check_parameters(int scale, std::uint32_t max_buckets) {
  if (!is_scale(scale)) {
    throw Error(Code::kInvalidArgument,
                "histogram scale " + std::to_string(scale) + " is out of range",
                "The scale must be between -10 and 8.");
  }
  if (!is_limit(max_buckets)) {
    throw Error(Code::kInvalidArgument,
                "histogram bucket limit " + std::to_string(max_buckets) + " is out of range",
                "The limit must be between 4 and 16384.");
  }
}

// Doubles are stored without their trailing zero bytes, highest byte first: whole numbers are
// short.
std::uint32_t significant_bytes(double value) {
  const auto bits = std::bit_cast<std::uint64_t>(value);
  return bits == 0 ? 0 : 8 - static_cast<std::uint32_t>(std::countr_zero(bits)) / 8;
}

void write_double(ByteWriter& out, double value) {
  const auto bits = std::bit_cast<std::uint64_t>(value);
  const std::uint32_t size = significant_bytes(value);
  for (std::uint32_t i = 0; i < size; ++i) {
    out.fixed(static_cast<std::uint8_t>(bits >> (56 - 8 * i)));
  }
}

// Reads what write_double wrote in `size` bytes: a finite number that is not -0.
double read_double(ByteReader& in, std::uint32_t size) {
  if (size > 8) in.fail("a value is too long");
  const auto bytes = in.raw(size);
  std::uint64_t bits = 0;
  for (std::uint32_t i = 0; i < size; ++i) bits |= std::uint64_t{bytes[i]} << (56 - 8 * i);
  const auto value = std::bit_cast<double>(bits);
  if (significant_bytes(value) != size) in.fail("a value has needless zeros");
  if (!std::isfinite(value) || (value == 0 && size != 0)) in.fail("a value is not finite");
  return value;
}

}  // namespace

Histogram::Histogram(std::pmr::memory_resource* resource, int scale, std::uint32_t max_buckets)
    : distinct_(resource),
      negative_(resource),
      positive_(resource),
      sum_(resource),
      max_buckets_(max_buckets),
      requested_scale_(static_cast<std::int8_t>(scale)),
      scale_(static_cast<std::int8_t>(scale)) {
  check_parameters(scale, max_buckets);
}

Histogram::Histogram(const Histogram& other, std::pmr::memory_resource* resource)
    : distinct_(other.distinct_, resource),
      negative_(other.negative_, resource),
      positive_(other.positive_, resource),
      sum_(other.sum_, resource),
      count_(other.count_),
      zeros_(other.zeros_),
      min_(other.min_),
      max_(other.max_),
      max_buckets_(other.max_buckets_),
      requested_scale_(other.requested_scale_),
      scale_(other.scale_),
      bucketed_(other.bucketed_) {}

void Histogram::check_room(std::uint64_t times) const {
  if (times <= std::numeric_limits<std::uint64_t>::max() - count_) return;
  throw Error(Code::kNumericOutOfRange, "histogram count is out of range",
              "The histogram holds " + std::to_string(count_) + " values and cannot take " +
                  std::to_string(times) + " more: the limit is 2^64 - 1.");
}

void Histogram::add(double value, std::uint64_t times) {
  if (!std::isfinite(value)) [[unlikely]] {
    throw Error(Code::kNumericOutOfRange, "histogram values must be finite",
                "The value is " + text_of(value) + ".");
  }
  check_room(times);
  if (times == 0) return;
  value += 0.0;  // makes -0 the same as 0
  if (bucketed_) {
    add_bucketed(value, times);
  } else {
    add_distinct(value, times);
  }
  count_ += times;
}

void Histogram::add_distinct(double value, std::uint64_t times) {
  // A binary search without branches, which random values would mispredict.
  auto at = distinct_.begin();
  for (std::size_t left = distinct_.size(); left > 0; left /= 2) {
    const auto half = static_cast<std::ptrdiff_t>((left + 1) / 2);
    at += half * static_cast<std::ptrdiff_t>(at[half - 1].value < value);
  }
  if (at != distinct_.end() && at->value == value) {
    at->count += times;
  } else if (distinct_.size() < kMaxDistinct) {
    distinct_.insert(at, Distinct{value, times});
  } else {
    to_buckets();
    add_bucketed(value, times);
  }
}

void Histogram::add_bucketed(double value, std::uint64_t times) {
  if (value > 0) {
    add_to(positive_, bucket::index_of(value), times);
  } else if (value < 0) {
    add_to(negative_, bucket::index_of(-value), times);
  } else {
    zeros_ += times;
  }
  if (times == 1) {
    sum_.add(value);
  } else {
    sum_.add(value, times);
  }
  min_ = std::min(min_, value);
  max_ = std::max(max_, value);
}

// `index` is the bucket at kMaxScale.
void Histogram::add_to(bucket::Counts& counts, std::int32_t index, std::uint64_t times) {
  const std::int32_t before = index >> (bucket::kMaxScale - scale_);
  if (counts.try_add(before, times)) [[likely]] {
    return;
  }
  const Range wanted = counts.occupied().join({before, before});
  fit(&counts == &negative_ ? wanted : Range{}, &counts == &positive_ ? wanted : Range{});
  const std::int32_t now = index >> (bucket::kMaxScale - scale_);
  counts.cover({now, now}, max_buckets_);
  counts.try_add(now, times);
}

void Histogram::lower_to(int scale) {
  if (scale >= scale_) return;
  negative_.downscale(scale_ - scale);
  positive_.downscale(scale_ - scale);
  scale_ = static_cast<std::int8_t>(scale);
}

// Lowers the scale, if need be, to the highest at which these ranges, given at the present scale,
// keep the limit. As that depends on the ranges alone, and ranges only grow, the order in which
// values came does not matter. Scale -10 has 3 buckets for each sign and so always fits.
void Histogram::fit(Range negative, Range positive) {
  int by = 0;
  while (negative.at_lower_scale(by).span() > max_buckets_ ||
         positive.at_lower_scale(by).span() > max_buckets_) {
    ++by;
  }
  lower_to(scale_ - by);
}

void Histogram::to_buckets() {
  bucketed_ = true;
  for (const Distinct& item : distinct_) add_bucketed(item.value, item.count);
  distinct_ = std::pmr::vector<Distinct>(distinct_.get_allocator());
}

void Histogram::merge(const Histogram& other) {
  if (&other == this) return merge(Histogram(other, distinct_.get_allocator().resource()));
  check_room(other.count_);
  const std::uint64_t count = count_ + other.count_;
  requested_scale_ = std::min(requested_scale_, other.requested_scale_);
  max_buckets_ = std::min(max_buckets_, other.max_buckets_);
  lower_to(requested_scale_);
  fit(negative_.occupied(), positive_.occupied());
  if (other.bucketed_) {
    merge_buckets(other);
  } else {
    merge_distinct(other);
  }
  count_ = count;
}

void Histogram::merge_distinct(const Histogram& other) {
  for (const Distinct& item : other.distinct_) {
    if (bucketed_) {
      add_bucketed(item.value, item.count);
    } else {
      add_distinct(item.value, item.count);
    }
  }
}

void Histogram::merge_buckets(const Histogram& other) {
  if (!bucketed_) to_buckets();
  lower_to(other.scale_);
  const int by = other.scale_ - scale_;
  fit(negative_.occupied().join(other.negative_.occupied().at_lower_scale(by)),
      positive_.occupied().join(other.positive_.occupied().at_lower_scale(by)));
  negative_.merge(other.negative_, other.scale_ - scale_, max_buckets_);
  positive_.merge(other.positive_, other.scale_ - scale_, max_buckets_);
  zeros_ += other.zeros_;
  sum_.merge(other.sum_);
  min_ = std::min(min_, other.min_);
  max_ = std::max(max_, other.max_);
}

double Histogram::sum() const {
  if (bucketed_) return sum_.value();
  std::array<std::byte, 2048> memory;
  std::pmr::monotonic_buffer_resource arena(memory.data(), memory.size(),
                                            distinct_.get_allocator().resource());
  ExactSum total(&arena);
  for (const Distinct& item : distinct_) total.add(item.value, item.count);
  return total.value();
}

std::optional<double> Histogram::min() const {
  if (count_ == 0) return std::nullopt;
  return bucketed_ ? min_ : distinct_.front().value;
}

std::optional<double> Histogram::max() const {
  if (count_ == 0) return std::nullopt;
  return bucketed_ ? max_ : distinct_.back().value;
}

Histogram::Bucket Histogram::bounds(const Step& step) const {
  if (step.kind == Step::Kind::kValue) return {step.value, step.value, step.count};
  const double lower = bucket::lower_bound(step.index, scale_);
  const double upper = bucket::lower_bound(step.index + 1, scale_);
  if (step.kind == Step::Kind::kNegative) return {-upper, -lower, step.count};
  return {lower, upper, step.count};
}

// The value that stands for all values of a step.
double Histogram::point(const Step& step) const {
  if (step.kind == Step::Kind::kValue) return step.value;
  const double middle = bucket::middle(step.index, scale_);
  return std::clamp(step.kind == Step::Kind::kNegative ? -middle : middle, min_, max_);
}

// The rank, 1 .. count, computed in doubles as PostgreSQL's percentile_disc does.
std::uint64_t Histogram::wanted_rank(double fraction) const {
  if (!(fraction >= 0 && fraction <= 1)) {
    throw Error(Code::kInvalidArgument,
                "percentile fraction " + text_of(fraction) + " is out of range",
                "The fraction must be between 0 and 1.");
  }
  const double rank = std::ceil(fraction * static_cast<double>(count_));
  if (rank < 1) return 1;
  if (rank >= static_cast<double>(count_)) return count_;
  return static_cast<std::uint64_t>(rank);
}

std::optional<double> Histogram::percentile(double fraction) const {
  double value = 0;
  if (!percentiles({&fraction, 1}, {&value, 1})) return std::nullopt;
  return value;
}

bool Histogram::percentiles(std::span<const double> fractions, std::span<double> values) const {
  for (const double fraction : fractions) wanted_rank(fraction);
  if (count_ == 0) return false;
  std::size_t done = 0;
  while (done < fractions.size()) {
    std::uint64_t seen = 0;
    walk([&](const Step& step) {
      const std::uint64_t before = seen;
      seen += step.count;
      for (; done < fractions.size(); ++done) {
        const std::uint64_t rank = wanted_rank(fractions[done]);
        if (rank > seen) return true;
        if (rank <= before) return false;  // behind us: the fractions do not ascend, so walk anew
        values[done] = rank == 1 ? *min() : rank == count_ ? *max() : point(step);
      }
      return false;
    });
  }
  return true;
}

std::optional<double> Histogram::rank(double value) const {
  if (std::isnan(value)) {
    throw Error(Code::kInvalidArgument, "the value to rank must be a number", "The value is NaN.");
  }
  if (count_ == 0) return std::nullopt;
  if (value < *min()) return 0;
  if (value >= *max()) return 1;
  std::uint64_t seen = 0;
  walk([&](const Step& step) {
    if (point(step) > value) return false;
    seen += step.count;
    return true;
  });
  // The minimum is at or below, the maximum is not, wherever their buckets' points lie.
  seen = std::clamp<std::uint64_t>(seen, 1, count_ - 1);
  return static_cast<double>(seen) / static_cast<double>(count_);
}

double Histogram::max_relative_error() const {
  return bucketed_ ? bucket::max_relative_error(scale_) : 0;
}

bool Histogram::operator==(const Histogram& other) const {
  return max_buckets_ == other.max_buckets_ && requested_scale_ == other.requested_scale_ &&
         scale_ == other.scale_ && bucketed_ == other.bucketed_ && count_ == other.count_ &&
         zeros_ == other.zeros_ && min_ == other.min_ && max_ == other.max_ &&
         distinct_ == other.distinct_ && negative_ == other.negative_ &&
         positive_ == other.positive_ && sum_ == other.sum_;
}

// The stored form, see doc/format-histogram.md.

namespace {

// A count of at least 1 whose lowest bit of the first byte is a flag: six bits of count - 1, then
// the rest, less 1, where there is one.
void write_flagged_count(ByteWriter& out, std::uint64_t count, bool flag) {
  const std::uint64_t rest = (count - 1) >> 6;
  const std::uint64_t head = ((count - 1) & 0x3f) << 1 | (flag ? 1 : 0) | (rest != 0 ? 0x80 : 0);
  out.fixed(static_cast<std::uint8_t>(head));
  if (rest != 0) out.varint(rest - 1);
}

std::uint64_t read_flagged_count(ByteReader& in, bool& flag) {
  const auto head = in.fixed<std::uint8_t>();
  flag = (head & 1) != 0;
  const std::uint64_t low = (head >> 1) & 0x3f;
  if ((head & 0x80) == 0) return low + 1;
  const std::uint64_t rest = in.varint();
  constexpr std::uint64_t kMostRest = (std::numeric_limits<std::uint64_t>::max() >> 6) - 1;
  if (rest > kMostRest || (rest == kMostRest && low == 0x3f)) in.fail("a count is out of range");
  return ((rest + 1) << 6) + low + 1;
}

void write_counts(ByteWriter& out, const bucket::Counts& counts) {
  std::uint64_t used = 0;
  counts.for_each([&](std::int32_t, std::uint64_t) { return ++used != 0; });
  out.varint(used);
  if (used == 0) return;
  std::int32_t before = counts.occupied().first;
  std::uint64_t held = 0;  // the count of `before`, to be written once the next index is known
  out.signed_varint(before);
  counts.for_each([&](std::int32_t index, std::uint64_t count) {
    const bool gap = index - before > 1;
    if (held != 0) write_flagged_count(out, held, gap);
    if (gap) out.varint(static_cast<std::uint64_t>(index - before - 2));
    before = index;
    held = count;
    return true;
  });
  write_flagged_count(out, held, false);
}

// Reads the buckets that write_counts wrote and calls visit(index, count) for each.
template <typename Visit>
void read_buckets_of(ByteReader& in, int scale, std::uint32_t max_buckets, Visit&& visit) {
  const std::uint64_t used = in.varint();
  if (used == 0) return;
  if (used > max_buckets) in.fail("it has more buckets than its limit");
  std::int64_t index = in.signed_varint();
  if (index < index_at(std::numeric_limits<double>::denorm_min(), scale) ||
      index > index_at(std::numeric_limits<double>::max(), scale)) {
    in.fail("a bucket is out of range");
  }
  const std::int64_t end = index + max_buckets;
  for (std::uint64_t left = used; left > 0; --left) {
    if (index >= end) in.fail("its buckets lie too far apart");
    bool gap = false;
    const std::uint64_t count = read_flagged_count(in, gap);
    visit(static_cast<std::int32_t>(index++), count);
    if (!gap) continue;
    if (left == 1) in.fail("a gap follows its last bucket");
    const std::uint64_t skipped = in.varint();
    if (skipped >= max_buckets) in.fail("its buckets lie too far apart");
    index += static_cast<std::int64_t>(skipped) + 1;
  }
}

}  // namespace

void Histogram::write(Bytes& out) const {
  ByteWriter writer(out);
  const bool plain = requested_scale_ == kDefaultScale && max_buckets_ == kDefaultMaxBuckets;
  const std::uint8_t kind = bucketed_ ? kBuckets : distinct_.empty() ? kEmpty : kDistinct;
  writer.fixed(static_cast<std::uint8_t>(kVersion | kind | (plain ? 0 : kParameters)));
  if (!plain) {
    writer.signed_varint(requested_scale_);
    writer.varint(max_buckets_);
  }
  if (kind == kDistinct) write_distinct(writer);
  if (kind == kBuckets) write_buckets(writer);
}

void Histogram::write_distinct(ByteWriter& out) const {
  out.varint(distinct_.size());
  for (const Distinct& item : distinct_) {
    const std::uint64_t more = item.count - 1;
    const std::uint64_t inlined = std::min<std::uint64_t>(more, 15);
    out.fixed(static_cast<std::uint8_t>(significant_bytes(item.value) | inlined << 4));
    write_double(out, item.value);
    if (inlined == 15) out.varint(more - 15);
  }
}

void Histogram::write_buckets(ByteWriter& out) const {
  out.varint(static_cast<std::uint64_t>(requested_scale_ - scale_));
  out.fixed(static_cast<std::uint8_t>(significant_bytes(min_) | significant_bytes(max_) << 4));
  write_double(out, min_);
  write_double(out, max_);
  sum_.write(out);
  out.varint(zeros_);
  write_counts(out, negative_);
  write_counts(out, positive_);
}

Histogram Histogram::read(std::span<const std::uint8_t> bytes,
                          std::pmr::memory_resource* resource) {
  ByteReader in(bytes, "vigil.histogram");
  const auto head = in.fixed<std::uint8_t>();
  const std::uint8_t kind = head & 3;
  if ((head & 0xf0) != kVersion) in.fail("its version is not known");
  if ((head & 0x08) != 0 || kind > kBuckets) in.fail("its kind is not known");
  std::int64_t scale = kDefaultScale;
  std::uint64_t max_buckets = kDefaultMaxBuckets;
  if ((head & kParameters) != 0) {
    scale = in.signed_varint();
    max_buckets = in.varint();
    if (!is_scale(scale) || !is_limit(max_buckets)) in.fail("a parameter is out of range");
    if (scale == kDefaultScale && max_buckets == kDefaultMaxBuckets) {
      in.fail("its parameters are needless");
    }
  }
  Histogram result(resource, static_cast<int>(scale), static_cast<std::uint32_t>(max_buckets));
  if (kind == kDistinct) result.read_distinct(in);
  if (kind == kBuckets) result.read_buckets(in);
  in.finish();
  return result;
}

void Histogram::count_read(const ByteReader& in, std::uint64_t count) {
  if (count > std::numeric_limits<std::uint64_t>::max() - count_) in.fail("its count is too high");
  count_ += count;
}

void Histogram::read_distinct(ByteReader& in) {
  const std::uint64_t size = in.varint();
  if (size == 0 || size > kMaxDistinct) in.fail("its number of values is out of range");
  distinct_.reserve(std::min<std::size_t>(size, in.left()));
  for (std::uint64_t i = 0; i < size; ++i) {
    const auto head = in.fixed<std::uint8_t>();
    const double value = read_double(in, head & 0xf);
    if (i > 0 && value <= distinct_.back().value) in.fail("its values do not ascend");
    std::uint64_t more = head >> 4;
    if (more == 15) {
      const std::uint64_t rest = in.varint();
      if (rest > std::numeric_limits<std::uint64_t>::max() - 16) in.fail("its count is too high");
      more += rest;
    }
    distinct_.push_back({value, more + 1});
    count_read(in, more + 1);
  }
}

void Histogram::read_buckets(ByteReader& in) {
  const std::uint64_t lost = in.varint();
  if (lost > static_cast<std::uint64_t>(requested_scale_ - bucket::kMinScale)) {
    in.fail("its scale is out of range");
  }
  bucketed_ = true;
  scale_ = static_cast<std::int8_t>(requested_scale_ - static_cast<int>(lost));
  const auto sizes = in.fixed<std::uint8_t>();
  min_ = read_double(in, sizes & 0xf);
  max_ = read_double(in, sizes >> 4);
  sum_ = ExactSum::read(in, distinct_.get_allocator().resource());
  zeros_ = in.varint();
  count_read(in, zeros_);
  read_counts(in, negative_);
  read_counts(in, positive_);
  if (count_ <= kMaxDistinct || min_ >= max_) in.fail("it has too few values for buckets");
  check_ends(in);
  if (lost > 0) check_scale(in);
  check_sum(in);
}

void Histogram::read_counts(ByteReader& in, bucket::Counts& counts) {
  // A first look finds the range, so that memory is taken once and only for bytes that are right.
  ByteReader look = in;
  Range range;
  std::uint64_t most = 0;
  read_buckets_of(look, scale_, max_buckets_, [&](std::int32_t index, std::uint64_t count) {
    range = range.join({index, index});
    most = std::max(most, count);
    count_read(in, count);
  });
  if (!range.empty()) counts.cover(range, static_cast<std::uint32_t>(range.span()), most);
  read_buckets_of(in, scale_, max_buckets_,
                  [&](std::int32_t index, std::uint64_t count) { counts.try_add(index, count); });
}

// Minimum and maximum must lie in the outermost buckets.
void Histogram::check_ends(const ByteReader& in) const {
  const Range negative = negative_.occupied();
  const Range positive = positive_.occupied();
  bool low = zeros_ != 0 ? min_ == 0 : min_ > 0 && index_at(min_, scale_) == positive.first;
  bool high = zeros_ != 0 ? max_ == 0 : max_ < 0 && index_at(-max_, scale_) == negative.first;
  if (!negative.empty()) low = min_ < 0 && index_at(-min_, scale_) == negative.last;
  if (!positive.empty()) high = max_ > 0 && index_at(max_, scale_) == positive.last;
  if (!low || !high) in.fail("its minimum or maximum contradicts its buckets");
}

// A lowered scale must have had to be lowered: one scale higher, some sign exceeds the limit, at
// least if its smallest magnitude, which is not known when there are others below, was the least.
void Histogram::check_scale(const ByteReader& in) const {
  Range negative = negative_.occupied();
  Range positive = positive_.occupied();
  const int higher = scale_ + 1;
  if (!negative.empty()) {
    negative.first = max_ < 0 ? index_at(-max_, higher) : negative.first * 2;
    negative.last = index_at(-min_, higher);
  }
  if (!positive.empty()) {
    positive.first = min_ > 0 ? index_at(min_, higher) : positive.first * 2;
    positive.last = index_at(max_, higher);
  }
  if (negative.span() <= max_buckets_ && positive.span() <= max_buckets_) {
    in.fail("its scale is lower than needed");
  }
}

// The sum lies between count times the minimum and count times the maximum.
void Histogram::check_sum(const ByteReader& in) const {
  std::array<std::byte, 4096> memory;
  std::pmr::monotonic_buffer_resource arena(memory.data(), memory.size(),
                                            distinct_.get_allocator().resource());
  for (const double end : {min_, max_}) {
    ExactSum difference(&arena);
    difference.add(end, count_);
    difference.subtract(sum_);
    if (difference.sign() * (end == min_ ? 1 : -1) > 0) in.fail("its sum contradicts its values");
  }
}

}  // namespace vigil
