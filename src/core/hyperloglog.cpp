#include "core/hyperloglog.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <string>
#include <utility>

#include "core/murmur3.hpp"

namespace vigil {
namespace {

constexpr int kFewestLog2m = 4;
constexpr int kMostLog2m = 17;
constexpr int kFewestWidth = 4;  // so that a sparse entry is never shorter than a byte's padding
constexpr int kMostWidth = 8;
constexpr int kMostThreshold = 8192;
constexpr std::size_t kMostElements = 16383;  // of the automatic threshold, as in postgresql-hll
constexpr int kValues = 64;                   // a register holds less than this

// The first byte: version in the high half, kind in the low one. Version 1 is the specification's.
constexpr std::uint8_t kEmpty = 0x11;
constexpr std::uint8_t kExplicit = 0x12;
constexpr std::uint8_t kSparse = 0x13;
constexpr std::uint8_t kFull = 0x14;
constexpr std::uint8_t kShort = 0x25;
constexpr std::uint8_t kPacked = 0x26;
constexpr int kPublicVersion = 1;

constexpr int kAutomaticCutoff = 63;
constexpr int kShortBits = 32;    // of a shortened hash
constexpr unsigned kNibble = 15;  // in packed registers: this much above the base, or more

constexpr std::string_view kType = "vigil.hyperloglog";
constexpr std::string_view kNotChosen = "its kind of storage is not the one to choose";

std::size_t full_bits(const HyperLogLogParameters& parameters) {
  return (std::size_t{1} << parameters.log2m) * static_cast<std::size_t>(parameters.regwidth);
}

std::size_t entry_bits(const HyperLogLogParameters& parameters) {
  return static_cast<std::size_t>(parameters.log2m + parameters.regwidth);
}

bool is_threshold(int expthresh) {
  if (expthresh == -1 || expthresh == 0) return true;
  return expthresh > 0 && expthresh <= kMostThreshold &&
         std::has_single_bit(static_cast<unsigned>(expthresh));
}

bool are_valid(const HyperLogLogParameters& parameters) {
  return parameters.log2m >= kFewestLog2m && parameters.log2m <= kMostLog2m &&
         parameters.regwidth >= kFewestWidth && parameters.regwidth <= kMostWidth &&
         is_threshold(parameters.expthresh);
}

std::string text_of(const HyperLogLogParameters& parameters) {
  return "log2m " + std::to_string(parameters.log2m) + ", regwidth " +
         std::to_string(parameters.regwidth) + ", expthresh " +
         std::to_string(parameters.expthresh) + ", sparse " + (parameters.sparse ? "on" : "off");
}

// Shortened hashes may take the space of registers of four bits.
std::uint32_t threshold_of(const HyperLogLogParameters& parameters) {
  if (parameters.expthresh > 0) return static_cast<std::uint32_t>(parameters.expthresh);
  if (parameters.expthresh == 0) return (4U << parameters.log2m) / kShortBits;
  return static_cast<std::uint32_t>(std::min((full_bits(parameters) + 7) / 64, kMostElements));
}

// No position exceeds the 64 - log2m bits there are, even where a register could hold more.
std::uint8_t max_value_of(const HyperLogLogParameters& parameters) {
  return static_cast<std::uint8_t>(std::min((1 << parameters.regwidth) - 1, 64 - parameters.log2m));
}

HyperLogLogParameters read_parameters(ByteReader& in) {
  const auto shape = in.fixed<std::uint8_t>();
  const auto cutoffs = in.fixed<std::uint8_t>();
  if ((cutoffs & 0x80) != 0) in.fail("a reserved bit is set");
  HyperLogLogParameters parameters;
  parameters.log2m = shape & 0x1f;
  parameters.regwidth = (shape >> 5) + 1;
  parameters.sparse = (cutoffs & 0x40) != 0;
  const int cutoff = cutoffs & 0x3f;
  parameters.expthresh = -1;
  if (cutoff != kAutomaticCutoff) {
    parameters.expthresh = cutoff == 0 ? 0 : cutoff <= 14 ? 1 << (cutoff - 1) : kMostThreshold + 1;
  }
  if (!are_valid(parameters)) in.fail("a parameter is out of range");
  return parameters;
}

template <typename Unsigned>
Unsigned read_big_endian(ByteReader& in) {
  Unsigned value = 0;
  for (const std::uint8_t byte : in.raw(sizeof(Unsigned)))
    value = static_cast<Unsigned>(value << 8 | byte);
  return value;
}

template <typename Unsigned>
void write_big_endian(Bytes& out, Unsigned value) {
  static_assert(sizeof(Unsigned) == 4 || sizeof(Unsigned) == 8);
  const Unsigned swapped =
      sizeof(Unsigned) == 4
          ? static_cast<Unsigned>(__builtin_bswap32(static_cast<std::uint32_t>(value)))
          : static_cast<Unsigned>(__builtin_bswap64(value));
  ByteWriter(out).fixed(swapped);
}

// Raises registers to at least the values given; the count is a multiple of 8. Blocks of a known
// size are what compilers make vector instructions of.
void raise(std::uint8_t* registers, const std::uint8_t* values, std::size_t count) {
  for (std::size_t i = 0; i < count; i += 8) {
    std::uint8_t block[8];
    for (std::size_t k = 0; k < 8; ++k) block[k] = std::max(registers[i + k], values[i + k]);
    std::memcpy(registers + i, block, sizeof(block));
  }
}

// Packs numbers of a fixed number of bits, highest bit first.
class BitWriter {
 public:
  explicit BitWriter(Bytes& out) : out_(out) {}

