/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * store.h - where events are kept and asked.
 *
 * A small interface; SQLite (store_sqlite.c) is the engine behind it, and
 * nothing above knows SQL.  One process writes (the collector, or a command
 * line that found none running; the lock tells); any number read, and never
 * hinder the writer.  A store object belongs to one thread.
 *
 * Each event carries its digest, so that a flipped byte at rest is found when
 * it is read.  Files are kept once per digest and linked.  Every question is
 * asked of one tenant.
 */
#ifndef MAILTRACE_STORE_H
#define MAILTRACE_STORE_H

#include <glib.h>

#include "delivery.h"
#include "event.h"
#include "query.h"

struct store;

enum store_error {
	STORE_ERROR_OPEN,    /* URL wrong, unreadable */
	STORE_ERROR_LOCKED,  /* another process writes it */
	STORE_ERROR_VERSION, /* made by a newer mailtrace; untouched */
	STORE_ERROR_WRITE,   /* disk full or failing */
	STORE_ERROR_DAMAGED, /* no database any more, or an event does not match its digest */
	STORE_ERROR_STOPPED, /* the caller's progress function said so */
	STORE_ERROR_EVENT,   /* it has no valid id, tenant or sensor: a dead letter */
	STORE_ERROR_ABSENT,  /* of STORE_READ: nothing is there */
};
/* The store is as it was before the call that fails with one. */
#define STORE_ERROR (store_error_quark())
GQuark store_error_quark(void);

enum store_mode {
	STORE_READ,  /* must exist; sees a consistent state per question */
	STORE_WRITE, /* takes the writer's lock; makes and migrates the schema */
};

/* Where an event of the bus stands in its sensor's sequence. */
struct store_sequence {
	const char *epoch; /* UUID in text */
	guint64 n;
};

/* Opens a store.  url: "sqlite:/path".  Returns NULL with a STORE_ERROR. */
struct store *store_open(const char *url, enum store_mode mode, GError **error);

/* Closes.  NULL is allowed. */
void store_close(struct store *store);

/* ---- writing ---- */

/* Begins a transaction; of the writer, and none may be under way. */
gboolean store_begin(struct store *store, GError **error);

/* Ends it; on disk when this returns TRUE.  FALSE leaves it to store_rollback(). */
gboolean store_commit(struct store *store, GError **error);

/* Takes back what was done since store_begin(); nothing to do is no error. */
void store_rollback(struct store *store);

/*
 * Adds an event, its tenant and sensor filled.  json: its encoding, kept as it
 * is.  sequence: NULL for an import.  An event whose id is known is left as it
 * is, but an import of a mail that was recorded live (same tenant, Message-ID,
 * content digest and recipient) is joined to it.  *ret_added: FALSE if it was
 * known or joined.
 */
gboolean store_add_event(struct store *store, const struct event *event, GBytes *json,
			 const struct store_sequence *sequence, gboolean *ret_added,
			 GError **error);

/*
 * Adds to an earlier event what a supplementary one (event->supplements) tells of its
 * files: those that the earlier one lacks, or has encrypted; json is kept beside that
 * one's.  sequence, ret_added: as store_add_event() has them.  *ret_known: FALSE, and
 * nothing is added, if the earlier event is not here.
 */
gboolean store_add_supplement(struct store *store, const struct event *event, GBytes *json,
			      const struct store_sequence *sequence, gboolean *ret_added,
			      gboolean *ret_known, GError **error);

