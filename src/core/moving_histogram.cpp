#include "core/moving_histogram.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

namespace vigil {
namespace {

// Buckets of all doubles at the highest scale: the counters of a layer never need to be joined.
constexpr std::uint32_t kAllBuckets = 2098U << bucket::kMaxScale;

std::int32_t index_at(double magnitude, int scale) {
  return bucket::index_of(magnitude) >> (bucket::kMaxScale - scale);
}

}  // namespace

MovingHistogram::MovingHistogram(std::pmr::memory_resource* resource, int scale)
    : resource_(resource),
      parameters_(resource),
      layers_(resource),
      minima_(resource),
      maxima_(resource),
      sum_(resource),
      value_scale_(scale) {}

void MovingHistogram::add(double value) {
  Histogram::check_value(value);
  Histogram::check_room(count_, 1);
  value += 0.0;
  change_parameters(value_scale_, Histogram::kDefaultMaxBuckets, true);
  count_value(layer_of(value_scale_), value, 1);
  remember(value, 1);
  enter_ends(value, value);
  sum_.add(value);
  ++count_;
  ++next_row_;
}

void MovingHistogram::remove(double value) {
  value += 0.0;
  change_parameters(value_scale_, Histogram::kDefaultMaxBuckets, false);
  uncount_value(layer_of(value_scale_), value, 1);
  forget(value, 1);
  sum_.add(-value);
  --count_;
  leave();
}

void MovingHistogram::merge(const Histogram& row) {
  Histogram::check_room(count_, row.count_);
  change_parameters(row.requested_scale_, row.max_buckets_, true);
  if (row.bucketed_) {
    Layer& layer = layer_of(row.scale_);
    layer.negative.merge(row.negative_, 0, kAllBuckets);
    layer.positive.merge(row.positive_, 0, kAllBuckets);
    layer.count += row.count_;
    zeros_ += row.zeros_;
    sum_.merge(row.sum_);
    ++bucketed_rows_;
  }
  for (const Distinct& item : row.distinct_) {
    count_value(layer_of(row.requested_scale_), item.value, item.count);
    remember(item.value, item.count);
    sum_.add(item.value, item.count);
  }
  if (row.count_ > 0) enter_ends(*row.min(), *row.max());
  count_ += row.count_;
  ++next_row_;
}

void MovingHistogram::subtract(const Histogram& row) {
  change_parameters(row.requested_scale_, row.max_buckets_, false);
  if (row.bucketed_) {
    Layer& layer = layer_of(row.scale_);
    layer.negative.subtract(row.negative_);
    layer.positive.subtract(row.positive_);
    layer.count -= row.count_;
    zeros_ -= row.zeros_;
    sum_.subtract(row.sum_);
    --bucketed_rows_;
  }
  for (const Distinct& item : row.distinct_) {
    uncount_value(layer_of(row.requested_scale_), item.value, item.count);
    forget(item.value, item.count);
    sum_.add(-item.value, item.count);
  }
  count_ -= row.count_;
  leave();
}

MovingHistogram::Layer& MovingHistogram::layer_of(int scale) {
  for (Layer& layer : layers_) {
    if (layer.scale == scale) return layer;
  }
  return layers_.emplace_back(
      Layer{scale, bucket::Counts(resource_), bucket::Counts(resource_), 0});
}

void MovingHistogram::change_parameters(int scale, std::uint32_t max_buckets, bool enters) {
  const auto found = std::ranges::find_if(parameters_, [&](const Parameters& known) {
    return known.scale == scale && known.max_buckets == max_buckets;
  });
  if (found == parameters_.end()) {
    parameters_.push_back({scale, max_buckets, 1});
  } else if (enters) {
    ++found->rows;
  } else if (--found->rows == 0) {
    parameters_.erase(found);
  }
}

void MovingHistogram::count_value(Layer& layer, double value, std::uint64_t times) {
  layer.count += times;
  if (value == 0) {
    zeros_ += times;
    return;
  }
  bucket::Counts& counts = value > 0 ? layer.positive : layer.negative;
  const std::int32_t index = index_at(std::fabs(value), layer.scale);
  if (counts.try_add(index, times)) return;
  counts.cover({index, index}, kAllBuckets);
  counts.try_add(index, times);
}

void MovingHistogram::uncount_value(Layer& layer, double value, std::uint64_t times) {
  layer.count -= times;
  if (value == 0) {
    zeros_ -= times;
    return;
  }
  bucket::Counts& counts = value > 0 ? layer.positive : layer.negative;
  counts.subtract(index_at(std::fabs(value), layer.scale), times);
}

// When the frame has at most 64 different values, all of them are among the 65 seen last, and all
// their occurrences in the frame were counted: a value gives way only to 65 others seen since, and
// they leave the frame after it.
void MovingHistogram::remember(double value, std::uint64_t times) {
  std::size_t oldest = 0;
  for (std::size_t i = 0; i < recent_size_; ++i) {
    Recent& item = recent_[i];
    if (item.value == value) {
      item.count += times;
      item.last = next_row_;
      return;
    }
    if (item.last < recent_[oldest].last) oldest = i;
  }
  if (recent_size_ < kRecent) oldest = recent_size_++;
  recent_[oldest] = {value, times, next_row_, next_row_};
}

void MovingHistogram::forget(double value, std::uint64_t times) {
  for (std::size_t i = 0; i < recent_size_; ++i) {
    Recent& item = recent_[i];
    if (item.value != value) continue;
    if (item.first > first_row_) return;  // this occurrence is older than what was counted
    item.count -= times;
    if (item.count == 0) item = recent_[--recent_size_];
    return;
  }
}

void MovingHistogram::enter_ends(double min, double max) {
  while (!minima_.empty() && minima_.back().value >= min) minima_.pop_back();
  while (!maxima_.empty() && maxima_.back().value <= max) maxima_.pop_back();
  minima_.push_back({min, next_row_});
  maxima_.push_back({max, next_row_});
}

void MovingHistogram::leave() {
  if (!minima_.empty() && minima_.front().row == first_row_) minima_.pop_front();
  if (!maxima_.empty() && maxima_.front().row == first_row_) maxima_.pop_front();
  std::erase_if(layers_, [](const Layer& layer) { return layer.count == 0; });
  ++first_row_;
}

bool MovingHistogram::is_exact() const {
  if (bucketed_rows_ > 0) return false;
  const auto in_frame =
      std::count_if(recent_.begin(), recent_.begin() + static_cast<std::ptrdiff_t>(recent_size_),
                    [&](const Recent& item) { return item.last >= first_row_; });
  return in_frame <= static_cast<std::ptrdiff_t>(Histogram::kMaxDistinct);
}

Histogram MovingHistogram::result(std::pmr::memory_resource* resource) const {
  int scale = value_scale_;
  std::uint32_t max_buckets = Histogram::kDefaultMaxBuckets;
  if (!parameters_.empty()) {
    scale = bucket::kMaxScale;
    for (const Parameters& known : parameters_) {
      scale = std::min(scale, known.scale);
      max_buckets = std::min(max_buckets, known.max_buckets);
    }
  }
  Histogram result(resource, scale, max_buckets);
  if (count_ == 0) return result;
  if (is_exact()) {
    fill_exact(result);
  } else {
    fill_buckets(result);
  }
  result.count_ = count_;
  return result;
}

void MovingHistogram::fill_exact(Histogram& result) const {
  for (std::size_t i = 0; i < recent_size_; ++i) {
    if (recent_[i].last < first_row_) continue;
    result.distinct_.push_back({recent_[i].value, recent_[i].count});
  }
  std::ranges::sort(result.distinct_, {}, &Distinct::value);
}

void MovingHistogram::fill_buckets(Histogram& result) const {
  result.bucketed_ = true;
  for (const Layer& layer : layers_) {
    result.scale_ = std::min(result.scale_, static_cast<std::int8_t>(layer.scale));
  }
  bucket::Range negative;
  bucket::Range positive;
  for (const Layer& layer : layers_) {
    const int by = layer.scale - result.scale_;
    negative = negative.join(layer.negative.occupied().at_lower_scale(by));
    positive = positive.join(layer.positive.occupied().at_lower_scale(by));
  }
  result.fit(negative, positive);
  for (const Layer& layer : layers_) {
    const int by = layer.scale - result.scale_;
    result.negative_.merge(layer.negative, by, result.max_buckets_);
    result.positive_.merge(layer.positive, by, result.max_buckets_);
  }
  result.sum_.merge(sum_);
  result.zeros_ = zeros_;
  result.min_ = minima_.front().value;
  result.max_ = maxima_.front().value;
}

}  // namespace vigil
