/* SPDX-License-Identifier: BSD-2-Clause */
/* The lines are those of a Sendmail 8.17.1 with two filters, as rsyslog wrote them. */
#include "../milter/sendmail_log.h"

#include <criterion/criterion.h>
#include <string.h>

#include "caps.h"
#include "log_cursor.h"

#define NOW_US ((gint64)1795439311 * G_USEC_PER_SEC) /* 2026-11-23T13:08:31Z */
#define HEAD "2026-11-23T13:08:31.250000+00:00 mx2 sendmail[29382]: "
#define ID "6AP9OP52029382"
#define NOTHING ""

static GPtrArray *
parse_bytes(const char *line, gsize length, guint64 offset)
{
	GPtrArray *deliveries = g_ptr_array_new_with_free_func((GDestroyNotify)delivery_free);
	g_autoptr(GTimeZone) utc = g_time_zone_new_utc();

	sendmail_log_parse(line, length, offset, NOW_US, utc, deliveries);
	return deliveries;
}

/* What a line says, "; " between several. */
static char *
summary(const char *line)
{
	g_autoptr(GPtrArray) deliveries = parse_bytes(line, strlen(line), 7);
	GString *said = g_string_new(NULL);

	for (guint i = 0; i < deliveries->len; i++) {
		const struct delivery *delivery = deliveries->pdata[i];

		cr_assert_str_eq(delivery->queue_id, ID);
		cr_assert_str_eq(delivery->log_host, "mx2");
		cr_assert_eq(delivery->time_us, NOW_US + 250000);
		g_string_append_printf(said, "%s%s to=%s orig=%s dsn=%s n=%u", i ? "; " : "",
				       delivery_kind_name(delivery->kind), delivery->recipient,
				       delivery->original, delivery->dsn, delivery->recipients);
	}
	return g_string_free(said, FALSE);
}

