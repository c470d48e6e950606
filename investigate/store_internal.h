/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * store_internal.h - what the files of the SQLite store share; nobody else
 * includes it.
 */
#ifndef MAILTRACE_STORE_INTERNAL_H
#define MAILTRACE_STORE_INTERNAL_H

#include <gio/gio.h>
#include <glib.h>

#include "digest.h"
#include "store.h"
#include "store_sqlite.h"
#include "store_text.h"

#define UUID_BYTES 16
#define MESSAGE_KEY_BYTES 76 /* Dovecot's mail_log cuts at 80, the dots included */
#define HOUR_US (3600 * (gint64)G_USEC_PER_SEC)

struct store {
	struct sql *sql;
	enum store_mode mode;
	int lock_fd;		/* holds the writer's lock; -1 for a reader */
	GHashTable *tenants;	/* of gint64 *, by name */
	GConverter *compressor; /* store_pack()'s, or NULL */
};

/* Whether an event, an expression for its row, is on legal hold (store_holds.h). */
#define IS_HELD(event)                                                          \
	"EXISTS (SELECT 1 FROM held CROSS JOIN holds ON holds.number=held.hold" \
	" WHERE held.event=" event " AND holds.ended_us=0)"

/* States of a recipient; in the store's files: never renumber. */
enum recipient_state {
	STATE_UNKNOWN,
	STATE_ACCEPTED,
	STATE_HELD,
	STATE_REJECTED,
	STATE_DELIVERED,
	STATE_DEFERRED,
	STATE_BOUNCED,
	STATE_RETRACTED,
	STATE_RESTORED,
	STATE_RELEASED,
	STATE_DELETED,
	STATE_EXPIRED,
	STATE_DISCARDED, /* by the user's filter */
	STATE_FORWARDED, /* by it, and not kept; of a final address alone */
	STATE_COUNT
};

/* A record's JSON as it is kept: bound as the columns packed, json and digest. */
struct packed_json {
	gboolean is_packed; /* deflated (RFC 1951), which halves the store; FALSE: gains nothing */
	const void *bytes;  /* length of them; owner's */
	gsize length;
	guint8 digest[SHA256_BYTES]; /* of the JSON */
	GBytes *owner;
};

/* Packs a JSON; ret_packed is filled, and cleared with packed_json_clear(). */
void store_pack(struct store *store, GBytes *json, struct packed_json *ret_packed);

/* Frees what it owns. */
void packed_json_clear(struct packed_json *packed);
typedef struct packed_json packed_json_t;
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(packed_json_t, packed_json_clear)

/* Returns the name of a state, static. */
const char *store_state_name(enum recipient_state state);

/* Writes the 16 bytes of a UUID's text; FALSE if it is none. */
gboolean store_uuid(const char *text, guint8 ret_uuid[UUID_BYTES]);

/* Returns a UUID's text.  Free with g_free(). */
char *store_uuid_text(const guint8 uuid[UUID_BYTES]);

/* Finds a tenant: 0 in *ret_tenant if it is not known. */
gboolean store_find_tenant(struct store *store, const char *name, gint64 *ret_tenant,
			   GError **error);

/* The same, making it. */
gboolean store_make_tenant(struct store *store, const char *name, gint64 *ret_tenant,
			   GError **error);

/* Finds or makes a sensor of a tenant. */
gboolean store_make_sensor(struct store *store, gint64 tenant, const char *name, gint64 *ret_sensor,
			   GError **error);

/* Reads the numbers in the first column of a statement's rows: of gint64, to unref. */
gboolean store_read_ids(struct sql_stmt *stmt, GArray **ret_ids, GError **error);

/*
 * Reads a JSON whose row has packed, json and digest from this column on, or
 * NULL if it is not what was stored.
 */
GBytes *store_read_whole(struct sql_stmt *row, int column);

/* Returns the number under which a file is found by a digest: its first eight bytes. */
gint64 store_digest_key(const guint8 *digest);

/* Returns the number under which a Message-ID is looked up, with or without its brackets. */
gint64 store_message_key(const char *message_id);

/* Adds to the messages, and unread ones, that are counted in the hour of a time. */
gboolean store_count_hour(struct store *store, gint64 tenant, gint64 time_us, int messages,
			  int unread, GError **error);

/* Takes an event (row of events) out of the count, if it was counted. */
gboolean store_uncount(struct store *store, gint64 tenant, gint64 event, GError **error);

