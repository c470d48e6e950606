/* SPDX-License-Identifier: BSD-2-Clause */
/* Lines as Dovecot 2.3.19, Postfix 3.7 and Sendmail 8.17 write them, and what others could make of
 * them. */
#include <criterion/criterion.h>
#include <string.h>

#include "caps.h"
#include "delivery.h"
#include "event.h"
#include "../milter/dovecot_log.h"
#include "../milter/mta_login.h"

#define NOW_US ((gint64)1795881600 * G_USEC_PER_SEC)
#define STAMP "Nov 28 15:51:52 "
#define QUEUE "4Xyz12AbCdz9kL3"
#define SUBMISSION STAMP "mx1 postfix/submission/smtpd[77]: " QUEUE ": "
#define AUTH STAMP "mx1 sm-mta[77]: AUTH=server, relay="
#define IMAP STAMP "imap-login: Info: Login: user="
#define TAIL ", lip=127.0.0.1, mpid=23744, secured, session=<yWPEJ1hheJR/AAAB>"

/* The login that a line tells, of whichever log it is; NULL for none. */
static struct login *
parse(const char *line, gsize length)
{
	g_autoptr(GTimeZone) utc = g_time_zone_new_utc();
	g_autoptr(GPtrArray) deliveries =
		g_ptr_array_new_with_free_func((GDestroyNotify)delivery_free);
	g_autoptr(GPtrArray) logins = g_ptr_array_new_with_free_func((GDestroyNotify)login_free);
	struct login *login = postfix_login_parse(line, length, 7, NOW_US, utc);

	if (login == NULL)
		login = sendmail_login_parse(line, length, 7, NOW_US, utc);
	dovecot_log_parse(line, length, 7, NOW_US, utc, "mbox1", deliveries, logins);
	cr_expect_eq(deliveries->len, 0);
	cr_expect_leq(logins->len + (login != NULL), 1, "two logs have it: %s", line);
	return logins->len > 0 ? g_ptr_array_steal_index(logins, 0) : login;
}

/* "host service user client method session" */
static char *
summary(const char *line)
{
	g_autoptr(login_t) login = parse(line, strlen(line));

	if (login == NULL)
		return g_strdup("");
	return g_strdup_printf("%s %s %s %s %s %s", login->log_host, login->service, login->user,
			       login->client, login->method ? login->method : "-",
			       login->session ? login->session : "-");
}

struct row {
	const char *line, *said;
};

static void
expect_all(const struct row *rows, gsize count)
{
	for (gsize i = 0; i < count; i++) {
		g_autofree char *said = summary(rows[i].line);

		cr_expect_str_eq(said, rows[i].said, "%s\n%s", said, rows[i].line);
	}
}

Test(login_log, each_login_is_understood)
{
	static const struct row rows[] = {
		{IMAP "<bob@example.org>, method=PLAIN, rip=192.0.2.7" TAIL,
		 "mbox1 imap bob@example.org 192.0.2.7 PLAIN yWPEJ1hheJR/AAAB"},
		{STAMP "pop3-login: Login: user=<bob>, method=CRAM-MD5, rip=2001:db8::7, lip=::1, "
		       "mpid=1, TLS, session=<h+fEJ1hhztJ/AAAB>",
		 "mbox1 pop3 bob 2001:db8::7 CRAM-MD5 h+fEJ1hhztJ/AAAB"},
		{STAMP "mx9 dovecot[12]: managesieve-login: Login: user=<bob>, method=PLAIN, "
		       "rip=2001:0DB8:0::0:7, lip=::1, mpid=1, TLS, session=<s>",
		 "mx9 managesieve bob 2001:db8::7 PLAIN s"},
		{"2026-11-28T15:51:52.000001+00:00 mx9 dovecot: submission-login: Login: "
		 "user=<bob>, method=, rip=::ffff:192.0.2.7, lip=::1",
		 "mx9 submission bob 192.0.2.7 - -"},
		{IMAP "<bob>, method=PLAIN, rip=192.0.2.7", "mbox1 imap bob 192.0.2.7 PLAIN -"},
		{SUBMISSION "client=pc.example[192.0.2.7], sasl_method=PLAIN, "
			    "sasl_username=bob@example.org",
		 "mx1 submission bob@example.org 192.0.2.7 PLAIN " QUEUE},
		{STAMP "mx1 postfix/smtpd[77]: 4F1C2A0B3D: client=unknown[2001:db8::7]:50123, "
		       "sasl_method=LOGIN, sasl_username=DOMAIN\\bob, sasl_sender=b@x.example",
		 "mx1 smtp DOMAIN\\bob 2001:db8::7 LOGIN 4F1C2A0B3D"},
		{STAMP "mx1 postfix-out/smtps/smtpd[77]: " QUEUE
		       ": client=localhost[127.0.0.1], sasl_method=PLAIN, sasl_username=bob, "
		       "orig_queue_id=4F1C2A0B3D, orig_client=x[192.0.2.1]",
		 "mx1 smtps bob 127.0.0.1 PLAIN " QUEUE},
		{AUTH "pc.example [192.0.2.7], authid=bob@example.org, mech=PLAIN, bits=0",
		 "mx1 smtp bob@example.org 192.0.2.7 PLAIN -"},
		{AUTH "pc.example [192.0.2.7] (may be forged), authid=bob, mech=DIGEST-MD5, "
		      "bits=128",
		 "mx1 smtp bob 192.0.2.7 DIGEST-MD5 -"},
		{STAMP "mx1 sendmail[77]: AUTH=server, relay=[IPv6:2001:db8::7], authid=bob, "
		       "mech=LOGIN, bits=0",
		 "mx1 smtp bob 2001:db8::7 LOGIN -"},
	};

	expect_all(rows, G_N_ELEMENTS(rows));
}

