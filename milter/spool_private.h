/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * spool_private.h - what the files of the spool share; for nobody else.
 *
 * spool.c        the verbs, which hand jobs to the writer and wait
 * spool_open.c   files, locks, tables; the beginning and the end
 * spool_writer.c the writer's thread: one commit for all that wait, the reserve
 * spool_jobs.c   what a job does within the transaction
 * spool_read.c   the publisher's side
 * spool_mark.c   what was there last, beside the file
 * spool_mend.c   at the beginning: whether the file is what it should be
 * spool_salvage.c what can be read of a damaged file, into a new one
 * spool_db.c     SQLite's errors and small steps
 *
 * Each of these alone may call SQLite, by this header.
 */
#ifndef MAILTRACE_SPOOL_PRIVATE_H
#define MAILTRACE_SPOOL_PRIVATE_H

#include <glib.h>
#include <sqlite3.h>

#include "digest.h"
#include "spool.h"

#define SPOOL_VERSION 1 /* a newer one writes its mark before it changes the file */
#define REMEDY_OF_DAMAGE                                                                      \
	"check the disk and restart: what can be read is saved into a new file, the damaged " \
	"one is kept as spool.db.damaged, and the answers tell the gap"

enum statement {
	INSERT_ENTRY,
	SIZE_THROUGH,
	DELETE_THROUGH,
	BURY_ENTRY,
	DELETE_ENTRY,
	OLDEST_ENTRY,
	NEXT_ENTRY,
	MOVE_ENTRY,
	SET_LAST,
	SAVE_STATE,
	STATEMENTS,
};

/* What is known of the entries; a copy is changed with a commit and then kept, or dropped. */
struct tally {
	char epoch[37];
	guint64 entries;
	guint64 bytes;
	guint64 last;
	guint64 acknowledged;
	guint64 dead;
	guint64 dead_bytes;
	gint64 oldest_us;
};

/*
 * What stood in the file after its last commit, in a file of its own
 * (spool.mark).  It is written after the commit and never synced: so it is
 * never ahead of what a sound file has, and whoever knows more than the file
 * proves that something was taken from it, be it a log whose end does not
 * fit its checksums, which SQLite passes over in silence.
 */
struct spool_mark {
	guint version;
	char epoch[37];
	guint64 last;
	guint64 entries;
	gboolean suspect; /* damage was met while it ran */
};

enum job_kind { JOB_ACKNOWLEDGE, JOB_REFUSE, JOB_RENEW, JOB_APPEND };

/* What a caller wants written; on its stack, for it waits. */
struct job {
	enum job_kind kind;
	GBytes *event;		     /* of JOB_APPEND */
	guint8 digest[SHA256_BYTES]; /* of JOB_APPEND */
	guint64 n;		     /* in: acknowledged or refused; out: appended */
	const char *reason;	     /* of JOB_REFUSE */
	GError *error;		     /* out */
	gboolean done;
	GCond finished;
};

struct spool {
	int lock_fd;
	int wake_fd;
	int reserve_fd;
	int mark_fd;
	gboolean marked; /* at the beginning there was a mark: */
	struct spool_mark mark;
	gboolean foreign;  /* the file does not say that it is a spool of ours */
	gboolean salvaged; /* the file was made of what could be read of a damaged one */
	char *mended;	   /* what was found and done at the beginning, or NULL */
	gboolean reserved; /* of the writer thread, from its start on */
	guint64 max_bytes;
	sqlite3 *writer_db; /* of the writer thread, from its start on */
	gboolean relaxed;   /* likewise: its commits are not synced at once */
	gboolean damaged;   /* likewise: why it is broken */
	sqlite3_stmt *statements[STATEMENTS];
	sqlite3 *reader_db; /* of the publisher's thread */
	sqlite3_stmt *read, *refused;
	gboolean unsound; /* of the publisher's thread: entries cannot be found */
	GThread *writer;

	GMutex mutex; /* of what follows */
	GCond work;
	GQueue waiting; /* of struct job, borrowed */
	gboolean stopping;
	gboolean broken;  /* the disk failed once */
	gboolean suspect; /* damage was met: the next start is to read all of the file */
	struct tally tally;
	guint64 commits;
	guint alarm;	/* as last asked for */
	char epoch[37]; /* what spool_epoch() lends; of the publisher's thread */
};

