/* SPDX-License-Identifier: BSD-2-Clause */
#include "settings.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "caps.h"
#include "text.h"

#define CONFIG_DIRECTORY MAILTRACE_SYSCONFDIR "/mailtrace"
#define STATE_DIRECTORY MAILTRACE_LOCALSTATEDIR "/lib"
#define RUN_DIRECTORY MAILTRACE_RUNSTATEDIR
#define LOOPBACK "127.0.0.0/8; ::1"

#define MAX_PORT 65535
#define MAX_BYTES (G_GUINT64_CONSTANT(1) << 50) /* no file system of a mail server is larger */
#define MAX_NAMESPACE 128 /* of the journal: less than NAME_MAX, with what stands before it */
#define NAMESPACE_CHARACTERS G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "-_."
#define MAX_NAME_COMPARED 64 /* of an unknown key, for the nearest known one */

G_DEFINE_QUARK(mailtrace_settings_error, settings_error)

/* How a value is written; value_kinds[] has the functions. */
enum kind {
	KIND_TEXT,
	KIND_LIST,
	KIND_NETWORKS,
	KIND_GATEWAYS,
	KIND_PATH,
	KIND_OPTIONAL_PATH,
	KIND_NUMBER,
	KIND_SIZE,
	KIND_MODE,
	KIND_CHOICE,
	KIND_CHOICES,
	KIND_SOCKET,
	KIND_ENDPOINT,
	KIND_ENDPOINTS,
	KIND_STORE,
	KIND_LOOPBACK,
	KIND_HTTP,
	KIND_COMMAND,
	KIND_LOG,
};

/*
 * The table: group, key, kind, member, least, most, choices, default, help.
 * Everything that is known of a key stands here and nowhere else.
 */
