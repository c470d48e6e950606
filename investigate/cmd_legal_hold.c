/* SPDX-License-Identifier: BSD-2-Clause */
#include <string.h>

#include "command.h"
#include "progress.h"
#include "query.h"
#include "query_time.h"
#include "retention.h"
#include "retention_client.h"
#include "standing.h"
#include "store_holds.h"

struct hold_options {
	char *since, *until, *expires;
	gboolean all;
};

static const struct out_column list_columns[] = {
	{"number", "HOLD", OUT_INT, 0},
	{"state", "STATE", OUT_TEXT, 0},
	{"events", "EVENTS", OUT_INT, 0},
	{"created_at", "SINCE", OUT_TIME, 0},
	{"expires_at", "EXPIRES", OUT_TIME, 0},
	{"what", "OF", OUT_TEXT, 60},
	{"case", "CASE", OUT_TEXT, 0},
	{"reason", "REASON", OUT_TEXT, 50},
	{"actor", "BY", OUT_TEXT, 0},
	{"ended_at", "", OUT_TIME, 0},
	{NULL},
};

/* ---- list ---- */

static gboolean
list_row(const struct store_hold *hold, void *data)
{
	struct standing_list *list = data;

	list->count++;
	out_row(list->out,
		(const struct out_value[]){{NULL, hold->number},
					   {standing_state(hold->ended_us, hold->expires_us), 0},
					   {NULL, (gint64)hold->events},
					   {NULL, hold->created_us},
					   {NULL, hold->expires_us},
					   {hold->what, 0},
					   {hold->case_id, 0},
					   {hold->reason, 0},
					   {hold->actor, 0},
					   {NULL, hold->ended_us}});
	return TRUE;
}

static gboolean
list_each(struct store *store, const char *tenant, gboolean all, struct standing_list *list,
	  GError **error)
{
	return store_hold_each(store, tenant, all, list_row, list, error);
}

/* ---- add ---- */

/* The messages that a hold is of. */
struct finding {
	GHashTable *known; /* of ids: a message has a row for each recipient */
	GPtrArray *ids;	   /* of char *, of the set */
	struct progress progress;
};

static gboolean
take_hit(const struct store_hit *hit, void *data)
{
	struct finding *finding = data;
	char *id = g_strdup(hit->event_id);

	if (g_hash_table_add(finding->known, id))
		g_ptr_array_add(finding->ids, g_hash_table_lookup(finding->known, hit->event_id));
	return TRUE;
}

static gboolean
draw_search(double share, void *data)
{
	struct finding *finding = data;

	progress_draw(&finding->progress, share, "searching");
	return TRUE;
}

/* Fills a request with the ids of a batch; returns the place behind them. */
static guint
put_batch(json_t *request, const GPtrArray *ids, guint first)
{
	guint end = MIN(first + RETENTION_EVENTS, ids->len);
	json_t *events = json_array();

	for (guint i = first; i < end; i++)
		json_array_append_new(events, json_string(g_ptr_array_index(ids, i)));
	json_object_set_new(request, "events", events);
	return end;
}

/* Has the hold made, and all messages put on it; *ret_held: how many are still there. */
static gboolean
make_hold(struct command *command, struct finding *finding, gint64 expires_us, gint64 *ret_number,
	  gint64 *ret_held, GError **error)
{
	g_autoptr(retention_client_t) client = retention_client_open(command, error);
	g_autoptr(json_t) request = command_request(command, "legal-hold-add");
	gint64 ticket = 0;
	guint at = 0;

	json_put_int(request, "expires_us", expires_us);
	json_put_int(request, "results", finding->ids->len);
	while (client && at < finding->ids->len) {
		g_autoptr(json_t) answer = NULL;

		at = put_batch(request, finding->ids, at);
		answer = retention_client_call(client, request, error);
		if (!answer)
			return FALSE;
		if (!ticket) {
			*ret_number = json_get_int(answer, "number", 0);
			ticket = json_get_int(answer, "ticket", 0);
			json_put_int(request, "ticket", ticket);
			json_put_text(request, "op", "legal-hold-extend");
		}
		*ret_held += json_get_int(answer, "held", 0);
		progress_draw(&finding->progress, (double)at / finding->ids->len,
			      "of the messages");
	}
	return client != NULL;
}

static int
hold(struct command *command, struct finding *finding, gint64 expires_us)
{
	static const struct out_column columns[] = {
		{"number", "", OUT_INT, 0}, {"messages", "", OUT_INT, 0}, {NULL}};
	g_autoptr(GError) error = NULL;
	gint64 number = 0, held = 0;
	gboolean done = make_hold(command, finding, expires_us, &number, &held, &error);
	struct out *out;

	progress_end(&finding->progress);
	if (!done)
		command_fail(command, "%s", error->message);
	else if (held < finding->ids->len)
		command_fail(command, "%u messages went before they were held",
			     finding->ids->len - (guint)held);
	if (!number)
		return EXIT_TROUBLE;
	out = command_out(command);
	out_begin(out, "held", columns);
	out_row(out, (const struct out_value[]){{NULL, number}, {NULL, held}});
	out_end(out);
	out_note(out, "Hold %" G_GINT64_FORMAT " keeps %" G_GINT64_FORMAT " messages.", number,
		 held);
	return command_end(command, out,
			   done && held == finding->ids->len ? EXIT_FOUND : EXIT_PARTLY);
}

