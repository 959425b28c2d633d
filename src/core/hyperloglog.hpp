// Distinct counts: exact while few, then HyperLogLog. What others exchange is the published HLL
// storage specification, schema version 1 (aggregateknowledge/hll-storage-spec), as postgresql-hll,
// java-hll and js-hll read and write it; what is stored adds two smaller kinds to it.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory_resource>
#include <span>
#include <utility>
#include <vector>

#include "core/bytes.hpp"

namespace vigil {

// What both sides of a merge must agree on; the names are postgresql-hll's.
struct HyperLogLogParameters {
  int log2m = 12;    // 2^log2m registers, 4 .. 17; the standard error is 1.04 / sqrt(2^log2m)
  int regwidth = 5;  // bits of a register, 4 .. 8
  // Up to how many distinct hashes are public as they are: none, a power of two up to 8192, or -1
  // for as many as fit into the space of the registers. With none, shortened ones are kept.
  int expthresh = 0;
  bool sparse = true;  // whether few registers may be stored as a list

  bool operator==(const HyperLogLogParameters&) const = default;
};

// A set of numbers by open addressing.
class HashSet {
 public:
  explicit HashSet(std::pmr::memory_resource* resource) : slots_(resource) {}
  HashSet(const HashSet& other, std::pmr::memory_resource* resource);
  HashSet(HashSet&&) = default;
  HashSet& operator=(HashSet&&) = default;

  // Whether it was new.
  bool insert(std::uint64_t value) {
    if (value == 0) return !std::exchange(has_zero_, true);
    if (slots_.empty()) resize(8);
    std::size_t slot = slot_of(value);
    if (slots_[slot] == value) return false;
    if (!has_room()) [[unlikely]] {
      resize(slots_.size() * 2);
      slot = slot_of(value);
    }
    slots_[slot] = value;
    ++size_;
    return true;
  }

  // Inserts some, no more than a batch at a time.
  static constexpr std::size_t kBatch = 128;
  void insert_all(std::span<const std::uint64_t> values);

  // Whether one more can be inserted without memory.
  bool has_room() const { return size_ < slots_.size() / 4 * 3; }
  bool contains(std::uint64_t value) const;
  void prefetch(std::uint64_t value) const;
  void reserve(std::size_t size);
  void release();  // empties it and gives the memory back
  std::size_t size() const { return size_ + (has_zero_ ? 1 : 0); }
  bool empty() const { return size() == 0; }
  bool operator==(const HashSet& other) const;

  template <typename Visit>
  void for_each(Visit&& visit) const {
    if (has_zero_) visit(std::uint64_t{0});
    for (const std::uint64_t value : slots_)
      if (value != 0) visit(value);
  }

 private:
  // Multiplicative hashing: the lower bits of a shortened hash are not enough on their own.
  static std::size_t mixed(std::uint64_t value) {
    return static_cast<std::size_t>((value * 0x9e3779b97f4a7c15) >> 32);
  }
  std::size_t first_slot_of(std::uint64_t value) const {
    return mixed(value) & (slots_.size() - 1);
  }

  // Where the value is, or the free slot where it would be.
  std::size_t slot_of(std::uint64_t value) const {
    const std::size_t mask = slots_.size() - 1;
    std::size_t slot = first_slot_of(value);
    while (slots_[slot] != value && slots_[slot] != 0) slot = (slot + 1) & mask;
    return slot;
  }

  void resize(std::size_t slots);

  std::pmr::vector<std::uint64_t> slots_;  // a power of two of them, or none; 0 is a free one
  std::uint32_t size_ = 0;                 // of slots in use
  bool has_zero_ = false;
};

// State and bytes are a function of the set of hashes alone: any order of adding and any tree of
// merging gives equal bytes.
//
// Memory: about 100 bytes, some 20 for each distinct hash up to the threshold, then 2^log2m. All of
// it comes from the resource, which must outlive the object; destroying the object may be skipped.
class HyperLogLog {
 public:
  // Error{kInvalidArgument} when a parameter is out of range.
  explicit HyperLogLog(std::pmr::memory_resource* resource, HyperLogLogParameters parameters = {});
  HyperLogLog(const HyperLogLog& other, std::pmr::memory_resource* resource);
  HyperLogLog(HyperLogLog&&) = default;
  HyperLogLog& operator=(HyperLogLog&&) = default;
  HyperLogLog(const HyperLogLog&) = delete;
  HyperLogLog& operator=(const HyperLogLog&) = delete;

  // Adds a value by its hash, which must be well mixed in all 64 bits.
  void add_hash(std::uint64_t hash) {
    if (registers_.empty()) {
      add_element(element_of(hash));
    } else {
      add_register(hash);
    }
  }

  // Asks for the memory that add_hash() will need.
  void prefetch(std::uint64_t hash) const;

