/* SPDX-License-Identifier: BSD-2-Clause */
#include "store_trace.h"

#include <string.h>

#include "caps.h"
#include "store_lines.h"

/* A recipient's copies being followed. */
struct walk {
	struct store *store;
	gint64 tenant;
	struct trace *trace;
	GHashTable *finals;  /* of the trace, by their keys */
	GHashTable *visited; /* of "host queue-id key": hand-overs that were followed */
	guint lines;
};

static gboolean walk_queue(struct walk *walk, const struct place *place, const GPtrArray *keys,
			   GHashTable *spoken, struct queue_life *ret_life, GError **error);

static void
final_free(void *data)
{
	struct trace_final *final = data;

	g_free(final->address);
	g_free(final->key);
	g_free(final->relay);
	g_free(final->dsn);
	g_free(final->host);
	g_free(final->queue_id);
	g_free(final->session);
	g_free(final->user);
	g_free(final->user_key);
	g_free(final->message_key);
	g_free(final->storage_id);
	g_ptr_array_unref(final->places);
	g_free(final);
}

/* ---- what lines come to ---- */

/* How much a state tells of one final address: more than those before it. */
static int
strength_of(enum recipient_state state)
{
	static const int strengths[] = {
		[STATE_ACCEPTED] = 1,  [STATE_RELEASED] = 1,  [STATE_DEFERRED] = 2,
		[STATE_HELD] = 2,      [STATE_EXPIRED] = 2,   [STATE_DELETED] = 2,
		[STATE_BOUNCED] = 3,   [STATE_DELIVERED] = 4, [STATE_DISCARDED] = 4,
		[STATE_FORWARDED] = 4,
	};

	return (gsize)state < G_N_ELEMENTS(strengths) ? strengths[state] : 0;
}

enum recipient_state
trace_waiting_state(const struct queue_life *life, enum recipient_state otherwise, gint64 since_us)
{
	if (life->deleted_us)
		return STATE_DELETED;
	if (life->expired_us)
		return STATE_EXPIRED;
	if (life->held_us && !life->released && life->held_us >= MAX(since_us, life->queued_us))
		return STATE_HELD;
	return otherwise == STATE_ACCEPTED && life->released ? STATE_RELEASED : otherwise;
}

static struct trace_final *
final_of(struct walk *walk, const struct line *line)
{
	struct trace_final *final = g_hash_table_lookup(walk->finals, line->recipient_key);

	if (final)
		return final;
	final = g_new0(struct trace_final, 1);
	final->key = g_strdup(line->recipient_key);
	final->places = g_ptr_array_new_with_free_func(trace_place_free);
	g_ptr_array_add(walk->trace->finals, final);
	g_hash_table_insert(walk->finals, final->key, final);
	return final;
}

static void
put_text(char **text, const char *value)
{
	g_free(*text);
	*text = g_strdup(value);
}

/* Lets a final address have the state of a line, unless it has one that tells more. */
static void
note_final(struct walk *walk, const struct line *line, enum recipient_state state)
{
	struct trace_final *final = final_of(walk, line);

	if (strength_of(state) < strength_of(final->state))
		return;
	final->state = state;
	final->at_us = line->time_us;
	put_text(&final->address, line->recipient);
	put_text(&final->relay, line->relay);
	put_text(&final->dsn, line->dsn);
	put_text(&final->host, line->host);
	put_text(&final->queue_id, line->queue_id);
}

static void
note_line(struct walk *walk, const struct line *line, const struct queue_life *life)
{
	switch (line->kind) {
	case DELIVERY_SENT:
		note_final(walk, line, STATE_DELIVERED);
		break;
	case DELIVERY_BOUNCED:
		note_final(walk, line, STATE_BOUNCED);
		break;
	case DELIVERY_DEFERRED:
		note_final(walk, line, trace_waiting_state(life, STATE_DEFERRED, line->time_us));
		break;
	case DELIVERY_REFUSED:
		walk->trace->refused = TRUE;
		break;
	default:
		break;
	}
}

/* ---- reading ---- */

