// Arrays and objects read from their text: what jsonb would have, and bad items that stay alone.
#include "core/json_object.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace vigil {
namespace {

std::vector<std::string> items(std::string_view text) {
  const JsonElements elements = split_json_array(text, std::pmr::get_default_resource());
  return {elements.items.begin(), elements.items.end()};
}

std::string fault(std::string_view text) {
  const JsonElements elements = split_json_array(text, std::pmr::get_default_resource());
  if (!elements.is_array) return "no array";
  return elements.fault ? std::to_string(elements.fault->offset) + " " + elements.fault->reason
                        : "";
}

// Each member as key=value, with the kind of value in front.
std::vector<std::string> members(std::string_view text) {
  EXPECT_FALSE(check_json(text)) << text;
  std::pmr::monotonic_buffer_resource resource;
  std::vector<std::string> read;
  std::pmr::vector<JsonMember> members(&resource);
  read_json_object(text, &resource, members);
  for (const auto& [key, value] : members)
    read.push_back("0bntoa"[static_cast<int>(value.kind)] + std::string(key) + "=" +
                   std::string(value.text));
  return read;
}

using Texts = std::vector<std::string>;

TEST(JsonElements, AreSlices) {
  EXPECT_EQ(items("[]"), Texts{});
  EXPECT_EQ(items(" [ \n] "), Texts{});
  EXPECT_EQ(items("[1]"), Texts{"1"});
  EXPECT_EQ(items("\t[ 1 ,\r\n{ \"a\" : [1, 2] } , \"x,]\\\"\" ]\n"),
            (Texts{"1", "{ \"a\" : [1, 2] }", "\"x,]\\\"\""}));
  EXPECT_EQ(items(R"([[[], {}], {"a": {"b": "}"}}])"), (Texts{"[[], {}]", R"({"a": {"b": "}"}})"}));
  for (const char* whole : {"[]", " [ ] ", "[1, 2]", "[{}]\n"}) EXPECT_EQ(fault(whole), "");
}

TEST(JsonElements, TellsWhatIsNoArray) {
  for (const char* other : {"", "  ", "{}", "1", "\"[]\"", "null", "]"})
    EXPECT_EQ(fault(other), "no array") << other;
  EXPECT_EQ(fault("["), "1 the text ends too early");
  EXPECT_EQ(fault("[1"), "2 the text ends too early");
  EXPECT_EQ(fault("[1, "), "4 the text ends too early");
  EXPECT_EQ(fault("[1}"), "2 the wrong bracket closes a container");
  EXPECT_EQ(fault("[1] 2"), "4 text follows the value");
}

TEST(JsonElements, KeepsBadItemsApart) {
  EXPECT_EQ(items("[1,,2]"), (Texts{"1", "", "2"}));
  EXPECT_EQ(items("[1,]"), (Texts{"1", ""}));
  EXPECT_EQ(items("[1, "), Texts{"1"});
  EXPECT_EQ(items(R"([{"a": [}, 2])"), (Texts{R"({"a": [})", "2"}));
  EXPECT_EQ(items(R"([{"a": {"b": [[1}, 2}, 3])"), (Texts{R"({"a": {"b": [[1}, 2})", "3"}));
  EXPECT_EQ(items(R"([1, {"a": "b)"), (Texts{"1", R"({"a": "b)"}));
  EXPECT_EQ(items("[1 2, x y]"), (Texts{"1 2", "x y"}));
  EXPECT_EQ(items("[\"\\"), Texts{"\"\\"});
}

TEST(JsonObject, HasItsMembers) {
  EXPECT_EQ(members("{}"), Texts{});
  EXPECT_EQ(members(" { \n} "), Texts{});
  EXPECT_EQ(members(R"({"a":1,"b":"x","c":true,"d":false,"e":null,"f":{"g":[1]},"h":[ ]})"),
            (Texts{"na=1", "tb=x", "bc=true", "bd=false", "0e=null", "of={\"g\":[1]}", "ah=[ ]"}));
  EXPECT_EQ(members("{\t\"a\" \n:\r 1.5e3 ,\"b\": [1 , 2] }"), (Texts{"na=1.5e3", "ab=[1 , 2]"}));
  EXPECT_EQ(members(R"({"": ""})"), Texts{"t="});
}

TEST(JsonObject, IsInTheOrderOfJsonb) {
  EXPECT_EQ(members(R"({"bb": 1, "c": 2, "aa": 3, "a": 4, "B": 5})"),
            (Texts{"nB=5", "na=4", "nc=2", "naa=3", "nbb=1"}));
  EXPECT_EQ(members(R"({"a": 1, "b": 2, "a": 3, "\u0061": 4})"), (Texts{"na=4", "nb=2"}));
}

TEST(JsonObject, Unescapes) {
  EXPECT_EQ(members(R"({"a\n\"": "\b\f\n\r\t\/\\\"-"})"), Texts{"ta\n\"=\b\f\n\r\t/\\\"-"});
  EXPECT_EQ(members(R"({"a": "\u0041\u00fc\u20AC\ud83d\uDE00\uffff"})"),
            Texts{"ta=A\xC3\xBC\xE2\x82\xAC\xF0\x9F\x98\x80\xEF\xBF\xBF"});
  EXPECT_EQ(members("{\"a\": \"\xC3\xBC\"}"), Texts{"ta=\xC3\xBC"});
}

TEST(JsonObject, ReadsNumbers) {
  std::pmr::monotonic_buffer_resource resource;
  std::pmr::vector<JsonMember> read(&resource);
  read_json_object(R"({"a": -0.25e2, "b": 1e400, "c": 12})", &resource, read);
  EXPECT_EQ(read[0].value.number, -25);
  EXPECT_TRUE(read[1].value.number > 1e308);
  EXPECT_EQ(read[2].value.number, 12);
}

}  // namespace
}  // namespace vigil