  void add(std::uint32_t value, int bits) {
    held_ = (held_ << bits) | value;
    count_ += bits;
    for (; count_ >= 8; count_ -= 8)
      out_.push_back(static_cast<std::uint8_t>(held_ >> (count_ - 8)));
  }

  void finish() {
    if (count_ > 0) add(0, 8 - count_);
  }

 private:
  Bytes& out_;
  std::uint64_t held_ = 0;
  int count_ = 0;
};

class BitReader {
 public:
  explicit BitReader(std::span<const std::uint8_t> bytes) : bytes_(bytes) {}

  std::uint32_t next(int bits) {
    for (; count_ < bits; count_ += 8) held_ = (held_ << 8) | bytes_[at_++];
    count_ -= bits;
    return static_cast<std::uint32_t>((held_ >> count_) & ((std::uint64_t{1} << bits) - 1));
  }

  // Whether the bits left of the last byte are zeros.
  bool ends_in_zeros() const { return (held_ & ((std::uint64_t{1} << count_) - 1)) == 0; }

 private:
  std::span<const std::uint8_t> bytes_;
  std::size_t at_ = 0;
  std::uint64_t held_ = 0;
  int count_ = 0;
};

// The sums sigma and tau of the estimator (arXiv:1702.01284, algorithm 6), taken until they stop
// changing.
double sigma(double x) {
  if (x == 1) return std::numeric_limits<double>::infinity();
  double sum = x;
  double weight = 1;
  for (double before = -1; sum != before; weight += weight) {
    x *= x;
    before = sum;
    sum += x * weight;
  }
  return sum;
}

double tau(double x) {
  if (x == 0 || x == 1) return 0;
  double sum = 1 - x;
  double weight = 1;
  for (double before = -1; sum != before;) {
    x = std::sqrt(x);
    before = sum;
    weight /= 2;
    sum -= (1 - x) * (1 - x) * weight;
  }
  return sum / 3;
}

// How many pairs of registers of two distinct counts have which values: K1 < K2, K1 > K2 or both
// equal, which is all that their joint likelihood depends on (arXiv:1702.01284, section 5).
struct PairCounts {
  using Counts = std::array<double, kValues + 1>;

  PairCounts(std::span<const std::uint8_t> one, std::span<const std::uint8_t> other, int last_value)
      : last(last_value), size(static_cast<double>(one.size())) {
    for (std::size_t i = 0; i < one.size(); ++i) {
      const std::uint8_t k1 = one[i];
      const std::uint8_t k2 = other[i];
      if (k1 == k2) {
        ++equal[k1];
      } else {
        ++(k1 < k2 ? one_less : one_greater)[k1];
        ++(k1 < k2 ? other_greater : other_less)[k2];
      }
    }
  }

  // Log of the likelihood of three Poisson rates: of values in one only, the other only, and both.
  double log_likelihood(double a, double b, double x) const {
    double sum = 0;
    for (int k = 0; k <= last + 1; ++k) {
      const double scale = std::ldexp(1 / size, -std::min(k, last));
      const auto i = static_cast<std::size_t>(k);
      // Log of the probability of this value of a register, and of a pair of them.
      const auto log_of = [&](double rate) {
        return (k <= last ? -rate * scale : 0) + (k > 0 ? std::log(-std::expm1(-rate * scale)) : 0);
      };
      const auto log_of_pair = [&] {
        const double none = (a + b + x) * scale;
        if (k == 0) return -none;
        const double some = std::expm1(-(a + x) * scale) * std::expm1(-(b + x) * scale) -
                            std::exp(-none) * std::expm1(-x * scale);
        return (k <= last ? -none : 0) + std::log(some);
      };
      if (one_less[i] > 0) sum += one_less[i] * log_of(a + x);
      if (other_less[i] > 0) sum += other_less[i] * log_of(b + x);
      if (one_greater[i] > 0) sum += one_greater[i] * log_of(a);
      if (other_greater[i] > 0) sum += other_greater[i] * log_of(b);
      if (equal[i] > 0) sum += equal[i] * log_of_pair();
    }
    return sum;
  }

