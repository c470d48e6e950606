/* SPDX-License-Identifier: BSD-2-Clause */
#include <criterion/criterion.h>
#include <string.h>

#include "quarantine.h"

#define PREFIX "mailtrace-quarantine/"

Test(quarantine, every_folder_is_told_by_its_mailbox)
{
	static const char *const folders[] = {
		"INBOX", "Archive/2026", "Archive.2026", "a=2Fb", "a*b%c",  "日本語/メール",
		" lead", "~root",	 "a\001b",	 "==",	  "a\\b\"c"};

	for (gsize i = 0; i < G_N_ELEMENTS(folders); i++) {
		g_autofree char *mailbox = quarantine_mailbox(PREFIX, folders[i]);
		g_autofree char *folder = quarantine_folder(PREFIX, mailbox);
		const char *name = mailbox + strlen(PREFIX);

		cr_assert_str_eq(folder, folders[i]);
		cr_assert_null(strpbrk(name, "/.*% ~\\\"\001"), "%s", name);
		cr_assert(quarantine_has(PREFIX, mailbox));
	}
}

Test(quarantine, names_are_these)
{
	g_autofree char *mailbox = quarantine_mailbox(PREFIX, "Archive/2026");

	cr_assert_str_eq(mailbox, PREFIX "Archive=2F2026");
}

Test(quarantine, a_long_name_is_cut_to_a_digest_and_tells_nothing)
{
	for (gsize length = QUARANTINE_NAME_BYTES - 1; length <= QUARANTINE_NAME_BYTES + 1;
	     length++) {
		g_autofree char *folder = g_strnfill(length, 'x');
		g_autofree char *mailbox = quarantine_mailbox(PREFIX, folder);
		g_autofree char *told = quarantine_folder(PREFIX, mailbox);

		cr_assert_leq(strlen(mailbox), strlen(PREFIX) + QUARANTINE_NAME_BYTES);
		if (length <= QUARANTINE_NAME_BYTES)
			cr_assert_str_eq(told, folder);
		else
			cr_assert_null(told);
	}
}

Test(quarantine, names_that_are_not_ours_tell_nothing)
{
	static const char *const names[] = {
		"INBOX",     "mailtrace-quarantine", PREFIX,	    PREFIX "a/b", PREFIX "=",
		PREFIX "=4", PREFIX "=4G",	     PREFIX "a=00", PREFIX "=FF", PREFIX "a b"};

	for (gsize i = 0; i < G_N_ELEMENTS(names); i++)
		cr_assert_null(quarantine_folder(PREFIX, names[i]), "%s", names[i]);
}

Test(quarantine, only_what_is_below_the_prefix_is_in_it)
{
	cr_assert(quarantine_has(PREFIX, "mailtrace-quarantine"));
	cr_assert(quarantine_has(PREFIX, "mailtrace-quarantine/INBOX"));
	cr_assert_not(quarantine_has(PREFIX, "mailtrace-quarantine2"));
	cr_assert_not(quarantine_has(PREFIX, "mailtrace"));
	cr_assert_not(quarantine_has(PREFIX, "INBOX/mailtrace-quarantine/"));
}