#define KEYS(X)                                                                                    \
	X("site", "sensor", KIND_TEXT, sensor, 0, 0, NULL, "",                                     \
	  "name of this sensor; empty: the name of the host")                                      \
	X("site", "tenant", KIND_TEXT, tenant, 0, 0, NULL, "default",                              \
	  "whose mail this is, where several share a collector")                                   \
	X("site", "local_domains", KIND_LIST, local_domains, 0, 0, NULL, "",                       \
	  "domains whose mail ends here; .example.org means its subdomains too")                   \
	X("site", "local_networks", KIND_NETWORKS, local_networks, 0, 0, NULL, LOOPBACK,           \
	  "networks of our own clients, whose mail is outbound or internal")                       \
	X("site", "trusted_hops", KIND_NETWORKS, trusted_hops, 0, 0, NULL, LOOPBACK,               \
	  "hosts whose X-Mailtrace-Id is believed: content filters, hubs, lists")                  \
	X("site", "backup_mx", KIND_NETWORKS, backup_mx, 0, 0, NULL, "",                           \
	  "our own hosts that relay mail from outside to us")                                      \
	X("site", "site_key", KIND_OPTIONAL_PATH, site_key, 0, 0, NULL, "",                        \
	  "file of the key that signs X-Mailtrace-Id; empty: nothing is stamped")                  \
	X("milter", "socket", KIND_SOCKET, socket, 0, 0, NULL,                                     \
	  "unix:/var/spool/postfix/mailtrace/milter.sock",                                         \
	  "where the MTA connects: unix:/PATH, inet:PORT@HOST or inet6:PORT@HOST")                 \
	X("milter", "socket_group", KIND_TEXT, socket_group, 0, 0, NULL, "postfix",                \
	  "group of a unix socket; empty: left as it is")                                          \
	X("milter", "socket_mode", KIND_MODE, socket_mode, 0, 0777, NULL, "0660",                  \
	  "permissions of a unix socket, in octal")                                                \
	X("milter", "user", KIND_TEXT, user, 0, 0, NULL, "mailtrace",                              \
	  "user to become when started as root; empty: stay")                                      \
	X("milter", "backlog", KIND_NUMBER, backlog, 1, 65535, NULL, "200",                        \
	  "connections that may wait to be accepted")                                              \
	X("milter", "max_connections", KIND_NUMBER, max_connections, 1, 100000, NULL, "1000",      \
	  "connections served at once; those above are answered by on_unrecorded")                 \
	X("milter", "max_in_flight_bytes", KIND_SIZE, max_in_flight_bytes, 0, MAX_BYTES, NULL,     \
	  "0", "bytes of messages held in memory, above it in files; 0: a quarter of the memory")  \
	X("milter", "temp_directory", KIND_PATH, temp_directory, 0, 0, NULL,                       \
	  STATE_DIRECTORY "/mailtrace/tmp", "directory of the unlinked files of messages")         \
	X("milter", "exempt_networks", KIND_NETWORKS, exempt_networks, 0, 0, NULL, "",             \
	  "networks whose mail is not recorded, such as monitoring probes")                        \
	X("milter", "stamp", KIND_CHOICES, stamp, 0, 0, "inbound|outbound|internal|unknown",       \
	  "inbound; internal", "directions in which X-Mailtrace-Id is added")                      \
	X("milter", "metrics", KIND_LOOPBACK, milter_metrics, 0, 0, NULL, "",                      \
	  "where OpenMetrics are served: 127.0.0.1:PORT or [::1]:PORT; empty: nowhere")            \
	X("scanner", "workers", KIND_NUMBER, workers, 0, 256, NULL, "0",                           \
	  "sandboxed processes that read messages; 0: one a processor")                            \
	X("scanner", "read_timeout_ms", KIND_NUMBER, read_timeout_ms, 100, 600000, NULL, "60000",  \
	  "time for reading one message, in milliseconds; one retry follows")                      \
	X("scanner", "temp_directory", KIND_OPTIONAL_PATH, scanner_temp_directory, 0, 0, NULL,     \
	  "/dev/shm",                                                                              \
	  "on tmpfs, for temporary files of the ClamAV engine; empty: it opens nothing")           \
	X("scanner", "database", KIND_OPTIONAL_PATH, scanner_database, 0, 0, NULL, "",             \
	  "folder of ClamAV's signatures that files are matched with; empty: none")                \
	X("scanner", "passwords", KIND_OPTIONAL_PATH, scanner_passwords, 0, 0, NULL, "",           \
	  "file of passwords, one a line, tried on encrypted zips; empty: none")                   \
	X("policy", "on_unrecorded", KIND_CHOICE, on_unrecorded, 0, 0, "tempfail|accept",          \
	  "tempfail", "verdict on a message whose record cannot be put on disk")                   \
	X("policy", "on_unread", KIND_CHOICE, on_unread, 0, 0, "accept|hold|tempfail", "accept",   \
	  "verdict on a message whose files cannot be read; it has a record all the same")         \
	X("policy", "ambiguous", KIND_CHOICE, ambiguous, 0, 0, "record|tag|hold|reject", "record", \
	  "what becomes of a message in which mail programs see different files")                  \
	X("spool", "directory", KIND_PATH, spool_directory, 0, 0, NULL,                            \
	  STATE_DIRECTORY "/mailtrace/spool", "directory of records not yet acknowledged")         \
	X("spool", "max_bytes", KIND_SIZE, spool_max_bytes, 0, MAX_BYTES, NULL, "0",               \
	  "size of the spool; 0: 10G or 20 % of the disk, the smaller")                            \
	X("spool", "locked_hours", KIND_NUMBER, locked_hours, 0, 720, NULL, "24",                  \
	  "how long a message with an encrypted archive waits for its password; 0: not at all")    \
	X("spool", "locked_bytes", KIND_SIZE, locked_bytes, 0, MAX_BYTES, NULL, "256M",            \
	  "size of such messages, which are kept encrypted; the oldest go")                        \
	X("bus", "collector", KIND_ENDPOINT, collector, 0, 0, NULL, "",                            \
	  "the collector: ipc:///PATH or tcp://HOST:PORT; empty: records stay in the spool")       \
	X("bus", "sensor_key", KIND_PATH, sensor_key, 0, 0, NULL, CONFIG_DIRECTORY "/sensor.key",  \
	  "file of the sensor's secret key")                                                       \
	X("bus", "collector_public_key", KIND_PATH, collector_public_key, 0, 0, NULL,              \
	  CONFIG_DIRECTORY "/collector.pub", "file of the collector's public key")                 \
	X("collector", "listen", KIND_ENDPOINTS, listen, 0, 0, NULL,                               \
	  "ipc://" RUN_DIRECTORY "/mailtrace-events/events.sock",                                  \
	  "where sensors connect: ipc:///PATH or tcp://HOST:PORT, several allowed")                \
	X("collector", "publish", KIND_ENDPOINT, publish, 0, 0, NULL, "",                          \
	  "where the live stream is offered; empty: nowhere")                                      \
	X("collector", "key", KIND_PATH, collector_key, 0, 0, NULL,                                \
	  CONFIG_DIRECTORY "/collector.key", "file of the collector's secret key")                 \
	X("collector", "journal_key", KIND_OPTIONAL_PATH, journal_key, 0, 0, NULL, "",             \
	  "file of the key that signs where the journal stands; empty: it is not signed")          \
	X("collector", "authorized_keys", KIND_PATH, authorized_keys, 0, 0, NULL,                  \
	  CONFIG_DIRECTORY "/authorized_keys", "file of the keys that may connect")                \
	X("collector", "control_socket", KIND_PATH, control_socket, 0, 0, NULL,                    \
	  RUN_DIRECTORY "/mailtrace-collect/control.sock", "socket of the command line")           \
	X("collector", "expected_sensors", KIND_LIST, expected_sensors, 0, 0, NULL, "",            \
	  "sensors without whose records no answer is complete")                                   \
	X("collector", "expected_followers", KIND_LIST, expected_followers, 0, 0, NULL, "",        \
	  "followers with whose MTA's log answers are reconciled; empty: they are not")            \
	X("collector", "max_clock_offset_ms", KIND_NUMBER, max_clock_offset_ms, 1, 86400000, NULL, \
	  "5000", "how far a sensor's clock may be off before answers warn of it")                 \
	X("collector", "metrics", KIND_LOOPBACK, collector_metrics, 0, 0, NULL, "",                \
	  "where OpenMetrics are served: 127.0.0.1:PORT or [::1]:PORT; empty: nowhere")            \
	X("roles", "analysts", KIND_LIST, analysts, 0, 0, NULL, "",                                \
	  "who may ask and plan: users, or @group; with no role given, all may do all")            \
	X("roles", "approvers", KIND_LIST, approvers, 0, 0, NULL, "",                              \
	  "who may ask, approve and block")                                                        \
	X("roles", "auditors", KIND_LIST, auditors, 0, 0, NULL, "", "who may read the journal")    \
	X("roles", "administrators", KIND_LIST, administrators, 0, 0, NULL, "",                    \
	  "who may block, import, copy the store and say who may connect")                         \
	X("follow", "log", KIND_LOG, follow_log, 0, 0, NULL, "/var/log/mail.log",                  \
	  "the MTA's log: a path; journal:, journal:NAMESPACE or journal:/PATH")                   \
	X("follow", "journal_users", KIND_LIST, follow_journal_users, 0, 0, NULL, "",              \
	  "users whose lines of systemd's journal are believed; empty: root and postfix")          \
	X("follow", "format", KIND_CHOICE, follow_format, 0, 0, "auto|postfix|sendmail|dovecot",   \
	  "auto", "whose log it is; auto: each line tells")                                        \
	X("follow", "logins", KIND_CHOICE, follow_logins, 0, 0, "yes|no", "yes",                   \
	  "who logs in, and from where: for the devices behind mailboxes")                         \
	X("follow", "from", KIND_CHOICE, follow_from, 0, 0, "beginning|end", "end",                \
	  "where the log is begun at the first start")                                             \
	X("follow", "spool_directory", KIND_PATH, follow_spool_directory, 0, 0, NULL,              \
	  STATE_DIRECTORY "/mailtrace-follow",                                                     \
	  "directory of what the log said and is not yet acknowledged")                            \
	X("follow", "key", KIND_PATH, follow_key, 0, 0, NULL, CONFIG_DIRECTORY "/follow.key",      \
	  "file of the follower's own secret key")                                                 \
	X("queue", "gateways", KIND_GATEWAYS, queue_gateways, 0, 0, NULL, "",                      \
	  "commands that lead to the queue helper of each gateway, NAME: COMMAND; ...")            \
	X("queue", "timeout_ms", KIND_NUMBER, queue_timeout_ms, 100, 600000, NULL, "60000",        \
	  "time for one message in a queue, in milliseconds")                                      \
	X("mailstore", "url", KIND_HTTP, mailstore_url, 0, 0, NULL, "",                            \
	  "doveadm HTTP API of the mail store: https://HOST:PORT/doveadm/v1; empty: none")         \
	X("mailstore", "ca", KIND_OPTIONAL_PATH, mailstore_ca, 0, 0, NULL, "",                     \
	  "file of certificates that may have signed the API's own; empty: the system's")          \
	X("mailstore", "key", KIND_PATH, mailstore_key, 0, 0, NULL,                                \
	  CONFIG_DIRECTORY "/doveadm.key", "file of the mail store's doveadm_api_key")             \
	X("mailstore", "quarantine", KIND_TEXT, mailstore_quarantine, 0, 0, NULL,                  \
	  "mailtrace-quarantine/", "prefix of the mailboxes that messages are moved to")           \
	X("mailstore", "timeout_ms", KIND_NUMBER, mailstore_timeout_ms, 100, 3600000, NULL,        \
	  "60000", "time for one message in one mailbox, in milliseconds")                         \
	X("mailstore", "user_format", KIND_CHOICE, mailstore_user_format, 0, 0,                    \
	  "address|local-part", "address", "what the mail store calls the user of an address")     \
	X("mailstore", "recipient_delimiter", KIND_TEXT, mailstore_recipient_delimiter, 0, 0,      \
	  NULL, "+", "what begins a detail that is no part of a user's name; empty: nothing")      \
	X("mailstore", "verify_digest", KIND_CHOICE, mailstore_verify_digest, 0, 0, "yes|no",      \
	  "yes", "whether a message must be seen to hold the file before it is moved")             \
	X("openc2", "url", KIND_HTTP, openc2_url, 0, 0, NULL, "",                                  \
	  "OpenC2 consumer that acts on devices: https://HOST:PORT; empty: none")                  \
	X("openc2", "transfer", KIND_CHOICE, openc2_transfer, 0, 0, "1.1|1.0", "1.1",              \
	  "version of OpenC2's transfer over HTTPS that it knows")                                 \
	X("openc2", "ca", KIND_OPTIONAL_PATH, openc2_ca, 0, 0, NULL, "",                           \
	  "file of certificates that may have signed the consumer's; empty: the system's")         \
	X("openc2", "certificate", KIND_OPTIONAL_PATH, openc2_certificate, 0, 0, NULL, "",         \
	  "file of our own certificate, with which the consumer knows us; empty: none")            \
	X("openc2", "key", KIND_OPTIONAL_PATH, openc2_key, 0, 0, NULL, "",                         \
	  "file of the secret key of that certificate")                                            \
	X("openc2", "token", KIND_OPTIONAL_PATH, openc2_token, 0, 0, NULL, "",                     \
	  "file of a bearer token, with or instead of a certificate; empty: none")                 \
	X("openc2", "timeout_ms", KIND_NUMBER, openc2_timeout_ms, 100, 3600000, NULL, "60000",     \
	  "time for one command, in milliseconds")                                                 \
	X("containment", "never_touch", KIND_LIST, never_touch, 0, 0, NULL,                        \
	  "postmaster@; abuse@; root@; mailer-daemon@",                                            \
	  "addresses, NAME@ of any domain, domains and hosts that no plan acts on")                \
	X("containment", "approval_threshold", KIND_NUMBER, approval_threshold, 0, 10000, NULL,    \
	  "50", "targets above which a plan needs another person's approval")                      \
	X("containment", "approval_keys", KIND_OPTIONAL_PATH, approval_keys, 0, 0, NULL, "",       \
	  "file that lists the keys with which plans are approved; empty: none")                   \
	X("containment", "mailstore_command", KIND_COMMAND, mailstore_command, 0, 0, NULL, "",     \
	  "a program of the site's own that acts on mailboxes; empty: Dovecot's actuator")         \
	X("containment", "queue_command", KIND_COMMAND, queue_command, 0, 0, NULL, "",             \
	  "likewise on queues; empty: the actuator of Postfix and Sendmail")                       \
	X("containment", "endpoint_command", KIND_COMMAND, endpoint_command, 0, 0, NULL, "",       \
	  "likewise on devices; empty: the consumer of [openc2], if there is one")                 \
	X("containment", "actuator_timeout_ms", KIND_NUMBER, actuator_timeout_ms, 100, 3600000,    \
	  NULL, "120000", "how long an actuator may be silent, in milliseconds")                   \
	X("containment", "emit_publish", KIND_ENDPOINT, emit_publish, 0, 0, NULL, "",              \
	  "where apply --emit-only publishes commands; empty: nowhere")                            \
	X("containment", "emit_listen", KIND_ENDPOINT, emit_listen, 0, 0, NULL, "",                \
	  "where it takes the responses")                                                          \
	X("containment", "emit_key", KIND_PATH, emit_key, 0, 0, NULL,                              \
	  CONFIG_DIRECTORY "/emit.key", "file of the secret key for both")                         \
	X("store", "url", KIND_STORE, store, 0, 0, NULL,                                           \
	  "sqlite:" STATE_DIRECTORY "/mailtrace-collect/store.db", "the store: sqlite:/PATH")      \
	X("store", "keep_days", KIND_NUMBER, keep_days, 0, 36500, NULL, "0",                       \
	  "days that records are kept; 0: for ever")

