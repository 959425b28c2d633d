// Bounded reading and writing of the stored formats: little-endian fixed-width integers and LEB128.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory_resource>
#include <span>
#include <string_view>
#include <vector>

#include "core/error.hpp"

namespace vigil {

using Bytes = std::pmr::vector<std::uint8_t>;

static_assert(std::endian::native == std::endian::little, "stored formats are little-endian");

inline constexpr std::size_t kMaxVarint = 10;

// LEB128: 7 bits a byte, lowest first. Returns the number of bytes.
inline std::size_t write_varint(std::uint64_t value, std::span<std::uint8_t, kMaxVarint> out) {
  std::size_t size = 0;
  for (; value >= 0x80; value >>= 7) out[size++] = static_cast<std::uint8_t>(value | 0x80);
  out[size++] = static_cast<std::uint8_t>(value);
  return size;
}

// Appends to a byte vector.
class ByteWriter {
 public:
  explicit ByteWriter(Bytes& out) : out_(out) {}

  template <typename T>
  void fixed(T value) {
    static_assert(std::is_trivially_copyable_v<T>);
    if constexpr (sizeof(T) == 1) {
      out_.push_back(std::bit_cast<std::uint8_t>(value));
    } else {
      raw({reinterpret_cast<const std::uint8_t*>(&value), sizeof(T)});
    }
  }

  void varint(std::uint64_t value) {
    if (value < 0x80) return out_.push_back(static_cast<std::uint8_t>(value));
    std::array<std::uint8_t, kMaxVarint> bytes;
    raw({bytes.data(), write_varint(value, bytes)});
  }

  // Zigzag: small magnitudes of either sign stay small.
  void signed_varint(std::int64_t value) {
    varint((static_cast<std::uint64_t>(value) << 1) ^ static_cast<std::uint64_t>(value >> 63));
  }

  void raw(std::span<const std::uint8_t> bytes) {
    if (bytes.empty()) return;
    const std::size_t start = out_.size();
    out_.resize(start + bytes.size());
    std::memcpy(out_.data() + start, bytes.data(), bytes.size());
  }

  void text(std::string_view value) {
    varint(value.size());
    raw({reinterpret_cast<const std::uint8_t*>(value.data()), value.size()});
  }

 private:
  Bytes& out_;
};

// Reads what ByteWriter wrote; anything short or overlong is Error{kInvalidBinary}.
class ByteReader {
 public:
  ByteReader(std::span<const std::uint8_t> bytes, std::string_view what)
      : bytes_(bytes), what_(what) {}

  std::size_t left() const noexcept { return bytes_.size(); }

  template <typename T>
  T fixed() {
    static_assert(std::is_trivially_copyable_v<T>);
    const auto source = raw(sizeof(T));
    T value;
    std::memcpy(&value, source.data(), sizeof(T));
    return value;
  }

  std::uint64_t varint() {
    std::uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      const std::uint8_t byte = raw(1)[0];
      if (shift == 63 && byte > 1) break;
      value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) {
        if (byte == 0 && shift > 0) break;  // a longer form than needed is not canonical
        return value;
      }
    }
    fail("a number is malformed");
  }

  std::int64_t signed_varint() {
    const std::uint64_t value = varint();
    return static_cast<std::int64_t>(value >> 1) ^ -static_cast<std::int64_t>(value & 1);
  }

  std::span<const std::uint8_t> raw(std::size_t size) {
    if (size > bytes_.size()) fail("it ends too early");
    const auto head = bytes_.first(size);
    bytes_ = bytes_.subspan(size);
    return head;
  }

  std::string_view text() {
    const std::uint64_t size = varint();
    if (size > bytes_.size()) fail("it ends too early");
    const auto source = raw(static_cast<std::size_t>(size));
    return {reinterpret_cast<const char*>(source.data()), source.size()};
  }

  void finish() {
    if (!bytes_.empty()) fail("bytes follow its end");
  }

  [[noreturn]] void fail(std::string_view reason) const {
    throw Error(Code::kInvalidBinary, "invalid binary value for type " + std::string(what_),
                "The value cannot be read: " + std::string(reason) + ".");
  }

 private:
  std::span<const std::uint8_t> bytes_;
  std::string_view what_;
};

}  // namespace vigil
