#include "core/hyperloglog.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <iterator>
#include <limits>
#include <string>

#include "core/murmur3.hpp"

namespace vigil {
namespace {

constexpr int kFewestLog2m = 4;
constexpr int kMostLog2m = 17;
constexpr int kFewestWidth = 4;  // so that a sparse entry is never shorter than a byte's padding
constexpr int kMostWidth = 8;
constexpr int kMostThreshold = 8192;
constexpr std::size_t kMostElements = 16383;  // of the automatic threshold, as in postgresql-hll

constexpr std::uint8_t kVersion = 1;
enum Kind : std::uint8_t { kEmpty = 1, kExplicit = 2, kSparse = 3, kFull = 4 };

constexpr int kAutomaticCutoff = 63;

std::size_t full_bits(const HyperLogLogParameters& parameters) {
  return (std::size_t{1} << parameters.log2m) * static_cast<std::size_t>(parameters.regwidth);
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

std::uint32_t threshold_of(const HyperLogLogParameters& parameters) {
  if (parameters.expthresh >= 0) return static_cast<std::uint32_t>(parameters.expthresh);
  return static_cast<std::uint32_t>(std::min((full_bits(parameters) + 7) / 64, kMostElements));
}

// No position exceeds the 64 - log2m bits there are, even where a register could hold more.
std::uint8_t max_value_of(const HyperLogLogParameters& parameters) {
  return static_cast<std::uint8_t>(std::min((1 << parameters.regwidth) - 1, 64 - parameters.log2m));
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

}  // namespace

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

void HyperLogLog::add_bytes(std::span<const std::uint8_t> bytes) {
  add_hash(murmur3_x64_128(bytes).low);
}

void HyperLogLog::add_element(std::uint64_t hash) {
  const auto element = static_cast<std::int64_t>(hash);
  const auto at = std::lower_bound(elements_.begin(), elements_.end(), element);
  if (at != elements_.end() && *at == element) return;
  if (elements_.size() < threshold_) {
    elements_.insert(at, element);
    return;
  }
  to_registers();
  add_register(hash);
}

void HyperLogLog::to_registers() {
  registers_.assign(std::size_t{1} << parameters_.log2m, 0);
  for (const std::int64_t element : elements_) add_register(static_cast<std::uint64_t>(element));
  elements_ = std::pmr::vector<std::int64_t>(elements_.get_allocator());
}

void HyperLogLog::merge(const HyperLogLog& other) {
  if (parameters_ != other.parameters_) {
    throw Error(
        Code::kInvalidArgument, "distinct counts with different parameters cannot be merged",
        "One has " + text_of(parameters_) + ", the other " + text_of(other.parameters_) + ".");
  }
  if (&other == this) return;
  for (const std::int64_t element : other.elements_) add_hash(static_cast<std::uint64_t>(element));
  if (other.registers_.empty()) return;
  if (registers_.empty()) to_registers();
  for (std::size_t i = 0; i < registers_.size(); ++i) {
    registers_[i] = std::max(registers_[i], other.registers_[i]);
  }
}

double HyperLogLog::cardinality() const {
  if (registers_.empty()) return static_cast<double>(elements_.size());
  std::array<std::uint32_t, 256> counts{};
  for (const std::uint8_t value : registers_) ++counts[value];
  // A register tells apart the positions up to `last`; one more value, if it fits, means beyond.
  const int last = std::min((1 << parameters_.regwidth) - 2, 64 - parameters_.log2m);
  const auto size = static_cast<double>(registers_.size());
  const auto count = [&](int value) {
    return static_cast<double>(counts[static_cast<std::size_t>(value)]);
  };
  double z = size * tau(1 - count(last + 1) / size);
  for (int value = last; value >= 1; --value) z = (z + count(value)) / 2;
  z += size * sigma(count(0) / size);
  constexpr double kAlpha = 0.72134752044448170368;  // 1 / (2 ln 2)
  constexpr double kHashes = 18446744073709551616.0;
  return std::min(kAlpha * size * (size / z), kHashes);
}

std::size_t HyperLogLog::used_registers() const {
  return registers_.size() -
         static_cast<std::size_t>(std::count(registers_.begin(), registers_.end(), 0));
}

bool HyperLogLog::prefers_sparse() const {
  const auto entry = static_cast<std::size_t>(parameters_.log2m + parameters_.regwidth);
  return parameters_.sparse && used_registers() * entry < full_bits(parameters_);
}

void HyperLogLog::write(Bytes& out) const {
  const bool sparse = !registers_.empty() && prefers_sparse();
  Kind kind = elements_.empty() ? kEmpty : kExplicit;
  if (!registers_.empty()) kind = sparse ? kSparse : kFull;
  int cutoff = kAutomaticCutoff;
  if (parameters_.expthresh >= 0) {
    cutoff = static_cast<int>(std::bit_width(static_cast<unsigned>(parameters_.expthresh)));
  }
  out.push_back(static_cast<std::uint8_t>(kVersion << 4 | kind));
  out.push_back(static_cast<std::uint8_t>((parameters_.regwidth - 1) << 5 | parameters_.log2m));
  out.push_back(static_cast<std::uint8_t>((parameters_.sparse ? 0x40 : 0) | cutoff));
  for (const std::int64_t element : elements_) {
    const auto bits = static_cast<std::uint64_t>(element);
    for (int shift = 56; shift >= 0; shift -= 8) {
      out.push_back(static_cast<std::uint8_t>(bits >> shift));
    }
  }
  write_registers(out, sparse);
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

HyperLogLog HyperLogLog::read_any(std::span<const std::uint8_t> bytes,
                                  std::pmr::memory_resource* resource) {
  ByteReader in(bytes, "vigil.hyperloglog");
  const auto head = in.fixed<std::uint8_t>();
  const auto shape = in.fixed<std::uint8_t>();
  const auto cutoffs = in.fixed<std::uint8_t>();
  if (head >> 4 != kVersion) in.fail("its version is not known");
  if ((cutoffs & 0x80) != 0) in.fail("a reserved bit is set");
  HyperLogLogParameters parameters;
  parameters.log2m = shape & 0x1f;
  parameters.regwidth = (shape >> 5) + 1;
  parameters.sparse = (cutoffs & 0x40) != 0;
  const int cutoff = cutoffs & 0x3f;
  if (cutoff != kAutomaticCutoff) {
    parameters.expthresh = cutoff == 0 ? 0 : cutoff <= 14 ? 1 << (cutoff - 1) : kMostThreshold + 1;
  }
  if (!are_valid(parameters)) in.fail("a parameter is out of range");
  HyperLogLog result(resource, parameters);
  switch (head & 0xf) {
    case kEmpty:
      break;
    case kExplicit:
      result.read_elements(in);
      break;
    case kSparse:
      result.read_sparse(in);
      break;
    case kFull:
      result.read_full(in);
      break;
    default:
      in.fail("its kind is not known");
  }
  in.finish();
  return result;
}

HyperLogLog HyperLogLog::read(std::span<const std::uint8_t> bytes,
                              std::pmr::memory_resource* resource) {
  HyperLogLog result = read_any(bytes, resource);
  Kind kind = result.elements_.empty() ? kEmpty : kExplicit;
  if (!result.registers_.empty()) kind = result.prefers_sparse() ? kSparse : kFull;
  if ((bytes[0] & 0xf) != kind) {
    ByteReader({}, "vigil.hyperloglog").fail("its kind of storage is not the one to choose");
  }
  return result;
}

void HyperLogLog::read_elements(ByteReader& in) {
  if (in.left() % 8 != 0) in.fail("its size is not that of whole elements");
  if (in.left() / 8 > kMostElements) in.fail("it has too many elements");
  elements_.reserve(std::min<std::size_t>(in.left() / 8, threshold_));
  std::int64_t before = 0;
  for (bool first = true; in.left() > 0; first = false) {
    std::uint64_t bits = 0;
    for (const std::uint8_t byte : in.raw(8)) bits = (bits << 8) | byte;
    const auto element = static_cast<std::int64_t>(bits);
    if (!first && element <= before) in.fail("its elements do not ascend");
    before = element;
    add_hash(bits);
  }
}

void HyperLogLog::check_value(const ByteReader& in, std::uint64_t value) const {
  if (value > max_value_) in.fail("a register is out of range");
}

void HyperLogLog::read_sparse(ByteReader& in) {
  const int entry = parameters_.log2m + parameters_.regwidth;
  const std::size_t entries = in.left() * 8 / static_cast<std::size_t>(entry);
  if (entries > std::size_t{1} << parameters_.log2m) in.fail("it has too many registers");
  if ((entries * static_cast<std::size_t>(entry) + 7) / 8 != in.left())
    in.fail("bytes follow its end");
  BitReader bits(in.raw(in.left()));
  to_registers();
  std::int64_t before = -1;
  for (std::size_t i = 0; i < entries; ++i) {
    const std::uint32_t index = bits.next(parameters_.log2m);
    const std::uint32_t value = bits.next(parameters_.regwidth);
    if (index <= before) in.fail("its registers do not ascend");
    if (value == 0) in.fail("a register is zero");
    check_value(in, value);
    registers_[index] = static_cast<std::uint8_t>(value);
    before = index;
  }
  if (!bits.ends_in_zeros()) in.fail("its padding is not zero");
}

void HyperLogLog::read_full(ByteReader& in) {
  const auto packed = in.raw((full_bits(parameters_) + 7) / 8);
  BitReader bits(packed);
  to_registers();
  for (std::uint8_t& reg : registers_) {
    const std::uint32_t value = bits.next(parameters_.regwidth);
    check_value(in, value);
    reg = static_cast<std::uint8_t>(value);
  }
  if (!bits.ends_in_zeros()) in.fail("its padding is not zero");
}

bool HyperLogLog::operator==(const HyperLogLog& other) const {
  return parameters_ == other.parameters_ && elements_ == other.elements_ &&
         registers_ == other.registers_;
}

}  // namespace vigil
