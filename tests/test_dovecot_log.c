/* SPDX-License-Identifier: BSD-2-Clause */
/* Lines as Dovecot 2.3.19 with Pigeonhole 0.5.19 wrote them, and what others could make of them. */
#include <criterion/criterion.h>
#include <string.h>

#include "caps.h"
#include "event.h"
#include "login.h"
#include "ocsf_delivery.h"
#include "../milter/dovecot_log.h"

#define NOW_US ((gint64)1795881600 * G_USEC_PER_SEC)
#define STAMP "Nov 28 15:51:52 "
#define SESSION "Wg/JF5j4CmuuXAAAg+zDdQ"
#define LMTP STAMP "lmtp(bob@example.org)<23726><" SESSION ">: Info: "
#define IMAP STAMP "imap(bob@example.org)<23744><yWPEJ1hheJR/AAAB>: Info: "
#define POP3 STAMP "pop3(bob@example.org)<23758><h+fEJ1hhztJ/AAAB>: Info: "
/* A line of the event exporter, and a command's. */
#define EXPORT(event, fields)                                                                   \
	STAMP "stats: Info: {\"event\":\"" event "\",\"hostname\":\"vm\",\"fields\":{\"user\":" \
	      "\"bob@example.org\",\"session\":\"6EraMFhhZsl/AAAB\"," fields "}}"
#define COMMAND(name, arguments, state)                                                    \
	EXPORT("imap_command_finished",                                                    \
	       "\"mailbox\":\"INBOX\",\"cmd_name\":\"" name "\",\"cmd_args\":\"" arguments \
	       "\",\"tagged_reply_state\":\"" state "\"")
#define FIELDS \
	"size=211, env_from=<e@x>, env_to=<w1+tag@ex.org>, storage_id=1795384213.M765165P3217.vm,S=211,W=220"

static GPtrArray *
parse(const char *line)
{
	g_autoptr(GTimeZone) utc = g_time_zone_new_utc();
	GPtrArray *deliveries = g_ptr_array_new_with_free_func((GDestroyNotify)delivery_free);
	g_autoptr(GPtrArray) logins = g_ptr_array_new_with_free_func((GDestroyNotify)login_free);

	dovecot_log_parse(line, strlen(line), 7, NOW_US, utc, "mbox1", deliveries, logins);
	return deliveries;
}

static void
append(GString *text, const char *name, const char *value)
{
	if (value != NULL)
		g_string_append_printf(text, " %s=%s", name, value);
}

/* "stored INBOX id=… uid=…; …" */
static char *
summary(const char *line)
{
	g_autoptr(GPtrArray) deliveries = parse(line);
	GString *text = g_string_new(NULL);

	for (guint i = 0; i < deliveries->len; i++) {
		const struct delivery *delivery = g_ptr_array_index(deliveries, i);

		g_string_append_printf(text, "%s%s", i > 0 ? "; " : "",
				       delivery_kind_name(delivery->kind));
		append(text, "from", delivery->from_folder);
		append(text, "in", delivery->folder);
		if (delivery->uid > 0)
			g_string_append_printf(text, " uid=%u", delivery->uid);
		if (delivery->uid_last > 0)
			g_string_append_printf(text, "-%u", delivery->uid_last);
		if (delivery->number > 0)
			g_string_append_printf(text, " n=%u", delivery->number);
		if (delivery->number_last > 0)
			g_string_append_printf(text, "-%u", delivery->number_last);
		append(text, "id", delivery->message_id);
		append(text, "to", delivery->original);
		append(text, "storage", delivery->storage_id);
		append(text, "detail", delivery->detail);
	}
	return g_string_free(text, FALSE);
}

