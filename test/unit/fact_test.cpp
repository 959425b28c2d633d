// How members of a client's object become column values: keys, every type with good and bad values,
// cuts, subjects and outcomes.
#include "core/fact.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <set>
#include <string>
#include <vector>

namespace vigil {
namespace {

JsonValue text(std::string_view value) {
  JsonValue json;
  json.kind = JsonValue::Kind::kText;
  json.text = value;
  return json;
}

JsonValue number(double value, std::string_view written = "1") {
  JsonValue json;
  json.kind = JsonValue::Kind::kNumber;
  json.number = value;
  json.text = written;
  return json;
}

JsonValue boolean(bool value) {
  JsonValue json;
  json.kind = JsonValue::Kind::kBoolean;
  json.boolean = value;
  json.text = value ? "true" : "false";
  return json;
}

JsonValue container(JsonValue::Kind kind) {
  static const int place = 0;
  JsonValue json;
  json.kind = kind;
  json.container = &place;
  return json;
}

JsonValue object() { return container(JsonValue::Kind::kObject); }
JsonValue array() { return container(JsonValue::Kind::kArray); }

const Column& event_column(std::string_view name) {
  for (const Column& column : event_columns())
    if (column.name == name) return column;
  throw std::out_of_range(std::string(name));
}

const Column& error_column(std::string_view name) {
  for (const Column& column : error_columns())
    if (column.name == name) return column;
  throw std::out_of_range(std::string(name));
}

Field accepted(const Column& column, const JsonValue& value) {
  Field field;
  const auto rejection = read_field(column, value, field);
  EXPECT_FALSE(rejection) << column.name << ": " << (rejection ? rejection->reason : "");
  EXPECT_TRUE(field.present) << column.name;
  return field;
}

void refused(const Column& column, const JsonValue& value, Code code, std::string_view part = "") {
  Field field;
  const auto rejection = read_field(column, value, field);
  ASSERT_TRUE(rejection) << column.name << " took " << value.text;
  EXPECT_EQ(rejection->code, code) << rejection->reason;
  EXPECT_NE(rejection->reason.find(column.name), std::string::npos) << rejection->reason;
  EXPECT_NE(rejection->reason.find(part), std::string::npos) << rejection->reason;
  EXPECT_FALSE(field.present);
}

TEST(Columns, AreNamedByTheirEnumerations) {
  EXPECT_EQ(event_columns()[static_cast<std::size_t>(EventColumn::kModuleId)].name, "module_id");
  EXPECT_EQ(event_columns()[static_cast<std::size_t>(EventColumn::kType)].name, "event_type");
  EXPECT_EQ(event_columns()[static_cast<std::size_t>(EventColumn::kSubject)].name, "subject");
  EXPECT_EQ(event_columns()[static_cast<std::size_t>(EventColumn::kExternalId)].name,
            "external_id");
  EXPECT_EQ(event_columns()[static_cast<std::size_t>(EventColumn::kMetadata)].name, "metadata");
  EXPECT_EQ(error_columns()[static_cast<std::size_t>(ErrorColumn::kMessage)].name, "error_message");
  EXPECT_EQ(error_columns()[static_cast<std::size_t>(ErrorColumn::kFingerprint)].name,
            "fingerprint");
  EXPECT_EQ(error_columns()[static_cast<std::size_t>(ErrorColumn::kExternalId)].name,
            "external_id");
  EXPECT_EQ(error_columns()[static_cast<std::size_t>(ErrorColumn::kContext)].name, "context");
}

TEST(Columns, NoKeyFillsTwo) {
  for (const auto columns : {event_columns(), error_columns()}) {
    std::set<std::string> plain;
    for (const Column& column : columns) {
      std::string name;
      for (const char c : column.name)
        if (c != '_') name += c;
      EXPECT_TRUE(plain.insert(name).second) << name;
      for (const std::string_view key : column.keys) {
        if (key.empty()) continue;
        EXPECT_TRUE(plain.insert(std::string(key)).second) << key;
      }
    }
  }
}

TEST(FindColumn, IgnoresCaseAndUnderscores) {
  for (const char* key :
       {"module_id", "moduleId", "ModuleID", "MODULE_ID", "moduleid", "_module__id_"}) {
    const ColumnMatch match = find_column(event_columns(), key);
    EXPECT_EQ(match.index, static_cast<int>(EventColumn::kModuleId)) << key;
    EXPECT_TRUE(match.own_name) << key;
  }
}

TEST(FindColumn, TellsAliasesFromNames) {
  const struct {
    const char* key;
    EventColumn column;
  } cases[] = {{"timestamp", EventColumn::kCreatedAt}, {"Occurred_At", EventColumn::kCreatedAt},
               {"duration", EventColumn::kDuration},   {"statusCode", EventColumn::kStatus},
               {"userId", EventColumn::kUserKey},      {"IPAddress", EventColumn::kIpHash},
               {"ip", EventColumn::kIpHash},           {"id", EventColumn::kExternalId},
               {"country", EventColumn::kCountry},     {"device", EventColumn::kDevice}};
  for (const auto& [key, column] : cases) {
    const ColumnMatch match = find_column(event_columns(), key);
    EXPECT_EQ(match.index, static_cast<int>(column)) << key;
    EXPECT_FALSE(match.own_name) << key;
  }
}

TEST(FindColumn, KnowsNothingElse) {
  for (const char* key : {"", "_", "module", "moduleIds", "module-id", "module id", "xmoduleid",
                          "mödule_id", "$module_id"})
    EXPECT_EQ(find_column(event_columns(), key).index, -1) << key;
  EXPECT_EQ(find_column(event_columns(), "error_stack").index, -1);
  EXPECT_EQ(find_column(error_columns(), "error_stack").index,
            static_cast<int>(ErrorColumn::kStack));
}

TEST(ReadField, NullLeavesEveryColumnAbsent) {
  for (const auto columns : {event_columns(), error_columns()})
    for (const Column& column : columns) {
      Field field;
      EXPECT_FALSE(read_field(column, JsonValue{}, field)) << column.name;
      EXPECT_FALSE(field.present) << column.name;
    }
}

// No column takes every kind; what it does not take is an argument error.
TEST(ReadField, RefusesOtherKinds) {
  for (const auto columns : {event_columns(), error_columns()})
    for (const Column& column : columns) {
      refused(column, array(), Code::kInvalidArgument, "not an array");
      if (column.type != ColumnType::kObject)
        refused(column, object(), Code::kInvalidArgument, "not an object");
      if (column.type != ColumnType::kBoolean)
        refused(column, boolean(true), Code::kInvalidArgument, "not a boolean");
      if (column.type == ColumnType::kObject || column.type == ColumnType::kBoolean ||
          column.type == ColumnType::kUuid)
        refused(column, number(1), Code::kInvalidArgument, "not a number");
      if (column.type == ColumnType::kObject)
        refused(column, text("{}"), Code::kInvalidArgument, "not a string");
    }
}

TEST(ReadField, Uuid) {
  const Column& column = event_column("module_id");
  const Field field = accepted(column, text("11111111-1111-4111-8111-111111111111"));
  EXPECT_EQ(field.uuid, *parse_uuid("11111111-1111-4111-8111-111111111111"));
  EXPECT_EQ(accepted(column, text("AAAAAAAA-aaaa-4AAA-8aaa-aaaaaaaaaaaa")).uuid,
            *parse_uuid("aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa"));
  for (const char* bad :
       {"", "x", "11111111-1111-4111-8111-11111111111", "11111111-1111-4111-8111-1111111111111",
        "g1111111-1111-4111-8111-111111111111"})
    refused(column, text(bad), Code::kInvalidText, "uuid");
}

TEST(ReadField, Text) {
  EXPECT_EQ(accepted(event_column("event_name"), text("点击 🎉")).text, "点击 🎉");
  EXPECT_EQ(accepted(event_column("event_name"), number(404, "404")).text, "404");
  EXPECT_EQ(accepted(event_column("session_id"), text("")).text, "");
  for (const char* blank : {"", " ", "\t\r\n"})
    refused(event_column("event_name"), text(blank), Code::kInvalidArgument, "must not be empty");
}

TEST(ReadField, TextLimitsCountCharacters) {
  for (const auto columns : {event_columns(), error_columns()})
    for (const Column& column : columns) {
      if (column.type != ColumnType::kText || column.longest == 0) continue;
      std::string fits;
      for (std::size_t i = 0; i < column.longest; ++i) fits += "ä";
      EXPECT_EQ(accepted(column, text(fits)).text, fits);
      fits += "x";
      refused(column, text(fits), Code::kStringTooLong, std::to_string(column.longest));
    }
  const std::string long_message(1000000, 'm');
  EXPECT_EQ(accepted(error_column("error_message"), text(long_message)).text.size(),
            long_message.size());
}

TEST(ReadField, Double) {
  const Column& value = event_column("value");
  EXPECT_EQ(accepted(value, number(-2.5)).number, -2.5);
  EXPECT_EQ(accepted(value, text("1e3")).number, 1000);
  EXPECT_EQ(accepted(value, number(1.7976931348623157e308)).number, 1.7976931348623157e308);
  for (const char* bad : {"", "x", "1 ", " 1", "1x", "0x10", "+1", "1,5", "--1", "."})
    refused(value, text(bad), Code::kInvalidText, "double precision");
  for (const char* bad : {"NaN", "nan", "inf", "-Infinity", "1e400", "-1e400"})
    refused(value, text(bad), Code::kNumericOutOfRange, "finite");
  refused(value, number(std::numeric_limits<double>::infinity(), "1e400"), Code::kNumericOutOfRange,
          "1e400");
}

TEST(ReadField, DurationIsNotNegative) {
  const Column& duration = event_column("duration_ms");
  EXPECT_EQ(accepted(duration, number(0)).number, 0);
  EXPECT_EQ(accepted(duration, number(0.25)).number, 0.25);
  refused(duration, number(-0.001, "-0.001"), Code::kNumericOutOfRange, "-0.001");
  refused(duration, text("-1"), Code::kNumericOutOfRange, "0 or more");
}

TEST(ReadField, WeightIsOneOrMore) {  // S1-74
  for (const Column& weight : {event_column("sample_weight"), error_column("sample_weight")}) {
    EXPECT_EQ(accepted(weight, number(1)).number, 1);
    EXPECT_EQ(accepted(weight, number(1e9)).number, 1e9);
    EXPECT_EQ(accepted(weight, text("3.3333333333333335")).number, 1 / 0.3);
    refused(weight, number(0.1, "0.1"), Code::kNumericOutOfRange, "between 1 and 1e9");
    refused(weight, number(1e10, "1e10"), Code::kNumericOutOfRange, "1e10");
    refused(weight, text("-2"), Code::kNumericOutOfRange, "-2");
    refused(weight, text("NaN"), Code::kNumericOutOfRange, "finite");
    refused(weight, text("often"), Code::kInvalidText, "double precision");
  }
  Field field;
  EXPECT_NE(read_double(event_column("sample_weight"), 0.1, field)->hint, "");
}

TEST(ReadField, Integers) {
  const Column& memory = event_column("memory_usage_kb");
  EXPECT_EQ(accepted(memory, number(1.5)).integer, 2);
  EXPECT_EQ(accepted(memory, number(9.2e18)).integer, 9200000000000000000);
  EXPECT_EQ(accepted(memory, number(9007199254740992, "9007199254740993")).integer,
            9007199254740993);
  EXPECT_EQ(accepted(memory, text("9007199254740993")).integer, 9007199254740993);
  refused(memory, number(9.3e18, "9.3e18"), Code::kNumericOutOfRange, "9.2e18");
  refused(memory, number(-1, "-1"), Code::kNumericOutOfRange, "-1");
  refused(memory, text("NaN"), Code::kNumericOutOfRange);
  refused(memory, text("ten"), Code::kInvalidText, "bigint");
  const Column& line = error_column("line_number");
  EXPECT_EQ(accepted(line, number(2147483647)).integer, 2147483647);
  EXPECT_EQ(accepted(line, text("12")).integer, 12);
  EXPECT_EQ(accepted(line, number(0)).integer, 0);
  refused(line, number(2147483648.0, "2147483648"), Code::kNumericOutOfRange, "2147483647");
  refused(line, number(-1, "-1"), Code::kNumericOutOfRange);
  refused(line, number(std::numeric_limits<double>::infinity(), "1e400"), Code::kNumericOutOfRange);
}

// What message a refused value of SQL type has; empty if it is taken.
template <typename Read>
std::string message(Read read) {
  Field field;
  const std::optional<Rejection> rejection = read(field);
  EXPECT_EQ(field.present, !rejection);
  return rejection ? rejection->reason : "";
}

TEST(ReadTyped, Doubles) {
  Field field;
  EXPECT_FALSE(read_double(event_column("value"), -1e-300, field));
  EXPECT_EQ(field.number, -1e-300);
  const auto read = [](std::string_view column, double number) {
    return message([&](Field& f) { return read_double(event_column(column), number, f); });
  };
  EXPECT_EQ(read("duration_ms", 0), "");
  EXPECT_EQ(read("duration_ms", -0.5),
            "\"duration_ms\" is out of range: -0.5, it must be 0 or more milliseconds");
  EXPECT_EQ(read("value", std::nan("")), "\"value\" is out of range: NaN, it must be finite");
  EXPECT_EQ(read("value", std::numeric_limits<double>::infinity()),
            "\"value\" is out of range: Infinity, it must be finite");
  EXPECT_EQ(read("value", -std::numeric_limits<double>::infinity()),
            "\"value\" is out of range: -Infinity, it must be finite");
}

TEST(ReadTyped, Integers) {
  Field field;
  EXPECT_FALSE(read_bigint(event_column("memory_usage_kb"), 9'200'000'000'000'000'000, field));
  EXPECT_EQ(field.integer, 9'200'000'000'000'000'000);
  const auto read = [](std::int64_t number) {
    return message(
        [&](Field& f) { return read_bigint(event_column("memory_usage_kb"), number, f); });
  };
  EXPECT_EQ(read(0), "");
  EXPECT_EQ(read(-1), "\"memory_usage_kb\" is out of range: -1, it must be between 0 and 9.2e18");
  EXPECT_NE(read(9'200'000'000'000'000'001), "");
}

TEST(ReadTyped, Times) {
  const auto read = [](std::int64_t micros) {
    return message(
        [&](Field& f) { return read_time(event_column("created_at"), micros, "then", f); });
  };
  EXPECT_EQ(read(0), "");
  EXPECT_EQ(read(-62135596800000000), "");
  EXPECT_EQ(read(253402300799999999), "");
  EXPECT_EQ(read(-62135596800000001), "\"created_at\" is out of range: then");
  EXPECT_EQ(read(253402300800000000), "\"created_at\" is out of range: then");
  EXPECT_NE(read(std::numeric_limits<std::int64_t>::max()), "");
  EXPECT_NE(read(std::numeric_limits<std::int64_t>::min()), "");
}

TEST(ReadField, Boolean) {
  const Column& success = event_column("success");
  EXPECT_TRUE(accepted(success, boolean(true)).boolean);
  EXPECT_FALSE(accepted(success, boolean(false)).boolean);
  EXPECT_TRUE(accepted(success, text("true")).boolean);
  EXPECT_FALSE(accepted(success, text("false")).boolean);
  for (const char* bad : {"", "yes", "TRUE", "t", "0"})
    refused(success, text(bad), Code::kInvalidArgument, "true or false");
}

TEST(ReadField, Time) {
  const Column& time = event_column("created_at");
  constexpr std::int64_t kMicros = 1763631000000000;  // 2025-11-20T09:30:00Z
  EXPECT_EQ(accepted(time, text("2025-11-20T09:30:00Z")).integer, kMicros);
  EXPECT_EQ(accepted(time, text("2025-11-20T15:00:00+05:30")).integer, kMicros);
  EXPECT_EQ(accepted(time, number(1763631000)).integer, kMicros);
  EXPECT_EQ(accepted(time, number(1763631000000)).integer, kMicros);
  EXPECT_EQ(accepted(time, text("9999-12-31T23:59:59.999999Z")).integer, 253402300799999999);
  EXPECT_EQ(accepted(time, text("0001-01-01T00:00:00Z")).integer, -62135596800000000);
  for (const char* bad : {"", "now", "yesterday", "infinity", "2025-02-30T00:00:00Z",
                          "10000-01-01T00:00:00Z", "2025-11-20T25:00:00Z"})
    refused(time, text(bad), Code::kInvalidText, "timestamp with time zone");
  refused(time, number(std::nan(""), "nan"), Code::kInvalidText);
  refused(time, number(std::numeric_limits<double>::infinity(), "1e400"), Code::kInvalidText);
  // A zone may put a time out of the years that are stored.
  refused(time, text("9999-12-31T23:59:59-01:00"), Code::kTimestampOutOfRange);
}

TEST(ReadField, Object) {
  const JsonValue given = object();
  EXPECT_EQ(accepted(event_column("payload"), given).container, given.container);
}

TEST(ReadField, QuotesOnlyTheStartOfALongValue) {
  Field field;
  std::string value;
  for (int i = 0; i < 100; ++i) value += "ü";
  const auto rejection = read_field(event_column("site_id"), text(value), field);
  ASSERT_TRUE(rejection);
  EXPECT_LT(rejection->reason.size(), 140u);
  EXPECT_NE(rejection->reason.find("ü...\""), std::string::npos) << rejection->reason;
}

TEST(MissingField, NamesTheFirst) {
  std::vector<Field> fields(event_columns().size());
  EXPECT_EQ(missing_field(event_columns(), fields)->reason, "\"module_id\" is missing");
  EXPECT_EQ(missing_field(event_columns(), fields)->code, Code::kNullValue);
  fields[static_cast<std::size_t>(EventColumn::kModuleId)].present = true;
  EXPECT_EQ(missing_field(event_columns(), fields)->reason, "\"event_type\" is missing");
  fields[static_cast<std::size_t>(EventColumn::kType)].present = true;
  fields[static_cast<std::size_t>(EventColumn::kName)].present = true;
  EXPECT_FALSE(missing_field(event_columns(), fields));
}

TEST(ClipText, CutsBetweenCharacters) {
  const Column column{"short", ColumnType::kText, false, 3};
  const auto clipped = [&](std::string_view value) {
    Field field;
    field.present = true;
    field.text = value;
    clip_text(column, field);
    return std::string(field.text);
  };
  EXPECT_EQ(clipped(""), "");
  EXPECT_EQ(clipped("abc"), "abc");
  EXPECT_EQ(clipped("abcd"), "abc");
  EXPECT_EQ(clipped("äöü"), "äöü");
  EXPECT_EQ(clipped("äöüx"), "äöü");
  EXPECT_EQ(clipped("🎉🎉🎉🎉"), "🎉🎉🎉");
  Field unlimited;
  unlimited.present = true;
  unlimited.text = "any length";
  clip_text({"long", ColumnType::kText}, unlimited);
  EXPECT_EQ(unlimited.text, "any length");
}

TEST(SubjectKey, ByType) {
  EXPECT_EQ(subject_key("api_call"), "endpoint");
  EXPECT_EQ(subject_key("user_interaction"), "elementId");
  EXPECT_EQ(subject_key("performance"), "");
  EXPECT_FALSE(subject_key("render"));
  EXPECT_FALSE(subject_key(""));
}

TEST(JudgeSuccess, StatusBeforeName) {
  EXPECT_EQ(judge_success("api_call", "api_success", ""), true);
  EXPECT_EQ(judge_success("api_call", "api_error", ""), false);
  EXPECT_EQ(judge_success("api_call", "get", ""), std::nullopt);
  EXPECT_EQ(judge_success("api_call", "api_success", "500"), false);
  EXPECT_EQ(judge_success("api_call", "api_error", "399"), true);
  EXPECT_EQ(judge_success("api_call", "get", "400"), false);
  for (const char* odd : {"99", "600", "-1", "2xx", " 200", "ok"})
    EXPECT_EQ(judge_success("api_call", "api_error", odd), false) << odd;
  EXPECT_EQ(judge_success("render", "api_success", "200"), std::nullopt);
}

}  // namespace
}  // namespace vigil
