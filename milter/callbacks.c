/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "callbacks.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include <libmilter/mfapi.h>
#include <libmilter/mfdef.h>

#include "caps.h"
#include "log.h"
#include "session.h"

/* No reply is awaited from callbacks that always go on: no round trip. */
#define NO_REPLIES                                                                      \
	(SMFIP_NR_HELO | SMFIP_NR_MAIL | SMFIP_NR_RCPT | SMFIP_NR_DATA | SMFIP_NR_HDR | \
	 SMFIP_NR_EOH | SMFIP_NR_BODY)
#define WANTED_STEPS (NO_REPLIES | SMFIP_NOUNKNOWN | SMFIP_RCPT_REJ | SMFIP_HDR_LEADSPC)
#define CHANGES (SMFIF_ADDHDRS | SMFIF_CHGHDRS)

/* What libmilter keeps for a connection. */
struct connection {
	struct session *session; /* NULL before connect, and when it was refused */
	unsigned long actions;	 /* agreed on */
	unsigned long steps;
};

/*
 * libmilter gives its callbacks nothing but the connection; written once,
 * before smfi_main().
 */
static struct engine *shared_engine;

static const char *
macro(void *mta, const char *name)
{
	return smfi_getsymval(mta, (char *)name);
}

/*
 * Returns what is kept for a connection.  Whoever connects may leave out the
 * negotiation, for libmilter takes up a command where HELO could stand; and
 * after SMFIC_QUIT_NC comes another CONNECT without one.  Nothing is agreed on
 * then, or nothing that is still known here.
 */
static struct connection *
connection_of(SMFICTX *ctx)
{
	struct connection *connection = smfi_getpriv(ctx);

	if (!connection) {
		connection = g_new0(struct connection, 1);
		smfi_setpriv(ctx, connection);
	}
	return connection;
}

/* Splits "451 4.7.1" for libmilter; FALSE if there is no reply. */
static gboolean
set_reply(SMFICTX *ctx, const struct policy_decision *decision)
{
	g_auto(GStrv) codes = NULL;

	if (!decision->reply)
		return FALSE;
	codes = g_strsplit(decision->reply, " ", 2);
	return smfi_setreply(ctx, codes[0], codes[1], (char *)decision->text) == MI_SUCCESS;
}

/* The one place where a decision becomes libmilter's. */
static sfsistat
answer(SMFICTX *ctx, const struct policy_decision *decision)
{
	set_reply(ctx, decision);
	switch (decision->verdict) {
	case VERDICT_ACCEPT:
		return SMFIS_ACCEPT;
	case VERDICT_HOLD:
		if (smfi_quarantine(ctx, (char *)decision->text) == MI_SUCCESS)
			return SMFIS_ACCEPT;
		log_event(LOG_LEVEL_ERROR, "quarantine-failed", "queue_id", macro(ctx, "i"),
			  "verdict", "tempfail", NULL);
		return SMFIS_TEMPFAIL;
	case VERDICT_TEMPFAIL:
		return SMFIS_TEMPFAIL;
	case VERDICT_REJECT:
		return SMFIS_REJECT;
	case VERDICT_DISCARD:
		return SMFIS_DISCARD;
	}
	return SMFIS_TEMPFAIL;
}

/* Goes on, without a reply where the MTA awaits none. */
static sfsistat
go_on(const struct connection *connection, unsigned long no_reply)
{
	return (connection->steps & no_reply) ? SMFIS_NOREPLY : SMFIS_CONTINUE;
}

/* ---- negotiation ---- */

/* Asks for the macros that session.c reads, at the stages where it reads them. */
static void
ask_for_macros(SMFICTX *ctx)
{
	static const struct {
		int stage;
		const char *names;
	} wanted[] = {
		{SMFIM_CONNECT, "j v"},
		{SMFIM_HELO, "{tls_version} {cipher} {cipher_bits} {cert_subject}"},
		{SMFIM_ENVFROM, "i j v {tls_version} {cipher} {cipher_bits} {cert_subject} "
				"{auth_type} {auth_authen} {auth_author}"},
		{SMFIM_ENVRCPT, "i {rcpt_mailer}"},
		{SMFIM_DATA, "i"},
		{SMFIM_EOH, "i"},
		{SMFIM_EOM, "i"},
	};

	for (gsize i = 0; i < G_N_ELEMENTS(wanted); i++)
		smfi_setsymlist(ctx, wanted[i].stage, (char *)wanted[i].names);
}