#define PUBLIC_ROW(group, key, kind, member, least, most, choices, fallback, help) \
	{group, key, fallback, help},
#define BINDING_ROW(group, key, kind, member, least, most, choices, fallback, help) \
	{kind, offsetof(struct settings, member), least, most, choices},

static const struct settings_key keys[] = {KEYS(PUBLIC_ROW)};

/* How the key of the same place in keys[] is read, and into which member. */
static const struct binding {
	enum kind kind;
	gsize offset;
	guint64 least, most;
	const char *choices; /* separated by '|'; in the order of the member's enum */
} bindings[] = {KEYS(BINDING_ROW)};

const struct settings_key *
settings_keys(gsize *ret_count)
{
	*ret_count = G_N_ELEMENTS(keys);
	return keys;
}

/* ---- values ---- */

static gboolean refuse(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);

static gboolean
refuse(GError **error, const char *format, ...)
{
	g_autofree char *message = NULL;
	g_autofree char *safe = NULL;
	va_list arguments;

	va_start(arguments, format);
	message = g_strdup_vprintf(format, arguments);
	va_end(arguments);
	safe = text_for_terminal(message);
	g_set_error_literal(error, SETTINGS_ERROR, SETTINGS_ERROR_INVALID, safe);
	return FALSE;
}