/*
 * Adds what the MTA's log says of a message, its tenant and sensor filled.
 * json, sequence, ret_added: as store_add_event() has them; a delivery whose id
 * is known changes nothing.  STORE_ERROR_EVENT without a valid id, tenant,
 * sensor or queue id.
 *
 * The event.  A delivery is of the recorded event with its tenant and queue id.
 * Where that was used again, it is of the newest that was received before the line
 * was written, or within the minute after, since a log has whole seconds and
 * another clock, and else of the first that was received after: for short ids of
 * Postfix within the day, for those that do not repeat (queue_id.h) whenever, so
 * that a gateway whose clock is days off loses no outcome.  Where several MTAs are recorded,
 * events of the host that wrote the line come first: its name in the log is the
 * MTA's name or the first label of it.  A delivery may come before its event;
 * what counts is all that is known of both, in whichever order it came.
 *
 * The state of an envelope recipient is the best known.  A line speaks of the
 * recipient that it names in original or recipient, compared by search key, so
 * that of one line to=<bob>, orig_to=<team> both may be told.  Where a line hands
 * a copy over to another queue id, what is said under that one counts, where
 * anything is (store_trace.h): a forwarded, requeued or filtered mail is that of
 * its first event.  Of several final addresses, "delivered" is told if any was,
 * then "deferred", "held", "released", "accepted" (on its way under the next
 * queue id), "bounced", "expired", "deleted" and "discarded" (by the
 * user's filter; what that forwarded is "delivered").  Of one final address, SENT is
 * stronger than BOUNCED, and that than DEFERRED.  HELD is of the whole message,
 * until a QUEUED, RELEASED or DEFERRED that is later; DELETED and EXPIRED are of
 * all that was not sent or bounced.  Without a line of outcome:
 *  - REFUSED without a recipient makes all of them "rejected", and the message
 *    a phantom, which no coverage counts; unless any line tells an outcome, for
 *    then the refusal was not of this message;
 *  - REFUSED with a recipient makes that one "rejected";
 *  - once the message is DONE, a recipient of whom no line spoke is "rejected":
 *    a filter behind ours refused it when the MTA had no queue id to log yet.
 *    Aliases and lost lines would make this a wrong "nobody".  So it is told
 *    only if every final address stands for a recipient of ours, lest the one
 *    that is missing goes by another name (recipients added with always_bcc
 *    thus switch it off); and if lines speak of exactly as many addresses
 *    before aliases as QUEUED, which follows all refusals, said of the queue
 *    (nrcpt=): then no line was lost.  nrcpt= counts after virtual aliases and
 *    before those of local(8), so that a virtual alias of several switches it
 *    off too.
 */
gboolean store_add_delivery(struct store *store, const struct delivery *delivery, GBytes *json,
			    const struct store_sequence *sequence, gboolean *ret_added,
			    GError **error);

/* Returns in *ret_through the highest n below which this sensor's epoch is complete; 0 for none. */
gboolean store_sequence_through(struct store *store, const char *sensor, const char *epoch,
				guint64 *ret_through, GError **error);

/* What a heartbeat says.  Everything is borrowed. */
struct store_beat {
	const char *epoch;
	gint64 time_us;	      /* when it came, by our clock; the others are by the sensor's */
	gint64 complete_us;   /* before it, all that was received has a number up to last; or 0 */
	guint64 last;	      /* the newest number given out */
	const char *counters; /* JSON as it came, UTF-8; NULL: as before */
	gint64 started_us;    /* since when the program counts; 0 if it does not say */
	guint64 unrecorded;   /* messages let pass without a record since then */
	guint64 log_gaps;     /* of a follower: times that its place in the log was lost */
	gboolean has_offset;
	gint64 offset_us; /* how far the sensor's clock is ahead of ours */
};

/*
 * Notes a heartbeat, and what it shows of the time since the one before, as an
 * interval (struct store_gap): another epoch, another start of the program,
 * messages that passed without a record.
 */
gboolean store_note_beat(struct store *store, const char *tenant, const char *sensor,
			 const struct store_beat *beat, GError **error);

/* Tells how many intervals were noted of a sensor (*ret_count). */
gboolean store_count_intervals(struct store *store, const char *tenant, const char *sensor,
			       guint64 *ret_count, GError **error);

/* What came of what an entry of the journal tells; in the order of OCSF's status_id. */
enum audit_status {
	AUDIT_DONE,
	AUDIT_FAILED, /* or refused */
	AUDIT_ABSENT, /* there was nothing to act upon */
	AUDIT_PARTIAL,
	AUDIT_UNSUPPORTED,
	AUDIT_ERROR,
};

/* What an action does against a harm: OCSF's activity_id of a remediation. */
enum audit_remedy { REMEDY_NONE, REMEDY_ISOLATE, REMEDY_EVICT, REMEDY_RESTORE, REMEDY_HARDEN };

struct json_t;

/*
 * What the journal is to keep: who asked, changed or did what.  Actions, their
 * results and their undoing have a command_uid, and become remediation events;
 * everything else is an api_activity.
 */
struct store_audit {
	gint64 time_us;
	char *actor; /* "uid=1000(name)" */
	char *tenant;
	char *verb;	 /* "who", "import"… */
	char *arguments; /* as given, JSON array */
	char *case_id;	 /* NULL if none */
	char *reason;	 /* NULL if none */
	gint64 results;	 /* number of hits, -1 if it does not apply */
	enum audit_status status;
	char *detail;	   /* of the status, for people; NULL if none */
	char *command_uid; /* of the action that this is, or of which this is the result; or NULL */
	enum audit_remedy remedy; /* with a command_uid */
	/*
	 * Members that the OCSF event is to have besides (observables,
	 * countermeasures, unmapped.mailtrace.…), or NULL.  None that is written here
	 * can be replaced.
	 */
	const struct json_t *event;
};

