// What only a server can show of the boundary. No SQL object points here: tests declare the
// function they need (test/pgtap/boundary.sql).
#include <malloc.h>

#include <cstdlib>
#include <stdexcept>

#include "pg/boundary.hpp"

using namespace vigil;
using namespace vigil::pg;

namespace {

int live_objects = 0;

struct Counted {
  Counted() { ++live_objects; }
  ~Counted() { --live_objects; }
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;
};

void raise_whole_error() {
  ereport(ERROR, (errcode(ERRCODE_LOCK_NOT_AVAILABLE), errmsg("message of PostgreSQL"),
                  errdetail("Detail of PostgreSQL."), errhint("Hint of PostgreSQL.")));
}

void exhaust_memory() {
  ContextResource resource(CurrentMemoryContext);
  std::pmr::vector<std::pmr::vector<char>> blocks(&resource);
  // More than any machine has: the allocator must answer before the kernel is asked to pay.
  for (;;) blocks.emplace_back(std::size_t{1} << 45);
}

void misbehave(std::string_view how) {
  const Counted counted;
  ContextResource resource(CurrentMemoryContext);
  const std::pmr::vector<char> block(1000, 'x', &resource);
  if (how == "core error")
    throw Error(Code::kInvalidArgument, "message of the core", "Detail of the core.",
                "Hint of the core.");
  if (how == "postgres error") call([] { raise_whole_error(); });
  if (how == "nested error")
    call([] { DirectFunctionCall1(int4in, CStringGetDatum("no number")); });
  if (how == "standard exception") throw std::runtime_error("message of the library");
  if (how == "unknown exception") throw 42;
  if (how == "exhausted memory") exhaust_memory();
  if (how == "impossible size") (void)resource.allocate(~std::size_t{0} / 2, 8);
  if (how == "lost memory") {
    // What the other cases must not do: shows that the test would see it.
    void* volatile lost = std::malloc(100);
    (void)lost;
  }
  if (how == "aligned memory") {
    void* block64 = resource.allocate(100, 64);
    if (reinterpret_cast<std::uintptr_t>(block64) % 64 != 0)
      throw Error(Code::kInternal, "memory is not aligned");
    resource.deallocate(block64, 100, 64);
  }
}

}  // namespace

extern "C" {

// boundary_test(how text) returns the number of objects alive afterwards
PG_FUNCTION_INFO_V1(vigil_boundary_test);
Datum vigil_boundary_test(PG_FUNCTION_ARGS) {
  return entry([&] {
    misbehave(text_view(PG_GETARG_DATUM(0)));
    return Int32GetDatum(live_objects);
  });
}

// boundary_heap() returns the bytes that this process has taken from malloc: what PostgreSQL holds
// in its contexts, and what a lost exception would hold outside of them.
PG_FUNCTION_INFO_V1(vigil_boundary_heap);
Datum vigil_boundary_heap(PG_FUNCTION_ARGS) {
  return entry([&] {
    const struct mallinfo2 heap = mallinfo2();
    return Int64GetDatum(static_cast<std::int64_t>(heap.uordblks + heap.hblkhd));
  });
}
}
