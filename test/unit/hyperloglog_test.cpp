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

std::string hex(const Bytes& bytes) {
  std::string text;
  for (const std::uint8_t byte : bytes) {
    text += "0123456789ABCDEF"[byte >> 4];
    text += "0123456789ABCDEF"[byte & 15];
  }
  return text;
}

std::string hex_of(const HyperLogLog& sketch) { return hex(bytes_of(sketch)); }

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

HyperLogLog read_public(const Bytes& bytes) {
  return HyperLogLog::read_public(bytes, std::pmr::get_default_resource());
}

Bytes public_bytes_of(const HyperLogLog& sketch) {
  Bytes bytes;
  sketch.write_public(bytes);
  return bytes;
}

// Whole hashes up to as many as fit into the space of the registers, as postgresql-hll's default.
constexpr HyperLogLogParameters kWhole{12, 5, -1, true};

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
  EXPECT_EQ(sketch.relative_error(), 0);
  EXPECT_EQ(hex_of(sketch), "118C40");
}

TEST(HyperLogLog, IsExactUpToTheThreshold) {
  for (const auto& [parameters, threshold] :
       std::vector<std::pair<HyperLogLogParameters, std::size_t>>{{{}, 512},
                                                                  {kWhole, 320},
                                                                  {{4, 5, 0, true}, 2},
                                                                  {{14, 6, 0, true}, 2048},
                                                                  {{12, 5, 32, false}, 32}}) {
    const Hashes hashes = draw(threshold + 1, 1);
    HyperLogLog sketch = of({}, parameters);
    for (std::size_t i = 0; i < threshold; ++i) {
      sketch.add_hash(hashes[i]);
      sketch.add_hash(hashes[i / 2]);
      ASSERT_EQ(sketch.cardinality(), static_cast<double>(i + 1));
    }
    EXPECT_TRUE(sketch.is_exact());
    sketch.add_hash(hashes[threshold]);
    EXPECT_FALSE(sketch.is_exact());
    EXPECT_DOUBLE_EQ(sketch.relative_error(), 1.04 / std::sqrt(std::ldexp(1, parameters.log2m)));
  }
}

// A shortened hash has 32 bits; what its register needs to know is kept even where they are few.
TEST(HyperLogLog, ShortenedHashesKeepTheirRegister) {
  const Hashes hashes{0,
                      1,
                      std::uint64_t{1} << 12,
                      std::uint64_t{1} << 31,
                      std::uint64_t{1} << 32,
                      std::uint64_t{3} << 32 | 7,
                      std::uint64_t{6} << 32 | 7,
                      std::uint64_t{1} << 63 | 8,
                      0xffffffff};
  const HyperLogLog few = of(hashes);
  EXPECT_EQ(few.cardinality(), static_cast<double>(hashes.size()));
  EXPECT_EQ(hex_of(few),
            "258C40"
            "000000000000000001000000100080000000FFFFFFFF00000000200000000720000000072100000008"
            "3F");
  EXPECT_EQ(read(bytes_of(few)), few);
  // Equal in all that counts.
  EXPECT_EQ(of({std::uint64_t{0xabc} << 32 | 0x12345678}), of({0x12345678}));
  EXPECT_EQ(of({std::uint64_t{0xff} << 32 | 5}), of({std::uint64_t{1} << 32 | 5}));
  const HyperLogLogParameters registers{12, 5, 1, true};
  Hashes twice = hashes;
  twice.insert(twice.end(), hashes.begin(), hashes.end());
  EXPECT_EQ(hex(public_bytes_of(few)).substr(6),
            hex(public_bytes_of(of(twice, registers))).substr(6));
}

// Draws the registers of a set of that many random hashes without drawing them: each is the
// greatest of Poisson many.
HyperLogLog drawn_registers(double size, std::mt19937_64& random) {
  Bytes bytes = from_hex("148C00");
  std::uint64_t held = 0;
  int count = 0;
  std::uniform_real_distribution<double> uniform(0, 1);
  for (int i = 0; i < 4096; ++i) {
    // P(register <= k) = exp(-size / 4096 / 2^k)
    const double exponent = -std::log(uniform(random));
    const double value = std::ceil(std::log2(size / 4096 / exponent));
    held = held << 5 | static_cast<std::uint64_t>(std::clamp(value, 0.0, 31.0));
    for (count += 5; count >= 8; count -= 8)
      bytes.push_back(static_cast<std::uint8_t>(held >> (count - 8)));
  }
  return read_public(bytes);
}

