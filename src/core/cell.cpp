#include "core/cell.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace vigil {

namespace {

using Kind = Breakdowns::Kind;

constexpr std::uint8_t kVersion = 1;
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

template <typename Sketch>
Sketch read_sketch(ByteReader& in, std::pmr::memory_resource* resource) {
  const std::uint64_t size = in.varint();
  if (size > in.left()) in.fail("it ends too early");
  return Sketch::read(in.raw(static_cast<std::size_t>(size)), resource);
}

// Sets of other parameters, which no cell has, could not be merged.
HyperLogLog read_set(ByteReader& in, std::pmr::memory_resource* resource) {
  HyperLogLog set = read_sketch<HyperLogLog>(in, resource);
  if (set.parameters() != HyperLogLogParameters{}) in.fail("a set has other parameters");
  return set;
}

}  // namespace

Cell::Cell(std::pmr::memory_resource* resource)
    : duration(resource),
      value(resource),
      sites(resource),
      sessions(resource),
      users(resource),
      breakdowns(resource) {}

void Cell::note_time(std::int64_t first, std::int64_t last) {
  first_time = count == 0 ? first : std::min(first_time, first);
  last_time = count == 0 ? last : std::max(last_time, last);
}

void Cell::note_memory(std::uint64_t samples, __int128 sum, std::int64_t largest) {
  if (samples == 0) return;
  memory_max = memory_count == 0 ? largest : std::max(memory_max, largest);
  memory_count = sum_of(memory_count, samples);
  memory_sum += sum;
}

Measures::Measures(const Observation& seen)
    : time(seen.time),
      duration(seen.duration.value_or(kMissing)),
      value(seen.value.value_or(kMissing)) {
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

void Cell::add(const Measures& seen) {
  note_time(seen.time, seen.time);
  count = sum_of(count, 1);
  if (seen.has(Measures::kSuccess)) ++(seen.has(Measures::kSucceeded) ? successes : failures);
  if (std::isfinite(seen.duration)) duration.add(seen.duration);
  if (std::isfinite(seen.value)) value.add(seen.value);
  if (seen.has(Measures::kMemory)) note_memory(1, seen.memory, seen.memory);
  if (seen.has(Measures::kSite)) sites.add_hash(seen.site);
  if (seen.has(Measures::kSession)) sessions.add_hash(seen.session);
  if (seen.has(Measures::kUser)) users.add_hash(seen.user);
}

void Cell::add(const Observation& seen) {
  add(Measures(seen));
  breakdowns.add(Kind::kNames, seen.name);
  if (seen.country) breakdowns.add(Kind::kCountries, *seen.country);
  if (seen.device) breakdowns.add(Kind::kDevices, *seen.device);
  if (seen.browser) breakdowns.add(Kind::kBrowsers, *seen.browser);
}

void Cell::merge(const Cell& other) {
  if (other.count == 0) return;
  note_time(other.first_time, other.last_time);
  count = sum_of(count, other.count);
  successes = sum_of(successes, other.successes);
  failures = sum_of(failures, other.failures);
  note_memory(other.memory_count, other.memory_sum, other.memory_max);
  duration.merge(other.duration);
  value.merge(other.value);
  sites.merge(other.sites);
  sessions.merge(other.sessions);
  users.merge(other.users);
  breakdowns.merge(other.breakdowns);
}

void Cell::write(Bytes& out) const {
  ByteWriter writer(out);
  writer.fixed(kVersion);
  writer.varint(count);
  if (count == 0) return;
  writer.varint(successes);
  writer.varint(failures);
  writer.signed_varint(first_time);
  writer.signed_varint(last_time);
  writer.varint(memory_count);
  if (memory_count > 0) {
    writer.fixed(static_cast<std::uint64_t>(memory_sum));
    writer.fixed(static_cast<std::int64_t>(memory_sum >> 64));
    writer.signed_varint(memory_max);
  }
  write_sketch(duration, out);
  write_sketch(value, out);
  write_sketch(sites, out);
  write_sketch(sessions, out);
  write_sketch(users, out);
  breakdowns.write(writer);
}

Cell Cell::read(std::span<const std::uint8_t> bytes, std::pmr::memory_resource* resource) {
  ByteReader in(bytes, kType);
  Cell cell(resource);
  if (in.fixed<std::uint8_t>() != kVersion) in.fail("its version is unknown");
  cell.count = in.varint();
  if (cell.count == 0) {
    in.finish();
    return cell;
  }
  cell.successes = in.varint();
  cell.failures = in.varint();
  if (cell.successes > cell.count || cell.failures > cell.count - cell.successes)
    in.fail("it counts more outcomes than events");
  cell.first_time = in.signed_varint();
  cell.last_time = in.signed_varint();
  if (cell.first_time > cell.last_time) in.fail("its times are out of order");
  cell.memory_count = in.varint();
  if (cell.memory_count > 0) {
    const auto low = in.fixed<std::uint64_t>();
    const auto high = in.fixed<std::int64_t>();
    cell.memory_sum = static_cast<__int128>(
        (static_cast<unsigned __int128>(static_cast<std::uint64_t>(high)) << 64) | low);
    cell.memory_max = in.signed_varint();
    const __int128 bound = static_cast<__int128>(cell.memory_count) << 63;
    if (cell.memory_sum > bound || cell.memory_sum < -bound)
      in.fail("its memory sum is impossible");
  }
  cell.duration = read_sketch<Histogram>(in, resource);
  cell.value = read_sketch<Histogram>(in, resource);
  cell.sites = read_set(in, resource);
  cell.sessions = read_set(in, resource);
  cell.users = read_set(in, resource);
  cell.breakdowns.read(in);
  in.finish();
  return cell;
}

}  // namespace vigil
