# SPDX-License-Identifier: BSD-2-Clause

# The life of a message between the MTA and the spool; knows no libmilter.
noinst_LIBRARIES += milter/libsession.a
milter_libsession_a_SOURCES = \
	milter/anchor_file.c \
	milter/anchor_file.h \
	milter/block_file.c \
	milter/block_file.h \
	milter/block_hit.c \
	milter/block_hit.h \
	milter/exempt.c \
	milter/exempt.h \
	milter/direction.c \
	milter/direction.h \
	milter/engine.c \
	milter/engine.h \
	milter/kept.c \
	milter/kept.h \
	milter/later.c \
	milter/later.h \
	milter/message.c \
	milter/message.h \
	milter/policy.c \
	milter/policy.h \
	milter/session.c \
	milter/session.h \
	milter/session_end.c \
	milter/session_header.c \
	milter/session_internal.h

# Events on disk until the collector has them; SQLite's owner in the milter.
noinst_LIBRARIES += milter/libspool.a
milter_libspool_a_SOURCES = milter/spool.c milter/spool.h milter/spool_private.h milter/spool_db.c \
	milter/spool_jobs.c milter/spool_open.c milter/spool_read.c milter/spool_writer.c \
	milter/spool_mark.c milter/spool_mend.c milter/spool_salvage.c \
	milter/spool_alarm.c milter/spool_alarm.h
milter_libspool_a_CFLAGS = $(AM_CFLAGS) $(SQLITE_CFLAGS)
SPOOL_LIBS = milter/libspool.a $(SQLITE_LIBS)

# The thread between the spool and the collector.
noinst_LIBRARIES += milter/libpublisher.a
milter_libpublisher_a_SOURCES = milter/publisher.c milter/publisher.h
PUBLISHER_LIBS = milter/libpublisher.a

# The sandbox and what runs in it.  A sanitizer needs more from the kernel than
# we do: the list of system calls is then looser, and memory has no limit.
noinst_LIBRARIES += milter/libsandbox.a
milter_libsandbox_a_SOURCES = \
	milter/sandbox.c \
	milter/sandbox.h
milter_libsandbox_a_CFLAGS = $(AM_CFLAGS) $(SECCOMP_CFLAGS)
SANDBOX_LIBS = milter/libsandbox.a $(BASE_LIBS) $(SECCOMP_LIBS)

# The supervisor, and what it and the milter process say to each other.
noinst_LIBRARIES += milter/libsupervision.a
milter_libsupervision_a_SOURCES = \
	milter/child.c \
	milter/child.h \
	milter/configuration.c \
	milter/configuration.h \
	milter/listener.c \
	milter/listener.h \
	milter/liveness.c \
	milter/liveness.h \
	milter/supervision.c \
	milter/supervision.h
sbin_PROGRAMS += milter/mailtrace-milter
milter_mailtrace_milter_SOURCES = milter/mailtrace_milter.c milter/supervisor.c milter/supervisor.h
milter_mailtrace_milter_CFLAGS = $(AM_CFLAGS) $(SYSTEMD_CFLAGS)
milter_mailtrace_milter_LDADD = milter/libsupervision.a $(BASE_LIBS) $(SYSTEMD_LIBS)

# The milter process.
pkglibexec_PROGRAMS += milter/milter
milter_milter_SOURCES = milter/main.c milter/callbacks.c milter/callbacks.h \
	milter/drain.c milter/drain.h \
	milter/engine_metrics.c milter/engine_metrics.h
milter_milter_LDADD = milter/libsupervision.a milter/libsession.a $(PUBLISHER_LIBS) $(SPOOL_LIBS) \
	milter/libsession.a $(BUS_LIBS) $(METRICS_LIBS) $(BASE_LIBS) $(MILTER_LIBS)

# The command line's helper for compressed mailboxes; here beside the sandbox.
pkglibexec_PROGRAMS += milter/decompress
milter_decompress_SOURCES = milter/decompress.c
milter_decompress_CFLAGS = $(AM_CFLAGS)
milter_decompress_LDADD = $(UNPACK_LIBS) $(SANDBOX_LIBS)
# The program that keeps the sandboxed workers; opens no socket and no database.
pkglibexec_PROGRAMS += milter/scanner
milter_scanner_SOURCES = \
	milter/scanner.c \
	milter/worker.c \
	milter/worker.h \
	milter/worker_folder.c \
	milter/worker_folder.h
milter_scanner_LDADD = $(READ_LIBS) $(SANDBOX_LIBS)

# What the MTA's log says of a message.
noinst_LIBRARIES += milter/libfollow.a
milter_libfollow_a_SOURCES = \
	milter/dovecot_export.c \
	milter/dovecot_line.c \
	milter/dovecot_line.h \
	milter/dovecot_lmtp.c \
	milter/dovecot_log.c \
	milter/dovecot_log.h \
	milter/dovecot_login.c \
	milter/dovecot_mail_log.c \
	milter/dovecot_session.c \
	milter/journal_entry.c \
	milter/journal_entry.h \
	milter/journal_tail.c \
	milter/journal_tail.h \
	milter/log_history.c \
	milter/log_name.c \
	milter/log_name.h \
	milter/log_history.h \
	milter/log_line.c \
	milter/log_line.h \
	milter/log_source.c \
	milter/log_source.h \
	milter/log_tail.c \
	milter/log_tail.h \
	milter/log_cursor.c \
	milter/log_cursor.h \
	milter/mta_login.c \
	milter/mta_login.h \
	milter/postfix_log.c \
	milter/postfix_log.h \
	milter/sendmail_log.c \
	milter/sendmail_log.h
milter_libfollow_a_CFLAGS = $(AM_CFLAGS) $(SYSTEMD_CFLAGS)
FOLLOW_LIBS = milter/libfollow.a $(SYSTEMD_LIBS)
pkglibexec_PROGRAMS += milter/follow
milter_follow_SOURCES = milter/follow.c
milter_follow_CFLAGS = $(AM_CFLAGS) $(SYSTEMD_CFLAGS)
milter_follow_LDADD = $(FOLLOW_LIBS) $(PUBLISHER_LIBS) $(SPOOL_LIBS) $(BUS_LIBS) $(BASE_LIBS)
