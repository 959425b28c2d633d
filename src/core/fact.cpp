#include "core/fact.hpp"

#include <charconv>
#include <cmath>
#include <limits>
#include <vector>

#include "core/timestamp.hpp"
#include "core/weight.hpp"

namespace vigil {

namespace {

using enum ColumnType;

constexpr Column kEvents[] = {
    {"module_id", kUuid, true},
    {"version_id", kUuid},
    {"site_id", kUuid},
    {"created_at", kTime, false, 0, {"timestamp", "time", "occurredat"}},
    {"duration_ms", kDouble, false, 0, {"duration"}},
    {"value", kDouble},
    {"memory_usage_kb", kBigint, false, 0, {"memorykb"}},
    {"sample_weight", kDouble},
    {"success", kBoolean},
    {"event_type", kText, true, 100},
    {"event_name", kText, true, 500},
    {"event_category", kText, false, 100, {"category"}},
    {"subject", kText, false, 500},
    {"status", kText, false, 100, {"statuscode"}},
    {"unit", kText, false, 50},
    {"page_path", kText, false, 4000},
    {"session_id", kText, false, 500},
    {"user_key", kText, false, 500, {"userid"}},
    {"user_agent", kText, false, 2000},
    {"ip_hash", kText, false, 100, {"ipaddress", "ip"}},
    {"country_code", kText, false, 8, {"country"}},
    {"device_type", kText, false, 100, {"device"}},
    {"browser", kText, false, 200},
    {"os", kText, false, 200},
    {"environment", kText, false, 200},
    {"trace_id", kText, false, 64},
    {"external_id", kText, false, 500, {"eventid", "id"}},
    {"payload", kObject},
    {"metadata", kObject},
};

constexpr Column kErrors[] = {
    {"module_id", kUuid, true},
    {"version_id", kUuid},
    {"site_id", kUuid},
    {"created_at", kTime, false, 0, {"timestamp", "time", "occurredat"}},
    {"line_number", kInteger, false, 0, {"lineno", "line"}},
    {"column_number", kInteger, false, 0, {"colno", "column"}},
    {"sample_weight", kDouble},
    {"handled", kBoolean},
    {"error_type", kText, true, 100},
    {"error_name", kText, true, 500},
    {"error_message", kText, true, 0, {"message"}},
    {"error_stack", kText, false, 0, {"stack"}},
    {"fingerprint", kText, false, 500},
    {"level", kText, false, 50, {"severity"}},
    {"platform", kText, false, 100},
    {"file_path", kText, false, 4000},
    {"page_path", kText, false, 4000},
    {"page_title", kText, false, 2000},
    {"session_id", kText, false, 500},
    {"user_key", kText, false, 500, {"userid"}},
    {"user_agent", kText, false, 2000},
    {"ip_hash", kText, false, 100, {"ipaddress", "ip"}},
    {"country_code", kText, false, 8, {"country"}},
    {"device_type", kText, false, 100, {"device"}},
    {"browser", kText, false, 200},
    {"browser_version", kText, false, 200},
    {"os", kText, false, 200},
    {"environment", kText, false, 200},
    {"trace_id", kText, false, 64},
    {"external_id", kText, false, 500, {"errorid", "eventid", "id"}},
    {"module_state", kObject},
    {"module_settings", kObject},
    {"tags", kObject},
    {"context", kObject},
};

static_assert(std::size(kEvents) == static_cast<std::size_t>(EventColumn::kMetadata) + 1);
static_assert(std::size(kErrors) == static_cast<std::size_t>(ErrorColumn::kContext) + 1);

// Keys of a table by what is left of them without case and underscores.
class KeyIndex {
 public:
  explicit KeyIndex(std::span<const Column> columns) {
    for (std::size_t i = 0; i < columns.size(); ++i) add(columns[i].name, i, true);
    for (std::size_t i = 0; i < columns.size(); ++i)
      for (const std::string_view key : columns[i].keys)
        if (!key.empty()) add(key, i, false);
  }

