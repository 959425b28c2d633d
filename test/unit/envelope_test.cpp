#include "core/envelope.hpp"

#include <gtest/gtest.h>

#include <string>

namespace vigil {
namespace {

// One line per item and fault: type, payload in quotes, mark; or the reason and the bytes.
std::string described(std::string_view text) {
  const Envelope envelope = split_envelope(text);
  std::string out;
  for (const auto& item : envelope.items) {
    out.append(item.type).append(" '").append(item.payload).append("'");
    out.append(item.truncated ? " truncated;" : ";");
  }
  for (const auto& fault : envelope.faults) {
    EXPECT_LE(fault.offset, text.size());
    out.append("!").append(fault.reason).append(" '").append(fault.bytes).append("';");
  }
  return out;
}

std::string items(std::string_view text) { return described("{}\n" + std::string(text)); }

TEST(Envelope, HeaderAndItems) {
  const std::string_view text =
      "{\"event_id\":\"9ec79c33ec9942ab8353589fcb2e04dc\",\"sdk\":{\"event_id\":\"x\"}}\n"
      "{\"type\":\"event\",\"length\":41,\"content_type\":\"application/json\"}\n"
      "{\"message\":\"hello world\",\"level\":\"error\"}\n"
      "{\"type\":\"log\",\"item_count\":2}\n{\"items\":[]}\n";
  const Envelope envelope = split_envelope(text);
  EXPECT_EQ(envelope.event_id, "9ec79c33ec9942ab8353589fcb2e04dc");
  EXPECT_TRUE(envelope.header.ends_with("\"x\"}}"));
  ASSERT_EQ(envelope.items.size(), 2U);
  EXPECT_TRUE(envelope.faults.empty());
  EXPECT_EQ(envelope.items[0].type, "event");
  EXPECT_EQ(envelope.items[0].payload, "{\"message\":\"hello world\",\"level\":\"error\"}");
  EXPECT_EQ(envelope.items[0].content_type, "application/json");
  EXPECT_FALSE(envelope.items[0].item_count);
  EXPECT_EQ(envelope.items[1].header, "{\"type\":\"log\",\"item_count\":2}");
  EXPECT_EQ(envelope.items[1].item_count, 2U);
  EXPECT_EQ(envelope.items[1].payload, "{\"items\":[]}");
}

TEST(Envelope, SampleRateOfTheTrace) {  // S1-74
  const struct {
    const char* header;
    const char* rate;
  } cases[] = {{"{\"trace\":{\"sampled\":\"true\",\"sample_rate\":\"0.25\"}}", "0.25"},
               {"{\"trace\":{\"sample_rate\":0.5,\"user\":{\"sample_rate\":1}}}", "0.5"},
               {"{\"trace\":{\"trace_id\":\"a\"},\"sample_rate\":\"0.25\"}", ""},
               {"{\"trace\":null}", ""},
               {"{\"trace\":[{\"sample_rate\":\"0.25\"}]}", ""},
               {"{\"trace\":{\"sample_rate\":\"0.25\"}} x", ""},
               {"{}", ""}};
  for (const auto& [header, rate] : cases)
    EXPECT_EQ(split_envelope(std::string(header) + "\n").sample_rate, rate) << header;
}

TEST(Envelope, LengthAllowsLineEndsInside) {
  EXPECT_EQ(items("{\"type\":\"a\",\"length\":5}\nx\ny\nz\n{\"type\":\"b\"}\nq"),
            "a 'x\ny\nz';b 'q';");
  EXPECT_EQ(items("{\"type\":\"a\",\"length\":3}\nx\r\n\r\n{\"type\":\"b\"}\nq\n"),
            "a 'x\r\n';b 'q';");
  EXPECT_EQ(
      items("{\"type\":\"a\",\"length\":2,\"filename\":\"f.txt\"}\n\xFF\0"),
      "a '\xFF"
      "' truncated;!the length reaches beyond the end '{\"type\":\"a\",\"length\":2,\"filename"
      "\":\"f.txt\"}';");
}

TEST(Envelope, EmptyPayloads) {
  EXPECT_EQ(items("{\"type\":\"a\",\"length\":0}\n\n{\"type\":\"b\",\"length\":0}\n"),
            "a '';b '';");
  EXPECT_EQ(items("{\"type\":\"a\",\"length\":0}\n{\"type\":\"b\",\"length\":0}"),
            "a '';!a payload is longer than its length '{\"type\":\"b\",\"length\":0}';");
  EXPECT_EQ(items("{\"type\":\"a\"}\n\n{\"type\":\"b\"}\n"), "a '';b '';");
  EXPECT_EQ(items("{\"type\":\"a\"}"), "a '' truncated;");
  EXPECT_EQ(items("{\"type\":\"a\",\"length\":null}\nx"), "a 'x';");
}

TEST(Envelope, CarriageReturnsAndEmptyLines) {
  EXPECT_EQ(
      described("\n{}\r\n\r\n\n{\"type\":\"a\"}\r\nx\r\n\n\r\n{\"type\":\"b\",\"length\":1}\r\ny"),
      "a 'x';b 'y';");
  EXPECT_EQ(split_envelope("{}\r\n").header, "{}");
}

TEST(Envelope, NothingAtAll) {
  EXPECT_EQ(described(""), "");
  EXPECT_EQ(described("\n\n"), "");
  EXPECT_EQ(described("{}"), "");
}

TEST(Envelope, BadHeadersAreFaultsAndTheRestIsRead) {
  const std::string_view good = "{\"type\":\"b\"}\nq\n";
  for (const std::string_view bad :
       {"x", "[]", "1", "{", "{\"type\":\"a\"", "{\"type\":\"a\"}}", "{\"type\":\"a\"} x",
        "{type:1}", "{\"type\" \"a\"}", "{\"type\":}", "{\"type\":\"a\",}", "{,}", "{\"type\":\"a",
        "{\"a\":[}", "{\"type\":'a'}", "{\"a\":\"\\\"}"}) {
    EXPECT_EQ(items(std::string(bad) + "\n" + std::string(good)),
              "b 'q';!the item header is no JSON object '" + std::string(bad) + "';");
  }
  for (const std::string_view bad : {"{}", "{\"type\":1}", "{\"type\":\"\"}", "{\"type\":null}",
                                     "{\"a\":{\"type\":\"x\"}}", "{\"type\":{\"type\":\"x\"}}"}) {
    EXPECT_EQ(items(std::string(bad) + "\n" + std::string(good)),
              "b 'q';!the item header has no type '" + std::string(bad) + "';");
  }
}

TEST(Envelope, BadEnvelopeHeaderDoesNotHideItems) {
  const Envelope envelope = split_envelope("garbage\n{\"type\":\"a\"}\nx");
  EXPECT_EQ(envelope.header, "");
  ASSERT_EQ(envelope.faults.size(), 1U);
  EXPECT_STREQ(envelope.faults[0].reason, "the envelope header is no JSON object");
  ASSERT_EQ(envelope.items.size(), 1U);
}

TEST(Envelope, LengthsThatAreNoWholeNumber) {
  for (const std::string_view length :
       {"-1", "1.0", "\"1\"", "1e1", "true", "[1]", "{}", "1111111111111111111"}) {
    const std::string header = "{\"type\":\"a\",\"length\":" + std::string(length) + "}";
    EXPECT_EQ(items(header + "\nxyz\n{\"type\":\"b\"}\nq"),
              "a 'xyz';b 'q';!the length is no whole number '" + header + "';");
  }
}

TEST(Envelope, LengthThatDoesNotFit) {
  EXPECT_EQ(
      items("{\"type\":\"a\",\"length\":9}\nxyz"),
      "a 'xyz' truncated;!the length reaches beyond the end '{\"type\":\"a\",\"length\":9}';");
  EXPECT_EQ(items("{\"type\":\"a\",\"length\":999999999999999999}\nx\ny"),
            "a 'x\ny' truncated;!the length reaches beyond the end "
            "'{\"type\":\"a\",\"length\":999999999999999999}';");
  EXPECT_EQ(items("{\"type\":\"a\",\"length\":1}\nxyz\n{\"type\":\"b\"}\nq"),
            "a 'x';b 'q';!a payload is longer than its length 'yz';");
}

TEST(Envelope, HeadersAreFlat) {
  const Envelope envelope = split_envelope(
      "{}\n { \"x\" : {\"type\":\"no\",\"s\":\"}]\\\"\"} , \"type\" : \"a\\\"b\" ,\"length\": 1 } "
      "\nz");
  ASSERT_EQ(envelope.items.size(), 1U);
  EXPECT_EQ(envelope.items[0].type, "a\\\"b");
  EXPECT_EQ(envelope.items[0].payload, "z");
}

TEST(Envelope, LastOfEqualKeysCounts) {
  EXPECT_EQ(items("{\"type\":\"a\",\"length\":\"x\",\"type\":\"b\",\"length\":1}\nz"), "b 'z';");
}

TEST(Envelope, ItemsAreLimited) {
  std::string text = "{}\n";
  for (int i = 0; i < 1001; ++i) text += "{\"type\":\"a\"}\nx\n";
  const Envelope envelope = split_envelope(text);
  EXPECT_EQ(envelope.items.size(), 1000U);
  ASSERT_EQ(envelope.faults.size(), 1U);
  EXPECT_STREQ(envelope.faults[0].reason, "too many items");
  EXPECT_EQ(envelope.faults[0].bytes, "{\"type\":\"a\"}\nx\n");
}

TEST(Envelope, FaultsAreLimited) {
  std::string text = "{}\n";
  for (int i = 0; i < 1'000'000; ++i) text += "x\n";
  const Envelope envelope = split_envelope(text);
  EXPECT_EQ(envelope.faults.size(), 1001U);
  EXPECT_STREQ(envelope.faults.back().reason, "too many faults");
}

TEST(Envelope, EveryTruncationIsFramedOrTold) {
  const std::string text =
      "{\"event_id\":\"a\"}\n{\"type\":\"e\",\"length\":3}\nx\ny\n{\"type\":\"f\"}\nxyz\n";
  const std::size_t sized = text.find("x\ny");
  const std::size_t second = text.find("{\"type\":\"f\"}");
  for (std::size_t size = 0; size <= text.size(); ++size) {
    const Envelope envelope = split_envelope(std::string_view(text).substr(0, size));
    const bool whole_first = size >= sized + 3;
    if (!envelope.items.empty()) {
      EXPECT_EQ(envelope.items[0].truncated, !whole_first) << size;
    }
    const bool inside_header = (size > 0 && size < 16) || (size > 17 && size < sized - 1) ||
                               (size > second && size < second + 12);
    const bool inside_payload = size >= sized - 1 && !whole_first;
    EXPECT_EQ(envelope.faults.empty(), !inside_header && !inside_payload) << size;
  }
}

}  // namespace
}  // namespace vigil
