/* SPDX-License-Identifier: BSD-2-Clause */
#include "settings_private.h"

#include <stddef.h>

#include "caps.h"

#define CONFIG_DIRECTORY MAILTRACE_SYSCONFDIR "/mailtrace"
#define STATE_DIRECTORY MAILTRACE_LOCALSTATEDIR "/lib"
#define RUN_DIRECTORY MAILTRACE_RUNSTATEDIR
#define LOOPBACK "127.0.0.0/8; ::1"

#define MAX_BYTES (G_GUINT64_CONSTANT(1) << 50) /* no file system of a mail server is larger */

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

static const struct settings_binding bindings[] = {KEYS(BINDING_ROW)};

G_STATIC_ASSERT(G_N_ELEMENTS(keys) == G_N_ELEMENTS(bindings));

const struct settings_key *
settings_keys(gsize *ret_count)
{
	*ret_count = G_N_ELEMENTS(keys);
	return keys;
}

const struct settings_binding *
settings_binding(gsize index)
{
	return &bindings[index];
}