static gboolean
read_lines(struct walk *walk, const struct place *place, const GPtrArray *keys, GPtrArray *lines,
	   GError **error)
{
	guint left = walk->lines < CAP_TRACE_LINES ? CAP_TRACE_LINES - walk->lines : 0;

	if (!lines_read(walk->store, walk->tenant, place, keys, left, lines, error))
		return FALSE;
	walk->lines += lines->len;
	return TRUE;
}

/* ---- mailboxes ---- */

struct trace_place *
trace_place_new(const char *folder, guint uid, gint64 from_us)
{
	struct trace_place *place = g_new0(struct trace_place, 1);

	place->folder = g_strdup(folder);
	place->uid = uid;
	place->from_us = from_us;
	return place;
}

void
trace_place_free(void *data)
{
	struct trace_place *place = data;

	g_free(place->folder);
	g_free(place);
}

/* LMTP tells the folder, the mail_log plugin before it folder and UID. */
static void
note_place(struct trace_final *final, const struct line *stored)
{
	for (guint i = 0; i < final->places->len; i++) {
		struct trace_place *place = g_ptr_array_index(final->places, i);

		if (strcmp(place->folder, stored->folder) != 0 ||
		    (place->uid && stored->uid && place->uid != stored->uid))
			continue;
		place->uid = MAX(place->uid, stored->uid);
		return;
	}
	g_ptr_array_add(final->places,
			trace_place_new(stored->folder, stored->uid, stored->time_us));
}

static void
note_copy(struct trace_final *final, const struct line *line)
{
	put_text(&final->user, line->recipient);
	put_text(&final->user_key, line->recipient_key);
	put_text(&final->session, line->queue_id);
	if (line->message_key)
		put_text(&final->message_key, line->message_key);
	if (line->kind != DELIVERY_STORED)
		return;
	if (line->storage_id)
		put_text(&final->storage_id, line->storage_id);
	if (line->folder)
		note_place(final, line);
}

/* What became of a copy in its mailbox: stored is what counts, then that it was sent on. */
static void
note_mailbox(struct walk *walk, const struct line *sent, const GPtrArray *lines)
{
	enum recipient_state state = STATE_UNKNOWN;
	struct trace_final *final;

	for (guint i = 0; i < lines->len; i++) {
		enum delivery_kind kind = ((struct line *)g_ptr_array_index(lines, i))->kind;

		if (kind == DELIVERY_STORED)
			state = STATE_DELIVERED;
		else if (kind == DELIVERY_FORWARDED && state != STATE_DELIVERED)
			state = STATE_FORWARDED;
		else if (kind == DELIVERY_DISCARDED && state == STATE_UNKNOWN)
			state = STATE_DISCARDED;
	}
	note_final(walk, sent, state == STATE_UNKNOWN ? STATE_DELIVERED : state);
	final = final_of(walk, sent);
	for (guint i = 0; i < lines->len; i++)
		note_copy(final, g_ptr_array_index(lines, i));
}

/* Takes in what a mailbox's server says of the session that took a copy. */
static gboolean
follow_mailbox(struct walk *walk, const struct place *place, const struct line *sent,
	       GError **error)
{
	g_autoptr(GPtrArray) lines = g_ptr_array_new_with_free_func(line_free);

	if (!read_lines(walk, place, NULL, lines, error))
		return FALSE;
	note_mailbox(walk, sent, lines);
	return TRUE;
}

/* ---- hand-overs ---- */

/* Notes that a hand-over is followed; FALSE if it was already, or there is no end of them. */
static gboolean
visit(struct walk *walk, const struct place *place, const char *key)
{
	return g_hash_table_size(walk->visited) < CAP_TRACE_QUEUES &&
	       g_hash_table_add(walk->visited, g_strdup_printf("%s %s %s", place->host,
							       place->queue_id, key ? key : ""));
}

/*
 * A copy of which the next queue says nothing: on its way there while that has the
 * message, and else the next hop's word counts.
 */
static void
note_underway(struct walk *walk, const struct line *line, const struct queue_life *life)
{
	gboolean there = (life->queued_us || life->held_us) && !life->done_us;

	note_final(walk, line,
		   there ? trace_waiting_state(life, STATE_ACCEPTED, line->time_us)
			 : STATE_DELIVERED);
}

