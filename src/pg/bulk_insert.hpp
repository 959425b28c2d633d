// Rows stored as COPY stores them: many at once into the pages of a table, then into its indexes,
// without a plan. Only for tables whose rows need nothing else of the executor.
#pragma once

#include "pg/boundary.hpp"

namespace vigil::pg {

// Whether an INSERT by the current user would only check constraints, store the row and fire
// triggers that call vigil.mark_dirty(): the table has no others, no row security, no rules and no
// generated columns. Raises.
bool stores_plainly(Relation relation);

// Lives inside one call(): everything raises, nothing has a destructor. The caller has the table
// open and locked and closes it.
class BulkInsert {
 public:
  explicit BulkInsert(Relation relation);

  // Values and nulls of the next row, to be filled wholly; what they point at must live until
  // finish().
  Datum* values() { return slots_[count_]->tts_values; }
  bool* nulls() { return slots_[count_]->tts_isnull; }
  // A text for them.
  Datum text(std::string_view text);

  // Takes the row; a violated constraint is an error as of INSERT.
  void put();

  // Stores what is left. The rows are visible to the next command.
  void finish();

 private:
  static constexpr int kRows = 64;
  static constexpr std::size_t kTextBytes = 8000;  // no block of its own

  void next_slot();
  void flush();

  Relation relation_;
  EState* estate_;
  ResultRelInfo* result_;
  TupleDesc columns_;
  CommandId command_;
  int count_ = 0;
  char* texts_ = nullptr;  // short texts of the rows, one behind the other
  std::size_t text_bytes_ = 0;
  TupleTableSlot* slots_[kRows] = {};
};

}  // namespace vigil::pg
