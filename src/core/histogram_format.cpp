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
constexpr std::string_view kType = "vigil.histogram";
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
  constexpr std::uint64_t kOnes = 0x0101010101010101;
  const bool is_followed = in.left() >= sizeof(std::uint64_t);
  const auto source = in.raw(width);
  std::uint64_t word = 0;
  std::memcpy(&word, source.data(), is_followed ? sizeof(word) : width);
  // Halves are moved apart until each counter has its byte.
  const std::uint64_t ones = (std::uint64_t{1} << width) - 1;
  const std::uint64_t twos = ones << width | ones;
  const std::uint64_t fours = twos << 2 * width | twos;
  const auto move = [&](std::uint64_t mask, std::uint32_t from, std::uint32_t to) {
    word = (word & mask) | (word >> from & mask) << to;
  };
  move(fours, 4 * width, 32);
  move(twos * 0x0000000100000001, 2 * width, 16);
  move(ones * 0x0001000100010001, width, 8);
  if ((word & kOnes << (width - 1)) == 0) in.fail("a count is too wide");
  return word;
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

std::uint64_t sum_of(const ByteReader& in, std::uint64_t one, std::uint64_t other) {
  if (other > std::numeric_limits<std::uint64_t>::max() - one) in.fail("its count is too high");
  return one + other;
}

// The blocks that buckets of doubles fall into.
Range all_blocks(int scale) {
  return {index_at(std::numeric_limits<double>::denorm_min(), scale) >> 3,
          index_at(std::numeric_limits<double>::max(), scale) >> 3};
}

// The counts of one sign as they are stored.
class StoredCounts {
 public:
  // A look at the heads tells the range and the width, so that memory is taken once.
  StoredCounts(ByteReader& in, int scale, std::uint32_t max_buckets)
      : blocks_(in.varint()), at_(in) {
    if (blocks_ == 0) return;
    if (blocks_ > max_buckets) in.fail("it has more buckets than its limit");
    const std::int64_t first = in.signed_varint();
    const Range all = all_blocks(scale);
    if (first < all.first || first > all.last) in.fail("a bucket is out of range");
    at_ = in;
    std::int64_t last = first;
    for (std::uint64_t i = 0; i < blocks_; ++i) {
      const BlockHead head = read_head(in);
      if (i == 0 ? head.skipped != 0 : head.skipped >= max_buckets) {
        in.fail("its buckets lie too far apart");
      }
      if (i > 0) last += static_cast<std::int64_t>(head.skipped) + 1;
      if (last > all.last) in.fail("a bucket is out of range");
      widest_ = std::max(widest_, head.width);
      if (i == 0)
        range_.first = static_cast<std::int32_t>(first) * kBlock + ends_of(in, head.width).first;
      if (i + 1 == blocks_)
        range_.last = static_cast<std::int32_t>(last) * kBlock + ends_of(in, head.width).last;
      in.raw(head.width);
    }
    first_ = static_cast<std::int32_t>(first);
    last_ = static_cast<std::int32_t>(last);
    if (range_.span() > max_buckets) in.fail("its buckets lie too far apart");
    if (range_.first < index_at(std::numeric_limits<double>::denorm_min(), scale) ||
        range_.last > index_at(std::numeric_limits<double>::max(), scale)) {
      in.fail("a bucket is out of range");
    }
  }

  // From the lowest to the highest that is not zero.
  Range range() const { return range_; }

  // Adds them to counts of a scale lower by `by`, and returns their sum.
  std::uint64_t add_to(bucket::Counts& counts, int by, std::uint32_t limit) const {
    if (blocks_ == 0) return 0;
    if (by == 0 && !counts.has_window()) {
      counts.open({first_ * kBlock, last_ * kBlock + kBlock - 1}, widest_);
    } else {
      counts.cover(range_.at_lower_scale(by), limit);
    }
    ByteReader in = at_;
    std::uint64_t total = 0;
    std::int32_t number = first_ - 1;
    for (std::uint64_t i = 0; i < blocks_; ++i) {
      const BlockHead head = read_head(in);
      number += static_cast<std::int32_t>(head.skipped) + 1;
      if (head.width <= 8 && by == 0) {
        const std::uint64_t bytes = unpack_bytes(in, head.width);
        total = sum_of(in, total, sum_of_bytes(bytes));
        counts.add_block(number * kBlock, bytes);
        continue;
      }
      Block block;
      unpack(in, head.width, block);
      for (std::int32_t at = 0; at < kBlock; ++at) {
        const std::uint64_t count = block[static_cast<std::size_t>(at)];
        if (count == 0) continue;
        total = sum_of(in, total, count);
        counts.try_add((number * kBlock + at) >> by, count);
      }
    }
    return total;
  }

 private:
  // The first and the last of the next eight that is not zero.
  static Range ends_of(ByteReader in, std::uint32_t width) {
    if (width <= 8) {
      const std::uint64_t bytes = unpack_bytes(in, width);
      return {std::countr_zero(bytes) / 8, 7 - std::countl_zero(bytes) / 8};
    }
    Block block;
    unpack(in, width, block);
    Range ends{kBlock, -1};
    for (std::int32_t i = 0; i < kBlock; ++i) {
      if (block[static_cast<std::size_t>(i)] != 0) ends = {std::min(ends.first, i), i};
    }
    return ends;
  }