  ColumnMatch find(std::string_view key) const {
    std::array<char, kLongest> plain{};
    const auto size = strip(key, plain);
    if (!size) return {};
    for (const Entry& entry : entries_[*size])
      if (entry.plain == plain) return entry.match;
    return {};
  }

 private:
  static constexpr std::size_t kLongest = 16;

  struct Entry {
    std::array<char, kLongest> plain;
    ColumnMatch match;
  };

  // The rest of the key and its size; null if that is longer than any column's.
  static std::optional<std::size_t> strip(std::string_view key, std::array<char, kLongest>& plain) {
    std::size_t size = 0;
    for (const char c : key) {
      if (c == '_') continue;
      if (size == kLongest) return std::nullopt;
      plain[size++] = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    }
    return size;
  }

  void add(std::string_view key, std::size_t index, bool own_name) {
    Entry entry{{}, {static_cast<int>(index), own_name}};
    entries_[strip(key, entry.plain).value()].push_back(entry);
  }

  std::array<std::vector<Entry>, kLongest + 1> entries_;
};

// The start of a value, for messages.
std::string excerpt(std::string_view text) {
  constexpr std::size_t kLongest = 60;
  if (text.size() <= kLongest) return std::string(text);
  std::size_t cut = kLongest;
  while (cut > 0 && (static_cast<unsigned char>(text[cut]) & 0xC0) == 0x80) --cut;
  return std::string(text.substr(0, cut)) + "...";
}

const char* kind_name(JsonValue::Kind kind) {
  switch (kind) {
    case JsonValue::Kind::kNull:
      return "null";
    case JsonValue::Kind::kBoolean:
      return "a boolean";
    case JsonValue::Kind::kNumber:
      return "a number";
    case JsonValue::Kind::kText:
      return "a string";
    case JsonValue::Kind::kObject:
      return "an object";
    case JsonValue::Kind::kArray:
      return "an array";
  }
  return "unknown";
}

std::string named(const Column& column) { return "\"" + std::string(column.name) + "\""; }

Rejection wrong_kind(const Column& column, const JsonValue& value, const char* wanted) {
  return {Code::kInvalidArgument,
          named(column) + " must be " + wanted + ", not " + kind_name(value.kind),
          {}};
}

Rejection invalid(const Column& column, const JsonValue& value, const char* type) {
  return {Code::kInvalidText,
          "invalid input syntax for type " + std::string(type) + " in " + named(column) + ": \"" +
              excerpt(value.text) + "\"",
          {}};
}

std::optional<double> number_of(const JsonValue& value) {
  if (value.kind == JsonValue::Kind::kNumber) return value.number;
  if (value.kind != JsonValue::Kind::kText) return std::nullopt;
  double number = 0;
  const char* end = value.text.data() + value.text.size();
  const auto result = std::from_chars(value.text.data(), end, number);
  if (result.ptr != end || result.ec == std::errc::invalid_argument) return std::nullopt;
  // A number that no double can hold is infinite here, which every column refuses.
  return result.ec == std::errc() ? number : std::numeric_limits<double>::infinity();
}

std::size_t characters(std::string_view text) {
  std::size_t count = 0;
  for (const char c : text) count += (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  return count;
}

std::optional<Rejection> read_uuid(const Column& column, const JsonValue& value, Field& field) {
  if (value.kind != JsonValue::Kind::kText) return wrong_kind(column, value, "a UUID string");
  const auto parsed = parse_uuid(value.text);
  if (!parsed) return invalid(column, value, "uuid");
  field.uuid = *parsed;
  return std::nullopt;
}

std::optional<Rejection> read_text(const Column& column, const JsonValue& value, Field& field) {
  if (value.kind != JsonValue::Kind::kText && value.kind != JsonValue::Kind::kNumber)
    return wrong_kind(column, value, "a string");
  if (column.longest > 0 && value.text.size() > column.longest &&
      characters(value.text) > column.longest)
    return Rejection{Code::kStringTooLong,
                     named(column) + " has " + std::to_string(characters(value.text)) +
                         " characters, the limit is " + std::to_string(column.longest),
                     {}};
  if (column.required && value.text.find_first_not_of(" \t\r\n") == std::string_view::npos)
    return Rejection{Code::kInvalidArgument, named(column) + " must not be empty", {}};
  field.text = value.text;
  return std::nullopt;
}

Rejection out_of_range(const Column& column, std::string_view written, const char* range) {
  return {Code::kNumericOutOfRange,
          named(column) + " is out of range: " + excerpt(written) + ", it must be " + range,
          {}};
}

std::optional<Rejection> check_double(const Column& column, double number, std::string_view written,
                                      Field& field) {
  if (!std::isfinite(number)) return out_of_range(column, written, "finite");
  if (column.name == "duration_ms" && number < 0)
    return out_of_range(column, written, "0 or more milliseconds");
  if (column.name == "sample_weight" && !is_weight(number)) {
    Rejection rejection = out_of_range(column, written, "between 1 and 1e9");
    rejection.hint = "It is 1 / rate of the sample: vigil.sample_weight(0.1) is 10.";
    return rejection;
  }
  field.number = number;
  return std::nullopt;
}

std::optional<Rejection> read_double(const Column& column, const JsonValue& value, Field& field) {
  const auto number = number_of(value);
  if (!number) {
    return value.kind == JsonValue::Kind::kText ? invalid(column, value, "double precision")
                                                : wrong_kind(column, value, "a number");
  }
  return check_double(column, *number, value.text, field);
}

constexpr std::int64_t kHighestBigint = 9'200'000'000'000'000'000;

std::optional<Rejection> read_integer(const Column& column, const JsonValue& value, Field& field) {
  const auto number = number_of(value);
  if (!number) {
    return value.kind == JsonValue::Kind::kText ? invalid(column, value, "bigint")
                                                : wrong_kind(column, value, "a number");
  }
  const bool narrow = column.type == kInteger;
  const double highest =
      narrow ? std::numeric_limits<std::int32_t>::max() : static_cast<double>(kHighestBigint);
  if (!(*number >= 0 && *number <= highest))
    return out_of_range(column, value.text,
                        narrow ? "between 0 and 2147483647" : "between 0 and 9.2e18");
  field.integer = std::llround(*number);
  // A double rounds what has more than 53 bits.
  std::int64_t exact = 0;
  const char* end = value.text.data() + value.text.size();
  const auto read = std::from_chars(value.text.data(), end, exact);
  if (read.ec == std::errc() && read.ptr == end && static_cast<double>(exact) == *number)
    field.integer = exact;
  return std::nullopt;
}

std::optional<Rejection> read_boolean(const Column& column, const JsonValue& value, Field& field) {
  if (value.kind == JsonValue::Kind::kBoolean) {
    field.boolean = value.boolean;
  } else if (value.kind == JsonValue::Kind::kText &&
             (value.text == "true" || value.text == "false")) {
    field.boolean = value.text == "true";
  } else {
    return wrong_kind(column, value, "true or false");
  }
  return std::nullopt;
}

// Years that a timestamptz and every calendar function of ours can hold.
constexpr std::int64_t kEarliest = -62135596800000000;  // 0001-01-01
constexpr std::int64_t kLatest = 253402300799999999;    // 9999-12-31

std::optional<Rejection> check_time(const Column& column, std::int64_t micros,
                                    std::string_view written, Field& field) {
  if (micros < kEarliest || micros > kLatest)
    return Rejection{
        Code::kTimestampOutOfRange, named(column) + " is out of range: " + excerpt(written), {}};
  field.integer = micros;
  return std::nullopt;
}

std::optional<Rejection> read_time(const Column& column, const JsonValue& value, Field& field) {
  std::optional<std::int64_t> micros;
  if (value.kind == JsonValue::Kind::kNumber)
    micros = epoch_to_micros(value.number);
  else if (value.kind == JsonValue::Kind::kText)
    micros = parse_rfc3339(value.text);
  else
    return wrong_kind(column, value, "a time");
  if (!micros) {
    Rejection rejection = invalid(column, value, "timestamp with time zone");
    rejection.hint =
        "Send RFC 3339 text such as 2026-11-20T09:30:00Z, or a number since the epoch.";
    return rejection;
  }
  return check_time(column, *micros, value.text, field);
}

std::optional<Rejection> read_object(const Column& column, const JsonValue& value, Field& field) {
  if (value.kind != JsonValue::Kind::kObject) return wrong_kind(column, value, "an object");
  field.container = value.container;
  return std::nullopt;
}

}  // namespace

std::span<const Column> event_columns() { return kEvents; }

std::span<const Column> error_columns() { return kErrors; }

ColumnMatch find_column(std::span<const Column> columns, std::string_view key) {
  static const KeyIndex events(kEvents);
  static const KeyIndex errors(kErrors);
  return (columns.data() == kEvents ? events : errors).find(key);
}

void clip_text(const Column& column, Field& field) {
  if (!field.present || column.longest == 0 || field.text.size() <= column.longest) return;
  std::size_t count = 0;
  for (std::size_t i = 0; i < field.text.size(); ++i) {
    const bool starts = (static_cast<unsigned char>(field.text[i]) & 0xC0) != 0x80;
    if (starts && count++ == column.longest) {
      field.text = field.text.substr(0, i);
      return;
    }
  }
}

std::optional<Rejection> read_field(const Column& column, const JsonValue& value, Field& field) {
  if (value.kind == JsonValue::Kind::kNull) return std::nullopt;
  using Reader = std::optional<Rejection> (*)(const Column&, const JsonValue&, Field&);
  static constexpr Reader kReaders[] = {read_uuid,    read_text,    read_double, read_integer,
                                        read_integer, read_boolean, read_object, read_time};
  auto rejection = kReaders[static_cast<std::size_t>(column.type)](column, value, field);
  field.present = !rejection;
  return rejection;
}

std::optional<Rejection> read_double(const Column& column, double number, Field& field) {
  auto rejection = check_double(column, number, {}, field);
  field.present = !rejection;
  if (field.present) return std::nullopt;
  // Messages show the number, which takes longer to write than to check.
  char written[32];
  const auto end = std::to_chars(std::begin(written), std::end(written), number).ptr;
  const std::string_view text = std::isnan(number)   ? "NaN"
                                : std::isinf(number) ? (number > 0 ? "Infinity" : "-Infinity")
                                                     : std::string_view(written, end);
  return check_double(column, number, text, field);
}

std::optional<Rejection> read_bigint(const Column& column, std::int64_t number, Field& field) {
  field.present = number >= 0 && number <= kHighestBigint;
  if (!field.present) return out_of_range(column, std::to_string(number), "between 0 and 9.2e18");
  field.integer = number;
  return std::nullopt;
}

std::optional<Rejection> read_time(const Column& column, std::int64_t micros,
                                   std::string_view written, Field& field) {
  auto rejection = check_time(column, micros, written, field);
  field.present = !rejection;
  return rejection;
}

std::optional<Rejection> missing_field(std::span<const Column> columns,
                                       std::span<const Field> fields) {
  for (std::size_t i = 0; i < columns.size(); ++i)
    if (columns[i].required && !fields[i].present)
      return Rejection{Code::kNullValue, named(columns[i]) + " is missing", {}};
  return std::nullopt;
}

std::optional<std::string_view> subject_key(std::string_view event_type) {
  if (event_type == "api_call") return "endpoint";
  if (event_type == "user_interaction") return "elementId";
  if (event_type == "hook_execution" || event_type == "function" || event_type == "performance" ||
      event_type == "web_vital")
    return "";
  return std::nullopt;
}

std::optional<bool> judge_success(std::string_view event_type, std::string_view event_name,
                                  std::string_view status) {
  if (event_type != "api_call") return std::nullopt;
  int code = 0;
  const auto result = std::from_chars(status.data(), status.data() + status.size(), code);
  if (result.ec == std::errc() && result.ptr == status.data() + status.size() && code >= 100 &&
      code < 600)
    return code < 400;
  if (event_name == "api_success") return true;
  if (event_name == "api_error") return false;
  return std::nullopt;
}

}  // namespace vigil
