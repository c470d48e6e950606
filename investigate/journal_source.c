/* SPDX-License-Identifier: BSD-2-Clause */
#include "journal_source.h"

#include <string.h>

#include "journal_control.h"
#include "roles.h"

/* One of them. */
struct journal_source {
	struct store *store;
	struct control *control;
};

void
journal_source_free(struct journal_source *source)
{
	if (!source)
		return;
	store_close(source->store);
	control_free(source->control);
	g_free(source);
}

/* Leaves the source empty where the file is to be read. */
static gboolean
connect_source(struct journal_source *source, const struct command *command)
{
	g_autoptr(GError) error = NULL;

	if (!roles_are_set(command->settings) ||
	    strcmp(command->store_url, command->settings->store) != 0)
		return TRUE;
	source->control = control_connect(command->settings->control_socket, &error);
	if (source->control || g_error_matches(error, CONTROL_ERROR, CONTROL_ERROR_ABSENT))
		return TRUE;
	command_fail(command, "%s", error->message);
	return FALSE;
}

struct journal_source *
journal_source_open(const struct command *command)
{
	g_autoptr(journal_source_t) source = g_new0(struct journal_source, 1);

	if (!connect_source(source, command))
		return NULL;
	if (!source->control)
		source->store = command_store(command);
	return source->control || source->store ? g_steal_pointer(&source) : NULL;
}

gboolean
journal_source_head(struct journal_source *source, struct journal_head *ret_head, char **ret_anchor,
		    GError **error)
{
	if (source->control)
		return journal_control_ask_head(source->control, ret_head, ret_anchor, error);
	return store_journal_head(source->store, ret_head, error) &&
	       store_journal_anchor(source->store, ret_anchor, error);
}

gboolean
journal_source_each(struct journal_source *source, const struct journal_span *span,
		    journal_line_fn line, void *data, GError **error)
{
	if (source->control)
		return journal_control_each(source->control, span, line, data, error);
	return store_journal_each(source->store, span, line, data, error);
}
