// SQL functions of delivery: sending, judging outcomes, signing.
#include <array>

#include "core/digest.hpp"
#include "core/retry.hpp"
#include "pg/http.hpp"
#include "pg/settings.hpp"
#include "pg/spi.hpp"
#include "pg/uuid.hpp"

namespace vigil::pg {

namespace {

// The requests of vigil.http_start, which outlive the transaction; null while there are none.
HttpClient* session_client = nullptr;

// Requests that this session holds at most, under way or waiting for their turn.
int capacity() { return std::min(200, 6 * settings::http_connections); }

// Longer than any request can wait and take: one origin has half of the connections, and each
// round of them may take the whole timeout.
std::int64_t lease_ms() {
  const int rounds = 2 * capacity() / settings::http_connections + 1;
  return static_cast<std::int64_t>(rounds) * settings::http_timeout + 30000;
}

Datum uuid_datum(const Uuid& uuid) {
  auto* copy = static_cast<pg_uuid_t*>(allocate(sizeof(pg_uuid_t)));
  std::memcpy(copy->data, uuid.bytes.data(), uuid.bytes.size());
  return UUIDPGetDatum(copy);
}

// The text of element i; empty when the array has no such argument.
std::string text_at(const Elements& array, int i, const char* what) {
  if (array.nulls[i])
    throw Error(Code::kNullValue, std::string(what) + " of a request must not be null");
  return std::string(text_view(array.values[i]));
}

// The requests in the first four arguments: arrays of ids, URLs, headers and bodies.
std::vector<HttpRequest> requests_of(FunctionCallInfo fcinfo, int timeout_ms) {
  std::vector<HttpRequest> requests;
  if (PG_ARGISNULL(0)) return requests;
  if (PG_ARGISNULL(1) || PG_ARGISNULL(2) || PG_ARGISNULL(3))
    throw Error(Code::kNullValue, "urls, headers and bodies of requests must not be null");
  const Elements ids = elements_of(PG_GETARG_DATUM(0));
  const Elements urls = elements_of(PG_GETARG_DATUM(1));
  const Elements headers = elements_of(PG_GETARG_DATUM(2));
  const Elements bodies = elements_of(PG_GETARG_DATUM(3));
  if (urls.count != ids.count || headers.count != ids.count || bodies.count != ids.count)
    throw Error(Code::kInvalidArgument, "arrays of requests differ in length",
                std::to_string(ids.count) + " ids, " + std::to_string(urls.count) + " urls, " +
                    std::to_string(headers.count) + " headers, " + std::to_string(bodies.count) +
                    " bodies.");
  for (int i = 0; i < ids.count; ++i) {
    if (ids.nulls[i]) throw Error(Code::kNullValue, "id of a request must not be null");
    requests.push_back({uuid_of(ids.values[i]), text_at(urls, i, "url"),
                        text_at(headers, i, "headers"), text_at(bodies, i, "body"), timeout_ms});
  }
  return requests;
}

void put_text(const std::string& text, Datum& value, bool& null) {
  null = text.empty();
  if (!null) value = text_datum(text);
}

// Gives the outcomes as the rows (id, status, duration_ms, error, retry_after, permanent).
void return_responses(FunctionCallInfo fcinfo, const std::vector<HttpResponse>& responses) {
  call([&] { InitMaterializedSRF(fcinfo, 0); });
  auto* result = reinterpret_cast<ReturnSetInfo*>(fcinfo->resultinfo);
  for (const HttpResponse& response : responses) {
    Datum values[6] = {};
    bool nulls[6] = {};
    values[0] = uuid_datum(response.id);
    values[1] = Int32GetDatum(response.status);
    nulls[1] = response.status == 0;
    values[2] = Int32GetDatum(response.duration_ms);
    put_text(response.error, values[3], nulls[3]);
    put_text(response.retry_after, values[4], nulls[4]);
    values[5] = BoolGetDatum(response.permanent);
    call([&] { tuplestore_putvalues(result->setResult, result->setDesc, values, nulls); });
  }
}

void drop_session_client() noexcept {
  delete session_client;
  session_client = nullptr;
}

// Milliseconds of an interval, as the days and months of its timestamps are usually long.
int interval_ms(const Interval& interval) {
  constexpr double kDay = 86400000.0;
  const double ms = static_cast<double>(interval.time) / 1000.0 + interval.day * kDay +
                    interval.month * 30.0 * kDay;
  if (!(ms >= 0) || ms > 2147483647.0)
    throw Error(Code::kInvalidArgument, "interval is out of range", {},
                "Give a time from 0 to 24 days.");
  return static_cast<int>(ms);
}

Interval* new_interval(std::int64_t microseconds) {
  auto* interval = static_cast<Interval*>(allocate(sizeof(Interval)));
  *interval = {};
  interval->time = microseconds;
  return interval;
}

// Another number of columns is an installed version that knew another result.
template <std::size_t columns>
Datum return_row(FunctionCallInfo fcinfo, Datum (&values)[columns], bool (&nulls)[columns]) {
  return call([&] {
    TupleDesc row = nullptr;
    if (get_call_result_type(fcinfo, nullptr, &row) != TYPEFUNC_COMPOSITE)
      elog(ERROR, "return type must be a row type");
    if (row->natts != static_cast<int>(columns))
      ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                      errmsg("the installed version of pg_vigil does not fit its library"),
                      errhint("Run ALTER EXTENSION pg_vigil UPDATE.")));
    return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(row), values, nulls));
  });
}

