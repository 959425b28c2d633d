#include "core/record_queue.hpp"

#include <algorithm>
#include <cstring>
#include <new>

namespace vigil {

namespace {

constexpr std::size_t aligned(std::size_t size) {
  return (size + alignof(std::max_align_t) - 1) & ~(alignof(std::max_align_t) - 1);
}

constexpr std::size_t kLanesAt = aligned(sizeof(RecordQueue));

constexpr std::size_t blocks_at(std::size_t lanes) {
  return kLanesAt + aligned(lanes * sizeof(RecordQueue::Lane));
}

}  // namespace

std::size_t RecordQueue::blocks_for(std::size_t capacity) noexcept {
  return std::max<std::size_t>((capacity + kBlockBytes - 1) / kBlockBytes, 1);
}

std::size_t RecordQueue::size_of(std::size_t lanes, std::size_t capacity) noexcept {
  return blocks_at(lanes) + blocks_for(capacity) * sizeof(Block);
}

RecordQueue* RecordQueue::create(void* memory, std::size_t lanes, std::size_t capacity) noexcept {
  auto* queue = new (memory) RecordQueue;
  queue->lanes_ = static_cast<std::uint32_t>(lanes);
  queue->blocks_ = static_cast<std::uint32_t>(blocks_for(capacity));
  queue->free_ = kNone;
  queue->free_count_ = 0;
  for (std::size_t i = 0; i < lanes; ++i) new (&queue->lane(i)) Lane{};
  for (std::uint32_t i = queue->blocks_; i > 0; --i) queue->give_block(i - 1);
  return queue;
}

std::size_t RecordQueue::capacity() const noexcept { return blocks_ * sizeof(Block); }

RecordQueue::Lane& RecordQueue::lane(std::size_t index) noexcept {
  return reinterpret_cast<Lane*>(reinterpret_cast<char*>(this) + kLanesAt)[index];
}

RecordQueue::Lane* RecordQueue::find(Owner owner) noexcept {
  for (std::size_t i = 0; i < lanes_; ++i)
    if (lane(i).owner == owner) return &lane(i);
  return nullptr;
}

const RecordQueue::Block* RecordQueue::blocks() const noexcept {
  return reinterpret_cast<const Block*>(reinterpret_cast<const char*>(this) + blocks_at(lanes_));
}

RecordQueue::Block* RecordQueue::blocks() noexcept {
  return reinterpret_cast<Block*>(reinterpret_cast<char*>(this) + blocks_at(lanes_));
}

std::uint32_t RecordQueue::take_block() noexcept {
  const std::uint32_t block = free_;
  free_ = blocks()[block].next;
  blocks()[block].next = kNone;
  --free_count_;
  return block;
}

void RecordQueue::give_block(std::uint32_t block) noexcept {
  blocks()[block].next = free_;
  free_ = block;
  ++free_count_;
}

void RecordQueue::open(Lane& lane, Owner owner) noexcept {
  if (lane.owner != kNobody) close(lane);
  lane = {.owner = owner, .generation = lane.generation + 1};
}

void RecordQueue::close(Lane& lane) noexcept {
  if (lane.owner == kNobody) return;
  while (lane.head != kNone) {
    const std::uint32_t block = lane.head;
    lane.head = blocks()[block].next;
    give_block(block);
  }
  lane = {.owner = kNobody, .generation = lane.generation};
}

bool RecordQueue::append(Lane& lane, std::uint32_t kind,
                         std::initializer_list<std::string_view> parts) noexcept {
  std::size_t size = 0;
  for (const std::string_view part : parts) size += part.size();
  const std::size_t total = sizeof(Header) + size;
  const std::size_t room = lane.tail == kNone ? 0 : kRoom - lane.tail_used;
  const std::size_t wanted = total <= room ? 0 : (total - room + kRoom - 1) / kRoom;
  if (wanted > free_count_ || size > UINT32_MAX) {
    ++lane.dropped;
    return false;
  }
  const Header header{kind, static_cast<std::uint32_t>(size)};
  write(lane, reinterpret_cast<const char*>(&header), sizeof header);
  for (const std::string_view part : parts) write(lane, part.data(), part.size());
  ++lane.records;
  ++lane.appended;
  lane.bytes += size;
  return true;
}

void RecordQueue::write(Lane& lane, const char* bytes, std::size_t size) noexcept {
  while (size > 0) {
    if (lane.tail == kNone || lane.tail_used == kRoom) {
      const std::uint32_t block = take_block();
      if (lane.tail == kNone) {
        lane.head = block;
        lane.head_used = 0;
      } else {
        blocks()[lane.tail].next = block;
      }
      lane.tail = block;
      lane.tail_used = 0;
    }
    const std::size_t part = std::min(size, kRoom - lane.tail_used);
    std::memcpy(blocks()[lane.tail].bytes + lane.tail_used, bytes, part);
    lane.tail_used += static_cast<std::uint32_t>(part);
    bytes += part;
    size -= part;
  }
}

RecordQueue::Cursor RecordQueue::start(const Lane& lane) const noexcept {
  return {lane.generation, lane.head, lane.head_used, lane.records, 0, 0};
}

void RecordQueue::read(Cursor& cursor, char* bytes, std::size_t size) const noexcept {
  while (size > 0) {
    if (cursor.used == kRoom) {
      cursor.block = blocks()[cursor.block].next;
      cursor.used = 0;
    }
    const std::size_t part = std::min(size, kRoom - cursor.used);
    std::memcpy(bytes, blocks()[cursor.block].bytes + cursor.used, part);
    cursor.used += static_cast<std::uint32_t>(part);
    bytes += part;
    size -= part;
  }
}

bool RecordQueue::next(Cursor& cursor, Record& record) const {
  if (cursor.left == 0) return false;
  // The place moves only when the record's memory is there.
  Cursor place = cursor;
  Header header;
  read(place, reinterpret_cast<char*>(&header), sizeof header);
  record.kind = header.kind;
  record.bytes.resize(header.size);
  read(place, record.bytes.data(), header.size);
  --place.left;
  ++place.records;
  place.bytes += header.size;
  cursor = place;
  return true;
}

void RecordQueue::release(Lane& lane, const Cursor& cursor) noexcept {
  if (lane.generation != cursor.generation || lane.owner == kNobody || cursor.records == 0) return;
  lane.records -= cursor.records;
  lane.bytes -= cursor.bytes;
  const std::uint32_t end = lane.records > 0 ? cursor.block : kNone;
  while (lane.head != end) {
    const std::uint32_t block = lane.head;
    lane.head = blocks()[block].next;
    give_block(block);
  }
  lane.head_used = cursor.used;
  if (lane.records == 0) lane.tail = kNone;
}

}  // namespace vigil
