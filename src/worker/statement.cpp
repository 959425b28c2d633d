#include "worker/statement.hpp"

namespace vigil::worker {

// SPI would need a portal around it.
void run_statement(const char* statement, MemoryContext context) {
  debug_query_string = statement;
  pgstat_report_activity(STATE_RUNNING, statement);
  SetCurrentStatementStartTimestamp();
  StartTransactionCommand();
  MemoryContextSwitchTo(context);
  auto* raw = linitial_node(RawStmt, pg_parse_query(statement));
  PushActiveSnapshot(GetTransactionSnapshot());
  List* queries = pg_analyze_and_rewrite_fixedparams(raw, statement, nullptr, 0, nullptr);
  List* plans = pg_plan_queries(queries, statement, 0, nullptr);
  PopActiveSnapshot();
  Portal portal = CreatePortal("", true, true);
  portal->visible = false;
  PortalDefineQuery(portal, nullptr, statement, CreateCommandTag(raw->stmt), plans, nullptr);
  PortalStart(portal, nullptr, 0, InvalidSnapshot);
  DestReceiver* receiver = CreateDestReceiver(DestNone);
  QueryCompletion completion;
  pg::run_portal(portal, receiver, &completion);
  receiver->rDestroy(receiver);
  PortalDrop(portal, false);
  CommitTransactionCommand();
  MemoryContextSwitchTo(context);
  debug_query_string = nullptr;
}

}  // namespace vigil::worker
