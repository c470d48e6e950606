/* SPDX-License-Identifier: BSD-2-Clause */
#include "../milter/postfix_log.h"

#include <criterion/criterion.h>
#include <string.h>

#include "caps.h"
#include "event.h"

#define NOW_US ((gint64)1795439311 * G_USEC_PER_SEC) /* 2026-11-23T13:08:31Z */
#define HEAD "Nov 23 13:08:31 mx1 postfix/"
#define NEXT "4Xyz12BbCfzKr"
#define ID "4Xyz12BbCdzKq"

static struct delivery *
parse_at(const char *line, guint64 offset, gint64 now_us, const char *zone_name)
{
	g_autoptr(GTimeZone) zone = g_time_zone_new_identifier(zone_name);

	cr_assert_not_null(zone);
	return postfix_log_parse(line, strlen(line), offset, now_us, zone);
}

static struct delivery *
parse(const char *line)
{
	return parse_at(line, 0, NOW_US, "UTC");
}

/* What the line says, in one text; NULL if nothing. */
static char *
summary(const char *line)
{
	g_autoptr(delivery_t) delivery = parse(line);

	if (delivery == NULL)
		return NULL;
	return g_strdup_printf("%s %s to=%s orig=%s dsn=%s next=%s n=%u", delivery->queue_id,
			       delivery_kind_name(delivery->kind), delivery->recipient,
			       delivery->original, delivery->dsn, delivery->next_queue_id,
			       delivery->recipients);
}

