#include "pg/boundary.hpp"

#include <limits>
#include <new>

namespace vigil::pg {

namespace {

// A copy that raising can still read after the exception is gone. Null when memory is exhausted.
const char* keep_text(std::string_view text) noexcept {
  constexpr std::size_t kLongest = 64 * 1024;
  const std::size_t size = std::min(text.size(), kLongest);
  auto* copy = static_cast<char*>(
      MemoryContextAllocExtended(CurrentMemoryContext, size + 1, MCXT_ALLOC_NO_OOM));
  if (copy == nullptr) return nullptr;
  std::memcpy(copy, text.data(), size);
  copy[size] = '\0';
  return copy;
}

Failure raised(int sqlstate, std::string_view message, std::string_view detail = {},
               std::string_view hint = {}) noexcept {
  Failure failure;
  failure.kind = Failure::Kind::kRaised;
  failure.sqlstate = sqlstate;
  failure.message = keep_text(message);
  if (!detail.empty()) failure.detail = keep_text(detail);
  if (!hint.empty()) failure.hint = keep_text(hint);
  return failure;
}

Failure of_postgres(ErrorData* data) noexcept {
  Failure failure;
  failure.kind = Failure::Kind::kPostgres;
  failure.data = data;
  return failure;
}

}  // namespace

int sqlstate_of(Code code) noexcept {
  switch (code) {
    case Code::kInvalidArgument:
      return ERRCODE_INVALID_PARAMETER_VALUE;
    case Code::kInvalidText:
      return ERRCODE_INVALID_TEXT_REPRESENTATION;
    case Code::kInvalidBinary:
      return ERRCODE_INVALID_BINARY_REPRESENTATION;
    case Code::kNullValue:
      return ERRCODE_NULL_VALUE_NOT_ALLOWED;
    case Code::kNumericOutOfRange:
      return ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE;
    case Code::kTimestampOutOfRange:
      return ERRCODE_DATETIME_VALUE_OUT_OF_RANGE;
    case Code::kStringTooLong:
      return ERRCODE_STRING_DATA_RIGHT_TRUNCATION;
    case Code::kInvalidJson:
      return ERRCODE_INVALID_JSON_TEXT;
    case Code::kUntranslatable:
      return ERRCODE_UNTRANSLATABLE_CHARACTER;
    case Code::kLimitExceeded:
      return ERRCODE_PROGRAM_LIMIT_EXCEEDED;
    case Code::kFeatureNotSupported:
      return ERRCODE_FEATURE_NOT_SUPPORTED;
    case Code::kOutOfMemory:
      return ERRCODE_OUT_OF_MEMORY;
    case Code::kInternal:
      break;
  }
  return ERRCODE_INTERNAL_ERROR;
}

// Every clause only copies; raising waits until the exception is destroyed.
Failure run_guarded(void (*body)(void*), void* argument) noexcept {
  try {
    body(argument);
    return {};
  } catch (const PgError& error) {
    return of_postgres(error.data);
  } catch (const Error& error) {
    return raised(sqlstate_of(error.code()), error.message(), error.detail(), error.hint());
  } catch (const std::bad_alloc&) {
    return raised(ERRCODE_OUT_OF_MEMORY, "out of memory");
  } catch (const std::exception& error) {
    return raised(ERRCODE_INTERNAL_ERROR, error.what());
  } catch (...) {
    return raised(ERRCODE_INTERNAL_ERROR, "unknown error in pg_vigil");
  }
}

void raise_failure(const Failure& failure) {
  if (failure.kind == Failure::Kind::kPostgres) ReThrowError(failure.data);
  ereport(ERROR, (errcode(failure.sqlstate),
                  errmsg_internal("%s", failure.message ? failure.message : "out of memory"),
                  failure.detail ? errdetail_internal("%s", failure.detail) : 0,
                  failure.hint ? errhint("%s", failure.hint) : 0));
  pg_unreachable();
}

void run_protected(void (*body)(void*), void* argument) {
  const MemoryContext context = CurrentMemoryContext;
  ErrorData* volatile data = nullptr;
  volatile bool exhausted = false;
  PG_TRY();
  { body(argument); }
  PG_CATCH();
  {
    MemoryContextSwitchTo(context);
    // Copying an out-of-memory error would need memory.
    if (geterrcode() == ERRCODE_OUT_OF_MEMORY)
      exhausted = true;
    else
      data = CopyErrorData();
    FlushErrorState();
  }
  PG_END_TRY();
  if (exhausted) throw std::bad_alloc();
  if (data != nullptr) throw PgError{data};
}

namespace {

void* allocate_in(MemoryContext context, std::size_t bytes) {
  if (!AllocHugeSizeIsValid(bytes)) throw std::bad_alloc();
  void* pointer = MemoryContextAllocExtended(context, bytes, MCXT_ALLOC_NO_OOM | MCXT_ALLOC_HUGE);
  if (pointer == nullptr) throw std::bad_alloc();
  return pointer;
}

}  // namespace

void* ContextResource::do_allocate(std::size_t bytes, std::size_t alignment) {
  if (alignment <= MAXIMUM_ALIGNOF) return allocate_in(context_, bytes);
  // The chunk's own address is kept in the word before the aligned one.
  if (bytes > std::numeric_limits<std::size_t>::max() - alignment - sizeof(void*))
    throw std::bad_alloc();
  void* chunk = allocate_in(context_, bytes + alignment + sizeof(void*));
  const auto first = reinterpret_cast<std::uintptr_t>(chunk) + sizeof(void*);
  const std::uintptr_t aligned = (first + alignment - 1) & ~(alignment - 1);
  reinterpret_cast<void**>(aligned)[-1] = chunk;
  return reinterpret_cast<void*>(aligned);
}

void ContextResource::do_deallocate(void* pointer, std::size_t, std::size_t alignment) {
  pfree(alignment <= MAXIMUM_ALIGNOF ? pointer : static_cast<void**>(pointer)[-1]);
}

bool ContextResource::do_is_equal(const std::pmr::memory_resource& other) const noexcept {
  const auto* same = dynamic_cast<const ContextResource*>(&other);
  return same != nullptr && same->context_ == context_;
}

void* allocate(std::size_t bytes) { return allocate_in(CurrentMemoryContext, bytes); }

Datum text_datum(std::string_view value) {
  if (value.size() > MaxAllocSize - VARHDRSZ)
    throw Error(Code::kLimitExceeded,
                "text of " + std::to_string(value.size()) + " bytes is longer than a value may be");
  auto* result = static_cast<text*>(allocate(VARHDRSZ + value.size()));
  SET_VARSIZE(result, VARHDRSZ + value.size());
  if (!value.empty()) std::memcpy(VARDATA(result), value.data(), value.size());
  return PointerGetDatum(result);
}

std::string_view text_view(Datum value) {
  const auto* detoasted = reinterpret_cast<const struct varlena*>(DatumGetPointer(value));
  // Only what is compressed or stored elsewhere can fail to be read.
  if (VARATT_IS_COMPRESSED(detoasted) || VARATT_IS_EXTERNAL(detoasted))
    detoasted = call([&] { return PG_DETOAST_DATUM_PACKED(value); });
  return {VARDATA_ANY(detoasted), static_cast<std::size_t>(VARSIZE_ANY_EXHDR(detoasted))};
}

std::span<const std::uint8_t> byte_view(Datum value) {
  const std::string_view text = text_view(value);
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

}  // namespace vigil::pg