/* Tells how many events of a chain count: 0 or 1, but while one is joined. */
gboolean store_count_chain(struct store *store, gint64 tenant, const guint8 root[UUID_BYTES],
			   gint64 *ret_counted, GError **error);

/*
 * Has a chain count, once: by the earliest of its events that was not refused,
 * unless one counts already.  root: the id of its first event, here or not.
 */
gboolean store_elect(struct store *store, gint64 tenant, const guint8 root[UUID_BYTES],
		     GError **error);

/*
 * Joins the deliveries that came before their event to it.  event: its row,
 * just added; queue_id: its own, or NULL.
 */
gboolean store_join_deliveries(struct store *store, gint64 tenant, gint64 event,
			       const char *queue_id, GError **error);

/*
 * Settles the states of an event's recipients, and whether it counts, by all
 * deliveries joined to it.  keys: search keys of the count addresses that the
 * last delivery named, where it changes nothing else; NULL for all recipients.
 */
gboolean store_settle(struct store *store, gint64 tenant, gint64 event, const char *const *keys,
		      gsize count, GError **error);

/* The same for these recipients alone, by what is said elsewhere; NULL: all. */
gboolean store_settle_some(struct store *store, gint64 tenant, gint64 event,
			   const char *const *keys, gsize count, GError **error);

/*
 * Settles the recipients, of events that a queue id goes back to, whom a new line
 * under it may speak of.  recipient, original: search keys of the line; NULL if
 * it is of the whole message.
 */
gboolean store_settle_upstream(struct store *store, gint64 tenant, const char *queue_id,
			       const char *recipient, const char *original, GError **error);

/*
 * Finds the event of a chain that knows best of a recipient, and its state there: the newest
 * hop, but one that refused only if all did.  root: the first hop's id; key: search key.
 * *ret_event and *ret_state stay as they are if no hop has the recipient.
 */
gboolean store_newest_hop(struct store *store, gint64 tenant, const guint8 root[UUID_BYTES],
			  const char *key, gint64 *ret_event, gint64 *ret_state, GError **error);

/* store_finals() of one event alone. */
gboolean store_finals_of(struct store *store, gint64 tenant, gint64 event, const char *key,
			 GPtrArray **ret_finals, GError **error);

/* Tells whether a copy for a recipient left its mailbox (store_act_departs()). */
gboolean store_departed(struct store *store, gint64 tenant, gint64 event, const char *key,
			gboolean *ret_departed, GError **error);

/*
 * Asks for the messages that the MTA's log has from since_us on, before until_us, and no sensor
 * saw (store_unseen.c).  A row for each follower: its name, how many, from when, until when.
 */
struct sql_stmt *store_unseen_counts(struct store *store, gint64 tenant, gint64 since_us,
				     gint64 until_us);

/* The same, with a row for each message: time, host, queue id, detail. */
struct sql_stmt *store_unseen_rows(struct store *store, gint64 tenant, gint64 since_us,
				   gint64 until_us);

/* Adds a stretch of time of a sensor, to the one before with that reason if they touch. */
gboolean store_add_interval(struct store *store, gint64 sensor, const char *reason, gint64 from_us,
			    gint64 to_us, guint64 messages, GError **error);

/*
 * Notes which lines of a queue id that are of no event are exempt, when one of them or the
 * milter's mark has come; so that who is not slower for each.
 */
gboolean store_note_exempt(struct store *store, gint64 tenant, const char *queue_id,
			   GError **error);

/* Asks likewise, of each sensor, for the messages of exempt networks that it let pass. */
struct sql_stmt *store_exempt_counts(struct store *store, gint64 tenant, gint64 since_us,
				     gint64 until_us);

/* Notes that number n of a sensor's epoch came; time_us: its receive time. */
gboolean store_note_number(struct store *store, const char *sensor,
			   const struct store_sequence *sequence, gint64 time_us, GError **error);

/* Counts a message, just added, as a hit of each block that it met. */
gboolean store_block_count(struct store *store, gint64 tenant, const struct event *event,
			   GError **error);

/*
 * Begins a question: a transaction of its own, unless one is under way
 * (*ret_own says which), so that all its statements see one state.
 */
gboolean store_begin_question(struct store *store, gboolean *ret_own, GError **error);

/* Ends it; own: what store_begin_question() said. */
void store_end_question(struct store *store, gboolean own);

/* Begins a change that is whole or not at all, inside a transaction or as one. */
gboolean store_begin_change(struct store *store, GError **error);

/* Ends it: done is what the change came to; returns whether it stands. */
gboolean store_end_change(struct store *store, gboolean done, GError **error);
#endif
