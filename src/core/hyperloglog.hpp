// Distinct counts: HyperLogLog in the published HLL storage specification, schema version 1
// (aggregateknowledge/hll-storage-spec), as postgresql-hll, java-hll and js-hll read and write it.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory_resource>
#include <span>
#include <vector>

#include "core/bytes.hpp"

namespace vigil {

// What both sides of a merge must agree on; the names are postgresql-hll's.
struct HyperLogLogParameters {
  int log2m = 12;    // 2^log2m registers, 4 .. 17; the standard error is 1.04 / sqrt(2^log2m)
  int regwidth = 5;  // bits of a register, 4 .. 8
  // Up to how many distinct hashes are kept as they are: 0, a power of two up to 8192, or -1 for as
  // many as fit into the space of the registers (320 by default).
  int expthresh = -1;
  bool sparse = true;  // whether few registers may be stored as a list

  bool operator==(const HyperLogLogParameters&) const = default;
};

// State and bytes are a function of the set of hashes alone: any order of adding and any tree of
// merging gives equal bytes.
//
// Memory: about 80 bytes, 8 for each distinct hash up to the threshold, then 2^log2m. All of it
// comes from the resource, which must outlive the object; destroying the object may be skipped.
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
      add_element(hash);
    } else {
      add_register(hash);
    }
  }

  // Adds bytes by the hash of postgresql-hll's hll_hash_bytea: the first half of MurmurHash3 x64
  // 128 with seed 0.
  void add_bytes(std::span<const std::uint8_t> bytes);

  // Adds everything that was added to the other. Error{kInvalidArgument} when parameters differ.
  void merge(const HyperLogLog& other);

  // The number of distinct hashes: exact up to the threshold, then Ertl's improved raw estimator
  // ("New cardinality estimation algorithms for HyperLogLog sketches", arXiv:1702.01284, algorithm
  // 6), which has no bias to correct at either end. At most 2^64, the number of hashes there are.
  double cardinality() const;

  // Whether cardinality() is exact.
  bool is_exact() const { return registers_.empty(); }
  bool is_empty() const { return registers_.empty() && elements_.empty(); }
  const HyperLogLogParameters& parameters() const { return parameters_; }

  // Equal states write equal bytes (doc/format-hyperloglog.md): 3 bytes when empty, 8 more for each
  // distinct hash, then 2 or so for each register in use, 2563 at most with the default parameters.
  void write(Bytes& out) const;

  // Takes only what write() gives; anything else is Error{kInvalidBinary}.
  static HyperLogLog read(std::span<const std::uint8_t> bytes, std::pmr::memory_resource* resource);

  // Takes what any writer of the specification may have written, that is, also a kind of storage
  // that write() would not have chosen. Error{kInvalidBinary} when malformed, undefined, or with
  // parameters out of the range above.
  static HyperLogLog read_any(std::span<const std::uint8_t> bytes,
                              std::pmr::memory_resource* resource);

  bool operator==(const HyperLogLog& other) const;

 private:
  void add_element(std::uint64_t hash);
  void to_registers();
  void read_elements(ByteReader& in);
  void read_sparse(ByteReader& in);
  void read_full(ByteReader& in);
  void write_registers(Bytes& out, bool sparse) const;
  std::size_t used_registers() const;
  bool prefers_sparse() const;
  void check_value(const ByteReader& in, std::uint64_t value) const;

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
  std::pmr::vector<std::int64_t> elements_;   // ascending as signed numbers, while there are few
  std::pmr::vector<std::uint8_t> registers_;  // one byte each, once there are more
};

}  // namespace vigil
