// How a client's object becomes a row: the columns of the fact tables, the keys that fill them, and
// the checks a value must pass. Independent of where the object came from (jsonb, an envelope).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "core/error.hpp"
#include "core/uuid.hpp"

namespace vigil {

enum class ColumnType { kUuid, kText, kDouble, kBigint, kInteger, kBoolean, kObject, kTime };

// One column: its SQL name and what may fill it. Keys are compared without case and underscores, so
// moduleId, module_id and ModuleID are one.
struct Column {
  std::string_view name;
  ColumnType type;
  bool required = false;
  std::size_t longest = 0;                 // characters of a text; 0 = payload limit
  std::array<std::string_view, 3> keys{};  // further keys, besides the name; lower case
};

enum class EventColumn {
  kModuleId,
  kVersionId,
  kSiteId,
  kCreatedAt,
  kDuration,
  kValue,
  kMemory,
  kWeight,
  kSuccess,
  kType,
  kName,
  kCategory,
  kSubject,
  kStatus,
  kUnit,
  kPagePath,
  kSessionId,
  kUserKey,
  kUserAgent,
  kIpHash,
  kCountry,
  kDevice,
  kBrowser,
  kOs,
  kEnvironment,
  kTraceId,
  kExternalId,
  kPayload,
  kMetadata,
};

enum class ErrorColumn {
  kModuleId,
  kVersionId,
  kSiteId,
  kCreatedAt,
  kLine,
  kColumn,
  kWeight,
  kHandled,
  kType,
  kName,
  kMessage,
  kStack,
  kFingerprint,
  kLevel,
  kPlatform,
  kFilePath,
  kPagePath,
  kPageTitle,
  kSessionId,
  kUserKey,
  kUserAgent,
  kIpHash,
  kCountry,
  kDevice,
  kBrowser,
  kBrowserVersion,
  kOs,
  kEnvironment,
  kTraceId,
  kExternalId,
  kState,
  kSettings,
  kTags,
  kContext,
};

// The columns in the order of the enumerations above.
std::span<const Column> event_columns();
std::span<const Column> error_columns();

// The column that a key fills: its index, or -1, and whether the key is the column's own name.
struct ColumnMatch {
  int index = -1;
  bool own_name = false;
};

// Of one of the two tables above.
ColumnMatch find_column(std::span<const Column> columns, std::string_view key);

// A member of the client's object. Objects and arrays are opaque here.
struct JsonValue {
  enum class Kind { kNull, kBoolean, kNumber, kText, kObject, kArray };
  Kind kind = Kind::kNull;
  bool boolean = false;
  double number = 0;
  std::string_view text;            // kText; kNumber: as written
  const void* container = nullptr;  // kObject, kArray
};

// A value that passed its checks: the member that its column has. Text views are as long-lived as
// their source; the text of an absent value is empty.
struct Field {
  constexpr Field() noexcept : text() {}

  bool present = false;
  union {
    std::string_view text;
    Uuid uuid;
    double number;
    std::int64_t integer;  // kBigint, kInteger; kTime: microseconds since the Unix epoch
    bool boolean;
    const void* container;
  };
};
static_assert(sizeof(Field) == 24);

// Why an item cannot be stored.
struct Rejection {
  Code code;
  std::string reason;
  std::string hint;
};

// Checks the value for the column. Null leaves the field absent.
std::optional<Rejection> read_field(const Column& column, const JsonValue& value, Field& field);

// The same checks for a value that has the SQL type of its column already. A time is in
// microseconds since the Unix epoch; `written` is how messages show it.
std::optional<Rejection> read_double(const Column& column, double number, Field& field);
std::optional<Rejection> read_bigint(const Column& column, std::int64_t number, Field& field);
std::optional<Rejection> read_time(const Column& column, std::int64_t micros,
                                   std::string_view written, Field& field);

// Cuts a text to what the column holds, between two characters.
void clip_text(const Column& column, Field& field);

// The first required column without a value, as a rejection.
std::optional<Rejection> missing_field(std::span<const Column> columns,
                                       std::span<const Field> fields);

// Key of the payload that names the subject of an event of this type; empty = the event's own name;
// null = events of this type have no subject.
std::optional<std::string_view> subject_key(std::string_view event_type);

// What an event says of its success: by an explicit flag, an HTTP status, or its name; otherwise
// unknown.
std::optional<bool> judge_success(std::string_view event_type, std::string_view event_name,
                                  std::string_view status);

}  // namespace vigil