static const struct {
	const char *line, *said;
} lines[] = {
	{HEAD "qmgr[7]: " ID ": from=<a@b.example>, size=1234, nrcpt=3 (queue active)",
	 ID " queued to=(null) orig=(null) dsn=(null) next=(null) n=3"},
	{HEAD "qmgr[7]: " ID ": from=<>, size=1, nrcpt=1 (queue active)",
	 ID " queued to=(null) orig=(null) dsn=(null) next=(null) n=1"},
	{HEAD "qmgr[7]: 3F2A1B0C9D: removed",
	 "3F2A1B0C9D done to=(null) orig=(null) dsn=(null) next=(null) n=0"},
	{HEAD "postsuper[7]: " ID ": removed",
	 ID " deleted to=(null) orig=(null) dsn=(null) next=(null) n=0"},
	{HEAD "postsuper[7]: " ID ": placed on hold",
	 ID " held to=(null) orig=(null) dsn=(null) next=(null) n=0"},
	{HEAD "smtp[9]: " ID ": to=<u1@x.example>, relay=mail.x.example[192.0.2.1]:25, delay=0.5, "
	      "delays=0.1/0/0.2/0.2, dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as 5Abc)",
	 ID " sent to=u1@x.example orig=(null) dsn=2.0.0 next=(null) n=0"},
	{HEAD "smtp[9]: " ID ": to=<u1@x.example>, relay=127.0.0.1[127.0.0.1]:10024, conn_use=2, "
	      "delay=0.5, delays=0.1/0/0.2/0.2, dsn=2.0.0, status=sent (250 2.0.0 from "
	      "MTA(smtp:[127.0.0.1]:10025): 250 2.0.0 Ok: queued as 4Xyz12BbCfzKr)",
	 ID " sent to=u1@x.example orig=(null) dsn=2.0.0 next=4Xyz12BbCfzKr n=0"},
	{HEAD "local[9]: " ID ": to=<list@x.example>, relay=local, delay=0, delays=0/0/0/0, "
	      "dsn=2.0.0, status=sent (forwarded as 4Xyz12BbCfzKr)",
	 ID " sent to=list@x.example orig=(null) dsn=2.0.0 next=4Xyz12BbCfzKr n=0"},
	{HEAD "lmtp[9]: " ID ": to=<u1@x.example>, orig_to=<sales@x.example>, "
	      "relay=mx1[private/dovecot-lmtp], delay=0, delays=0/0/0/0, dsn=2.0.0, "
	      "status=sent (250 2.0.0 <u1@x.example> kLmN Saved)",
	 ID " sent to=u1@x.example orig=sales@x.example dsn=2.0.0 next=kLmN n=0"},
	{"Nov 23 13:08:31 mx1 postfix-out/relay/smtp[9]: " ID ": to=<u@x>, relay=none, delay=1, "
	 "delays=1/0/0/0, tls=none, dsn=4.4.1, status=deferred (connect to x[192.0.2.1]:25: "
	 "Connection refused)",
	 ID " deferred to=u@x orig=(null) dsn=4.4.1 next=(null) n=0"},
	{HEAD "smtp[9]: " ID ": to=<u@x>, relay=none, delay=1, delays=1/0/0/0, dsn=5.4.4, "
	      "status=SOFTBOUNCE (Host not found)",
	 ID " deferred to=u@x orig=(null) dsn=5.4.4 next=(null) n=0"},
	{HEAD "virtual[9]: " ID ": to=<\"a b\"@x>, relay=virtual, delay=1, delays=1/0/0/0, "
	      "dsn=5.1.1, status=bounced (unknown user: \"a b\")",
	 ID " bounced to=\"a b\"@x orig=(null) dsn=5.1.1 next=(null) n=0"},
	{HEAD "discard[9]: " ID ": to=<u@x>, relay=none, delay=1, delays=1/0/0/0, dsn=2.0.0, "
	      "status=sent (x)",
	 ID " bounced to=u@x orig=(null) dsn=2.0.0 next=(null) n=0"},
	{HEAD "cleanup[8]: " ID ": milter-reject: END-OF-MESSAGE from c.example[192.0.2.9]: 5.7.1 "
	      "spam; from=<a@b> to=<u@x> proto=ESMTP helo=<c>",
	 ID " refused to=(null) orig=(null) dsn=5.7.1 next=(null) n=0"},
	{HEAD "cleanup[8]: " ID
	      ": milter-discard: END-OF-MESSAGE from c[192.0.2.9]: milter triggers "
	      "DISCARD action; from=<a@b> to=<u@x> proto=ESMTP helo=<c>",
	 ID " refused to=(null) orig=(null) dsn=(null) next=(null) n=0"},
	{HEAD "cleanup[8]: " ID
	      ": milter-hold: END-OF-MESSAGE from c[192.0.2.9]: milter triggers HOLD "
	      "action; from=<a@b> to=<u@x> proto=ESMTP helo=<c>",
	 ID " held to=(null) orig=(null) dsn=(null) next=(null) n=0"},
	{HEAD "cleanup[8]: " ID ": hold: header Subject: x from c[192.0.2.9]; from=<a@b> to=<u@x>",
	 ID " held to=(null) orig=(null) dsn=(null) next=(null) n=0"},
	{HEAD "submission/smtpd[8]: " ID ": milter-reject: RCPT from c[192.0.2.9]: 550 5.7.1 no; "
	      "from=<a@b> to=<u2@x> proto=ESMTP helo=<c> sasl_username=<a>",
	 ID " refused to=u2@x orig=(null) dsn=5.7.1 next=(null) n=0"},
	{HEAD "smtpd[8]: " ID
	      ": reject: RCPT from unknown[192.0.2.9]:2525: 450 4.1.1 <u2@x>: Recipient "
	      "address rejected: unverified; from=<a@b> to=<u2@x> proto=ESMTP helo=<c>",
	 ID " refused to=u2@x orig=(null) dsn=4.1.1 next=(null) n=0"},
	{HEAD "smtpd[8]: " ID
	      ": reject: END-OF-MESSAGE from c[192.0.2.9]: 554 5.7.1 no; from=<a@b> "
	      "proto=ESMTP helo=<c>",
	 ID " refused to=(null) orig=(null) dsn=5.7.1 next=(null) n=0"},
	{HEAD "smtpd[8]: " ID ": milter-hold: RCPT from c[192.0.2.9]: x; from=<a@b> to=<u@x>",
	 ID " held to=(null) orig=(null) dsn=(null) next=(null) n=0"},
	{HEAD "postsuper[7]: " ID ": released from hold",
	 ID " released to=(null) orig=(null) dsn=(null) next=(null) n=0"},
	{HEAD "qmgr[7]: " ID ": from=<a@b>, status=expired, returned to sender",
	 ID " expired to=(null) orig=(null) dsn=(null) next=(null) n=0"},
	{HEAD "qmgr[7]: " ID ": from=<>, status=force-expired, returned to sender",
	 ID " expired to=(null) orig=(null) dsn=(null) next=(null) n=0"},
	{HEAD "pickup[7]: " NEXT ": uid=106 from=<a@b> orig_id=" ID,
	 ID " requeued to=(null) orig=(null) dsn=(null) next=" NEXT " n=0"},
	{HEAD "smtpd[7]: " NEXT ": client=localhost[127.0.0.1], orig_queue_id=" ID
	      ", orig_client=c.example[192.0.2.9]",
	 ID " requeued to=(null) orig=(null) dsn=(null) next=" NEXT " n=0"},
	{HEAD "smtpd[7]: " NEXT ": client=unknown[2001:db8::1], orig_queue_id=" ID,
	 ID " requeued to=(null) orig=(null) dsn=(null) next=" NEXT " n=0"},
	{HEAD "lmtp[9]: " ID ": to=<u1@x.example>, relay=mx1[private/dovecot-lmtp], delay=0, "
	      "delays=0/0/0/0, dsn=2.0.0, status=sent (250 2.0.0 <u1@x.example> "
	      "Wg/JF5j4CmuuXAAAg+zDdQ:R2 Saved)",
	 ID " sent to=u1@x.example orig=(null) dsn=2.0.0 next=Wg/JF5j4CmuuXAAAg+zDdQ:R2 n=0"},
	{HEAD "lmtp[9]: " ID ": to=<u1@x.example>, relay=mx1[private/dovecot-lmtp], delay=0, "
	      "delays=0/0/0/0, dsn=2.0.0, status=sent (250 2.0.0 Wg/JF5j4CmuuXAAAg+zDdQ Saved)",
	 ID " sent to=u1@x.example orig=(null) dsn=2.0.0 next=(null) n=0"},
	/* No mailbox server of ours. */
	{HEAD "smtp[9]: " ID ": to=<u1@x.example>, relay=evil[192.0.2.1]:25, delay=0, "
	      "delays=0/0/0/0, dsn=2.0.0, status=sent (250 2.0.0 <u1@x.example> "
	      "Wg/JF5j4CmuuXAAAg+zDdQ Saved)",
	 ID " sent to=u1@x.example orig=(null) dsn=2.0.0 next=(null) n=0"},
};

