#include "core/gzip.hpp"

#include <gtest/gtest.h>
#include <zlib.h>

#include <string>
#include <vector>

namespace vigil {
namespace {

using Input = std::vector<std::uint8_t>;

Input deflated(std::string_view text, int window = 16 + MAX_WBITS) {
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, 6, Z_DEFLATED, window, 8, Z_DEFAULT_STRATEGY), Z_OK);
  Input out(deflateBound(&stream, text.size()));
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = out.data();
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

std::string sample(std::size_t size) {
  std::string text;
  while (text.size() < size) text += std::to_string(text.size() * 2654435761U) + "\n";
  return text.substr(0, size);
}

struct Inflated {
  InflateStatus status;
  std::string reason;
  std::string text;
};

Inflated inflated(const Input& input, std::size_t limit = 100'000'000) {
  Bytes out;
  const InflateResult result = inflate_gzip(input, limit, out);
  return {result.status, result.reason, std::string(out.begin(), out.end())};
}

TEST(Gzip, IsRecognised) {
  EXPECT_TRUE(is_gzip(deflated("x")));
  EXPECT_FALSE(is_gzip(deflated("x", MAX_WBITS)));
  EXPECT_FALSE(is_gzip({}));
  EXPECT_FALSE(is_gzip(Input{0x1F}));
  EXPECT_FALSE(is_gzip(Input{'{', '}'}));
}

TEST(Gzip, InflatesBothFormats) {
  for (const std::size_t size : {0U, 1U, 16383U, 16384U, 16385U, 49152U, 1'000'000U}) {
    const std::string text = sample(size);
    for (const int window : {16 + MAX_WBITS, MAX_WBITS}) {
      const Inflated result = inflated(deflated(text, window));
      EXPECT_EQ(result.status, InflateStatus::kOk) << size;
      EXPECT_EQ(result.reason, "");
      EXPECT_TRUE(result.text == text) << size;
    }
  }
}

TEST(Gzip, MembersAreOneBody) {
  Input input = deflated("one ");
  for (const std::string_view part : {"two ", "", "three"}) {
    const Input more = deflated(part);
    input.insert(input.end(), more.begin(), more.end());
  }
  EXPECT_EQ(inflated(input).text, "one two three");
  input.resize(input.size() + 512);
  EXPECT_EQ(inflated(input).status, InflateStatus::kOk);
  input.push_back('x');
  const Inflated result = inflated(input);
  EXPECT_EQ(result.status, InflateStatus::kCorrupt);
  EXPECT_EQ(result.reason, "other bytes follow the compressed data");
  EXPECT_EQ(result.text, "one two three");
}

TEST(Gzip, LimitHoldsAgainstBombs) {
  const Input bomb = deflated(std::string(50'000'000, '\0'));
  EXPECT_LT(bomb.size(), 60'000U);
  const Inflated result = inflated(bomb, 1'000'000);
  EXPECT_EQ(result.status, InflateStatus::kTooLarge);
  EXPECT_EQ(result.reason, "the inflated data exceeds the limit of 1000000 bytes");
  EXPECT_EQ(result.text.size(), 1'000'000U);
}

TEST(Gzip, LimitIsExact) {
  for (const std::size_t size : {0U, 1U, 100U, 16384U, 16385U, 100'000U}) {
    const std::string text = sample(size);
    EXPECT_EQ(inflated(deflated(text), size).status, InflateStatus::kOk) << size;
    if (size == 0) continue;
    const Inflated result = inflated(deflated(text), size - 1);
    EXPECT_EQ(result.status, InflateStatus::kTooLarge) << size;
    EXPECT_TRUE(result.text == text.substr(0, size - 1)) << size;
  }
}

TEST(Gzip, EveryTruncationKeepsAPrefix) {
  const std::string text = sample(20'000);
  const Input whole = deflated(text);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const Inflated result = inflated(Input(whole.begin(), whole.begin() + std::ptrdiff_t(size)));
    ASSERT_EQ(result.status, InflateStatus::kTruncated) << size;
    ASSERT_TRUE(text.starts_with(result.text)) << size;
    if (size == whole.size() - 8) {
      EXPECT_EQ(result.text.size(), text.size());
    }
  }
}

TEST(Gzip, EveryFlippedBitIsFoundOrHarmless) {
  const std::string text = sample(300);
  const Input whole = deflated(text);
  for (std::size_t bit = 0; bit < 8 * whole.size(); ++bit) {
    Input input = whole;
    input[bit / 8] = static_cast<std::uint8_t>(input[bit / 8] ^ (1U << bit % 8));
    const Inflated result = inflated(input, 1'000'000);
    if (result.status == InflateStatus::kOk) {
      EXPECT_EQ(result.text, text) << bit;
    }
  }
}

TEST(Gzip, OtherDataIsCorrupt) {
  for (const std::string_view text : {"{\"a\":1}", "plain text", "\x1f\x8b\x07 zzzzzzzzzzzzz"}) {
    const Inflated result = inflated(Input(text.begin(), text.end()));
    EXPECT_EQ(result.status, InflateStatus::kCorrupt) << text;
    EXPECT_EQ(result.reason, "the compressed data is corrupt");
  }
}

TEST(Gzip, AppendsToTheOutput) {
  Bytes out = {'>'};
  inflate_gzip(deflated("ab"), 2, out);
  EXPECT_EQ(std::string(out.begin(), out.end()), ">ab");
}

}  // namespace
}  // namespace vigil
