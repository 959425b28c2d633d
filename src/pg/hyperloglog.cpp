#include "core/hyperloglog.hpp"

#include <array>
#include <cmath>
#include <map>

#include "core/murmur3.hpp"
#include "pg/value_io.hpp"

using namespace vigil;
using namespace vigil::pg;

namespace {

std::uint64_t hash_of(std::span<const std::uint8_t> bytes) { return murmur3_x64_128(bytes).low; }

// How values of the type of an argument are hashed: found out once for a query, and kept in its
// fn_extra. Equal values have equal hashes, whatever the type calls equal.
class Hasher {
 public:
  // Error when the type cannot be hashed.
  static Hasher& of(FunctionCallInfo fcinfo, int argument) {
    if (fcinfo->flinfo->fn_extra == nullptr) {
      ContextResource resource(fcinfo->flinfo->fn_mcxt);
      void* memory = resource.allocate(sizeof(Hasher), alignof(Hasher));
      auto* hasher = new (memory) Hasher(fcinfo->flinfo->fn_mcxt);
      hasher->resolve(fcinfo, argument);
      fcinfo->flinfo->fn_extra = hasher;
    }
    return *static_cast<Hasher*>(fcinfo->flinfo->fn_extra);
  }

  // The one of a call before, or null.
  static const Hasher* known(FunctionCallInfo fcinfo) {
    return static_cast<const Hasher*>(fcinfo->flinfo->fn_extra);
  }

  // The hash, if nothing can fail on the way to it.
  std::optional<std::uint64_t> try_hash(Datum value) const noexcept {
    const auto* pointer = reinterpret_cast<const std::uint8_t*>(DatumGetPointer(value));
    switch (way_) {
      case Way::kBytes:
        if (VARATT_IS_COMPRESSED(pointer) || VARATT_IS_EXTERNAL(pointer)) return std::nullopt;
        return hash_of({reinterpret_cast<const std::uint8_t*>(VARDATA_ANY(pointer)),
                        static_cast<std::size_t>(VARSIZE_ANY_EXHDR(pointer))});
      case Way::kWord:
        return hash_of({reinterpret_cast<const std::uint8_t*>(&value), size_});
      case Way::kFixed:
        return hash_of({pointer, size_});
      default:
        return std::nullopt;
    }
  }

  std::uint64_t hash(Datum value) {
    if (const auto plain = try_hash(value)) return *plain;
    switch (way_) {
      case Way::kBlankPadded:
        return hash_without_blanks(text_view(value));
      case Way::kLabel:
        return hash_of_label(DatumGetObjectId(value));
      case Way::kFunction:
        return hash_by_function(value);
      default:
        return hash_of(byte_view(value));
    }
  }

 private:
  enum class Way { kBytes, kBlankPadded, kWord, kFixed, kLabel, kFunction };

  explicit Hasher(MemoryContext context) : resource_(context), labels_(&resource_) {}

  void resolve(FunctionCallInfo fcinfo, int argument) {
    const Oid declared = get_fn_expr_argtype(fcinfo->flinfo, argument);
    collation_ = PG_GET_COLLATION();
    struct Facts {
      Oid type;
      int16 size;
      bool by_value, is_enum, bytes_decide;
    };
    const Facts facts = call([&] {
      Facts found{};
      found.type = OidIsValid(declared) ? getBaseType(declared) : InvalidOid;
      if (!OidIsValid(found.type)) return found;
      get_typlenbyval(found.type, &found.size, &found.by_value);
      found.is_enum = type_is_enum(found.type);
      found.bytes_decide = !OidIsValid(collation_) || get_collation_isdeterministic(collation_);
      return found;
    });
    size_ = static_cast<std::size_t>(std::max<int16>(facts.size, 0));
    switch (facts.type) {
      case BYTEAOID:
        way_ = Way::kBytes;
        return;
      case TEXTOID:
      case VARCHAROID:
        if (!facts.bytes_decide) break;
        way_ = Way::kBytes;
        return;
      case BPCHAROID:
        if (!facts.bytes_decide) break;
        way_ = Way::kBlankPadded;
        return;
      // Types of which all bits are the value: their own hashes fold 64 bits to 32.
      case BOOLOID:
      case CHAROID:
      case INT2OID:
      case INT4OID:
      case INT8OID:
      case OIDOID:
      case MONEYOID:
      case DATEOID:
      case TIMEOID:
      case TIMESTAMPOID:
      case TIMESTAMPTZOID:
      case UUIDOID:
        way_ = facts.by_value ? Way::kWord : Way::kFixed;
        return;
      default:
        break;
    }
    if (facts.is_enum) {
      way_ = Way::kLabel;
      return;
    }
    way_ = Way::kFunction;
    const TypeCacheEntry* entry = nullptr;
    if (OidIsValid(facts.type))
      entry =
          call([&] { return lookup_type_cache(facts.type, TYPECACHE_HASH_EXTENDED_PROC_FINFO); });
    if (entry == nullptr || !OidIsValid(entry->hash_extended_proc)) {
      const char* name = call([&] { return format_type_be(declared); });
      throw Error(Code::kFeatureNotSupported,
                  "values of type " + std::string(name) + " cannot be counted",
                  "The type has no extended hash function.", "Cast the values to text.");
    }
    function_ = const_cast<FmgrInfo*>(&entry->hash_extended_proc_finfo);
  }

