#include "pg/bulk_insert.hpp"

extern "C" {
#include "catalog/namespace.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_trigger.h"
#include "utils/rls.h"
}

namespace vigil::pg {

namespace {

bool marks_only(Oid function) {
  HeapTuple tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
  if (!HeapTupleIsValid(tuple)) return false;
  const auto* row = reinterpret_cast<Form_pg_proc>(GETSTRUCT(tuple));
  const bool ours = std::strcmp(NameStr(row->proname), "mark_dirty") == 0 &&
                    row->pronamespace == get_namespace_oid("vigil", true);
  ReleaseSysCache(tuple);
  return ours;
}

}  // namespace

bool stores_plainly(Relation relation) {
  const Oid oid = RelationGetRelid(relation);
  const TupleConstr* constraints = RelationGetDescr(relation)->constr;
  if (relation->rd_rules != nullptr) return false;
  if (constraints != nullptr && constraints->has_generated_stored) return false;
  if (relation->rd_rel->relrowsecurity && check_enable_rls(oid, InvalidOid, true) == RLS_ENABLED)
    return false;
  if (pg_class_aclcheck(oid, GetUserId(), ACL_INSERT) != ACLCHECK_OK) return false;
  const TriggerDesc* triggers = relation->trigdesc;
  for (int i = 0; triggers != nullptr && i < triggers->numtriggers; ++i) {
    const Trigger& trigger = triggers->triggers[i];
    if (TRIGGER_FOR_INSERT(trigger.tgtype) && trigger.tgenabled != TRIGGER_DISABLED &&
        !marks_only(trigger.tgfoid))
      return false;
  }
  return true;
}

BulkInsert::BulkInsert(Relation relation)
    : relation_(relation),
      estate_(CreateExecutorState()),
      result_(makeNode(ResultRelInfo)),
      columns_(nullptr),
      command_(GetCurrentCommandId(true)) {
  const MemoryContext caller = MemoryContextSwitchTo(estate_->es_query_cxt);
  // Not in a range table: only messages would name the columns of one.
  InitResultRelInfo(result_, relation_, 0, nullptr, 0);
  ExecOpenIndices(result_, false);
  // A copy is not counted for each slot.
  columns_ = CreateTupleDescCopy(RelationGetDescr(relation_));
  texts_ = static_cast<char*>(palloc(kTextBytes));
  MemoryContextSwitchTo(caller);
  next_slot();
}

// With the short header that it will have in the table.
Datum BulkInsert::text(std::string_view text) {
  const std::size_t size = VARHDRSZ_SHORT + text.size();
  if (size > VARATT_SHORT_MAX || text_bytes_ + size > kTextBytes) {
    const MemoryContext caller = MemoryContextSwitchTo(GetPerTupleMemoryContext(estate_));
    const Datum copy =
        PointerGetDatum(cstring_to_text_with_len(text.data(), static_cast<int>(text.size())));
    MemoryContextSwitchTo(caller);
    return copy;
  }
  char* const start = texts_ + text_bytes_;
  text_bytes_ += size;
  SET_VARSIZE_SHORT(start, size);
  std::memcpy(VARDATA_SHORT(start), text.data(), text.size());
  return PointerGetDatum(start);
}

void BulkInsert::next_slot() {
  if (slots_[count_] != nullptr) return;
  const MemoryContext caller = MemoryContextSwitchTo(estate_->es_query_cxt);
  slots_[count_] = MakeSingleTupleTableSlot(columns_, table_slot_callbacks(relation_));
  slots_[count_]->tts_tableOid = RelationGetRelid(relation_);
  MemoryContextSwitchTo(caller);
}

void BulkInsert::put() {
  TupleTableSlot* slot = slots_[count_];
  ExecStoreVirtualTuple(slot);
  if (RelationGetDescr(relation_)->constr != nullptr) ExecConstraints(result_, slot, estate_);
  if (++count_ == kRows) flush();
  next_slot();
}

void BulkInsert::flush() {
  CHECK_FOR_INTERRUPTS();
  const MemoryContext caller = MemoryContextSwitchTo(GetPerTupleMemoryContext(estate_));
  table_multi_insert(relation_, slots_, count_, command_, 0, nullptr);
  if (result_->ri_NumIndices > 0)
    for (int i = 0; i < count_; ++i) insert_index_tuples(result_, slots_[i], estate_);
  MemoryContextSwitchTo(caller);
  for (int i = 0; i < count_; ++i) ExecClearTuple(slots_[i]);
  ResetPerTupleExprContext(estate_);
  text_bytes_ = 0;
  count_ = 0;
}

void BulkInsert::finish() {
  if (count_ > 0) flush();
  ExecCloseIndices(result_);
  FreeExecutorState(estate_);
  CommandCounterIncrement();
}

}  // namespace vigil::pg
