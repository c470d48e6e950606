/* SPDX-License-Identifier: BSD-2-Clause */
#include "command.h"
#include "progress.h"
#include "query_time.h"
#include "retention_client.h"
#include "store_holds.h"
#include "store_retention.h"

static const struct out_column columns[] = {
	{"before", "BEFORE", OUT_TIME, 0},	  {"messages", "MESSAGES", OUT_INT, 0},
	{"deliveries", "LOG LINES", OUT_INT, 0},  {"dead_letters", "DEAD LETTERS", OUT_INT, 0},
	{"intervals", "GAPS", OUT_INT, 0},	  {"held", "ON HOLD", OUT_INT, 0},
	{"free_bytes", "FREE BYTES", OUT_INT, 0}, {NULL},
};

static guint64
count_all(const struct store_expired *expired)
{
	return expired->messages + expired->deliveries + expired->dead_letters + expired->intervals;
}

/* What has gone, or would; and how much of the file is free now. */
static int
report(struct command *command, struct store *store, gboolean dry, gint64 before_us,
       const struct store_expired *expired)
{
	struct out *out = command_out(command);
	g_autoptr(GError) error = NULL;
	guint64 held = 0, free_bytes = 0;
	int status = count_all(expired) ? EXIT_FOUND : EXIT_NOTHING;

	if (!store_count_held(store, command->tenant, before_us, &held, &error) ||
	    !store_free_bytes(store, &free_bytes, &error))
		status = command_fail(command, "%s", error->message);
	out_begin(out, dry ? "expirable" : "expired", columns);
	out_row(out, (const struct out_value[]){{NULL, before_us},
						{NULL, (gint64)expired->messages},
						{NULL, (gint64)expired->deliveries},
						{NULL, (gint64)expired->dead_letters},
						{NULL, (gint64)expired->intervals},
						{NULL, (gint64)held},
						{NULL, (gint64)free_bytes}});
	out_end(out);
	if (dry)
		out_note(out, "Nothing was taken away.");
	else
		out_note(out, "The file of the store keeps its size: what is free in it is used "
			      "for what comes.");
	return command_end(command, out, status);
}

static void
take_counts(const json_t *answer, struct store_expired *expired)
{
	*expired = (struct store_expired){
		(guint64)json_get_int(answer, "messages", 0),
		(guint64)json_get_int(answer, "deliveries", 0),
		(guint64)json_get_int(answer, "dead_letters", 0),
		(guint64)json_get_int(answer, "intervals", 0),
	};
}

/* Begins, and returns the ticket; 0 with an error. */
static gint64
begin(const struct command *command, struct retention_client *client, gint64 before_us,
      guint64 messages, GError **error)
{
	g_autoptr(json_t) request = command_request(command, "expire-begin");
	g_autoptr(json_t) answer = NULL;

	json_put_int(request, "before_us", before_us);
	json_put_int(request, "results", (gint64)messages);
	answer = retention_client_call(client, request, error);
	return answer ? json_get_int(answer, "ticket", 0) : 0;
}

/* Takes steps until nothing is left; expired: what went, of total, also on failure. */
static gboolean
take_steps(const struct command *command, struct retention_client *client, gint64 ticket,
	   guint64 total, struct store_expired *expired, GError **error)
{
	g_autoptr(json_t) request = command_request(command, "expire-step");
	struct progress progress;
	gboolean done = FALSE;

	json_put_int(request, "ticket", ticket);
	progress_init(&progress, command->quiet);
	while (!done) {
		g_autoptr(json_t) answer = retention_client_call(client, request, error);

		if (!answer)
			break;
		take_counts(answer, expired);
		done = json_is_true(json_object_get(answer, "done"));
		progress_draw(&progress, (double)count_all(expired) / (double)MAX(total, 1),
			      "of the old records");
	}
	progress_end(&progress);
	return done;
}

static int
expire(struct command *command, struct store *store, gint64 before_us,
       const struct store_expired *expirable)
{
	struct store_expired expired = {0};
	g_autoptr(retention_client_t) client = NULL;
	g_autoptr(GError) error = NULL;
	gint64 ticket;

	client = retention_client_open(command, &error);
	if (!client)
		return command_fail(command, "%s", error->message);
	ticket = begin(command, client, before_us, expirable->messages, &error);
	if (!ticket)
		return command_fail(command, "%s", error->message);
	if (take_steps(command, client, ticket, count_all(expirable), &expired, &error))
		return report(command, store, FALSE, before_us, &expired);
	command_fail(command, "%s", error->message);
	report(command, store, FALSE, before_us, &expired);
	return count_all(&expired) ? EXIT_PARTLY : EXIT_TROUBLE;
}

static int
expire_before(struct command *command, gint64 before_us, gboolean dry)
{
	g_autoptr(store_t) store = command_store(command);
	struct store_expired expirable;
	g_autoptr(GError) error = NULL;

	if (!store)
		return EXIT_TROUBLE;
	if (!store_count_expirable(store, command->tenant, before_us, &expirable, &error))
		return command_fail(command, "%s", error->message);
	if (dry || !count_all(&expirable))
		return report(command, store, dry, before_us, &expirable);
	return expire(command, store, before_us, &expirable);
}

int
cmd_expire(struct command *command, int argc, char **argv)
{
	g_autofree char *older_than = NULL;
	gboolean dry = FALSE;
	const GOptionEntry entries[] = {
		{"older-than", 0, 0, G_OPTION_ARG_FILENAME, &older_than,
		 "90d, 12w, RFC 3339 or YYYY-MM-DD", "AGE"},
		{"dry-run", 0, 0, G_OPTION_ARG_NONE, &dry, "only count", NULL},
		{NULL},
	};
	gint64 now_us = g_get_real_time(), before_us;
	g_autoptr(GError) error = NULL;

	if (!command_parse(
		    command, entries, "--older-than AGE",
		    "Takes away what was received longer ago: messages with their files, texts\n"
		    "and log lines, dead letters and gaps.  It goes in small steps, and mail\n"
		    "comes in meanwhile.  Answers say from then on what has expired.",
		    &argc, &argv))
		return EXIT_TROUBLE;
	if (argc != 1 || !older_than)
		return command_fail(command, "say how old: --older-than 90d");
	if (!query_parse_time(older_than, now_us, &before_us, &error))
		return command_fail(command, "%s", error->message);
	if (before_us <= 0 || before_us > now_us)
		return command_fail(command, "--older-than is an age or a time that has passed");
	return expire_before(command, before_us, dry);
}
