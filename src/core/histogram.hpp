// A mergeable summary of numbers that answers percentiles: exact while there are few distinct
// values, then OpenTelemetry's base-2 exponential histogram (opentelemetry-specification,
// "Metrics Data Model", ExponentialHistogram).
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory_resource>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "core/bucket.hpp"
#include "core/bytes.hpp"
#include "core/exact_sum.hpp"

namespace vigil {

// State and bytes are a function of the multiset of values (and of the smallest scale and limit
// given) alone: any order of adding and any tree of merging gives equal bytes.
//
// Up to 64 distinct values are kept as they are, so percentiles are exact. Beyond, percentiles are
// off by at most max_relative_error(); count, sum, min and max stay exact. The scale starts at
// `scale` and falls when the range of the values of one sign needs more than `max_buckets`.
//
// Memory: about 250 bytes, 16 for each distinct value, then 1 to 8 for each bucket between the
// smallest and the largest magnitude of a sign. All of it comes from the resource, which must
// outlive the object; destroying the object may be skipped. If memory runs out inside add() or
// merge() the object may only be destroyed.
class Histogram {
 public:
  static constexpr int kDefaultScale = 6;
  static constexpr std::uint32_t kDefaultMaxBuckets = 16384;
  static constexpr std::uint32_t kMaxDistinct = 64;
  static constexpr std::uint32_t kFewestBuckets = 4;
  static constexpr std::uint32_t kMostBuckets = 16384;

  static bool is_scale(std::int64_t scale) {
    return scale >= bucket::kMinScale && scale <= bucket::kMaxScale;
  }
  static bool is_limit(std::uint64_t max_buckets) {
    return max_buckets >= kFewestBuckets && max_buckets <= kMostBuckets;
  }

  // A bucket of the values in (lower, upper], or in [lower, upper) when they are negative; a
  // single value when both are equal.
  struct Bucket {
    double lower;
    double upper;
    std::uint64_t count;
  };

  // `scale` in -10 .. 8, `max_buckets` in 4 .. 16384, else Error{kInvalidArgument}.
  explicit Histogram(std::pmr::memory_resource* resource, int scale = kDefaultScale,
                     std::uint32_t max_buckets = kDefaultMaxBuckets);
  Histogram(const Histogram& other, std::pmr::memory_resource* resource);
  Histogram(Histogram&&) = default;
  Histogram& operator=(Histogram&&) = default;
  Histogram(const Histogram&) = delete;
  Histogram& operator=(const Histogram&) = delete;

  // The lowest scale whose percentiles keep a relative error. Error{kInvalidArgument} unless it is
  // below 1 and at least that of scale 8, 0.00135.
  static int scale_for(double max_relative_error);

  // Whether that is the scale asked for.
  bool is_made_for(double max_relative_error) const noexcept {
    return max_relative_error >= bucket::max_relative_error(requested_scale_) &&
           max_relative_error < (requested_scale_ == bucket::kMinScale
                                     ? 1
                                     : bucket::max_relative_error(requested_scale_ - 1));
  }

  // Error{kInvalidArgument} unless the fraction is within 0 .. 1.
  static void check_fraction(double fraction);

  // Adds a value `times` times; -0 counts as 0. Error{kNumericOutOfRange}, with nothing changed,
  // when the value is not finite or the count would exceed 2^64 - 1.
  void add(double value, std::uint64_t times = 1);

  // Adds a value once where that is plain counting, as for nearly all values of a large set;
  // otherwise returns false with nothing changed, and add() has to do it.
  bool try_add(double value) noexcept {
    const auto bits = std::bit_cast<std::uint64_t>(value);
    const bool is_normal = (bits >> bucket::kFractionBits) - 1 < 2046;  // and positive
    const std::int32_t index = bucket::index_of_normal(bits) >> (bucket::kMaxScale - scale_);
    // Until there are buckets, the window of counters is empty.
    if (!is_normal || count_ == kMostCount || !positive_.try_increment(index)) {
      return try_add_other(value);
    }
    if (!sum_.try_add(value)) [[unlikely]] {
      positive_.subtract(index, 1);
      return false;
    }
    count_one(value);
    return true;
  }

  // Asks for the memory that adding a normal value will need.
  void prefetch(double value) const noexcept {
    const auto bits = std::bit_cast<std::uint64_t>(value);
    if (bucketed_) {
      positive_.prefetch(bucket::index_of_normal(bits) >> (bucket::kMaxScale - scale_));
      sum_.prefetch();
    } else {
      __builtin_prefetch(distinct_.data());
    }
  }

  // Adds all values of another histogram. The result has the smaller scale and limit of both.
  // Error{kNumericOutOfRange}, with nothing changed, when the count would exceed 2^64 - 1.
  void merge(const Histogram& other);

