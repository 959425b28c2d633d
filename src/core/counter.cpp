#include "core/counter.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <string>

namespace vigil {
namespace {

using Sample = Counter::Sample;

constexpr std::uint8_t kWhole = 0x10;   // version 1, all values are whole
constexpr std::uint8_t kBroken = 0x11;  // version 1, some are not
constexpr double kLargestWhole = 0x1p53;

double seconds_between(std::int64_t from, std::int64_t to) {
  return static_cast<double>(static_cast<std::uint64_t>(to) - static_cast<std::uint64_t>(from)) /
         1e6;
}

bool is_whole(double value) {
  return std::fabs(value) <= kLargestWhole && value == std::trunc(value);
}

double finite(double result) {
  if (std::isfinite(result)) return result;
  throw Error(Code::kNumericOutOfRange, "result is out of range for type double precision");
}

// What differs in the bits of two doubles, without the zero bytes at both ends: u8 how many there
// are at the upper end (bits 7..4) and at the lower end, then the bytes between, lowest first.
void write_difference(ByteWriter& out, std::uint64_t bits) {
  if (bits == 0) return out.fixed(std::uint8_t{0x80});
  const int upper = std::countl_zero(bits) / 8;
  const int lower = std::countr_zero(bits) / 8;
  out.fixed(static_cast<std::uint8_t>(16 * upper + lower));
  for (int i = lower; i < 8 - upper; ++i) out.fixed(static_cast<std::uint8_t>(bits >> (8 * i)));
}

std::uint64_t read_difference(ByteReader& in) {
  const auto head = in.fixed<std::uint8_t>();
  if (head == 0x80) return 0;
  const int upper = head >> 4;
  const int lower = head & 15;
  if (upper + lower > 7) in.fail("a value is malformed");
  const auto bytes = in.raw(static_cast<std::size_t>(8 - upper - lower));
  if (bytes.front() == 0 || bytes.back() == 0) in.fail("a value is malformed");
  std::uint64_t bits = 0;
  for (std::size_t i = bytes.size(); i-- > 0;) bits = (bits << 8) | bytes[i];
  return bits << (8 * lower);
}

double read_broken(ByteReader& in, double previous) {
  const auto bits = std::bit_cast<std::uint64_t>(previous) ^ read_difference(in);
  const auto value = std::bit_cast<double>(bits);
  if (!std::isfinite(value) || (value == 0 && bits != 0)) in.fail("a value is not a finite number");
  return value;
}

double read_whole(ByteReader& in, double previous) {
  constexpr auto kLimit = static_cast<std::int64_t>(kLargestWhole);
  const std::int64_t difference = in.signed_varint();
  if (difference < -2 * kLimit || difference > 2 * kLimit) in.fail("a value is out of range");
  const std::int64_t value = static_cast<std::int64_t>(previous) + difference;
  if (value < -kLimit || value > kLimit) in.fail("a value is out of range");
  return static_cast<double>(value);
}

}  // namespace

double Counter::checked(double value) {
  if (!std::isfinite(value)) {
    throw Error(Code::kNumericOutOfRange, "counter values must be finite",
                "The value is " + std::to_string(value) + ".");
  }
  return value + 0.0;  // -0 becomes 0
}

// Repeated samples are given up before they double the memory.
void Counter::add_late(const Sample& sample) {
  constexpr std::size_t kFew = 1024;
  if (samples_.size() == samples_.capacity() && samples_.size() > 2 * sorted_ + kFew) sort();
  samples_.push_back(sample);
}

void Counter::sort() const {
  std::sort(samples_.begin(), samples_.end(), [](const Sample& a, const Sample& b) {
    return a.time != b.time ? a.time < b.time : a.value > b.value;
  });
  const auto end = std::unique(samples_.begin(), samples_.end(),
                               [](const Sample& a, const Sample& b) { return a.time == b.time; });
  samples_.erase(end, samples_.end());
  sorted_ = samples_.size();
}

void Counter::merge(const Counter& other) {
  if (&other == this) return;
  for (const Sample& sample : other.samples()) add(sample.time, sample.value);
}

std::span<const Sample> Counter::within(const Range& range) const {
  if (range.from && range.to && *range.from >= *range.to) {
    throw Error(Code::kInvalidArgument, "range of a counter must end later than it begins", {},
                "Give a \"to\" that is later than \"from\", or leave one of them out.");
  }
  const auto all = samples();
  const auto later = [](std::int64_t time, const Sample& sample) { return time < sample.time; };
  const auto first =
      range.from ? std::upper_bound(all.begin(), all.end(), *range.from, later) : all.begin();
  const auto last =
      range.to ? std::upper_bound(all.begin(), all.end(), *range.to, later) : all.end();
  return first < last ? std::span<const Sample>(first, last) : std::span<const Sample>();
}

// The names are those of doc/counter.md.
std::optional<double> Counter::extrapolated(const Range& range, bool per_second) const {
  const auto inside = within(range);
  if (inside.size() < 2) return std::nullopt;
  const Sample& first = inside.front();
  const Sample& last = inside.back();
  double raw = last.value - first.value;
  for (std::size_t i = 1; i < inside.size(); ++i) {
    if (inside[i].value < inside[i - 1].value) raw += inside[i - 1].value;
  }
  const std::int64_t from = range.from.value_or(first.time);
  const std::int64_t to = range.to.value_or(last.time);
  const double sampled = seconds_between(first.time, last.time);
  const double distance = sampled / static_cast<double>(inside.size() - 1);
  const double threshold = distance * 1.1;
  double before = seconds_between(from, first.time);
  double after = seconds_between(last.time, to);
  if (before >= threshold) before = distance / 2;
  if (after >= threshold) after = distance / 2;
  if (raw > 0 && first.value >= 0) before = std::min(before, sampled * (first.value / raw));
  double factor = (sampled + before + after) / sampled;
  if (per_second) factor /= seconds_between(from, to);
  return finite(raw * factor);
}

std::optional<double> Counter::increase(const Range& range) const {
  return extrapolated(range, false);
}

std::optional<double> Counter::rate(const Range& range) const { return extrapolated(range, true); }

std::optional<double> Counter::idelta(const Range& range) const {
  const auto inside = within(range);
  if (inside.size() < 2) return std::nullopt;
  return finite(inside.back().value - inside[inside.size() - 2].value);
}

std::optional<double> Counter::irate(const Range& range) const {
  const auto inside = within(range);
  if (inside.size() < 2) return std::nullopt;
  const Sample& last = inside.back();
  const Sample& previous = inside[inside.size() - 2];
  const double raw = last.value < previous.value ? last.value : last.value - previous.value;
  return finite(raw / seconds_between(previous.time, last.time));
}

std::optional<std::uint64_t> Counter::resets(const Range& range) const {
  const auto inside = within(range);
  if (inside.empty()) return std::nullopt;
  std::uint64_t result = 0;
  for (std::size_t i = 1; i < inside.size(); ++i) {
    if (inside[i].value < inside[i - 1].value) ++result;
  }
  return result;
}

// Distances are taken modulo 2^64, so that any two times have one.
void Counter::write(Bytes& out) const {
  const auto all = samples();
  const bool whole = std::all_of(all.begin(), all.end(),
                                 [](const Sample& sample) { return is_whole(sample.value); });
  ByteWriter writer(out);
  writer.fixed(whole ? kWhole : kBroken);
  writer.varint(all.size());
  Sample previous{0, 0};
  std::uint64_t distance = 0;
  for (const Sample& sample : all) {
    const std::uint64_t step =
        static_cast<std::uint64_t>(sample.time) - static_cast<std::uint64_t>(previous.time);
    writer.signed_varint(static_cast<std::int64_t>(step - distance));
    if (&sample != &all.front()) distance = step;
    if (whole) {
      writer.signed_varint(static_cast<std::int64_t>(sample.value) -
                           static_cast<std::int64_t>(previous.value));
    } else {
      write_difference(writer, std::bit_cast<std::uint64_t>(sample.value) ^
                                   std::bit_cast<std::uint64_t>(previous.value));
    }
    previous = sample;
  }
}

Counter Counter::read(std::span<const std::uint8_t> bytes, std::pmr::memory_resource* resource) {
  ByteReader in(bytes, "vigil.counter");
  const auto head = in.fixed<std::uint8_t>();
  if (head != kWhole && head != kBroken) in.fail("its version is unknown");
  const std::uint64_t size = in.varint();
  if (size > in.left() / 2) in.fail("it ends too early");
  Counter result(resource);
  result.samples_.reserve(static_cast<std::size_t>(size));
  Sample previous{0, 0};
  std::uint64_t distance = 0;
  bool broken = false;
  for (std::uint64_t i = 0; i < size; ++i) {
    Sample sample{in.signed_varint(), 0};
    if (i > 0) {
      distance += static_cast<std::uint64_t>(sample.time);
      sample.time = static_cast<std::int64_t>(static_cast<std::uint64_t>(previous.time) + distance);
      if (sample.time <= previous.time) in.fail("its samples are not in order");
    }
    sample.value =
        head == kWhole ? read_whole(in, previous.value) : read_broken(in, previous.value);
    broken = broken || !is_whole(sample.value);
    result.samples_.push_back(sample);
    previous = sample;
  }
  if (broken != (head == kBroken)) in.fail("its kind of values is not the one to choose");
  in.finish();
  result.sorted_ = result.samples_.size();
  return result;
}

}  // namespace vigil
