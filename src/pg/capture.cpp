#include "pg/capture.hpp"

namespace vigil::pg {

namespace {

// errcodes.txt of the server, in memory that lives as long as the backend; empty if there is none.
std::string_view read_errcodes() {
  return call([] {
    char path[MAXPGPATH];
    get_share_path(my_exec_path, path);
    strlcat(path, "/errcodes.txt", sizeof path);
    std::string_view text;
    if (FILE* file = AllocateFile(path, PG_BINARY_R)) {
      constexpr std::size_t kLongest = 1024 * 1024;  // PostgreSQL 18's has 35 kB
      auto* bytes = static_cast<char*>(MemoryContextAlloc(TopMemoryContext, kLongest));
      text = {bytes, fread(bytes, 1, kLongest, file)};
      FreeFile(file);
      if (text.empty()) {
        pfree(bytes);
      } else {
        bytes = static_cast<char*>(repalloc(bytes, text.size()));
        text = {bytes, text.size()};
      }
    }
    return text;
  });
}

std::string_view condition_name(std::string_view sqlstate) {
  static ContextResource* resource = new ContextResource(TopMemoryContext);
  static const ConditionNames* names = new ConditionNames(read_errcodes(), resource);
  return names->find(sqlstate);
}

Uuid server_module() {
  static Statement select{"SELECT vigil.use_server_module()"};
  select.run({}, {});
  return call([] {
    bool null = false;
    Uuid uuid;
    const Datum value = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &null);
    std::memcpy(uuid.bytes.data(), DatumGetUUIDP(value)->data, UUID_LEN);
    return uuid;
  });
}

// A text of the queue may be cut within a character, and messages of PostgreSQL may quote bytes
// that are none.
std::string_view readable(Texts& texts, std::string_view text) {
  if (pg_verify_mbstr(GetDatabaseEncoding(), text.data(), static_cast<int>(text.size()), true))
    return text;
  std::string copy(text);
  for (char& c : copy)
    if (static_cast<signed char>(c) <= 0) c = '?';
  return texts.keep(copy);
}

struct Named {
  const char* name;
  ErrorText text;
};

constexpr Named kTagTexts[] = {{"application", ErrorText::kApplication},
                               {"command", ErrorText::kCommand}};

constexpr Named kContextTexts[] = {
    {"detail", ErrorText::kDetail},         {"hint", ErrorText::kHint},
    {"statement", ErrorText::kStatement},   {"schema", ErrorText::kSchema},
    {"table", ErrorText::kTable},           {"column", ErrorText::kColumn},
    {"constraint", ErrorText::kConstraint}, {"datatype", ErrorText::kDatatype},
    {"backend", ErrorText::kBackend},       {"routine", ErrorText::kRoutine}};

// A name that may be gone by now.
void add_name(JsonObject& object, std::string_view key, const char* name) {
  if (name != nullptr) object.add_text(key, name);
}

// What the reporter added wins over what we found.
void add_members(JsonObject& object, std::string_view jsonb) {
  if (jsonb.empty()) return;
  for (const Member& member : members_of(jsonb.data())) object.add(member.key, member.value);
}

std::optional<Rejection> set_object(Field& field, std::string_view column, JsonObject& object) {
  const void* container = json_container(object.finish());
  if (auto rejection = check_size(column, container)) return rejection;
  set_json(field, scrubbed_json(container));
  return std::nullopt;
}

std::string_view stack_of(Texts& texts, const ServerError& error) {
  const std::string_view context = readable(texts, error[ErrorText::kContext]);
  if (error.whole_context) return context;
  std::pmr::string frames;
  frames_of_context(context, frames);
  return texts.keep(frames);
}

bool is_blank(std::string_view text) {
  return text.find_first_not_of(" \t\r\n") == std::string_view::npos;
}

std::optional<Rejection> add_server_error(Ingest& ingest, const ServerError& error,
                                          const Uuid& module) {
  using enum ErrorColumn;
  Texts& texts = ingest.texts();
  const auto text = [&](ErrorText which) { return readable(texts, error[which]); };
  const std::string_view sqlstate(error.sqlstate.data(), error.sqlstate.size());
  const std::string_view name = texts.keep(condition_name(sqlstate));
  Row row = ingest.new_error();

  row[at(kModuleId)].present = true;
  row[at(kModuleId)].uuid = module;
  row[at(kCreatedAt)].present = true;
  row[at(kCreatedAt)].integer = error.at;
  row[at(kHandled)].present = true;
  row[at(kHandled)].boolean = error.handled;
  set_text(row[at(kType)], "database");
  set_text(row[at(kName)], name);
  const std::string_view message = text(ErrorText::kMessage);
  set_text(row[at(kMessage)], is_blank(message) ? name : message);
  set_text(row[at(kPlatform)], "postgresql");
  if (const auto stack = stack_of(texts, error); !stack.empty()) set_text(row[at(kStack)], stack);
  if (const auto level = text(ErrorText::kLevel); !level.empty()) set_text(row[at(kLevel)], level);
  if (const auto session = text(ErrorText::kSession); !session.empty())
    set_text(row[at(kSessionId)], session);

  JsonObject tags;
  tags.add_text("sqlstate", sqlstate);
  for (const Named& tag : kTagTexts)
    if (const auto value = text(tag.text); !value.empty()) tags.add_text(tag.name, value);
  add_name(tags, "database", call([] { return get_database_name(MyDatabaseId); }));
  add_name(tags, "role", call([&] { return GetUserNameFromId(error.role, true); }));
  add_members(tags, error[ErrorText::kTags]);
  if (auto rejection = set_object(row[at(kTags)], "tags", tags)) return rejection;

  JsonObject context;
  for (const Named& part : kContextTexts)
    if (const auto value = text(part.text); !value.empty()) context.add_text(part.name, value);
  if (error.query_id != 0)
    context.add_text("query_id", std::to_string(static_cast<std::int64_t>(error.query_id)));
  add_members(context, error[ErrorText::kExtra]);
  if (auto rejection = set_object(row[at(kContext)], "context", context)) return rejection;
  return ingest.add_error(std::move(row));
}

std::optional<Rejection> add_queued_event(Ingest& ingest, std::string_view bytes) {
  using enum EventColumn;
  std::int64_t at_call = 0;
  std::memcpy(&at_call, bytes.data(), sizeof at_call);
  const void* object = bytes.data() + sizeof at_call;
  Row row = ingest.new_event();
  if (auto rejection = ingest.read_members(members_of(object), event_columns(), row, at(kMetadata)))
    return rejection;
  // An event without a time of its own happened when it was handed over, not when it is stored.
  Field& time = row[at(kCreatedAt)];
  if (!time.present && row[at(kMetadata)].present)
    (void)read_field(
        event_columns()[at(kCreatedAt)],
        member(json_container(PointerGetDatum(row[at(kMetadata)].container)), "timestamp"), time);
  if (!time.present) {
    time.present = true;
    time.integer = at_call;
  }
  return ingest.add_event(std::move(row));
}

std::optional<Uuid> module_of(const void* object) {
  for (const std::string_view key : {"moduleId", "module_id"})
    if (const auto module = parse_uuid(text_member(object, key))) return module;
  return std::nullopt;
}

bool is_zero(const Uuid& uuid) { return uuid == Uuid{}; }

// The module that the error names, or the server's.
class ModuleOf {
 public:
  Uuid operator()(const ServerError& error) {
    const Uuid own{error.module};
    if (!is_zero(own)) return own;
    if (is_zero(server_)) server_ = server_module();
    return server_;
  }

