/* SPDX-License-Identifier: BSD-2-Clause */
#include <string.h>

#include "block_control.h"
#include "block_force.h"
#include "block_received.h"
#include "command.h"
#include "control.h"
#include "progress.h"
#include "standing.h"
#include "store_blocks.h"
#include "query_time.h"

#define WAIT_MS 5000 /* for the sensors, when --wait says nothing */
#define DEFAULT_EXPIRES "30d"

struct block_options {
	char *expires, *mode, *match;
	gint wait_ms;
	gboolean all;
};

/* A change on its way to the collector and the sensors. */
struct block_change {
	struct command *command;
	const struct block_options *options;
	struct control *control;
	enum block_mode mode;
	gboolean candidates;
	gint64 expires_us;   /* 0: never */
	json_t *blocks;	     /* not sent yet */
	struct query *query; /* who has it already; one term with all digests */
	gint64 added, changed, version;
	gboolean may_ask; /* who has it already */
};

/* ---- options ---- */

static gboolean
read_options(struct block_change *change, GError **error)
{
	const struct block_options *options = change->options;
	const char *match = options->match ? options->match : "exact";
	const char *mode = options->mode;

	change->candidates = strcmp(match, "candidate") == 0;
	if (!change->candidates && strcmp(match, "exact") != 0) {
		g_set_error(error, QUERY_ERROR, QUERY_ERROR_TERM, "--match is exact or candidate");
		return FALSE;
	}
	if (!block_mode_parse(mode		   ? mode
			      : change->candidates ? "hold"
						   : "reject",
			      &change->mode)) {
		g_set_error(error, QUERY_ERROR, QUERY_ERROR_TERM,
			    "--mode is observe, hold, reject or discard");
		return FALSE;
	}
	return query_parse_expiry(options->expires ? options->expires : DEFAULT_EXPIRES,
				  g_get_real_time(), &change->expires_us, error);
}

/* ---- the request ---- */

static void
put_hash(json_t *hashes, const struct digest *digest)
{
	g_autofree char *hex = hex_encode(digest->bytes, digest_length(digest->kind));

	json_array_append_new(hashes, json_string(hex));
}

static void
put_block(struct block_change *change, json_t *block, const char *name)
{
	if (name) {
		g_autofree char *base = g_path_get_basename(name);
		g_autofree char *valid = g_utf8_make_valid(base, -1);

		json_put_text(block, "name", valid);
	}
	json_array_append_new(change->blocks, block);
}

/* A file is known by the SHA-256 of each of its forms, a hash by itself. */
static json_t *
hashes_of(const struct query_term *term, gboolean is_file)
{
	json_t *hashes = json_array();

	for (guint i = 0; i < term->digests->len; i++) {
		const struct digest *digest =
			&g_array_index(term->digests, struct wanted_digest, i).digest;

		if (!is_file || digest->kind == DIGEST_SHA256)
			put_hash(hashes, digest);
	}
	return hashes;
}

/* Puts a file with all its forms, or a hash; name: the file's, or NULL. */
static gboolean
put_term(struct block_change *change, const struct query_term *term, const char *name,
	 GError **error)
{
	json_t *block;

	if (change->candidates && !term->has_candidate) {
		g_set_error(error, QUERY_ERROR, QUERY_ERROR_TERM,
			    "--match candidate needs a file of 16 bytes or more: a hash tells "
			    "neither CRC-32 nor size");
		return FALSE;
	}
	block = json_object();
	if (change->candidates) {
		json_put_int(block, "crc32", term->candidate_crc32);
		json_put_int(block, "size", (gint64)term->candidate_size);
	} else {
		json_object_set_new(block, "hashes", hashes_of(term, name != NULL));
	}
	put_block(change, block, name);
	return TRUE;
}

/* Sends the blocks that were put together so far. */
static gboolean
flush(struct block_change *change, GError **error)
{
	g_autoptr(json_t) request = command_request(change->command, "block-add");
	g_autoptr(json_t) answer = NULL;

	if (json_array_size(change->blocks) == 0)
		return TRUE;
	json_put_text(request, "mode", block_mode_name(change->mode));
	json_put_int(request, "expires_us", change->expires_us);
	json_object_set(request, "blocks", change->blocks);
	answer = control_call(change->control, request, error);
	if (!answer)
		return FALSE;
	json_array_clear(change->blocks);
	change->added += json_get_int(answer, "added", 0);
	change->changed += json_get_int(answer, "changed", 0);
	change->version = json_get_int(answer, "version", 0);
	change->may_ask = json_is_true(json_object_get(answer, "may_ask"));
	return TRUE;
}

/* ---- what came of it ---- */