/*
 * Appends to the journal (journal.h, store_journal.h); inside a transaction it
 * stands or falls with that.  STORE_ERROR_EVENT if it would be too long.
 */
gboolean store_add_audit(struct store *store, const struct store_audit *audit, GError **error);

/* ---- asking ---- */

/* Whose an address was at a time. */
enum device_certainty {
	DEVICE_UNKNOWN,	  /* nobody told */
	DEVICE_KNOWN,	  /* one device's, and no other's near that time */
	DEVICE_AMBIGUOUS, /* several', or shared */
};

/* What a user did with a copy in a mailbox. */
struct store_act {
	/*
	 * "seen": marked so, which is not opened; "fetched": its content was, or a part;
	 * "downloaded": by POP3; "copied", "moved": to a folder; "deleted": from one;
	 * "renamed": the folder, to that;
	 * "forwarded": by the user's filter, or by the word of his mail program.
	 */
	const char *what; /* static */
	gint64 at_us;	  /* the first time; of "moved" and the like, each time */
	gboolean perhaps; /* the log does not say of which message: it may have been this one */
	char *detail;	  /* the part, the folder, the address; NULL if there is none */
	gint64 line;	  /* orders what was logged in one second */
	char *client;	  /* the address from which its user had logged in; NULL if not told */
	gint64 login_us;  /* when that was, in whole seconds; 0 if not told */
	char *by;	  /* the service that logged it: "imap", "pop3", "doveadm", "lmtp" */
	enum device_certainty certainty; /* of client, and the device; set by devices.h alone */
	char *device;			 /* NULL unless it is known */
};

/* Returns whether a copy left the mailbox by an act, to where nobody reaches it. */
gboolean store_act_departs(const struct store_act *act);

/*
 * One final address of an envelope recipient, and how its copy stands; a recipient
 * that is an alias, or forwards, has several.  What is not told by any log is NULL.
 */
struct store_final {
	char *address; /* as logged last, without brackets */
	char *state;   /* "delivered", "deferred"…: design's list; "accepted": on its way;
			  "discarded" or "forwarded" by the user's filter, and not kept */
	gint64 at_us;  /* of the line that tells the state */
	char *relay, *dsn;
	char *host, *queue_id; /* where that line was written, and under which queue id */
	char *user;	       /* whose mailbox, as its server calls them */
	char *stored_in;       /* the folder where it was stored */
	char *folder;	       /* the same, or where it was moved to since; NULL: gone */
	char *storage_id;      /* Dovecot's; with Maildir the guid */
	GPtrArray *acts;       /* of struct store_act, in order of time */
	GPtrArray *devices;    /* of struct device_use (devices.h), which fills it in; or NULL */
};

/*
 * Tells where the copies of a recipient of an event went: in order of the log; empty
 * if no log tells.  recipient: envelope address, compared by search key.  Of a chain of
 * events, the newest hop that did not refuse the recipient counts, as in store_who().
 * Returns an array of struct store_final; NULL with an error.  Unref with
 * g_ptr_array_unref().
 */
GPtrArray *store_finals(struct store *store, const char *tenant, const char *event_id,
			const char *recipient, GError **error);

/* One recipient of one message that matches; everything is owned by the row. */
struct store_hit {
	gint64 received_at_us;
	char *recipient; /* envelope address as typed, without brackets; "" if nobody knows */
	char *state;	 /* "accepted", "held"…: design's list */
	char *match;	 /* "exact" or "candidate"; NULL when no file was asked */
	char *variant;	 /* how a digest matched; NULL when none was asked, or for a candidate */
	char *file;	 /* path in the message; NULL when no file was asked */
	char *name;	 /* the file's best name, or NULL */
	char *sha256;	 /* lower-case hex, or NULL */
	char *subject, *from, *message_id, *queue_id; /* each may be NULL */
	char *sensor, *event_id;
	char *cursor;	   /* opaque; `--cursor` continues after this row */
	GPtrArray *finals; /* of struct store_final, as store_finals(); NULL: not asked for */
};

/* Called for each hit in order of received_at; FALSE stops.  hit: borrowed. */
typedef gboolean (*store_hit_fn)(const struct store_hit *hit, void *data);

/* Called now and then during long questions; FALSE stops with STORE_ERROR_STOPPED.  share: 0 to 1,
 * or -1 unknown. */
