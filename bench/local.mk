# SPDX-License-Identifier: BSD-2-Clause
# Benchmarks: run by hand, never by a test.
noinst_PROGRAMS += bench/do_nothing
bench_do_nothing_SOURCES = bench/do_nothing.c
bench_do_nothing_LDADD = $(MILTER_LIBS)
EXTRA_DIST += bench/corpus.py bench/milter.py

bench-milter: all
	top_srcdir='$(abs_top_srcdir)' top_builddir='$(abs_top_builddir)' python3 $(top_srcdir)/bench/milter.py
.PHONY: bench-milter

# make bench-store MESSAGES=1000000
noinst_PROGRAMS += bench/store
bench_store_SOURCES = bench/store.c
bench_store_LDADD = $(STORE_LIBS) $(BASE_LIBS)
EXTRA_DIST += bench/store.sh

bench-store: all
	$(SHELL) $(top_srcdir)/bench/store.sh '$(abs_top_builddir)' $(MESSAGES)
.PHONY: bench-store

# make bench-block-list, make bench-block SENSORS=10
noinst_PROGRAMS += bench/block_list
bench_block_list_SOURCES = bench/block_list.c
bench_block_list_LDADD = $(BASE_LIBS)
EXTRA_DIST += bench/block.py

bench-block-list: bench/block_list
	bench/block_list
bench-block: all
	top_srcdir='$(abs_top_srcdir)' top_builddir='$(abs_top_builddir)' python3 $(top_srcdir)/bench/block.py
.PHONY: bench-block bench-block-list

# make bench-readings MESSAGES=60
bench-readings: all tests/tools/read_corpus
	top_srcdir='$(abs_top_srcdir)' top_builddir='$(abs_top_builddir)' MESSAGES='$(MESSAGES)' python3 $(top_srcdir)/tests/it/cost.py
.PHONY: bench-readings

# make bench-mailstore MAILBOXES="200 5000" JOBS=8
EXTRA_DIST += bench/mailstore.py

bench-mailstore: all
	top_srcdir='$(abs_top_srcdir)' top_builddir='$(abs_top_builddir)' MAILBOXES='$(MAILBOXES)' \
		JOBS='$(JOBS)' python3 $(top_srcdir)/bench/mailstore.py
.PHONY: bench-mailstore

# make bench-contain MAILBOXES="200 5000" JOBS=8
EXTRA_DIST += bench/contain.py bench/mailboxes.py
bench-contain: all tests/tools/milterplay
	top_srcdir='$(abs_top_srcdir)' top_builddir='$(abs_top_builddir)' MAILBOXES='$(MAILBOXES)' \
		JOBS='$(JOBS)' python3 $(top_srcdir)/bench/contain.py
.PHONY: bench-contain
