#include "core/message_template.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <sstream>
#include <vector>

namespace vigil {
namespace {

std::string template_of(std::string_view text) {
  std::pmr::string out;
  message_template(text, out);
  EXPECT_EQ(template_key(text), key_of_template(out)) << text.substr(0, 200);
  return std::string(out);
}

std::string key(std::string_view text) {
  const TemplateKey characters = template_key(text);
  return {characters.data(), characters.size()};
}

std::string repeat(std::string_view text, std::size_t bytes) {
  std::string out;
  while (out.size() < bytes) out += text;
  return out;
}

struct Case {
  std::string_view text;
  std::string_view expected;
};

void expect_all(std::initializer_list<Case> cases) {
  for (const Case& item : cases) EXPECT_EQ(template_of(item.text), item.expected) << item.text;
}

TEST(MessageTemplate, FixedWordsStay) {
  expect_all(
      {{"", ""},
       {"connection refused", "connection refused"},
       {"A::b failed in std::vector", "A::b failed in std::vector"},
       {"text/html and/or I/O read/write", "text/html and/or I/O read/write"},
       {"sha256 mismatch in utf8 decoder over http2", "sha256 mismatch in utf8 decoder over http2"},
       {"can't find the user's 'thing'", "can't find the user's 'thing'"},
       {"Größe fehlt", "Größe fehlt"}});
}

TEST(MessageTemplate, BlanksAreOneBlank) {
  expect_all({{"  a \t b\r\n c ", "a b c"}, {std::string_view("a\0b", 3), "a b"}});
}

TEST(MessageTemplate, Numbers) {
  expect_all({{"slot 7", "slot <num>"},
              {"slot -7", "slot <num>"},
              {"+3 of 0.25", "<num> of <num>"},
              {"1.5e-3 x", "<num> x"},
              {"read 1,234,567 rows", "read <num> rows"},
              {"at 0xdeadBEEF", "at <num>"},
              {"95%", "<num>%"},
              {"version 1.2.3-beta", "version <num>"},
              {"disk 1/5", "disk <num>"}});
}

TEST(MessageTemplate, ListsAreOneValue) {
  expect_all({{"[1, 2, 3]", "[<num>]"},
              {"[1]", "[<num>]"},
              {"delete part_1 part_-2 part_3", "delete part_<num>"},
              {"10.0.0.1, 10.0.0.2:80", "<host>"},
              {"1 a 2", "<num> a <num>"}});
}

TEST(MessageTemplate, Identifiers) {
  expect_all({{"block part_-12", "block part_<num>"},
              {"block part_12", "block part_<num>"},
              {"commit 3f786850e387550fdab836ed7e6dc881de23001b", "commit <num>"},
              {"order ord_8fK2jd9", "order ord_<num>"},
              {"pod web-7d9f8b6c5-xk2lp", "pod web-<num>"},
              {"Object@deadbeef", "Object@<num>"},
              {"session 550e8400-e29b-41d4-a716-446655440000.", "session <uuid>."},
              {"token eyJhbGci.eyJzdWIi.dozj-N_X bad", "token <jwt> bad"}});
}

TEST(MessageTemplate, Addresses) {
  expect_all({{"from 10.0.0.1", "from <host>"},
              {"from 10.0.0.1:5432", "from <host>"},
              {"from /10.0.0.1:5432:", "from /<host>:"},
              {"to ::1 or [::1]:8080", "to <host> or <host>"},
              {"to 2001:db8::ff00:42:8329 or fe80::1%eth0", "to <host> or <host>"},
              {"to ::ffff:10.0.0.1", "to <host>"},
              {"for ns.example.com [10.0.0.1]", "for <host> [<host>]"},
              {"localhost/127.0.0.1:80", "<host>"},
              {"mac 0a:1b:cc:dd:ee:ff", "mac <mac>"},
              {"mail bob+x@example.com, please", "mail <email>, please"},
              {"GET https://example.com/v1/42?x=1).", "GET <url>)."}});
}

TEST(MessageTemplate, Paths) {
  expect_all({{"open '/var/lib/a-1.json'", "open '<path>'"},
              {"open C:\\Users\\bob\\x.txt: denied", "open <path>: denied"},
              {"open \\\\server\\share", "open <path>"},
              {"in src/app/main.c:12:5", "in <path>"},
              {"in ./x ../y ~/z", "in <path>"},
              {"division a / b", "division a / b"}});
}

TEST(MessageTemplate, Times) {
  for (const std::string_view time :
       {"2024-01-02", "2024-01-02T03:04:05.678Z", "2024-01-02 03:04:05,678 +0000",
        "2024/01/02 03:04:05", "01/02/2024", "02/Jan/2024:03:04:05 +0000", "03:04:05",
        "Jan  2 03:04:05 2024", "Jan 2, 2024", "Mon, 02 Jan 2024 03:04:05 GMT", "20240102T030405Z",
        "10:15:30 PM", "2024-01-02T03:04:05+01:00"})
    EXPECT_EQ(template_of("at " + std::string(time) + " it"), "at <time> it") << time;
  EXPECT_EQ(template_of("May be"), "May be");
}

TEST(MessageTemplate, UnitsBelongToTheNumber) {
  for (const std::string_view text : {"5ms", "1.2s", "5 seconds", "1 minute", "1h30m", "1m2.5s"})
    EXPECT_EQ(template_of(text), "<duration>") << text;
  for (const std::string_view text : {"64 KB", "64.5KiB", "12 bytes", "1,024 MB", "5G"})
    EXPECT_EQ(template_of(text), "<size>") << text;
  expect_all({{"5 items", "<num> items"},
              {"rev 4523123d", "rev <num>"},
              {"5 d", "<num> d"},
              {"5 milestones", "<num> milestones"}});
}

TEST(MessageTemplate, ValuesOfKeys) {
  expect_all({{"user=alice id=42 tty=", "user=<val> id=<val> tty="},
              {"level=error reason=timeout", "level=error reason=timeout"},
              {"msg=\"it broke 5 times\"", "msg=\"it broke <num> times\""},
              {"name=\"any thing\" x", "name=\"<val>\" x"},
              {"Key (email)=(a b@c) already exists.", "Key (email)=(<val>) already exists."},
              {"a == b", "a == b"},
              {"my id = 3, error =", "my id = <num>, error ="}});
}

TEST(MessageTemplate, QuotedIdentifiersStayAndQuotedValuesDoNot) {
  expect_all(
      {{"relation \"users2\" does not exist", "relation \"users2\" does not exist"},
       {"relation \"p_20240102\" is gone", "relation \"p_<num>\" is gone"},
       {"Cannot read property 'foo' of undefined", "Cannot read property 'foo' of undefined"},
       {"invalid input syntax for type integer: \"12a\"",
        "invalid input syntax for type integer: \"<val>\""},
       {"failed for user \"alice\"", "failed for user \"<val>\""},
       {"KeyError: 'name'", "KeyError: 'name'"},
       {"error: 'x' is undefined", "error: 'x' is undefined"}});
}

TEST(MessageTemplate, CodesTellErrorsApart) {
  for (const std::string_view text :
       {"Request failed with status code 404", "HTTP 503 Service Unavailable", "error #1045 for x",
        "errno 13", "exit code 137", "Request failed with 502", "status=502",
        "ORA-00942: table or view does not exist", "error TS2345: Argument"})
    EXPECT_EQ(template_of(text), text.starts_with("status=") ? "status=502" : text);
  EXPECT_NE(key("status code 404"), key("status code 500"));
  expect_all({{"status code 200", "status code <num>"},
              {"\"GET /x HTTP/1.1\" status: 404", "\"GET <path> HTTP/<num>\" status: <num>"},
              {"error: 5 files failed", "error: <num> files failed"}});
}

TEST(MessageTemplate, WhoComesFromAnAddressIsAValue) {
  expect_all({{"Login refused for root from 10.0.0.1", "Login refused for <val> from <host>"},
              {"Invalid user admin7 from 10.0.0.1", "Invalid user <val> from <host>"},
              {"user unknown", "user unknown"},
              {"disconnected by user", "disconnected by user"}});
}

TEST(MessageTemplate, KeysAreGolden) {
  EXPECT_EQ(key(""), "t1_00000000000000000000000000000000");
  EXPECT_EQ(key("slot 7"), key("slot <num>"));
  EXPECT_EQ(key("slot 7"), "t1_0f8a3102d445b48a40fe19a6a01c374a");
  EXPECT_EQ(key("Copied part p_-17 of 12 MB from /10.0.0.1:8020"),
            "t1_326941b0e636e22c9f8fddac7be63ee9");
}

TEST(MessageTemplate, OnlyTheBeginningCounts) {
  const std::string head = repeat("word ", kTemplateInput);
  EXPECT_EQ(key(head + "x"), key(head + "y" + std::string(1 << 20, 'z')));
}

TEST(MessageTemplate, WorkIsLinear) {
  for (const std::string_view piece :
       {"a",       "1",         "a1",    " ",      ":",       ".",         "-",      "_",
        "/",       "'",         "\"",    "@",      "=",       ",",         "a.",     "1.",
        "1,",      "1:",        "1-",    "a:",     "a/",      "a@",        "a=",     "a=\"",
        ":'",      ": 'a",      ":\"a'", "x='\\",  "\xff",    "\xC3",      "eyJ.",   "Jan ",
        "Mon, ",   "for user ", "1h",    "f:",     "ab:",     "deadbeef-", "0x",     "1e",
        "A1",      "http://",   "://",   "HTTP/1", "[1",      "[::",       "a b",    "1 ",
        "key 'a.", "/a",        "C:\\",  "<",      "error 1", "2024-",     "12:34:", "a_",
        "a_1 ",    "a_-1",      "GMT+",  "\\\\"}) {
    const std::string text = repeat(piece, kTemplateInput);
    EXPECT_LT(template_work(text), 64 * kTemplateInput) << piece;
    EXPECT_LT(template_of(text).size(), 8 * kTemplateInput) << piece;
  }
  const std::string line = repeat("line 1 of many, ", 1 << 20);
  EXPECT_LT(template_work(line), 64 * kTemplateInput);
}

TEST(MessageTemplate, EveryPrefixOfATextIsRead) {
  const std::string_view text =
      "Jan  2 03:04:05 2024 a@b.de [::1]:80 0x1f 1h30m x=\"y\" (k)=(v) eyJ.a.b "
      "550e8400-e29b-41d4-a716-446655440000 C:\\x 1,234 HTTP/1.1\" Mon, 02 Jan 2024 03:04:05 "
      "GMT+0100";
  for (std::size_t size = 0; size <= text.size(); ++size) {
    const std::string exact(text.substr(0, size));
    template_of(exact);
  }
}

// Grouping accuracy on labelled logs: VIGIL_LOGHUB names a folder of *_structured.csv with the
// columns Content and EventId.
std::vector<std::vector<std::string>> read_csv(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream all;
  all << file.rdbuf();
  const std::string text = all.str();
  std::vector<std::vector<std::string>> rows(1, std::vector<std::string>(1));
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '"' && quoted && i + 1 < text.size() && text[i + 1] == '"')
      rows.back().back() += text[++i];
    else if (c == '"')
      quoted = !quoted;
    else if (c == ',' && !quoted)
      rows.back().emplace_back();
    else if (c == '\n' && !quoted)
      rows.emplace_back(1);
    else if (c != '\r' || quoted)
      rows.back().back() += c;
  }
  while (!rows.empty() && rows.back().size() < 2) rows.pop_back();
  return rows;
}

