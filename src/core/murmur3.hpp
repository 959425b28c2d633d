// MurmurHash3_x64_128, written from the published algorithm (Austin Appleby, public domain): the
// hash that the readers and writers of HyperLogLog storage share. It is not cryptographic.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace vigil {

struct Hash128 {
  std::uint64_t low;
  std::uint64_t high;

  bool operator==(const Hash128&) const = default;
};

namespace murmur3_detail {

inline constexpr std::uint64_t kFirst = 0x87c37b91114253d5;
inline constexpr std::uint64_t kSecond = 0x4cf5ad432745937f;

inline std::uint64_t mix_low(std::uint64_t word) { return std::rotl(word * kFirst, 31) * kSecond; }

inline std::uint64_t mix_high(std::uint64_t word) { return std::rotl(word * kSecond, 33) * kFirst; }

inline std::uint64_t finish(std::uint64_t hash) {
  hash = (hash ^ (hash >> 33)) * 0xff51afd7ed558ccd;
  hash = (hash ^ (hash >> 33)) * 0xc4ceb9fe1a85ec53;
  return hash ^ (hash >> 33);
}

}  // namespace murmur3_detail

// Hashes any number of bytes. postgresql-hll's hll_hash_bytea is `low` with seed 0.
inline Hash128 murmur3_x64_128(std::span<const std::uint8_t> bytes, std::uint32_t seed = 0) {
  using namespace murmur3_detail;
  std::uint64_t low = seed;
  std::uint64_t high = seed;
  std::uint64_t words[2];
  std::size_t done = 0;
  for (; bytes.size() - done >= sizeof(words); done += sizeof(words)) {
    std::memcpy(words, bytes.data() + done, sizeof(words));
    low = (std::rotl(low ^ mix_low(words[0]), 27) + high) * 5 + 0x52dce729;
    high = (std::rotl(high ^ mix_high(words[1]), 31) + low) * 5 + 0x38495ab5;
  }
  // A tail padded with zeros mixes as the algorithm's switch does: a zero word changes nothing.
  if (done < bytes.size()) {
    words[0] = words[1] = 0;
    std::memcpy(words, bytes.data() + done, bytes.size() - done);
    low ^= mix_low(words[0]);
    high ^= mix_high(words[1]);
  }
  low ^= bytes.size();
  high ^= bytes.size();
  low += high;
  high += low;
  low = finish(low);
  high = finish(high);
  low += high;
  return {low, high + low};
}

}  // namespace vigil