static char **
split_list(const char *value)
{
	g_auto(GStrv) items = g_strsplit_set(value, ";,", -1);
	GPtrArray *kept = g_ptr_array_new();

	for (char **item = items; *item; item++)
		if (*g_strstrip(*item))
			g_ptr_array_add(kept, g_strdup(*item));
	g_ptr_array_add(kept, NULL);
	return (char **)g_ptr_array_free(kept, FALSE);
}

static gboolean
read_text(const struct binding *binding, const char *value, void *ret_field, GError **error)
{
	*(char **)ret_field = g_strdup(value);
	return TRUE;
}

static gboolean
read_list(const struct binding *binding, const char *value, void *ret_field, GError **error)
{
	*(char ***)ret_field = split_list(value);
	return TRUE;
}

static gboolean
read_networks(const struct binding *binding, const char *value, void *ret_field, GError **error)
{
	g_auto(GStrv) items = split_list(value);
	g_autoptr(GError) why = NULL;
	struct network_list *networks = network_list_parse((const char *const *)items, &why);

	if (!networks)
		return refuse(error, "%s", why->message);
	*(struct network_list **)ret_field = networks;
	return TRUE;
}

static gboolean
read_gateways(const struct binding *binding, const char *value, void *ret_field, GError **error)
{
	g_autoptr(GError) why = NULL;
	struct gateways *gateways = gateways_parse(value, &why);

	if (!gateways)
		return refuse(error, "%s", why->message);
	*(struct gateways **)ret_field = gateways;
	return TRUE;
}

static gboolean
read_path(const struct binding *binding, const char *value, void *ret_field, GError **error)
{
	if (!g_path_is_absolute(value))
		return refuse(error, "\"%s\" is not an absolute path; begin it with /", value);
	return read_text(binding, value, ret_field, error);
}

static gboolean
read_optional_path(const struct binding *binding, const char *value, void *ret_field,
		   GError **error)
{
	return *value ? read_path(binding, value, ret_field, error)
		      : read_text(binding, value, ret_field, error);
}