static const struct {
	const char *line, *said;
} lines[] = {
	{LMTP "msgid=<m1@x>: saved mail to INBOX", "stored in=INBOX id=<m1@x>"},
	{LMTP "msgid=<m1@x>: saved mail to Team folder", "stored in=Team folder id=<m1@x>"},
	{LMTP "msgid=unspecified: saved mail to INBOX", "stored in=INBOX"},
	{LMTP "msgid=<q1@x>: " FIELDS ": saved mail to INBOX",
	 "stored in=INBOX id=<q1@x> to=w1+tag@ex.org "
	 "storage=1795384213.M765165P3217.vm,S=211,W=220"},
	{LMTP "sieve: msgid=<m1@x>: stored mail into mailbox 'INBOX'", "stored in=INBOX id=<m1@x>"},
	{LMTP "sieve: msgid=<m3@x>: " FIELDS ": fileinto action: stored mail into mailbox 'Work'",
	 "stored in=Work id=<m3@x> to=w1+tag@ex.org "
	 "storage=1795384213.M765165P3217.vm,S=211,W=220"},
	{LMTP
	 "sieve: msgid=<m4@x>: size=308, env_from=<e@x>, env_to=<bob@example.org>, storage_id=: "
	 "discard action: Marked message to be discarded if not explicitly delivered (discard "
	 "action)",
	 "discarded id=<m4@x> to=bob@example.org"},
	{LMTP "sieve: msgid=<m4@x>: marked message to be discarded if not explicitly delivered "
	      "(discard action)",
	 "discarded id=<m4@x>"},
	{LMTP "sieve: msgid=<m5@x>: redirect action: forwarded to <out@else.example>",
	 "forwarded id=<m5@x> detail=out@else.example"},
	{LMTP "sieve: msgid=<m5@x>: forwarded to <out@else.example>",
	 "forwarded id=<m5@x> detail=out@else.example"},
	{LMTP "save: box=INBOX, uid=3, msgid=<m1@x>, size=237, flags=()",
	 "stored in=INBOX uid=3 id=<m1@x>"},
	{LMTP "copy from INBOX: box=Work, uid=4, msgid=<m1@x>, size=237, flags=()",
	 "stored in=Work uid=4 id=<m1@x>"},
	{IMAP "copy from INBOX: box=Trash 2, uid=1, msgid=<m1@x>, size=237, flags=(\\Seen)",
	 "copied from=INBOX in=Trash 2 uid=1 id=<m1@x>"},
	{IMAP
	 "expunge: box=INBOX, uid=1, msgid=<m1@x>, size=237, flags=(\\Deleted \\Seen \\Recent)",
	 "expunged in=INBOX uid=1 id=<m1@x>"},
	{IMAP "expunge: box=INBOX, uid=1, msgid=, size=237", "expunged in=INBOX uid=1"},
	{IMAP "flag_change: box=INBOX, uid=3, msgid=<q22@x>, size=340, flags=(\\Seen $Forwarded)",
	 "seen in=INBOX uid=3 id=<q22@x>; forwarded in=INBOX uid=3 id=<q22@x>"},
	{IMAP "Mailbox deleted: Trash2", "expunged in=Trash2"},
	{POP3 "flag_change: box=INBOX, uid=1, msgid=<q20@x>, size=337, flags=(\\Seen \\Recent)",
	 "downloaded in=INBOX uid=1 id=<q20@x>"},
	{POP3 "Disconnected: Logged out top=0/0, retr=2/747, del=1/3, size=1074",
	 "downloaded in=INBOX detail=retr=2, del=1, top=0/0"},
	{IMAP "Disconnected: Logged out in=560 out=6812 deleted=1 expunged=1 trashed=0 hdr_count=4 "
	      "hdr_bytes=1166 body_count=6 body_bytes=1952",
	 "fetched detail=bodies=6"},
	{POP3 "Disconnected: Inactivity top=3/300, retr=0/0, del=0/3, size=1074",
	 "downloaded in=INBOX detail=retr=0, del=0, top=3/300"},
	{IMAP "Mailbox renamed: A/B -> Team folder", "renamed from=A/B in=Team folder"},
	{EXPORT("mail_opened", "\"mailbox\":\"INBOX\",\"seq\":2,\"uid\":7,\"reason_code\":["
			       "\"imap:cmd_fetch\",\"imap:fetch_body\"]"),
	 "opened in=INBOX uid=7 n=2"},
	{EXPORT("mail_opened", "\"mailbox\":\"INBOX\",\"seq\":2,\"uid\":7,\"reason_code\":["
			       "\"pop3:cmd_retr\"]"),
	 "downloaded in=INBOX uid=7 n=2"},
	{EXPORT("mail_opened", "\"mailbox\":\"INBOX\",\"seq\":2,\"uid\":7,\"reason_code\":["
			       "\"pop3:cmd_top\"]"),
	 "opened in=INBOX uid=7 n=2"},
	{COMMAND("FETCH", "2:3,*,5:* (BODY[])", "OK"),
	 "fetched in=INBOX n=2-3 detail=whole; fetched in=INBOX n=4294967295-4294967295 "
	 "detail=whole; fetched in=INBOX n=5-4294967295 detail=whole"},
	{COMMAND("UID FETCH", "* (BODY[])", "OK"),
	 "fetched in=INBOX n=4294967295-4294967295 detail=whole"},
	/* What the session's search found. */
	{COMMAND("UID FETCH", "$ (BODY[])", "OK"), "fetched in=INBOX n=1-4294967295 detail=whole"},
	{EXPORT("imap_command_finished",
		"\"mailbox\":\"INBOX\",\"cmd_name\":\"FETCH\",\"cmd_args\":\"1 (BODY[2.MIME])\","
		"\"tagged_reply_state\":\"OK\",\"reason_code\":[\"imap:fetch_body\"]"),
	 "fetched in=INBOX n=1-1 detail=headers"},
	{EXPORT("imap_command_finished",
		"\"cmd_name\":\"RENAME\",\"tagged_reply_state\":\"OK\",\"old_mailbox\":\"A\","
		"\"new_mailbox\":\"B -> C\""),
	 "renamed from=A in=B -> C"},
	{STAMP "stats: Info: {\"event\":\"imap_command_finished\",\"hostname\":\"vm\",\"fields\":{"
	       "\"user\":\"bob@example.org\",\"session\":\"6EraMFhhZsl/AAAB\",\"cmd_name\":\"UID "
	       "FETCH\",\"cmd_args\":\"3 (BODY.PEEK[2])\",\"tagged_reply_state\":\"OK\","
	       "\"mailbox\":\"INBOX\"}}",
	 "fetched in=INBOX uid=3-3 detail=2"},
	{STAMP
	 "stats: {\"event\":\"imap_command_finished\",\"fields\":{\"user\":\"bob@example.org\","
	 "\"session\":\"6\",\"cmd_name\":\"UID FETCH\",\"cmd_args\":\"1:3,5,9:* (UID "
	 "BODY.PEEK[HEADER] BODY.PEEK[2.1]<0.100> BODY.PEEK[1.MIME] RFC822)\","
	 "\"tagged_reply_state\":\"OK\",\"mailbox\":\"INBOX\"}}",
	 "fetched in=INBOX uid=1-3 detail=2.1 whole; fetched in=INBOX uid=5-5 detail=2.1 whole; "
	 "fetched in=INBOX uid=9-4294967295 detail=2.1 whole; "
	 "fetched in=INBOX n=4294967295-4294967295 detail=2.1 whole"},
	{"2026-11-28T15:51:52.000001+00:00 mx9 dovecot: lmtp(bob)<1><" SESSION
	 ":R2>: msgid=<m1@x>: saved mail to INBOX",
	 "stored in=INBOX id=<m1@x>"},
	{STAMP "mx9 dovecot[12]: imap(bob)<1><s>: expunge: box=INBOX, uid=1, msgid=<m1@x>",
	 "expunged in=INBOX uid=1 id=<m1@x>"},
};