/* The actions that the site's settings need, and no more. */
static unsigned long
wanted_actions(const struct settings *settings)
{
	unsigned long wanted = 0;

	if (*settings->site_key || settings->ambiguous == AMBIGUOUS_TAG)
		wanted |= CHANGES;
	/* The collector may send a block that holds at any time. */
	if (settings->on_unread == ON_UNREAD_HOLD || settings->ambiguous == AMBIGUOUS_HOLD ||
	    *settings->collector)
		wanted |= SMFIF_QUARANTINE;
	return wanted;
}

static void
log_missing(unsigned long missing)
{
	if (missing & CHANGES)
		log_event(LOG_LEVEL_WARNING, "mta-refuses", "action", "change of header fields",
			  "effect", "header fields of mailtrace are neither added nor removed",
			  NULL);
	if (missing & SMFIF_QUARANTINE)
		log_event(LOG_LEVEL_WARNING, "mta-refuses", "action", "quarantine", "effect",
			  "messages to be held are refused for a time", NULL);
}

static sfsistat
on_negotiate(SMFICTX *ctx, unsigned long offered_actions, unsigned long offered_steps,
	     unsigned long f2, unsigned long f3, unsigned long *ret_actions,
	     unsigned long *ret_steps, unsigned long *ret_f2, unsigned long *ret_f3)
{
	g_autoptr(settings_t) settings = engine_settings(shared_engine);
	struct connection *connection = connection_of(ctx);
	unsigned long wanted = wanted_actions(settings);

	connection->actions = wanted & offered_actions;
	connection->steps = WANTED_STEPS & offered_steps;
	log_missing(wanted & ~offered_actions);
	if (offered_actions & SMFIF_SETSYMLIST)
		ask_for_macros(ctx);
	*ret_actions = connection->actions | (offered_actions & SMFIF_SETSYMLIST);
	*ret_steps = connection->steps;
	*ret_f2 = 0;
	*ret_f3 = 0;
	return SMFIS_CONTINUE;
}

/* ---- the connection ---- */

/* Writes an address as text; FALSE, with nothing written, for a client without one. */
static gboolean
address_text(const struct sockaddr *address, char ret_text[INET6_ADDRSTRLEN], guint *ret_port)
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)address;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)address;

	if (address && address->sa_family == AF_INET) {
		*ret_port = ntohs(v4->sin_port);
		return inet_ntop(AF_INET, &v4->sin_addr, ret_text, INET6_ADDRSTRLEN) != NULL;
	}
	if (address && address->sa_family == AF_INET6) {
		*ret_port = ntohs(v6->sin6_port);
		return inet_ntop(AF_INET6, &v6->sin6_addr, ret_text, INET6_ADDRSTRLEN) != NULL;
	}
	return FALSE;
}

static sfsistat
refuse_connection(SMFICTX *ctx, const char *name)
{
	struct policy_decision decision = session_refused(shared_engine);

	log_event(LOG_LEVEL_WARNING, "connection-not-recorded", "client", name, "reason",
		  "max_connections is reached", "rule", decision.rule, NULL);
	return answer(ctx, &decision);
}

static sfsistat
on_connect(SMFICTX *ctx, char *name, struct sockaddr *address)
{
	struct connection *connection = connection_of(ctx);
	char ip[INET6_ADDRSTRLEN];
	guint port = 0;
	gboolean has_ip = address_text(address, ip, &port);

	session_free(connection->session);
	connection->session = session_new(shared_engine, macro);
	if (!connection->session)
		return refuse_connection(ctx, name);
	session_set_abilities(connection->session, (connection->actions & SMFIF_QUARANTINE) != 0,
			      (connection->actions & CHANGES) == CHANGES);
	session_connect(connection->session, ctx, name, has_ip ? ip : NULL, port);
	return SMFIS_CONTINUE;
}

static sfsistat
on_helo(SMFICTX *ctx, char *helo)
{
	struct connection *connection = connection_of(ctx);

	if (connection->session)
		session_helo(connection->session, ctx, helo);
	return go_on(connection, SMFIP_NR_HELO);
}

static sfsistat
on_close(SMFICTX *ctx)
{
	struct connection *connection = smfi_getpriv(ctx);

	smfi_setpriv(ctx, NULL);
	if (connection)
		session_free(connection->session);
	g_free(connection);
	return SMFIS_CONTINUE;
}

/* ---- a message ---- */

static sfsistat
on_mail(SMFICTX *ctx, char **argv)
{
	struct connection *connection = connection_of(ctx);

	if (connection->session)
		session_mail(connection->session, ctx, argv);
	return go_on(connection, SMFIP_NR_MAIL);
}