  int last;
  double size;
  Counts one_less{}, one_greater{}, other_less{}, other_greater{}, equal{};
};

using Point = std::array<double, 3>;
using Matrix = std::array<Point, 3>;

struct Slope {
  Point gradient;
  Matrix information;  // the negative second derivatives
};

// By central differences, in the logarithms of the rates.
template <typename Function>
Slope slope_at(const Function& function, const Point& point) {
  constexpr double kStep = 1e-3;
  const auto at = [&](std::size_t i, double di, std::size_t j, double dj) {
    Point moved = point;
    moved[i] += di * kStep;
    moved[j] += dj * kStep;
    return function(moved);
  };
  Slope slope{};
  const double here = function(point);
  for (std::size_t i = 0; i < 3; ++i) {
    const double up = at(i, 1, i, 0);
    const double down = at(i, -1, i, 0);
    slope.gradient[i] = (up - down) / (2 * kStep);
    slope.information[i][i] = (2 * here - up - down) / (kStep * kStep);
    for (std::size_t j = 0; j < i; ++j) {
      const double mixed = at(i, 1, j, 1) - at(i, 1, j, -1) - at(i, -1, j, 1) + at(i, -1, j, -1);
      slope.information[i][j] = slope.information[j][i] = -mixed / (4 * kStep * kStep);
    }
  }
  return slope;
}

// Solves matrix * result = right for a symmetric matrix; false unless it is positive definite.
bool solve(Matrix matrix, Point right, Point& result) {
  for (std::size_t i = 0; i < 3; ++i) {
    if (!(matrix[i][i] > 0)) return false;
    for (std::size_t row = i + 1; row < 3; ++row) {
      const double factor = matrix[row][i] / matrix[i][i];
      for (std::size_t column = i; column < 3; ++column)
        matrix[row][column] -= factor * matrix[i][column];
      right[row] -= factor * right[i];
    }
  }
  for (std::size_t i = 3; i-- > 0;) {
    for (std::size_t j = i + 1; j < 3; ++j) right[i] -= matrix[i][j] * result[j];
    result[i] = right[i] / matrix[i][i];
  }
  return true;
}

// Newton's method, damped so that every step goes up (Levenberg and Marquardt); no coordinate goes
// below its floor.
template <typename Function>
Point maximum_of(const Function& function, Point point, double floor) {
  constexpr int kMostSteps = 100;
  double best = function(point);
  double damping = 1e-3;
  for (int step = 0; step < kMostSteps && damping < 1e9; ++step) {
    const Slope slope = slope_at(function, point);
    bool better = false;
    for (; !better && damping < 1e9; damping *= better ? 0.1 : 10) {
      Matrix damped = slope.information;
      for (std::size_t i = 0; i < 3; ++i) damped[i][i] += damping * (1 + std::fabs(damped[i][i]));
      Point move{};
      if (!solve(damped, slope.gradient, move)) continue;
      Point next = point;
      for (std::size_t i = 0; i < 3; ++i)
        next[i] = std::max(floor, point[i] + std::clamp(move[i], -2.0, 2.0));
      const double value = function(next);
      if (!(value > best)) continue;
      if (value - best < 1e-7) return next;
      better = true;
      best = value;
      point = next;
    }
  }
  return point;
}

}  // namespace

HashSet::HashSet(const HashSet& other, std::pmr::memory_resource* resource)
    : slots_(other.slots_, resource), size_(other.size_), has_zero_(other.has_zero_) {}

void HashSet::prefetch(std::uint64_t value) const {
  if (!slots_.empty()) __builtin_prefetch(&slots_[first_slot_of(value)]);
}

// Most values of a set that is merged are there already, where they are sought first: those cost no
// branch, which would be mispredicted.
void HashSet::insert_all(std::span<const std::uint64_t> values) {
  if (slots_.empty()) resize(8);
  const std::uint64_t* const slots = slots_.data();
  const std::size_t mask = slots_.size() - 1;
  std::array<std::uint64_t, kBatch> others;
  std::size_t count = 0;
  for (const std::uint64_t value : values) {
    others[count] = value;
    count += slots[mixed(value) & mask] != value || value == 0 ? 1U : 0U;
  }
  for (std::size_t i = 0; i < count; ++i) insert(others[i]);
}

bool HashSet::contains(std::uint64_t value) const {
  if (value == 0) return has_zero_;
  return !slots_.empty() && slots_[slot_of(value)] == value;
}

void HashSet::reserve(std::size_t size) {
  const std::size_t slots = std::bit_ceil(std::max<std::size_t>(8, 2 * size));
  if (slots > slots_.size()) resize(slots);
}

void HashSet::resize(std::size_t slots) {
  std::pmr::vector<std::uint64_t> before(slots, 0, slots_.get_allocator());
  before.swap(slots_);
  for (const std::uint64_t value : before)
    if (value != 0) slots_[slot_of(value)] = value;
}

void HashSet::release() {
  slots_ = std::pmr::vector<std::uint64_t>(slots_.get_allocator());
  size_ = 0;
  has_zero_ = false;
}

bool HashSet::operator==(const HashSet& other) const {
  if (size() != other.size()) return false;
  bool same = true;
  for_each([&](std::uint64_t value) { same = same && other.contains(value); });
  return same;
}

// What the choice of storage depends on.
struct HyperLogLog::Census {
  using Counts = std::array<std::uint32_t, kValues>;

