// vigil.track_event, vigil.track_batch, vigil.track_error.
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

void check_batch(const JsonbContainer* array) {
  if (!JsonContainerIsArray(array) || JsonContainerIsScalar(array))
    throw Error(Code::kInvalidArgument, "argument of vigil.track_batch() must be a JSON array", {},
                "For a single event use vigil.track_event().");
  const std::uint32_t size = JsonContainerSize(array);
  if (size > static_cast<std::uint32_t>(settings::max_batch_items))
    throw Error(Code::kLimitExceeded,
                "batch has " + std::to_string(size) + " items, the limit is " +
                    std::to_string(settings::max_batch_items),
                {}, "Send smaller batches, or raise vigil.max_batch_items.");
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
    const JsonbContainer* array = json_container(PG_GETARG_DATUM(0));
    check_batch(array);
    int position = 0;
    for (const JsonValue& element : elements_of(array)) track_element(ingest, element, ++position);
    return ingest.finish();
  });
  return entry([&] { return ingest_result(fcinfo, counts); });
}
}