struct Errors {
  double sum = 0;
  double squares = 0;
  double greatest = 0;
  int count = 0;

  void add(double error) {
    sum += error;
    squares += error * error;
    greatest = std::max(greatest, std::fabs(error));
    ++count;
  }
  double bias() const { return sum / count; }
  double rms() const { return std::sqrt(squares / count); }
};

// No seed is chosen for its result. Up to 10^4 the error is clearly below one sigma, 1.04 /
// sqrt(m). From 10^5 on it is one sigma by theory, so that what is measured in a number of rounds
// lies on either side of it, by 1 / sqrt(2 rounds) of it: four times that is allowed.
TEST(HyperLogLog, ErrorIsOneSigmaAtMost) {
  const double sigma = 1.04 / 64;
  std::mt19937_64 random(1);
  for (const double size : {1e2, 6e2, 1e3, 2e3, 3e3, 4e3, 6e3, 1e4, 2e4, 1e5, 1e6, 1e7, 1e8, 1e9,
                            1e10, 1e11, 1e12, 4e12}) {
    const int rounds = size < 1e5 ? 400 : size == 1e5 ? 100 : 1000;
    Errors errors;
    for (int round = 0; round < rounds; ++round) {
      HyperLogLog sketch = size > 1e5 ? drawn_registers(size, random) : of({});
      if (size <= 1e5) {
        for (double i = 0; i < size; ++i) sketch.add_hash(random());
      }
      errors.add(sketch.cardinality() / size - 1);
    }
    EXPECT_LE(errors.rms(), size <= 1e4 ? sigma : sigma * (1 + 4 / std::sqrt(2 * rounds))) << size;
    EXPECT_LE(std::fabs(errors.bias()), 4 * sigma / std::sqrt(rounds)) << size;
    EXPECT_LE(errors.greatest, 5 * sigma) << size;
  }
}

// What postgresql-hll computes from the same registers: the original estimator.
double original_estimate(const Bytes& full) {
  double sum = 0;
  double zeros = 0;
  unsigned held = 0;
  int count = 0;
  for (std::size_t i = 3; i < full.size(); ++i) {
    held = held << 8 | full[i];
    for (count += 8; count >= 5; count -= 5) {
      const unsigned value = held >> (count - 5) & 31;
      sum += std::ldexp(1.0, -static_cast<int>(value));
      zeros += value == 0 ? 1 : 0;
    }
  }
  const double raw = 0.7213 / (1 + 1.079 / 4096) * 4096 * 4096 / sum;
  return raw < 2.5 * 4096 && zeros > 0 ? 4096 * std::log(4096 / zeros) : raw;
}

TEST(HyperLogLog, AgreesWithTheOriginalEstimatorWhereThatIsSound) {
  std::mt19937_64 random(3);
  for (const double size : {500., 1000., 1500., 1900., 30000., 1e5, 1e6, 1e7, 1e9}) {
    for (int round = 0; round < 100; ++round) {
      const HyperLogLog sketch = drawn_registers(size, random);
      const double original = original_estimate(public_bytes_of(sketch));
      ASSERT_NEAR(original / sketch.cardinality(), 1, 1e-4) << size;
      ASSERT_NEAR(original / sketch.original_cardinality(), 1, 1e-12) << size;
    }
  }
}