Test(postfix_log, each_line_that_matters_is_understood)
{
	for (gsize i = 0; i < G_N_ELEMENTS(lines); i++) {
		g_autofree char *said = summary(lines[i].line);

		cr_assert_not_null(said, "nothing: %s", lines[i].line);
		cr_assert_str_eq(said, lines[i].said, "%s\n%s", said, lines[i].line);
	}
}

Test(postfix_log, relay_text_and_host_are_kept)
{
	g_autoptr(delivery_t) delivery = parse(lines[5].line);

	cr_assert_str_eq(delivery->log_host, "mx1");
	cr_assert_str_eq(delivery->relay, "mail.x.example[192.0.2.1]:25");
	cr_assert_str_eq(delivery->detail, "250 2.0.0 Ok: queued as 5Abc");
	cr_assert_eq(delivery->time_us, NOW_US);
	cr_assert(event_id_is_valid(delivery->event_id));
	cr_assert_null(delivery->sensor);
}

Test(postfix_log, a_refusal_keeps_the_reply_and_not_what_stands_behind_it)
{
	g_autoptr(delivery_t) message = parse(lines[13].line), rcpt = parse(lines[17].line);

	cr_assert_str_eq(message->detail, "5.7.1 spam");
	cr_assert_str_eq(rcpt->detail, "550 5.7.1 no");
}

