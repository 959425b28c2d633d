// vigil.track_columns: a batch of events as one array for each column.
#include "pg/ingest.hpp"
#include "pg/settings.hpp"

extern "C" {
#include "utils/json.h"
}

using namespace vigil;
using namespace vigil::pg;

namespace {

// The arrays in the order of the function's arguments, from the second on.
constexpr EventColumn kArguments[] = {
    EventColumn::kCreatedAt,  EventColumn::kType,        EventColumn::kName,
    EventColumn::kSubject,    EventColumn::kDuration,    EventColumn::kSuccess,
    EventColumn::kStatus,     EventColumn::kSessionId,   EventColumn::kSiteId,
    EventColumn::kVersionId,  EventColumn::kValue,       EventColumn::kUnit,
    EventColumn::kMemory,     EventColumn::kCategory,    EventColumn::kPagePath,
    EventColumn::kUserKey,    EventColumn::kIpHash,      EventColumn::kUserAgent,
    EventColumn::kCountry,    EventColumn::kDevice,      EventColumn::kBrowser,
    EventColumn::kOs,         EventColumn::kEnvironment, EventColumn::kTraceId,
    EventColumn::kExternalId, EventColumn::kPayload,     EventColumn::kMetadata,
    EventColumn::kWeight,     EventColumn::kModuleId};

constexpr std::int64_t kPostgresEpoch =
    (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * static_cast<std::int64_t>(SECS_PER_DAY) * 1000000;

struct ElementArray {
  EventColumn column;
  Oid type;
  Datum* values;
  bool* nulls;
  int size;
  int dimensions;

  // Null if there is none. The only element of an array is the element of all rows.
  const Datum* at(int row) const {
    const int index = size == 1 ? 0 : row;
    return nulls[index] ? nullptr : &values[index];
  }
};

ElementArray read_array(EventColumn column, Datum argument) {
  return call([&] {
    ArrayType* array = DatumGetArrayTypeP(argument);
    ElementArray result{column, ARR_ELEMTYPE(array), nullptr, nullptr, 0, ARR_NDIM(array)};
    std::int16_t length = 0;
    bool by_value = false;
    char align = 0;
    get_typlenbyvalalign(result.type, &length, &by_value, &align);
    deconstruct_array(array, result.type, length, by_value, align, &result.values, &result.nulls,
                      &result.size);
    return result;
  });
}

JsonValue::Kind kind_of(const JsonbContainer* container) {
  if (JsonContainerIsObject(container)) return JsonValue::Kind::kObject;
  if (!JsonContainerIsScalar(container)) return JsonValue::Kind::kArray;
  const auto type = call([&] {
    return getIthJsonbValueFromContainer(const_cast<JsonbContainer*>(container), 0)->type;
  });
  switch (type) {
    case jbvBool:
      return JsonValue::Kind::kBoolean;
    case jbvNumeric:
      return JsonValue::Kind::kNumber;
    case jbvString:
      return JsonValue::Kind::kText;
    default:
      return JsonValue::Kind::kNull;
  }
}

std::string_view output_of(Oid type, Datum value) {
  return call([&] {
    Oid output = InvalidOid;
    bool varlena = false;
    getTypeOutputInfo(type, &output, &varlena);
    return std::string_view(OidOutputFunctionCall(output, value));
  });
}

std::optional<Rejection> read_timestamp(const Column& column, Datum value, Field& field) {
  const TimestampTz time = DatumGetTimestampTz(value);
  // Infinity stays out of range.
  const std::int64_t micros = TIMESTAMP_NOT_FINITE(time) ? time : time + kPostgresEpoch;
  if (!read_time(column, micros, {}, field)) return std::nullopt;
  return read_time(column, micros, output_of(TIMESTAMPTZOID, value), field);
}

// An element that has the type of its column.
std::optional<Rejection> read_element(const Column& column, Datum value, Field& field) {
  JsonValue json;
  switch (column.type) {
    case ColumnType::kUuid:
      field.present = true;
      std::memcpy(field.uuid.bytes.data(), DatumGetUUIDP(value)->data, UUID_LEN);
      return std::nullopt;
    case ColumnType::kBoolean:
      field.present = true;
      field.boolean = DatumGetBool(value);
      return std::nullopt;
    case ColumnType::kDouble:
      return read_double(column, DatumGetFloat8(value), field);
    case ColumnType::kBigint:
    case ColumnType::kInteger:
      return read_bigint(column, DatumGetInt64(value), field);
    case ColumnType::kTime:
      return read_timestamp(column, value, field);
    case ColumnType::kText:
      json.kind = JsonValue::Kind::kText;
      json.text = text_view(value);
      return read_field(column, json, field);
    case ColumnType::kObject:
      json.container = json_container(value);
      json.kind = kind_of(static_cast<const JsonbContainer*>(json.container));
      return read_field(column, json, field);
  }
  return std::nullopt;
}

class ColumnBatch {
 public:
  ColumnBatch(FunctionCallInfo fcinfo, std::pmr::memory_resource* resource);

  int size() const { return size_; }
  std::optional<Rejection> read(int row, Row& fields) const;

  // The row as JSON, for vigil.rejected.
  std::string_view item(int row) const;

 private:
  void check(const ElementArray& array) const;

  std::optional<Uuid> module_;
  std::pmr::vector<ElementArray> arrays_;
  const ElementArray* longest_ = nullptr;
  int size_ = 0;
};

std::string quoted(EventColumn column) {
  return "\"" + std::string(event_columns()[at(column)].name) + "\"";
}

ColumnBatch::ColumnBatch(FunctionCallInfo fcinfo, std::pmr::memory_resource* resource)
    : arrays_(resource) {
  if (!PG_ARGISNULL(0)) {
    module_.emplace();
    std::memcpy(module_->bytes.data(), PG_GETARG_UUID_P(0)->data, UUID_LEN);
  }
  for (std::size_t i = 0; i < std::size(kArguments); ++i) {
    const auto argument = static_cast<int>(i) + 1;
    const EventColumn column = kArguments[i];
    const bool required =
        event_columns()[at(column)].required && !(column == EventColumn::kModuleId && module_);
    if (!PG_ARGISNULL(argument))
      arrays_.push_back(read_array(column, PG_GETARG_DATUM(argument)));
    else if (required)
      throw Error(Code::kNullValue, quoted(column) + " is missing");
  }
  // Whose event it is comes first: of a refused one that much is told.
  if (!arrays_.empty() && arrays_.back().column == EventColumn::kModuleId)
    std::rotate(arrays_.begin(), arrays_.end() - 1, arrays_.end());
  for (const ElementArray& array : arrays_)
    if (longest_ == nullptr || array.size > longest_->size) longest_ = &array;
  size_ = longest_->size;
  for (const ElementArray& array : arrays_) check(array);
  if (size_ > settings::max_batch_items)
    throw Error(Code::kLimitExceeded,
                "batch has " + std::to_string(size_) + " items, the limit is " +
                    std::to_string(settings::max_batch_items),
                {}, "Send smaller batches, or raise vigil.max_batch_items.");
}

void ColumnBatch::check(const ElementArray& array) const {
  if (array.dimensions > 1)
    throw Error(Code::kInvalidArgument, "array of " + quoted(array.column) + " has " +
                                            std::to_string(array.dimensions) +
                                            " dimensions, it must have one");
  if (array.size != size_ && array.size != 1)
    throw Error(Code::kInvalidArgument,
                "array of " + quoted(array.column) + " has " + std::to_string(array.size) +
                    " elements, that of " + quoted(longest_->column) + " has " +
                    std::to_string(size_),
                {},
                "Every array has an element for each event, one element for all of them, or is "
                "null.");
}

std::optional<Rejection> ColumnBatch::read(int row, Row& fields) const {
  const auto columns = event_columns();
  if (module_) {
    Field& module = fields[at(EventColumn::kModuleId)];
    module.present = true;
    module.uuid = *module_;
  }
  for (const ElementArray& array : arrays_) {
    const Datum* value = array.at(row);
    if (value == nullptr) continue;
    if (auto rejection = read_element(columns[at(array.column)], *value, fields[at(array.column)]))
      return rejection;
  }
  return std::nullopt;
}

std::string_view ColumnBatch::item(int row) const {
  return call([&] {
    StringInfoData text;
    initStringInfo(&text);
    const char* separator = "{";
    for (const ElementArray& array : arrays_) {
      const Datum* value = array.at(row);
      if (value == nullptr) continue;
      const Column& column = event_columns()[at(array.column)];
      Oid output = InvalidOid;
      bool varlena = false;
      getTypeOutputInfo(array.type, &output, &varlena);
      const char* written = OidOutputFunctionCall(output, *value);
      appendStringInfo(&text, "%s\"%.*s\": ", separator, static_cast<int>(column.name.size()),
                       column.name.data());
      const bool bare = column.type == ColumnType::kObject || column.type == ColumnType::kBigint;
      if (bare)
        appendStringInfoString(&text, written);
      else
        escape_json(&text, written);
      separator = ", ";
    }
    appendStringInfoString(&text, separator[0] == '{' ? "{}" : "}");
    return std::string_view(text.data, static_cast<std::size_t>(text.len));
  });
}

}  // namespace

extern "C" {

PG_FUNCTION_INFO_V1(vigil_track_columns);
Datum vigil_track_columns(PG_FUNCTION_ARGS) {
  const IngestCounts counts = entry([&] {
    const SpiConnection spi;
    Ingest ingest("track_columns");
    const ColumnBatch batch(fcinfo, ingest.resource());
    const auto columns = event_columns();
    for (int row = 0; row < batch.size(); ++row) {
      if (row % 1024 == 0) call([] { CHECK_FOR_INTERRUPTS(); });
      Row fields = ingest.new_event();
      auto rejection = batch.read(row, fields);
      std::optional<Uuid> module;
      if (const Field& field = fields[at(EventColumn::kModuleId)]; field.present)
        module = field.uuid;
      if (!rejection)
        rejection = ingest.finish_members(columns, fields, Ingest::Containers::kWhole);
      if (!rejection) rejection = ingest.add_event(std::move(fields));
      if (rejection) ingest.reject({row + 1, module, *rejection, batch.item(row)});
    }
    return ingest.finish();
  });
  return entry([&] { return ingest_result(fcinfo, counts); });
}
}
