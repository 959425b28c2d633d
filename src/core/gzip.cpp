#include "core/gzip.hpp"

#include <zlib.h>

#include <algorithm>
#include <limits>
#include <new>

namespace vigil {
namespace {

constexpr int kDetectFormat = 32 + MAX_WBITS;
constexpr std::size_t kFirstChunk = std::size_t{16} * 1024;
constexpr std::size_t kLastChunk = std::size_t{4} * 1024 * 1024;

uInt clamp(std::size_t size) noexcept {
  return static_cast<uInt>(std::min<std::size_t>(size, std::numeric_limits<uInt>::max()));
}

class Inflater {
 public:
  Inflater(std::span<const std::uint8_t> bytes, std::size_t limit, Bytes& out)
      : left_(bytes), room_(limit), limit_(limit), out_(out) {
    if (inflateInit2(&stream_, kDetectFormat) != Z_OK) throw std::bad_alloc();
  }
  ~Inflater() { inflateEnd(&stream_); }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;

  InflateResult run() {
    for (;;) {
      const int code = step();
      if (code == Z_MEM_ERROR) throw std::bad_alloc();
      if (too_large_) return too_large();
      if (code == Z_STREAM_END) {
        if (!next_member()) return end();
      } else if (code != Z_OK && code != Z_BUF_ERROR) {
        return {InflateStatus::kCorrupt, "the compressed data is corrupt"};
      } else if (left_.empty() && stream_.avail_out > 0) {
        return {InflateStatus::kTruncated, "the compressed data ends too early"};
      }
    }
  }

 private:
  // Inflates until a chunk is full or the input is used up. Without room, one byte more shows
  // whether the limit is exceeded or just reached.
  int step() {
    const std::size_t size = out_.size();
    const std::size_t chunk = std::min(chunk_, room_);
    std::uint8_t probe = 0;
    out_.resize(size + chunk);
    stream_.next_out = chunk > 0 ? out_.data() + size : &probe;
    stream_.avail_out = chunk > 0 ? clamp(chunk) : 1;
    const int code = feed();
    const std::size_t made = chunk > 0 ? chunk - stream_.avail_out : 0;
    too_large_ = chunk == 0 && stream_.avail_out == 0;
    out_.resize(size + made);
    room_ -= made;
    chunk_ = std::min(2 * chunk_, kLastChunk);
    return code;
  }

  int feed() {
    const uInt given = clamp(left_.size());
    // zlib does not write to its input; only its interface forgets the const.
    stream_.next_in = const_cast<Bytef*>(left_.data());
    stream_.avail_in = given;
    const int code = inflate(&stream_, Z_NO_FLUSH);
    left_ = left_.subspan(given - stream_.avail_in);
    return code;
  }

  bool next_member() { return is_gzip(left_) && inflateReset(&stream_) == Z_OK; }

  InflateResult too_large() const {
    return {InflateStatus::kTooLarge,
            "the inflated data exceeds the limit of " + std::to_string(limit_) + " bytes"};
  }

  InflateResult end() const {
    const auto zero = [](std::uint8_t byte) { return byte == 0; };
    if (std::all_of(left_.begin(), left_.end(), zero)) return {InflateStatus::kOk, {}};
    return {InflateStatus::kCorrupt, "other bytes follow the compressed data"};
  }

  std::span<const std::uint8_t> left_;
  std::size_t room_;
  std::size_t limit_;
  Bytes& out_;
  z_stream stream_{};
  std::size_t chunk_ = kFirstChunk;
  bool too_large_ = false;
};

}  // namespace

bool is_gzip(std::span<const std::uint8_t> bytes) noexcept {
  return bytes.size() >= 2 && bytes[0] == 0x1F && bytes[1] == 0x8B;
}

InflateResult inflate_gzip(std::span<const std::uint8_t> bytes, std::size_t limit, Bytes& out) {
  return Inflater(bytes, limit, out).run();
}

}  // namespace vigil
