#include "core/histogram_point.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <string>

namespace vigil {
namespace {

constexpr int kMaxPointScale = 20;  // that of the OpenTelemetry SDKs
constexpr std::uint64_t kSteps = 256;

[[noreturn]] void fail(const std::string& reason) {
  throw Error(Code::kInvalidArgument, "histogram data point contradicts itself", reason);
}

std::string text_of(double value) {
  std::array<char, 32> text;
  return {text.data(), std::to_chars(text.data(), text.data() + text.size(), value).ptr};
}

// Adds up counts that may not exceed 64 bits together.
void add_count(std::uint64_t& total, std::uint64_t count) {
  if (count > std::numeric_limits<std::uint64_t>::max() - total) {
    throw Error(Code::kNumericOutOfRange, "histogram count is out of range",
                "The counts exceed 2^64 - 1 together.");
  }
  total += count;
}

}  // namespace

// What builds histograms from their parts.
class HistogramParts {
 public:
  HistogramParts(int scale, std::pmr::memory_resource* resource) : result_(resource, scale) {
    result_.bucketed_ = true;
  }

  void add_zeros(std::uint64_t count) {
    result_.zeros_ = count;
    add_count(result_.count_, count);
  }

  void add_side(std::span<const ExponentialPoint::Bucket> buckets, int lower_by, bool is_negative) {
    constexpr double kLeast = std::numeric_limits<double>::denorm_min();
    const auto index_at = [&](double value) {
      return bucket::index_of(value) >> (bucket::kMaxScale - result_.requested_scale_);
    };
    for (const auto& [index, count] : buckets) {
      const std::int64_t wide = index >> lower_by;
      if (wide < index_at(kLeast) || wide > index_at(std::numeric_limits<double>::max())) {
        fail("Bucket " + std::to_string(index) + " is beyond what double precision can hold.");
      }
      add_count(result_.count_, count);
      result_.add_to(
          is_negative ? result_.negative_ : result_.positive_,
          static_cast<std::int32_t>(wide) << (bucket::kMaxScale - result_.requested_scale_), count);
    }
  }

  Histogram finish(const ExponentialPoint& point) {
    if (result_.count_ == 0) {
      return Histogram(result_.distinct_.get_allocator().resource(), result_.requested_scale_);
    }
    const auto [lowest, highest] = result_.outermost();
    result_.min_ = point.min ? moved(*point.min, lowest, true, point) : lowest;
    result_.max_ = point.max ? moved(*point.max, highest, false, point) : highest;
    if (result_.min_ > result_.max_) fail("Its minimum exceeds its maximum.");
    if (point.sum) {
      set_sum(*point.sum, point.zero_threshold * static_cast<double>(point.zero_count), true);
    } else {
      result_.for_each_point(
          [&](double value, std::uint64_t times) { result_.sum_.add(value, times); });
    }
    return std::move(result_);
  }

  // Of a finished histogram, whatever it was before.
  static void replace_sum(Histogram& histogram, double sum) {
    if (!histogram.bucketed_) histogram.to_buckets();
    HistogramParts parts(histogram.requested_scale_,
                         histogram.distinct_.get_allocator().resource());
    parts.result_ = std::move(histogram);
    parts.result_.sum_ = ExactSum(parts.result_.distinct_.get_allocator().resource());
    parts.set_sum(sum, 0, false);
    histogram = std::move(parts.result_);
  }

 private:
  // An end that was told, within the bucket where it belongs; one bucket further is rounding.
  double moved(double told, double end, bool is_min, const ExponentialPoint& point) const {
    if (!std::isfinite(told)) fail("A minimum or maximum is not finite.");
    if (end == 0) {
      if (std::fabs(told) <= point.zero_threshold || told == 0) return 0;
      fail("Its minimum or maximum, " + text_of(told) + ", is not 0 as that of its buckets.");
    }
    const bool in_sign = told != 0 && std::signbit(told) == std::signbit(end);
    const int shift = bucket::kMaxScale - result_.scale_;
    const auto index = [&](double value) { return bucket::index_of(std::fabs(value)) >> shift; };
    if (!in_sign || std::abs(index(told) - index(end)) > 1) {
      fail("Its " + std::string(is_min ? "minimum" : "maximum") + ", " + text_of(told) +
           ", lies outside its outermost bucket.");
    }
    const double least = bucket::least(index(end), result_.scale_);
    const double greatest = bucket::greatest(index(end), result_.scale_);
    return std::copysign(std::clamp(std::fabs(told), least, greatest), end);
  }

  // A sum, moved into what the counts allow if it is off by rounding, or at any rate if not strict.
  void set_sum(double told, double slack, bool is_strict) {
    if (!std::isfinite(told)) fail("Its sum is not finite.");
    std::pmr::memory_resource* resource = result_.distinct_.get_allocator().resource();
    result_.sum_.add(told);
    if (result_.has_possible_sum()) return;
    ExactSum low(resource);
    ExactSum high(resource);
    low.add(result_.min_, result_.count_);
    high.add(result_.max_, result_.count_);
    const bool is_low = told < (low.value() + high.value()) / 2;
    const double bound = is_low ? low.value() : high.value();
    const double far = std::max(std::fabs(low.value()), std::fabs(high.value()));
    if (is_strict && std::fabs(told - bound) > 1e-6 * far + slack) {
      fail("Its sum, " + text_of(told) + ", is not between count times minimum and maximum.");
    }
    result_.sum_ = is_low ? std::move(low) : std::move(high);
  }

