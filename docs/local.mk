# SPDX-License-Identifier: BSD-2-Clause
# Pages that name directories are made from templates (contrib/local.mk has the
# rule); the others are as they are.
docs_made = docs/mailtrace-mailstore.8 docs/mailtrace-milter.8 docs/mailtrace-queue.8 docs/mailtrace.1 docs/mailtrace.conf.5
man_MANS = $(docs_made)
EXTRA_DIST += $(docs_made:=.in) docs/limits.awk
CLEANFILES += $(docs_made) docs/limits.mdoc

# The limits that mailtrace.conf(5) lists, from where they are kept.
docs/mailtrace.conf.5: docs/limits.mdoc
docs/limits.mdoc: docs/limits.awk common/caps.h SECURITY.md
	$(AM_V_GEN)$(MKDIR_P) $(@D) && $(AWK) -f $(srcdir)/docs/limits.awk \
		$(srcdir)/common/caps.h $(srcdir)/SECURITY.md >$@.tmp && mv $@.tmp $@

dist_man_MANS += docs/mailtrace-event.7 docs/mailtrace-openc2.7
dist_bashcompletion_DATA = docs/completions/mailtrace.bash