static const struct {
	const char *line, *said;
} lines[] = {
	{"from=<sender@example.net>, size=3503, class=0, nrcpts=2, msgid=<a@b>, proto=ESMTP, "
	 "daemon=MTA, relay=localhost [127.0.0.1]",
	 "queued to=(null) orig=(null) dsn=(null) n=2"},
	{"from=<>, size=1, class=0, nrcpts=1, msgid=<x>, relay=root@localhost",
	 "queued to=(null) orig=(null) dsn=(null) n=1"},
	{"from=root, size=1, class=0, nrcpts=1, relay=root@localhost",
	 "queued to=(null) orig=(null) dsn=(null) n=1"},
	{"to=<alice@example.org>, delay=00:00:00, xdelay=00:00:00, mailer=local, pri=63503, "
	 "dsn=2.0.0, stat=Sent",
	 "sent to=alice@example.org orig=(null) dsn=2.0.0 n=0"},
	{"to=<a@x.example>,<b@x.example>, delay=00:00:01, xdelay=00:00:01, mailer=esmtp, "
	 "pri=93503, relay=mx.x.example. [192.0.2.1], dsn=2.0.0, stat=Sent (Ok: queued as 4Xyz)",
	 "sent to=a@x.example orig=(null) dsn=2.0.0 n=0; "
	 "sent to=b@x.example orig=(null) dsn=2.0.0 n=0"},
	{"to=bob, delay=00:00:00, xdelay=00:00:00, mailer=local, pri=93769, dsn=2.0.0, stat=Sent",
	 "sent to=bob orig=(null) dsn=2.0.0 n=0"},
	{"to=\"|/bin/false\", ctladdr=<broken@example.org> (8/0), delay=00:00:00, "
	 "xdelay=00:00:00, mailer=prog, pri=33503, dsn=5.3.0, stat=unknown mailer error 1",
	 "bounced to=\"|/bin/false\" orig=broken@example.org dsn=5.3.0 n=0"},
	{"to=<\"quoted, local\"@example.org>, delay=00:00:00, xdelay=00:00:00, mailer=local, "
	 "pri=63503, dsn=2.0.0, stat=Sent",
	 "sent to=\"quoted, local\"@example.org orig=(null) dsn=2.0.0 n=0"},
	{"to=<x@[127.0.0.9]>, delay=00:00:00, xdelay=00:00:00, mailer=esmtp, pri=33503, "
	 "relay=[127.0.0.9] [127.0.0.9], dsn=4.4.1, stat=Deferred: Connection refused by x",
	 "deferred to=x@[127.0.0.9] orig=(null) dsn=4.4.1 n=0"},
	{"to=x@remote.example, delay=00:00:00, xdelay=00:00:00, mailer=esmtp, pri=93769, "
	 "relay=remote.example., dsn=5.1.2, stat=Host unknown (Name server: host not found)",
	 "bounced to=x@remote.example orig=(null) dsn=5.1.2 n=0"},
	{"to=<a@x>, delay=00:00:00, mailer=esmtp, pri=33503, stat=queued", NOTHING},
	/* filters */
	{"Milter: to=<eve@example.org>, reject=550 5.7.1 Command rejected",
	 "refused to=eve@example.org orig=(null) dsn=5.7.1 n=0"},
	{"Milter: data, reject=554 5.7.1 Command rejected",
	 "refused to=(null) orig=(null) dsn=5.7.1 n=0"},
	{"Milter: data, discard", "refused to=(null) orig=(null) dsn=(null) n=0"},
	{"Milter: from=<a@b>, reject=550 5.7.1 no", NOTHING},
	{"Milter: helo=x, reject=550 5.7.1 no", NOTHING},
	{"Milter accept: message", NOTHING},
	{"to=<bob@example.org>, delay=00:00:00, pri=33517, stat=Command rejected",
	 "refused to=bob@example.org orig=(null) dsn=(null) n=0"},
	{"to=<alice@example.org>, delay=00:00:00, pri=33503, stat=discarded",
	 "refused to=alice@example.org orig=(null) dsn=(null) n=0"},
	{"milter=mailtrace, quarantine=mailtrace: the message holds a file that is blocked",
	 "held to=(null) orig=(null) dsn=(null) n=0"},
	{"to=<alice@example.org>, delay=00:00:00, mailer=local, pri=33503, quarantine=mailtrace: "
	 "the mes...le that is blocked, stat=quarantined",
	 "held to=(null) orig=(null) dsn=(null) n=0"},
	{"milter=refuser, action=rcpt, continue", NOTHING},
	{"done; delay=00:00:00, ntries=1", "done to=(null) orig=(null) dsn=(null) n=0"},
	/* what says nothing of a recipient */
	{"6AP9OPJQ029395: DSN: Host unknown (Name server: remote.example.: host not found)",
	 NOTHING},
	{"alias <team@example.org> => alice, <bob@example.org>,out@else.example",
	 "aliased to=alice orig=team@example.org dsn=(null) n=0; "
	 "aliased to=bob@example.org orig=team@example.org dsn=(null) n=0; "
	 "aliased to=out@else.example orig=team@example.org dsn=(null) n=0"},
	{"alias team => \"|/bin/x a, b\", :include:/a, /dir/file, ali...ce, a@b> => c, dave",
	 "aliased to=dave orig=team dsn=(null) n=0"},
	{"alias <a@x> => x", "aliased to=x orig=a@x dsn=(null) n=0"},
	{"alias <a@x> =>", NOTHING},
	{"alias <> => alice", NOTHING},
	{"alias  => alice", NOTHING},
	{"localhost [127.0.0.1] did not issue MAIL/EXPN/VRFY/ETRN", NOTHING},
	/* a filter's or a sender's text that would say more than it may */
	{"to=<a@x>, delay=0, quarantine=x, dsn=2.0.0, stat=Sent, stat=Sent",
	 "held to=(null) orig=(null) dsn=(null) n=0"},
	{"from=<a@b, size=1, class=0, nrcpts=9>, size=3, class=0, nrcpts=1", NOTHING},
	{"to=<a@x>, dsn=2.0.0, stat=Sent to=<b@x>, dsn=5.0.0, stat=no",
	 "sent to=a@x orig=(null) dsn=2.0.0 n=0"},
	{"to=<>, dsn=2.0.0, stat=Sent", NOTHING},
	{"to=<a@x> , dsn=2.0.0, stat=Sent", NOTHING},
	{"to=<a@x>, stat", NOTHING},
	{"to=<a@x>", NOTHING},
};

Test(sendmail_log, says_what_the_lines_say)
{
	for (gsize i = 0; i < G_N_ELEMENTS(lines); i++) {
		g_autofree char *line = g_strconcat(HEAD ID ": ", lines[i].line, NULL);
		g_autofree char *said = summary(line);

		cr_expect_str_eq(said, lines[i].said, "%s: %s", lines[i].line, said);
	}
}

