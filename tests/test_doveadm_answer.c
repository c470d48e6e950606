/* SPDX-License-Identifier: BSD-2-Clause */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <string.h>

#include "caps.h"
#include "doveadm_answer.h"

#define MAIL                                                                                    \
	"\"mailbox\":\"INBOX\",\"mailbox-guid\":\"9077\",\"uid\":\"7\",\"guid\":\"17.M1,S=5\"," \
	"\"flags\":\"\\\\Seen \\\\Recent Foo\",\"size.physical\":\"350\""
#define ROWS(rows) "[[\"doveadmResponse\",[" rows "],\"mailtrace\"]]"

static GPtrArray *
read_mails(const char *json, GError **error)
{
	return doveadm_read_mails(json, strlen(json), error);
}

static const struct doveadm_mail *
only_mail(const GPtrArray *mails)
{
	cr_assert_not_null(mails);
	cr_assert_eq(mails->len, 1);
	return g_ptr_array_index(mails, 0);
}

Test(doveadm_answer, a_message_is_read_as_dovecot_tells_it)
{
	g_autoptr(GPtrArray) mails = read_mails(
		ROWS("{" MAIL ",\"hdr.message-id\":\"\\n <a@x>\",\"hdr.x-mailtrace-id\":\"\"}"),
		NULL);
	const struct doveadm_mail *mail = only_mail(mails);

	cr_assert_str_eq(mail->mailbox, "INBOX");
	cr_assert_str_eq(mail->mailbox_guid, "9077");
	cr_assert_str_eq(mail->uid, "7");
	cr_assert_str_eq(mail->guid, "17.M1,S=5");
	cr_assert_eq(mail->size, 350);
	cr_assert_str_eq(mail->flags[0], "\\Seen");
	cr_assert_str_eq(mail->flags[1], "Foo");
	cr_assert_null(mail->flags[2]);
	cr_assert_str_eq(mail->message_ids[0], "<a@x>");
	cr_assert_null(mail->message_ids[1]);
	cr_assert_str_eq(mail->trace_ids[0], "");
}

Test(doveadm_answer, each_of_several_fields_is_a_value_of_its_own)
{
	g_autoptr(GPtrArray) mails =
		read_mails(ROWS("{" MAIL ",\"hdr.message-id\":\"(c)\\n <a@x>\\n<b@x>\","
				"\"hdr.x-mailtrace-id\":\"one;\\n\\ts=b\\ntwo\"}"),
			   NULL);
	const struct doveadm_mail *mail = only_mail(mails);

	cr_assert_str_eq(mail->message_ids[0], "(c) <a@x>");
	cr_assert_str_eq(mail->message_ids[1], "<b@x>");
	cr_assert_str_eq(mail->trace_ids[0], "one;\ts=b");
	cr_assert_str_eq(mail->trace_ids[1], "two");
}

Test(doveadm_answer, a_field_with_a_nul_is_none)
{
	g_autoptr(GPtrArray) mails =
		read_mails(ROWS("{" MAIL ",\"hdr.message-id\":\"<a@x>\\u0000>\"}"), NULL);

	cr_assert_str_eq(only_mail(mails)->message_ids[0], "");
}

Test(doveadm_answer, an_empty_list_is_an_answer)
{
	g_autoptr(GPtrArray) mails = read_mails(ROWS(""), NULL);

	cr_assert_not_null(mails);
	cr_assert_eq(mails->len, 0);
}

struct wrong {
	char json[256];
	int code;
};

ParameterizedTestParameters(doveadm_answer, wrong_answers)
{
	static struct wrong wrong[] = {
		{"", DOVEADM_ERROR_ANSWER},
		{"null", DOVEADM_ERROR_ANSWER},
		{"{}", DOVEADM_ERROR_ANSWER},
		{"[]", DOVEADM_ERROR_ANSWER},
		{"[[]]", DOVEADM_ERROR_ANSWER},
		{"[[\"doveadmResponse\",[],\"t\"]]", DOVEADM_ERROR_ANSWER},
		{"[[\"doveadmResponse\",{},\"mailtrace\"]]", DOVEADM_ERROR_ANSWER},
		{"[[\"doveadmResponse\",[],\"mailtrace\"][\"error\"]]", DOVEADM_ERROR_ANSWER},
		{"[[\"doveadmResponse\",[],\"mailtrace\"],[]]", DOVEADM_ERROR_ANSWER},
		{"[[7,[],\"mailtrace\"]]", DOVEADM_ERROR_ANSWER},
		{ROWS("7"), DOVEADM_ERROR_ANSWER},
		{ROWS("{}"), DOVEADM_ERROR_ANSWER},
		{ROWS("{" MAIL ",\"uid\":\"8\"}"), DOVEADM_ERROR_ANSWER},
		{ROWS("{\"mailbox\":\"I\",\"mailbox-guid\":\"9\",\"uid\":\"1:*\",\"guid\":\"1\","
		      "\"flags\":\"\",\"size.physical\":\"1\"}"),
		 DOVEADM_ERROR_ANSWER},
		{ROWS("{\"mailbox\":\"I\\u0000J\",\"mailbox-guid\":\"9\",\"uid\":\"1\","
		      "\"guid\":\"1\",\"flags\":\"\",\"size.physical\":\"1\"}"),
		 DOVEADM_ERROR_ANSWER},
		{ROWS("{\"mailbox\":\"I\",\"mailbox-guid\":\"9\",\"uid\":\"1\",\"guid\":\"1\","
		      "\"flags\":\"\",\"size.physical\":\"-1\"}"),
		 DOVEADM_ERROR_ANSWER},
		{"[[\"error\",{\"type\":\"exitCode\", \"exitCode\":67},\"mailtrace\"]]",
		 DOVEADM_ERROR_NO_USER},
		{"[[\"error\",{\"type\":\"exitCode\", \"exitCode\":68},\"mailtrace\"]]",
		 DOVEADM_ERROR_NO_MAILBOX},
		{"[[\"error\",{\"type\":\"exitCode\", \"exitCode\":75},\"mailtrace\"]]",
		 DOVEADM_ERROR_FAILED},
		{"[[\"error\",{\"type\":\"unknownMethod\", \"exitCode\":0},\"mailtrace\"]]",
		 DOVEADM_ERROR_FAILED},
		{"[[\"error\",{\"type\":\"unAuthorized\", \"exitCode\":0},\"mailtrace\"]]",
		 DOVEADM_ERROR_DENIED},
		{"[[\"error\",7,\"mailtrace\"]]", DOVEADM_ERROR_ANSWER},
	};

	return cr_make_param_array(struct wrong, wrong, G_N_ELEMENTS(wrong));
}