std::size_t column(const std::vector<std::string>& header, std::string_view name) {
  return static_cast<std::size_t>(std::ranges::find(header, name) - header.begin());
}

double grouping_accuracy(const std::vector<std::vector<std::string>>& rows) {
  const std::size_t content = column(rows[0], "Content");
  const std::size_t event = column(rows[0], "EventId");
  std::map<std::string, std::vector<std::size_t>> truth;
  std::map<std::string, std::vector<std::size_t>> groups;
  for (std::size_t i = 1; i < rows.size(); ++i) {
    truth[rows[i].at(event)].push_back(i);
    groups[key(rows[i].at(content))].push_back(i);
  }
  std::size_t right = 0;
  for (const auto& [id, lines] : groups)
    if (truth[rows[lines[0]].at(event)] == lines) right += lines.size();
  return static_cast<double>(right) / static_cast<double>(rows.size() - 1);
}

TEST(MessageTemplate, GroupsLabelledLogs) {
  const char* folder = std::getenv("VIGIL_LOGHUB");
  if (folder == nullptr) GTEST_SKIP() << "VIGIL_LOGHUB names no folder";
  double sum = 0;
  int sets = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (!entry.path().string().ends_with("_structured.csv")) continue;
    const double accuracy = grouping_accuracy(read_csv(entry.path().string()));
    std::cout << entry.path().filename().string() << " " << accuracy << "\n";
    sum += accuracy;
    ++sets;
  }
  ASSERT_GT(sets, 0);
  std::cout << "mean " << sum / sets << "\n";
  EXPECT_GE(sum / sets, 0.82);
}

}  // namespace
}  // namespace vigil
