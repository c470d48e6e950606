/* SPDX-License-Identifier: BSD-2-Clause */
#include "queue_request.h"

#include <criterion/criterion.h>
#include <string.h>

#include "caps.h"

#define ID "0b5a7f5e-0d2c-4f4f-9d5e-3f1d2c4b5a69"
#define REQUEST                                                                  \
	"{\"verb\":\"hold\",\"queue_id\":\"4RzKcT1hJdz5v\",\"command_id\":\"" ID \
	"\",\"sender\":\"a@example.net\",\"arrival\":1795470000,\"size\":4711}"

static struct queue_request *
decoded(const char *line, GError **error)
{
	return queue_request_decode(line, strlen(line), error);
}

Test(queue_request, a_request_comes_back)
{
	const struct queue_request request = {.verb = QUEUE_RELEASE,
					      .queue_id = (char *)"ABCDEF12",
					      .command_id = (char *)ID,
					      .sender = (char *)"\"a b\"@example.net",
					      .arrival_s = 1,
					      .size = 0};
	g_autofree char *line = queue_request_encode(&request);
	g_autoptr(queue_request_t) read = decoded(line, NULL);

	cr_assert_not_null(read, "%s", line);
	cr_assert_eq(read->verb, QUEUE_RELEASE);
	cr_assert_str_eq(read->queue_id, "ABCDEF12");
	cr_assert_str_eq(read->command_id, ID);
	cr_assert_str_eq(read->sender, "\"a b\"@example.net");
	cr_assert_eq(read->arrival_s, 1);
	cr_assert_eq(read->size, 0);
}

Test(queue_request, every_member_is_needed_and_no_other_is_taken)
{
	static const char *const members[] = {"verb",	"queue_id", "command_id",
					      "sender", "arrival",  "size"};
	g_autoptr(queue_request_t) whole = decoded(REQUEST, NULL);

	cr_assert_not_null(whole);
	for (gsize i = 0; i < G_N_ELEMENTS(members); i++) {
		g_auto(GStrv) halves = g_strsplit(REQUEST, members[i], 2);
		g_autofree char *other = g_strjoin("x", halves[0], halves[1], NULL);
		g_autoptr(GError) error = NULL;

		cr_assert_null(decoded(other, &error), "%s", other);
		cr_assert(g_error_matches(error, QUEUE_REQUEST_ERROR, QUEUE_REQUEST_ERROR_FORM));
	}
}

Test(queue_request, a_cut_or_longer_line_is_refused)
{
	g_autofree char *padded = g_strdup_printf("%s%*s", REQUEST, CAP_QUEUE_ANSWER_BYTES, "");
	g_autoptr(queue_request_t) shorter =
		queue_request_decode(padded, CAP_QUEUE_ANSWER_BYTES - 1, NULL);
	g_autoptr(queue_request_t) longest =
		queue_request_decode(padded, CAP_QUEUE_ANSWER_BYTES, NULL);

	for (gsize length = 0; length < strlen(REQUEST); length++)
		cr_assert_null(queue_request_decode(REQUEST, length, NULL), "%zu", length);
	cr_assert_not_null(shorter);
	cr_assert_not_null(longest);
	cr_assert_null(queue_request_decode(padded, CAP_QUEUE_ANSWER_BYTES + 1, NULL));
}

static struct queue_answer *
answered(const char *line)
{
	return queue_answer_decode(line, strlen(line));
}

Test(queue_request, an_answer_comes_back_without_what_a_terminal_obeys)
{
	g_autoptr(queue_answer_t) answer = queue_answer_new(QUEUE_OTHER, "a\nb\x1b[2J\xff");
	g_autofree char *line = NULL;
	g_autoptr(queue_answer_t) read = NULL;

	answer->ours = TRUE;
	answer->queue_name = g_strdup("hold");
	line = queue_answer_encode(answer);
	cr_assert_null(strchr(line, '\n'));
	read = answered(line);
	cr_assert_not_null(read, "%s", line);
	cr_assert_eq(read->result, QUEUE_OTHER);
	cr_assert_str_eq(read->text, "a b [2J\\xff");
	cr_assert_str_eq(read->queue_name, "hold");
	cr_assert(read->ours);
}

Test(queue_request, a_hostile_answer_is_none)
{
	static const char *const wrong[] = {
		"",
		"{}",
		"[]",
		"{\"result\":\"done\"}",
		"{\"result\":\"DONE\",\"text\":\"\"}",
		"{\"result\":0,\"text\":\"\"}",
		"{\"result\":\"done\",\"text\":7}",
		"{\"result\":\"done\",\"text\":\"\\u001b[2J\"}",
		"{\"result\":\"done\",\"text\":\"\",\"queue_name\":\"a\\nb\"}",
		"{\"result\":\"done\",\"result\":\"gone\",\"text\":\"\"}",
	};
	g_autofree char *filler = g_strnfill(CAP_COMMAND_TEXT_BYTES + 1, 'a');
	g_autofree char *endless = g_strdup_printf("{\"result\":\"done\",\"text\":\"%s\"}", filler);
	g_autoptr(queue_answer_t) plain = answered("{\"result\":\"done\",\"text\":\"x\",\"y\":[]}");

	for (gsize i = 0; i < G_N_ELEMENTS(wrong); i++)
		cr_assert_null(answered(wrong[i]), "%s", wrong[i]);
	cr_assert_null(answered(endless));
	cr_assert(plain && !plain->ours && !plain->queue_name);
}