/* ---- spool_db.c ---- */

/* What the last failure of SQLite means. */
enum spool_error spool_db_classify(sqlite3 *db);

/* Whether the last failure was the file's, whose bytes are not what was written. */
gboolean spool_db_is_damaged(sqlite3 *db);

/* Sets the error of what could not be done, with the remedy of damage.  Returns FALSE. */
gboolean spool_db_set_error(GError **error, int code, sqlite3 *db, const char *what);

/* Runs SQL that answers nothing; code: of the error. */
gboolean spool_db_run(sqlite3 *db, const char *sql, int code, GError **error);

/* Steps a statement that answers nothing, and resets it. */
gboolean spool_db_finish(sqlite3_stmt *statement);

/* Reads one number, 0 on failure: what hangs on it is only tidiness. */
gint64 spool_db_number(sqlite3 *db, const char *sql);

/* Prepares a statement that lives as long as the spool; the caller finalizes it. */
gboolean spool_db_prepare(sqlite3 *db, const char *sql, sqlite3_stmt **ret_statement,
			  GError **error);

/* Whether the file's structure is as it should be: reads all of it. */
gboolean spool_db_is_sound(sqlite3 *db);

/* Opens a database as all of ours are; the caller closes it, on failure too. */
gboolean spool_db_open(const char *path, sqlite3 **ret_db, GError **error);

/* ---- spool_open.c ---- */

/* Makes the file with its mode (SQLite's own files follow it) and syncs its name. */
gboolean spool_make_file(const char *directory, const char *path, GError **error);

/* Fills an empty file, as a whole or not at all. */
gboolean spool_make_tables(sqlite3 *db, GError **error);

/* ---- spool_read.c ---- */

/* Takes digest and event, in that order from a column on; NULL when they do not fit. */
GBytes *spool_sound_event(sqlite3_stmt *row, int column);

/* ---- spool_mark.c ---- */

/* Reads the mark.  FALSE: there is none, or its sum does not fit. */
gboolean spool_mark_read(int fd, struct spool_mark *ret_mark);

/* Writes the mark, or, if that fails, leaves none: an old one would accuse a sound spool. */
void spool_mark_write(int fd, const struct spool_mark *mark);

/* From now on there is none. */
void spool_mark_clear(int fd);

/* ---- spool_mend.c, before the writer's thread begins ---- */

/*
 * Checks that the file is as it was written and mends its numbers.  Fails with
 * spool->damaged set when the file is to be salvaged.
 */
gboolean spool_check(struct spool *spool, GError **error);

/* ---- spool_salvage.c, with no connection open ---- */

/*
 * Saves what can be read of a damaged spool.db into a new one, and keeps the
 * damaged one as spool.db.damaged; fails when there is such a file already.
 */
gboolean spool_salvage(const char *directory, GError **error);

/* Puts a file in its place that a crash kept from it. */
gboolean spool_finish_salvage(const char *directory, GError **error);

/* ---- spool_jobs.c, in the writer's thread ---- */

/* Prepares the writer's statements; spool_close() finalizes them. */
gboolean spool_prepare_jobs(struct spool *spool, GError **error);

/* Within a transaction: a new epoch, and numbers from 1 without a gap.  Changes tally. */
gboolean spool_renew(struct spool *spool, struct tally *tally);

/* Does one job within the transaction.  FALSE: the database failed, and all jobs with it. */
gboolean spool_write_job(struct spool *spool, struct job *job, struct tally *tally,
			 gboolean *changed);

/* Writes the tally into the transaction. */
gboolean spool_save_state(struct spool *spool, const struct tally *tally);

/* Finds the time of the oldest entry. */
gboolean spool_find_oldest(struct spool *spool, struct tally *tally);

/* ---- spool_writer.c ---- */

/* Takes the reserve, if the disk has so much. */
void spool_take_reserve(struct spool *spool);

/* Writes how the spool stands into the mark.  The mutex is held, or there is one thread. */
void spool_mark(struct spool *spool);

/* The writer's thread, until the spool is stopping and nothing waits.  data: the spool. */
gpointer spool_writer_main(gpointer data);
#endif