static int
write_change(struct block_change *change, gboolean is_list, char **words, gint64 began_us)
{
	static const struct out_column columns[] = {
		{"added", "", OUT_INT, 0}, {"changed", "", OUT_INT, 0}, {NULL}};
	struct out *out = command_out(change->command);
	int status;

	out_begin(out, "blocked", columns);
	out_row(out, (const struct out_value[]){{NULL, change->added}, {NULL, change->changed}});
	out_end(out);
	out_note(out, "%" G_GINT64_FORMAT " added, %" G_GINT64_FORMAT " changed.", change->added,
		 change->changed);
	status = block_force_await(change->command, change->control, change->version,
				   change->options->wait_ms, began_us, out);
	if (status != EXIT_TROUBLE)
		block_received_write(change->command, change->query, words,
				     (change->may_ask ? BLOCK_RECEIVED_NAMES : 0) |
					     (is_list ? BLOCK_RECEIVED_LISTS : 0),
				     out);
	return command_end(change->command, out, status);
}

/* ---- add and import ---- */

static void
add_wanted(struct query *query, const struct query_term *term)
{
	struct query_term *all = g_ptr_array_index(query->terms, 0);

	for (guint i = 0; term != all && i < term->digests->len; i++) {
		struct wanted_digest wanted = g_array_index(term->digests, struct wanted_digest, i);

		wanted.variant = g_strdup(wanted.variant);
		g_array_append_val(all->digests, wanted);
	}
}

/* Puts one word, a hash or a file's path, into the change. */
static gboolean
put_word(struct block_change *change, const char *word, GError **error)
{
	GPtrArray *terms = change->query->terms;
	struct digest digest;
	gboolean is_hash = digest_from_hex(word, &digest);
	const struct query_term *term;

	if (!query_add(change->query, word, !is_hash, error))
		return FALSE;
	term = g_ptr_array_index(terms, terms->len - 1);
	if (!put_term(change, term, is_hash ? NULL : word, error))
		return FALSE;
	add_wanted(change->query, term);
	g_ptr_array_set_size(terms, 1);
	return TRUE;
}

static gboolean
put_list(struct block_change *change, const char *path, GError **error)
{
	struct progress progress;
	const struct query_term *term;
	gboolean sent = TRUE;

	if (!query_add_hashes(change->query, path, error))
		return FALSE;
	term = g_ptr_array_index(change->query->terms, 0);
	progress_init(&progress, change->command->quiet);
	for (guint i = 0; i < term->digests->len && sent; i++) {
		json_t *block = json_object(), *hashes = json_array();

		put_hash(hashes, &g_array_index(term->digests, struct wanted_digest, i).digest);
		json_object_set_new(block, "hashes", hashes);
		put_block(change, block, NULL);
		if (json_array_size(change->blocks) == BLOCK_CONTROL_BLOCKS) {
			sent = flush(change, error);
			progress_draw(&progress, (double)i / term->digests->len, "blocking");
		}
	}
	progress_end(&progress);
	return sent;
}

static gboolean
put_all(struct block_change *change, gboolean is_list, char **words, GError **error)
{
	for (; *words; words++)
		if (!(is_list ? put_list(change, *words, error) : put_word(change, *words, error)))
			return FALSE;
	return flush(change, error);
}

/* Several lists are several changes, each told by itself. */
static int
block_add(struct command *command, const struct block_options *options, gboolean is_list,
	  char **words)
{
	struct block_change change = {.command = command, .options = options};
	gint64 began_us = g_get_monotonic_time();
	g_autoptr(GError) error = NULL;
	int status;

	if (!read_options(&change, &error))
		return command_fail(command, "%s", error->message);
	if (is_list && change.candidates)
		return command_fail(command, "a list has hashes, which make no candidates");
	change.control = control_connect(command->settings->control_socket, &error);
	if (!change.control)
		return command_fail(command, "%s; blocks are the running collector's to change",
				    error->message);
	change.query = query_new(command->tenant);
	change.blocks = json_array();
	status = put_all(&change, is_list, words, &error)
			 ? write_change(&change, is_list, words, began_us)
			 : command_fail(command, "%s%s", error->message,
					change.added + change.changed
						? "; what was blocked before stays, run it again"
						: "");
	json_decref(change.blocks);
	query_free(change.query);
	control_free(change.control);
	return status;
}

/* ---- remove ---- */

static int
write_removed(struct block_change *change, const json_t *answer, gint64 began_us)
{
	static const struct out_column columns[] = {
		{"removed", "", OUT_INT, 0}, {"missing", "", OUT_TEXT, 0}, {NULL}};
	const char *missing = json_get_text(answer, "missing");
	gint64 removed = json_get_int(answer, "removed", 0);
	struct out *out = command_out(change->command);
	int status = EXIT_NOTHING;

	change->version = json_get_int(answer, "version", 0);
	out_begin(out, "removed", columns);
	out_row(out, (const struct out_value[]){{NULL, removed}, {missing, 0}});
	out_end(out);
	out_note(out, "%" G_GINT64_FORMAT " removed.", removed);
	if (missing)
		command_fail(change->command, "%s is not blocked", missing);
	if (removed)
		status = block_force_await(change->command, change->control, change->version,
					   change->options->wait_ms, began_us, out);
	if (status == EXIT_FOUND && missing)
		status = EXIT_PARTLY;
	return command_end(change->command, out, status);
}

