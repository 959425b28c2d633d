// Distinct counts: bytes against the specification and other implementations, estimates against
// the truth, and MurmurHash3 against its published verification value.
#include "core/hyperloglog.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "core/murmur3.hpp"

namespace vigil {
namespace {

using Hashes = std::vector<std::uint64_t>;

HyperLogLog of(const Hashes& hashes, HyperLogLogParameters parameters = {}) {
  HyperLogLog sketch(std::pmr::get_default_resource(), parameters);
  for (const std::uint64_t hash : hashes) sketch.add_hash(hash);
  return sketch;
}

Bytes bytes_of(const HyperLogLog& sketch) {
  Bytes bytes;
  sketch.write(bytes);
  return bytes;
}

std::string hex_of(const HyperLogLog& sketch) {
  std::string text;
  for (const std::uint8_t byte : bytes_of(sketch)) {
    text += "0123456789ABCDEF"[byte >> 4];
    text += "0123456789ABCDEF"[byte & 15];
  }
  return text;
}

Bytes from_hex(std::string_view text) {
  Bytes bytes;
  for (std::size_t i = 0; i + 1 < text.size(); i += 2) {
    bytes.push_back(
        static_cast<std::uint8_t>(std::stoi(std::string(text.substr(i, 2)), nullptr, 16)));
  }
  return bytes;
}

HyperLogLog read(const Bytes& bytes) {
  return HyperLogLog::read(bytes, std::pmr::get_default_resource());
}

HyperLogLog read_any(const Bytes& bytes) {
  return HyperLogLog::read_any(bytes, std::pmr::get_default_resource());
}

Hashes draw(std::size_t count, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  Hashes hashes(count);
  for (std::uint64_t& hash : hashes) hash = random();
  return hashes;
}

std::span<const std::uint8_t> raw(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

std::uint64_t hash_of(std::string_view text, std::uint32_t seed = 0) {
  return murmur3_x64_128(raw(text), seed).low;
}

TEST(Murmur3, PassesThePublishedVerification) {
  // SMHasher: hash the keys {}, {0}, {0, 1}, ... with seeds 256, 255, ..., then all the hashes.
  std::vector<std::uint8_t> key;
  std::vector<std::uint8_t> hashes;
  for (std::uint32_t i = 0; i < 256; ++i) {
    const Hash128 hash = murmur3_x64_128(key, 256 - i);
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(&hash);
    hashes.insert(hashes.end(), bytes, bytes + sizeof(hash));
    key.push_back(static_cast<std::uint8_t>(i));
  }
  EXPECT_EQ(murmur3_x64_128(hashes, 0).low & 0xffffffff, 0x6384BA69U);
}

TEST(Murmur3, HashesAsPostgresqlHllDoes) {
  EXPECT_EQ(hash_of(""), 0U);
  EXPECT_EQ(hash_of("A"), 243126998722523514U);
  EXPECT_EQ(hash_of("B"), static_cast<std::uint64_t>(-4837624800923759386));
  EXPECT_EQ(hash_of("AB"), 5365230931951287672U);
  EXPECT_EQ(hash_of(std::string_view("\0\0\0\0\0\0\0\0", 8)), 2945182322382062539U);
  EXPECT_EQ(hash_of(std::string_view("\0\0\0\0\0\0\0\0", 8), 1), 8297479994805284640U);
  EXPECT_EQ(murmur3_x64_128(raw("hello")), (Hash128{0xcbd8a7b341bd9b02, 0x5b1e906a48ae1d19}));
}

TEST(HyperLogLog, IsEmptyAtFirst) {
  const HyperLogLog sketch = of({});
  EXPECT_EQ(sketch.cardinality(), 0);
  EXPECT_TRUE(sketch.is_exact());
  EXPECT_TRUE(sketch.is_empty());
  EXPECT_EQ(hex_of(sketch), "118C7F");
}

TEST(HyperLogLog, IsExactUpToTheThreshold) {
  const Hashes hashes = draw(321, 1);
  HyperLogLog sketch = of({});
  for (std::size_t i = 0; i < 320; ++i) {
    sketch.add_hash(hashes[i]);
    sketch.add_hash(hashes[i / 2]);
    EXPECT_EQ(sketch.cardinality(), static_cast<double>(i + 1));
  }
  EXPECT_TRUE(sketch.is_exact());
  sketch.add_hash(hashes[320]);
  EXPECT_FALSE(sketch.is_exact());
  EXPECT_NEAR(sketch.cardinality(), 321, 15);
}

// The largest deviation allowed is 3 standard errors of a single sketch; the mean of several must
// be closer still, which would show a bias.
TEST(HyperLogLog, EstimatesWithinThreeSigma) {
  const double sigma = 1.04 / 64;
  for (const std::size_t size :
       {321U, 400U, 700U, 1000U, 3000U, 5000U, 10000U, 12000U, 20000U, 50000U, 100000U, 1000000U}) {
    const int rounds = size > 50000 ? 3 : 12;
    double mean = 0;
    for (int round = 0; round < rounds; ++round) {
      const double estimate = of(draw(size, size + static_cast<std::size_t>(round))).cardinality();
      const double error = estimate / static_cast<double>(size) - 1;
      EXPECT_LE(std::fabs(error), 3 * sigma) << size;
      mean += error / rounds;
    }
    EXPECT_LE(std::fabs(mean), 3 * sigma / std::sqrt(rounds)) << size;
  }
}

TEST(HyperLogLog, EstimatesHashedText) {
  HyperLogLog sketch = of({});
  for (int i = 0; i < 30000; ++i) sketch.add_bytes(raw("user-" + std::to_string(i % 10000)));
  EXPECT_NEAR(sketch.cardinality(), 10000, 10000 * 3 * 1.04 / 64);
}

TEST(HyperLogLog, EstimatesForOtherParameters) {
  for (const HyperLogLogParameters parameters : {HyperLogLogParameters{8, 6, 0, true},
                                                 {10, 5, 64, false},
                                                 {14, 6, -1, true},
                                                 {11, 4, -1, true},
                                                 {6, 8, 1, true},
                                                 {17, 5, -1, true}}) {
    for (const std::size_t size : {100U, 1000U, 10000U}) {
      const double sigma = 1.04 / std::sqrt(std::ldexp(1.0, parameters.log2m));
      const double estimate = of(draw(size, 3), parameters).cardinality();
      EXPECT_NEAR(estimate / static_cast<double>(size), 1, 3 * sigma)
          << parameters.log2m << " " << size;
    }
  }
}

TEST(HyperLogLog, BytesDependOnTheSetOnly) {
  std::mt19937_64 random(5);
  for (const std::size_t size : {0U, 1U, 5U, 319U, 320U, 321U, 322U, 1000U, 1700U, 20000U}) {
    Hashes hashes = draw(size, 7 + size);
    const HyperLogLog whole = of(hashes);
    for (int round = 0; round < 6; ++round) {
      std::shuffle(hashes.begin(), hashes.end(), random);
      std::vector<HyperLogLog> parts;
      for (int i = 0; i < 5; ++i) parts.push_back(of({}));
      for (const std::uint64_t hash : hashes) {
        parts[random() % 5].add_hash(hash);
        parts[random() % (1 + random() % 5)].add_hash(hash);
      }
      while (parts.size() > 1) {
        parts[random() % (parts.size() - 1)].merge(parts.back());
        parts.pop_back();
      }
      EXPECT_EQ(hex_of(parts[0]), hex_of(whole)) << size;
      EXPECT_EQ(parts[0], whole);
      parts[0].merge(parts[0]);
      EXPECT_EQ(parts[0], whole);
    }
  }
}

TEST(HyperLogLog, WritesTheExamplesOfTheSpecification) {
  // The hashes of its explicit example, and the register values of its sparse one.
  EXPECT_EQ(hex_of(of({1, 0xCBA79700677CDEAA})), "128C7FCBA79700677CDEAA0000000000000001");
  const HyperLogLogParameters parameters{11, 6, 0, true};
  EXPECT_EQ(hex_of(of({11 | (std::uint64_t{1} << (11 + 5)), 1099 | (std::uint64_t{1} << (11 + 18))},
                      parameters)),
            "13AB40016344B4C0");
}

TEST(HyperLogLog, WritesWhatPostgresqlHllWrites) {
  // From its test data: cumulative_add_sparse_edge.csv, cumulative_union_explicit_promotion.csv.
  HyperLogLog sketch = read(from_hex("138B48"));
  for (const std::uint64_t hash : Hashes{4096, 6143, 2050, 2051, 2052}) sketch.add_hash(hash);
  EXPECT_EQ(hex_of(sketch), "138B480002004100610081FFE2");
  HyperLogLog two = read(from_hex("128B48BB1AD57319B89CD8"));
  two.merge(read(from_hex("128B4868FB0E6F684DF992")));
  EXPECT_EQ(hex_of(two), "128B48BB1AD57319B89CD868FB0E6F684DF992");
}

TEST(HyperLogLog, WritesGoldenBytes) {
  EXPECT_EQ(hex_of(of({})), "118C7F");
  EXPECT_EQ(hex_of(of({hash_of("A"), hash_of("")})), "128C7F0000000000000000035FC2B79A29B17A");
  EXPECT_EQ(hex_of(of({}, {17, 8, 8192, false})), "11F10E");
  EXPECT_EQ(hex_of(of({1, 0x10}, {4, 4, 0, false})), "1464001000000000000000");
  EXPECT_EQ(hex_of(of({1, 0x10, 0xff1}, {4, 4, 1, true})), "1364410111");
  const HyperLogLog sparse = of(draw(400, 9));
  EXPECT_EQ(hex_of(sparse).substr(0, 60),
            "138C7F00108010401820121012080B100E48080204210298816440B82060");
  EXPECT_EQ(hash_of(hex_of(sparse)), 3373796115987249484U);
  const HyperLogLog full = of(draw(5000, 9));
  EXPECT_EQ(hex_of(full).substr(0, 60),
            "148C7F008A00104610826004430884108C800802408C0008020114000100");
  EXPECT_EQ(hash_of(hex_of(full)), 11310344730905785178U);
}

TEST(HyperLogLog, ChoosesTheSmallestStorage) {
  Hashes hashes;
  for (std::uint64_t i = 0; i < 4096; ++i) {
    hashes.push_back(i | std::uint64_t{1} << 12);
    const Bytes bytes = bytes_of(of(hashes));
    const std::size_t used = hashes.size();
    const std::size_t sparse = (used * 17 + 7) / 8;
    const std::size_t expected = used <= 320 ? 8 * used : used * 17 < 4096 * 5 ? sparse : 2560;
    ASSERT_EQ(bytes.size(), 3 + expected) << used;
    ASSERT_EQ(bytes[0] & 15, used <= 320 ? 2 : used * 17 < 4096 * 5 ? 3 : 4) << used;
  }
}

TEST(HyperLogLog, ReadsWhatItWrote) {
  for (const std::size_t size : {0U, 1U, 320U, 321U, 1400U, 1500U, 50000U}) {
    for (const HyperLogLogParameters parameters :
         {HyperLogLogParameters{}, {12, 5, 0, true}, {10, 7, 16, false}, {15, 6, -1, true}}) {
      const HyperLogLog sketch = of(draw(size, 11), parameters);
      const HyperLogLog again = read(bytes_of(sketch));
      EXPECT_EQ(again, sketch);
      EXPECT_EQ(again.cardinality(), sketch.cardinality());
      EXPECT_EQ(again.parameters(), parameters);
      EXPECT_EQ(read_any(bytes_of(sketch)), sketch);
    }
  }
}

TEST(HyperLogLog, ReadsWhatOthersMayWrite) {
  // The same two registers, stored in full and as a list: only the list is what we would write.
  const Bytes whole = from_hex(
      "146440"
      "1100000000000000");  // 16 registers of 4 bits
  EXPECT_THROW(read(whole), Error);
  EXPECT_EQ(hex_of(read_any(whole)),
            "136440"
            "0111");
  EXPECT_THROW(read(from_hex("128C7F")), Error);  // explicit without elements
  EXPECT_EQ(hex_of(read_any(from_hex("128C7F"))), "118C7F");
  // More elements than the threshold allows become registers.
  const Bytes two = from_hex("128C4100000000000010000000000000001001");
  EXPECT_THROW(read(two), Error);
  EXPECT_EQ(hex_of(read_any(two)),
            "138C41"
            "0000800840");
}

TEST(HyperLogLog, RejectsMalformedBytes) {
  for (const char* text : {
           "",                                        // nothing
           "118C",                                    // no cutoff byte
           "218C7F",                                  // version 2
           "108C7F",                                  // undefined
           "158C7F",                                  // no such kind
           "118CFF",                                  // reserved bit
           "11837F",                                  // 8 registers
           "11927F",                                  // 2^18 registers
           "114C7F",                                  // registers of 3 bits
           "118C4F",                                  // threshold 2^14
           "118C7F00",                                // bytes follow
           "128C7F00000000000000",                    // 7 bytes of an element
           "128C7F00000000000000010000000000000001",  // twice the same
           "128C7F0000000000000001FFFFFFFFFFFFFFFF",  // descending
           "138C7F0000",                              // half an entry
           "138C7F000000",                            // a register that is zero
           "138C7F000081",                            // padding that is not zero
           "138C7F0000800040",                        // the same register twice
           "148C7F00",                                // too short
       }) {
    EXPECT_THROW(read_any(from_hex(text)), Error) << text;
  }
}

void expect_error_or_canonical(const Bytes& bytes) {
  try {
    const HyperLogLog sketch = read(bytes);
    EXPECT_EQ(bytes_of(sketch), bytes);
    EXPECT_GE(sketch.cardinality(), 0);
    EXPECT_LE(sketch.cardinality(), std::ldexp(1.0, 64));
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kInvalidBinary);
  }
}

TEST(HyperLogLog, HostileBytesAreAnErrorOrCanonical) {
  std::vector<HyperLogLog> sketches;
  sketches.push_back(of({}));
  sketches.push_back(of(draw(3, 13)));
  sketches.push_back(of(draw(20, 13), {5, 5, 0, true}));
  sketches.push_back(of(draw(10, 13), {5, 6, 0, true}));
  sketches.push_back(of(draw(200, 13), {5, 6, -1, true}));
  sketches.push_back(of(draw(200, 13), {6, 8, 4, false}));
  for (const HyperLogLog& sketch : sketches) {
    const Bytes valid = bytes_of(sketch);
    for (std::size_t size = 0; size < valid.size(); ++size) {
      expect_error_or_canonical(
          Bytes(valid.begin(), valid.begin() + static_cast<std::ptrdiff_t>(size)));
    }
    for (std::size_t at = 0; at < valid.size(); ++at) {
      for (int flip = 1; flip < 256; ++flip) {
        Bytes bytes = valid;
        bytes[at] = static_cast<std::uint8_t>(bytes[at] ^ flip);
        expect_error_or_canonical(bytes);
      }
    }
  }
}

TEST(HyperLogLog, SaturatedRegistersStayFinite) {
  Bytes bytes = from_hex("148C7F");
  bytes.insert(bytes.end(), 2560, 0xff);
  EXPECT_EQ(read(bytes).cardinality(), std::ldexp(1.0, 64));
}

TEST(HyperLogLog, RefusesWhatDoesNotFit) {
  const auto make = [](int log2m, int regwidth, int expthresh) {
    of({}, {log2m, regwidth, expthresh, true});
  };
  EXPECT_NO_THROW(make(4, 4, 0));
  EXPECT_NO_THROW(make(17, 8, 8192));
  EXPECT_THROW(make(3, 5, -1), Error);
  EXPECT_THROW(make(18, 5, -1), Error);
  EXPECT_THROW(make(12, 3, -1), Error);
  EXPECT_THROW(make(12, 9, -1), Error);
  EXPECT_THROW(make(12, 5, -2), Error);
  EXPECT_THROW(make(12, 5, 3), Error);
  EXPECT_THROW(make(12, 5, 16384), Error);
  HyperLogLog sketch = of({1});
  try {
    sketch.merge(of({2}, {11, 5, -1, true}));
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Code::kInvalidArgument);
    EXPECT_NE(error.detail().find("log2m 11"), std::string::npos);
  }
  EXPECT_EQ(sketch.cardinality(), 1);
}

TEST(HyperLogLog, TakesLittleMemoryAndAllFromItsResource) {
  EXPECT_LE(sizeof(HyperLogLog), 96U);
  std::array<std::byte, 64> little;
  std::pmr::monotonic_buffer_resource arena(little.data(), little.size(),
                                            std::pmr::null_memory_resource());
  HyperLogLog sketch(&arena);
  for (std::uint64_t hash = 0; hash < 3; ++hash) sketch.add_hash(hash);
  EXPECT_EQ(sketch.cardinality(), 3);
}

}  // namespace
}  // namespace vigil