  // add_hash() if it needs no memory; false, and nothing done, if it might.
  bool try_add_hash(std::uint64_t hash) noexcept {
    if (!registers_.empty()) {
      add_register(hash);
      return true;
    }
    if (elements_.size() >= threshold_ || !elements_.has_room()) return false;
    elements_.insert(element_of(hash));
    return true;
  }

  // The hash of postgresql-hll's hll_hash_bytea: the first half of MurmurHash3 x64 128 with seed 0.
  static std::uint64_t hash_of(std::span<const std::uint8_t> bytes);

  // Adds bytes by that hash.
  void add_bytes(std::span<const std::uint8_t> bytes);

  // Adds everything that was added to the other. Error{kInvalidArgument} when parameters differ.
  void merge(const HyperLogLog& other);

  // The same as merge(read(bytes)) without an object in between. After Error{kInvalidBinary} some
  // of the bytes may have been added.
  void merge_stored(std::span<const std::uint8_t> bytes);

  // The number of distinct hashes: exact up to the threshold. Then linear counting while the
  // registers are mostly free, and, smoothly from there, Ertl's improved raw estimator ("New
  // cardinality estimation algorithms for HyperLogLog sketches", arXiv:1702.01284, algorithm 6)
  // with the constant of the original one. At most 2^64, the number of hashes there are.
  double cardinality() const;

  // What other readers of the public form say: the number of whole hashes while they are kept, else
  // the estimate of the original publication (Flajolet, Fusy, Gandouet and Meunier 2007) from the
  // registers. Less precise than cardinality() from 0.5 to 7 values for each register.
  double original_cardinality() const;

  // The standard error of cardinality() relative to it: 0 while it is exact.
  double relative_error() const;

  struct Intersection {
    double cardinality;
    double standard_error;
  };
  // How many distinct hashes were added to both, with the standard error of that number: exact
  // while both are. Error{kInvalidArgument} when parameters differ.
  static Intersection intersection(const HyperLogLog& one, const HyperLogLog& other);

  // Whether cardinality() is exact, but for hashes that are equal: with shortened ones of 32 bits,
  // one pair of n is with a probability of n^2 / 2^33.
  bool is_exact() const { return registers_.empty(); }
  bool is_empty() const { return registers_.empty() && elements_.empty(); }
  const HyperLogLogParameters& parameters() const { return parameters_; }

  // Equal states write equal bytes (doc/format-hyperloglog.md): 3 bytes when empty, 4 more for each
  // distinct hash, then the smallest way to tell the registers: about 2060 at most with the default
  // parameters.
  void write(Bytes& out) const;

  // Takes only what write() gives; anything else is Error{kInvalidBinary}.
  static HyperLogLog read(std::span<const std::uint8_t> bytes, std::pmr::memory_resource* resource);

  // The public form, as the specification says. Shortened hashes become registers there.
  void write_public(Bytes& out) const;

  // Takes what any writer of the specification may have written. Error{kInvalidBinary} when
  // malformed, undefined, or with parameters out of the range above.
  static HyperLogLog read_public(std::span<const std::uint8_t> bytes,
                                 std::pmr::memory_resource* resource);

  bool operator==(const HyperLogLog& other) const;

 private:
  struct Census;

  bool is_short() const { return parameters_.expthresh == 0; }
  std::uint64_t element_of(std::uint64_t hash) const;
  void add_element(std::uint64_t element);
  void to_registers();
  void check_mergeable(const HyperLogLogParameters& other) const;
  void check_value(const ByteReader& in, std::uint64_t value) const;
  void take(std::uint8_t head, ByteReader& in, bool stored);
  void take_explicit(ByteReader& in, bool stored);
  void take_short(ByteReader& in);
  void take_sparse(ByteReader& in, bool stored);
  void take_full(ByteReader& in, bool stored);
  void take_packed(ByteReader& in);
  Census census() const;
  std::uint8_t smallest_head(const Census& census) const;
  void write_head(Bytes& out, std::uint8_t head) const;
  void write_elements(Bytes& out) const;
  void write_registers(Bytes& out, bool sparse) const;
  void write_packed(Bytes& out, int base) const;

  // The lowest bits choose the register, the position of the lowest bit set in the rest is its
  // value; a rest of zeros is ignored, as all implementations do.
  void add_register(std::uint64_t hash) {
    const std::uint64_t rest = hash >> parameters_.log2m;
    const int position = rest == 0 ? 0 : std::countr_zero(rest) + 1;
    const auto value = static_cast<std::uint8_t>(position < max_value_ ? position : max_value_);
    std::uint8_t& reg = registers_[static_cast<std::size_t>(hash & (registers_.size() - 1))];
    if (reg < value) reg = value;
  }

  HyperLogLogParameters parameters_;
  std::uint32_t threshold_;                   // of distinct hashes
  std::uint8_t max_value_;                    // of a register
  HashSet elements_;                          // whole or shortened hashes, while there are few
  std::pmr::vector<std::uint8_t> registers_;  // one byte each, once there are more
};

}  // namespace vigil
