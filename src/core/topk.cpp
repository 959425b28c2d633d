#include "core/topk.hpp"

#include <algorithm>
#include <cstring>
#include <limits>
#include <string>
#include <tuple>

#include "core/murmur3.hpp"

namespace vigil {
namespace {

constexpr std::uint8_t kVersion1 = 0x10;
constexpr std::uint64_t kMaxTotal = std::numeric_limits<std::int64_t>::max();
constexpr std::size_t kFewestSlots = 16;

Hash128 full_hash(std::string_view text) {
  return murmur3_x64_128({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
}

std::uint64_t hash_of(std::string_view text) { return full_hash(text).low; }

std::uint32_t tag_of(std::uint64_t hash) { return static_cast<std::uint32_t>(hash >> 32); }

bool shown_before(const TopK::Item& a, const TopK::Item& b) {
  return std::tie(b.count, a.error, a.text) < std::tie(a.count, b.error, b.text);
}

void check_limit(std::uint32_t limit) {
  if (limit >= 1 && limit <= TopK::kMaxLimit) return;
  throw Error(Code::kInvalidArgument, "number of items is out of range",
              "It must lie between 1 and " + std::to_string(TopK::kMaxLimit) + ".");
}

}  // namespace

TopK::TopK(std::pmr::memory_resource* resource, std::uint32_t limit)
    : entries_(resource), slots_(resource), texts_(resource), heap_(resource), limit_(limit) {
  check_limit(limit);
}

TopK::TopK(const TopK& other, std::pmr::memory_resource* resource)
    : entries_(other.entries_, resource),
      slots_(other.slots_, resource),
      texts_(other.texts_, resource),
      heap_(other.heap_, resource),
      total_(other.total_),
      floor_(other.floor_),
      limit_(other.limit_) {}

void TopK::set_limit(std::uint32_t limit) {
  check_limit(limit);
  if (limit != limit_ && total_ != 0) {
    throw Error(Code::kInvalidArgument, "number of items must not change",
                "It was " + std::to_string(limit_) + " and is now " + std::to_string(limit) + ".");
  }
  limit_ = limit;
}

void TopK::check_room(std::uint64_t times) const {
  if (times > kMaxTotal - total_) {
    throw Error(Code::kNumericOutOfRange, "count is out of range for type bigint");
  }
}

void TopK::add(std::string_view text, std::uint64_t times) {
  if (text.size() > kMaxBytes) {
    throw Error(Code::kStringTooLong, "item is too long",
                "It has " + std::to_string(text.size()) + " bytes, the limit is " +
                    std::to_string(kMaxBytes) + ".");
  }
  check_room(times);
  if (times == 0) return;
  const std::uint64_t hash = hash_of(text);
  if (!slots_.empty()) {
    const Slot slot = slots_[find(hash, text)];
    if (slot.entry != 0) {
      entries_[slot.entry - 1].count += times;
      total_ += times;
      return;
    }
  }
  if (entries_.size() < limit_) {
    append(text, hash, floor_ + times, floor_);
  } else {
    replace_least(text, hash, times);
  }
  total_ += times;
}

// The slot of the text, or the free one where it belongs.
std::size_t TopK::find(std::uint64_t hash, std::string_view text) const {
  const std::size_t mask = slots_.size() - 1;
  std::size_t at = hash & mask;
  for (; slots_[at].entry != 0; at = (at + 1) & mask) {
    if (slots_[at].tag != tag_of(hash)) continue;
    const Entry& entry = entries_[slots_[at].entry - 1];
    if (entry.hash == hash && text_of(entry) == text) break;
  }
  return at;
}

// Enters the entry, of a text that is not there yet, into the table.
void TopK::place(std::uint32_t entry) {
  const std::size_t mask = slots_.size() - 1;
  const std::uint64_t hash = entries_[entry].hash;
  std::size_t at = hash & mask;
  while (slots_[at].entry != 0) at = (at + 1) & mask;
  slots_[at] = {tag_of(hash), entry + 1};
}

// Moves those back that had to pass the slot, so that no gap hides them.
void TopK::free_slot(std::size_t slot) {
  const std::size_t mask = slots_.size() - 1;
  for (std::size_t next = (slot + 1) & mask; slots_[next].entry != 0; next = (next + 1) & mask) {
    const std::size_t home = entries_[slots_[next].entry - 1].hash & mask;
    if (((next - home) & mask) < ((next - slot) & mask)) continue;
    slots_[slot] = slots_[next];
    slot = next;
  }
  slots_[slot].entry = 0;
}

void TopK::rebuild_table(std::size_t slots) {
  slots_.assign(slots, {});
  for (std::uint32_t i = 0; i < entries_.size(); ++i) place(i);
}

// Makes room for one entry more.
void TopK::grow_table() {
  if (2 * (entries_.size() + 1) > slots_.size()) {
    rebuild_table(std::max(kFewestSlots, 2 * slots_.size()));
  }
}

// Keeps the place of the text that the entry had; one that is too small is given up for one of
// twice its size, so that what was given up never exceeds what is in use.
void TopK::store_text(Entry& entry, std::string_view text) {
  if (text.size() > entry.capacity) {
    const std::size_t room = std::clamp<std::size_t>(2 * entry.capacity, text.size(), kMaxBytes);
    entry.offset = static_cast<std::uint32_t>(texts_.size());
    entry.capacity = static_cast<std::uint16_t>(room);
    texts_.resize(texts_.size() + room);
  }
  entry.size = static_cast<std::uint16_t>(text.size());
  if (!text.empty()) std::memcpy(texts_.data() + entry.offset, text.data(), text.size());
}

void TopK::append(std::string_view text, std::uint64_t hash, std::uint64_t count,
                  std::uint64_t error) {
  grow_table();
  Entry entry{hash, count, error, count, 0, 0, 0};
  store_text(entry, text);
  entries_.push_back(entry);
  place(static_cast<std::uint32_t>(entries_.size() - 1));
}

// Whether entry a is given up before entry b: the least certain of those of the least count, and
// among those the one of the highest hash, which is as good as any but always the same.
bool TopK::leaves_before(std::uint32_t a, std::uint32_t b) const {
  const Entry& x = entries_[a];
  const Entry& y = entries_[b];
  if (x.key != y.key) return x.key < y.key;
  if (x.error != y.error) return x.error > y.error;
  if (x.hash != y.hash) return x.hash > y.hash;
  return text_of(x) > text_of(y);
}

void TopK::sift_down(std::size_t at) {
  const std::uint32_t moving = heap_[at];
  for (;;) {
    std::size_t child = 2 * at + 1;
    if (child >= heap_.size()) break;
    if (child + 1 < heap_.size() && leaves_before(heap_[child + 1], heap_[child])) ++child;
    if (!leaves_before(heap_[child], moving)) break;
    heap_[at] = heap_[child];
    at = child;
  }
  heap_[at] = moving;
}

// Brings the entry to leave to the head of the heap. Counts only rise, so the heap may be ordered
// by counts of the past as long as its head is up to date: adding need not touch it.
std::uint32_t TopK::least() {
  if (heap_.empty()) {
    heap_.resize(entries_.size());
    for (std::uint32_t i = 0; i < heap_.size(); ++i) {
      heap_[i] = i;
      entries_[i].key = entries_[i].count;
    }
    for (std::size_t i = heap_.size() / 2; i-- > 0;) sift_down(i);
  }
  while (entries_[heap_[0]].key != entries_[heap_[0]].count) {
    entries_[heap_[0]].key = entries_[heap_[0]].count;
    sift_down(0);
  }
  return heap_[0];
}

void TopK::replace_least(std::string_view text, std::uint64_t hash, std::uint64_t times) {
  const std::uint32_t number = least();
  Entry& entry = entries_[number];
  free_slot(find(entry.hash, text_of(entry)));
  floor_ = entry.count;
  entry.hash = hash;
  entry.error = entry.count;
  entry.count += times;
  entry.key = entry.count;
  store_text(entry, text);
  place(number);
  sift_down(0);
}

// A text that only one side lists may have occurred up to the other's floor times there.
void TopK::merge(const TopK& other) {
  check_room(other.total_);
  if (&other == this) return merge(TopK(other, entries_.get_allocator().resource()));
  const std::size_t own = entries_.size();
  for (Entry& entry : entries_) {
    entry.count += other.floor_;
    entry.error += other.floor_;
  }
  for (const Entry& entry : other.entries_) {
    const std::string_view text = other.text_of(entry);
    const Slot slot = slots_.empty() ? Slot{} : slots_[find(entry.hash, text)];
    if (slot.entry != 0 && slot.entry <= own) {
      Entry& mine = entries_[slot.entry - 1];
      mine.count += entry.count - other.floor_;
      mine.error = mine.error - other.floor_ + entry.error;
    } else {
      append(text, entry.hash, entry.count + floor_, entry.error + floor_);
    }
  }
  total_ += other.total_;
  floor_ += other.floor_;
  limit_ = std::min(limit_, other.limit_);
  heap_.clear();
  if (entries_.size() > limit_) keep_most();
}

// Keeps the `limit` entries that would leave last; what leaves raises the floor to its count. That
// keeps the sum of all counts, plus the floor for each free place, within the total: the floor is
// at most the least count kept, so it stays within total / limit.
void TopK::keep_most() {
  auto* resource = entries_.get_allocator().resource();
  std::pmr::vector<std::uint32_t> order(entries_.size(), resource);
  for (std::uint32_t i = 0; i < order.size(); ++i) {
    order[i] = i;
    entries_[i].key = entries_[i].count;
  }
  const auto kept = order.begin() + static_cast<std::ptrdiff_t>(limit_);
  std::nth_element(order.begin(), kept, order.end(),
                   [this](std::uint32_t a, std::uint32_t b) { return leaves_before(b, a); });
  floor_ = std::max(floor_, entries_[*kept].count);
  std::pmr::vector<Entry> entries(resource);
  std::pmr::vector<char> texts(resource);
  entries.reserve(limit_);
  for (std::size_t i = 0; i < limit_; ++i) {
    Entry entry = entries_[order[i]];
    const std::string_view text = text_of(entry);
    entry.offset = static_cast<std::uint32_t>(texts.size());
    entry.capacity = entry.size;
    texts.insert(texts.end(), text.begin(), text.end());
    entries.push_back(entry);
  }
  entries_ = std::move(entries);
  texts_ = std::move(texts);
  rebuild_table(std::bit_ceil(std::max<std::size_t>(kFewestSlots, 2 * entries_.size())));
}

std::pmr::vector<TopK::Item> TopK::items(std::pmr::memory_resource* resource) const {
  std::pmr::vector<Item> result(resource);
  result.reserve(entries_.size());
  for (const Entry& entry : entries_) {
    result.push_back({text_of(entry), entry.count, entry.error});
  }
  std::sort(result.begin(), result.end(), shown_before);
  return result;
}

void TopK::write(Bytes& out) const {
  ByteWriter writer(out);
  writer.fixed(kVersion1);
  writer.varint(limit_);
  writer.varint(total_);
  if (total_ == 0) return;
  writer.varint(floor_);
  writer.varint(entries_.size());
  std::uint64_t previous = total_;
  for (const Item& item : items(out.get_allocator().resource())) {
    writer.varint(previous - item.count);
    if (floor_ != 0) writer.varint(item.error);
    writer.text(item.text);
    previous = item.count;
  }
}

TopK TopK::read(std::span<const std::uint8_t> bytes, std::pmr::memory_resource* resource) {
  ByteReader in(bytes, "vigil.topk");
  if (in.fixed<std::uint8_t>() != kVersion1) in.fail("its version is unknown");
  const std::uint64_t limit = in.varint();
  if (limit < 1 || limit > kMaxLimit) in.fail("its number of items is out of range");
  TopK result(resource, static_cast<std::uint32_t>(limit));
  result.total_ = in.varint();
  if (result.total_ > kMaxTotal) in.fail("its count is out of range");
  if (result.total_ == 0) {
    in.finish();
    return result;
  }
  result.floor_ = in.varint();
  const std::uint64_t size = in.varint();
  if (size < 1 || size > limit || (result.floor_ != 0 && size != limit)) {
    in.fail("its number of items is out of range");
  }
  Item previous{{}, result.total_, 0};
  std::uint64_t left = result.total_;
  for (std::uint64_t i = 0; i < size; ++i) {
    const std::uint64_t fall = in.varint();
    if (fall >= previous.count) in.fail("a count is out of range");
    Item item{{}, previous.count - fall, result.floor_ != 0 ? in.varint() : 0};
    item.text = in.text();
    if (item.count < result.floor_ || item.count > left) in.fail("a count is out of range");
    if (item.error > result.floor_ || item.error >= item.count) in.fail("an error is out of range");
    if (item.text.size() > kMaxBytes) in.fail("an item is too long");
    if (i > 0 && !shown_before(previous, item)) in.fail("its items are not in order");
    const std::uint64_t hash = hash_of(item.text);
    if (i > 0 && result.slots_[result.find(hash, item.text)].entry != 0) {
      in.fail("an item occurs twice");
    }
    result.append(item.text, hash, item.count, item.error);
    left -= item.count;
    previous = item;
  }
  if (result.floor_ == 0 && left != 0) in.fail("its count contradicts its items");
  in.finish();
  return result;
}

std::size_t TopK::shortened(std::string_view text, std::size_t prefix,
                            std::span<char, kMaxBytes> out) {
  prefix = std::min({prefix, kMaxPrefix, text.size()});
  char* end = std::copy_n(text.data(), prefix, out.data());
  end = std::fill_n(end, 3, '.');
  const Hash128 hash = full_hash(text);
  for (const std::uint64_t half : {hash.high, hash.low}) {
    for (int shift = 60; shift >= 0; shift -= 4) *end++ = "0123456789abcdef"[(half >> shift) & 15];
  }
  return static_cast<std::size_t>(end - out.data());
}

}  // namespace vigil
