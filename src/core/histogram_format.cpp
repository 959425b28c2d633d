// The stored form of a histogram: doc/format-histogram.md.
#include <array>
#include <bit>
#include <cmath>
#include <limits>

#include "core/histogram.hpp"

namespace vigil {
namespace {

using bucket::Range;

// The head byte: the format's version, how the values are kept, and whether parameters follow.
constexpr std::uint8_t kVersion = 0x10;
constexpr std::uint8_t kEmpty = 0;
constexpr std::uint8_t kDistinct = 1;
constexpr std::uint8_t kBuckets = 2;
constexpr std::uint8_t kParameters = 4;

// The bucket of a magnitude at a scale.
std::int32_t index_at(double magnitude, int scale) {
  return bucket::index_of(magnitude) >> (bucket::kMaxScale - scale);
}

// Doubles are stored without their trailing zero bytes, highest byte first: whole numbers are
// short.
std::uint32_t significant_bytes(double value) {
  const auto bits = std::bit_cast<std::uint64_t>(value);
  return bits == 0 ? 0 : 8 - static_cast<std::uint32_t>(std::countr_zero(bits)) / 8;
}

void write_double(ByteWriter& out, double value) {
  const std::uint64_t bits = __builtin_bswap64(std::bit_cast<std::uint64_t>(value));
  out.raw({reinterpret_cast<const std::uint8_t*>(&bits), significant_bytes(value)});
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

// Counts are stored in blocks of eight neighbours, each counter with as many bits as the largest of
// the block needs: a block takes as many bytes as a counter has bits.
constexpr std::int32_t kBlock = bucket::Counts::kBlock;
using Block = std::array<std::uint64_t, kBlock>;

constexpr std::array<std::uint8_t, 16> kWidths = {1,  2,  3,  4,  5,  6,  7,  8,
                                                  10, 12, 14, 16, 20, 24, 32, 64};

// The number in kWidths of the least width that holds the largest of the counts.
std::uint32_t width_code(const Block& block) {
  std::uint64_t all = 0;
  for (const std::uint64_t count : block) all |= count;
  std::uint32_t code = 0;
  while (kWidths[code] < 64 - std::countl_zero(all)) ++code;
  return code;
}

void pack(ByteWriter& out, const Block& block, std::uint32_t width) {
  if (width == 64) {
    for (const std::uint64_t count : block) out.fixed(count);
    return;
  }
  std::uint64_t bits = 0;
  std::uint32_t size = 0;
  for (const std::uint64_t count : block) {
    bits |= count << size;
    for (size += width; size >= 8; size -= 8) {
      out.fixed(static_cast<std::uint8_t>(bits));
      bits >>= 8;
    }
  }
}

// Eight counters of up to eight bits as eight bytes.
std::uint64_t unpack_bytes(ByteReader& in, std::uint32_t width) {
  std::uint64_t word = 0;
  const auto source = in.raw(width);
  for (std::uint32_t i = 0; i < width; ++i) word |= std::uint64_t{source[i]} << (8 * i);
  const std::uint64_t mask = (std::uint64_t{1} << width) - 1;
  std::uint64_t bytes = 0;
  for (std::uint32_t i = 0; i < 8; ++i) bytes |= (word >> (i * width) & mask) << (8 * i);
  if ((bytes & (std::uint64_t{0x0101010101010101} << (width - 1))) == 0) in.fail("a count is too wide");
  return bytes;
}

std::uint64_t sum_of_bytes(std::uint64_t bytes) {
  constexpr std::uint64_t kOdd = 0x00ff00ff00ff00ff;
  const std::uint64_t pairs = (bytes & kOdd) + (bytes >> 8 & kOdd);
  return (pairs * 0x0001000100010001) >> 48;
}

void unpack(ByteReader& in, std::uint32_t width, Block& block) {
  std::array<std::uint8_t, 64 + 8> bytes{};  // with room to load whole words
  const auto source = in.raw(width);
  std::memcpy(bytes.data(), source.data(), width);
  const std::uint64_t mask = ~std::uint64_t{0} >> (64 - width);
  for (std::uint32_t i = 0; i < block.size(); ++i) {
    const std::uint32_t at = i * width;
    std::uint64_t word;
    std::memcpy(&word, bytes.data() + at / 8, sizeof(word));
    block[i] = (word >> (at % 8)) & mask;
  }
  if (kWidths[width_code(block)] != width) in.fail("a count is too wide");
}

// What precedes a block: how many empty blocks were left out before it, and its width.
struct BlockHead {
  std::uint64_t skipped;
  std::uint32_t width;
};

constexpr std::uint64_t kMostInHead = 15;

void write_head(ByteWriter& out, std::uint64_t skipped, std::uint32_t code) {
  const std::uint64_t in_head = std::min(skipped, kMostInHead);
  out.fixed(static_cast<std::uint8_t>(code << 4 | in_head));
  if (in_head == kMostInHead) out.varint(skipped - kMostInHead);
}

BlockHead read_head(ByteReader& in) {
  const auto head = in.fixed<std::uint8_t>();
  BlockHead result{head & kMostInHead, kWidths[head >> 4]};
  if (result.skipped < kMostInHead) return result;
  const std::uint64_t more = in.varint();
  result.skipped = more > std::numeric_limits<std::uint32_t>::max() ? more : more + kMostInHead;
  return result;
}

// Calls visit(number, block) for every block with a count.
template <typename Visit>
void for_each_block(const bucket::Counts& counts, Visit&& visit) {
  Block block{};
  std::int32_t number = 0;
  bool any = false;
  counts.for_each([&](std::int32_t index, std::uint64_t count) {
    if (any && index >> 3 != number) {
      visit(number, block);
      block = {};
    }
    any = true;
    number = index >> 3;
    block[static_cast<std::size_t>(index & (kBlock - 1))] = count;
    return true;
  });
  if (any) visit(number, block);
}

void write_counts(ByteWriter& out, const bucket::Counts& counts) {
  std::uint64_t blocks = 0;
  for_each_block(counts, [&](std::int32_t, const Block&) { ++blocks; });
  out.varint(blocks);
  bool first = true;
  std::int32_t before = 0;
  for_each_block(counts, [&](std::int32_t number, const Block& block) {
    if (first) out.signed_varint(number);
    const std::uint32_t code = width_code(block);
    write_head(out, first ? 0 : static_cast<std::uint64_t>(number - before - 1), code);
    pack(out, block, kWidths[code]);
    first = false;
    before = number;
  });
}

// The blocks that buckets of doubles fall into.
Range all_blocks(int scale) {
  return {index_at(std::numeric_limits<double>::denorm_min(), scale) >> 3,
          index_at(std::numeric_limits<double>::max(), scale) >> 3};
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
  if (count_ == 0 || min_ > max_) in.fail("it has no values");
  check_ends(in);
  if (!has_possible_sum()) in.fail("its sum contradicts its values");
}

void Histogram::read_counts(ByteReader& in, bucket::Counts& counts) {
  const std::uint64_t blocks = in.varint();
  if (blocks == 0) return;
  if (blocks > max_buckets_) in.fail("it has more buckets than its limit");
  const std::int64_t first = in.signed_varint();
  const Range all = all_blocks(scale_);
  if (first < all.first || first > all.last) in.fail("a bucket is out of range");

  // A look at the heads tells the range and the width, so that memory is taken once.
  ByteReader look = in;
  std::int64_t last = first;
  std::uint32_t widest = 0;
  for (std::uint64_t i = 0; i < blocks; ++i) {
    const BlockHead head = read_head(look);
    if (i == 0 ? head.skipped != 0 : head.skipped >= max_buckets_) {
      in.fail("its buckets lie too far apart");
    }
    if (i > 0) last += static_cast<std::int64_t>(head.skipped) + 1;
    if (last > all.last) in.fail("a bucket is out of range");
    widest = std::max(widest, head.width);
    look.raw(head.width);
  }
  if (last - first > max_buckets_ / kBlock + 1) in.fail("its buckets lie too far apart");
  counts.open({static_cast<std::int32_t>(first) * kBlock,
               static_cast<std::int32_t>(last) * kBlock + kBlock - 1},
              widest);

  auto at = static_cast<std::int32_t>(first - 1);
  for (std::uint64_t i = 0; i < blocks; ++i) {
    const BlockHead head = read_head(in);
    at += static_cast<std::int32_t>(head.skipped) + 1;
    if (head.width <= 8) {
      const std::uint64_t bytes = unpack_bytes(in, head.width);
      count_read(in, sum_of_bytes(bytes));
      counts.set_block(at * kBlock, bytes);
      continue;
    }
    Block block;
    unpack(in, head.width, block);
    for (const std::uint64_t count : block) count_read(in, count);
    counts.set_block(at * kBlock, block);
  }
  const Range range = counts.occupied();
  if (range.span() > max_buckets_) in.fail("its buckets lie too far apart");
  if (range.first < index_at(std::numeric_limits<double>::denorm_min(), scale_) ||
      range.last > index_at(std::numeric_limits<double>::max(), scale_)) {
    in.fail("a bucket is out of range");
  }
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

}  // namespace vigil