typedef gboolean (*store_progress_fn)(double share, void *data);

/*
 * Asks who received it: rows in order of receive time, event id and place in
 * the envelope.  query: its tenant, times, limit and cursor count; a cursor
 * that no answer gave is QUERY_ERROR_TERM.
 *
 * A chain of events (parent_event) is folded into one row per recipient: that
 * of the earliest hop that matches, with the state of the newest hop that did
 * not refuse; it is "rejected" only if every hop refused.  Rejected rows are
 * left out unless with_refused or state:rejected asks for them.
 *
 * match is "exact" when all terms about files hold of one file, and
 * "candidate" when its digest is only guessed from CRC-32 and size.  variant
 * is "exact" for the file as given, else the form that was wanted (query.h) or
 * the variant that was recorded (variant_kind_name()).
 *
 * *ret_hits (may be NULL): how many rows were given.
 */
gboolean store_who(struct store *store, const struct query *query, store_hit_fn hit, void *data,
		   store_progress_fn progress, void *progress_data, guint64 *ret_hits,
		   GError **error);

/*
 * A stretch of time in which mail may have passed without a record.  Reasons:
 *  - "never-seen": an expected sensor of which nothing was ever heard
 *  - "silent": not heard of since; what it has recorded may come yet
 *  - "not-begun": an expected sensor did not record yet
 *  - "missing": numbers of its sequence did not come
 *  - "epoch": its spool is another, and what the former still held is lost
 *  - "down": the milter did not run; what the MTA did meanwhile, its own
 *    milter_default_action decided
 *  - "unrecorded": it let messages pass that it could not put on disk
 *  - "log-gap": a follower lost its place in the MTA's log
 *  - "unseen": the MTA's log has messages accepted that passed the milter by
 */
struct store_gap {
	char *sensor;
	gint64 from_us, to_us; /* to_us 0: still open */
	char *reason;
	guint64 messages; /* that passed, where it is known; else 0 */
};

/* How far a sensor's clock is ahead of the collector's. */
struct store_clock {
	char *sensor;
	gint64 offset_us;
};

/* Of whom an answer needs to have heard; lists are NULL-terminated, or NULL for nobody. */
struct store_expected {
	const char *const *sensors;
	const char *const *followers; /* whose MTA's log answers are reconciled with */
};

/*
 * What an answer did not see; clear with store_coverage_clear().  A message is
 * counted once, however many hops recorded it, and not when it was refused.
 * complete_until_us is the oldest, over the expected sensors, of the last signs
 * of life at which everything that the sensor had given out was stored, less
 * what its clock is ahead.
 *
 * What expired (store_retention.h) is gone: neither are its messages counted
 * nor the gaps of that time told, and no sensor records since earlier.
 *
 * Reconciled: the followers have read the log as far as the answer is complete
 * (STORE_LAG_US aside), lost no place in it, and each message that is accepted
 * there has an event, is of an exempt network, or was sent on by a hop of which one
 * of these is true ("queued as").  A line is held against events once all of its time are here.
 */
struct store_coverage {
	guint64 messages;	    /* in the time asked */
	guint64 unread;		    /* of them, files not fully read */
	guint64 unseen;		    /* messages of the MTA's log without an event */
	guint64 exempt;		    /* messages of exempt networks, which no sensor was to see */
	guint64 erased;		    /* whole messages, on request; of all hours that are touched */
	GPtrArray *sensors;	    /* of char *: that have events or are expected */
	gint64 recorded_since_us;   /* all expected sensors record since; 0: one never did */
	gint64 expired_before_us;   /* what is older may be gone; 0: nothing that was asked for */
	gint64 complete_until_us;   /* 0: not known for every expected sensor */
	gint64 reconciled_until_us; /* up to where all followers have read; 0: nobody has */
	gboolean reconciled;	    /* with the MTA's log */
	GPtrArray *gaps;	    /* of struct store_gap */
	GPtrArray *clocks;	    /* of struct store_clock */
};

/* Heartbeats come every five seconds; what is known of "now" is known this late. */
#define STORE_LAG_US (15 * G_USEC_PER_SEC)

/* Tells the coverage of a query.  expected: NULL for nobody. */
gboolean store_coverage(struct store *store, const struct query *query,
			const struct store_expected *expected, struct store_coverage *ret_coverage,
			GError **error);

/* Called for each message whose files were not fully read; FALSE stops.  event_id: borrowed. */
typedef gboolean (*store_unread_fn)(const char *event_id, void *data);