  std::uint64_t blocks_;
  ByteReader at_;           // where the first block begins
  std::int32_t first_ = 0;  // numbers of blocks
  std::int32_t last_ = -1;
  std::uint32_t widest_ = 0;
  Range range_;
};

// Minimum and maximum must lie in the outermost buckets.
void check_ends(const ByteReader& in, int scale, double min, double max, std::uint64_t zeros,
                Range negative, Range positive) {
  if (min > max || (zeros == 0 && negative.empty() && positive.empty()))
    in.fail("it has no values");
  bool low = zeros != 0 ? min == 0 : min > 0 && index_at(min, scale) == positive.first;
  bool high = zeros != 0 ? max == 0 : max < 0 && index_at(-max, scale) == negative.first;
  if (!negative.empty()) low = min < 0 && index_at(-min, scale) == negative.last;
  if (!positive.empty()) high = max > 0 && index_at(max, scale) == positive.last;
  if (!low || !high) in.fail("its minimum or maximum contradicts its buckets");
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

Histogram::Head Histogram::read_head(ByteReader& in) {
  const auto head = in.fixed<std::uint8_t>();
  const std::uint8_t kind = head & 3;
  if ((head & 0xf0) != kVersion) in.fail("its version is not known");
  if ((head & 0x08) != 0 || kind > kBuckets) in.fail("its kind is not known");
  if ((head & kParameters) == 0) return {kind, kDefaultScale, kDefaultMaxBuckets};
  const std::int64_t scale = in.signed_varint();
  const std::uint64_t max_buckets = in.varint();
  if (!is_scale(scale) || !is_limit(max_buckets)) in.fail("a parameter is out of range");
  if (scale == kDefaultScale && max_buckets == kDefaultMaxBuckets)
    in.fail("its parameters are needless");
  return {kind, static_cast<int>(scale), static_cast<std::uint32_t>(max_buckets)};
}

Histogram Histogram::read(std::span<const std::uint8_t> bytes,
                          std::pmr::memory_resource* resource) {
  ByteReader in(bytes, kType);
  const Head head = read_head(in);
  Histogram result(resource, head.scale, head.max_buckets);
  result.take(head, in);
  return result;
}

void Histogram::merge_stored(std::span<const std::uint8_t> bytes) {
  ByteReader in(bytes, kType);
  const Head head = read_head(in);
  adopt(head.scale, head.max_buckets);
  take(head, in);
}

// Adds what follows the head, whose parameters this one has adopted.
void Histogram::take(const Head& head, ByteReader& in) {
  if (head.kind == kDistinct) take_distinct(in);
  if (head.kind == kBuckets) take_buckets(head, in);
  in.finish();
}

void Histogram::take_distinct(ByteReader& in) {
  const std::uint64_t size = in.varint();
  if (size == 0 || size > kMaxDistinct) in.fail("its number of values is out of range");
  std::array<Distinct, kMaxDistinct> items;
  std::uint64_t total = 0;
  for (std::size_t i = 0; i < size; ++i) {
    const auto head = in.fixed<std::uint8_t>();
    const double value = read_double(in, head & 0xf);
    if (i > 0 && value <= items[i - 1].value) in.fail("its values do not ascend");
    std::uint64_t more = head >> 4;
    if (more == 15) {
      const std::uint64_t rest = in.varint();
      if (rest > kMostCount - 16) in.fail("its count is too high");
      more += rest;
    }
    items[i] = {value, more + 1};
    total = sum_of(in, total, more + 1);
  }
  check_room(count_, total);
  merge_distinct(std::span(items).first(static_cast<std::size_t>(size)));
  count_ += total;
}

void Histogram::take_buckets(const Head& head, ByteReader& in) {
  const std::uint64_t lost = in.varint();
  if (lost > static_cast<std::uint64_t>(head.scale - bucket::kMinScale)) {
    in.fail("its scale is out of range");
  }
  const int scale = head.scale - static_cast<int>(lost);
  const auto sizes = in.fixed<std::uint8_t>();
  const double min = read_double(in, sizes & 0xf);
  const double max = read_double(in, sizes >> 4);
  std::array<std::byte, 1024> memory;
  std::pmr::monotonic_buffer_resource arena(memory.data(), memory.size());
  const ExactSum sum = ExactSum::read(in, &arena);
  const std::uint64_t zeros = in.varint();
  const StoredCounts negative(in, scale, head.max_buckets);
  const StoredCounts positive(in, scale, head.max_buckets);
  check_ends(in, scale, min, max, zeros, negative.range(), positive.range());

  if (!bucketed_) to_buckets();
  lower_to(scale);
  const int by = scale - scale_;
  fit(negative_.occupied().join(negative.range().at_lower_scale(by)),
      positive_.occupied().join(positive.range().at_lower_scale(by)));
  std::uint64_t total = zeros;
  total = sum_of(in, total, negative.add_to(negative_, scale - scale_, max_buckets_));
  total = sum_of(in, total, positive.add_to(positive_, scale - scale_, max_buckets_));
  if (!is_possible_sum(sum, total, min, max)) in.fail("its sum contradicts its values");
  check_room(count_, total);
  count_ += total;
  zeros_ += zeros;
  sum_.merge(sum);
  min_ = std::min(min_, min);
  max_ = std::max(max_, max);
}

}  // namespace vigil