Test(dovecot_log, each_line_that_matters_is_understood)
{
	for (gsize i = 0; i < G_N_ELEMENTS(lines); i++) {
		g_autofree char *said = summary(lines[i].line);

		cr_expect_str_eq(said, lines[i].said, "%s\n%s", said, lines[i].line);
	}
}

Test(dovecot_log, user_session_host_and_time_are_kept)
{
	g_autoptr(GPtrArray) own = parse(lines[0].line),
			     syslog = parse(lines[G_N_ELEMENTS(lines) - 2].line);
	const struct delivery *delivery = g_ptr_array_index(own, 0);

	cr_assert_str_eq(delivery->recipient, "bob@example.org");
	cr_assert_str_eq(delivery->queue_id, SESSION);
	cr_assert_str_eq(delivery->log_host, "mbox1");
	cr_assert_str_eq(delivery->relay, "lmtp");
	cr_assert_eq(delivery->time_us, (gint64)1795881112 * G_USEC_PER_SEC);
	cr_assert(event_id_is_valid(delivery->event_id));
	delivery = g_ptr_array_index(syslog, 0);
	cr_assert_str_eq(delivery->queue_id, SESSION ":R2");
	cr_assert_str_eq(delivery->log_host, "mx9");
}

Test(dovecot_log, lines_about_no_copy_say_nothing)
{
	static const char *const others[] = {
		"",
		STAMP "lmtp(23726): Info: Connect from 127.0.0.1",
		LMTP
		"msgid=<m1@x>: save failed to INBOX: Quota exceeded (mailbox for user is full)",
		LMTP "sieve: msgid=<m1@x>: sent vacation response to <a@b>",
		LMTP "save: box=INBOX",
		LMTP "save: box=, uid=1, msgid=<m1@x>",
		STAMP "lmtp(bob)<23726><" SESSION ">: Error: msgid=<m1@x>: saved mail to INBOX",
		STAMP "lmtp(bob)<pid><" SESSION ">: Info: msgid=<m1@x>: saved mail to INBOX",
		STAMP "lmtp(bob)<1><" SESSION " >: Info: msgid=<m1@x>: saved mail to INBOX",
		STAMP "lmtp(b)b)<1><" SESSION ">: Info: msgid=<m1@x>: saved mail to INBOX",
		STAMP "lmtp(bob)<1><>: Info: msgid=<m1@x>: saved mail to INBOX",
		IMAP "msgid=<m1@x>: saved mail to INBOX",
		IMAP "save: box=Drafts, uid=3, msgid=<m1@x>, size=237, flags=()",
		IMAP "delete: box=INBOX, uid=1, msgid=<m1@x>, size=237, flags=(\\Deleted)",
		IMAP "flag_change: box=INBOX, uid=1, msgid=<m1@x>, size=237, flags=(\\Flagged)",
		IMAP "Mailbox deleted: ",
		POP3 "Disconnected: Logged out top=0/0, retr=0/0, del=1/3, size=1074",
		IMAP "Disconnected: Logged out in=9 out=9 body_count=0 body_bytes=0",
		IMAP "Disconnected: Logged out in=9 out=9 body_count=1 body_bytes=1 x",
		LMTP "Disconnected: x body_count=1 body_bytes=1",
		IMAP "Mailbox renamed: A",
		IMAP "Mailbox renamed: A -> ",
		IMAP "Mailbox renamed:  -> A",
		IMAP "Mailbox created: A",
		/* Two readings; the event export has one. */
		IMAP "Mailbox renamed: A -> B -> C",
		EXPORT("imap_command_finished",
		       "\"cmd_name\":\"RENAME\",\"tagged_reply_state\":\"OK\",\"old_mailbox\":"
		       "\"A\",\"new_mailbox\":\"B\""),
		EXPORT("imap_command_finished",
		       "\"cmd_name\":\"RENAME\",\"tagged_reply_state\":\"NO\",\"old_mailbox\":"
		       "\"A\",\"new_mailbox\":\"B -> C\""),
		EXPORT("mail_opened", "\"mailbox\":\"INBOX\",\"seq\":2,\"uid\":7,"
				      "\"reason_code\":[\"imap:cmd_search\"]"),
		EXPORT("mail_opened", "\"mailbox\":\"INBOX\",\"seq\":2,\"uid\":7,"
				      "\"reason_code\":\"imap:fetch_body\""),
		EXPORT("mail_opened", "\"mailbox\":\"INBOX\",\"seq\":2,\"uid\":4294967296,"
				      "\"reason_code\":[\"imap:fetch_body\"]"),
		EXPORT("mail_opened", "\"mailbox\":\"INBOX\",\"seq\":-1,\"uid\":7,"
				      "\"reason_code\":[\"imap:fetch_body\"]"),
		EXPORT("mail_opened", "\"mailbox\":\"\",\"seq\":2,\"uid\":7,"
				      "\"reason_code\":[\"imap:fetch_body\"]"),
		COMMAND("FETCH", "1 (BODY[2.MIME])", "OK"),
		COMMAND("FETCH", "1 (BODY[])", "NO"),
		STAMP "stats: Info: {\"event\":\"imap_command_finished\"",
		STAMP "stats: Info: {\"event\":\"imap_command_finished\",\"fields\":[]}",
		STAMP
		"stats: Info: {\"event\":\"imap_command_finished\",\"fields\":{\"user\":\"b\","
		"\"session\":\"s\",\"cmd_name\":\"UID FETCH\",\"cmd_args\":\"1:* (FLAGS)\","
		"\"tagged_reply_state\":\"OK\",\"mailbox\":\"INBOX\"}}",
		STAMP
		"stats: Info: {\"event\":\"imap_command_finished\",\"fields\":{\"user\":\"b\","
		"\"session\":\"s\",\"cmd_name\":\"UID FETCH\",\"cmd_args\":\"1 (BODY[])\","
		"\"tagged_reply_state\":\"NO\",\"mailbox\":\"INBOX\"}}",
		"Nov 31 15:51:52 lmtp(bob)<1><s>: Info: msgid=<m1@x>: saved mail to INBOX",
	};

	for (gsize i = 0; i < G_N_ELEMENTS(others); i++) {
		g_autofree char *said = summary(others[i]);

		cr_expect_str_eq(said, "", "%s: %s", others[i], said);
	}
}

