// DROP DATABASE and its kin wait in vain for sessions that never end: ours leave by themselves.
#include "worker/shared.hpp"

namespace vigil::worker {

namespace {

ProcessUtility_hook_type previous_hook = nullptr;

// The value of an option, or null.
const char* value_of(const List* options, const char* name) {
  ListCell* cell;
  foreach (cell, options) {
    auto* option = lfirst_node(DefElem, cell);
    if (std::strcmp(option->defname, name) == 0 && option->arg != nullptr)
      return defGetString(option);
  }
  return nullptr;
}

// The database that the statement needs for itself, or null.
const char* wanted_database(Node* statement) {
  switch (nodeTag(statement)) {
    case T_DropdbStmt:
      return reinterpret_cast<DropdbStmt*>(statement)->dbname;
    case T_CreatedbStmt:
      return value_of(reinterpret_cast<CreatedbStmt*>(statement)->options, "template");
    case T_AlterDatabaseStmt: {
      auto* alter = reinterpret_cast<AlterDatabaseStmt*>(statement);
      return value_of(alter->options, "tablespace") != nullptr ? alter->dbname : nullptr;
    }
    case T_RenameStmt: {
      auto* rename = reinterpret_cast<RenameStmt*>(statement);
      return rename->renameType == OBJECT_DATABASE ? rename->subname : nullptr;
    }
    default:
      return nullptr;
  }
}

// Only an owner can do any of it, so nobody else shall stop the workers by trying.
void make_room(Node* statement) {
  const char* name = wanted_database(statement);
  if (name == nullptr) return;
  const Oid database = get_database_oid(name, true);
  if (OidIsValid(database) && pg::owns_database(database, GetUserId())) leave_database(database);
}

void process_utility(PlannedStmt* statement, const char* query, bool read_only_tree,
                     ProcessUtilityContext context, ParamListInfo parameters,
                     QueryEnvironment* environment, DestReceiver* destination,
                     QueryCompletion* completion) {
  make_room(statement->utilityStmt);
  auto* next = previous_hook != nullptr ? previous_hook : standard_ProcessUtility;
  next(statement, query, read_only_tree, context, parameters, environment, destination, completion);
}

}  // namespace

void install_utility_hook() {
  previous_hook = ProcessUtility_hook;
  ProcessUtility_hook = process_utility;
}

}  // namespace vigil::worker
