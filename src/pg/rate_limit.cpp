#include "pg/rate_limit.hpp"

#include <array>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <limits>

#include "core/digest.hpp"
#include "core/exempt_keys.hpp"
#include "core/rate_table.hpp"
#include "pg/boundary.hpp"
#include "pg/settings.hpp"

namespace vigil::pg {

namespace {

constexpr std::size_t kCacheLine = 64;

struct Counts {
  std::uint64_t allowed;
  std::uint64_t refused;
  std::uint64_t untracked;  // decided without a bucket
};

struct alignas(kCacheLine) Part {
  slock_t lock;  // guards the counts and what the table has of this part
  Counts counts;
};

struct alignas(kCacheLine) SharedLimits {
  std::array<char, 16> secret;  // so that nobody can choose keys that share a bucket
  std::atomic<std::uint64_t> exempt;
  Part parts[RateTable::kParts];
};

SharedLimits* limits = nullptr;
RateTable* table = nullptr;

// Without preload: of this session.
Counts own_counts{};
std::uint64_t own_exempt = 0;

std::size_t buckets_wanted() { return static_cast<std::size_t>(settings::rate_limit_buckets); }

// While a spinlock is held, nothing may raise or take long.
class PartLock {
 public:
  explicit PartLock(Part& part) : part_(part) { SpinLockAcquire(&part_.lock); }
  ~PartLock() { SpinLockRelease(&part_.lock); }
  PartLock(const PartLock&) = delete;
  PartLock& operator=(const PartLock&) = delete;