  // How many registers have which value. Neighbours are often equal, and a counter that was just
  // stored is slow to load; so they are counted in turns.
  static Counts count(std::span<const std::uint8_t> registers) {
    constexpr std::size_t kTurns = 4;
    std::array<Counts, kTurns> turns{};
    for (std::size_t i = 0; i < registers.size(); i += kTurns)
      for (std::size_t turn = 0; turn < kTurns; ++turn) ++turns[turn][registers[i + turn]];
    Counts counts{};
    for (const Counts& turn : turns)
      for (std::size_t i = 0; i < counts.size(); ++i) counts[i] += turn[i];
    return counts;
  }

  explicit Census(const Counts& counts) {
    const auto size = [&](std::size_t from) {
      std::size_t sum = 0;
      for (std::size_t i = from; i < counts.size(); ++i) sum += counts[i];
      return sum;
    };
    used = size(1);
    while (counts[static_cast<std::size_t>(base)] == 0) ++base;
    excess = size(static_cast<std::size_t>(base) + kNibble);
  }
  Census(std::size_t used_registers, int least, std::size_t beyond)
      : used(used_registers), base(least), excess(beyond) {}

  std::size_t used = 0;    // registers that are not 0
  int base = 0;            // the least register
  std::size_t excess = 0;  // registers of at least base + 15
};

HyperLogLog::HyperLogLog(std::pmr::memory_resource* resource, HyperLogLogParameters parameters)
    : parameters_(parameters),
      threshold_(0),
      max_value_(0),
      elements_(resource),
      registers_(resource) {
  if (!are_valid(parameters)) {
    throw Error(
        Code::kInvalidArgument, "distinct count parameters are out of range",
        "The parameters are " + text_of(parameters) +
            "; log2m must be between 4 and 17, regwidth between 4 and 8, and expthresh -1, 0 "
            "or a power of two up to 8192.");
  }
  threshold_ = threshold_of(parameters);
  max_value_ = max_value_of(parameters);
}

HyperLogLog::HyperLogLog(const HyperLogLog& other, std::pmr::memory_resource* resource)
    : parameters_(other.parameters_),
      threshold_(other.threshold_),
      max_value_(other.max_value_),
      elements_(other.elements_, resource),
      registers_(other.registers_, resource) {}

void HyperLogLog::prefetch(std::uint64_t hash) const {
  if (registers_.empty()) {
    elements_.prefetch(element_of(hash));
  } else {
    __builtin_prefetch(&registers_[static_cast<std::size_t>(hash & (registers_.size() - 1))]);
  }
}

std::uint64_t HyperLogLog::hash_of(std::span<const std::uint8_t> bytes) {
  return murmur3_x64_128(bytes).low;
}

void HyperLogLog::add_bytes(std::span<const std::uint8_t> bytes) { add_hash(hash_of(bytes)); }

// A shortened hash is its lowest 32 bits. They nearly always tell the register's value; where they
// do not, the bit that does is kept as well.
std::uint64_t HyperLogLog::element_of(std::uint64_t hash) const {
  if (!is_short()) return hash;
  const std::uint64_t low = hash & 0xffffffff;
  if (low >> parameters_.log2m != 0) return low;
  const std::uint64_t high = hash ^ low;
  return low | (high & (~high + 1));
}

void HyperLogLog::add_element(std::uint64_t element) {
  if (elements_.insert(element) && elements_.size() > threshold_) to_registers();
}

void HyperLogLog::to_registers() {
  registers_.assign(std::size_t{1} << parameters_.log2m, 0);
  elements_.for_each([&](std::uint64_t element) { add_register(element); });
  elements_.release();
}

void HyperLogLog::check_mergeable(const HyperLogLogParameters& other) const {
  if (parameters_ == other) return;
  throw Error(Code::kInvalidArgument,
              "distinct counts with different parameters cannot be combined",
              "One has " + text_of(parameters_) + ", the other " + text_of(other) + ".");
}

void HyperLogLog::merge(const HyperLogLog& other) {
  check_mergeable(other.parameters_);
  if (&other == this) return;
  other.elements_.for_each([&](std::uint64_t element) { add_hash(element); });
  if (other.registers_.empty()) return;
  if (registers_.empty()) to_registers();
  raise(registers_.data(), other.registers_.data(), registers_.size());
}

double HyperLogLog::cardinality() const {
  if (registers_.empty()) return static_cast<double>(elements_.size());
  const Census::Counts counts = Census::count(registers_);
  // A register tells apart the positions up to `last`; one more value, if it fits, means beyond.
  const int last = std::min((1 << parameters_.regwidth) - 2, 64 - parameters_.log2m);
  const auto size = static_cast<double>(registers_.size());
  const auto count = [&](int value) {
    return static_cast<double>(counts[static_cast<std::size_t>(value)]);
  };
  // Linear counting is as good while the registers are mostly free, and what others compute.
  constexpr double kLinear = 0.5;
  const double linear = count(0) > 0 ? size * std::log(size / count(0)) : 2 * size;
  const double share = std::clamp((linear / size - kLinear) / kLinear, 0.0, 1.0);
  if (share == 0) return linear;
  double z = size * tau(1 - count(last + 1) / size);
  for (int value = last; value >= 1; --value) z = (z + count(value)) / 2;
  z += size * sigma(count(0) / size);
  const double alpha = 0.7213 / (1 + 1.079 / size);
  constexpr double kHashes = 18446744073709551616.0;
  const double raw = std::min(alpha * size * (size / z), kHashes);
  return share == 1 ? raw : (1 - share) * linear + share * raw;
}

double HyperLogLog::original_cardinality() const {
  if (registers_.empty()) {
    if (!is_short() || elements_.empty()) return static_cast<double>(elements_.size());
    HyperLogLog raised(*this, registers_.get_allocator().resource());
    raised.to_registers();
    return raised.original_cardinality();
  }
  const auto size = static_cast<double>(registers_.size());
  double sum = 0;
  for (const std::uint8_t value : registers_) sum += std::ldexp(1.0, -value);
  const double alpha = parameters_.log2m == 4   ? 0.673
                       : parameters_.log2m == 5 ? 0.697
                       : parameters_.log2m == 6 ? 0.709
                                                : 0.7213 / (1 + 1.079 / size);
  const double estimate = alpha * size * size / sum;
  const auto free = static_cast<double>(std::count(registers_.begin(), registers_.end(), 0));
  if (free > 0 && estimate < 2.5 * size) return size * std::log(size / free);
  // As many values as there are registers times what a register tells apart would collide.
  const double most = std::ldexp(size, (1 << parameters_.regwidth) - 1 - 1);
  return estimate <= most / 30 ? estimate : -most * std::log(1 - estimate / most);
}

double HyperLogLog::relative_error() const {
  return is_exact() ? 0 : 1.04 / std::sqrt(std::ldexp(1, parameters_.log2m));
}

HyperLogLog::Intersection HyperLogLog::intersection(const HyperLogLog& one,
                                                    const HyperLogLog& other) {
  one.check_mergeable(other.parameters_);
  if (one.is_exact() && other.is_exact()) {
    std::size_t both = 0;
    one.elements_.for_each([&](std::uint64_t value) { both += other.elements_.contains(value); });
    return {static_cast<double>(both), 0};
  }
  if (one.is_empty() || other.is_empty()) return {0, 0};
  const auto in_registers = [](const HyperLogLog& sketch) {
    HyperLogLog copy(sketch, sketch.registers_.get_allocator().resource());
    if (copy.registers_.empty()) copy.to_registers();
    return copy;
  };
  const HyperLogLog left = in_registers(one);
  const HyperLogLog right = in_registers(other);
  const int last = std::min((1 << one.parameters_.regwidth) - 2, 64 - one.parameters_.log2m);
  const PairCounts pairs(left.registers_, right.registers_, last);
  const auto function = [&](const Point& logs) {
    return pairs.log_likelihood(std::exp(logs[0]), std::exp(logs[1]), std::exp(logs[2]));
  };
  // The greatest likelihood is sought from inclusion and exclusion on. A rate that is as good as
  // none would have no end on the scale of logarithms.
  const double smaller = std::min(left.cardinality(), right.cardinality());
  if (smaller == 0) return {0, 0};
  const double least = std::max(smaller * 1e-4, 1e-6);
  HyperLogLog all(left, left.registers_.get_allocator().resource());
  all.merge(right);
  const auto start = [&](double rate) { return std::log(std::max(rate, smaller * 1e-2)); };
  const double whole = all.cardinality();
  const Point found =
      maximum_of(function,
                 {start(whole - right.cardinality()), start(whole - left.cardinality()),
                  start(left.cardinality() + right.cardinality() - whole)},
                 std::log(least));
  // The variance is the inverse of the information, taken where the differences can show it.
  Point at = found;
  for (double& rate : at) rate = std::max(rate, std::log(smaller * 1e-2));
  Point column{};
  double error = smaller;
  if (solve(slope_at(function, at).information, {0, 0, 1}, column) && column[2] > 0)
    error = std::min(error, std::exp(at[2]) * std::sqrt(column[2]));
  return {found[2] <= std::log(least) ? 0 : std::exp(found[2]), error};
}

HyperLogLog::Census HyperLogLog::census() const { return Census(Census::count(registers_)); }

std::uint8_t HyperLogLog::smallest_head(const Census& census) const {
  const std::size_t sparse = census.used * entry_bits(parameters_);
  const std::size_t packed = 8 + (std::size_t{4} << parameters_.log2m) +
                             census.excess * static_cast<std::size_t>(parameters_.regwidth);
  const std::size_t full = full_bits(parameters_);
  if (parameters_.sparse && sparse < std::min(packed, full)) return kSparse;
  return packed < full ? kPacked : kFull;
}

void HyperLogLog::write(Bytes& out) const {
  if (registers_.empty()) {
    write_elements(out);
    return;
  }
  const Census counted = census();
  const std::uint8_t head = smallest_head(counted);
  write_head(out, head);
  if (head == kPacked) {
    write_packed(out, counted.base);
  } else {
    write_registers(out, head == kSparse);
  }
}

void HyperLogLog::write_public(Bytes& out) const {
  if (registers_.empty() && (!is_short() || elements_.empty())) {
    write_elements(out);
    return;
  }
  if (registers_.empty()) {
    HyperLogLog copy(*this, registers_.get_allocator().resource());
    copy.to_registers();
    copy.write_public(out);
    return;
  }
  const std::size_t used = census().used;
  if (used == 0) {
    write_head(out, kEmpty);
    return;
  }
  const bool sparse = parameters_.sparse && used * entry_bits(parameters_) < full_bits(parameters_);
  write_head(out, sparse ? kSparse : kFull);
  write_registers(out, sparse);
}

void HyperLogLog::write_head(Bytes& out, std::uint8_t head) const {
  int cutoff = kAutomaticCutoff;
  if (parameters_.expthresh >= 0) {
    cutoff = static_cast<int>(std::bit_width(static_cast<unsigned>(parameters_.expthresh)));
  }
  out.push_back(head);
  out.push_back(static_cast<std::uint8_t>((parameters_.regwidth - 1) << 5 | parameters_.log2m));
  out.push_back(static_cast<std::uint8_t>((parameters_.sparse ? 0x40 : 0) | cutoff));
}

void HyperLogLog::write_elements(Bytes& out) const {
  // Whole hashes ascend as signed numbers, as the specification has it.
  const std::uint64_t sign = is_short() ? 0 : std::uint64_t{1} << 63;
  std::pmr::vector<std::uint64_t> sorted(registers_.get_allocator().resource());
  sorted.reserve(elements_.size());
  elements_.for_each([&](std::uint64_t element) { sorted.push_back(element ^ sign); });
  std::sort(sorted.begin(), sorted.end());
  write_head(out, sorted.empty() ? kEmpty : is_short() ? kShort : kExplicit);
  out.reserve(out.size() + 8 * sorted.size());
  for (const std::uint64_t element : sorted) {
    if (!is_short()) {
      write_big_endian(out, element ^ sign);
      continue;
    }
    write_big_endian(out, static_cast<std::uint32_t>(element));
    const std::uint64_t high = element >> kShortBits;
    if ((element & 0xffffffff) >> parameters_.log2m == 0)
      out.push_back(static_cast<std::uint8_t>(high == 0 ? 0 : std::countr_zero(high) + kShortBits));
  }
}

void HyperLogLog::write_registers(Bytes& out, bool sparse) const {
  BitWriter writer(out);
  for (std::uint32_t i = 0; i < registers_.size(); ++i) {
    if (sparse && registers_[i] == 0) continue;
    if (sparse) writer.add(i, parameters_.log2m);
    writer.add(registers_[i], parameters_.regwidth);
  }
  writer.finish();
}

void HyperLogLog::write_packed(Bytes& out, int base) const {
  const std::size_t half = registers_.size() / 2;
  const auto nibble = [&](std::size_t i) {
    return std::min(registers_[i] - static_cast<unsigned>(base), kNibble);
  };
  out.push_back(static_cast<std::uint8_t>(base));
  for (std::size_t i = 0; i < half; ++i)
    out.push_back(static_cast<std::uint8_t>(nibble(i + half) << 4 | nibble(i)));
  BitWriter writer(out);
  for (std::size_t i = 0; i < half; ++i) {
    for (const std::size_t reg : {i, i + half})
      if (nibble(reg) == kNibble) writer.add(registers_[reg], parameters_.regwidth);
  }
  writer.finish();
}

HyperLogLog HyperLogLog::read(std::span<const std::uint8_t> bytes,
                              std::pmr::memory_resource* resource) {
  ByteReader in(bytes, kType);
  const auto head = in.fixed<std::uint8_t>();
  HyperLogLog result(resource, read_parameters(in));
  result.take(head, in, true);
  return result;
}

void HyperLogLog::merge_stored(std::span<const std::uint8_t> bytes) {
  ByteReader in(bytes, kType);
  const auto head = in.fixed<std::uint8_t>();
  check_mergeable(read_parameters(in));
  take(head, in, true);
}

HyperLogLog HyperLogLog::read_public(std::span<const std::uint8_t> bytes,
                                     std::pmr::memory_resource* resource) {
  ByteReader in(bytes, kType);
  const auto head = in.fixed<std::uint8_t>();
  if (head >> 4 != kPublicVersion) in.fail("its version is not known");
  HyperLogLog result(resource, read_parameters(in));
  result.take(head, in, false);
  // Registers that were never raised are an empty set, however it was stored.
  if (std::ranges::all_of(result.registers_, [](std::uint8_t value) { return value == 0; }))
    result.registers_.clear();
  return result;
}

void HyperLogLog::take(std::uint8_t head, ByteReader& in, bool stored) {
  switch (head) {
    case kEmpty:
      break;
    case kExplicit:
      take_explicit(in, stored);
      break;
    case kSparse:
      take_sparse(in, stored);
      break;
    case kFull:
      take_full(in, stored);
      break;
    case kShort:
      take_short(in);
      break;
    case kPacked:
      take_packed(in);
      break;
    default:
      in.fail("its kind is not known");
  }
  in.finish();
}

void HyperLogLog::take_explicit(ByteReader& in, bool stored) {
  const std::size_t count = in.left() / 8;
  if (in.left() % 8 != 0) in.fail("its size is not that of whole elements");
  if (count > kMostElements) in.fail("it has too many elements");
  if (stored && (is_short() || count == 0 || count > threshold_)) in.fail(kNotChosen);
  std::int64_t before = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const auto hash = read_big_endian<std::uint64_t>(in);
    const auto element = static_cast<std::int64_t>(hash);
    if (i > 0 && element <= before) in.fail("its elements do not ascend");
    before = element;
    add_hash(hash);
  }
}