Test(sendmail_log, other_programs_and_ids_say_nothing)
{
	static const char *const heads[] = {
		"2026-11-23T13:08:31+00:00 mx2 postfix/smtpd[1]: " ID,
		"2026-11-23T13:08:31+00:00 mx2 sendmail: " ID,
		"2026-11-23T13:08:31+00:00 mx2 sendmailx[1]: " ID,
		"2026-11-23T13:08:31+00:00 mx2 sendmail[1]: NOQUEUE",
		"2026-11-23T13:08:31+00:00 mx2 sendmail[1]: 6AP9OP5",
		"2026-11-23T13:08:31+00:00 mx2 sendmail[1]: 6AP9OP52O29382", /* a letter */
		"2026-11-23T13:08:31+00:00 mx2 sendmail[1]: 6AP9OP520293820293820",
		"mx2 sendmail[1]: " ID,
	};

	for (gsize i = 0; i < G_N_ELEMENTS(heads); i++) {
		g_autofree char *line = g_strconcat(heads[i], ": done; delay=1, ntries=1", NULL);
		g_autoptr(GPtrArray) deliveries = parse_bytes(line, strlen(line), 0);

		cr_expect_eq(deliveries->len, 0, "%s", line);
	}
}

Test(sendmail_log, both_stamps_and_both_tags_are_read)
{
	static const char *const starts[] = {"Nov 23 13:08:31 mx2 sendmail[1]: ",
					     "Nov 23 13:08:31 mx2 sm-mta[1]: "};

	for (gsize i = 0; i < G_N_ELEMENTS(starts); i++) {
		g_autofree char *line =
			g_strconcat(starts[i], ID, ": done; delay=00:00:00, ntries=1", NULL);
		g_autoptr(GPtrArray) deliveries = parse_bytes(line, strlen(line), 0);

		cr_assert_eq(deliveries->len, 1);
		cr_expect_eq(((struct delivery *)deliveries->pdata[0])->time_us, NOW_US);
	}
}

Test(sendmail_log, each_recipient_of_a_line_has_an_id_and_has_it_again)
{
	static const char line[] = HEAD ID ": to=<a@x>,<b@x>, dsn=2.0.0, stat=Sent";
	g_autoptr(GPtrArray) first = parse_bytes(line, strlen(line), 40);
	g_autoptr(GPtrArray) again = parse_bytes(line, strlen(line), 40);
	g_autoptr(GPtrArray) later = parse_bytes(line, strlen(line), 41);

	for (guint i = 0; i < 2; i++) {
		const struct delivery *delivery = first->pdata[i];

		cr_expect_str_eq(delivery->event_id,
				 ((struct delivery *)again->pdata[i])->event_id);
		cr_expect_str_neq(delivery->event_id,
				  ((struct delivery *)later->pdata[i])->event_id);
		cr_expect_str_neq(delivery->event_id,
				  ((struct delivery *)first->pdata[1 - i])->event_id);
	}
}

/* Returns how many recipients a line of so many says something of. */
static guint
said_of(guint recipients)
{
	g_autoptr(GString) line = g_string_new(HEAD ID ": to=");
	g_autoptr(GPtrArray) deliveries = NULL;

	for (guint i = 0; i < recipients; i++)
		g_string_append_printf(line, "%sa%u", i ? "," : "", i % 10);
	g_string_append(line, ", dsn=2.0.0, stat=Sent");
	deliveries = parse_bytes(line->str, line->len, 0);
	return deliveries->len;
}

Test(sendmail_log, line_has_at_most_so_many_recipients)
{
	cr_expect_eq(said_of(SENDMAIL_LOG_RECIPIENTS - 1), SENDMAIL_LOG_RECIPIENTS - 1);
	cr_expect_eq(said_of(SENDMAIL_LOG_RECIPIENTS), SENDMAIL_LOG_RECIPIENTS);
	cr_expect_eq(said_of(SENDMAIL_LOG_RECIPIENTS + 1), 0);
}

Test(sendmail_log, every_cut_of_a_line_is_read_without_harm)
{
	for (gsize i = 0; i < G_N_ELEMENTS(lines); i++) {
		g_autofree char *line = g_strconcat(HEAD ID ": ", lines[i].line, NULL);

		for (gsize cut = 0; cut <= strlen(line); cut++) {
			g_autofree char *part = g_memdup2(line, MAX(cut, 1));
			GPtrArray *deliveries = parse_bytes(part, cut, 0);

			g_ptr_array_unref(deliveries);
		}
	}
}
