/* SPDX-License-Identifier: BSD-2-Clause */
#include "sendmail_qf.h"

#include <criterion/criterion.h>
#include <string.h>

/* As Sendmail 8.17 writes it. */
static const char control[] = "V8\nT1795879876\nK1795879876\nN1\nP34531\n"
			      "MDeferred: Connection refused by [127.0.0.9]\nFbs\n"
			      "$_localhost [127.0.0.1]\n${daemon_flags}\n"
			      "qmailtrace 1\nS<a@example.net>\nrRFC822; x@example.org\n"
			      "RPFD:<x@example.org>\nRPFD:<y@example.org>\n"
			      "H?P?Return-Path: <\x81g>\n"
			      "H??Received: from c.example\n\tby mx2.example.org\n"
			      "H??Subject: test\nH?M?Message-Id: <added@mx2>\n\tfolded\n.\n";

Test(sendmail_qf, a_control_file_is_read_and_its_own_header_fields_are_kept)
{
	g_autoptr(GString) header = g_string_new(NULL);
	g_autoptr(queue_entry_t) entry = sendmail_qf_parse(control, sizeof(control) - 1, header);

	cr_assert_not_null(entry);
	cr_assert_str_eq(entry->sender, "a@example.net");
	cr_assert_eq(entry->arrival_s, 1795879876);
	cr_assert_eq(entry->recipients, 2);
	cr_assert(entry->held);
	cr_assert_str_eq(header->str, "Received: from c.example\n\tby mx2.example.org\n"
				      "Subject: test\n");
	cr_assert_eq(entry->size, header->len + 3, "each line with CR LF");
}

Test(sendmail_qf, the_null_sender_and_a_message_that_is_not_held)
{
	static const char text[] = "T1\nS<>\n";
	g_autoptr(queue_entry_t) entry = sendmail_qf_parse(text, strlen(text), NULL);

	cr_assert_not_null(entry);
	cr_assert_str_eq(entry->sender, "");
	cr_assert_not(entry->held);
}

Test(sendmail_qf, what_lacks_time_or_sender_is_no_control_file)
{
	static const char *const wrong[] = {"",
					    "\n",
					    "T1\n",
					    "S<a@x>\n",
					    "T-1\nS<a@x>\n",
					    "Tx\nS<a@x>\n",
					    "T99999999999999999999\nS<a@x>\n"};

	for (gsize i = 0; i < G_N_ELEMENTS(wrong); i++)
		cr_assert_null(sendmail_qf_parse(wrong[i], strlen(wrong[i]), NULL), "%s", wrong[i]);
}

Test(sendmail_qf, any_bytes_are_read_without_harm)
{
	char bytes[512];

	for (guint32 seed = 0; seed < 2000; seed++) {
		g_autoptr(GRand) random = g_rand_new_with_seed(seed);
		g_autoptr(GString) header = g_string_new(NULL);
		g_autoptr(queue_entry_t) entry = NULL;

		/* Letters that mean something, line ends, and anything. */
		for (gsize i = 0; i < sizeof(bytes); i++)
			bytes[i] = g_rand_boolean(random)
					   ? "TSRqH?\n\t<>1"[g_rand_int_range(random, 0, 11)]
					   : (char)g_rand_int_range(random, 0, 256);
		memcpy(bytes, "T1\nS<", 5);
		entry = sendmail_qf_parse(bytes, sizeof(bytes), header);
		cr_assert(!entry || g_utf8_validate(entry->sender, -1, NULL));
		cr_assert_leq(header->len, sizeof(bytes) + 1);
	}
}

Test(sendmail_qf, the_queues_directory_is_the_options)
{
	g_autofree char *directory =
		sendmail_cf_queue("#O QueueDirectory=/no\nO QueueFileMode=0600\n"
				  "O QueueDirectory=/var/spool/mqueue/q*\n");

	cr_assert_str_eq(directory, "/var/spool/mqueue/q*");
	cr_assert_null(sendmail_cf_queue("# O QueueDirectory=/no\nDn\n"));
	cr_assert_null(sendmail_cf_queue(""));
}
