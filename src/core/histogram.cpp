#include "core/histogram.hpp"

#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>

namespace vigil {
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
    : positive_(resource),
      sum_(resource),
      scale_(static_cast<std::int8_t>(scale)),
      requested_scale_(static_cast<std::int8_t>(scale)),
      max_buckets_(max_buckets),
      negative_(resource),
      distinct_(resource) {
  check_parameters(scale, max_buckets);
}

Histogram::Histogram(const Histogram& other, std::pmr::memory_resource* resource)
    : positive_(other.positive_, resource),
      sum_(other.sum_, resource),
      count_(other.count_),
      min_(other.min_),
      max_(other.max_),
      scale_(other.scale_),
      requested_scale_(other.requested_scale_),
      bucketed_(other.bucketed_),
      max_buckets_(other.max_buckets_),
      zeros_(other.zeros_),
      negative_(other.negative_, resource),
      distinct_(other.distinct_, resource) {}

int Histogram::scale_for(double max_relative_error) {
  const double least = bucket::max_relative_error(bucket::kMaxScale);
  if (!(max_relative_error >= least && max_relative_error < 1)) {
    throw Error(Code::kInvalidArgument,
                "maximum relative error " + text_of(max_relative_error) + " is out of range",
                "It must be at least " + text_of(least) + " and less than 1.",
                "Give 0.01 for percentiles within 1 %.");
  }
  int scale = bucket::kMinScale;
  while (bucket::max_relative_error(scale) > max_relative_error) ++scale;
  return scale;
}

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

void Histogram::check_fraction(double fraction) {
  if (fraction >= 0 && fraction <= 1) return;
  throw Error(Code::kInvalidArgument,
              "percentile fraction " + text_of(fraction) + " is out of range",
              "The fraction must be between 0 and 1.");
}

// The rank, 1 .. count, computed in doubles as PostgreSQL's percentile_disc does.
std::uint64_t Histogram::wanted_rank(double fraction) const {
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
  for (const double fraction : fractions) check_fraction(fraction);
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
