# SPDX-License-Identifier: BSD-2-Clause
# Pages that name directories are made from templates (contrib/local.mk has the
# rule); the others are as they are.
docs_made = docs/mailtrace-mailstore.8 docs/mailtrace-milter.8 docs/mailtrace-queue.8 docs/mailtrace.1 docs/mailtrace.conf.5
man_MANS = $(docs_made)
EXTRA_DIST += $(docs_made:=.in)
CLEANFILES += $(docs_made)
dist_man_MANS += docs/mailtrace-event.7 docs/mailtrace-openc2.7
dist_bashcompletion_DATA = docs/completions/mailtrace.bash
