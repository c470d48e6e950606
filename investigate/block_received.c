/* SPDX-License-Identifier: BSD-2-Clause */
#include "block_received.h"

#include <string.h>

#include "digest.h"
#include "store.h"

#define WORDS_TYPED 8 /* more are too long a line to be typed again */

static const struct out_column holder_columns[] = {
	{"recipient", "HAS IT ALREADY", OUT_TEXT, 0},
	{"state", "STATE", OUT_TEXT, 0},
	{"received_at", "RECEIVED", OUT_TIME, 0},
	{"subject", "SUBJECT", OUT_TEXT, 40},
	{"from", "", OUT_TEXT, 0},
	{"event_id", "", OUT_TEXT, 0},
	{NULL},
};

/* A recipient that is to be named. */
struct holder {
	char *recipient, *state, *subject, *from, *event_id;
	gint64 received_at_us;
};

/* Recipients being found. */
struct receiving {
	GPtrArray *holders; /* of struct holder: the first */
	guint64 count;
};

static void
holder_free(void *data)
{
	struct holder *holder = data;

	g_free(holder->recipient);
	g_free(holder->state);
	g_free(holder->subject);
	g_free(holder->from);
	g_free(holder->event_id);
	g_free(holder);
}

static gboolean
take_hit(const struct store_hit *hit, void *data)
{
	struct receiving *receiving = data;
	struct holder *holder;

	if (receiving->count++ >= BLOCK_RECEIVED_SHOWN)
		return TRUE;
	holder = g_new0(struct holder, 1);
	holder->recipient = g_strdup(hit->recipient);
	holder->state = g_strdup(hit->state);
	holder->subject = g_strdup(hit->subject);
	holder->from = g_strdup(hit->from);
	holder->event_id = g_strdup(hit->event_id);
	holder->received_at_us = hit->received_at_us;
	g_ptr_array_add(receiving->holders, holder);
	return TRUE;
}

/* To name them is to have asked. */
static gboolean
keep_question(const struct command *command, char **words, guint64 count)
{
	struct command asking = *command;

	asking.verb = "who";
	asking.arguments = words;
	return command_audit(&asking, (gint64)count);
}

static void
write_holders(struct out *out, const GPtrArray *holders)
{
	out_begin(out, "holder", holder_columns);
	for (guint i = 0; i < holders->len; i++) {
		const struct holder *holder = g_ptr_array_index(holders, i);

		out_row(out, (const struct out_value[]){{holder->recipient, 0},
							{holder->state, 0},
							{NULL, holder->received_at_us},
							{holder->subject, 0},
							{holder->from, 0},
							{holder->event_id, 0}});
	}
	out_end(out);
}

/* Returns a word as a shell takes it, and as contain does: a path is known by its slash. */
static char *
quote(const char *word)
{
	struct digest digest;
	g_autofree char *path = strchr(word, '/') || digest_from_hex(word, &digest)
					? g_strdup(word)
					: g_strconcat("./", word, NULL);

	return g_shell_quote(path);
}

static char *
quote_all(char **words, gboolean is_list)
{
	g_autoptr(GString) text = g_string_new(NULL);

	if (g_strv_length(words) > WORDS_TYPED)
		return g_strdup("HASH...");
	for (; *words; words++) {
		g_autofree char *word = quote(*words);

		g_string_append_printf(text, "%s%s%s", text->len ? " " : "",
				       is_list ? "--hashes " : "", word);
	}
	return g_string_free(g_steal_pointer(&text), FALSE);
}

static void
write_plan(struct out *out, char **words, gboolean is_list)
{
	g_autofree char *quoted = quote_all(words, is_list);

	out_note(out, "Plan what is to be done with every copy: mailtrace contain %s -o plan.json",
		 quoted);
}

static void
write_sum(struct out *out, guint64 count, gboolean named)
{
	static const struct out_column columns[] = {{"recipients", "", OUT_INT, 0}, {NULL}};

	out_begin(out, "received", columns);
	out_row(out, (const struct out_value[]){{NULL, (gint64)count}});
	out_end(out);
	if (!count)
		out_note(out, "Nobody is known to have it.");
	else if (named && count > BLOCK_RECEIVED_SHOWN)
		out_note(out,
			 "%" G_GUINT64_FORMAT " recipients have it already, the first %d shown.",
			 count, BLOCK_RECEIVED_SHOWN);
	else
		out_note(out, "%" G_GUINT64_FORMAT " recipients have it already.", count);
}

static gboolean
find(const struct command *command, const struct query *query, struct receiving *receiving)
{
	g_autoptr(store_t) store = command_store(command);
	g_autoptr(GError) error = NULL;

	if (!store)
		return FALSE;
	if (store_who(store, query, take_hit, receiving, NULL, NULL, NULL, &error))
		return TRUE;
	command_fail(command, "who received it before is not known: %s", error->message);
	return FALSE;
}

void
block_received_write(struct command *command, const struct query *query, char **words, guint flags,
		     struct out *out)
{
	g_autoptr(GPtrArray) holders = g_ptr_array_new_with_free_func(holder_free);
	struct receiving receiving = {.holders = holders};
	gboolean named;

	if (!find(command, query, &receiving))
		return;
	named = flags & BLOCK_RECEIVED_NAMES && keep_question(command, words, receiving.count);
	if (named && holders->len)
		write_holders(out, holders);
	write_sum(out, receiving.count, named);
	if (receiving.count)
		write_plan(out, words, (flags & BLOCK_RECEIVED_LISTS) != 0);
}
