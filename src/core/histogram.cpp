#include "core/histogram.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstring>
#include <iterator>
#include <limits>
#include <string>

namespace vigil {
namespace {

using bucket::Range;

std::string text_of(double value) {
  std::array<char, 32> text;
  return {text.data(), std::to_chars(text.data(), text.data() + text.size(), value).ptr};
}

void check_parameters(int scale, std::uint32_t max_buckets) {
  if (!Histogram::is_scale(scale)) {
    throw Error(Code::kInvalidArgument,
                "histogram scale " + std::to_string(scale) + " is out of range",
                "The scale must be between -10 and 8.");
  }
  if (!Histogram::is_limit(max_buckets)) {
    throw Error(Code::kInvalidArgument,
                "histogram bucket limit " + std::to_string(max_buckets) + " is out of range",
                "The limit must be between 4 and 16384.");
  }
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

void Histogram::check_value(double value) {
  if (std::isfinite(value)) return;
  throw Error(Code::kNumericOutOfRange, "histogram values must be finite",
              "The value is " + text_of(value) + ".");
}

void Histogram::check_room(std::uint64_t count, std::uint64_t times) {
  if (times <= std::numeric_limits<std::uint64_t>::max() - count) return;
  throw Error(Code::kNumericOutOfRange, "histogram count is out of range",
              "The histogram holds " + std::to_string(count) + " values and cannot take " +
                  std::to_string(times) + " more: the limit is 2^64 - 1.");
}

void Histogram::add(double value, std::uint64_t times) {
  check_value(value);
  check_room(count_, times);
  if (times == 0) return;
  value += 0.0;  // makes -0 the same as 0
  if (bucketed_) {
    add_bucketed(value, times);
  } else {
    add_distinct(value, times);
  }
  count_ += times;
}

std::size_t Histogram::find_distinct(double value) const noexcept {
  // A binary search without branches, which random values would mispredict.
  const Distinct* at = distinct_.data();
  for (std::size_t left = distinct_.size(); left > 0; left /= 2) {
    const std::size_t half = (left + 1) / 2;
    at += at[half - 1].value < value ? half : 0;
  }
  return static_cast<std::size_t>(at - distinct_.data());
}

// A value that was there before, a zero or a negative one.
bool Histogram::try_add_other(double value) noexcept {
  if (!std::isfinite(value) || count_ == kMostCount) return false;
  value += 0.0;  // makes -0 the same as 0
  if (!bucketed_) {
    const std::size_t at = find_distinct(value);
    if (at == distinct_.size() || distinct_[at].value != value) return false;
    ++distinct_[at].count;
    ++count_;
    return true;
  }
  if (value == 0) {
    ++zeros_;
  } else {
    if (value > -std::numeric_limits<double>::min()) return false;
    const std::int32_t index = bucket::index_of(-value) >> (bucket::kMaxScale - scale_);
    if (!negative_.try_increment(index)) return false;
    if (!sum_.try_add(value)) {
      negative_.subtract(index, 1);
      return false;
    }
  }
  count_one(value);
  return true;
}

void Histogram::add_distinct(double value, std::uint64_t times) {
  const std::size_t at = find_distinct(value);
  if (at < distinct_.size() && distinct_[at].value == value) {
    distinct_[at].count += times;
  } else if (distinct_.size() < kMaxDistinct) {
    distinct_.insert(distinct_.begin() + static_cast<std::ptrdiff_t>(at), Distinct{value, times});
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

// The windows of counters are made once, for all values; otherwise they would grow with each.
void Histogram::make_room_for_distinct() {
  const auto index = [&](const Distinct& item) {
    return bucket::index_of(std::abs(item.value)) >> (bucket::kMaxScale - scale_);
  };
  const auto zero = std::ranges::lower_bound(distinct_, 0.0, {}, &Distinct::value);
  const auto positive = std::ranges::upper_bound(distinct_, 0.0, {}, &Distinct::value);
  Range below;
  Range above;
  if (zero != distinct_.begin()) below = {index(*std::prev(zero)), index(distinct_.front())};
  if (positive != distinct_.end()) above = {index(*positive), index(distinct_.back())};
  const int scale = scale_;
  fit(below, above);
  if (!below.empty()) negative_.cover(below.at_lower_scale(scale - scale_), max_buckets_);
  if (!above.empty()) positive_.cover(above.at_lower_scale(scale - scale_), max_buckets_);
}

void Histogram::to_buckets() {
  bucketed_ = true;
  make_room_for_distinct();
  for (const Distinct& item : distinct_) add_bucketed(item.value, item.count);
  distinct_ = std::pmr::vector<Distinct>(distinct_.get_allocator());
}

// The smaller scale and limit of this one and of what will be merged.
void Histogram::adopt(int scale, std::uint32_t max_buckets) {
  if (scale == requested_scale_ && max_buckets == max_buckets_) return;
  requested_scale_ = std::min(requested_scale_, static_cast<std::int8_t>(scale));
  max_buckets_ = std::min(max_buckets_, max_buckets);
  lower_to(requested_scale_);
  fit(negative_.occupied(), positive_.occupied());
}

void Histogram::merge(const Histogram& other) {
  if (&other == this) return merge(Histogram(other, distinct_.get_allocator().resource()));
  check_room(count_, other.count_);
  const std::uint64_t count = count_ + other.count_;
  adopt(other.requested_scale_, other.max_buckets_);
  if (other.bucketed_) {
    merge_buckets(other);
  } else {
    merge_distinct(other.distinct_);
  }
  count_ = count;
}

// The union of both lists of values; false, with nothing changed, when it is too long.
bool Histogram::try_unite(std::span<const Distinct> items) {
  std::array<Distinct, kMaxDistinct> all;
  std::size_t size = 0;
  auto mine = distinct_.begin();
  auto theirs = items.begin();
  while (mine != distinct_.end() || theirs != items.end()) {
    if (size == all.size()) return false;
    const bool is_mine =
        theirs == items.end() || (mine != distinct_.end() && mine->value <= theirs->value);
    const bool is_theirs =
        mine == distinct_.end() || (theirs != items.end() && theirs->value <= mine->value);
    all[size] = is_mine ? *mine : *theirs;
    if (is_mine && is_theirs) all[size].count += theirs->count;
    if (is_mine) ++mine;
    if (is_theirs) ++theirs;
    ++size;
  }
  distinct_.assign(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(size));
  return true;
}

void Histogram::merge_distinct(std::span<const Distinct> items) {
  // Put in one by one, each value moves those behind it; a few do not matter.
  if (!bucketed_ && 4 * items.size() > distinct_.size()) {
    if (try_unite(items)) return;
    to_buckets();
  }
  for (const Distinct& item : items) {
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
    std::uint64_t rank = wanted_rank(fractions[done]);
    walk([&](const Step& step) {
      const std::uint64_t before = seen;
      seen += step.count;
      while (rank <= seen) {
        if (rank <= before) return false;  // behind us: the fractions do not ascend, so walk anew
        values[done] = rank == 1 ? *min() : rank == count_ ? *max() : point(step);
        if (++done == fractions.size()) return false;
        rank = wanted_rank(fractions[done]);
      }
      return true;
    });
  }
  return true;
}

std::uint64_t Histogram::count_up_to(double value) const {
  if (std::isnan(value)) {
    throw Error(Code::kInvalidArgument, "the value to rank must be a number", "The value is NaN.");
  }
  if (count_ == 0 || value < *min()) return 0;
  if (value >= *max()) return count_;
  std::uint64_t seen = 0;
  walk([&](const Step& step) {
    if (point(step) > value) return false;
    seen += step.count;
    return true;
  });
  // The minimum is at or below, the maximum is not, wherever their buckets' points lie.
  return std::clamp<std::uint64_t>(seen, 1, count_ - 1);
}

std::optional<double> Histogram::rank(double value) const {
  const std::uint64_t up_to = count_up_to(value);
  if (count_ == 0) return std::nullopt;
  return static_cast<double>(up_to) / static_cast<double>(count_);
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

}  // namespace vigil
