// A bounded queue of records in memory that others own: a lane for each owner (a database), and one
// pool of blocks that all lanes share.
//
// It holds positions instead of pointers and takes no memory, so it can stand in shared memory. It
// has no lock: whoever calls holds one, but for next(), which reads what no writer touches. A
// record is appended whole or not at all; what found no room is counted.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory_resource>
#include <string_view>
#include <vector>

namespace vigil {

class RecordQueue {
 public:
  using Owner = std::uint32_t;
  static constexpr Owner kNobody = 0;
  static constexpr std::uint32_t kNone = UINT32_MAX;  // no block

  struct Lane {
    Owner owner = kNobody;         // kNobody: the lane is free
    std::uint32_t generation = 0;  // how often the lane was opened
    std::uint64_t records = 0;     // waiting
    std::uint64_t bytes = 0;       // of the waiting records
    std::uint64_t appended = 0;    // since the lane was opened
    std::uint64_t dropped = 0;     // found no room since the lane was opened
    std::uint32_t head = kNone;
    std::uint32_t head_used = 0;
    std::uint32_t tail = kNone;
    std::uint32_t tail_used = 0;
  };

  // Where a reader is. Valid until the lane is closed, or released to a later place.
  struct Cursor {
    std::uint32_t generation;
    std::uint32_t block, used;
    std::uint64_t left;  // records of the lane that were not read yet when the cursor was made
    std::uint64_t records, bytes;  // read
  };

  struct Record {
    std::uint32_t kind;
    std::pmr::vector<char> bytes;
  };

  // Bytes of memory, aligned as std::max_align_t, for so many lanes and at least so many bytes of
  // records.
  static std::size_t size_of(std::size_t lanes, std::size_t capacity) noexcept;

  // Makes an empty queue in that memory.
  static RecordQueue* create(void* memory, std::size_t lanes, std::size_t capacity) noexcept;

  std::size_t lane_count() const noexcept { return lanes_; }
  std::size_t capacity() const noexcept;
  Lane& lane(std::size_t index) noexcept;

  // The lane of the owner, or null.
  Lane* find(Owner owner) noexcept;

  // Gives an empty lane with counts of zero to the owner.
  void open(Lane& lane, Owner owner) noexcept;

  // Throws its records away and takes it from its owner.
  void close(Lane& lane) noexcept;

  // Appends a record that is made of the parts; false, and counted, when there is no room for it.
  bool append(Lane& lane, std::uint32_t kind,
              std::initializer_list<std::string_view> parts) noexcept;

  // At the oldest record.
  Cursor start(const Lane& lane) const noexcept;

  // Copies the next record; false when there was none left when the cursor was made. Needs no lock
  // as long as nobody else releases or closes the lane.
  bool next(Cursor& cursor, Record& record) const;

  // Gives back the room of all that the cursor has read.
  void release(Lane& lane, const Cursor& cursor) noexcept;

 private:
  static constexpr std::size_t kBlockBytes = 2048;

  struct Block {
    std::uint32_t next;
    char bytes[kBlockBytes - sizeof(std::uint32_t)];
  };
  static constexpr std::size_t kRoom = sizeof(Block::bytes);

  struct Header {
    std::uint32_t kind;
    std::uint32_t size;
  };

  static std::size_t blocks_for(std::size_t capacity) noexcept;
  const Block* blocks() const noexcept;
  Block* blocks() noexcept;
  std::uint32_t take_block() noexcept;
  void give_block(std::uint32_t block) noexcept;
  void write(Lane& lane, const char* bytes, std::size_t size) noexcept;
  void read(Cursor& cursor, char* bytes, std::size_t size) const noexcept;

  std::uint32_t lanes_;
  std::uint32_t blocks_;
  std::uint32_t free_;
  std::uint32_t free_count_;
};

}  // namespace vigil
