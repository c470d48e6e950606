/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * settings.h - the configuration file, read, checked, typed.
 *
 * mailtrace.conf(5) is a GKeyFile; every key stands in one table in settings_keys.c
 * with its type, range, default and one-line description, from which the
 * parser, `mailtrace-milter -t`, the example file and the man page's test all
 * work.  A wrong configuration is found here, before anything is opened: one
 * line naming file, line, key and remedy.  Settings are immutable once read
 * and counted by reference, so that a reload swaps a pointer; any thread.
 */
#ifndef MAILTRACE_SETTINGS_H
#define MAILTRACE_SETTINGS_H

#include <glib.h>
#include <sys/stat.h>

#include "gateways.h"
#include "network.h"

enum on_unrecorded { ON_UNRECORDED_TEMPFAIL, ON_UNRECORDED_ACCEPT };
enum on_unread { ON_UNREAD_ACCEPT, ON_UNREAD_HOLD, ON_UNREAD_TEMPFAIL };
enum ambiguous { AMBIGUOUS_RECORD, AMBIGUOUS_TAG, AMBIGUOUS_HOLD, AMBIGUOUS_REJECT };

#define FOLLOW_JOURNAL "journal:" /* begins a log that is kept in systemd's journal */

/* Where a log is begun at the first start. */
enum follow_logins { FOLLOW_LOGINS_YES, FOLLOW_LOGINS_NO };
enum follow_from { FOLLOW_FROM_BEGINNING, FOLLOW_FROM_END };
enum follow_format { FOLLOW_AUTO, FOLLOW_POSTFIX, FOLLOW_SENDMAIL, FOLLOW_DOVECOT };

/* What a mail store calls the user of an address. */
enum user_format { USER_FORMAT_ADDRESS, USER_FORMAT_LOCAL_PART };
/* Whether a message is read before it is moved. */
enum verify_digest { VERIFY_DIGEST_YES, VERIFY_DIGEST_NO };

/* Which version of OpenC2's transfer over HTTPS. */
enum openc2_transfer { OPENC2_TRANSFER_1_1, OPENC2_TRANSFER_1_0 };

enum settings_error {
	SETTINGS_ERROR_READ,	/* the file, or what should have come instead, cannot be read */
	SETTINGS_ERROR_INVALID, /* a line of it, or what a setting names, is not as it should be */
};
/* Its message is one line for the administrator, with the remedy. */
#define SETTINGS_ERROR (settings_error_quark())
GQuark settings_error_quark(void);

/*
 * Lists are NULL-terminated; paths absolute; none is NULL.  A member has its
 * key's name, but for those that would only repeat the group, [spool]
 * "directory" and "max_bytes", [collector] "key", [store] "url", and those of
 * [follow], [queue] and [mailstore], and three of [scanner], which have it before them.
 */
struct settings {
	/* [site] */
	char *sensor;	      /* name of this sensor; default: the host's name */
	char *tenant;	      /* default "default" */
	char **local_domains; /* "example.org"; ".example.org" for its subdomains too */
	struct network_list *local_networks; /* whose clients are our own */
	struct network_list *trusted_hops;   /* whose X-Mailtrace-Id we believe */
	struct network_list *backup_mx;	     /* our own MXes that relay to us */
	char *site_key; /* file of the MAC key of X-Mailtrace-Id; "" for none */

	/* [milter] */
	char *socket;	    /* "unix:/path" or "inet:port@host" */
	char *socket_group; /* group of a unix socket; "" to leave it */
	guint socket_mode;  /* of a unix socket, e.g. 0660 */
	char *user;	    /* to become when started as root; "" to stay */
	guint backlog;
	guint max_connections;
	guint64 max_in_flight_bytes;	      /* 0: a quarter of the memory */
	char *temp_directory;		      /* for messages above that */
	struct network_list *exempt_networks; /* whose mail is not recorded */
	char **stamp;			      /* directions stamped: "inbound", "internal"… */
	char *milter_metrics;		      /* "127.0.0.1:PORT"; "" for none */

	/* [scanner] */
	guint workers; /* 0: one a core */
	guint read_timeout_ms;
	char *scanner_temp_directory; /* on tmpfs, for the engine's files; "" for none */
	char *scanner_database;	      /* of signatures; "" for none */
	char *scanner_passwords;      /* file of them, for archives; "" for none */

	/* [policy] */
	enum on_unrecorded on_unrecorded;
	enum on_unread on_unread;
	enum ambiguous ambiguous;

	/* [spool] */
	char *spool_directory;
	guint64 spool_max_bytes; /* 0: 10 GB or 20 % of the disk, the smaller */
	guint locked_hours;	 /* messages wait for a password; 0: not at all */
	guint64 locked_bytes;	 /* of all those messages */

	/* [bus] the sensor's side */
	char *collector;	    /* endpoint "ipc:///path" or "tcp://host:port"; "" for none */
	char *sensor_key;	    /* file of the sensor's secret key */
	char *collector_public_key; /* file of the collector's public key */

