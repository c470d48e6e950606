/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * spool.h - events on disk, from before the MTA hears "accepted" until the
 * collector has them.
 *
 * A file that is damaged at rest is found when it is opened: what can be read
 * of it goes into a new one, and each entry that is lost is told as damaged by
 * spool_read(), also when the end of SQLite's log is gone, which nothing but
 * spool.mark knows (spool_private.h).
 *
 * SQLite, WAL, synchronous=FULL: one fdatasync a commit, none for one that only
 * removes what was acknowledged.  Sessions hand their events to one writer
 * thread, which commits all that wait at once; each session returns when the
 * commit that holds its event is on disk.  An entry leaves only when it is
 * acknowledged.  The epoch is made with the file, so that (sensor, epoch, n)
 * never repeats, even when a spool was lost.
 * spool_append() and spool_status() from any thread; the other verbs from one
 * thread, the publisher's.
 *
 * An append that failed may have left its entry behind when the disk, not the
 * cap, was the cause; the caller's verdict then decides whether the message
 * passed, and the record of one that did not is a phantom.  The file shrinks
 * after an outage, by some MiB with each acknowledgement, down to 64 MiB of
 * free pages that stay for the next burst.
 */
#ifndef MAILTRACE_SPOOL_H
#define MAILTRACE_SPOOL_H

#include <glib.h>

struct spool;

enum spool_error {
	SPOOL_ERROR_OPEN,    /* directory missing, file not ours */
	SPOOL_ERROR_IN_USE,  /* another process has it open */
	SPOOL_ERROR_VERSION, /* made by a newer mailtrace */
	SPOOL_ERROR_FULL,    /* max_bytes reached, or the disk is full */
	SPOOL_ERROR_WRITE,   /* the disk failed: the spool is closed to writing */
	SPOOL_ERROR_DAMAGED, /* an entry does not match its digest, or is gone */
	SPOOL_ERROR_READ,    /* the database cannot be read, or hides entries */
	SPOOL_ERROR_BUSY, /* another process holds the database; this write failed, not the next */
	SPOOL_ERROR_SIZE, /* an event over CAP_EVENT_BYTES */
	SPOOL_ERROR_NUMBER, /* an entry is acknowledged that was never given */
};
/* Of a write: the event is not in the spool, and the policy decides. */
#define SPOOL_ERROR (spool_error_quark())
GQuark spool_error_quark(void);

/* What spool_status() tells. */
struct spool_status {
	guint64 entries; /* not yet acknowledged */
	guint64 bytes;	 /* their size */
	guint64 max_bytes;
	guint64 last;	      /* the newest number given, 0 for none */
	guint64 acknowledged; /* the highest number acknowledged */
	gint64 oldest_us;     /* time of the oldest entry, 0 for none */
	guint64 commits;      /* since the start */
	gboolean writable;    /* FALSE after SPOOL_ERROR_WRITE */
	guint64 dead;	      /* dead letters kept */
	guint64 dead_bytes;   /* their size; they count against max_bytes */
	guint alarm;	      /* 0, or 50 or 80 percent were reached (spool_alarm.h) */
};

/*
 * Opens or makes directory/spool.db (0600), locks it against a second process
 * (spool.lock), keeps 16 MiB of disk (spool.reserve) so that a full disk can
 * still be cleared by acknowledgements while appends fail, and starts the writer thread: not before
 * all forking is done.  max_bytes: 0 for 10 GB or 20 % of the disk, the smaller.  Returns NULL with
 * a SPOOL_ERROR.
 */
struct spool *spool_open(const char *directory, guint64 max_bytes, GError **error);

/*
 * Puts an event on disk.  event: borrowed, at most CAP_EVENT_BYTES.  Blocks
 * until it is synced, or has failed.  *ret_n (may be NULL): its number.
 */
gboolean spool_append(struct spool *spool, GBytes *event, guint64 *ret_n, GError **error);

/*
 * spool_append() of all events of an array of GBytes, in order, with as few
 * syncs as they take.  FALSE with the first error; those that could be written
 * are kept then, so that the caller who tries again repeats them.
 */
gboolean spool_append_all(struct spool *spool, GPtrArray *events, GError **error);

/* Returns the epoch, a UUID in text; borrowed from the spool. */
const char *spool_epoch(const struct spool *spool);

/*
 * Returns what was found wrong when the spool was opened, what of it could be
 * saved and how many entries are lost, for the log; NULL if all was well.
 * Borrowed from the spool.
 */
const char *spool_mended(const struct spool *spool);
#define SPOOL_MENDED_REMEDY                                                           \
	"check the disk; mailtrace import makes the records of delivered mail anew; " \
	"take spool.db.damaged away when nobody needs it any more"

/* Returns a descriptor that is readable when something was appended; read it (8 bytes) to reset.
 * Borrowed. */
int spool_wake_fd(const struct spool *spool);

/*
 * Reads entries after n, in order, at most max_events and max_bytes (but at
 * least one).  *ret_first: the number of the first, when there is one; numbers
 * follow each other without a gap within one answer.  Returns an array of
 * GBytes, empty when there is none; NULL with SPOOL_ERROR_READ; NULL with
 * SPOOL_ERROR_DAMAGED, after the sound ones before it were given by earlier
 * calls, and then *ret_first is the damaged entry's number, for spool_refuse().
 * A number that was neither acknowledged nor refused must be there.
 */
GPtrArray *spool_read(struct spool *spool, guint64 n, guint max_events, gsize max_bytes,
		      guint64 *ret_first, GError **error);

/*
 * Removes all entries up to and with through: the collector has them.  A power
 * failure before the next append, but not the end of the process, can bring
 * them back to be sent again.  Fails with SPOOL_ERROR_NUMBER, removing nothing,
 * when through was never given.
 */
gboolean spool_acknowledge(struct spool *spool, guint64 through, GError **error);

/*
 * Moves entry n to the dead letters with a reason (at most 1 KB is kept), out
 * of the way of those behind it.  An entry that is not there is no error.
 */
gboolean spool_refuse(struct spool *spool, guint64 n, const char *reason, GError **error);

/*
 * Gives the spool a new epoch, and its entries new numbers from 1 without a
 * gap.  For a spool that was put back from a copy, whose numbers were given
 * before to other events, and for a collector that lost what it had
 * acknowledged.  What spool_epoch() lent changes.
 */
gboolean spool_renew_epoch(struct spool *spool, GError **error);

/* Tells how the spool stands. */
void spool_status(struct spool *spool, struct spool_status *ret_status);

/* Finishes what waits, stops the writer and closes.  NULL is allowed. */
void spool_close(struct spool *spool);
#endif