void HyperLogLog::take_short(ByteReader& in) {
  if (!is_short() || in.left() == 0) in.fail(kNotChosen);
  // Every element has at least four bytes.
  if (in.left() / 5 > threshold_) in.fail("it has too many elements");
  if (elements_.empty() && registers_.empty())
    elements_.reserve(std::min<std::size_t>(in.left() / 4, threshold_));
  std::uint64_t before = 0;
  std::size_t count = 0;
  while (in.left() > 0) {
    std::array<std::uint64_t, HashSet::kBatch> batch;
    std::size_t size = 0;
    for (; size < batch.size() && in.left() > 0; ++size, ++count) {
      std::uint64_t element = __builtin_bswap32(in.fixed<std::uint32_t>());
      if (element >> parameters_.log2m == 0) {
        const auto bit = in.fixed<std::uint8_t>();
        if (bit != 0 && (bit < kShortBits || bit > 63)) in.fail("an element is out of range");
        if (bit != 0) element |= std::uint64_t{1} << bit;
      }
      if (count > 0 && element <= before) in.fail("its elements do not ascend");
      before = element;
      batch[size] = element;
    }
    // A shortened hash is its own element.
    if (registers_.empty()) {
      elements_.insert_all(std::span(batch).first(size));
      if (elements_.size() > threshold_) to_registers();
    } else {
      for (std::size_t i = 0; i < size; ++i) add_register(batch[i]);
    }
  }
  if (count > threshold_) in.fail(kNotChosen);
}