 private:
  Part& part_;
};

// The clock that all processes of a host share, and nobody sets back.
std::int64_t clock_now() {
  using std::chrono::nanoseconds;
  return std::chrono::duration_cast<nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

RateTable::Key hash_of(std::string_view scope, std::string_view key) {
  const std::string_view secret(limits->secret.data(), limits->secret.size());
  const std::string_view database(reinterpret_cast<const char*>(&MyDatabaseId),
                                  sizeof MyDatabaseId);
  const Digest digest = sha256_fields({secret, database, scope, key});
  RateTable::Key hash = 0;
  std::memcpy(&hash, digest.data(), sizeof hash);
  return hash;
}

bool is_exempt(std::string_view key) {
  static std::string text;
  static ExemptKeys list;
  if (*settings::rate_limit_exempt == '\0') return false;
  if (text != settings::rate_limit_exempt) {
    std::string reason;
    auto parsed = ExemptKeys::parse(settings::rate_limit_exempt, reason);
    if (!parsed) throw Error(Code::kInternal, reason);
    list = *std::move(parsed);
    text = settings::rate_limit_exempt;
  }
  return list.contains(key);
}

// To look, with a cost of 0, is no decision.
void count(Counts& counts, bool tracked, const Taken& taken, std::int64_t cost) {
  if (cost > 0) ++(!tracked ? counts.untracked : taken.allowed ? counts.allowed : counts.refused);
}

void count_exempt() {
  if (limits != nullptr)
    ++limits->exempt;
  else
    ++own_exempt;
}

Taken decide(const LimitedKey& key, const RateLimit& limit, std::int64_t cost) {
  FullAt spare = kFull;
  if (key.exempt) {
    if (cost > 0) count_exempt();
    return {true, limit.burst, 0, 0};
  }
  const std::int64_t now = clock_now();
  if (limits == nullptr) {
    const Taken taken = take(limit, spare, now, cost);
    count(own_counts, false, taken, cost);
    return taken;
  }
  Part& part = limits->parts[RateTable::part_of(key.hash)];
  const PartLock lock(part);
  // A limit that gives nothing needs no memory.
  FullAt* bucket = limit.token == 0 ? &spare : table->find(key.hash, limit, now);
  const Taken taken = take(limit, bucket != nullptr ? *bucket : spare, now, cost);
  count(part.counts, bucket != nullptr, taken, cost);
  return taken;
}

std::int64_t nanoseconds_of(const Interval& per) {
  constexpr std::int64_t kLongest = RateLimit::kLongest / 1000;
  constexpr std::int64_t kDays = kLongest / USECS_PER_DAY;
  if (per.month != 0)
    throw Error(Code::kInvalidArgument, "the time of a rate limit must not have months or years",
                "They are not of one length.", "Use days.");
  if (std::abs(static_cast<std::int64_t>(per.day)) > kDays || per.time > kLongest ||
      per.time < -kLongest)
    throw Error(Code::kInvalidArgument, "the time of a rate limit is longer than 100 years");
  return (per.day * USECS_PER_DAY + per.time) * 1000;
}

// --- SQL ----------------------------------------------------------------------------------------

// In the order of the arguments of vigil.rate_limit.
enum Argument { kKey, kMax, kPer, kBurst, kCost, kScope };

RateLimit limit_argument(FunctionCallInfo fcinfo) {
  const std::int32_t max = PG_GETARG_INT32(kMax);
  const std::int32_t burst = PG_ARGISNULL(kBurst) ? max : PG_GETARG_INT32(kBurst);
  return make_rate_limit(max, *PG_GETARG_INTERVAL_P(kPer), burst);
}

std::string_view scope_argument(FunctionCallInfo fcinfo, int number) {
  return PG_ARGISNULL(number) ? std::string_view() : text_view(PG_GETARG_DATUM(number));
}

std::int64_t ceiling(std::int64_t value, std::int64_t unit) {
  return value / unit + (value % unit != 0);
}

// Looking the type up for each call would take longer than to decide.
TupleDesc result_type(FunctionCallInfo fcinfo) {
  FmgrInfo* function = fcinfo->flinfo;
  if (function->fn_extra == nullptr) {
    TupleDesc type = nullptr;
    const MemoryContext caller = MemoryContextSwitchTo(function->fn_mcxt);
    if (get_call_result_type(fcinfo, nullptr, &type) != TYPEFUNC_COMPOSITE)
      elog(ERROR, "vigil.rate_limit() has no result type");
    function->fn_extra = BlessTupleDesc(CreateTupleDescCopy(type));
    MemoryContextSwitchTo(caller);
  }
  return static_cast<TupleDesc>(function->fn_extra);
}

Datum result_of(FunctionCallInfo fcinfo, const Taken& taken) {
  constexpr std::int64_t kLongestWait = std::numeric_limits<std::int32_t>::max();
  constexpr std::int64_t kSecond = 1'000'000'000;
  const std::int64_t wait = std::min(ceiling(taken.wait, kSecond), kLongestWait);
  const bool resets = taken.full_in != Taken::kNever;
  const TimestampTz reset_at = GetCurrentTimestamp() + ceiling(taken.full_in, 1000);
  Datum values[] = {BoolGetDatum(taken.allowed), PG_GETARG_DATUM(kMax),
                    Int32GetDatum(static_cast<std::int32_t>(taken.remaining)),
                    TimestampTzGetDatum(reset_at), Int32GetDatum(static_cast<std::int32_t>(wait))};
  bool nulls[] = {false, false, false, !resets, taken.allowed || taken.wait == Taken::kNever};
  return call(
      [&] { return HeapTupleGetDatum(heap_form_tuple(result_type(fcinfo), values, nulls)); });
}

Datum rate_limit(FunctionCallInfo fcinfo) {
  for (const Argument needed : {kKey, kMax, kPer, kCost})
    if (PG_ARGISNULL(needed))
      throw Error(Code::kNullValue, "key, max, per and cost of a rate limit must not be null");
  const std::int64_t cost = PG_GETARG_INT32(kCost);
  if (cost < 0)
    throw Error(Code::kInvalidArgument, "cost " + std::to_string(cost) + " is negative", {},
                "Use 0 to look without taking.");
  const LimitedKey key =
      limited_key(scope_argument(fcinfo, kScope), text_view(PG_GETARG_DATUM(kKey)));
  return result_of(fcinfo, decide(key, limit_argument(fcinfo), cost));
}

int reset(std::string_view scope, std::string_view key) {
  if (limits == nullptr) return 0;
  const RateTable::Key hash = hash_of(scope, key);
  const std::int64_t now = clock_now();
  const PartLock lock(limits->parts[RateTable::part_of(hash)]);
  return table->fill(hash, now);
}

Counts total_counts() {
  if (limits == nullptr) return own_counts;
  Counts total{};
  for (Part& part : limits->parts) {
    const PartLock lock(part);
    total.allowed += part.counts.allowed;
    total.refused += part.counts.refused;
    total.untracked += part.counts.untracked;
  }
  return total;
}

std::int64_t buckets_in_use() {
  if (limits == nullptr) return 0;
  const std::int64_t now = clock_now();
  std::int64_t count = 0;
  // One set after the other, so that nobody waits long.
  for (std::size_t set = 0; set < table->sets(); ++set) {
    const PartLock lock(limits->parts[RateTable::part_of_set(set)]);
    count += table->in_use(set, now);
  }
  return count;
}

}  // namespace

Size rate_limit_bytes() {
  return add_size(sizeof(SharedLimits), RateTable::size_of(buckets_wanted()));
}

void make_rate_limits() {
  bool found = false;
  void* memory = ShmemInitStruct("pg_vigil rate limits", rate_limit_bytes(), &found);
  limits = static_cast<SharedLimits*>(memory);
  void* rest = static_cast<char*>(memory) + sizeof(SharedLimits);
  table = static_cast<RateTable*>(rest);
  if (found) return;
  new (memory) SharedLimits{};
  for (Part& part : limits->parts) SpinLockInit(&part.lock);
  if (!pg_strong_random(limits->secret.data(), limits->secret.size()))
    ereport(FATAL, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("could not generate random bytes")));
  RateTable::create(rest, buckets_wanted());
}

RateLimit make_rate_limit(std::int32_t max, const Interval& per, std::int32_t burst) {
  return RateLimit::make(max, nanoseconds_of(per), burst);
}

LimitedKey limited_key(std::string_view scope, std::string_view key) {
  if (is_exempt(key)) return {0, true};
  return {limits != nullptr ? hash_of(scope, key) : 0, false};
}

bool take_one(const LimitedKey& key, const RateLimit& limit) {
  return decide(key, limit, 1).allowed;
}

}  // namespace vigil::pg