Datum uuid_array(const std::vector<Uuid>& ids) {
  std::vector<Datum> values;
  for (const Uuid& id : ids) values.push_back(uuid_datum(id));
  return call([&] {
    return PointerGetDatum(construct_array(values.data(), static_cast<int>(values.size()), UUIDOID,
                                           UUID_LEN, false, TYPALIGN_CHAR));
  });
}

Datum text_array(const std::vector<std::string>& texts) {
  std::vector<Datum> values;
  for (const std::string& text : texts) values.push_back(text_datum(text));
  return call([&] {
    return PointerGetDatum(construct_array(values.data(), static_cast<int>(values.size()), TEXTOID,
                                           -1, false, TYPALIGN_INT));
  });
}

std::string base64(std::span<const std::uint8_t> bytes) {
  static constexpr char kDigits[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    const std::size_t left = std::min<std::size_t>(bytes.size() - at, 3);
    std::uint32_t group = 0;
    for (std::size_t i = 0; i < 3; ++i) group = group << 8 | (i < left ? bytes[at + i] : 0U);
    for (std::size_t i = 0; i < 4; ++i)
      text += i <= left ? kDigits[group >> (18 - 6 * i) & 63] : '=';
  }
  return text;
}

std::int64_t unix_seconds(TimestampTz time) {
  constexpr std::int64_t kEpoch = (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * 86400LL;
  std::int64_t seconds = time / 1000000;
  if (time % 1000000 < 0) --seconds;
  return seconds + kEpoch;
}

const char* name_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::kDelivered:
      return "delivered";
    case Verdict::kRetry:
      return "retry";
    case Verdict::kPermanent:
      return "permanent";
    case Verdict::kGone:
      break;
  }
  return "gone";
}

// Microseconds until the attempt after number `attempt`; no value when it was the last. A receiver
// that asks for more patience gets it.
std::optional<std::int64_t> retry_after(int attempt, std::string_view header) {
  const std::optional<std::int64_t> delay =
      retry_delay_ms(attempt, pg_prng_uint32(&pg_global_prng_state));
  if (!delay) return std::nullopt;
  const std::int64_t asked =
      parse_retry_after(header, unix_seconds(GetCurrentTimestamp())).value_or(0);
  return std::max(*delay * 1000, asked * 1000000);
}

}  // namespace

}  // namespace vigil::pg