static gboolean
follow_place(struct walk *walk, const struct place *place, const struct line *line, gboolean whole,
	     GError **error)
{
	g_autoptr(GPtrArray) keys = g_ptr_array_new();
	g_autoptr(GHashTable) spoken = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	struct queue_life life;

	g_ptr_array_add(keys, line->recipient_key);
	if (!walk_queue(walk, place, whole ? NULL : keys, spoken, &life, error))
		return FALSE;
	if (g_hash_table_size(spoken) == 0)
		note_underway(walk, line, &life);
	return TRUE;
}

/* Follows a line that says SENT to the queue it names, if that is known. */
static gboolean
follow_sent(struct walk *walk, const struct line *line, const struct queue_life *life,
	    GError **error)
{
	gboolean local = g_strcmp0(line->relay, "local") == 0, done = TRUE;
	struct place place = {0};

	if (line->next_queue_id &&
	    !lines_find_place(walk->store, walk->tenant, line->next_queue_id,
			      local ? line->host : NULL, line->time_us, &place, error))
		return FALSE;
	if (place.queue_id && place.mailbox)
		done = follow_mailbox(walk, &place, line, error);
	else if (place.queue_id && visit(walk, &place, local ? NULL : line->recipient_key))
		done = follow_place(walk, &place, line, local, error);
	else
		note_line(walk, line, life);
	place_clear(&place);
	return done;
}

/* Returns the keys, and the addresses that lines made of them; both borrowed. */
static GPtrArray *
keys_onward(const GPtrArray *keys, const GPtrArray *lines)
{
	g_autoptr(GHashTable) known = g_hash_table_new(g_str_hash, g_str_equal);
	GPtrArray *onward;

	if (!keys)
		return NULL;
	onward = g_ptr_array_new();
	for (guint i = 0; i < keys->len; i++)
		if (g_hash_table_add(known, g_ptr_array_index(keys, i)))
			g_ptr_array_add(onward, g_ptr_array_index(keys, i));
	for (guint i = 0; i < lines->len; i++) {
		char *key = ((struct line *)g_ptr_array_index(lines, i))->recipient_key;

		if (g_hash_table_add(known, key))
			g_ptr_array_add(onward, key);
	}
	return onward;
}

/* Follows a message that was put into the queue anew; *life: then that of the new one. */
static gboolean
follow_onward(struct walk *walk, const struct onward *onward, const GPtrArray *keys,
	      GHashTable *spoken, struct queue_life *life, GError **error)
{
	struct place place = {0};
	gboolean done;

	if (!onward->queue_id)
		return TRUE;
	done = lines_find_place(walk->store, walk->tenant, onward->queue_id, onward->host,
				onward->time_us, &place, error) &&
	       (!place.queue_id || !visit(walk, &place, "*") ||
		walk_queue(walk, &place, keys, spoken, life, error));
	place_clear(&place);
	return done;
}

static gboolean
follow_onwards(struct walk *walk, const struct place *place, const GPtrArray *keys,
	       const GPtrArray *lines, GHashTable *spoken, struct queue_life *life, GError **error)
{
	g_autoptr(GPtrArray) onwards = g_ptr_array_new_with_free_func(onward_free);
	g_autoptr(GPtrArray) all = NULL;

	if (!lines_read_onwards(walk->store, walk->tenant, place, onwards, error))
		return FALSE;
	all = keys_onward(keys, lines);
	for (guint i = 0; i < onwards->len; i++)
		if (!follow_onward(walk, g_ptr_array_index(onwards, i), all, spoken, life, error))
			return FALSE;
	return TRUE;
}

/* ---- the walk ---- */

/*
 * Adds the lines about those for whom aliases among the lines stand.  reached: gets the keys;
 * they are borrowed from it.
 */