  Histogram result_;
};

Histogram from_point(const ExponentialPoint& point, std::pmr::memory_resource* resource) {
  if (point.scale < bucket::kMinScale || point.scale > kMaxPointScale) {
    throw Error(Code::kInvalidArgument,
                "histogram scale " + std::to_string(point.scale) + " is out of range",
                "The scale of a data point must be between -10 and 20.");
  }
  if (!(point.zero_threshold >= 0) || !std::isfinite(point.zero_threshold)) {
    fail("Its zero threshold is negative or not finite.");
  }
  const auto scale = static_cast<int>(std::min<std::int64_t>(point.scale, bucket::kMaxScale));
  const int lower_by = static_cast<int>(point.scale) - scale;
  HistogramParts parts(scale, resource);
  parts.add_zeros(point.zero_count);
  parts.add_side(point.negative, lower_by, true);
  parts.add_side(point.positive, lower_by, false);
  Histogram result = parts.finish(point);
  if (point.count && *point.count != result.count()) {
    fail("Its count is " + std::to_string(*point.count) + ", its buckets hold " +
         std::to_string(result.count()) + ".");
  }
  return result;
}

ExponentialPoint to_point(const Histogram& histogram, std::pmr::memory_resource* resource) {
  ExponentialPoint point(resource);
  point.count = histogram.count();
  point.scale = histogram.scale();
  if (histogram.count() == 0) return point;
  point.sum = histogram.sum();
  point.min = histogram.min();
  point.max = histogram.max();
  const Histogram counted = histogram.in_buckets(histogram.scale());
  point.scale = counted.scale();
  counted.for_each_index([&](int sign, std::int32_t index, std::uint64_t count) {
    if (sign == 0) {
      point.zero_count = count;
    } else {
      (sign < 0 ? point.negative : point.positive).push_back({index, count});
    }
  });
  std::ranges::reverse(point.negative);
  return point;
}

void read_spans(std::span<const Span> spans, std::span<const std::int64_t> deltas,
                std::pmr::vector<ExponentialPoint::Bucket>& out) {
  std::int64_t index = -1;  // bucket 0 of Prometheus ends at 1, as bucket -1 of OTLP does
  std::int64_t count = 0;
  std::size_t used = 0;
  // Far beyond every double at every scale, and far from overflow.
  constexpr std::int64_t kFarthest = std::int64_t{1} << 40;
  for (std::size_t i = 0; i < spans.size(); ++i) {
    if (spans[i].offset < (i == 0 ? -kFarthest : 0) || spans[i].offset > kFarthest ||
        index > kFarthest) {
      fail("A span has offset " + std::to_string(spans[i].offset) + ".");
    }
    index += spans[i].offset;
    if (spans[i].length > deltas.size() - used) fail("Its spans are longer than its deltas.");
    for (std::uint64_t left = spans[i].length; left > 0; --left, ++index) {
      if (__builtin_add_overflow(count, deltas[used++], &count) || count < 0) {
        fail("A bucket has a negative count.");
      }
      if (count > 0) out.push_back({index, static_cast<std::uint64_t>(count)});
    }
  }
  if (used != deltas.size()) fail("Its spans are shorter than its deltas.");
}

void write_spans(std::span<const ExponentialPoint::Bucket> buckets, std::pmr::vector<Span>& spans,
                 std::pmr::vector<std::int64_t>& deltas) {
  std::int64_t next = -1;
  std::int64_t before = 0;
  const auto put = [&](std::uint64_t count) {
    if (count > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
      throw Error(Code::kNumericOutOfRange, "a bucket's count is out of range for Prometheus",
                  "It is " + std::to_string(count) + ".");
    }
    deltas.push_back(static_cast<std::int64_t>(count) - before);
    before = static_cast<std::int64_t>(count);
    ++spans.back().length;
    ++next;
  };
  for (const auto& [index, count] : buckets) {
    if (spans.empty() || index - next > 2) {
      spans.push_back({index - next, 0});
      next = index;
    }
    while (next < index) put(0);
    put(count);
  }
}

Histogram from_classic(std::span<const double> bounds, std::span<const std::uint64_t> cumulative,
                       std::optional<double> sum, std::pmr::memory_resource* resource) {
  if (bounds.size() != cumulative.size()) fail("It has not as many counts as bounds.");
  if (sum && !std::isfinite(*sum)) fail("Its sum is not finite.");
  Histogram result(resource);
  std::uint64_t before = 0;
  double lower = 0;
  for (std::size_t i = 0; i < bounds.size(); ++i) {
    const bool is_last = i + 1 == bounds.size();
    const double bound = bounds[i];
    if (std::isnan(bound) || bound == -HUGE_VAL || (bound == HUGE_VAL && (!is_last || i == 0))) {
      fail("Its bounds must be finite but for the last of several.");
    }
    if (i > 0 && bound <= bounds[i - 1]) fail("Its bounds do not ascend.");
    if (cumulative[i] < before) fail("Its counts fall: they must be cumulative.");
    const std::uint64_t count = cumulative[i] - before;
    before = cumulative[i];
    const bool is_point = bound == HUGE_VAL || (i == 0 && bound <= 0);
    const double upper = bound == HUGE_VAL ? lower : bound;
    const std::uint64_t steps =
        is_point ? std::min<std::uint64_t>(count, 1) : std::min(count, kSteps);
    for (std::uint64_t step = 0; step < steps; ++step) {
      const double at = (static_cast<double>(step) + 0.5) / static_cast<double>(steps);
      const double value = is_point ? upper : lower * (1 - at) + upper * at;
      result.add(value, count / steps + (step < count % steps ? 1 : 0));
    }
    lower = upper;
  }
  if (sum && result.count() > 0) HistogramParts::replace_sum(result, *sum);
  return result;
}

}  // namespace vigil