static gboolean
read_number(const struct binding *binding, const char *value, void *ret_field, GError **error)
{
	guint64 number;

	if (!g_ascii_string_to_unsigned(value, 10, binding->least, binding->most, &number, NULL))
		return refuse(error,
			      "\"%s\" is not a number from %" G_GUINT64_FORMAT
			      " to %" G_GUINT64_FORMAT "; write one of these",
			      value, binding->least, binding->most);
	*(guint *)ret_field = (guint)number;
	return TRUE;
}

/* Returns the shift of a size's unit and takes it off the text, or 0. */
static guint
take_unit(char *text)
{
	static const char units[] = "KMGT";
	gsize length = strlen(text);
	const char *unit = length > 0 ? strchr(units, g_ascii_toupper(text[length - 1])) : NULL;

	if (!unit || !*unit)
		return 0;
	text[length - 1] = '\0';
	return 10 * (guint)(unit - units + 1);
}

static gboolean
read_size(const struct binding *binding, const char *value, void *ret_field, GError **error)
{
	g_autofree char *digits = g_strdup(value);
	guint shift = take_unit(digits);
	guint64 size;

	g_strchomp(digits);
	if (!g_ascii_string_to_unsigned(digits, 10, 0, binding->most >> shift, &size, NULL) ||
	    (size << shift) < binding->least)
		return refuse(error,
			      "\"%s\" is not a size of at most 1024T; write a number of bytes, or "
			      "one with K, M, G or T",
			      value);
	*(guint64 *)ret_field = size << shift;
	return TRUE;
}

static gboolean
read_mode(const struct binding *binding, const char *value, void *ret_field, GError **error)
{
	guint64 mode;

	if (!g_ascii_string_to_unsigned(value, 8, binding->least, binding->most, &mode, NULL))
		return refuse(error, "\"%s\" is not a mode in octal; write one like 0660", value);
	*(guint *)ret_field = (guint)mode;
	return TRUE;
}

/* Returns the place of an item among choices, or -1 with an error that names them. */
static int
choice_index(const struct binding *binding, const char *item, GError **error)
{
	g_auto(GStrv) choices = g_strsplit(binding->choices, "|", -1);
	g_autofree char *listed = NULL;

	for (int i = 0; choices[i]; i++)
		if (g_str_equal(choices[i], item))
			return i;
	listed = g_strjoinv(", ", choices);
	refuse(error, "\"%s\" is not known; write one of %s", item, listed);
	return -1;
}

static gboolean
read_choice(const struct binding *binding, const char *value, void *ret_field, GError **error)
{
	int index = choice_index(binding, value, error);

	if (index < 0)
		return FALSE;
	*(guint *)ret_field = (guint)index;
	return TRUE;
}

static gboolean
read_choices(const struct binding *binding, const char *value, void *ret_field, GError **error)
{
	g_auto(GStrv) items = split_list(value);

	for (char **item = items; *item; item++)
		if (choice_index(binding, *item, error) < 0)
			return FALSE;
	*(char ***)ret_field = g_steal_pointer(&items);
	return TRUE;
}

static gboolean
is_port(const char *text)
{
	return g_ascii_string_to_unsigned(text, 10, 1, MAX_PORT, NULL, NULL);
}

/* A path that the kernel takes as a socket's address (unix(7)). */
static gboolean
is_socket_path(const char *path)
{
	return g_path_is_absolute(path) && path[1] &&
	       strlen(path) < sizeof(((struct sockaddr_un *)NULL)->sun_path);
}

/* The form is libmilter's, smfi_setconn: a colon, then a path or PORT@HOST. */
static gboolean
is_milter_socket(const char *value)
{
	const char *rest = strchr(value, ':');
	g_auto(GStrv) halves = NULL;

	if (!rest)
		return FALSE;
	rest++;
	if (g_str_has_prefix(value, "unix:"))
		return is_socket_path(rest);
	if (!g_str_has_prefix(value, "inet:") && !g_str_has_prefix(value, "inet6:"))
		return FALSE;
	halves = g_strsplit(rest, "@", 2);
	return halves[0] && is_port(halves[0]) && (!halves[1] || *halves[1]);
}

static gboolean
read_socket(const struct binding *binding, const char *value, void *ret_field, GError **error)
{
	if (!is_milter_socket(value))
		return refuse(error,
			      "\"%s\" is not a socket's address; write unix:/PATH (at most 107 "
			      "bytes), inet:PORT@HOST or inet6:PORT@HOST",
			      value);
	return read_text(binding, value, ret_field, error);
}

/* Checks the form of a ZeroMQ address (zmq_ipc(7), zmq_tcp(7)). */
static gboolean
check_endpoint(const char *value, GError **error)
{
	const char *address, *port;

	if (g_str_has_prefix(value, "ipc://") && is_socket_path(value + strlen("ipc://")))
		return TRUE;
	if (g_str_has_prefix(value, "tcp://")) {
		address = value + strlen("tcp://");
		port = strrchr(address, ':');
		if (port && port != address && is_port(port + 1))
			return TRUE;
	}
	return refuse(error,
		      "\"%s\" is not an endpoint; write ipc:///PATH (at most 107 bytes) or "
		      "tcp://HOST:PORT",
		      value);
}

static gboolean
read_endpoint(const struct binding *binding, const char *value, void *ret_field, GError **error)
{
	if (*value && !check_endpoint(value, error))
		return FALSE;
	return read_text(binding, value, ret_field, error);
}

