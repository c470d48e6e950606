/* SPDX-License-Identifier: BSD-2-Clause */
#include "block_received.h"

#include <string.h>

#include "digest.h"
#include "store.h"

#define WORDS_TYPED 8 /* more are too long a line to be typed again */

/* Recipients being told. */
struct receiving {
	struct out *out;
	guint64 count;
};

static gboolean
take_hit(const struct store_hit *hit, void *data)
{
	struct receiving *receiving = data;

	if (receiving->count++ < BLOCK_RECEIVED_SHOWN)
		out_row(receiving->out, (const struct out_value[]){{hit->recipient, 0},
								   {hit->state, 0},
								   {NULL, hit->received_at_us},
								   {hit->subject, 0},
								   {hit->from, 0},
								   {hit->event_id, 0}});
	return TRUE;
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
write_sum(const struct receiving *receiving, char **words, gboolean is_list)
{
	static const struct out_column columns[] = {{"recipients", "", OUT_INT, 0}, {NULL}};
	struct out *out = receiving->out;

	out_begin(out, "received", columns);
	out_row(out, (const struct out_value[]){{NULL, (gint64)receiving->count}});
	out_end(out);
	if (!receiving->count) {
		out_note(out, "Nobody is known to have it.");
		return;
	}
	if (receiving->count > BLOCK_RECEIVED_SHOWN)
		out_note(out,
			 "%" G_GUINT64_FORMAT " recipients have it already, the first %d shown.",
			 receiving->count, BLOCK_RECEIVED_SHOWN);
	else
		out_note(out, "%" G_GUINT64_FORMAT " recipients have it already.",
			 receiving->count);
	write_plan(out, words, is_list);
}

void
block_received_write(struct command *command, const struct query *query, char **words,
		     gboolean is_list, struct out *out)
{
	static const struct out_column columns[] = {
		{"recipient", "HAS IT ALREADY", OUT_TEXT, 0},
		{"state", "STATE", OUT_TEXT, 0},
		{"received_at", "RECEIVED", OUT_TIME, 0},
		{"subject", "SUBJECT", OUT_TEXT, 40},
		{"from", "", OUT_TEXT, 0},
		{"event_id", "", OUT_TEXT, 0},
		{NULL},
	};
	g_autoptr(store_t) store = command_store(command);
	struct receiving receiving = {.out = out};
	g_autoptr(GError) error = NULL;
	gboolean done;

	if (!store)
		return;
	out_begin(out, "holder", columns);
	done = store_who(store, query, take_hit, &receiving, NULL, NULL, NULL, &error);
	out_end(out);
	if (done)
		write_sum(&receiving, words, is_list);
	else
		command_fail(command, "who received it before is not known: %s", error->message);
}