	/* [collector] */
	char **listen;	       /* endpoints */
	char *publish;	       /* endpoint of the live stream; "" for none */
	char *collector_key;   /* file of the collector's secret key */
	char *journal_key;     /* file of the journal's secret key; "" for none */
	char *authorized_keys; /* file of the sensors' public keys */
	char *control_socket;  /* path of the command line's socket */
	char **expected_sensors;
	char **expected_followers;
	char *collector_metrics; /* "127.0.0.1:PORT"; "" for none */
	guint max_clock_offset_ms;

	/* [roles]: names of users, "@group"; all empty: everybody has all */
	char **analysts, **approvers, **auditors, **administrators;

	/* [follow] */
	char *follow_log; /* the MTA's: a path, or FOLLOW_JOURNAL "", NAMESPACE or PATH */
	char **follow_journal_users; /* whose entries are believed; empty: root, postfix */
	enum follow_format follow_format;
	enum follow_logins follow_logins; /* whether logins are told too */
	enum follow_from follow_from;
	char *follow_spool_directory;
	char *follow_key; /* file of the follower's secret key */

	/* [queue] */
	struct gateways *queue_gateways; /* the commands to the MTAs' queues */
	guint queue_timeout_ms;

	/* [mailstore] */
	char *mailstore_url;	    /* of the doveadm HTTP API; "" for none */
	char *mailstore_ca;	    /* file of certificates; "" for the system's */
	char *mailstore_key;	    /* file of its doveadm_api_key */
	char *mailstore_quarantine; /* prefix of mailboxes, with its separator */
	guint mailstore_timeout_ms; /* of one command */
	enum user_format mailstore_user_format;
	char *mailstore_recipient_delimiter; /* any of these characters; "" for none */
	enum verify_digest mailstore_verify_digest;

	/* [openc2] */
	char *openc2_url; /* of a consumer; "" for none */
	enum openc2_transfer openc2_transfer;
	char *openc2_ca;		       /* file of certificates; "" for the system's */
	char *openc2_certificate, *openc2_key; /* files of our own; "" for none */
	char *openc2_token;		       /* file of a bearer token; "" for none */
	guint openc2_timeout_ms;	       /* of one command */

	/* [containment] */
	char **never_touch; /* see deny_list.h */
	guint approval_threshold;
	char *approval_keys;	  /* file that lists them; "" for none */
	char **mailstore_command; /* argv; empty for our own actuator */
	char **queue_command;
	char **endpoint_command; /* empty: none */
	guint actuator_timeout_ms;
	char *emit_publish, *emit_listen; /* endpoints; "" for none */
	char *emit_key;			  /* file of a secret key */

	/* [store] */
	char *store;	 /* "sqlite:/path" */
	guint keep_days; /* 0: for ever */
};

/*
 * Reads a configuration file.  path: absolute or relative.  Returns NULL with
 * a SETTINGS_ERROR whose message is one line "FILE:LINE: what, and the
 * remedy"; else settings with a reference of the caller's.
 */
struct settings *settings_read(const char *path, GError **error);

/*
 * Reads the text of a configuration file.  Stops one
 * byte above CAP_CONFIG_BYTES, which settings_parse() then refuses.  Returns
 * NULL with SETTINGS_ERROR_READ; else free with g_string_free().
 */
GString *settings_read_text(const char *path, GError **error);

/*
 * settings_read() from memory.  name: the file's name for messages.  text: length
 * bytes, hostile; at most CAP_CONFIG_BYTES.
 */
struct settings *settings_parse(const char *name, const char *text, gsize length, GError **error);

/*
 * Checks what a role needs before anything is opened: that directories exist,
 * key files can be read and are of the right form, addresses can be bound to
 * in principle.  role: "milter", "collect" or "follow".  name, text, length: the file as
 * for settings_parse(), to name the line.  Returns FALSE with a
 * SETTINGS_ERROR_INVALID, one line as above.
 */
gboolean settings_check(const struct settings *settings, const char *role, const char *name,
			const char *text, gsize length, GError **error);

/*
 * settings_read() and settings_check(), for a program that has the role.  *ret_text (may be
 * NULL): what was read, for g_string_free().
 */
struct settings *settings_read_for(const char *role, const char *path, GString **ret_text,
				   GError **error);

/*
 * Returns the line, from 1, on which a key of a group is set; that of the
 * group's header if the key is not set; 0 if there is neither.
 */
guint settings_line(const char *text, gsize length, const char *group, const char *key);

/* Takes a reference. */
struct settings *settings_ref(struct settings *settings);

/* Drops a reference; the last one frees.  NULL is allowed. */
void settings_unref(struct settings *settings);

/* One key of the table, for documentation and its tests. */
struct settings_key {
	const char *group;
	const char *key;
	const char *fallback; /* default, as it would be written */
	const char *help;     /* one line */
};

/* Returns the table, *ret_count keys long; static. */
const struct settings_key *settings_keys(gsize *ret_count);

typedef struct settings settings_t;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(settings_t, settings_unref)
#endif
