# pg_vigil: the extension (PGXS). `make`, `make install`, `make installcheck`.
# The core alone, without a server: see CMakeLists.txt.

EXTENSION = pg_vigil
EXTVERSION = $(shell sed -n "s/^default_version *= *'\(.*\)'/\1/p" pg_vigil.control)
MODULE_big = pg_vigil

OBJS = $(patsubst %.cpp,%.o,$(wildcard src/core/*.cpp src/pg/*.cpp src/worker/*.cpp))

# What runs once (types, tables) and what can run again (functions, views), each in install order.
SQL_ONCE = $(addprefix sql/once/, schema.sql uuid.sql histogram.sql hyperloglog.sql exact_sum.sql \
	topk.sql counter.sql cell.sql settings.sql capture.sql rate_limit.sql quota.sql facts.sql partition.sql kept_error.sql managed_table.sql rollup.sql late.sql expire.sql series.sql fingerprint.sql error_group.sql error_priority.sql grouping.sql baseline.sql alert.sql \
	delivery.sql job.sql verify.sql log_template.sql doctor.sql)
SQL_AGAIN = $(addprefix sql/, settings.sql uuid.sql ip.sql sample.sql rate_limit.sql quota.sql time_bucket.sql stack.sql fingerprint.sql message_template.sql log_template.sql histogram.sql \
	hyperloglog.sql exact_sum.sql topk.sql counter.sql cell.sql partition.sql kept_error.sql retention.sql managed_table.sql partition_forecast.sql dirty.sql rollup.sql series.sql verify.sql backfill.sql expire.sql ingest.sql quarantine.sql late.sql \
	analytics.sql release.sql error_group.sql error_ignore.sql error_merge.sql error_priority.sql \
	grouping.sql baseline.sql alert.sql delivery.sql cron.sql job.sql capture.sql doctor.sql security.sql dump.sql)

DATA_built = $(EXTENSION)--$(EXTVERSION).sql
DATA = $(wildcard sql/updates/*--*.sql)
EXTRA_CLEAN = $(DATA_built) $(OBJS:.o=.d) results regression.diffs regression.out output_iso tmp_check log

# PostgreSQL 15 looks for a test in ./sql first: no test may be named as a module there.
REGRESS = $(patsubst test/sql/%.sql,%,$(sort $(wildcard test/sql/*.sql)))
REGRESS_OPTS = --inputdir=test
ISOLATION = $(patsubst test/isolation/specs/%.spec,%,$(sort $(wildcard test/isolation/specs/*.spec)))
ISOLATION_OPTS = --inputdir=test/isolation
TAP_TESTS = 1
PROVE_TESTS = $(sort $(wildcard test/t/*.pl))

PG_CONFIG ?= pg_config
# The server's headers are not ours to warn about.
PG_CPPFLAGS = -isystem $(includedir_server) -Isrc -DVIGIL_VERSION='"$(EXTVERSION)"'
PG_CXXFLAGS = -std=c++20 -Wextra -Wno-unused-parameter -Wno-missing-field-initializers
# GCC 16 guesses another memory_resource behind a virtual call and warns of the bounds of its guess.
PG_CXXFLAGS += -Wno-array-bounds
ifdef WERROR
PG_CXXFLAGS += -Werror
endif
SHLIB_LINK = -lcurl -lcrypto -lz -lstdc++ -Wl,--version-script=exports.map

# PGXS compiles bitcode without PG_CXXFLAGS, and JIT cannot inline C++ anyway.
override with_llvm = no
PGXS := $(shell $(PG_CONFIG) --pgxs)
include $(PGXS)

# PGXS adds C-only warning flags to C++ and knows no header dependencies.
override CXXFLAGS := $(filter-out -Wdeclaration-after-statement,$(CXXFLAGS)) -MMD -MP
-include $(OBJS:.o=.d)

$(MODULE_big).so: exports.map

# CREATE OR REPLACE stands in the modules so that updates can run them again.
$(EXTENSION)--$(EXTVERSION).sql: $(SQL_ONCE) $(SQL_AGAIN) pg_vigil.control Makefile
	@{ printf '%s\n' '\echo Use "CREATE EXTENSION $(EXTENSION)" to load this file. \quit'; \
	   cat $(SQL_ONCE) $(SQL_AGAIN); } > $@

.PHONY: installcheck-regress installcheck-isolation installcheck-tap
installcheck-regress:
	$(pg_regress_installcheck) $(REGRESS_OPTS) $(REGRESS)

installcheck-isolation:
	$(pg_isolation_regress_installcheck) $(ISOLATION_OPTS) $(ISOLATION)

installcheck-tap:
	$(prove_installcheck)