static gboolean
read_endpoints(const struct binding *binding, const char *value, void *ret_field, GError **error)
{
	g_auto(GStrv) items = split_list(value);

	if (!*items)
		return refuse(error, "no endpoint is given; write ipc:///PATH or tcp://HOST:PORT");
	for (char **item = items; *item; item++)
		if (!check_endpoint(*item, error))
			return FALSE;
	*(char ***)ret_field = g_steal_pointer(&items);
	return TRUE;
}

static gboolean
read_store(const struct binding *binding, const char *value, void *ret_field, GError **error)
{
	static const char scheme[] = "sqlite:";

	if (!g_str_has_prefix(value, scheme) || !g_path_is_absolute(value + strlen(scheme)))
		return refuse(error, "\"%s\" is not a store's address; write sqlite:/PATH", value);
	return read_text(binding, value, ret_field, error);
}

static gboolean
read_loopback(const struct binding *binding, const char *value, void *ret_field, GError **error)
{
	g_autoptr(GSocketAddress) address = *value ? loopback_address(value) : NULL;

	if (*value && !address)
		return refuse(error,
			      "\"%s\" is not of loopback; write 127.0.0.1:PORT or [::1]:PORT",
			      value);
	return read_text(binding, value, ret_field, error);
}

/* Plain HTTP shows a key to whoever is on the way. */
static gboolean
is_http(const char *value)
{
	static const char plain[] = "http://", secure[] = "https://";
	g_autoptr(GSocketAddress) address = NULL;
	g_autofree char *host = NULL;

	if (strpbrk(value, " \t"))
		return FALSE;
	if (g_str_has_prefix(value, secure))
		return value[strlen(secure)] && value[strlen(secure)] != '/';
	if (!g_str_has_prefix(value, plain))
		return FALSE;
	host = g_strndup(value + strlen(plain), strcspn(value + strlen(plain), "/"));
	address = loopback_address(host);
	return address != NULL;
}

static gboolean
read_http(const struct binding *binding, const char *value, void *ret_field, GError **error)
{
	if (*value && !is_http(value))
		return refuse(error,
			      "\"%s\" is no address of an API; write https://HOST:PORT/PATH, or "
			      "http://127.0.0.1:PORT/PATH on the same host",
			      value);
	return read_text(binding, value, ret_field, error);
}

/* A program with its arguments, as a shell splits words; no shell ever sees it. */
static gboolean
read_command(const struct binding *binding, const char *value, void *ret_field, GError **error)
{
	g_autoptr(GError) why = NULL;
	g_auto(GStrv) argv = NULL;

	if (!*value)
		argv = g_new0(char *, 1);
	else if (!g_shell_parse_argv(value, NULL, &argv, &why))
		return refuse(error, "%s", why->message);
	if (*argv && !g_path_is_absolute(*argv))
		return refuse(error, "\"%s\" is not an absolute path; begin it with /", *argv);
	*(char ***)ret_field = g_steal_pointer(&argv);
	return TRUE;
}

/* A namespace's name is one of a folder (systemd.exec(5), LogNamespace=). */
static gboolean
read_log(const struct binding *binding, const char *value, void *ret_field, GError **error)
{
	const char *where =
		g_str_has_prefix(value, FOLLOW_JOURNAL) ? value + strlen(FOLLOW_JOURNAL) : NULL;

	if (!where)
		return read_path(binding, value, ret_field, error);
	if (*where == '/')
		return read_text(binding, value, ret_field, error);
	if (strspn(where, NAMESPACE_CHARACTERS) != strlen(where) || strlen(where) > MAX_NAMESPACE ||
	    *where == '.')
		return refuse(error,
			      "\"%s\" is no journal; write journal: alone, or with a namespace or "
			      "a folder's path behind it",
			      value);
	return read_text(binding, value, ret_field, error);
}

static void
free_text(void *field)
{
	g_free(*(char **)field);
}

static void
free_list(void *field)
{
	g_strfreev(*(char ***)field);
}

static void
free_gateways(void *field)
{
	gateways_free(*(struct gateways **)field);
}

static void
free_networks(void *field)
{
	network_list_free(*(struct network_list **)field);
}

/* A member is written once; release may be NULL. */
static const struct {
	gboolean (*read)(const struct binding *binding, const char *value, void *ret_field,
			 GError **error);
	void (*release)(void *field);
} value_kinds[] = {
	[KIND_TEXT] = {read_text, free_text},
	[KIND_LIST] = {read_list, free_list},
	[KIND_NETWORKS] = {read_networks, free_networks},
	[KIND_GATEWAYS] = {read_gateways, free_gateways},
	[KIND_PATH] = {read_path, free_text},
	[KIND_OPTIONAL_PATH] = {read_optional_path, free_text},
	[KIND_NUMBER] = {read_number, NULL},
	[KIND_SIZE] = {read_size, NULL},
	[KIND_MODE] = {read_mode, NULL},
	[KIND_CHOICE] = {read_choice, NULL},
	[KIND_CHOICES] = {read_choices, free_list},
	[KIND_SOCKET] = {read_socket, free_text},
	[KIND_ENDPOINT] = {read_endpoint, free_text},
	[KIND_ENDPOINTS] = {read_endpoints, free_list},
	[KIND_STORE] = {read_store, free_text},
	[KIND_LOOPBACK] = {read_loopback, free_text},
	[KIND_HTTP] = {read_http, free_text},
	[KIND_COMMAND] = {read_command, free_list},
	[KIND_LOG] = {read_log, free_text},
};

