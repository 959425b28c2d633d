// What the keeper does with tables of users, it does as their owners, who cannot reach further by
// it.
#include "pg/boundary.hpp"

namespace vigil::pg {

namespace {

// Another user, as maintenance commands become one: code that runs meanwhile can neither go back to
// who called nor keep anything for later. An error undoes it with the (sub)transaction.
struct Identity {
  Oid user;
  int context;
  int nesting;
};

Identity become(Oid user) {
  Identity before = {};
  GetUserIdAndSecContext(&before.user, &before.context);
  SetUserIdAndSecContext(
      user, before.context | SECURITY_LOCAL_USERID_CHANGE | SECURITY_RESTRICTED_OPERATION);
  before.nesting = NewGUCNestLevel();
  return before;
}

void return_to(const Identity& before) {
  AtEOXact_GUC(false, before.nesting);
  SetUserIdAndSecContext(before.user, before.context);
}

Oid owner_of_table(Oid table) {
  HeapTuple tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(table));
  if (!HeapTupleIsValid(tuple))
    ereport(ERROR,
            (errcode(ERRCODE_UNDEFINED_TABLE), errmsg("table with OID %u does not exist", table)));
  const Oid owner = reinterpret_cast<Form_pg_class>(GETSTRUCT(tuple))->relowner;
  ReleaseSysCache(tuple);
  return owner;
}

Oid owner_of_function(Oid function) {
  HeapTuple tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
  if (!HeapTupleIsValid(tuple)) elog(ERROR, "cache lookup failed for function %u", function);
  const Oid owner = reinterpret_cast<Form_pg_proc>(GETSTRUCT(tuple))->proowner;
  ReleaseSysCache(tuple);
  return owner;
}

}  // namespace

}  // namespace vigil::pg

extern "C" {

using namespace vigil::pg;

PG_FUNCTION_INFO_V1(vigil_run_as_owner);
Datum vigil_run_as_owner(PG_FUNCTION_ARGS) {
  return entry([&] {
    const char* answer = call([&]() -> const char* {
      const char* statement = text_to_cstring(PG_GETARG_TEXT_PP(1));
      const MemoryContext context = CurrentMemoryContext;
      const Identity before = become(owner_of_table(PG_GETARG_OID(0)));
      char* value = nullptr;
      SPI_connect();
      SPI_execute(statement, false, 0);
      if (SPI_processed > 0 && SPI_tuptable != nullptr)
        value = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
      if (value != nullptr) value = MemoryContextStrdup(context, value);
      SPI_finish();
      return_to(before);
      return value;
    });
    if (answer == nullptr) {
      fcinfo->isnull = true;
      return Datum{0};
    }
    return text_datum(answer);
  });
}

// Only C knows who calls: a function that is SECURITY DEFINER sees its owner or the session.
PG_FUNCTION_INFO_V1(vigil_set_managed_table);
Datum vigil_set_managed_table(PG_FUNCTION_ARGS) {
  return entry([&] {
    call([&] {
      const Oid table = PG_GETARG_OID(0);
      (void)owner_of_table(table);
      if (!owns_table(table, GetUserId()))
        aclcheck_error(ACLCHECK_NOT_OWNER, OBJECT_TABLE, get_rel_name(table));
      const Identity before = become(owner_of_function(fcinfo->flinfo->fn_oid));
      Oid types[] = {REGCLASSOID, JSONBOID};
      Datum values[] = {PG_GETARG_DATUM(0), PG_ARGISNULL(1) ? Datum{0} : PG_GETARG_DATUM(1)};
      const char nulls[] = {' ', PG_ARGISNULL(1) ? 'n' : ' '};
      SPI_connect();
      SPI_execute_with_args("SELECT vigil.write_managed_table($1, $2)", 2, types, values, nulls,
                            false, 1);
      SPI_finish();
      return_to(before);
    });
    return Datum{0};
  });
}
}
