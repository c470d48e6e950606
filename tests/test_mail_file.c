/* SPDX-License-Identifier: BSD-2-Clause */
#include <criterion/criterion.h>
#include <string.h>

#include "mail_file.h"

static gboolean
begins(const char *text)
{
	return mail_file_begins(text, strlen(text));
}

Test(mail_file, is_named_by_its_ending)
{
	cr_assert(mail_file_is_named("a.eml") && mail_file_is_named("dir/A.EML"));
	cr_assert(mail_file_is_named("page.mht") && mail_file_is_named("page.MHTML"));
	cr_assert(!mail_file_is_named(".eml") && !mail_file_is_named("a.eml.txt"));
	cr_assert(!mail_file_is_named("eml") && !mail_file_is_named("") &&
		  !mail_file_is_named(NULL));
}

Test(mail_file, begins_with_a_header_that_messages_have)
{
	cr_assert(begins("From: a@example.org\nTo: b@example.org\n\n"));
	cr_assert(begins("Return-Path: <a@example.org>\r\nX-A: b\r\n c\r\nMIME-Version: 1.0\r\n"));
	cr_assert(!begins("From: a@example.org\n\nTo: b\n"));
	cr_assert(!begins("From: a@example.org\nSome text.\nTo: b\n"));
	cr_assert(!begins("Server: x\nDate: y\nContent-Type: text/html\n"));
	cr_assert(!begins("\nFrom: a\nTo: b\n"));
	cr_assert(!begins("From: a"));
	cr_assert(!begins(""));
}

Test(mail_file, no_more_than_its_first_bytes_are_looked_at)
{
	for (gsize at = MAIL_FILE_BYTES - 4; at <= MAIL_FILE_BYTES - 2; at++) {
		g_autoptr(GString) text = g_string_new("From: a\nX: ");

		while (text->len < at - 1)
			g_string_append_c(text, 'x');
		g_string_append(text, "\nTo: b\n");
		/* "To:" and a byte more have to be within. */
		cr_expect_eq(begins(text->str), at <= MAIL_FILE_BYTES - 4, "%zu", at);
	}
}