void HyperLogLog::check_value(const ByteReader& in, std::uint64_t value) const {
  if (value > max_value_) in.fail("a register is out of range");
}

void HyperLogLog::take_sparse(ByteReader& in, bool stored) {
  const std::size_t entry = entry_bits(parameters_);
  const std::size_t entries = in.left() * 8 / entry;
  if (entries > std::size_t{1} << parameters_.log2m) in.fail("it has too many registers");
  if ((entries * entry + 7) / 8 != in.left()) in.fail("bytes follow its end");
  if (registers_.empty()) to_registers();
  BitReader bits(in.raw(in.left()));
  std::int64_t before = -1;
  std::size_t excess = 0;
  for (std::size_t i = 0; i < entries; ++i) {
    const std::uint32_t index = bits.next(parameters_.log2m);
    const std::uint32_t value = bits.next(parameters_.regwidth);
    if (index <= before) in.fail("its registers do not ascend");
    if (value == 0) in.fail("a register is zero");
    check_value(in, value);
    before = index;
    excess += value >= kNibble ? 1 : 0;
    registers_[index] = std::max(registers_[index], static_cast<std::uint8_t>(value));
  }
  if (!bits.ends_in_zeros()) in.fail("its padding is not zero");
  if (stored && smallest_head(Census(entries, 0, excess)) != kSparse) in.fail(kNotChosen);
}