extern "C" {

using namespace vigil;
using namespace vigil::pg;

PG_FUNCTION_INFO_V1(vigil_http_send);
Datum vigil_http_send(PG_FUNCTION_ARGS) {
  return entry([&] {
    const int timeout_ms = PG_ARGISNULL(4) ? settings::http_timeout : PG_GETARG_INT32(4);
    if (timeout_ms < 1)
      throw Error(Code::kInvalidArgument,
                  "timeout must be positive, not " + std::to_string(timeout_ms));
    HttpClient client;
    for (HttpRequest& request : requests_of(fcinfo, timeout_ms)) client.add(std::move(request));
    std::vector<HttpResponse> responses;
    while (client.pending() > 0)
      for (HttpResponse& response : client.finish(-1)) responses.push_back(std::move(response));
    return_responses(fcinfo, responses);
    return Datum{0};
  });
}

PG_FUNCTION_INFO_V1(vigil_http_start);
Datum vigil_http_start(PG_FUNCTION_ARGS) {
  return entry([&] {
    int started = 0;
    for (HttpRequest& request : requests_of(fcinfo, settings::http_timeout)) {
      if (session_client == nullptr) session_client = new HttpClient;
      if (session_client->holds(request.id)) continue;
      session_client->add(std::move(request));
      ++started;
    }
    return Int32GetDatum(started);
  });
}

PG_FUNCTION_INFO_V1(vigil_http_finish);
Datum vigil_http_finish(PG_FUNCTION_ARGS) {
  return entry([&] {
    const int wait_ms = PG_ARGISNULL(0) ? -1 : interval_ms(*PG_GETARG_INTERVAL_P(0));
    std::vector<HttpResponse> responses;
    try {
      if (session_client != nullptr) responses = session_client->finish(wait_ms);
    } catch (...) {
      // What was claimed is begun again by the next step.
      drop_session_client();
      throw;
    }
    return_responses(fcinfo, responses);
    return Datum{0};
  });
}

PG_FUNCTION_INFO_V1(vigil_http_state);
Datum vigil_http_state(PG_FUNCTION_ARGS) {
  return entry([&] {
    const std::vector<Uuid> ids = session_client ? session_client->ids() : std::vector<Uuid>();
    const std::vector<std::string> busy =
        session_client ? session_client->busy_origins(static_cast<std::size_t>(capacity()) / 4)
                       : std::vector<std::string>();
    Datum values[5] = {Int32GetDatum(static_cast<int>(ids.size())), uuid_array(ids),
                       text_array(busy), Int32GetDatum(capacity()),
                       PointerGetDatum(new_interval(lease_ms() * 1000))};
    bool nulls[5] = {};
    return return_row(fcinfo, values, nulls);
  });
}

PG_FUNCTION_INFO_V1(vigil_judge_delivery);
Datum vigil_judge_delivery(PG_FUNCTION_ARGS) {
  return entry([&] {
    const int attempt = PG_ARGISNULL(0) ? 1 : PG_GETARG_INT32(0);
    const bool permanent = !PG_ARGISNULL(2) && PG_GETARG_BOOL(2);
    const Verdict verdict =
        permanent ? Verdict::kPermanent : judge_status(PG_ARGISNULL(1) ? 0 : PG_GETARG_INT32(1));
    const std::string_view header =
        PG_ARGISNULL(3) ? std::string_view() : text_view(PG_GETARG_DATUM(3));
    std::optional<std::int64_t> delay;
    if (verdict == Verdict::kRetry) delay = retry_after(attempt, header);
    Datum values[2] = {text_datum(name_of(verdict)),
                       delay ? PointerGetDatum(new_interval(*delay)) : Datum{0}};
    bool nulls[2] = {false, !delay.has_value()};
    return return_row(fcinfo, values, nulls);
  });
}

PG_FUNCTION_INFO_V1(vigil_webhook_headers);
Datum vigil_webhook_headers(PG_FUNCTION_ARGS) {
  return entry([&] {
    const std::string id = to_string(uuid_of(PG_GETARG_DATUM(0)));
    const TimestampTz sent_at = PG_GETARG_TIMESTAMPTZ(1);
    if (TIMESTAMP_NOT_FINITE(sent_at))
      throw Error(Code::kTimestampOutOfRange, "time of a delivery must be finite");
    const std::string timestamp = std::to_string(unix_seconds(sent_at));
    std::string message = id + "." + timestamp + ".";
    message += text_view(PG_GETARG_DATUM(2));
    const Digest signature = hmac_sha256(text_view(PG_GETARG_DATUM(3)), message);
    return text_datum(
        "content-type: application/json\nuser-agent: pg_vigil/" VIGIL_VERSION "\nwebhook-id: " +
        id + "\nwebhook-timestamp: " + timestamp + "\nwebhook-signature: v1," + base64(signature));
  });
}
}