static gboolean
fill_query(struct query *query, const struct hold_options *options, char **words, GError **error)
{
	gint64 now_us = g_get_real_time();

	if (options->since && !query_parse_time(options->since, now_us, &query->since_us, error))
		return FALSE;
	if (options->until && !query_parse_time(options->until, now_us, &query->until_us, error))
		return FALSE;
	for (; *words; words++)
		if (!query_add(query, *words, FALSE, error))
			return FALSE;
	/* What was refused is evidence too. */
	query->with_refused = TRUE;
	return TRUE;
}

static int
add(struct command *command, struct store *store, const struct hold_options *options, char **words)
{
	g_autoptr(query_t) query = query_new(command->tenant);
	g_autoptr(GHashTable) known = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	g_autoptr(GPtrArray) ids = g_ptr_array_new();
	struct finding finding = {.known = known, .ids = ids};
	g_autoptr(GError) error = NULL;
	gint64 expires_us = 0;
	gboolean done;

	if (!command->case_id || !command->reason)
		return command_fail(command, "a legal hold needs --case and --reason");
	if (!fill_query(query, options, words, &error) ||
	    (options->expires &&
	     !query_parse_expiry(options->expires, g_get_real_time(), &expires_us, &error)))
		return command_fail(command, "%s", error->message);
	if (!query->terms->len && !options->since && !options->until)
		return command_fail(command, "what messages?  Give terms as of mailtrace who");
	progress_init(&finding.progress, command->quiet);
	done = store_who(store, query, take_hit, &finding, draw_search, &finding, NULL, &error);
	if (done && ids->len)
		return hold(command, &finding, expires_us);
	progress_end(&finding.progress);
	if (!done)
		return command_fail(command, "%s", error->message);
	command_fail(command, "no message is like that; nothing is held");
	return EXIT_NOTHING;
}

/* ---- remove ---- */

static int
end_holds(struct command *command, char **words)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(retention_client_t) client = retention_client_open(command, &error);
	g_autoptr(json_t) request = command_request(command, "legal-hold-remove");

	if (!client)
		return command_fail(command, "%s", error->message);
	for (char **word = words; *word; word++) {
		g_autoptr(json_t) answer = NULL;
		guint64 number;

		if (!g_ascii_string_to_unsigned(*word, 10, 1, G_MAXINT64, &number, NULL))
			return command_fail(command, "%s is no number of the list", *word);
		json_put_int(request, "number", (gint64)number);
		answer = retention_client_call(client, request, &error);
		if (answer)
			continue;
		command_fail(command, "hold %s: %s", *word, error->message);
		return word == words ? EXIT_TROUBLE : EXIT_PARTLY;
	}
	return EXIT_FOUND;
}

/* ---- the verb ---- */

static int
dispatch(struct command *command, const struct hold_options *options, int argc, char **argv)
{
	g_autoptr(store_t) store = command_store(command);

	if (!store)
		return EXIT_TROUBLE;
	if (argc == 2 && strcmp(argv[1], "list") == 0)
		return standing_write(command, store, options->all, "legal-hold", list_columns,
				      list_each);
	if (argc > 1 && strcmp(argv[1], "add") == 0)
		return add(command, store, options, argv + 2);
	if (argc > 2 && strcmp(argv[1], "remove") == 0)
		return end_holds(command, argv + 2);
	return command_fail(command, "say add QUERY..., list, or remove NUMBER...");
}

int
cmd_legal_hold(struct command *command, int argc, char **argv)
{
	struct hold_options options = {0};
	const GOptionEntry entries[] = {
		{"since", 0, 0, G_OPTION_ARG_FILENAME, &options.since,
		 "of add: received from then on, as of who", "TIME"},
		{"until", 0, 0, G_OPTION_ARG_FILENAME, &options.until, "likewise, exclusive",
		 "TIME"},
		{"expires", 0, 0, G_OPTION_ARG_FILENAME, &options.expires,
		 "of add: when it ends; 90d, a time, or never", "WHEN"},
		{"all", 0, 0, G_OPTION_ARG_NONE, &options.all, "of list: also what has ended",
		 NULL},
		{NULL},
	};
	int status = EXIT_TROUBLE;

	if (command_parse(command, entries, "add QUERY... | list | remove NUMBER...",
			  "Keeps messages from expiring and from being erased.  add holds those\n"
			  "that are recorded now and that a query finds, with all their hops, as\n"
			  "mailtrace who does; what comes later is not held.  It needs --case and\n"
			  "--reason.",
			  &argc, &argv))
		status = dispatch(command, &options, argc, argv);
	g_free(options.since);
	g_free(options.until);
	g_free(options.expires);
	return status;
}