/* What a sender, or the user by naming a folder, can put into a line is not believed. */
Test(dovecot_log, what_others_said_is_not_believed)
{
	static const struct {
		const char *line, *said;
	} hostile[] = {
		/* A Message-ID that is a whole line. */
		{LMTP "msgid=<\"x>: saved mail to Trash\"@e>: saved mail to INBOX",
		 "stored in=INBOX"},
		{LMTP "msgid=<\"x>: " FIELDS ": saved mail to T\"@e>: saved mail to INBOX",
		 "stored in=INBOX"},
		{LMTP "msgid=<\"x, env_to=<v@x>, storage_id=FAKE\"@e>: saved mail to INBOX",
		 "stored in=INBOX"},
		{LMTP "msgid=<\"x, env_to=<v@x>, storage_id=FAKE\"@e>: " FIELDS
		      ": saved mail to INBOX",
		 "stored in=INBOX to=w1+tag@ex.org storage=1795384213.M765165P3217.vm,S=211,W=220"},
		{LMTP
		 "sieve: msgid=<\"x: stored mail into mailbox 'T'\"@e>: sent vacation response to "
		 "<a@b>",
		 ""},
		{LMTP
		 "sieve: msgid=<\"x: stored mail into mailbox 'T'\"@e>: discard action: Marked "
		 "message to be discarded if not explicitly delivered (discard action)",
		 "discarded"},
		/* A sender that is the rest of a line. */
		{LMTP
		 "msgid=<m@x>: size=1, env_from=<\"a>, env_to=<v@x>, storage_id=F: saved mail to "
		 "T\"@e>, env_to=<b@x>, storage_id=real: saved mail to INBOX",
		 "stored in=INBOX id=<m@x> to=b@x storage=real"},
		/* Flags in a Message-ID, and in a subject. */
		{IMAP
		 "flag_change: box=INBOX, uid=3, msgid=<\"a, size=1, flags=(\\Seen)\"@x>, size=3, "
		 "flags=()",
		 ""},
		{IMAP
		 "flag_change: box=INBOX, uid=3, msgid=<a@x>, size=3, subject=x, flags=(\\Seen)",
		 ""},
		/* A folder with fields in its name. */
		{IMAP "expunge: box=A, uid=9, msgid=<v@x>, uid=3, msgid=<m1@x>",
		 "expunged in=A uid=9 id=<v@x>"},
		{IMAP "copy from INBOX: box=A: box=B, uid=1, msgid=<m@x>",
		 "copied from=INBOX in=A: box=B uid=1 id=<m@x>"},
	};

	for (gsize i = 0; i < G_N_ELEMENTS(hostile); i++) {
		g_autofree char *said = summary(hostile[i].line);

		cr_expect_str_eq(said, hostile[i].said, "%s\n%s", said, hostile[i].line);
	}
}