TEST(HyperLogLog, EstimateNeverFalls) {
  const Hashes hashes = draw(30000, 8);
  HyperLogLog sketch = of({});
  double before = 0;
  for (std::size_t i = 0; i < hashes.size(); ++i) {
    sketch.add_hash(hashes[i]);
    const double estimate = sketch.cardinality();
    // Where the exact numbers end, the first estimate may be below the last of them.
    if (i != 512) {
      ASSERT_GE(estimate, before * (1 - 1e-12)) << i;
    }
    before = estimate;
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
  const std::vector<HyperLogLogParameters> all{{}, kWhole, {5, 5, 0, true}, {7, 6, 16, false}};
  for (int round = 0; round < 10000; ++round) {
    const HyperLogLogParameters parameters = all[random() % all.size()];
    // Sizes around every change of storage, more often small than large.
    const std::size_t size = random() % (std::size_t{1} << (1 + random() % 12));
    const Hashes hashes = draw(size, random());
    const HyperLogLog whole = of(hashes, parameters);
    std::vector<HyperLogLog> parts;
    const std::size_t number = 1 + random() % 6;
    for (std::size_t i = 0; i < number; ++i) parts.push_back(of({}, parameters));
    for (std::size_t i = hashes.size(); i-- > 0;) {
      parts[random() % number].add_hash(hashes[i]);
      if (random() % 4 == 0) parts[random() % number].add_hash(hashes[random() % hashes.size()]);
    }
    while (parts.size() > 1) {
      const std::size_t at = random() % (parts.size() - 1);
      std::swap(parts[random() % parts.size()], parts.back());
      if (random() % 2 == 0) {
        parts[at].merge(parts.back());
      } else {
        parts[at].merge_stored(bytes_of(parts.back()));
      }
      parts.pop_back();
    }
    ASSERT_EQ(bytes_of(parts[0]), bytes_of(whole)) << size;
    ASSERT_EQ(public_bytes_of(parts[0]), public_bytes_of(whole)) << size;
    ASSERT_EQ(parts[0], whole);
    ASSERT_EQ(read(bytes_of(whole)), whole);
    parts[0].merge(parts[0]);
    ASSERT_EQ(parts[0], whole);
  }
}

TEST(HyperLogLog, WritesTheExamplesOfTheSpecification) {
  // The hashes of its explicit example, and the register values of its sparse one.
  EXPECT_EQ(hex_of(of({1, 0xCBA79700677CDEAA}, kWhole)), "128C7FCBA79700677CDEAA0000000000000001");
  const HyperLogLogParameters parameters{11, 6, 0, true};
  EXPECT_EQ(hex(public_bytes_of(
                of({11 | (std::uint64_t{1} << (11 + 5)), 1099 | (std::uint64_t{1} << (11 + 18))},
                   parameters))),
            "13AB40016344B4C0");
}

TEST(HyperLogLog, WritesWhatPostgresqlHllWrites) {
  // From its test data: cumulative_add_sparse_edge.csv, cumulative_union_explicit_promotion.csv.
  HyperLogLog sketch = read_public(from_hex("138B48"));
  EXPECT_TRUE(sketch.is_empty());
  for (const std::uint64_t hash : Hashes{4096, 6143, 2050, 2051, 2052}) sketch.add_hash(hash);
  EXPECT_EQ(sketch.cardinality(), 5);
  sketch = read_public(from_hex("138B480002004100610081FFE2"));
  for (const std::uint64_t hash : Hashes{4096, 6143, 2050, 2051, 2052}) sketch.add_hash(hash);
  EXPECT_EQ(hex(public_bytes_of(sketch)), "138B480002004100610081FFE2");
  HyperLogLog two = read(from_hex("128B48BB1AD57319B89CD8"));
  two.merge(read(from_hex("128B4868FB0E6F684DF992")));
  EXPECT_EQ(hex_of(two), "128B48BB1AD57319B89CD868FB0E6F684DF992");
}

TEST(HyperLogLog, WritesGoldenBytes) {
  EXPECT_EQ(hex_of(of({})), "118C40");
  EXPECT_EQ(hex_of(of({hash_of("A"), hash_of("")})), "258C4000000000009A29B17A");
  EXPECT_EQ(hex_of(of({hash_of("A"), hash_of("")}, kWhole)),
            "128C7F0000000000000000035FC2B79A29B17A");
  EXPECT_EQ(hex_of(of({}, {17, 8, 8192, false})), "11F10E");
  EXPECT_EQ(hex_of(of({1, 0x10}, {4, 4, 1, false})), "1464011000000000000000");
  EXPECT_EQ(hex_of(of({1, 0x10, 0xff1}, {4, 4, 1, true})), "1364410111");
  // Sixteen registers from 2 on: byte i holds the registers i and i + 8; the last is 2 + 15 or
  // more.
  Hashes hashes;
  for (std::uint64_t i = 0; i < 16; ++i) hashes.push_back(i | std::uint64_t{1} << (5 + i % 4));
  hashes.push_back(15 | std::uint64_t{1} << 32);
  EXPECT_EQ(hex_of(of(hashes, {4, 8, 1, true})),
            "26E441"
            "02"
            "00112233001122F3"
            "1D");
  const HyperLogLog few = of(draw(400, 9));
  EXPECT_EQ(hex_of(few).substr(0, 38), "258C4000A0C2B800E66AC101467A7C03478854");
  EXPECT_EQ(hash_of(hex_of(few)), 1271179046487277978U);
  const HyperLogLog sparse = of(draw(700, 9));
  EXPECT_EQ(hex_of(sparse).substr(0, 38), "138C400010801040182012101008090404C202");
  EXPECT_EQ(hash_of(hex_of(sparse)), 1536991444000348959U);
  const HyperLogLog packed = of(draw(5000, 9));
  EXPECT_EQ(hex_of(packed).substr(0, 38), "268C4000302215102024420612223116400132");
  EXPECT_EQ(hash_of(hex_of(packed)), 10367263910480407612U);
  EXPECT_EQ(hex(public_bytes_of(packed)).substr(0, 60),
            "148C40008A00104610826004430884108C800802408C0008020114000100");
  EXPECT_EQ(hash_of(hex(public_bytes_of(packed))), 11938825226290063552U);
}

TEST(HyperLogLog, ChoosesTheSmallestStorage) {
  Hashes hashes;
  for (std::uint64_t i = 0; i < 4096; ++i) {
    hashes.push_back(i | std::uint64_t{1} << 12);
    const HyperLogLog sketch = of(hashes);
    const std::size_t used = hashes.size();
    const bool sparse = used * 17 < 4096 * 4 + 8;
    const std::size_t expected = used <= 512 ? 4 * used : sparse ? (used * 17 + 7) / 8 : 2049;
    ASSERT_EQ(bytes_of(sketch).size(), 3 + expected) << used;
    ASSERT_EQ(bytes_of(sketch)[0], used <= 512 ? 0x25 : sparse ? 0x13 : 0x26) << used;
    const bool listed = used * 17 < 4096 * 5;
    ASSERT_EQ(public_bytes_of(sketch).size(), 3 + (listed ? (used * 17 + 7) / 8 : 2560)) << used;
    ASSERT_EQ(public_bytes_of(sketch)[0], listed ? 0x13 : 0x14) << used;
  }
}

// With the four bytes that PostgreSQL puts in front of a value.
TEST(HyperLogLog, TakesLittleStorage) {
  std::mt19937_64 random(6);
  for (int round = 0; round < 100; ++round) {
    EXPECT_LE(4 + bytes_of(of(draw(100, random()))).size(), 420U);
    for (const double size : {1e4, 1e5, 1e6, 1e7, 1e9, 1e12})
      ASSERT_LE(4 + bytes_of(drawn_registers(size, random)).size(), 2100U) << size;
  }
}

TEST(HyperLogLog, ReadsWhatItWrote) {
  for (const std::size_t size : {0U, 1U, 320U, 321U, 512U, 513U, 1400U, 1500U, 50000U}) {
    for (const HyperLogLogParameters parameters : {HyperLogLogParameters{},
                                                   kWhole,
                                                   {12, 4, 0, true},
                                                   {10, 7, 16, false},
                                                   {15, 6, -1, true},
                                                   {17, 8, 0, false}}) {
      const HyperLogLog sketch = of(draw(size, 11), parameters);
      const HyperLogLog again = read(bytes_of(sketch));
      EXPECT_EQ(again, sketch);
      EXPECT_EQ(again.cardinality(), sketch.cardinality());
      EXPECT_EQ(again.parameters(), parameters);
      // Shortened hashes are public as registers, all else as it is.
      const HyperLogLog open = read_public(public_bytes_of(sketch));
      if (parameters.expthresh != 0 || !sketch.is_exact() || sketch.is_empty()) {
        EXPECT_EQ(open, sketch);
      }
      EXPECT_EQ(public_bytes_of(open), public_bytes_of(sketch));
      HyperLogLog grown = of(draw(size, 11), parameters);
      grown.merge(open);
      EXPECT_EQ(public_bytes_of(grown), public_bytes_of(sketch));
    }
  }
}

// Hashes that raise no register are counted while they are kept, and are nothing to others.
TEST(HyperLogLog, HashesWithoutPositionArePublicAsNone) {
  const HyperLogLog two = of({0, 1});
  EXPECT_EQ(two.cardinality(), 2);
  EXPECT_EQ(hex(public_bytes_of(two)), "118C40");
  HyperLogLog three = of({1, 7});
  three.merge_stored(bytes_of(two));
  EXPECT_EQ(three, of({0, 1, 7}));
  const HyperLogLog many = of({0, 1, 2}, {4, 4, 0, true});
  EXPECT_FALSE(many.is_exact());
  EXPECT_EQ(many.cardinality(), 0);
  EXPECT_EQ(hex_of(many), "136440");
  EXPECT_EQ(read(bytes_of(many)), many);
  EXPECT_EQ(hex(public_bytes_of(many)), "116440");
  const auto both = HyperLogLog::intersection(many, of(draw(100, 1), {4, 4, 0, true}));
  EXPECT_EQ(both.cardinality, 0);
  EXPECT_EQ(both.standard_error, 0);
}

TEST(HyperLogLog, ReadsWhatOthersMayWrite) {
  // The same two registers, stored in full and as a list: only the list is what we would write.
  const Bytes whole = from_hex(
      "146440"
      "1100000000000000");  // 16 registers of 4 bits
  EXPECT_THROW(read(whole), Error);
  EXPECT_EQ(hex_of(read_public(whole)),
            "136440"
            "0111");
  EXPECT_THROW(read(from_hex("128C7F")), Error);  // explicit without elements
  EXPECT_EQ(hex_of(read_public(from_hex("128C7F"))), "118C7F");
  EXPECT_EQ(hex_of(read_public(from_hex("138C7F"))), "118C7F");
  EXPECT_EQ(hex_of(read_public(from_hex("1464400000000000000000"))), "116440");
  // More elements than the threshold allows become registers.
  const Bytes two = from_hex("128C4100000000000010000000000000001001");
  EXPECT_THROW(read(two), Error);
  EXPECT_EQ(hex_of(read_public(two)),
            "138C41"
            "0000800840");
  // Where none are allowed, they are shortened.
  EXPECT_EQ(hex_of(read_public(from_hex("128C40ABCDEF01000010000000000000001001"))),
            "258C40"
            "0000100000001001");
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
    EXPECT_THROW(read_public(from_hex(text)), Error) << text;
    EXPECT_THROW(read(from_hex(text)), Error) << text;
  }
}