static gboolean
read_aliases(struct walk *walk, const struct place *place, const GPtrArray *keys, GPtrArray *lines,
	     GHashTable *reached, GError **error)
{
	for (guint i = 0; i < keys->len; i++)
		g_hash_table_add(reached, g_strdup(g_ptr_array_index(keys, i)));
	/* The array grows as members are read. */
	for (guint i = 0; i < lines->len; i++) {
		const struct line *line = g_ptr_array_index(lines, i);
		g_autoptr(GPtrArray) member = g_ptr_array_new();

		if (line->kind != DELIVERY_ALIASED || !line->original_key ||
		    !g_hash_table_contains(reached, line->original_key) ||
		    g_hash_table_contains(reached, line->recipient_key))
			continue;
		g_hash_table_add(reached, g_strdup(line->recipient_key));
		g_ptr_array_add(member, line->recipient_key);
		if (!read_lines(walk, place, member, lines, error))
			return FALSE;
	}
	return TRUE;
}

/* What a newer queue says of an address is later than that it was sent there, or waited. */
static gboolean
is_outdated(const struct line *line, GHashTable *newer)
{
	return (line->kind == DELIVERY_SENT || line->kind == DELIVERY_DEFERRED) &&
	       g_hash_table_contains(newer, line->recipient_key);
}

static void
note_spoken(const GPtrArray *lines, GHashTable *spoken)
{
	for (guint i = 0; i < lines->len; i++) {
		const struct line *line = g_ptr_array_index(lines, i);

		g_hash_table_add(spoken, g_strdup(line->recipient_key));
		if (line->original_key)
			g_hash_table_add(spoken, g_strdup(line->original_key));
	}
}

static void
add_all(GHashTable *set, GHashTable *other)
{
	GHashTableIter at;
	gpointer key;

	g_hash_table_iter_init(&at, other);
	while (g_hash_table_iter_next(&at, &key, NULL))
		g_hash_table_add(set, g_strdup(key));
}

/*
 * Takes in what a queue says of the keys (NULL: of all), and what follows from it.
 * spoken: gets the addresses that it, and those after it, spoke of.
 */
static gboolean
walk_queue(struct walk *walk, const struct place *place, const GPtrArray *keys, GHashTable *spoken,
	   struct queue_life *ret_life, GError **error)
{
	g_autoptr(GPtrArray) lines = g_ptr_array_new_with_free_func(line_free);
	g_autoptr(GHashTable) newer = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	g_autoptr(GHashTable) reached =
		g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	struct queue_life life;

	if (!read_lines(walk, place, keys, lines, error) ||
	    (keys && !read_aliases(walk, place, keys, lines, reached, error)) ||
	    !lines_read_life(walk->store, walk->tenant, place, &life, error) ||
	    !follow_onwards(walk, place, keys, lines, newer, &life, error))
		return FALSE;
	for (guint i = 0; i < lines->len; i++) {
		const struct line *line = g_ptr_array_index(lines, i);

		if (is_outdated(line, newer))
			continue;
		if (line->kind != DELIVERY_SENT)
			note_line(walk, line, &life);
		else if (!follow_sent(walk, line, &life, error))
			return FALSE;
	}
	note_spoken(lines, spoken);
	add_all(spoken, newer);
	*ret_life = life;
	return TRUE;
}

gboolean
trace_recipient(struct store *store, gint64 tenant, gint64 event, const char *key,
		struct trace *ret_trace, GError **error)
{
	g_autoptr(GHashTable) visited =
		g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	g_autoptr(GHashTable) spoken = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	g_autoptr(GHashTable) finals = g_hash_table_new(g_str_hash, g_str_equal);
	g_autoptr(GPtrArray) keys = g_ptr_array_new();
	struct trace trace = {.finals = g_ptr_array_new_with_free_func(final_free)};
	struct walk walk = {store, tenant, &trace, finals, visited, 0};
	const struct place place = {.event = event};

	g_ptr_array_add(keys, (char *)key);
	if (!walk_queue(&walk, &place, keys, spoken, &trace.life, error)) {
		trace_clear(&trace);
		return FALSE;
	}
	*ret_trace = trace;
	return TRUE;
}

void
trace_clear(struct trace *trace)
{
	g_clear_pointer(&trace->finals, g_ptr_array_unref);
}
