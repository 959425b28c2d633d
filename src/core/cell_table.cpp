#include "core/cell_table.hpp"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <tuple>

namespace vigil {

namespace {

constexpr std::size_t kFewestSlots = 64;
constexpr std::size_t kScratch = 256 * 1024;
constexpr std::size_t kKinds = Breakdowns::kKinds.size();

std::uint64_t mix(std::uint64_t left, std::uint64_t right) {
  const auto product =
      static_cast<unsigned __int128>(left ^ 0xa0761d6478bd642f) * (right ^ 0xe7037ed1a0b428db);
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

}  // namespace

CellTable::CellTable(std::pmr::memory_resource* resource, std::size_t batch)
    : kept_(resource),
      types_(resource),
      subjects_(resource),
      names_(resource),
      entries_(resource),
      slots_(resource),
      batch_(batch),
      facts_(resource),
      touched_(resource),
      order_(resource),
      by_rank_(resource),
      ranks_(resource),
      counts_(resource),
      counted_(resource),
      named_(resource),
      bytes_(resource) {}

std::uint32_t CellTable::Numbers::append(std::string_view text) {
  auto* bytes = static_cast<char*>(bytes_.allocate(text.size(), 1));
  std::copy(text.begin(), text.end(), bytes);
  texts_.emplace_back(bytes, text.size());
  return static_cast<std::uint32_t>(texts_.size());
}

CellTable::Entry CellTable::entry_of(const CellKey& key) {
  Entry entry{};
  std::memcpy(entry.module, key.module.bytes.data(), sizeof(entry.module));
  entry.has_version = key.version.has_value();
  if (key.version) std::memcpy(entry.version, key.version->bytes.data(), sizeof(entry.version));
  entry.bucket = key.bucket;
  entry.type = types_.of(key.event_type);
  entry.subject = subjects_.of(key.subject);
  std::uint64_t hash = mix(entry.module[0], entry.module[1]);
  hash = mix(hash ^ entry.version[0], entry.version[1]);
  hash = mix(hash ^ static_cast<std::uint64_t>(entry.bucket),
             std::uint64_t{entry.type} << 32 | entry.subject);
  entry.hash = static_cast<std::uint32_t>(hash);
  return entry;
}

CellKey CellTable::key_of(const Entry& entry) const {
  CellKey key{
      {}, std::nullopt, types_.text(entry.type), subjects_.text(entry.subject), entry.bucket};
  std::memcpy(key.module.bytes.data(), entry.module, sizeof(entry.module));
  if (entry.has_version) {
    std::memcpy(key.version.emplace().bytes.data(), entry.version, sizeof(entry.version));
  }
  return key;
}

std::uint32_t CellTable::number_of(const CellKey& key) {
  const Entry wanted = entry_of(key);
  if (2 * (entries_.size() + 1) > slots_.size()) {
    rebuild_slots(std::max(kFewestSlots, 2 * slots_.size()));
  }
  const std::size_t mask = slots_.size() - 1;
  std::size_t at = wanted.hash & mask;
  for (; slots_[at] != 0; at = (at + 1) & mask) {
    if (entries_[slots_[at] - 1].is_same(wanted)) return slots_[at] - 1;
  }
  entries_.push_back(wanted);
  slots_[at] = static_cast<std::uint32_t>(entries_.size());
  return slots_[at] - 1;
}

void CellTable::rebuild_slots(std::size_t slots) {
  slots_.assign(slots, 0);
  for (std::uint32_t number = 1; number <= entries_.size(); ++number) {
    std::size_t at = entries_[number - 1].hash & (slots - 1);
    while (slots_[at] != 0) at = (at + 1) & (slots - 1);
    slots_[at] = number;
  }
}

std::uint32_t CellTable::name_of(const std::optional<std::string_view>& name) {
  return name ? names_.of(*name) : kNoName;
}

void CellTable::add(const CellKey& key, const Observation& seen) {
  if (facts_.size() == batch_) flush();
  if (facts_.capacity() == 0) facts_.reserve(batch_);
  const std::uint32_t number = number_of(key);
  if (entries_[number].collected++ == 0) touched_.push_back(number);
  facts_.push_back(
      {Measures(seen),
       number,
       {name_of(seen.name), name_of(seen.country), name_of(seen.device), name_of(seen.browser)}});
}

// Facts of an entry become neighbours in order_, and `collected` the place behind the last.
void CellTable::sort_facts() {
  order_.resize(facts_.size());
  std::uint32_t start = 0;
  for (const std::uint32_t number : touched_) {
    const std::uint32_t collected = entries_[number].collected;
    entries_[number].collected = start;
    start += collected;
  }
  for (std::uint32_t i = 0; i < facts_.size(); ++i)
    order_[entries_[facts_[i].entry].collected++] = i;
}

// Cells are written with names in order: to sort them once is to sort numbers from then on.
void CellTable::sort_names() {
  by_rank_.resize(names_.size());
  std::iota(by_rank_.begin(), by_rank_.end(), 0);
  std::sort(by_rank_.begin(), by_rank_.end(), [this](std::uint32_t left, std::uint32_t right) {
    return names_.text(left) < names_.text(right);
  });
  ranks_.resize(names_.size());
  for (std::uint32_t rank = 0; rank < by_rank_.size(); ++rank) ranks_[by_rank_[rank]] = rank;
  counts_.assign(names_.size() * kKinds, 0);
}

void CellTable::flush() {
  sort_facts();
  sort_names();
  std::pmr::vector<std::byte> memory(kScratch, facts_.get_allocator());
  std::pmr::monotonic_buffer_resource scratch(memory.data(), memory.size(),
                                              memory.get_allocator().resource());
  std::uint32_t start = 0;
  for (const std::uint32_t number : touched_) {
    Entry& entry = entries_[number];
    Cell cell = cell_of(entry, &scratch);
    add_facts(cell, std::span(order_).subspan(start, entry.collected - start));
    if (entry.bytes.empty()) {
      bytes_.clear();
      cell.write_measures(bytes_);
      write_names();
      keep_bytes(entry, cell.count, counted_.size());
    } else {
      for (const std::uint32_t at : counted_) {
        cell.breakdowns.add(Breakdowns::kKinds[at / names_.size()],
                            names_.text(by_rank_[at % names_.size()]), counts_[at]);
      }
      keep(entry, cell);
    }
    for (const std::uint32_t at : counted_) counts_[at] = 0;
    counted_.clear();
    start = entry.collected;
    entry.collected = 0;
    scratch.release();  // the cell's memory; nothing of it is used by its destructor
  }
  touched_.clear();
  facts_.clear();
}

void CellTable::write_names() {
  ByteWriter out(bytes_);
  auto at = counted_.begin();
  for (std::size_t kind = 0; kind < kKinds; ++kind) {
    const std::size_t first = kind * names_.size();
    named_.clear();
    for (; at != counted_.end() && *at < first + names_.size(); ++at) {
      named_.push_back({names_.text(by_rank_[*at - first]), counts_[*at]});
    }
    Breakdowns::write_kind(out, named_);
  }
}

Cell CellTable::cell_of(const Entry& entry, std::pmr::memory_resource* resource) const {
  return entry.bytes.empty() ? Cell(resource) : Cell::read(entry.bytes, resource);
}

void CellTable::add_facts(Cell& cell, std::span<const std::uint32_t> facts) {
  constexpr std::size_t kAhead = 4;  // facts of a cell lie far apart
  for (std::size_t i = 0; i < facts.size(); ++i) {
    if (i + kAhead < facts.size()) __builtin_prefetch(&facts_[facts[i + kAhead]]);
    const Fact& fact = facts_[facts[i]];
    cell.add(static_cast<const Measures&>(fact));
    for (std::size_t kind = 0; kind < kKinds; ++kind) {
      if (fact.names[kind] == kNoName) continue;
      const auto at = static_cast<std::uint32_t>(kind * names_.size() + ranks_[fact.names[kind]]);
      if (counts_[at]++ == 0) counted_.push_back(at);
    }
  }
  std::sort(counted_.begin(), counted_.end());
}

void CellTable::keep(Entry& entry, const Cell& cell) {
  bytes_.clear();
  cell.write(bytes_);
  keep_bytes(entry, cell.count, cell.breakdowns.size());
}

void CellTable::keep_bytes(Entry& entry, std::uint64_t count, std::size_t names) {
  auto* memory = static_cast<std::uint8_t*>(kept_.allocate(bytes_.size(), 1));
  std::memcpy(memory, bytes_.data(), bytes_.size());
  entry.bytes = {memory, bytes_.size()};
  entry.count = count;
  entry.names = static_cast<std::uint32_t>(names);
}

void CellTable::finish(std::size_t limit, std::string_view unbounded, std::size_t names) {
  flush();
  if (subjects_.size() > limit) fold_subjects(limit, unbounded);
  fold_names(names);
}

void CellTable::fold_names(std::size_t limit) {
  for (Entry& entry : entries_) {
    if (entry.names <= limit) continue;
    Cell cell = cell_of(entry, entries_.get_allocator().resource());
    cell.fold(limit);
    keep(entry, cell);
  }
}

void CellTable::fold_subjects(std::size_t limit, std::string_view unbounded) {
  std::pmr::memory_resource* resource = entries_.get_allocator().resource();
  std::pmr::vector<std::uint32_t> order(resource);
  for (std::uint32_t i = 0; i < entries_.size(); ++i) {
    if (types_.text(entries_[i].type) != unbounded &&
        subjects_.text(entries_[i].subject) != kOther) {
      order.push_back(i);
    }
  }
  std::sort(order.begin(), order.end(),
            [this](std::uint32_t left_number, std::uint32_t right_number) {
              const Entry& left = entries_[left_number];
              const Entry& right = entries_[right_number];
              if (left.group() != right.group()) return left.group() < right.group();
              if (left.count != right.count) return left.count > right.count;
              return subjects_.text(left.subject) < subjects_.text(right.subject);
            });
  for (std::size_t i = 0; i < order.size();) {
    const Entry first = entries_[order[i]];
    std::size_t end = i;
    while (end < order.size() && entries_[order[end]].group() == first.group()) ++end;
    if (end - i > limit) {
      CellKey key = key_of(first);
      key.subject = kOther;
      const std::uint32_t other = number_of(key);
      Cell rest = cell_of(entries_[other], resource);
      for (i += limit; i < end; ++i) {
        Entry& entry = entries_[order[i]];
        rest.merge(cell_of(entry, resource));
        entry.count = 0;
      }
      keep(entries_[other], rest);
    }
    i = end;
  }
  std::erase_if(entries_, [](const Entry& entry) { return entry.count == 0; });
  rebuild_slots(slots_.size());
}

}  // namespace vigil