static sfsistat
on_rcpt(SMFICTX *ctx, char **argv)
{
	struct connection *connection = connection_of(ctx);

	if (connection->session)
		session_rcpt(connection->session, ctx, argv);
	return go_on(connection, SMFIP_NR_RCPT);
}

static sfsistat
on_data(SMFICTX *ctx)
{
	struct connection *connection = connection_of(ctx);

	if (connection->session)
		session_data(connection->session, ctx);
	return go_on(connection, SMFIP_NR_DATA);
}

/* An MTA without SMFIP_HDR_LEADSPC eats one blank before the value, nearly always there. */
static sfsistat
on_header(SMFICTX *ctx, char *name, char *value)
{
	struct connection *connection = connection_of(ctx);
	g_autofree char *padded = NULL;

	if (!(connection->steps & SMFIP_HDR_LEADSPC))
		padded = g_strconcat(" ", value, NULL);
	if (connection->session)
		session_header(connection->session, name, padded ? padded : value);
	return go_on(connection, SMFIP_NR_HDR);
}

static sfsistat
on_end_of_header(SMFICTX *ctx)
{
	struct connection *connection = connection_of(ctx);

	if (connection->session) {
		session_data(connection->session, ctx);
		session_end_of_header(connection->session);
	}
	return go_on(connection, SMFIP_NR_EOH);
}

static sfsistat
on_body(SMFICTX *ctx, unsigned char *bytes, size_t length)
{
	struct connection *connection = connection_of(ctx);

	if (connection->session)
		session_body(connection->session, bytes, length);
	return go_on(connection, SMFIP_NR_BODY);
}

/*
 * A field is put above all others, where RFC 5321 4.4 has trace fields.  With
 * SMFIP_HDR_LEADSPC the blank before the value is ours to write.
 */
static int
apply_change(SMFICTX *ctx, const struct connection *connection, const struct session_change *change)
{
	g_autofree char *value = NULL;

	if (change->kind == CHANGE_REMOVE_HEADER)
		return smfi_chgheader(ctx, (char *)change->name, (int)change->occurrence, NULL);
	value = g_strconcat(connection->steps & SMFIP_HDR_LEADSPC ? " " : "", change->value, NULL);
	return smfi_insheader(ctx, 0, (char *)change->name, value);
}

static sfsistat
on_end_of_message(SMFICTX *ctx)
{
	struct connection *connection = connection_of(ctx);
	struct session_outcome outcome = {0};
	sfsistat verdict;

	if (!connection->session)
		return refuse_connection(ctx, NULL);
	session_end_of_message(connection->session, ctx, &outcome);
	for (guint i = 0; i < outcome.changes->len; i++) {
		const struct session_change *change = outcome.changes->pdata[i];

		if (apply_change(ctx, connection, change) != MI_SUCCESS)
			log_event(LOG_LEVEL_WARNING, "header-not-changed", "queue_id",
				  macro(ctx, "i"), "field", change->name, NULL);
	}
	verdict = answer(ctx, &outcome.decision);
	session_outcome_clear(&outcome);
	return verdict;
}

static sfsistat
on_abort(SMFICTX *ctx)
{
	struct connection *connection = smfi_getpriv(ctx);

	if (connection && connection->session)
		session_abort(connection->session);
	return SMFIS_CONTINUE;
}

gboolean
callbacks_register(struct engine *engine)
{
	struct smfiDesc filter = {
		.xxfi_name = (char *)"mailtrace",
		.xxfi_version = SMFI_VERSION,
		.xxfi_flags = CHANGES | SMFIF_QUARANTINE | SMFIF_SETSYMLIST,
		.xxfi_connect = on_connect,
		.xxfi_helo = on_helo,
		.xxfi_envfrom = on_mail,
		.xxfi_envrcpt = on_rcpt,
		.xxfi_header = on_header,
		.xxfi_eoh = on_end_of_header,
		.xxfi_body = on_body,
		.xxfi_eom = on_end_of_message,
		.xxfi_abort = on_abort,
		.xxfi_close = on_close,
		.xxfi_data = on_data,
		.xxfi_negotiate = on_negotiate,
	};

	shared_engine = engine;
	/*
	 * libmilter hangs up on a longer packet, and 64 KiB are its own limit.
	 * Postfix cuts header fields to fit; from an MTA that does not, one such
	 * field would make every try of its message fail, or lead it past us where
	 * the MTA goes on without its filter.
	 */
	smfi_setmaxdatasize(CAP_PACKET_BYTES);
	return smfi_register(filter) == MI_SUCCESS;
}