/* ---- lines: GKeyFile has the values but not where they stood ---- */

struct cursor {
	const char *at, *end;
	guint line;  /* number of the line last taken, from 1 */
	char *group; /* that it belongs to, NULL before the first */
	char *key;   /* of the line, NULL unless it is "key = value" */
	gboolean is_header;
};

static void
cursor_clear(struct cursor *cursor)
{
	g_free(cursor->group);
	g_free(cursor->key);
}

/* Takes the next line.  Returns FALSE at the end; *ret_line is the stripped line. */
static gboolean
cursor_next(struct cursor *cursor, char **ret_line)
{
	const char *newline, *end;
	const char *equals;
	char *line;

	if (cursor->at >= cursor->end)
		return FALSE;
	newline = memchr(cursor->at, '\n', (gsize)(cursor->end - cursor->at));
	end = newline ? newline : cursor->end;
	line = g_strstrip(g_strndup(cursor->at, (gsize)(end - cursor->at)));
	cursor->at = newline ? newline + 1 : cursor->end;
	cursor->line++;
	cursor->is_header = *line == '[' && g_str_has_suffix(line, "]");
	g_clear_pointer(&cursor->key, g_free);
	if (cursor->is_header) {
		g_free(cursor->group);
		cursor->group = g_strndup(line + 1, strlen(line) - 2);
	} else if (*line != '#' && (equals = strchr(line, '='))) {
		cursor->key = g_strchomp(g_strndup(line, (gsize)(equals - line)));
	}
	*ret_line = line;
	return TRUE;
}

guint
settings_line(const char *text, gsize length, const char *group, const char *key)
{
	struct cursor cursor = {text, text + length};
	guint header = 0, found = 0;
	char *line;

	while (!found && cursor_next(&cursor, &line)) {
		g_free(line);
		if (g_strcmp0(cursor.group, group) != 0)
			continue;
		if (cursor.is_header && !header)
			header = cursor.line;
		if (g_strcmp0(cursor.key, key) == 0)
			found = cursor.line;
	}
	cursor_clear(&cursor);
	return found ? found : header;
}

/* ---- names ---- */

/* Levenshtein's distance of two short names. */
static guint
name_distance(const char *a, const char *b)
{
	guint row[MAX_NAME_COMPARED + 1];
	gsize length = MIN(strlen(b), MAX_NAME_COMPARED);

	for (guint j = 0; j <= length; j++)
		row[j] = j;
	for (guint i = 1; i <= MAX_NAME_COMPARED && a[i - 1]; i++) {
		guint diagonal = row[0];

		row[0] = i;
		for (guint j = 1; j <= length; j++) {
			guint above = row[j];
			guint best = MIN(above, row[j - 1]) + 1;

			row[j] = MIN(best, diagonal + (a[i - 1] != b[j - 1]));
			diagonal = above;
		}
	}
	return row[length];
}

static const struct settings_key *
find_key(const char *group, const char *key)
{
	for (gsize i = 0; i < G_N_ELEMENTS(keys); i++)
		if (g_str_equal(keys[i].group, group) && g_str_equal(keys[i].key, key))
			return &keys[i];
	return NULL;
}

/* The key that was most likely meant: the same name elsewhere, else the nearest of the group. */
static const struct settings_key *
nearest_key(const char *group, const char *key)
{
	const struct settings_key *best = NULL;
	guint best_distance = G_MAXUINT;

	for (gsize i = 0; i < G_N_ELEMENTS(keys); i++) {
		guint distance =
			2 * name_distance(key, keys[i].key) + !g_str_equal(group, keys[i].group);

		if (distance < best_distance) {
			best_distance = distance;
			best = &keys[i];
		}
	}
	return best;
}

static const char *
nearest_group(const char *group)
{
	const char *best = NULL;
	guint best_distance = G_MAXUINT;

	for (gsize i = 0; i < G_N_ELEMENTS(keys); i++) {
		guint distance = name_distance(group, keys[i].group);

		if (distance < best_distance) {
			best_distance = distance;
			best = keys[i].group;
		}
	}
	return best;
}

static gboolean
group_is_known(const char *group)
{
	return name_distance(group, nearest_group(group)) == 0;
}

static gboolean
check_key(const struct cursor *cursor, GHashTable *seen, GError **error)
{
	g_autofree char *full = NULL;
	guint before;

	if (!cursor->group)
		return refuse(error, "\"%s\" stands before the first group; write [%s] above it",
			      cursor->key, nearest_key("", cursor->key)->group);
	if (!find_key(cursor->group, cursor->key)) {
		const struct settings_key *near = nearest_key(cursor->group, cursor->key);

		return refuse(error,
			      "[%s] has no key \"%s\"; the nearest is \"%s\" of [%s], see "
			      "mailtrace.conf(5)",
			      cursor->group, cursor->key, near->key, near->group);
	}
	full = g_strdup_printf("%s.%s", cursor->group, cursor->key);
	before = GPOINTER_TO_UINT(g_hash_table_lookup(seen, full));
	if (before)
		return refuse(error, "\"%s\" is given twice; take out this one or line %u",
			      cursor->key, before);
	g_hash_table_insert(seen, g_steal_pointer(&full), GUINT_TO_POINTER(cursor->line));
	return TRUE;
}