extern "C" {

// rate_limit(key text, max integer, per interval, burst integer, cost integer, scope text)
PG_FUNCTION_INFO_V1(vigil_rate_limit);
Datum vigil_rate_limit(PG_FUNCTION_ARGS) {
  return vigil::pg::entry([&] { return vigil::pg::rate_limit(fcinfo); });
}

// reset_rate_limit(key text, scope text)
PG_FUNCTION_INFO_V1(vigil_reset_rate_limit);
Datum vigil_reset_rate_limit(PG_FUNCTION_ARGS) {
  using namespace vigil::pg;
  return entry([&] {
    return Int32GetDatum(reset(text_view(PG_GETARG_DATUM(1)), text_view(PG_GETARG_DATUM(0))));
  });
}

PG_FUNCTION_INFO_V1(vigil_rate_limit_stats);
Datum vigil_rate_limit_stats(PG_FUNCTION_ARGS) {
  using namespace vigil::pg;
  return entry([&]() -> Datum {
    const Counts counts = total_counts();
    const std::uint64_t exempt = limits != nullptr ? limits->exempt.load() : own_exempt;
    const std::size_t capacity = table != nullptr ? table->capacity() : 0;
    Datum values[] = {BoolGetDatum(limits != nullptr), Int64GetDatum(counts.allowed),
                      Int64GetDatum(counts.refused),   Int64GetDatum(exempt),
                      Int64GetDatum(counts.untracked), Int64GetDatum(buckets_in_use()),
                      Int64GetDatum(capacity)};
    bool nulls[lengthof(values)] = {};
    return call([&] {
      TupleDesc type = nullptr;
      if (get_call_result_type(fcinfo, nullptr, &type) != TYPEFUNC_COMPOSITE)
        elog(ERROR, "vigil.read_rate_limit_stats() has no result type");
      return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(type), values, nulls));
    });
  });
}
}
