#include "core/cell.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace vigil {

namespace {

using Kind = Breakdowns::Kind;

// The version tells whether there are weights.
constexpr std::uint8_t kPlain = 1;
constexpr std::uint8_t kWeighted = 2;
constexpr std::string_view kType = "vigil.cell";
constexpr double kMissing = std::numeric_limits<double>::quiet_NaN();

std::uint64_t sum_of(std::uint64_t left, std::uint64_t right) {
  std::uint64_t sum = 0;
  if (__builtin_add_overflow(left, right, &sum))
    throw Error(Code::kNumericOutOfRange, "count in a cell is out of range",
                "A cell counts up to 2^64 - 1.");
  return sum;
}

std::span<const std::uint8_t> bytes_of(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

// The sketch behind its size, without a copy: most sizes take one byte.
template <typename Sketch>
void write_sketch(const Sketch& sketch, Bytes& out) {
  const std::size_t start = out.size();
  out.push_back(0);
  sketch.write(out);
  const std::size_t size = out.size() - start - 1;
  if (size < 0x80) {
    out[start] = static_cast<std::uint8_t>(size);
    return;
  }
  std::array<std::uint8_t, kMaxVarint> head;
  const std::size_t length = write_varint(size, head);
  out[start] = head[0];
  out.insert(out.begin() + static_cast<std::ptrdiff_t>(start) + 1, head.data() + 1,
             head.data() + length);
}

std::span<const std::uint8_t> sketch_bytes(ByteReader& in) {
  const std::uint64_t size = in.varint();
  if (size > in.left()) in.fail("it ends too early");
  return in.raw(static_cast<std::size_t>(size));
}

// While the values are kept one by one, add() is as quick.
void add_to(Histogram& histogram, double value) {
  if (histogram.is_exact() || !histogram.try_add(value)) histogram.add(value);
}

// Version and totals; nothing may follow the totals of an empty cell.
Totals head_of(ByteReader& in) {
  const auto version = in.fixed<std::uint8_t>();
  if (version != kPlain && version != kWeighted) in.fail("its version is unknown");
  const Totals totals = Totals::read(in, version == kWeighted);
  if (totals.has_weights() != (version == kWeighted)) in.fail("it has no weights");
  if (totals.count == 0) in.finish();
  return totals;
}

}  // namespace

Cell::Cell(std::pmr::memory_resource* resource)
    : duration(resource),
      value(resource),
      sites(resource),
      sessions(resource),
      users(resource),
      breakdowns(resource) {}

void Totals::note_time(std::int64_t first, std::int64_t last) {
  first_time = count == 0 ? first : std::min(first_time, first);
  last_time = count == 0 ? last : std::max(last_time, last);
}

void Totals::note_memory(std::uint64_t samples, __int128 sum, std::int64_t largest) {
  if (samples == 0) return;
  memory_max = memory_count == 0 ? largest : std::max(memory_max, largest);
  memory_count = sum_of(memory_count, samples);
  memory_sum += sum;
}

Measures::Measures(const Observation& seen)
    : time(seen.time),
      duration(seen.duration.value_or(kMissing)),
      value(seen.value.value_or(kMissing)),
      weight(seen.weight) {
  if (seen.success) known = *seen.success ? kSuccess | kSucceeded : kSuccess;
  if (seen.memory) {
    known |= kMemory;
    memory = *seen.memory;
  }
  if (seen.site) {
    known |= kSite;
    site = HyperLogLog::hash_of(*seen.site);
  }
  if (seen.session) {
    known |= kSession;
    session = HyperLogLog::hash_of(bytes_of(*seen.session));
  }
  if (seen.user) {
    known |= kUser;
    user = HyperLogLog::hash_of(bytes_of(*seen.user));
  }
}

bool Totals::has_weights() const {
  return !(extra_successes.is_zero() && extra_failures.is_zero() && extra_others.is_zero());
}

double Totals::weight() const {
  WeightSum extra = extra_others;
  extra.merge(extra_successes);
  extra.merge(extra_failures);
  return extra.above(count);
}

WeightSum& Totals::extra_of(const Measures& seen) {
  if (!seen.has(Measures::kSuccess)) return extra_others;
  return seen.has(Measures::kSucceeded) ? extra_successes : extra_failures;
}

void Totals::add(const Measures& seen) {
  note_time(seen.time, seen.time);
  count = sum_of(count, 1);
  if (seen.has(Measures::kSuccess)) ++(seen.has(Measures::kSucceeded) ? successes : failures);
  if (seen.weight != 1) [[unlikely]]
    extra_of(seen).add(seen.weight);
  if (seen.has(Measures::kMemory)) note_memory(1, seen.memory, seen.memory);
}

void Totals::merge(const Totals& other) {
  if (other.count == 0) return;
  note_time(other.first_time, other.last_time);
  count = sum_of(count, other.count);
  successes = sum_of(successes, other.successes);
  failures = sum_of(failures, other.failures);
  note_memory(other.memory_count, other.memory_sum, other.memory_max);
  extra_successes.merge(other.extra_successes);
  extra_failures.merge(other.extra_failures);
  extra_others.merge(other.extra_others);
}

void Totals::write(ByteWriter& out) const {
  out.varint(count);
  if (count == 0) return;
  out.varint(successes);
  out.varint(failures);
  out.signed_varint(first_time);
  out.signed_varint(last_time);
  out.varint(memory_count);
  if (memory_count > 0) {
    out.fixed(static_cast<std::uint64_t>(memory_sum));
    out.fixed(static_cast<std::int64_t>(memory_sum >> 64));
    out.signed_varint(memory_max);
  }
  if (!has_weights()) return;
  extra_successes.write(out);
  extra_failures.write(out);
  extra_others.write(out);
}

Totals Totals::read(ByteReader& in, bool with_weights) {
  Totals totals;
  totals.count = in.varint();
  if (totals.count == 0) return totals;
  totals.successes = in.varint();
  totals.failures = in.varint();
  if (totals.successes > totals.count || totals.failures > totals.count - totals.successes)
    in.fail("it counts more outcomes than events");
  totals.first_time = in.signed_varint();
  totals.last_time = in.signed_varint();
  if (totals.first_time > totals.last_time) in.fail("its times are out of order");
  totals.read_memory(in);
  if (with_weights) totals.read_weights(in);
  return totals;
}

void Totals::read_memory(ByteReader& in) {
  memory_count = in.varint();
  if (memory_count == 0) return;
  const auto low = in.fixed<std::uint64_t>();
  const auto high = in.fixed<std::int64_t>();
  memory_sum = static_cast<__int128>(
      (static_cast<unsigned __int128>(static_cast<std::uint64_t>(high)) << 64) | low);
  memory_max = in.signed_varint();
  const __int128 bound = static_cast<__int128>(memory_count) << 63;
  if (memory_sum > bound || memory_sum < -bound) in.fail("its memory sum is impossible");
}

void Totals::read_weights(ByteReader& in) {
  extra_successes = WeightSum::read(in);
  extra_failures = WeightSum::read(in);
  extra_others = WeightSum::read(in);
  if (!extra_successes.is_possible(successes) || !extra_failures.is_possible(failures) ||
      !extra_others.is_possible(count - successes - failures))
    in.fail("its weights are impossible");
}

void Cell::add(const Measures& seen) {
  Totals::add(seen);
  if (std::isfinite(seen.duration)) add_to(duration, seen.duration);
  if (std::isfinite(seen.value)) add_to(value, seen.value);
  if (seen.has(Measures::kSite)) sites.add_hash(seen.site);
  if (seen.has(Measures::kSession)) sessions.add_hash(seen.session);
  if (seen.has(Measures::kUser)) users.add_hash(seen.user);
}

// A query fills thousands of cells side by side, which no cache holds; so what will be needed is
// asked for early, and hashes are computed until it is there.
void Cell::add(const Observation& seen) {
  for (std::size_t line = 0; line < sizeof(Cell); line += 64) {
    __builtin_prefetch(reinterpret_cast<const char*>(this) + line);
  }
  const Measures measures(seen);
  const auto names = breakdowns.look_up({seen.name, seen.country, seen.device, seen.browser});
  if (measures.has(Measures::kSite)) sites.prefetch(measures.site);
  if (measures.has(Measures::kSession)) sessions.prefetch(measures.session);
  duration.prefetch(measures.duration);
  add(measures);
  breakdowns.add(names);
}

void Cell::merge(const Cell& other) {
  Totals::merge(other);
  duration.merge(other.duration);
  value.merge(other.value);
  sites.merge(other.sites);
  sessions.merge(other.sessions);
  users.merge(other.users);
  breakdowns.merge(other.breakdowns);
}

bool Cell::merge_measures(ByteReader& in, Distribution only) {
  const Totals totals = head_of(in);
  if (totals.count == 0) return false;
  Totals::merge(totals);
  for (const Distribution distribution : {&Cell::duration, &Cell::value}) {
    const auto bytes = sketch_bytes(in);
    if (only == nullptr || only == distribution) (this->*distribution).merge_stored(bytes);
  }
  for (HyperLogLog* set : {&sites, &sessions, &users}) set->merge_stored(sketch_bytes(in));
  return true;
}

void Cell::merge_measures(std::span<const std::uint8_t> bytes, Distribution only) {
  ByteReader in(bytes, kType);
  merge_measures(in, only);
}

void Cell::merge_stored(std::span<const std::uint8_t> bytes) {
  ByteReader in(bytes, kType);
  if (!merge_measures(in, nullptr)) return;
  breakdowns.read(in);
  in.finish();
}

void Cell::write(Bytes& out) const {
  write_measures(out);
  if (count == 0) return;
  ByteWriter writer(out);
  breakdowns.write(writer);
}

void Cell::write_measures(Bytes& out) const {
  ByteWriter writer(out);
  writer.fixed(has_weights() ? kWeighted : kPlain);
  Totals::write(writer);
  if (count == 0) return;
  write_sketch(duration, out);
  write_sketch(value, out);
  write_sketch(sites, out);
  write_sketch(sessions, out);
  write_sketch(users, out);
}

Totals Cell::read_totals(std::span<const std::uint8_t> bytes) {
  ByteReader in(bytes, kType);
  return head_of(in);
}

Cell Cell::read(std::span<const std::uint8_t> bytes, std::pmr::memory_resource* resource) {
  ByteReader in(bytes, kType);
  Cell cell(resource);
  static_cast<Totals&>(cell) = head_of(in);
  if (cell.count == 0) return cell;
  for (Histogram* distribution : {&cell.duration, &cell.value}) {
    *distribution = Histogram::read(sketch_bytes(in), resource);
  }
  for (HyperLogLog* set : {&cell.sites, &cell.sessions, &cell.users}) {
    *set = HyperLogLog::read(sketch_bytes(in), resource);
    // Sets of other parameters, which no cell has, could not be merged.
    if (set->parameters() != HyperLogLogParameters{}) in.fail("a set has other parameters");
  }
  cell.breakdowns.read(in);
  in.finish();
  return cell;
}

}  // namespace vigil