Test(login_log, what_is_no_login_says_nothing)
{
	static const struct row rows[] = {
		{IMAP "<>, method=PLAIN, rip=192.0.2.7" TAIL, ""},
		{IMAP "<bob>, method=PLAIN, rip=x" TAIL, ""},
		{IMAP "<bob>, method=PLAIN, rip=192.0.2.777" TAIL, ""},
		{IMAP "<bob>, method=PLAIN, rip=fe80::1%eth0" TAIL, ""},
		{IMAP "<bob>, method=PLAIN, rip=" TAIL, ""},
		{IMAP "<b>, rip=192.0.2.7, session=<x>, method=PLAIN, lip=127.0.0.1", ""},
		{STAMP "imap-login: Info: Disconnected (auth failed, 1 attempts): user=<b>, "
		       "method=PLAIN, rip=192.0.2.7, lip=127.0.0.1, session=<x>",
		 ""},
		{STAMP "-login: Login: user=<b>, method=PLAIN, rip=192.0.2.7" TAIL, ""},
		{STAMP "imap(bob)<1><s>: Info: Login: user=<b>, method=PLAIN, rip=192.0.2.7" TAIL,
		 ""},
		{SUBMISSION "client=pc.example[192.0.2.7]", ""},
		{SUBMISSION "client=pc.example[192.0.2.7], sasl_sender=bob", ""},
		{SUBMISSION "client=pc.example[192.0.2.7], sasl_method=PLAIN, sasl_username=", ""},
		{STAMP "mx1 postfix/smtpd[77]: NOQUEUE: client=x[192.0.2.7], sasl_method=PLAIN, "
		       "sasl_username=bob",
		 ""},
		{STAMP "mx1 postfix/smtp[77]: " QUEUE
		       ": client=x[192.0.2.7], sasl_method=PLAIN, sasl_username=bob",
		 ""},
		{STAMP "mx1 postfix/smtpd[77]: warning: x[192.0.2.7]: SASL PLAIN authentication "
		       "failed, sasl_username=bob",
		 ""},
		{AUTH "pc.example [192.0.2.7], reject=403 4.7.0 authentication failed", ""},
		{STAMP "mx1 sm-mta[77]: AUTH=client, relay=x. [192.0.2.7], mech=PLAIN, bits=0", ""},
	};

	expect_all(rows, G_N_ELEMENTS(rows));
}

/* Nobody is made another user, nor another's address, by what he is called. */
Test(login_log, a_name_cannot_counterfeit_what_stands_behind_it)
{
	static const struct row rows[] = {
		{SUBMISSION "client=x[192.0.2.7], sasl_method=PLAIN, sasl_username=eve, "
			    "sasl_username=bob",
		 ""},
		{SUBMISSION "client=x[192.0.2.7], sasl_method=PLAIN, sasl_username=eve bob", ""},
		{SUBMISSION "client=x[192.0.2.7]: x[192.0.2.8], sasl_method=PLAIN, "
			    "sasl_username=bob",
		 ""},
		{AUTH "x [192.0.2.7], authid=eve, mech=PLAIN, bits=0, authid=bob, mech=PLAIN, "
		      "bits=0",
		 ""},
		{AUTH "x] [192.0.2.7], authid=bob, mech=PLAIN, bits=0", ""},
		{IMAP "<eve>, method=PLAIN, rip=192.0.2.8, session=<x>, method=PLAIN, "
		      "rip=192.0.2.7" TAIL,
		 "mbox1 imap eve 192.0.2.8 PLAIN yWPEJ1hheJR/AAAB"},
		{IMAP "<eve>, method=PLAIN, rip=192.0.2.8, lip=::1, session=<a b>",
		 "mbox1 imap eve 192.0.2.8 PLAIN -"},
	};

	expect_all(rows, G_N_ELEMENTS(rows));
}

Test(login_log, time_and_id_are_those_of_the_line)
{
	static const char line[] = IMAP "<bob>, method=PLAIN, rip=192.0.2.7" TAIL;
	g_autoptr(login_t) login = parse(line, strlen(line)), again = parse(line, strlen(line));

	cr_assert_eq(login->time_us, (gint64)1795881112 * G_USEC_PER_SEC);
	cr_assert(event_id_is_valid(login->event_id));
	cr_assert_str_eq(login->event_id, again->event_id);
}

Test(login_log, caps_of_a_line_and_of_a_name)
{
	for (int over = -1; over <= 1; over++) {
		g_autofree char *name = g_strnfill((gsize)(CAP_ADDRESS_BYTES + over), 'u');
		g_autofree char *dovecot =
			g_strconcat(IMAP "<", name, ">, method=PLAIN, rip=192.0.2.7" TAIL, NULL);
		g_autofree char *postfix = g_strconcat(
			SUBMISSION "client=x[192.0.2.7], sasl_method=PLAIN, sasl_username=", name,
			NULL);
		g_autofree char *start =
			g_strdup(IMAP "<bob>, method=PLAIN, rip=192.0.2.7, local_name=");
		g_autofree char *fill =
			g_strnfill((gsize)(CAP_LOG_LINE_BYTES + over) - strlen(start), 'x');
		g_autofree char *line = g_strconcat(start, fill, NULL);
		const char *lines[] = {dovecot, postfix, line};

		for (gsize i = 0; i < G_N_ELEMENTS(lines); i++) {
			g_autoptr(login_t) login = parse(lines[i], strlen(lines[i]));

			cr_expect_eq(login != NULL, over <= 0, "%zu %d", i, over);
		}
	}
}