static int
block_remove(struct command *command, const struct block_options *options, char **words)
{
	struct block_change change = {.command = command, .options = options};
	gint64 began_us = g_get_monotonic_time();
	g_autoptr(json_t) request = command_request(command, "block-remove");
	g_autoptr(json_t) answer = NULL;
	g_autoptr(GError) error = NULL;
	json_t *list = json_array();
	int status;

	for (; *words; words++) {
		g_autofree char *what = g_ascii_strdown(*words, -1);
		g_autofree char *valid = g_utf8_make_valid(what, -1);

		json_array_append_new(list, json_string(valid));
	}
	json_object_set_new(request, "what", list);
	change.control = control_connect(command->settings->control_socket, &error);
	if (change.control)
		answer = control_call(change.control, request, &error);
	status = answer ? write_removed(&change, answer, began_us)
			: command_fail(command, "%s", error->message);
	control_free(change.control);
	return status;
}

/* ---- list ---- */

static const struct out_column list_columns[] = {
	{"what", "FILE", OUT_TEXT, 24},		{"name", "NAME", OUT_TEXT, 30},
	{"mode", "MODE", OUT_TEXT, 0},		{"state", "STATE", OUT_TEXT, 0},
	{"hits", "HITS", OUT_INT, 0},		{"last_hit_at", "LAST HIT", OUT_TIME, 0},
	{"expires_at", "EXPIRES", OUT_TIME, 0}, {"created_at", "SINCE", OUT_TIME, 0},
	{"actor", "BY", OUT_TEXT, 0},		{"case", "CASE", OUT_TEXT, 0},
	{"reason", "REASON", OUT_TEXT, 40},	{"ended_at", "", OUT_TIME, 0},
	{"block", "BLOCK", OUT_INT, 0},		{NULL},
};

static gboolean
list_row(const struct store_block *block, void *data)
{
	struct standing_list *list = data;

	list->count++;
	out_row(list->out, (const struct out_value[]){
				   {block->what, 0},
				   {block->name, 0},
				   {block_mode_name(block->mode), 0},
				   {standing_state(block->ended_us, block->expires_us), 0},
				   {NULL, (gint64)block->hits},
				   {NULL, block->last_hit_us},
				   {NULL, block->expires_us},
				   {NULL, block->created_us},
				   {block->actor, 0},
				   {block->case_id, 0},
				   {block->reason, 0},
				   {NULL, block->ended_us},
				   {NULL, block->number},
			   });
	return TRUE;
}

static gboolean
list_each(struct store *store, const char *tenant, gboolean all, struct standing_list *list,
	  GError **error)
{
	return store_block_each(store, tenant, all, list_row, list, error);
}

static int
block_list_all(struct command *command, const struct block_options *options)
{
	g_autoptr(store_t) store = command_store(command);

	return store ? standing_write(command, store, options->all, "block", list_columns,
				      list_each)
		     : EXIT_TROUBLE;
}

/* ---- the verb ---- */

static const char *const summary =
	"Has the gateways observe, hold, reject or discard every message that holds a file,\n"
	"at any depth and under any name.  add takes paths and hashes (MD5, SHA-1, SHA-256);\n"
	"import takes lists, one hash a line or the first column of CSV; remove takes what\n"
	"list shows.  Every change is entered into the journal.";

static int
dispatch(struct command *command, const struct block_options *options, int argc, char **argv)
{
	if (argc > 2 && strcmp(argv[1], "add") == 0)
		return block_add(command, options, FALSE, argv + 2);
	if (argc == 3 && strcmp(argv[1], "import") == 0)
		return block_add(command, options, TRUE, argv + 2);
	if (argc > 2 && strcmp(argv[1], "remove") == 0)
		return block_remove(command, options, argv + 2);
	if (argc == 2 && strcmp(argv[1], "list") == 0)
		return block_list_all(command, options);
	return command_fail(command, "say add HASH|FILE..., remove HASH..., import LIST, or list");
}

int
cmd_block(struct command *command, int argc, char **argv)
{
	struct block_options options = {.wait_ms = WAIT_MS};
	const GOptionEntry entries[] = {
		{"mode", 0, 0, G_OPTION_ARG_FILENAME, &options.mode,
		 "observe, hold, reject (default), discard; candidates: observe, hold (default)",
		 "MODE"},
		{"match", 0, 0, G_OPTION_ARG_FILENAME, &options.match,
		 "exact (default), or candidate: encrypted members of the file's CRC-32 and size",
		 "HOW"},
		{"expires", 0, 0, G_OPTION_ARG_FILENAME, &options.expires,
		 "in 30d (default), 12h, 2w; a time; or never", "TIME"},
		{"wait", 0, 0, G_OPTION_ARG_INT, &options.wait_ms,
		 "wait so long for the sensors, 5000 by default", "MS"},
		{"all", 0, 0, G_OPTION_ARG_NONE, &options.all, "of list: also what is over", NULL},
		{NULL},
	};
	int status = EXIT_TROUBLE;

	if (command_parse(command, entries,
			  "add HASH|FILE... | remove HASH... | import LIST | list", summary, &argc,
			  &argv))
		status = dispatch(command, &options, argc, argv);
	g_free(options.mode);
	g_free(options.match);
	g_free(options.expires);
	return status;
}