  // The same as merge(read(bytes)) without an object in between. After an Error some of the bytes
  // may have been added.
  void merge_stored(std::span<const std::uint8_t> bytes);

  // Takes away all values of another histogram, which must be contained in this one: what merge()
  // added comes off again, with count, buckets and sum exact. Error{kInvalidArgument}, with nothing
  // changed, when it cannot be contained; a difference within the buckets may go unseen.
  //
  // What stays in buckets does so, however few values are left, and at its scale. Its minimum
  // (maximum) is exact unless the other one has the same: then it is the end of the outermost
  // bucket left, a bound that lies within one bucket of the true one.
  void subtract(const Histogram& other);

  std::uint64_t count() const { return count_; }
  bool is_exact() const { return !bucketed_; }

  // The exact sum, correctly rounded; 0 when empty.
  double sum() const;
  std::optional<double> min() const;
  std::optional<double> max() const;

  // The value of rank ceil(fraction * count), as percentile_disc chooses it; nothing when empty.
  // The first and last ranks are min and max themselves, and everything lies between them.
  // Error{kInvalidArgument} when the fraction is outside 0 .. 1.
  std::optional<double> percentile(double fraction) const;

  // The same for several fractions: one walk over the buckets when they ascend. `values` has the
  // size of `fractions`. Returns false, with nothing written, when empty.
  bool percentiles(std::span<const double> fractions, std::span<double> values) const;

  // How many values are at or below `value`. Where buckets stand for values, each counts as the
  // value that percentile() gives for it, so the answer lies between the true numbers at `value`
  // less and plus max_relative_error(). Error{kInvalidArgument} for NaN.
  std::uint64_t count_up_to(double value) const;

  // The same as a share of all values, 0 .. 1; nothing when empty.
  std::optional<double> rank(double value) const;

  // The largest relative error of percentile(): 0 while exact, 0.0054 at scale 6.
  double max_relative_error() const;

  // The present scale: the one asked for, or lower where the range of the values was too wide.
  int scale() const { return scale_; }
  int requested_scale() const { return requested_scale_; }
  std::uint32_t max_buckets() const { return max_buckets_; }

  // Calls visit(Bucket) for every bucket that is not empty, in ascending order.
  template <typename Visit>
  void for_each_bucket(Visit&& visit) const {
    walk([&](const Step& step) {
      visit(bounds(step));
      return true;
    });
  }

  // Calls visit(value, count) for what stands for the values: they themselves, or the middles of
  // the buckets, moved into min .. max. In ascending order.
  template <typename Visit>
  void for_each_point(Visit&& visit) const {
    walk([&](const Step& step) {
      visit(point(step), step.count);
      return true;
    });
  }

  // The same values counted in buckets, at this scale or a lower one.
  Histogram in_buckets(int scale) const;

  // Calls visit(sign, index, count) for every bucket of a histogram in buckets that is not empty,
  // ascending; index 0 for zeros.
  template <typename Visit>
  void for_each_index(Visit&& visit) const {
    walk([&](const Step& step) {
      visit(step.kind == Step::Kind::kValue      ? 0
            : step.kind == Step::Kind::kPositive ? 1
                                                 : -1,
            step.index, step.count);
      return true;
    });
  }

  // Calls visit(count, count) for every value or bucket, of one common scale, that is not empty in
  // either histogram, in ascending order.
  template <typename Visit>
  static void for_each_of_both(const Histogram& one, const Histogram& other, Visit&& visit) {
    if (one.bucketed_ || other.bucketed_) {
      const int scale = std::min(one.scale_, other.scale_);
      visit_both(one.in_buckets(scale), other.in_buckets(scale), visit);
    } else {
      visit_both(one, other, visit);
    }
  }

  // At most `most` rows, 12 or more, that show the whole distribution: the values where they are
  // few, else joined buckets, empty ones between them too, from minimum to maximum.
  std::pmr::vector<Bucket> overview(std::size_t most) const;

  // Equal states write equal bytes (doc/format-histogram.md): 1 byte when empty with the default
  // parameters. read() takes only what write() gives; anything else is Error{kInvalidBinary}. It
  // allocates no more than 16 bytes per byte read and 8 for each bucket of the range.
  void write(Bytes& out) const;
  static Histogram read(std::span<const std::uint8_t> bytes, std::pmr::memory_resource* resource);

  bool operator==(const Histogram& other) const;

 private:
  friend class MovingHistogram;
  friend class HistogramParts;

  static constexpr std::uint64_t kMostCount = std::numeric_limits<std::uint64_t>::max();

  struct Distinct {
    double value;
    std::uint64_t count;
    bool operator==(const Distinct&) const = default;
  };