Test(postfix_log, lines_about_no_message_say_nothing)
{
	static const char *const others[] = {
		"",
		"x",
		HEAD "smtpd[8]: NOQUEUE: reject: RCPT from c[192.0.2.9]: 550 5.7.1 no; from=<a@b> "
		     "to=<u@x> proto=ESMTP helo=<c>",
		HEAD "smtpd[8]: connect from c[192.0.2.9]",
		HEAD "smtpd[8]: " ID ": client=c[192.0.2.9]",
		HEAD "smtpd[8]: " ID ": reject: VRFY from c[192.0.2.9]: 550 5.1.1 no; from=<a@b> "
		     "to=<u@x> proto=ESMTP helo=<c>",
		HEAD "cleanup[8]: " ID ": message-id=<1@x>",
		HEAD "cleanup[8]: " ID ": warning: header Subject: hold: x from c[192.0.2.9];",
		HEAD "qmgr[7]: " ID ": from=<a@b>, status=expired, returned to sender!",
		HEAD "postsuper[7]: " ID ": requeued",
		HEAD "postsuper[7]: " ID ": released from hold!",
		HEAD "pickup[9]: " ID ": uid=0 from=<root> orig_id=removed",
		HEAD "pickup[9]: " ID ": uid=0 from=<root> orig_id=" NEXT " x",
		HEAD "smtpd[8]: " ID ": client=c[192.0.2.9], sasl_username=x, orig_queue_id=" NEXT,
		HEAD "smtpd[8]: " ID ": client=c[192.0.2.9], orig_queue_id=" NEXT " x",
		HEAD "smtpd[8]: NOQUEUE: client=c[192.0.2.9], orig_queue_id=" NEXT,
		HEAD "smtp[9]: " ID ": to=<u@x>, relay=x[192.0.2.1]:25, delay=1, delays=1/0/0/0, "
		     "dsn=2.1.5, status=deliverable (250 2.1.5 Ok)",
		HEAD "bounce[9]: " ID ": sender non-delivery notification: 4Xyz12BbCfzKr",
		HEAD "pickup[9]: " ID ": uid=0 from=<root>",
		"Nov 23 13:08:31 mx1 dovecot: qmgr[7]: " ID ": removed",
		"Nov 23 13:08:31 mx1 qmgr[7]: " ID ": removed",
		"Nov 23 13:08:31 mx1 notpostfix/qmgr[7]: " ID ": removed",
		"Nov 31 13:08:31 mx1 postfix/qmgr[7]: " ID ": removed",
		"Nov 23 25:08:31 mx1 postfix/qmgr[7]: " ID ": removed",
		"2026-11-31T13:08:31Z mx1 postfix/qmgr[7]: " ID ": removed",
		"2026-11-23 13:08:31Z mx1 postfix/qmgr[7]: " ID ": removed",
		HEAD "qmgr[7]: " ID ": removed ",
		HEAD "qmgr[7]: AEIOUz1234567: removed",
		HEAD "qmgr[7]: 12345: removed",
		HEAD "qmgr[7]: 4Xyz12BbCdzKq1234567890123456789012: removed",
	};

	for (gsize i = 0; i < G_N_ELEMENTS(others); i++) {
		g_autofree char *said = summary(others[i]);

		cr_assert_null(said, "%s: %s", others[i], said);
	}
}