static gboolean
check_line(const struct cursor *cursor, const char *line, GHashTable *seen, GError **error)
{
	if (!g_utf8_validate(line, -1, NULL))
		return refuse(error, "not UTF-8 text; save the file in UTF-8");
	if (*line == '\0' || *line == '#')
		return TRUE;
	if (cursor->is_header) {
		if (group_is_known(cursor->group))
			return TRUE;
		return refuse(error, "there is no group [%s]; the nearest is [%s]", cursor->group,
			      nearest_group(cursor->group));
	}
	if (!cursor->key)
		return refuse(error, "\"%.80s\" is no group, key or comment; write key = value",
			      line);
	return check_key(cursor, seen, error);
}

/* Finds every name that is not known, and every line that is none. */
static gboolean
check_lines(const char *name, const char *text, gsize length, GError **error)
{
	g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	struct cursor cursor = {text, text + length};
	gboolean good = TRUE;
	char *line;

	while (good && cursor_next(&cursor, &line)) {
		good = check_line(&cursor, line, seen, error);
		g_free(line);
	}
	if (!good)
		g_prefix_error(error, "%s:%u: ", name, cursor.line);
	cursor_clear(&cursor);
	return good;
}

/* ---- the whole ---- */

static void *
member(struct settings *settings, gsize i)
{
	return (char *)settings + bindings[i].offset;
}

static void
settings_clear(gpointer data)
{
	for (gsize i = 0; i < G_N_ELEMENTS(keys); i++) {
		void (*release)(void *field) = value_kinds[bindings[i].kind].release;

		if (release)
			release(member(data, i));
	}
}

void
settings_unref(struct settings *settings)
{
	if (settings)
		g_atomic_rc_box_release_full(settings, settings_clear);
}

struct settings *
settings_ref(struct settings *settings)
{
	return g_atomic_rc_box_acquire(settings);
}

/* Returns the value of a key as written, else its default; NULL if its escapes are wrong. */
static char *
value_of(GKeyFile *file, gsize i, GError **error)
{
	g_autofree char *value = NULL;
	g_autoptr(GError) why = NULL;

	if (!g_key_file_has_key(file, keys[i].group, keys[i].key, NULL))
		return g_strdup(keys[i].fallback);
	value = g_key_file_get_string(file, keys[i].group, keys[i].key, &why);
	if (why) {
		refuse(error, "has a wrong escape; write \\\\ for a backslash");
		return NULL;
	}
	return g_strstrip(g_steal_pointer(&value));
}

static gboolean
fill(struct settings *settings, GKeyFile *file, const char *name, const char *text, gsize length,
     GError **error)
{
	for (gsize i = 0; i < G_N_ELEMENTS(keys); i++) {
		const struct binding *binding = &bindings[i];
		g_autofree char *value = value_of(file, i, error);

		if (value &&
		    value_kinds[binding->kind].read(binding, value, member(settings, i), error))
			continue;
		g_prefix_error(error, "%s:%u: %s: ", name,
			       settings_line(text, length, keys[i].group, keys[i].key),
			       keys[i].key);
		return FALSE;
	}
	if (!*settings->sensor) {
		g_free(settings->sensor);
		settings->sensor = g_strdup(g_get_host_name());
	}
	return TRUE;
}

struct settings *
settings_parse(const char *name, const char *text, gsize length, GError **error)
{
	g_autoptr(GKeyFile) file = g_key_file_new();
	g_autoptr(settings_t) settings = g_atomic_rc_box_new0(struct settings);
	g_autoptr(GError) why = NULL;

	if (length > CAP_CONFIG_BYTES) {
		refuse(error, "%s:1: larger than %d bytes; take something out", name,
		       CAP_CONFIG_BYTES);
		return NULL;
	}
	if (memchr(text, '\0', length)) {
		refuse(error, "%s:1: has NUL bytes; this is no text file", name);
		return NULL;
	}
	if (!check_lines(name, text, length, error))
		return NULL;
	if (length > 0 && !g_key_file_load_from_data(file, text, length, G_KEY_FILE_NONE, &why)) {
		refuse(error, "%s:1: %s", name, why->message);
		return NULL;
	}
	if (!fill(settings, file, name, text, length, error))
		return NULL;
	return g_steal_pointer(&settings);
}

/* Reads at most one byte more than the cap, so that an endless file is seen as too large. */
static GString *
read_capped(int fd)
{
	g_autoptr(GString) text = g_string_sized_new(4096);
	char chunk[4096];
	ssize_t got;

	while (text->len <= CAP_CONFIG_BYTES) {
		got = read(fd, chunk, sizeof chunk);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return NULL;
		if (got == 0)
			break;
		g_string_append_len(text, chunk, got);
	}
	return g_steal_pointer(&text);
}

GString *
settings_read_text(const char *path, GError **error)
{
	GString *text = NULL;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	if (fd >= 0)
		text = read_capped(fd);
	if (!text)
		g_set_error(error, SETTINGS_ERROR, SETTINGS_ERROR_READ,
			    "%s: cannot be read: %s; check the path and its permissions", path,
			    g_strerror(errno));
	if (fd >= 0)
		close(fd);
	return text;
}

struct settings *
settings_read(const char *path, GError **error)
{
	g_autoptr(GString) text = settings_read_text(path, error);

	return text ? settings_parse(path, text->str, text->len, error) : NULL;
}