void HyperLogLog::take_full(ByteReader& in, bool stored) {
  const auto packed = in.raw((full_bits(parameters_) + 7) / 8);
  if (registers_.empty()) to_registers();
  BitReader bits(packed);
  Census::Counts counts{};
  for (std::uint8_t& reg : registers_) {
    const std::uint32_t value = bits.next(parameters_.regwidth);
    check_value(in, value);
    ++counts[value];
    reg = std::max(reg, static_cast<std::uint8_t>(value));
  }
  if (!bits.ends_in_zeros()) in.fail("its padding is not zero");
  if (stored && smallest_head(Census(counts)) != kFull) in.fail(kNotChosen);
}

void HyperLogLog::take_packed(ByteReader& in) {
  constexpr std::uint64_t kOnes = 0x0101010101010101;
  constexpr std::uint64_t kNibbles = kOnes * kNibble;
  constexpr std::uint64_t kCarries = kOnes << 4;
  const auto base = in.fixed<std::uint8_t>();
  check_value(in, base);
  const auto packed = in.raw((std::size_t{1} << parameters_.log2m) / 2);
  if (registers_.empty()) to_registers();
  std::uint8_t* const low = registers_.data();
  std::uint8_t* const high = low + packed.size();
  // Eight registers at a time, a byte of a word each: adding 15 carries unless a nibble is 0,
  // adding 1 carries if it is 15.
  const auto nibbles_at = [&](std::size_t i, bool upper) {
    std::uint64_t word;
    std::memcpy(&word, packed.data() + i, sizeof(word));
    return (upper ? word >> 4 : word) & kNibbles;
  };
  const auto carries = [](std::uint64_t word) { return ((word & kCarries) >> 4) * kOnes >> 56; };
  std::size_t raised = 0;
  std::size_t excess = 0;
  for (std::size_t i = 0; i < packed.size(); i += 8) {
    for (const bool upper : {false, true}) {
      const std::uint64_t nibbles = nibbles_at(i, upper);
      raised += carries(nibbles + kNibbles);
      excess += carries(nibbles + kOnes);
      std::uint8_t values[8];
      const std::uint64_t word = nibbles + base * kOnes;
      std::memcpy(values, &word, sizeof(values));
      raise((upper ? high : low) + i, values, sizeof(values));
    }
  }
  if (raised == registers_.size()) in.fail("its base is not its least register");
  const std::size_t used = base == 0 ? raised : registers_.size();
  if (smallest_head(Census(used, base, excess)) != kPacked) in.fail(kNotChosen);
  BitReader bits(in.raw((excess * static_cast<std::size_t>(parameters_.regwidth) + 7) / 8));
  const bool may_exceed = base + kNibble > max_value_;
  for (std::size_t i = 0; i < packed.size(); ++i) {
    // Few words have something to look at.
    if (i % 8 == 0 && !may_exceed) {
      while (i < packed.size() &&
             (((nibbles_at(i, false) + kOnes) | (nibbles_at(i, true) + kOnes)) & kCarries) == 0)
        i += 8;
      if (i == packed.size()) break;
    }
    for (const bool upper : {false, true}) {
      const unsigned nibble = upper ? packed[i] >> 4 : packed[i] & kNibble;
      std::uint32_t value = base + nibble;
      if (nibble == kNibble) {
        value = bits.next(parameters_.regwidth);
        if (value < base + kNibble) in.fail("a register is out of range");
      }
      check_value(in, value);
      std::uint8_t& reg = (upper ? high : low)[i];
      reg = std::max(reg, static_cast<std::uint8_t>(value));
    }
  }
  if (!bits.ends_in_zeros()) in.fail("its padding is not zero");
}

bool HyperLogLog::operator==(const HyperLogLog& other) const {
  return parameters_ == other.parameters_ && elements_ == other.elements_ &&
         registers_ == other.registers_;
}

}  // namespace vigil
