// Histograms taken from each other, side by side, and in fewer rows.
#include <algorithm>
#include <array>
#include <cmath>

#include "core/histogram.hpp"

namespace vigil {
namespace {

[[noreturn]] void fail_contained(const char* reason) {
  throw Error(Code::kInvalidArgument, "histogram to subtract is not contained in the other", reason,
              "Subtract only what was added or merged before.");
}

// Whether each count of `part` is at most that of `whole`.
bool is_within(const bucket::Counts& part, const bucket::Counts& whole) {
  bool result = true;
  part.for_each([&](std::int32_t index, std::uint64_t count) {
    result = count <= whole.at(index);
    return result;
  });
  return result;
}

}  // namespace

void Histogram::subtract(const Histogram& other) {
  if (other.count_ == 0) return;
  if (other.count_ > count_) fail_contained("It has more values.");
  if (bucketed_) {
    subtract_buckets(other);
  } else {
    subtract_distinct(other);
  }
}

void Histogram::subtract_distinct(const Histogram& other) {
  std::pmr::memory_resource* resource = distinct_.get_allocator().resource();
  if (other.bucketed_) fail_contained("It has more different values.");
  std::pmr::vector<Distinct> left(resource);
  auto taken = other.distinct_.begin();
  for (const Distinct& item : distinct_) {
    if (taken == other.distinct_.end() || taken->value != item.value) {
      left.push_back(item);
      continue;
    }
    if (taken->count > item.count) fail_contained("It has a value more often.");
    if (taken->count < item.count) left.push_back({item.value, item.count - taken->count});
    ++taken;
  }
  if (taken != other.distinct_.end())
    fail_contained("It has a value that the other does not have.");
  distinct_ = std::move(left);
  count_ -= other.count_;
}

void Histogram::subtract_buckets(const Histogram& other) {
  std::pmr::memory_resource* resource = distinct_.get_allocator().resource();
  Histogram part(other, resource);
  if (!part.bucketed_) {
    part.scale_ = scale_;  // its values are known, whatever scale it would take
    part.to_buckets();
  }
  if (part.scale_ < scale_) fail_contained("Its values span a wider range.");
  part.lower_to(scale_);
  if (part.zeros_ > zeros_ || !is_within(part.negative_, negative_) ||
      !is_within(part.positive_, positive_)) {
    fail_contained("It has more values in a bucket.");
  }
  if (part.min_ < min_ || part.max_ > max_) fail_contained("Its values span a wider range.");

  Histogram left(*this, resource);
  left.negative_.subtract(part.negative_);
  left.positive_.subtract(part.positive_);
  left.zeros_ -= part.zeros_;
  left.sum_.subtract(part.sum_);
  left.count_ -= part.count_;
  if (left.count_ == 0) {
    if (left.sum_.sign() != 0) fail_contained("Its sum differs.");
    *this = Histogram(resource, requested_scale_, max_buckets_);
    return;
  }
  const auto [lowest, highest] = left.outermost();
  if (part.min_ == min_) left.min_ = std::max(min_, lowest);
  if (part.max_ == max_) left.max_ = std::min(max_, highest);
  if (!left.has_possible_sum()) fail_contained("Its sum contradicts its buckets.");
  *this = std::move(left);
}

// The least and the greatest double that the occupied buckets allow.
std::pair<double, double> Histogram::outermost() const {
  const bucket::Range negative = negative_.occupied();
  const bucket::Range positive = positive_.occupied();
  double lowest = 0;
  double highest = 0;
  if (!negative.empty()) {
    lowest = -bucket::greatest(negative.last, scale_);
    highest = -bucket::least(negative.first, scale_);
  }
  if (zeros_ != 0) highest = 0;
  if (!positive.empty()) {
    highest = bucket::greatest(positive.last, scale_);
    if (negative.empty() && zeros_ == 0) lowest = bucket::least(positive.first, scale_);
  }
  return {lowest, highest};
}

// Whether the sum lies between count times the minimum and count times the maximum.
bool Histogram::is_possible_sum(const ExactSum& sum, std::uint64_t count, double min, double max) {
  // Doubles show it unless it lies very near to one of them.
  const double rounded = sum.value();
  const auto times = static_cast<double>(count);
  const auto is_above = [](double one, double other) {
    return one - other > 0x1p-50 * (std::fabs(one) + std::fabs(other));
  };
  if (is_above(rounded, times * min) && is_above(times * max, rounded)) return true;
  std::array<std::byte, 4096> memory;
  std::pmr::monotonic_buffer_resource arena(memory.data(), memory.size());
  const auto sign_of_difference = [&](double end) {
    ExactSum difference(&arena);
    difference.add(end, count);
    difference.subtract(sum);
    return difference.sign();
  };
  return sign_of_difference(min) <= 0 && sign_of_difference(max) >= 0;
}

Histogram Histogram::in_buckets(int scale) const {
  Histogram result(*this, distinct_.get_allocator().resource());
  if (!result.bucketed_ && count_ > 0) result.to_buckets();
  result.lower_to(scale);
  return result;
}

std::pmr::vector<Histogram::Bucket> Histogram::overview(std::size_t most) const {
  std::pmr::vector<Bucket> rows(distinct_.get_allocator().resource());
  if (count_ == 0) return rows;
  if (!bucketed_ && distinct_.size() <= most) {
    for_each_bucket([&](const Bucket& bucket) { rows.push_back(bucket); });
    return rows;
  }
  Histogram coarse = in_buckets(scale_);
  const auto size = [&] {
    return static_cast<std::size_t>(coarse.negative_.occupied().span() +
                                    coarse.positive_.occupied().span() +
                                    (coarse.zeros_ > 0 ? 1 : 0));
  };
  while (size() > most && coarse.scale_ > bucket::kMinScale) coarse.lower_to(coarse.scale_ - 1);
  const auto add = [&](Step::Kind kind, std::int32_t index, std::uint64_t count) {
    rows.push_back(coarse.bounds({kind, 0, index, count}));
  };
  const bucket::Range negative = coarse.negative_.occupied();
  for (std::int32_t i = negative.last; i >= negative.first; --i) {
    add(Step::Kind::kNegative, i, coarse.negative_.at(i));
  }
  if (coarse.zeros_ > 0) add(Step::Kind::kValue, 0, coarse.zeros_);
  const bucket::Range positive = coarse.positive_.occupied();
  for (std::int32_t i = positive.first; i <= positive.last; ++i) {
    add(Step::Kind::kPositive, i, coarse.positive_.at(i));
  }
  rows.front().lower = coarse.min_;
  rows.back().upper = coarse.max_;
  return rows;
}

}  // namespace vigil