ParameterizedTest(struct wrong *wrong, doveadm_answer, wrong_answers)
{
	g_autoptr(GError) error = NULL;

	cr_assert_null(read_mails(wrong->json, &error), "%s", wrong->json);
	cr_assert(g_error_matches(error, DOVEADM_ERROR, wrong->code), "%s: %s", wrong->json,
		  error->message);
}

Test(doveadm_answer, nesting_without_end_is_refused)
{
	g_autofree char *deep = g_malloc(1024 * 1024);
	g_autoptr(GError) error = NULL;

	memset(deep, '[', 1024 * 1024);
	cr_assert_null(doveadm_read_mails(deep, 1024 * 1024, &error));
	cr_assert(g_error_matches(error, DOVEADM_ERROR, DOVEADM_ERROR_ANSWER));
}

static char *
answer_with(guint count)
{
	g_autoptr(GString) rows = g_string_new("[[\"doveadmResponse\",[");

	for (guint i = 0; i < count; i++)
		g_string_append(rows, i ? ",{" MAIL "}" : "{" MAIL "}");
	g_string_append(rows, "],\"mailtrace\"]]");
	return g_string_free(g_steal_pointer(&rows), FALSE);
}

Test(doveadm_answer, copies_end_at_their_cap)
{
	g_autofree char *most = answer_with(CAP_COMMAND_COPIES);
	g_autofree char *over = answer_with(CAP_COMMAND_COPIES + 1);
	g_autoptr(GPtrArray) mails = read_mails(most, NULL);
	g_autoptr(GError) error = NULL;

	cr_assert_eq(mails->len, CAP_COMMAND_COPIES);
	cr_assert_null(read_mails(over, &error));
	cr_assert(g_error_matches(error, DOVEADM_ERROR, DOVEADM_ERROR_TOO_LARGE));
}

static char *
answer_with_field(gsize length)
{
	g_autofree char *value = g_strnfill(length, 'a');

	return g_strdup_printf(ROWS("{" MAIL ",\"hdr.message-id\":\"%s\"}"), value);
}

Test(doveadm_answer, a_field_is_empty_above_its_cap)
{
	for (gsize length = CAP_DOVEADM_FIELD_BYTES - 1; length <= CAP_DOVEADM_FIELD_BYTES + 1;
	     length++) {
		g_autofree char *json = answer_with_field(length);
		g_autoptr(GPtrArray) mails = read_mails(json, NULL);
		gsize wanted = length > CAP_DOVEADM_FIELD_BYTES ? 0 : length;

		cr_assert_eq(strlen(only_mail(mails)->message_ids[0]), wanted);
	}
}

Test(doveadm_answer, a_text_may_hold_nuls_and_is_told_inexact_when_bytes_were_replaced)
{
	static const char text[] = "a\n\0\xef\xbf\xbd";
	static const char form[] = ROWS(
		"{\"mailbox\":\"I\",\"mailbox-guid\":\"9\",\"uid\":\"1\",\"guid\":\"1\","
		"\"flags\":\"\",\"size.physical\":\"%d\",\"text\":\"a\\n\\u0000\xef\xbf\xbd\"}");

	for (int size = 4; size <= 6; size += 2) {
		g_autofree char *json = g_strdup_printf(form, size);
		g_autoptr(GPtrArray) mails = read_mails(json, NULL);
		const struct doveadm_mail *mail = only_mail(mails);

		cr_assert_eq(mail->text->len, 6);
		cr_assert_eq(memcmp(mail->text->data, text, 6), 0);
		cr_assert_eq(mail->exact, size == 6,
			     "of 6 bytes the message has the replacement character itself");
	}
}

Test(doveadm_answer, a_text_that_is_none_is_left_out)
{
	g_autoptr(GPtrArray) mails = read_mails(ROWS("{" MAIL ",\"text\":7}"), NULL);

	cr_assert_null(only_mail(mails)->text);
}