 private:
  Uuid server_;
};

}  // namespace

IngestCounts store_queued(std::span<const RecordQueue::Record> records) {
  const SpiConnection spi;
  Ingest ingest("track_async");
  ModuleOf module;
  int position = 0;
  for (const RecordQueue::Record& record : records) {
    const std::string_view bytes(record.bytes.data(), record.bytes.size());
    ++position;
    if (record.kind == static_cast<std::uint32_t>(QueuedKind::kEvent)) {
      if (auto rejection = add_queued_event(ingest, bytes)) {
        const void* object = bytes.data() + sizeof(std::int64_t);
        ingest.reject({position, module_of(object), *rejection, json_text(object)});
      }
      continue;
    }
    ServerError error;
    if (!unpack(bytes, error)) throw Error(Code::kInternal, "a record of the queue is malformed");
    const Uuid tenant = module(error);
    if (auto rejection = add_server_error(ingest, error, tenant))
      ingest.reject({position, tenant, *rejection, error[ErrorText::kMessage]});
  }
  return ingest.finish();
}

IngestCounts store_error(const ServerError& error, const char* source) {
  const SpiConnection spi;
  Ingest ingest(source);
  ModuleOf module;
  if (const auto rejection = add_server_error(ingest, error, module(error))) refuse(*rejection);
  return ingest.finish();
}

}  // namespace vigil::pg

extern "C" {

PG_FUNCTION_INFO_V1(vigil_condition_name);
Datum vigil_condition_name(PG_FUNCTION_ARGS) {
  using namespace vigil::pg;
  return entry([&] { return text_datum(condition_name(text_view(PG_GETARG_DATUM(0)))); });
}
}
