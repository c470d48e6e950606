/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * journal_source.h - where `mailtrace actions` reads the journal: in the store's
 * file, or through the collector, which minds the roles.  One thread.
 */
#ifndef MAILTRACE_JOURNAL_SOURCE_H
#define MAILTRACE_JOURNAL_SOURCE_H

#include "command.h"
#include "store_journal.h"

struct journal_source;

/*
 * Opens it: with roles in the configuration, of the site's own store and while a
 * collector runs, through that; else the file.  NULL after printing why not.
 */
struct journal_source *journal_source_open(const struct command *command);

/* Tells where the journal stands by what the store has noted.  *ret_anchor: for g_free(), or NULL.
 */
gboolean journal_source_head(struct journal_source *source, struct journal_head *ret_head,
			     char **ret_anchor, GError **error);

/* As store_journal_each(). */
gboolean journal_source_each(struct journal_source *source, const struct journal_span *span,
			     journal_line_fn line, void *data, GError **error);

/* Closes it.  NULL is allowed. */
void journal_source_free(struct journal_source *source);

typedef struct journal_source journal_source_t;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(journal_source_t, journal_source_free)
#endif
