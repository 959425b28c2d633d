// The histogram of a frame that slides: rows leave it in the order in which they came.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <memory_resource>
#include <vector>

#include "core/histogram.hpp"

namespace vigil {

// result() equals, byte for byte, the histogram of the rows in the frame made anew. A row is a
// value or a histogram; which it is must not change.
//
// What a histogram cannot take back is kept beside the counts: minimum and maximum in queues of the
// rows that are or may become one, and the 65 values seen last, which tell whether the frame has at
// most 64 different ones. Buckets stay at the scale in which rows came.
//
// Memory: about 4 kB, the queues (some entries, at worst one for each row), and counters between
// the smallest and the largest magnitude of the frame. It comes from the resource, which must
// outlive the object; destroying the object may be skipped. After an error only destroying helps.
class MovingHistogram {
 public:
  // `scale` is that of rows that are values.
  explicit MovingHistogram(std::pmr::memory_resource* resource,
                           int scale = Histogram::kDefaultScale);

  // A row enters. Errors as of Histogram.
  void add(double value);
  void merge(const Histogram& row);

  // The earliest row of the frame, which is given again, leaves.
  void remove(double value);
  void subtract(const Histogram& row);

  std::uint64_t rows() const { return next_row_ - first_row_; }
  int scale() const { return value_scale_; }

  Histogram result(std::pmr::memory_resource* resource) const;

 private:
  using Distinct = Histogram::Distinct;

  // What rows had in common, and how many had it.
  struct Parameters {
    int scale;
    std::uint32_t max_buckets;
    std::uint64_t rows;
  };

  struct Layer {
    int scale;
    bucket::Counts negative;
    bucket::Counts positive;
    std::uint64_t count;  // of values, zeros too
  };

  // One of the values seen last; `count` is its number in the rows from `first` on.
  struct Recent {
    double value;
    std::uint64_t count;
    std::uint64_t first;
    std::uint64_t last;
  };

  struct Candidate {
    double value;
    std::uint64_t row;
  };
  using Candidates = std::pmr::deque<Candidate>;

  Layer& layer_of(int scale);
  void change_parameters(int scale, std::uint32_t max_buckets, bool enters);
  void count_value(Layer& layer, double value, std::uint64_t times);
  void uncount_value(Layer& layer, double value, std::uint64_t times);
  void remember(double value, std::uint64_t times);
  void forget(double value, std::uint64_t times);
  void enter_ends(double min, double max);
  void leave();
  bool is_exact() const;
  void fill_exact(Histogram& result) const;
  void fill_buckets(Histogram& result) const;

  static constexpr std::size_t kRecent = Histogram::kMaxDistinct + 1;

  std::pmr::memory_resource* resource_;
  std::pmr::vector<Parameters> parameters_;
  std::pmr::vector<Layer> layers_;
  std::array<Recent, kRecent> recent_;
  std::size_t recent_size_ = 0;
  Candidates minima_;  // ascending, the first one is the minimum
  Candidates maxima_;
  ExactSum sum_;
  std::uint64_t count_ = 0;
  std::uint64_t zeros_ = 0;
  std::uint64_t bucketed_rows_ = 0;
  std::uint64_t first_row_ = 0;  // of the frame
  std::uint64_t next_row_ = 0;
  int value_scale_;
};

}  // namespace vigil