/* Names the messages that a coverage counts as unread, in order of time. */
gboolean store_unread(struct store *store, const struct query *query, store_unread_fn unread,
		      void *data, GError **error);

/* A message that the MTA accepted and no sensor saw; everything is borrowed. */
struct store_unseen {
	gint64 time_us; /* as logged */
	const char *host, *queue_id;
	const char *detail; /* sender and size as logged, or NULL */
};

/* Called for each; FALSE stops. */
typedef gboolean (*store_unseen_fn)(const struct store_unseen *unseen, void *data);

/* Names the messages that a coverage counts as unseen, in order of time. */
gboolean store_unseen(struct store *store, const struct query *query,
		      const struct store_expected *expected, store_unseen_fn unseen, void *data,
		      GError **error);

/* Frees what a coverage owns. */
void store_coverage_clear(struct store_coverage *coverage);

/*
 * Reads one event's JSON by its id, digest checked.  Returns NULL without an
 * error if there is none; NULL with STORE_ERROR_DAMAGED if it does not match.
 */
GBytes *store_event(struct store *store, const char *tenant, const char *event_id, GError **error);

/* Called for each supplementary event; FALSE stops.  json is as it came, borrowed. */
typedef gboolean (*store_supplement_fn)(GBytes *json, void *data);

/* Reads the supplementary events of an event, in the order in which they came. */
gboolean store_supplements(struct store *store, const char *tenant, const char *event_id,
			   store_supplement_fn supplement, void *data, GError **error);
/* Called for each hop of a message; FALSE stops.  event_id: borrowed. */
typedef gboolean (*store_hop_fn)(const char *event_id, void *data);

/*
 * Names the events of the chain that an event belongs to, itself among them, in
 * order of time.  An event that is not known has none, which is no error.
 */
gboolean store_chain(struct store *store, const char *tenant, const char *event_id,
		     store_hop_fn hop, void *data, GError **error);

/* Called for each delivery; FALSE stops.  Both are borrowed; json is as it came. */
typedef gboolean (*store_delivery_fn)(const struct delivery *delivery, GBytes *json, void *data);

/*
 * Reads the deliveries that were joined to an event, and those under the queue ids
 * that its copies went on under, in order of their time.  None is no error.
 * STORE_ERROR_DAMAGED if one does not match its digest.
 */
gboolean store_deliveries(struct store *store, const char *tenant, const char *event_id,
			  store_delivery_fn delivery, void *data, GError **error);

/* One sensor, as `status` shows it. */
struct store_sensor {
	char *tenant, *sensor, *epoch;
	gint64 last_seen_us;   /* last sign of life */
	gint64 last_event_us;  /* last event's receive time */
	guint64 through, last; /* stored and given out; the difference is the lag */
	char *counters;	       /* JSON of the last heartbeat, or NULL */
};

/* The store as a whole; clear with store_status_clear(). */
struct store_status {
	int schema;
	guint64 events, files, recipients, dead_letters, journal_entries;
	guint64 bytes;	    /* on disk */
	GPtrArray *sensors; /* of struct store_sensor */
};

/* Tells how the store stands.  tenant: NULL for all. */
gboolean store_status(struct store *store, const char *tenant, struct store_status *ret_status,
		      GError **error);

/* Frees what a status owns. */
void store_status_clear(struct store_status *status);

/* Something that is not as it was stored; everything is borrowed. */
struct store_flaw {
	const char *kind;   /* "file", "event", "delivery" or "digest" */
	const char *id;	    /* of the event or delivery, or NULL */
	const char *detail; /* for people */
};

/* Called for each flaw. */
typedef void (*store_flaw_fn)(const struct store_flaw *flaw, void *data);

/*
 * Looks whether the store is as it was written, of all tenants: that its pages
 * and indexes agree, that each event and delivery is what its digest says, and
 * that each file is found by each of its hashes.  flaw, progress: may be NULL.
 * *ret_flaws: how many.  A store too damaged to be read on is a flaw; other
 * trouble is an error.
 */
gboolean store_verify(struct store *store, store_flaw_fn flaw, void *data,
		      store_progress_fn progress, void *progress_data, guint64 *ret_flaws,
		      GError **error);

/*
 * Copies the store, as it is at this moment, into a new file (mode 0600), on
 * disk when this returns TRUE; whoever writes the store goes on meanwhile.  Until
 * it is whole the copy is called path with ".part"; neither may exist.  progress:
 * may be NULL.
 */
gboolean store_backup(struct store *store, const char *path, store_progress_fn progress,
		      void *progress_data, GError **error);

typedef struct store store_t;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(store_t, store_close)
#endif