  // What the first bytes say: how values are kept, and the parameters.
  struct Head {
    std::uint8_t kind;
    int scale;
    std::uint32_t max_buckets;
  };

  // One stop of a walk in ascending order: an exact value, or a bucket of one sign.
  struct Step {
    enum class Kind { kValue, kNegative, kPositive } kind;
    double value;  // of kValue
    std::int32_t index;
    std::uint64_t count;
  };

  // Calls visit(Step) in ascending order until it returns false.
  template <typename Visit>
  void walk(Visit&& visit) const {
    for (const Distinct& item : distinct_) {
      if (!visit(Step{Step::Kind::kValue, item.value, 0, item.count})) return;
    }
    if (!bucketed_) return;
    const bucket::Range range = negative_.occupied();
    for (std::int32_t i = range.last; i >= range.first; --i) {
      const std::uint64_t count = negative_.at(i);
      if (count != 0 && !visit(Step{Step::Kind::kNegative, 0, i, count})) return;
    }
    if (zeros_ != 0 && !visit(Step{Step::Kind::kValue, 0, 0, zeros_})) return;
    positive_.for_each([&](std::int32_t index, std::uint64_t count) {
      return visit(Step{Step::Kind::kPositive, 0, index, count});
    });
  }

  // The place of a step among those of all histograms of the same scale.
  static std::pair<int, double> place(const Step& step) {
    if (step.kind == Step::Kind::kNegative) return {-1, -step.index};
    if (step.kind == Step::Kind::kPositive) return {1, step.index};
    return {0, step.value};
  }

  template <typename Visit>
  static void visit_both(const Histogram& one, const Histogram& other, Visit&& visit) {
    std::pmr::vector<Step> steps(other.distinct_.get_allocator().resource());
    other.walk([&](const Step& step) {
      steps.push_back(step);
      return true;
    });
    auto next = steps.begin();
    const auto skip_to = [&](auto&& is_before) {
      for (; next != steps.end() && is_before(place(*next)); ++next) visit(0, next->count);
    };
    one.walk([&](const Step& step) {
      const auto at = place(step);
      skip_to([&](const auto& there) { return there < at; });
      const bool is_in_both = next != steps.end() && place(*next) == at;
      visit(step.count, is_in_both ? (next++)->count : 0);
      return true;
    });
    skip_to([](const auto&) { return true; });
  }

  Bucket bounds(const Step& step) const;
  double point(const Step& step) const;
  std::uint64_t wanted_rank(double fraction) const;

  void count_one(double value) noexcept {
    ++count_;
    min_ = std::min(min_, value);
    max_ = std::max(max_, value);
  }

  // The place of a value among the distinct ones, or where it would be inserted.
  std::size_t find_distinct(double value) const noexcept;
  bool try_add_other(double value) noexcept;
  void add_distinct(double value, std::uint64_t times);
  void add_bucketed(double value, std::uint64_t times);
  void add_to(bucket::Counts& counts, std::int32_t index, std::uint64_t times);
  void adopt(int scale, std::uint32_t max_buckets);
  bool try_unite(std::span<const Distinct> items);
  void merge_distinct(std::span<const Distinct> items);
  void merge_buckets(const Histogram& other);
  void subtract_distinct(const Histogram& other);
  void subtract_buckets(const Histogram& other);
  std::pair<double, double> outermost() const;
  bool has_possible_sum() const { return is_possible_sum(sum_, count_, min_, max_); }
  static bool is_possible_sum(const ExactSum& sum, std::uint64_t count, double min, double max);
  static void check_value(double value);
  static void check_room(std::uint64_t count, std::uint64_t times);
  void make_room_for_distinct();
  void to_buckets();
  void lower_to(int scale);
  void fit(bucket::Range negative, bucket::Range positive);

  void write_distinct(ByteWriter& out) const;
  void write_buckets(ByteWriter& out) const;
  static Head read_head(ByteReader& in);
  void take(const Head& head, ByteReader& in);
  void take_distinct(ByteReader& in);
  void take_buckets(const Head& head, ByteReader& in);

  // What try_add() touches comes first, together.
  bucket::Counts positive_;
  ExactSum sum_;  // once there are buckets, as are zeros_, min_ and max_
  std::uint64_t count_ = 0;
  double min_ = std::numeric_limits<double>::infinity();
  double max_ = -std::numeric_limits<double>::infinity();
  std::int8_t scale_;
  std::int8_t requested_scale_;
  bool bucketed_ = false;
  std::uint32_t max_buckets_;
  std::uint64_t zeros_ = 0;
  bucket::Counts negative_;              // by magnitude
  std::pmr::vector<Distinct> distinct_;  // ascending; empty once there are buckets
};

}  // namespace vigil
