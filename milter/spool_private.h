/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * spool_private.h - what the files of the spool share; for nobody else.
 *
 * spool.c        the verbs, which hand jobs to the writer and wait
 * spool_open.c   files, locks, tables; the beginning and the end
 * spool_writer.c the writer's thread: one commit for all that wait, the reserve
 * spool_jobs.c   what a job does within the transaction
 * spool_read.c   the publisher's side
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

#define REMEDY_OF_DAMAGE                                                                 \
	"check the disk, keep spool.db and spool.db-wal aside and restart: a new spool " \
	"is made, and the answers tell the gap"

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
	gboolean broken; /* the disk failed once */
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

/* ---- spool_jobs.c, in the writer's thread ---- */

/* Prepares the writer's statements; spool_close() finalizes them. */
gboolean spool_prepare_jobs(struct spool *spool, GError **error);

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

/* The writer's thread, until the spool is stopping and nothing waits.  data: the spool. */
gpointer spool_writer_main(gpointer data);
#endif
