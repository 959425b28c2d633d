// vigil.track_event, vigil.track_batch, vigil.track_error.
#include "core/gzip.hpp"
#include "core/json_object.hpp"
#include "pg/ingest.hpp"
#include "pg/settings.hpp"

using namespace vigil;
using namespace vigil::pg;

namespace {

Rejection not_an_object() { return {Code::kInvalidArgument, "the item is not a JSON object", {}}; }

std::optional<Rejection> track_event(Ingest& ingest, const void* object) {
  Row row = ingest.new_event();
  if (auto rejection = ingest.read_members(members_of(object), event_columns(), row,
                                           static_cast<int>(EventColumn::kMetadata)))
    return rejection;
  return ingest.add_event(std::move(row));
}

std::optional<Rejection> track_error(Ingest& ingest, const void* object) {
  Row row = ingest.new_error();
  if (auto rejection = ingest.read_members(members_of(object), error_columns(), row,
                                           static_cast<int>(ErrorColumn::kContext)))
    return rejection;
  return ingest.add_error(std::move(row));
}

// The tenant of a refused item, if that much could be read.
std::optional<Uuid> module_of(const void* object) {
  for (const std::string_view key : {"moduleId", "module_id"})
    if (const auto module = parse_uuid(text_member(object, key))) return module;
  return std::nullopt;
}

void track_element(Ingest& ingest, const JsonValue& element, int position) {
  const bool object = element.kind == JsonValue::Kind::kObject;
  const auto rejection = object ? track_event(ingest, element.container) : not_an_object();
  if (!rejection) return;
  const bool whole = object || element.kind == JsonValue::Kind::kArray;
  ingest.reject({position, object ? module_of(element.container) : std::nullopt, *rejection,
                 whole ? json_text(element.container) : element.text});
}

using TrackOne = std::optional<Rejection> (*)(Ingest&, const void*);

// A single item is either stored or an error.
Datum track_single(FunctionCallInfo fcinfo, const char* source, TrackOne track) {
  const IngestCounts counts = entry([&] {
    const SpiConnection spi;
    Ingest ingest(source);
    const JsonbContainer* object = json_container(PG_GETARG_DATUM(0));
    if (!JsonContainerIsObject(object))
      throw Error(Code::kInvalidArgument,
                  "argument of vigil." + std::string(source) + "() must be a JSON object", {},
                  "For an array of events use vigil.track_batch().");
    if (const auto rejection = track(ingest, object)) refuse(*rejection);
    return ingest.finish();
  });
  return entry([&] { return ingest_result(fcinfo, counts); });
}

void check_count(std::size_t size) {
  if (size > static_cast<std::size_t>(settings::max_batch_items))
    throw Error(Code::kLimitExceeded,
                "batch has " + std::to_string(size) + " items, the limit is " +
                    std::to_string(settings::max_batch_items),
                {}, "Send smaller batches, or raise vigil.max_batch_items.");
}

[[noreturn]] void refuse_no_array() {
  throw Error(Code::kInvalidArgument, "argument of vigil.track_batch() must be a JSON array", {},
              "For a single event use vigil.track_event().");
}

void track_jsonb(Ingest& ingest, const JsonbContainer* array) {
  if (!JsonContainerIsArray(array) || JsonContainerIsScalar(array)) refuse_no_array();
  check_count(JsonContainerSize(array));
  int position = 0;
  for (const JsonValue& element : elements_of(array)) track_element(ingest, element, ++position);
}

// Texts of JSON as jsonb would hold them: numbers without exponent and ended by NUL, objects and
// arrays as jsonb.
JsonValue jsonb_value(Ingest& ingest, JsonValue value) {
  if (value.kind == JsonValue::Kind::kObject || value.kind == JsonValue::Kind::kArray) {
    value.container = parse_json(value.text);
  } else if (value.kind == JsonValue::Kind::kNumber) {
    value.text = ingest.texts().keep(value.text);
    const bool plain =
        value.text.find_first_of("eE") == value.text.npos && !value.text.starts_with("-0");
    if (!plain)
      value.text = call([&] {
        const Datum number = DirectFunctionCall3(numeric_in, CStringGetDatum(value.text.data()),
                                                 ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1));
        return std::string_view(DatumGetCString(DirectFunctionCall1(numeric_out, number)));
      });
  }
  return value;
}

// The items of a text, one after the other.
class TextItems {
 public:
  explicit TextItems(Ingest& ingest) : ingest_(ingest) {}

  // `module` is the tenant of the item if it could be read.
  std::optional<Rejection> track(std::string_view item, std::optional<Uuid>& module);

 private:
  Ingest& ingest_;
  std::pmr::vector<JsonMember> read_{ingest_.resource()};
  std::pmr::vector<Member> members_{ingest_.resource()};
};

