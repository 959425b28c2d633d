// vigil.capture_sentry: Sentry envelopes (https://develop.sentry.dev/sdk/data-model/envelopes/).
// An event item becomes an error; transactions, spans, sessions, logs, metrics, check-ins, feedback
// and client reports become events.
#include "core/digest.hpp"
#include "core/envelope.hpp"
#include "core/gzip.hpp"
#include "core/json_text.hpp"
#include "core/utf8.hpp"
#include "core/weight.hpp"
#include "pg/ingest.hpp"

using namespace vigil;
using namespace vigil::pg;

namespace {

// A member of members, for example contexts, trace, trace_id.
JsonValue deep_member(const void* object, std::initializer_list<std::string_view> path) {
  JsonValue value;
  value.container = object;
  for (const std::string_view key : path) value = member(value.container, key);
  return value;
}

std::string_view deep_text(const void* object, std::initializer_list<std::string_view> path) {
  const JsonValue value = deep_member(object, path);
  return value.kind == JsonValue::Kind::kText || value.kind == JsonValue::Kind::kNumber
             ? value.text
             : std::string_view();
}

std::string_view first_of(std::initializer_list<std::string_view> texts) {
  for (const std::string_view text : texts)
    if (!text.empty()) return text;
  return {};
}

void put_text(Field& field, std::string_view text) {
  if (!text.empty()) set_text(field, text);
}

// A value that does not fit its column is left out: a report is worth more than one of its fields.
void put(std::span<const Column> columns, Row& row, std::size_t column, const JsonValue& value) {
  (void)read_field(columns[column], value, row[column]);
}

void put_number(Field& field, double number) {
  field.present = true;
  field.number = number;
}

// The first that is a rate counts.
void put_weight(Field& weight, std::initializer_list<JsonValue> sample_rates) {
  for (const JsonValue& sample_rate : sample_rates) {
    Field rate;
    if (read_field({"sample_rate", ColumnType::kDouble}, sample_rate, rate) || !rate.present)
      continue;
    const auto found = weight_at(rate.number);
    if (!found) continue;
    if (*found > 1) put_number(weight, *found);
    return;
  }
}

std::span<const JsonValue> list_of(const JsonValue& value) {
  return value.kind == JsonValue::Kind::kArray ? elements_of(value.container)
                                               : std::span<const JsonValue>();
}

std::span<const JsonValue> frames_of(const void* exception) {
  return list_of(deep_member(exception, {"stacktrace", "frames"}));
}

// The id of one element of an item that has none of its own: by its bytes, so that a repeated
// envelope counts once.
std::string element_id(std::string_view item, int index) {
  return "sha256:" + to_hex(sha256(item)).substr(0, 32) + ":" + std::to_string(index);
}

class SentryReader {
 public:
  SentryReader(Ingest& ingest, const Uuid& module) : ingest_(ingest), module_(module) {}

  void read(std::string_view text);
  void refuse(Rejection&& rejection, std::string_view bytes);

 private:
  struct ItemReader {
    std::string_view type;
    void (SentryReader::*read)(const void*);
  };
  static const ItemReader kItemReaders[];

  void read_item(const EnvelopeItem& item);
  std::optional<const void*> parse_payload(const EnvelopeItem& item);

  void read_error(const void* event);
  void read_transaction(const void* event);
  void read_span(const void* span);
  void read_spans(const void* source, const Field& weight);
  void read_session(const void* session);
  void read_sessions(const void* sessions);
  void read_log(const void* log);
  void read_metric(const void* metric);
  void read_check_in(const void* check_in);
  void read_feedback(const void* feedback);
  void read_client_report(const void* report);

  template <typename Read>
  void each_item(const void* container, std::string_view list, Read&& read);

  JsonValue header_rate() const;
  Row event_row(std::string_view type, std::string_view name, const JsonValue& time,
                const void* payload);
  void put_release(const void* event, Field& version);
  void put_error_texts(const void* event, Row& row);
  void put_error_place(const void* frame, Row& row);
  void put_error_circumstances(const void* event, Row& row);
  Datum error_context(const void* event);
  std::string_view error_stack(std::span<const JsonValue> exceptions);
  void add_event(Row&& row, std::string_view id);