Test(dovecot_log, a_message_id_that_dovecot_cut_is_known_by_its_beginning)
{
	g_autofree char *said =
		summary(LMTP "save: box=INBOX, uid=3, msgid=<aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa..., "
			     "size=237, flags=()");

	cr_expect_str_eq(said, "stored in=INBOX uid=3 id=<aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa...", "%s",
			 said);
}

Test(dovecot_log, long_lines_and_many_ranges_are_capped)
{
	g_autoptr(GString) set = g_string_new("1"),
			   longer = g_string_new(LMTP "msgid=<m@x>: saved mail to ");
	g_autofree char *line = NULL, *said = NULL;
	g_autoptr(GPtrArray) deliveries = NULL;
	const struct delivery *last;

	for (int i = 0; i < 200; i++)
		g_string_append_printf(set, ",%d", 2 * i + 3);
	line = g_strdup_printf(STAMP
			       "stats: Info: {\"event\":\"imap_command_finished\",\"fields\":{"
			       "\"user\":\"b\",\"session\":\"s\",\"cmd_name\":\"UID FETCH\","
			       "\"cmd_args\":\"%s (BODY[])\",\"tagged_reply_state\":\"OK\","
			       "\"mailbox\":\"INBOX\"}}",
			       set->str);
	deliveries = parse(line);
	cr_assert_eq(deliveries->len, DOVECOT_LOG_RANGES);
	last = g_ptr_array_index(deliveries, DOVECOT_LOG_RANGES - 1);
	cr_expect_eq(last->number, 1, "of the rest any message may be one");
	cr_expect_eq(last->number_last, DELIVERY_LAST);
	while (longer->len <= CAP_LOG_LINE_BYTES)
		g_string_append(longer, "folder");
	said = summary(longer->str);
	cr_expect_str_eq(said, "");
}

Test(dovecot_log, each_of_several_has_an_id_of_its_own_and_comes_through_the_codec)
{
	g_autoptr(GHashTable) ids = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

	for (gsize i = 0; i < G_N_ELEMENTS(lines); i++) {
		g_autoptr(GPtrArray) deliveries = parse(lines[i].line);

		for (guint n = 0; n < deliveries->len; n++) {
			const struct delivery *delivery = g_ptr_array_index(deliveries, n);
			g_autoptr(GBytes) json = ocsf_encode_delivery(delivery);
			g_autoptr(delivery_t) back = ocsf_decode_delivery(
				g_bytes_get_data(json, NULL), g_bytes_get_size(json), NULL);

			cr_assert_not_null(back, "%s", lines[i].line);
			cr_expect(g_hash_table_add(ids, g_strdup(delivery->event_id)));
		}
	}
}