  std::uint64_t hash_by_function(Datum value) const {
    const Datum hash =
        call([&] { return FunctionCall2Coll(function_, collation_, value, Int64GetDatum(0)); });
    return hash_of({reinterpret_cast<const std::uint8_t*>(&hash), sizeof(hash)});
  }

  static std::uint64_t hash_without_blanks(std::string_view text) {
    text = text.substr(0, text.find_last_not_of(' ') + 1);
    return hash_of({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
  }

  // The number behind a label is another one in a restored database; the label is not.
  std::uint64_t hash_of_label(Oid label) {
    const auto known = labels_.find(label);
    if (known != labels_.end()) return known->second;
    const std::uint64_t hash = call([&] {
      const HeapTuple row = SearchSysCache1(ENUMOID, ObjectIdGetDatum(label));
      if (!HeapTupleIsValid(row))
        ereport(ERROR, (errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
                        errmsg("invalid internal value for enum: %u", label)));
      const char* text = NameStr(reinterpret_cast<Form_pg_enum>(GETSTRUCT(row))->enumlabel);
      const std::uint64_t found =
          hash_of({reinterpret_cast<const std::uint8_t*>(text), std::strlen(text)});
      ReleaseSysCache(row);
      return found;
    });
    labels_.emplace(label, hash);
    return hash;
  }

  ContextResource resource_;
  Way way_ = Way::kFunction;
  std::size_t size_ = 0;
  Oid collation_ = InvalidOid;
  FmgrInfo* function_ = nullptr;
  std::pmr::map<Oid, std::uint64_t> labels_;
};

// The common row: a value that is hashed without fail, into a state with room for it.
bool try_add_value(FunctionCallInfo fcinfo, HyperLogLog* running) {
  const Hasher* hasher = Hasher::known(fcinfo);
  if (running == nullptr || hasher == nullptr || PG_ARGISNULL(1)) return false;
  const auto hash = hasher->try_hash(PG_GETARG_DATUM(1));
  return hash && running->try_add_hash(*hash);
}

// Any row; make_value(resource) is the first state.
template <typename Make>
Datum add_value(FunctionCallInfo fcinfo, Make&& make_value) {
  auto& state = state_argument<HyperLogLog>(fcinfo, make_value);
  if (!PG_ARGISNULL(1)) {
    state.value().add_hash(Hasher::of(fcinfo, 1).hash(PG_GETARG_DATUM(1)));
  }
  return state.datum();
}

HyperLogLogParameters sized_argument(FunctionCallInfo fcinfo) {
  if (PG_ARGISNULL(2)) throw Error(Code::kNullValue, "log2m must not be null");
  HyperLogLogParameters parameters;
  parameters.log2m = PG_GETARG_INT32(2);
  const auto* running = running_state<HyperLogLog>(fcinfo);
  if (running != nullptr && running->parameters() != parameters)
    throw Error(Code::kInvalidArgument, "log2m must be the same in all rows",
                "It is " + std::to_string(running->parameters().log2m) + " and " +
                    std::to_string(parameters.log2m) + ".");
  return parameters;
}

// Merges arguments 0 and 1 into a new value.
HyperLogLog union_of(FunctionCallInfo fcinfo, std::pmr::memory_resource* resource) {
  const Reading<HyperLogLog> one(PG_GETARG_DATUM(0));
  const Reading<HyperLogLog> other(PG_GETARG_DATUM(1));
  HyperLogLog result(*one, resource);
  result.merge(*other);
  return result;
}

bool are_equal(FunctionCallInfo fcinfo) {
  return entry([&] {
    const Reading<HyperLogLog> one(PG_GETARG_DATUM(0));
    const Reading<HyperLogLog> other(PG_GETARG_DATUM(1));
    return *one == *other;
  });
}

}  // namespace

extern "C" {

VIGIL_VALUE_IO(hyperloglog, vigil::HyperLogLog)

PG_FUNCTION_INFO_V1(vigil_hyperloglog_add);
Datum vigil_hyperloglog_add(PG_FUNCTION_ARGS) {
  if (PG_ARGISNULL(0) && PG_ARGISNULL(1)) PG_RETURN_NULL();
  if (try_add_value(fcinfo, running_state<HyperLogLog>(fcinfo))) return PG_GETARG_DATUM(0);
  return entry([&] {
    return add_value(fcinfo,
                     [](std::pmr::memory_resource* resource) { return HyperLogLog(resource); });
  });
}

PG_FUNCTION_INFO_V1(vigil_hyperloglog_add_sized);
Datum vigil_hyperloglog_add_sized(PG_FUNCTION_ARGS) {
  if (PG_ARGISNULL(0) && PG_ARGISNULL(1)) PG_RETURN_NULL();
  auto* running = running_state<HyperLogLog>(fcinfo);
  if (running != nullptr && !PG_ARGISNULL(2) && running->parameters().log2m == PG_GETARG_INT32(2) &&
      try_add_value(fcinfo, running))
    return PG_GETARG_DATUM(0);
  return entry([&] {
    const HyperLogLogParameters parameters = sized_argument(fcinfo);
    return add_value(fcinfo, [&](std::pmr::memory_resource* resource) {
      return HyperLogLog(resource, parameters);
    });
  });
}

PG_FUNCTION_INFO_V1(vigil_hyperloglog_merge);
Datum vigil_hyperloglog_merge(PG_FUNCTION_ARGS) {
  if (PG_ARGISNULL(0) && PG_ARGISNULL(1)) PG_RETURN_NULL();
  return entry([&] {
    if (PG_ARGISNULL(1)) return state_argument<HyperLogLog>(fcinfo).datum();
    const Datum other = PG_GETARG_DATUM(1);
    auto* expanded = Expanded<HyperLogLog>::of(other);
    if (PG_ARGISNULL(0)) {
      return state_argument<HyperLogLog>(
                 fcinfo,
                 [&](std::pmr::memory_resource* resource) {
                   return expanded != nullptr ? HyperLogLog(expanded->value(), resource)
                                              : HyperLogLog::read(byte_view(other), resource);
                 })
          .datum();
    }
    auto& state = state_argument<HyperLogLog>(fcinfo);
    if (expanded != nullptr) {
      state.value().merge(expanded->value());
    } else {
      state.value().merge_stored(byte_view(other));
    }
    return state.datum();
  });
}

PG_FUNCTION_INFO_V1(vigil_hyperloglog_cardinality);
Datum vigil_hyperloglog_cardinality(PG_FUNCTION_ARGS) {
  return entry([&] {
    const Reading<HyperLogLog> set(PG_GETARG_DATUM(0));
    const double cardinality = set->cardinality();
    if (cardinality >= 0x1p63)
      throw Error(Code::kNumericOutOfRange, "cardinality is out of range for type bigint");
    return Int64GetDatum(std::llround(cardinality));
  });
}

PG_FUNCTION_INFO_V1(vigil_hyperloglog_original_cardinality);
Datum vigil_hyperloglog_original_cardinality(PG_FUNCTION_ARGS) {
  return entry([&] {
    const Reading<HyperLogLog> set(PG_GETARG_DATUM(0));
    return Float8GetDatum(set->original_cardinality());
  });
}

PG_FUNCTION_INFO_V1(vigil_hyperloglog_relative_error);
Datum vigil_hyperloglog_relative_error(PG_FUNCTION_ARGS) {
  return entry([&] {
    const Reading<HyperLogLog> set(PG_GETARG_DATUM(0));
    return Float8GetDatum(set->relative_error());
  });
}

PG_FUNCTION_INFO_V1(vigil_hyperloglog_union);
Datum vigil_hyperloglog_union(PG_FUNCTION_ARGS) {
  return entry([&] {
    ContextResource resource(CurrentMemoryContext);
    return flat_datum(union_of(fcinfo, &resource));
  });
}

PG_FUNCTION_INFO_V1(vigil_hyperloglog_intersection);
Datum vigil_hyperloglog_intersection(PG_FUNCTION_ARGS) {
  return entry([&] {
    const Reading<HyperLogLog> one(PG_GETARG_DATUM(0));
    const Reading<HyperLogLog> other(PG_GETARG_DATUM(1));
    const auto both = HyperLogLog::intersection(*one, *other);
    return call([&] {
      TupleDesc row = nullptr;
      if (get_call_result_type(fcinfo, nullptr, &row) != TYPEFUNC_COMPOSITE)
        ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                        errmsg("function returning record called in context that cannot accept "
                               "type record")));
      Datum values[2] = {Float8GetDatum(both.cardinality), Float8GetDatum(both.standard_error)};
      bool nulls[2] = {};
      return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(row), values, nulls));
    });
  });
}

PG_FUNCTION_INFO_V1(vigil_hyperloglog_equal);
Datum vigil_hyperloglog_equal(PG_FUNCTION_ARGS) { return BoolGetDatum(are_equal(fcinfo)); }

PG_FUNCTION_INFO_V1(vigil_hyperloglog_differ);
Datum vigil_hyperloglog_differ(PG_FUNCTION_ARGS) { return BoolGetDatum(!are_equal(fcinfo)); }

PG_FUNCTION_INFO_V1(vigil_hyperloglog_to_bytea);
Datum vigil_hyperloglog_to_bytea(PG_FUNCTION_ARGS) {
  return entry([&] {
    const Reading<HyperLogLog> set(PG_GETARG_DATUM(0));
    ContextResource resource(CurrentMemoryContext);
    Bytes bytes(&resource);
    set->write_public(bytes);
    return text_datum({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  });
}

PG_FUNCTION_INFO_V1(vigil_hyperloglog_from_bytea);
Datum vigil_hyperloglog_from_bytea(PG_FUNCTION_ARGS) {
  return entry([&] {
    ContextResource resource(CurrentMemoryContext);
    return flat_datum(HyperLogLog::read_public(byte_view(PG_GETARG_DATUM(0)), &resource));
  });
}
}