/* What a client or a next hop can put into a line never becomes a field of it. */
Test(postfix_log, what_others_said_is_not_believed)
{
	static const struct {
		const char *line, *said;
	} hostile[] = {
		/* A sender with fields in it. */
		{HEAD "qmgr[7]: " ID
		      ": from=<\"x>, size=1, nrcpt=9 (queue active)\"@evil>, size=2, "
		      "nrcpt=1 (queue active)",
		 ID " queued to=(null) orig=(null) dsn=(null) next=(null) n=1"},
		{HEAD "pickup[7]: " ID
		      ": uid=0 from=<\"x> orig_id=3F2A1B0C9D\"@evil> orig_id=" NEXT,
		 NEXT " requeued to=(null) orig=(null) dsn=(null) next=" ID " n=0"},
		{HEAD "qmgr[7]: " ID
		      ": from=<\"x, to=<v@x>, status=sent\"@e>, size=2, nrcpt=1 (queue "
		      "active)",
		 ID " queued to=(null) orig=(null) dsn=(null) next=(null) n=1"},
		/* A recipient whose local part is a whole line. */
		{HEAD "smtp[9]: " ID
		      ": to=<\"v@x>, relay=none, delay=1, delays=1/0/0/0, dsn=2.0.0, "
		      "status=sent (\\\"\"@e>, relay=none, delay=1, delays=1/0/0/0, dsn=5.1.1, "
		      "status=bounced (no)",
		 ID
		 " bounced to=\"v@x>, relay=none, delay=1, delays=1/0/0/0, dsn=2.0.0, status=sent "
		 "(\\\"\"@e orig=(null) dsn=5.1.1 next=(null) n=0"},
		/* The same unquoted, as Postfix does not write it. */
		{HEAD "smtp[9]: " ID ": to=<v@x, relay=none>, relay=none, delay=1, dsn=2.0.0, "
		      "status=sent (x)",
		 NULL},
		/* A reply of the next hop. */
		{HEAD "smtp[9]: " ID ": to=<u@x>, relay=m[192.0.2.1]:25, delay=1, delays=1/0/0/0, "
		      "dsn=5.0.0, status=bounced (host m said: 550 x), dsn=2.0.0, status=sent (ok)",
		 ID " bounced to=u@x orig=(null) dsn=5.0.0 next=(null) n=0"},
		/* "queued as" that is not at the end, or no queue id. */
		{HEAD "smtp[9]: " ID ": to=<u@x>, relay=m[192.0.2.1]:25, delay=1, delays=1/0/0/0, "
		      "dsn=2.0.0, status=sent (queued as 4Xyz12BbCfzKr not)",
		 ID " sent to=u@x orig=(null) dsn=2.0.0 next=(null) n=0"},
		/* A user's .forward with a command that names another message; a next hop that
		 * speaks as local(8). */
		{HEAD "local[9]: " ID ": to=<u@x>, relay=local, delay=1, delays=1/0/0/0, "
		      "dsn=2.0.0, status=sent (delivered to command: true forwarded as " NEXT ")",
		 ID " sent to=u@x orig=(null) dsn=2.0.0 next=(null) n=0"},
		{HEAD "local[9]: " ID ": to=<u@x>, relay=local, delay=1, delays=1/0/0/0, "
		      "dsn=2.0.0, status=sent (delivered to command: true queued as " NEXT ")",
		 ID " sent to=u@x orig=(null) dsn=2.0.0 next=(null) n=0"},
		{HEAD "smtp[9]: " ID ": to=<u@x>, relay=m[192.0.2.1]:25, delay=1, delays=1/0/0/0, "
		      "dsn=2.0.0, status=sent (250 forwarded as " NEXT ")",
		 ID " sent to=u@x orig=(null) dsn=2.0.0 next=(null) n=0"},
		/* A recipient that looks like the tail. */
		{HEAD "smtpd[8]: " ID ": reject: RCPT from c[192.0.2.9]: 550 5.1.1 <\"; from=<a> "
		      "to=<v@x> proto=ESMTP helo=<h>\"@e>: unknown; from=<a@b> to=<\"; from=<a> "
		      "to=<v@x> proto=ESMTP helo=<h>\"@e> proto=ESMTP helo=<c>",
		 ID
		 " refused to=\"; from=<a> to=<v@x> proto=ESMTP helo=<h>\"@e orig=(null) dsn=5.1.1 "
		 "next=(null) n=0"},
		/* A reply that repeats the recipient unquoted, as Postfix 3.7 does. */
		{HEAD "smtpd[8]: " ID
		      ": reject: RCPT from c[192.0.2.9]: 550 5.1.1 <od d>, relay=x@e>: "
		      "Recipient address rejected: User unknown; from=<\"x>, status=sent\"@e> "
		      "to=<\"od d>, relay=x\"@e> proto=ESMTP helo=<[127.0.0.1]>",
		 ID " refused to=\"od d>, relay=x\"@e orig=(null) dsn=5.1.1 next=(null) n=0"},
		{HEAD "smtpd[8]: " ID ": reject: RCPT from c[192.0.2.9]: 550 5.1.1 <> to=<v@x> "
		      "helo=<\"; from=<\"@e>: unknown; from=<a@b> to=<\"> to=<v@x> "
		      "helo=<\\\"; from=<\\\"\"@e> proto=ESMTP helo=<c>",
		 ID " refused to=\"> to=<v@x> helo=<\\\"; from=<\\\"\"@e orig=(null) dsn=5.1.1 "
		    "next=(null) n=0"},
		/* A reply that begins a tail, and one that looks like a tail. */
		{HEAD "smtpd[8]: " ID ": reject: RCPT from c[192.0.2.9]: 550 5.1.1 x; from=<a@b; "
		      "from=<a@b> to=<v@x> proto=ESMTP helo=<c>",
		 ID " refused to=v@x orig=(null) dsn=5.1.1 next=(null) n=0"},
		{HEAD "smtpd[8]: " ID ": reject: RCPT from c[192.0.2.9]: 550 5.1.1 x; from=<a@b> "
		      "to=<v@x> proto=; from=<a@b> to=<w@x>",
		 ID " refused to=w@x orig=(null) dsn=5.1.1 next=(null) n=0"},
		/* A filter's text with another action in it. */
		{HEAD "cleanup[8]: " ID
		      ": milter-hold: END-OF-MESSAGE from c[192.0.2.9]: milter-reject: "
		      "END-OF-MESSAGE from c[192.0.2.9]: 5.7.1 x;",
		 ID " held to=(null) orig=(null) dsn=(null) next=(null) n=0"},
		/* A quote that never ends. */
		{HEAD "smtp[9]: " ID
		      ": to=<\"u@x>, relay=none, delay=1, dsn=2.0.0, status=sent (x)",
		 NULL},
		{HEAD "smtp[9]: " ID ": to=<\"u\\", NULL},
	};

	for (gsize i = 0; i < G_N_ELEMENTS(hostile); i++) {
		g_autofree char *said = summary(hostile[i].line);

		cr_assert_eq(said == NULL, hostile[i].said == NULL, "%zu: %s", i, said);
		if (said != NULL)
			cr_assert_str_eq(said, hostile[i].said, "%zu: %s", i, said);
	}
}

