// The boundary between C++ and PostgreSQL: whole errors both ways, and memory.
//
// entry() is the outside of every SQL function: an exception becomes ereport(ERROR).
// call() is the outside of every PostgreSQL function that can fail: ereport becomes an exception.
// CONTRIBUTING.md has the rules.
#pragma once

#include "core/error.hpp"
#include "pg/postgres.hpp"

namespace vigil::pg {

// A PostgreSQL error on its way through C++ frames, whole. Not a std::exception, so that a generic
// handler cannot swallow a cancel request.
struct PgError {
  ErrorData* data;
};

// What left a guarded body, in a form that has no destructor.
struct Failure {
  enum class Kind { kNone, kPostgres, kRaised };
  Kind kind = Kind::kNone;
  ErrorData* data = nullptr;  // kPostgres
  int sqlstate = 0;           // kRaised, with the three texts
  const char* message = nullptr;
  const char* detail = nullptr;
  const char* hint = nullptr;
};

// Runs body(argument); whatever it throws is stored in the result.
Failure run_guarded(void (*body)(void*), void* argument) noexcept;

// Raises the failure as a PostgreSQL error. No C++ object may be alive in the caller's frame.
[[noreturn]] void raise_failure(const Failure& failure);

// Runs body(argument) under PG_TRY; an error becomes PgError, exhausted memory std::bad_alloc.
void run_protected(void (*body)(void*), void* argument);

// SQLSTATE (as errcode() takes it) of a code of the core.
int sqlstate_of(Code code) noexcept;

// Runs the lambda of a SQL function and returns its value. The lambda must capture by reference.
template <typename F>
auto entry(F&& body) -> std::invoke_result_t<F> {
  using Result = std::invoke_result_t<F>;
  using Body = std::remove_reference_t<F>;
  if constexpr (std::is_void_v<Result>) {
    const Failure failure =
        run_guarded([](void* argument) { (*static_cast<Body*>(argument))(); }, &body);
    if (failure.kind != Failure::Kind::kNone) raise_failure(failure);
  } else {
    static_assert(std::is_trivially_copyable_v<Result>);
    struct Frame {
      Body* body;
      Result result;
    } frame{&body, {}};
    const Failure failure = run_guarded(
        [](void* argument) {
          auto* self = static_cast<Frame*>(argument);
          self->result = (*self->body)();
        },
        &frame);
    if (failure.kind != Failure::Kind::kNone) raise_failure(failure);
    return frame.result;
  }
}

// Runs PostgreSQL code that can fail while C++ objects are alive outside. The lambda itself may
// hold only trivially destructible locals and must not throw.
template <typename F>
auto call(F&& body) -> std::invoke_result_t<F> {
  using Result = std::invoke_result_t<F>;
  using Body = std::remove_reference_t<F>;
  if constexpr (std::is_void_v<Result>) {
    run_protected([](void* argument) { (*static_cast<Body*>(argument))(); }, &body);
  } else {
    static_assert(std::is_trivially_copyable_v<Result>);
    struct Frame {
      Body* body;
      Result result;
    } frame{&body, {}};
    run_protected(
        [](void* argument) {
          auto* self = static_cast<Frame*>(argument);
          self->result = (*self->body)();
        },
        &frame);
    return frame.result;
  }
}

// Memory of a MemoryContext for std::pmr containers. Exhaustion throws std::bad_alloc instead of
// jumping over live objects.
class ContextResource final : public std::pmr::memory_resource {
 public:
  explicit ContextResource(MemoryContext context) noexcept : context_(context) {}

 private:
  void* do_allocate(std::size_t bytes, std::size_t alignment) override;
  void do_deallocate(void* pointer, std::size_t bytes, std::size_t alignment) override;
  bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override;

  MemoryContext context_;
};

// Bytes of the current memory context that nobody has to free; throws std::bad_alloc.
void* allocate(std::size_t bytes);

// A text datum in the current memory context; throws std::bad_alloc.
Datum text_datum(std::string_view value);

// The bytes of a text, bytea or json argument, detoasted in the current memory context.
std::string_view text_view(Datum value);

// The same as unsigned bytes.
std::span<const std::uint8_t> byte_view(Datum value);

}  // namespace vigil::pg
