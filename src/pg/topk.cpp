#include "core/topk.hpp"

#include <array>

#include "pg/value_io.hpp"

using namespace vigil;
using namespace vigil::pg;

namespace {

// Bytes from outside may hold items that are no text of this database.
class StoredTopK : public TopK {
 public:
  using TopK::TopK;

  static StoredTopK read(std::span<const std::uint8_t> bytes, std::pmr::memory_resource* resource) {
    StoredTopK result(TopK::read(bytes, resource));
    bool valid = true;
    result.for_each_text([&](std::string_view text) {
      valid = valid && pg_verifymbstr(text.data(), static_cast<int>(text.size()), true);
    });
    if (!valid) ByteReader({}, "vigil.topk").fail("an item is not in the encoding of the database");
    return result;
  }

 private:
  explicit StoredTopK(TopK&& other) : TopK(std::move(other)) {}
};

void add_text(TopK& summary, std::string_view text) {
  if (text.size() <= TopK::kMaxBytes) return summary.add(text);
  std::array<char, TopK::kMaxBytes> kept;
  const int prefix = call([&] {
    return pg_mbcliplen(text.data(), static_cast<int>(text.size()),
                        static_cast<int>(TopK::kMaxPrefix));
  });
  summary.add({kept.data(), TopK::shortened(text, static_cast<std::size_t>(prefix), kept)});
}

std::uint32_t limit_argument(FunctionCallInfo fcinfo, int number) {
  const int limit = PG_ARGISNULL(number) ? 0 : PG_GETARG_INT32(number);
  return limit < 0 ? 0 : static_cast<std::uint32_t>(limit);  // 0 is refused
}

std::size_t rows_argument(FunctionCallInfo fcinfo, int number) {
  if (PG_ARGISNULL(number)) return TopK::kMaxLimit;
  const int rows = PG_GETARG_INT32(number);
  if (rows < 0)
    throw Error(Code::kInvalidArgument, "number of rows must not be negative",
                "It is " + std::to_string(rows) + ".");
  return static_cast<std::size_t>(rows);
}

template <typename Get>
Datum read_count(FunctionCallInfo fcinfo, Get&& get) {
  return entry([&] {
    const Reading<StoredTopK> summary(PG_GETARG_DATUM(0));
    return Int64GetDatum(static_cast<std::int64_t>(get(*summary)));
  });
}

}  // namespace

extern "C" {

VIGIL_VALUE_IO(topk, StoredTopK)

PG_FUNCTION_INFO_V1(vigil_topk_add);
Datum vigil_topk_add(PG_FUNCTION_ARGS) {
  if (PG_ARGISNULL(0) && PG_ARGISNULL(1)) PG_RETURN_NULL();
  return entry([&] {
    auto& state = state_argument<StoredTopK>(fcinfo);
    if (!PG_ARGISNULL(1)) {
      state.value().set_limit(limit_argument(fcinfo, 2));
      add_text(state.value(), text_view(PG_GETARG_DATUM(1)));
    }
    return state.datum();
  });
}

PG_FUNCTION_INFO_V1(vigil_topk_merge);
Datum vigil_topk_merge(PG_FUNCTION_ARGS) {
  if (PG_ARGISNULL(0) && PG_ARGISNULL(1)) PG_RETURN_NULL();
  return entry([&] {
    auto& state = state_argument<StoredTopK>(fcinfo);
    if (PG_ARGISNULL(1)) return state.datum();
    const Reading<StoredTopK> other(PG_GETARG_DATUM(1));
    if (PG_ARGISNULL(0)) state.value().set_limit(other->limit());
    state.value().merge(*other);
    return state.datum();
  });
}

PG_FUNCTION_INFO_V1(vigil_topk_items);
Datum vigil_topk_items(PG_FUNCTION_ARGS) {
  return entry([&]() -> Datum {
    call([&] { InitMaterializedSRF(fcinfo, 0); });
    if (PG_ARGISNULL(0)) return 0;
    auto* result = reinterpret_cast<ReturnSetInfo*>(fcinfo->resultinfo);
    const std::size_t rows = rows_argument(fcinfo, 1);
    const Reading<StoredTopK> summary(PG_GETARG_DATUM(0));
    ContextResource resource(CurrentMemoryContext);
    const auto items = summary->items(&resource);
    for (std::size_t i = 0; i < std::min(rows, items.size()); ++i) {
      Datum values[3] = {text_datum(items[i].text),
                         Int64GetDatum(static_cast<std::int64_t>(items[i].count)),
                         Int64GetDatum(static_cast<std::int64_t>(items[i].error))};
      bool nulls[3] = {};
      call([&] { tuplestore_putvalues(result->setResult, result->setDesc, values, nulls); });
    }
    return 0;
  });
}

PG_FUNCTION_INFO_V1(vigil_topk_count);
Datum vigil_topk_count(PG_FUNCTION_ARGS) {
  return read_count(fcinfo, [](const TopK& summary) { return summary.total(); });
}

PG_FUNCTION_INFO_V1(vigil_topk_max_unlisted);
Datum vigil_topk_max_unlisted(PG_FUNCTION_ARGS) {
  return read_count(fcinfo, [](const TopK& summary) { return summary.floor(); });
}
}