std::optional<Rejection> TextItems::track(std::string_view item, std::optional<Uuid>& module) {
  if (const auto fault = check_json(item))
    return Rejection{Code::kInvalidJson,
                     std::string("the item is no JSON: ") + fault->reason + ", at byte " +
                         std::to_string(fault->offset + 1),
                     {}};
  if (item.front() != '{') return not_an_object();
  read_json_object(item, ingest_.texts().resource(), read_);
  members_.clear();
  for (const auto& [key, value] : read_) {
    members_.push_back({key, jsonb_value(ingest_, value)});
    if (key == "moduleId" || (key == "module_id" && !module)) module = parse_uuid(value.text);
  }
  Row row = ingest_.new_event();
  if (auto rejection = ingest_.read_members(members_, event_columns(), row,
                                            static_cast<int>(EventColumn::kMetadata),
                                            Ingest::Containers::kWhole))
    return rejection;
  return ingest_.add_event(std::move(row));
}

// Text goes item by item, so that one that is no JSON is refused alone.
void track_text(Ingest& ingest, std::string_view text) {
  std::pmr::string repaired(ingest.resource());
  if (repair_json(text, repaired)) text = ingest.texts().keep(repaired);
  const JsonElements batch = split_json_array(text, ingest.resource());
  if (!batch.is_array) refuse_no_array();
  check_count(batch.items.size());
  TextItems items(ingest);
  int position = 0;
  bool refused = false;
  for (const std::string_view item : batch.items) {
    if (++position % 1024 == 0) call([] { CHECK_FOR_INTERRUPTS(); });
    std::optional<Uuid> module;
    const auto rejection = items.track(item, module);
    refused = rejection.has_value();
    if (refused) ingest.reject({position, module, *rejection, item});
  }
  // An item that was cut off has told so itself.
  if (batch.fault && !(refused && batch.fault->offset == text.size()))
    ingest.reject(
        {position + 1,
         std::nullopt,
         {Code::kInvalidJson, std::string("the batch is no JSON: ") + batch.fault->reason, {}},
         text.substr(batch.fault->offset)});
}

// A compressed body that is cut or damaged still gives what could be inflated.
std::string_view inflated(Ingest& ingest, std::span<const std::uint8_t> body) {
  constexpr std::size_t kLargest = 100 * 1024 * 1024;
  if (!is_gzip(body)) return {reinterpret_cast<const char*>(body.data()), body.size()};
  auto* out = new (allocate(sizeof(Bytes))) Bytes(ingest.resource());
  const InflateResult result = inflate_gzip(body, kLargest, *out);
  const Code code =
      result.status == InflateStatus::kTooLarge ? Code::kLimitExceeded : Code::kInvalidBinary;
  if (result.status != InflateStatus::kOk)
    ingest.reject({0, std::nullopt, {code, "compressed body: " + result.reason, {}}, {}});
  return {reinterpret_cast<const char*>(out->data()), out->size()};
}

}  // namespace

extern "C" {

PG_FUNCTION_INFO_V1(vigil_track_event);
Datum vigil_track_event(PG_FUNCTION_ARGS) {
  return track_single(fcinfo, "track_event", track_event);
}

PG_FUNCTION_INFO_V1(vigil_track_error);
Datum vigil_track_error(PG_FUNCTION_ARGS) {
  return track_single(fcinfo, "track_error", track_error);
}

PG_FUNCTION_INFO_V1(vigil_track_batch);
Datum vigil_track_batch(PG_FUNCTION_ARGS) {
  const IngestCounts counts = entry([&] {
    const SpiConnection spi;
    Ingest ingest("track_batch");
    track_jsonb(ingest, json_container(PG_GETARG_DATUM(0)));
    return ingest.finish();
  });
  return entry([&] { return ingest_result(fcinfo, counts); });
}

// track_batch(events text)
PG_FUNCTION_INFO_V1(vigil_track_batch_text);
Datum vigil_track_batch_text(PG_FUNCTION_ARGS) {
  const IngestCounts counts = entry([&] {
    const SpiConnection spi;
    Ingest ingest("track_batch");
    const std::string_view text = text_view(PG_GETARG_DATUM(0));
    if (GetDatabaseEncoding() == PG_UTF8)
      track_text(ingest, text);
    else
      track_jsonb(ingest, parse_json(text));
    return ingest.finish();
  });
  return entry([&] { return ingest_result(fcinfo, counts); });
}

// track_batch(events bytea): UTF-8, plain or gzip
PG_FUNCTION_INFO_V1(vigil_track_batch_bytes);
Datum vigil_track_batch_bytes(PG_FUNCTION_ARGS) {
  const IngestCounts counts = entry([&] {
    const SpiConnection spi;
    Ingest ingest("track_batch");
    if (GetDatabaseEncoding() != PG_UTF8)
      throw Error(Code::kFeatureNotSupported,
                  "vigil.track_batch(bytea) needs a database in encoding UTF8", {},
                  "Use vigil.track_batch(jsonb).");
    track_text(ingest, inflated(ingest, byte_view(PG_GETARG_DATUM(0))));
    return ingest.finish();
  });
  return entry([&] { return ingest_result(fcinfo, counts); });
}
}