Test(postfix_log, a_line_cut_by_syslog_keeps_its_state)
{
	g_autofree char *said =
		summary(HEAD "smtp[9]: " ID ": to=<u@x>, relay=m[192.0.2.1]:25, delay=1, "
			     "delays=1/0/0/0, dsn=4.2.0, status=deferred (host m said: 4");

	cr_assert_str_eq(said, ID " deferred to=u@x orig=(null) dsn=4.2.0 next=(null) n=0");
}

Test(postfix_log, no_prefix_of_a_line_says_something_else)
{
	for (gsize i = 0; i < G_N_ELEMENTS(lines); i++) {
		const char *line = lines[i].line;
		g_autoptr(delivery_t) whole = parse(line);

		for (gsize length = 0; length < strlen(line); length++) {
			g_autofree char *cut = g_strndup(line, length);
			g_autoptr(delivery_t) delivery = parse(cut);

			cr_assert(delivery == NULL ||
					  (delivery->kind == whole->kind &&
					   g_strcmp0(delivery->recipient, whole->recipient) == 0),
				  "%s", cut);
		}
	}
}

/* ---- time ---- */

static gint64
time_at(const char *stamp, gint64 now_us, const char *zone)
{
	g_autofree char *line = g_strconcat(stamp, " mx1 postfix/qmgr[7]: " ID ": removed", NULL);
	g_autoptr(delivery_t) delivery = parse_at(line, 0, now_us, zone);

	cr_assert_not_null(delivery, "%s", line);
	return delivery->time_us;
}

static gint64
utc(const char *text)
{
	g_autoptr(GDateTime) time = g_date_time_new_from_iso8601(text, NULL);

	return g_date_time_to_unix(time) * G_USEC_PER_SEC + g_date_time_get_microsecond(time);
}

Test(postfix_log, stamps_are_of_the_zone_they_name_or_the_machines)
{
	static const struct {
		const char *stamp, *zone, *utc;
	} cases[] = {
		{"Nov 23 13:08:31", "UTC", "2026-11-23T13:08:31Z"},
		{"Nov 23 13:08:31", "Asia/Tokyo", "2026-11-23T04:08:31Z"},
		{"Nov  3 13:08:31", "UTC", "2026-11-03T13:08:31Z"},
		{"2026-11-23T13:08:31.123456+09:00", "UTC", "2026-11-23T04:08:31.123456Z"},
		{"2026-11-23T13:08:31Z", "Asia/Tokyo", "2026-11-23T13:08:31Z"},
		{"2026-11-23T13:08:31", "Asia/Tokyo", "2026-11-23T04:08:31Z"},
		/* The hour that comes twice is the second, standard time. */
		{"Oct 25 02:30:00", "Europe/Berlin", "2026-10-25T01:30:00Z"},
		/* The hour that is missing is the moment of change. */
		{"Mar 29 02:30:00", "Europe/Berlin", "2026-03-29T01:00:00Z"},
		{"Jul  1 00:00:00", "Europe/Berlin", "2026-06-30T22:00:00Z"},
	};

	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++)
		cr_assert_eq(time_at(cases[i].stamp, NOW_US, cases[i].zone), utc(cases[i].utc),
			     "%s %s", cases[i].stamp, cases[i].zone);
}

Test(postfix_log, the_hour_that_comes_twice_is_the_first_while_the_second_is_to_come)
{
	static const struct {
		const char *stamp, *now, *utc;
	} cases[] = {
		{"Oct 25 02:30:00", "2026-10-25T00:30:01Z", "2026-10-25T00:30:00Z"},
		{"Oct 25 02:30:00", "2026-10-25T00:29:30Z", "2026-10-25T00:30:00Z"},
		{"Oct 25 02:59:59", "2026-10-25T01:00:00Z", "2026-10-25T00:59:59Z"},
		{"Oct 25 02:30:00", "2026-10-25T01:30:01Z", "2026-10-25T01:30:00Z"},
		{"Oct 25 03:30:00", "2026-10-25T01:30:00Z", "2026-10-25T02:30:00Z"},
	};

	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++)
		cr_expect_eq(time_at(cases[i].stamp, utc(cases[i].now), "Europe/Berlin"),
			     utc(cases[i].utc), "%s at %s", cases[i].stamp, cases[i].now);
}