TEST(HyperLogLog, RejectsWhatItWouldNotStore) {
  for (const char* text : {
           "258C40",                          // none
           "258C7F00001000",                  // whole hashes would be kept
           "258C4000000001",                  // an element without its bit
           "258C400000000101",                // a bit of the lower half
           "258C400000000140",                // no such bit
           "258C40000010",                    // too short
           "258C400000100000001000",          // twice the same
           "258C400000200000001000",          // descending
           "258440000010000000200000004000",  // more than the threshold
           "128C400000000000000001",          // shortened hashes would be kept
           "26E44102112233441122334F1D",      // the base is not the least register
           "26E44102001122330011223F10",      // an excess that is none
           "26E44102001122330011223F3D",      // an excess that is out of range
           "26E44102001122330011223F",        // no excess
           "26E44102001122330011223F1D00",    // bytes follow
           "26844102001122330011223FEC",      // padding that is not zero
           "26E4413D0011223300112233",        // a base that is out of range
           "26E441370011223300112237",        // registers that are out of range
           "26E44100000000000000001F1D",      // a list would be shorter
           "266441020011223300112233",        // four bits anyway
           "14844108421084210842108421",      // packed would be shorter
       }) {
    EXPECT_THROW(read(from_hex(text)), Error) << text;
    // Nor is any of the kinds of our own public.
    if (text[0] == '2') {
      EXPECT_THROW(read_public(from_hex(text)), Error) << text;
    }
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
  sketches.push_back(of({7, std::uint64_t{1} << 40 | 7, 0x12345678}));
  sketches.push_back(of(draw(20, 13), {5, 5, 0, true}));
  sketches.push_back(of(draw(10, 13), {5, 6, 0, true}));
  sketches.push_back(of(draw(200, 13), {5, 6, -1, true}));
  sketches.push_back(of(draw(200, 13), {6, 8, 4, false}));
  sketches.push_back(of(draw(100000, 13), {4, 8, 4, false}));
  for (const HyperLogLog& sketch : sketches) {
    const Bytes valid = bytes_of(sketch);
    expect_error_or_canonical(valid);
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
  EXPECT_EQ(read_public(bytes).cardinality(), std::ldexp(1.0, 64));
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
  const HyperLogLog other = of({2}, {11, 5, -1, true});
  const auto expect_refusal = [](auto&& combine) {
    try {
      combine();
      FAIL();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Code::kInvalidArgument);
      EXPECT_NE(error.detail().find("log2m 11"), std::string::npos);
    }
  };
  expect_refusal([&] { sketch.merge(other); });
  expect_refusal([&] { sketch.merge_stored(bytes_of(other)); });
  expect_refusal([&] { HyperLogLog::intersection(sketch, other); });
  EXPECT_EQ(sketch.cardinality(), 1);
}

TEST(HyperLogLog, IntersectionIsExactWhileBothAre) {
  const Hashes hashes = draw(500, 15);
  const std::span<const std::uint64_t> all(hashes);
  const auto part = [&](std::size_t from, std::size_t size) {
    const auto some = all.subspan(from, size);
    return of({some.begin(), some.end()});
  };
  const auto both = HyperLogLog::intersection(part(0, 300), part(200, 300));
  EXPECT_EQ(both.cardinality, 100);
  EXPECT_EQ(both.standard_error, 0);
  EXPECT_EQ(HyperLogLog::intersection(part(0, 200), part(200, 300)).cardinality, 0);
  EXPECT_EQ(HyperLogLog::intersection(of({}), part(0, 3)).cardinality, 0);
  EXPECT_EQ(HyperLogLog::intersection(of({}), of(draw(1000, 1))).standard_error, 0);
}

// The error is as stated, and below that of inclusion and exclusion.
TEST(HyperLogLog, IntersectionStatesItsError) {
  struct Case {
    std::size_t one, other, both;
  };
  std::mt19937_64 random(16);
  for (const Case& sizes :
       {Case{5000, 5000, 5000}, Case{20000, 20000, 2000}, Case{20000, 500, 500},
        Case{300, 20000, 100}, Case{0, 10000, 10000}, Case{0, 0, 20000}, Case{20000, 20000, 0}}) {
    Errors errors;
    Errors naive;
    double stated = 0;
    constexpr int kRounds = 60;
    for (int round = 0; round < kRounds; ++round) {
      HyperLogLog one = of({});
      HyperLogLog other = of({});
      for (std::size_t i = 0; i < sizes.one; ++i) one.add_hash(random());
      for (std::size_t i = 0; i < sizes.other; ++i) other.add_hash(random());
      for (std::size_t i = 0; i < sizes.both; ++i) {
        const std::uint64_t hash = random();
        one.add_hash(hash);
        other.add_hash(hash);
      }
      const auto both = HyperLogLog::intersection(one, other);
      errors.add(both.cardinality - static_cast<double>(sizes.both));
      stated += both.standard_error * both.standard_error / kRounds;
      HyperLogLog all(one, std::pmr::get_default_resource());
      all.merge(other);
      naive.add(one.cardinality() + other.cardinality() - all.cardinality() -
                static_cast<double>(sizes.both));
    }
    EXPECT_LE(errors.rms(), 1.3 * std::sqrt(stated)) << sizes.one << " " << sizes.both;
    EXPECT_LE(errors.rms(), 1.1 * naive.rms()) << sizes.one << " " << sizes.both;
  }
}

TEST(HyperLogLog, TakesLittleMemoryAndAllFromItsResource) {
  EXPECT_LE(sizeof(HyperLogLog), 104U);
  std::array<std::byte, 64> little;
  std::pmr::monotonic_buffer_resource arena(little.data(), little.size(),
                                            std::pmr::null_memory_resource());
  HyperLogLog sketch(&arena);
  for (std::uint64_t hash = 0; hash < 6; ++hash) sketch.add_hash(hash);
  EXPECT_EQ(sketch.cardinality(), 6);
}

}  // namespace
}  // namespace vigil