  Ingest& ingest_;
  const Uuid& module_;
  int position_ = 0;
  std::string_view item_;  // bytes of the item being read
  std::string_view envelope_id_;
  std::string_view sample_rate_;  // of the envelope's trace
};

const SentryReader::ItemReader SentryReader::kItemReaders[] = {
    {"event", &SentryReader::read_error},
    {"transaction", &SentryReader::read_transaction},
    {"span", &SentryReader::read_span},
    {"session", &SentryReader::read_session},
    {"sessions", &SentryReader::read_sessions},
    {"log", &SentryReader::read_log},
    {"trace_metric", &SentryReader::read_metric},
    {"check_in", &SentryReader::read_check_in},
    {"feedback", &SentryReader::read_feedback},
    {"client_report", &SentryReader::read_client_report},
};

void SentryReader::refuse(Rejection&& rejection, std::string_view bytes) {
  std::pmr::string repaired(ingest_.resource());
  repair_utf8(bytes, repaired);
  ingest_.reject({position_, module_, std::move(rejection), ingest_.texts().keep(repaired)});
}

void SentryReader::read(std::string_view text) {
  const Envelope envelope = split_envelope(text, ingest_.resource());
  envelope_id_ = envelope.event_id;
  sample_rate_ = envelope.sample_rate;
  for (const EnvelopeItem& item : envelope.items) {
    ++position_;
    read_item(item);
  }
  for (const EnvelopeFault& fault : envelope.faults) {
    ++position_;
    refuse({Code::kInvalidJson,
            "envelope cannot be read at byte " + std::to_string(fault.offset) + ": " + fault.reason,
            {}},
           fault.bytes);
  }
}

// Payloads are repaired first: clients send what jsonb refuses (escaped NUL, lone surrogates).
std::optional<const void*> SentryReader::parse_payload(const EnvelopeItem& item) {
  auto* repaired = new (allocate(sizeof(std::pmr::string))) std::pmr::string(ingest_.resource());
  std::string_view text = item.payload;
  if (repair_json(text, *repaired)) text = *repaired;
  if (const auto fault = check_json(text)) {
    refuse({Code::kInvalidJson,
            std::string(item.truncated ? "truncated JSON" : "invalid JSON") +
                " in item of type \"" + std::string(item.type.substr(0, 100)) + "\" at byte " +
                std::to_string(fault->offset) + ": " + fault->reason,
            {}},
           item.payload);
    return std::nullopt;
  }
  const JsonbContainer* container = parse_json(text);
  if (JsonContainerIsObject(container)) return container;
  refuse({Code::kInvalidArgument, "payload of the item is not a JSON object", {}}, item.payload);
  return std::nullopt;
}

void SentryReader::read_item(const EnvelopeItem& item) {
  const auto* reader =
      std::find_if(std::begin(kItemReaders), std::end(kItemReaders),
                   [&](const ItemReader& known) { return known.type == item.type; });
  if (reader == std::end(kItemReaders)) {
    std::pmr::string type(ingest_.resource());
    repair_utf8(item.type.substr(0, 100), type);
    return refuse(
        {Code::kFeatureNotSupported, "item type \"" + std::string(type) + "\" is not supported",
         "Supported are event, transaction, span, session, sessions, log, trace_metric, "
         "check_in, feedback and client_report."},
        item.payload);
  }
  const auto payload = parse_payload(item);
  if (!payload) return;
  item_ = item.payload;
  (this->*reader->read)(*payload);
}

// Version 2 payloads hold a list of items; a single object is its own list.
template <typename Read>
void SentryReader::each_item(const void* container, std::string_view list, Read&& read) {
  const JsonValue items = member(container, list);
  if (items.kind != JsonValue::Kind::kArray) return read(container, 0);
  int index = 0;
  for (const JsonValue& item : elements_of(items.container))
    if (item.kind == JsonValue::Kind::kObject) read(item.container, index++);
}

void SentryReader::put_release(const void* event, Field& version) {
  const std::string_view release =
      first_of({text_member(event, "release"), deep_text(event, {"attrs", "release"}),
                deep_text(event, {"attributes", "sentry.release", "value"})});
  if (!release.empty()) ingest_.set_release(module_, release, version);
}

JsonValue SentryReader::header_rate() const {
  JsonValue rate;
  rate.kind = JsonValue::Kind::kText;
  rate.text = sample_rate_;
  return rate;
}

Row SentryReader::event_row(std::string_view type, std::string_view name, const JsonValue& time,
                            const void* payload) {
  using enum EventColumn;
  Row row = ingest_.new_event();
  row[at(kModuleId)].present = true;
  row[at(kModuleId)].uuid = module_;
  set_text(row[at(kType)], type);
  set_text(row[at(kName)], name.empty() ? type : name);
  put(event_columns(), row, at(kCreatedAt), time);
  put_release(payload, row[at(kVersionId)]);
  put_text(
      row[at(kEnvironment)],
      first_of({text_member(payload, "environment"), deep_text(payload, {"attrs", "environment"}),
                deep_text(payload, {"attributes", "sentry.environment", "value"})}));
  put_text(row[at(kTraceId)], first_of({text_member(payload, "trace_id"),
                                        deep_text(payload, {"contexts", "trace", "trace_id"})}));
  return row;
}

void SentryReader::add_event(Row&& row, std::string_view id) {
  set_text(row[at(EventColumn::kExternalId)], ingest_.texts().keep(id));
  (void)ingest_.add_event(std::move(row));
}

void SentryReader::put_error_texts(const void* event, Row& row) {
  using enum ErrorColumn;
  const std::string_view platform = text_member(event, "platform");
  const bool javascript = platform == "javascript" || platform == "node" || platform.empty();
  set_text(row[at(kType)], javascript ? "javascript" : platform);
  put_text(row[at(kPlatform)], platform);

  const JsonValue exception = member(event, "exception");
  JsonValue list = member(exception.container, "values");
  if (exception.kind == JsonValue::Kind::kArray) list = exception;
  std::span<const JsonValue> exceptions;
  if (list.kind == JsonValue::Kind::kArray)
    exceptions = elements_of(list.container);
  else if (exception.kind == JsonValue::Kind::kObject)
    exceptions = {&exception, 1};
  // Oldest cause first: the last one is what was thrown.
  const void* thrown = exceptions.empty() ? nullptr : exceptions.back().container;
  const std::string_view message = first_of(
      {text_member(event, "message"), deep_text(event, {"message", "formatted"}),
       deep_text(event, {"logentry", "formatted"}), deep_text(event, {"logentry", "message"})});
  set_text(row[at(kName)], first_of({text_member(thrown, "type"), "Message"}));
  set_text(row[at(kMessage)], first_of({text_member(thrown, "value"), message, "(no message)"}));
  const std::string_view stack = error_stack(exceptions);
  put_text(row[at(kStack)], stack);
  put(error_columns(), row, at(kHandled), deep_member(thrown, {"mechanism", "handled"}));
  const auto frames = frames_of(thrown);
  if (!frames.empty()) put_error_place(frames.back().container, row);
}

// A stack in V8's form, throw site first; the causes follow. It has no header line, so a message
// that varies does not change it.
std::string_view SentryReader::error_stack(std::span<const JsonValue> exceptions) {
  std::pmr::string stack(ingest_.resource());
  for (std::size_t i = exceptions.size(); i-- > 0;) {
    const auto frames = frames_of(exceptions[i].container);
    if (i + 1 < exceptions.size())
      stack.append("Caused by: ").append(text_member(exceptions[i].container, "type")).append("\n");
    for (std::size_t j = frames.size(); j-- > 0;) {
      const void* frame = frames[j].container;
      const std::string_view file =
          first_of({text_member(frame, "filename"), text_member(frame, "abs_path"), "<anonymous>"});
      stack.append("    at ").append(first_of({text_member(frame, "function"), "?"}));
      stack.append(" (").append(file);
      for (const std::string_view key : {"lineno", "colno"})
        if (const auto number = text_member(frame, key); !number.empty())
          stack.append(":").append(number);
      stack.append(")\n");
    }
  }
  return ingest_.texts().keep(stack);
}

void SentryReader::put_error_place(const void* frame, Row& row) {
  using enum ErrorColumn;
  put_text(row[at(kFilePath)],
           first_of({text_member(frame, "filename"), text_member(frame, "abs_path")}));
  put(error_columns(), row, at(kLine), member(frame, "lineno"));
  put(error_columns(), row, at(kColumn), member(frame, "colno"));
}

void SentryReader::put_error_circumstances(const void* event, Row& row) {
  using enum ErrorColumn;
  const auto columns = error_columns();
  put(columns, row, at(kCreatedAt), member(event, "timestamp"));
  put(columns, row, at(kLevel), member(event, "level"));
  put(columns, row, at(kEnvironment), member(event, "environment"));
  put(columns, row, at(kPagePath), deep_member(event, {"request", "url"}));
  put(columns, row, at(kUserAgent), deep_member(event, {"request", "headers", "User-Agent"}));
  put(columns, row, at(kIpHash), deep_member(event, {"user", "ip_address"}));
  put(columns, row, at(kUserKey), deep_member(event, {"user", "id"}));
  put(columns, row, at(kBrowser), deep_member(event, {"contexts", "browser", "name"}));
  put(columns, row, at(kBrowserVersion), deep_member(event, {"contexts", "browser", "version"}));
  put(columns, row, at(kOs), deep_member(event, {"contexts", "os", "name"}));
  put(columns, row, at(kTraceId), deep_member(event, {"contexts", "trace", "trace_id"}));
  put_release(event, row[at(kVersionId)]);
  const JsonValue tags = member(event, "tags");
  if (tags.kind == JsonValue::Kind::kObject)
    set_json(row[at(kTags)], scrubbed_json(tags.container));
  set_json(row[at(kContext)], error_context(event));
}

// What helps to understand the error, without who the user is. Pieces too large are left out, the
// least useful first.
Datum SentryReader::error_context(const void* event) {
  static constexpr std::string_view kPieces[] = {"transaction", "server_name", "contexts",
                                                 "exception",   "extra",       "breadcrumbs"};
  for (std::size_t pieces = std::size(kPieces);; --pieces) {
    JsonObject context;
    for (std::size_t i = 0; i < pieces; ++i) context.add(kPieces[i], member(event, kPieces[i]));
    context.add_text("method", deep_text(event, {"request", "method"}));
    const void* built = json_container(context.finish());
    if (pieces == 0 || !check_size("context", built)) return scrubbed_json(built);
  }
}

void SentryReader::read_error(const void* event) {
  using enum ErrorColumn;
  Row row = ingest_.new_error();
  row[at(kModuleId)].present = true;
  row[at(kModuleId)].uuid = module_;
  put_error_texts(event, row);
  put_error_circumstances(event, row);
  put_text(row[at(kExternalId)], first_of({text_member(event, "event_id"), envelope_id_}));
  std::pmr::vector<std::string_view> parts(ingest_.resource());
  for (const JsonValue& part : list_of(member(event, "fingerprint"))) parts.push_back(part.text);
  (void)ingest_.add_error(std::move(row), parts);
}

// Seconds of a pair of times, as milliseconds.
void put_duration(Field& field, const JsonValue& start, const JsonValue& end) {
  Field first;
  Field last;
  const Column time{"created_at", ColumnType::kTime};
  if (read_field(time, start, first) || read_field(time, end, last)) return;
  if (first.present && last.present && last.integer >= first.integer)
    put_number(field, static_cast<double>(last.integer - first.integer) / 1000.0);
}

void put_outcome(Row& row, std::string_view status) {
  using enum EventColumn;
  put_text(row[at(kStatus)], status);
  if (status.empty()) return;
  row[at(kSuccess)].present = true;
  row[at(kSuccess)].boolean = status == "ok";
}

void SentryReader::read_transaction(const void* event) {
  using enum EventColumn;
  const std::string_view name = text_member(event, "transaction");
  Row row = event_row("transaction", name, member(event, "timestamp"), event);
  set_text(row[at(kSubject)], name);
  put_duration(row[at(kDuration)], member(event, "start_timestamp"), member(event, "timestamp"));
  put_outcome(row, deep_text(event, {"contexts", "trace", "status"}));
  put(event_columns(), row, at(kPagePath), deep_member(event, {"request", "url"}));
  const JsonValue trace = deep_member(event, {"contexts", "trace"});
  put_weight(row[at(kWeight)], {header_rate(), member(trace.container, "client_sample_rate"),
                                deep_member(trace.container, {"data", "sentry.sample_rate"})});
  const Field weight = row[at(kWeight)];
  JsonObject payload;
  payload.add("trace", trace);
  payload.add("measurements", member(event, "measurements"));
  set_json(row[at(kPayload)], scrubbed_json(json_container(payload.finish())));
  add_event(std::move(row), first_of({text_member(event, "event_id"), envelope_id_}));
  for (const JsonValue& span : list_of(member(event, "spans")))
    if (span.kind == JsonValue::Kind::kObject) read_spans(span.container, weight);
}

void SentryReader::read_span(const void* source) {
  Field weight;
  put_weight(weight, {header_rate()});
  read_spans(source, weight);
}

// `weight` is that of the trace.
void SentryReader::read_spans(const void* source, const Field& weight) {
  using enum EventColumn;
  each_item(source, "items", [&](const void* span, int) {
    const std::string_view name =
        first_of({text_member(span, "description"), text_member(span, "name")});
    JsonValue end = member(span, "end_timestamp");
    if (end.kind == JsonValue::Kind::kNull) end = member(span, "timestamp");
    Row row = event_row("span", name, end, span);
    set_text(row[at(kSubject)], first_of({text_member(span, "op"),
                                          deep_text(span, {"attributes", "sentry.op", "value"})}));
    put_duration(row[at(kDuration)], member(span, "start_timestamp"), end);
    put_outcome(row, text_member(span, "status"));
    row[at(kWeight)] = weight;
    set_json(row[at(kPayload)], scrubbed_json(span));
    std::string id("span:");
    id.append(text_member(span, "trace_id")).append(":").append(text_member(span, "span_id"));
    add_event(std::move(row), id);
  });
}

void SentryReader::read_session(const void* session) {
  using enum EventColumn;
  const std::string_view status = text_member(session, "status");
  Row row = event_row("session", status, member(session, "timestamp"), session);
  put_text(row[at(kStatus)], status);
  put(event_columns(), row, at(kSessionId), member(session, "sid"));
  put(event_columns(), row, at(kUserKey), member(session, "did"));
  put(event_columns(), row, at(kUserAgent), deep_member(session, {"attrs", "user_agent"}));
  Field seconds;
  if (!read_field({"duration", ColumnType::kDouble}, member(session, "duration"), seconds) &&
      seconds.present && seconds.number >= 0)
    put_number(row[at(kDuration)], seconds.number * 1000);
  JsonObject payload;
  payload.add("init", member(session, "init"));
  payload.add("errors", member(session, "errors"));
  set_json(row[at(kPayload)], payload.finish());
  add_event(std::move(row), element_id(item_, 0));
}

// Counts of sessions by outcome, a row for each.
void SentryReader::read_sessions(const void* sessions) {
  using enum EventColumn;
  int index = 0;
  for (const JsonValue& group : list_of(member(sessions, "aggregates"))) {
    for (const std::string_view status :
         {"exited", "errored", "crashed", "abnormal", "unhandled"}) {
      const JsonValue count = member(group.container, status);
      if (count.kind != JsonValue::Kind::kNumber || count.number <= 0) continue;
      Row row = event_row("session", status, member(group.container, "started"), sessions);
      put_text(row[at(kStatus)], status);
      put_number(row[at(kValue)], count.number);
      set_text(row[at(kUnit)], "count");
      add_event(std::move(row), element_id(item_, index) + ":" + std::string(status));
    }
    ++index;
  }
}

void SentryReader::read_log(const void* source) {
  using enum EventColumn;
  each_item(source, "items", [&](const void* log, int index) {
    Row row = event_row("log", text_member(log, "level"), member(log, "timestamp"), log);
    set_json(row[at(kPayload)], scrubbed_json(log));
    add_event(std::move(row), element_id(item_, index));
  });
}

void SentryReader::read_metric(const void* source) {
  using enum EventColumn;
  each_item(source, "items", [&](const void* metric, int index) {
    const std::string_view name = text_member(metric, "name");
    Row row = event_row("metric", name, member(metric, "timestamp"), metric);
    set_text(row[at(kSubject)], name);
    put(event_columns(), row, at(kValue), member(metric, "value"));
    put(event_columns(), row, at(kUnit), member(metric, "unit"));
    set_json(row[at(kPayload)], scrubbed_json(metric));
    add_event(std::move(row), element_id(item_, index));
  });
}

void SentryReader::read_check_in(const void* check_in) {
  using enum EventColumn;
  const std::string_view monitor = text_member(check_in, "monitor_slug");
  Row row = event_row("check_in", monitor, {}, check_in);
  set_text(row[at(kSubject)], monitor);
  put_text(row[at(kStatus)], text_member(check_in, "status"));
  const JsonValue seconds = member(check_in, "duration");
  if (seconds.kind == JsonValue::Kind::kNumber && seconds.number >= 0)
    put_number(row[at(kDuration)], seconds.number * 1000);
  set_json(row[at(kPayload)], scrubbed_json(check_in));
  std::string id("check_in:");
  id.append(text_member(check_in, "check_in_id")).append(":");
  id.append(text_member(check_in, "status"));
  add_event(std::move(row), id);
}

// What the user wrote; the name and address of the user are not kept.
void SentryReader::read_feedback(const void* feedback) {
  using enum EventColumn;
  Row row = event_row("feedback", "feedback", member(feedback, "timestamp"), feedback);
  JsonObject payload;
  payload.add("message", deep_member(feedback, {"contexts", "feedback", "message"}));
  set_json(row[at(kPayload)], payload.finish());
  add_event(std::move(row), first_of({text_member(feedback, "event_id"), envelope_id_}));
}

// What the client threw away before sending.
void SentryReader::read_client_report(const void* report) {
  using enum EventColumn;
  int index = 0;
  for (const JsonValue& discarded : list_of(member(report, "discarded_events"))) {
    Row row = event_row("client_report", text_member(discarded.container, "reason"),
                        member(report, "timestamp"), report);
    set_text(row[at(kSubject)], text_member(discarded.container, "category"));
    put(event_columns(), row, at(kValue), member(discarded.container, "quantity"));
    set_text(row[at(kUnit)], "count");
    add_event(std::move(row), element_id(item_, index++));
  }
}

// A compressed body that is cut or damaged still gives what could be inflated.
std::string_view inflated(std::string_view body, Ingest& ingest, SentryReader& reader) {
  constexpr std::size_t kLargest = 100 * 1024 * 1024;
  const std::span<const std::uint8_t> bytes(reinterpret_cast<const std::uint8_t*>(body.data()),
                                            body.size());
  if (!is_gzip(bytes)) return body;
  auto* out = new (allocate(sizeof(Bytes))) Bytes(ingest.resource());
  const InflateResult result = inflate_gzip(bytes, kLargest, *out);
  if (result.status != InflateStatus::kOk)
    reader.refuse(
        {result.status == InflateStatus::kTooLarge ? Code::kLimitExceeded : Code::kInvalidBinary,
         "compressed body: " + result.reason,
         {}},
        {});
  return {reinterpret_cast<const char*>(out->data()), out->size()};
}

}  // namespace

extern "C" {

// capture_sentry(module_id uuid, envelope text) and (module_id uuid, envelope bytea)
PG_FUNCTION_INFO_V1(vigil_capture_sentry);
Datum vigil_capture_sentry(PG_FUNCTION_ARGS) {
  const IngestCounts counts = entry([&] {
    const SpiConnection spi;
    Ingest ingest("capture_sentry");
    Uuid module;
    std::memcpy(module.bytes.data(), PG_GETARG_UUID_P(0)->data, UUID_LEN);
    SentryReader reader(ingest, module);
    reader.read(inflated(text_view(PG_GETARG_DATUM(1)), ingest, reader));
    return ingest.finish();
  });
  return entry([&] { return ingest_result(fcinfo, counts); });
}
}