Test(postfix_log, the_year_is_the_latest_that_is_not_after_tomorrow)
{
	static const struct {
		const char *stamp, *now, *utc;
	} cases[] = {
		{"Dec 31 23:59:59", "2027-01-01T00:00:05Z", "2026-12-31T23:59:59Z"},
		{"Jan  1 00:00:05", "2026-12-31T23:59:59Z", "2027-01-01T00:00:05Z"},
		{"Nov 24 13:08:31", "2026-11-23T13:08:31Z", "2026-11-24T13:08:31Z"},
		{"Nov 24 13:08:32", "2026-11-23T13:08:31Z", "2025-11-24T13:08:32Z"},
		{"Feb 29 00:00:00", "2026-11-23T13:08:31Z", "2024-02-29T00:00:00Z"},
	};

	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++)
		cr_assert_eq(time_at(cases[i].stamp, utc(cases[i].now), "UTC"), utc(cases[i].utc),
			     "%s at %s", cases[i].stamp, cases[i].now);
}

/* ---- identity ---- */

Test(postfix_log, the_id_is_of_the_line_and_its_place)
{
	const char *line = lines[0].line;
	g_autoptr(delivery_t) one = parse_at(line, 100, NOW_US, "UTC");
	g_autoptr(delivery_t) later = parse_at(line, 100, NOW_US + G_TIME_SPAN_HOUR, "Asia/Tokyo");
	g_autoptr(delivery_t) elsewhere = parse_at(line, 101, NOW_US, "UTC");
	g_autoptr(delivery_t) other = parse_at(lines[1].line, 100, NOW_US, "UTC");

	cr_assert_str_eq(one->event_id, later->event_id);
	cr_assert_str_neq(one->event_id, elsewhere->event_id);
	cr_assert_str_neq(one->event_id, other->event_id);
}

/* ---- caps ---- */

static struct delivery *
parse_with_text(gsize line_length, gsize address_length)
{
	g_autofree char *address = g_strnfill(address_length, 'a');
	g_autofree char *begin =
		g_strconcat(HEAD "smtp[9]: " ID ": to=<", address,
			    ">, relay=none, delay=1, dsn=2.0.0, status=sent (", NULL);
	g_autofree char *text = g_strnfill(line_length - strlen(begin) - 1, 't');
	g_autofree char *line = g_strconcat(begin, text, ")", NULL);

	cr_assert_eq(strlen(line), line_length);
	return parse(line);
}

Test(postfix_log, a_line_is_read_up_to_its_cap)
{
	for (int over = -1; over <= 1; over++) {
		g_autoptr(delivery_t) delivery =
			parse_with_text((gsize)(CAP_LOG_LINE_BYTES + over), 10);

		cr_assert_eq(delivery == NULL, over == 1, "%d", over);
		if (delivery != NULL)
			cr_assert_eq(strlen(delivery->detail), CAP_DELIVERY_TEXT_BYTES);
	}
}

Test(postfix_log, an_address_over_its_cap_is_no_address)
{
	for (int over = -1; over <= 1; over++) {
		g_autoptr(delivery_t) delivery =
			parse_with_text(4000, (gsize)(CAP_ADDRESS_BYTES + over));

		cr_assert_eq(delivery == NULL, over == 1, "%d", over);
	}
}

Test(postfix_log, bytes_that_are_no_text_become_escapes)
{
	static const char line[] =
		HEAD "smtp[9]: " ID ": to=<\xff@x>, relay=none, delay=1, dsn=2.0.0, "
		     "status=sent (\xfe\x00z)";
	g_autoptr(GTimeZone) zone = g_time_zone_new_utc();
	g_autoptr(delivery_t) delivery = postfix_log_parse(line, sizeof(line) - 1, 0, NOW_US, zone);

	cr_assert_not_null(delivery);
	cr_assert_str_eq(delivery->recipient, "\\xff@x");
	cr_assert_str_eq(delivery->detail, "\\xfe\\x00z");
}
