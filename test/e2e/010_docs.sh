#!/usr/bin/env bash
# Runs every ```sql block of README.md and doc/*.md, page by page, each page in a database of its own, and the files of
# examples/. A block marked ```sql no-run is only shown. Prints TAP; PG* tells which server.
set -euo pipefail

source_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$source_dir"
database=vigil_docs
work=$(mktemp -d)
number=0
failures=0

trap 'rm -rf "$work"; dropdb --if-exists --force "$database" > /dev/null 2>&1 || true' EXIT

# The runnable blocks of a page; all other lines become empty, so that psql's line numbers are those of the page.
runnable() {
  awk '/^```/ { inside = !inside && $0 == "```sql"; print ""; next } { print inside ? $0 : "" }' "$1"
}

count_blocks() { grep -cx '```sql' "$1" || true; }

fresh_database() {
  dropdb --if-exists --force "$database"
  createdb "$database"
}

run_sql() { psql -X -q -v ON_ERROR_STOP=1 -d "$database" "$@" > "$work/out" 2>&1; }

report() {
  local status=$1 name=$2
  number=$((number + 1))
  if ((status == 0)); then
    echo "ok $number - $name"
  else
    echo "not ok $number - $name"
    failures=$((failures + 1))
    grep -A 5 -E 'ERROR|FATAL|error:' "$work/out" | head -n 40 | sed 's/^/# /' || true
  fi
}

# A page that creates the extension shows it; for the others it is there.
test_page() {
  local page=$1 copy=$work/${1//\//_} status=0
  runnable "$page" > "$copy"
  fresh_database
  grep -qi 'create extension pg_vigil' "$copy" || run_sql -c 'CREATE EXTENSION pg_vigil'
  run_sql -f "$copy" || status=$?
  report "$status" "$page: $(count_blocks "$page") examples"
}

# They are queries over traffic, so there must be some.
test_examples() {
  local file status=0
  fresh_database
  run_sql -c 'CREATE EXTENSION pg_vigil' -f examples/traffic.sql \
    -c "CALL traffic.history(1, now() - interval '3 hours', now())" || status=$?
  report "$status" "examples/traffic.sql"
  for file in examples/*.sql; do
    [[ $file != examples/traffic.sql ]] || continue
    status=0
    run_sql -f "$file" || status=$?
    report "$status" "$file"
  done
}

# A test that cannot fail shows nothing: a wrong example must be found, a skipped one must not.
test_itself() {
  local page=$work/page.md status=0
  # shellcheck disable=SC2016  # the quotes are of Markdown
  printf '```sql no-run\nSELECT 1/0;\n```\n```\nno SQL\n```\n```sql\nSELECT 1;\n```\n' > "$page"
  fresh_database
  runnable "$page" > "$work/self.sql"
  run_sql -f "$work/self.sql" || status=$?
  # shellcheck disable=SC2016
  printf '```sql\nSELECT 1/0;\n```\n' >> "$page"
  runnable "$page" > "$work/self.sql"
  ! run_sql -f "$work/self.sql" || status=1
  report "$status" "a wrong example is found, and one that is marked no-run is not run"
}

# The page of requirements says done only where one of the tests it lists names the id.
test_features() {
  local line id file status=0
  : > "$work/out"
  while read -r line; do
    id=${line#| }
    id=${id%% *}
    while read -r file; do
      ! grep -qsw -e "$id" "${file:-/dev/null}" || continue 2
    done <<< "$(grep -o '](\.\./test/[^)]*)' <<< "$line" | sed 's/](\.\.\/\(.*\))/\1/')"
    echo "error: $id is done, but none of its tests names it" >> "$work/out"
  done <<< "$(grep -E '^\| (S[0-4]|D|C)-.*\| done \|' doc/features.md)"
  [[ ! -s $work/out ]] || status=1
  report "$status" "doc/features.md: every row that is done has a test that names it"
}

test_itself
test_features
for page in README.md doc/*.md; do
  (($(count_blocks "$page") == 0)) || test_page "$page"
done
test_examples
echo "1..$number"
((failures == 0))
