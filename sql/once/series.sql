-- What charts show of a window.
CREATE TYPE vigil.cell_stats AS (
  events bigint,
  failures bigint,
  mean double precision,
  p50 double precision,
  p95 double precision,
  p99 double precision,
  max double precision,
  sites bigint,
  sessions bigint,
  users bigint,
  estimated_events double precision,
  estimated_failures double precision
);
COMMENT ON TYPE vigil.cell_stats IS
  'Numbers of a cell: its facts, those that failed, a distribution (null without values), how many different sites, sessions and users, and how many facts and failures its own stand for.';
