/* SPDX-License-Identifier: BSD-2-Clause */
#include "actuator.h"

#include <criterion/criterion.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "caps.h"

/* How many commands were carried out, and how many of them at one time. */
struct counts {
	GMutex mutex;
	GCond all_there;
	guint total, now, most;
	guint wait_for; /* each waits until so many are there */
};

static struct openc2_response *
count(void *data, const struct actuator_options *options, const struct openc2_command *command)
{
	struct counts *counts = data;
	gint64 end = g_get_monotonic_time() + 10 * G_USEC_PER_SEC;

	g_mutex_lock(&counts->mutex);
	counts->total++;
	counts->now++;
	counts->most = MAX(counts->most, counts->now);
	g_cond_broadcast(&counts->all_there);
	while (counts->most < counts->wait_for)
		if (!g_cond_wait_until(&counts->all_there, &counts->mutex, end))
			break;
	counts->now--;
	g_mutex_unlock(&counts->mutex);
	return openc2_response_new(command->command_id, OPENC2_DONE, "");
}

static const struct actuator_kind kind = {
	.name = "actuator-test", .roles = ACTUATOR_ROLE(OPENC2_QUEUE), .carry_out = count};

/* A server that does not answer, but for the fifth command. */
static struct openc2_response *
be_silent(void *data, G_GNUC_UNUSED const struct actuator_options *options,
	  const struct openc2_command *command)
{
	struct counts *counts = data;

	return openc2_response_new(command->command_id,
				   ++counts->total == 5 ? OPENC2_DONE : OPENC2_UNREACHABLE, "");
}

static const struct actuator_kind silent_kind = {.name = "actuator-test",
						 .roles = ACTUATOR_ROLE(OPENC2_QUEUE) |
							  ACTUATOR_ROLE(OPENC2_MAILSTORE),
						 .most_silent = 5,
						 .carry_out = be_silent};

/* Returns a command's line; role: as its target is. */
static char *
line_of(enum openc2_role role, char **ret_id)
{
	g_autoptr(openc2_command_t) command = openc2_command_new(OPENC2_CONTAIN, role);
	g_autofree char *json = NULL;

	command->message = openc2_message_new();
	command->message->gateway = g_strdup("mx1");
	command->message->queue_id = g_strdup("4Xyz");
	command->message->mailbox = g_strdup("u@example.org");
	json = openc2_command_encode(command);
	if (ret_id)
		*ret_id = g_strdup(command->command_id);
	return g_strconcat(json, "\n", NULL);
}

/* Runs the loop of a kind over a text; returns the responses, in a list. */
static GPtrArray *
run_kind(const struct actuator_kind *run, const char *text, gsize length, struct counts *counts,
	 guint jobs)
{
	GPtrArray *responses = g_ptr_array_new_with_free_func((GDestroyNotify)openc2_response_free);
	const struct actuator_options options = {.jobs = jobs};
	FILE *in = tmpfile(), *out = tmpfile();
	char *line = NULL;
	size_t room = 0;
	ssize_t got;

	cr_assert(in && out);
	cr_assert_eq(fwrite(text, 1, length, in), length);
	cr_assert_eq(fflush(in), 0);
	rewind(in);
	cr_assert(actuator_run(run, counts, &options, fileno(in), fileno(out)));
	rewind(out);
	while ((got = getline(&line, &room, out)) > 0) {
		g_autoptr(GError) error = NULL;
		struct openc2_response *response = openc2_response_decode(line, (gsize)got, &error);

		cr_assert(response, "%s: %s", line, error ? error->message : "");
		g_ptr_array_add(responses, response);
	}
	free(line);
	fclose(in);
	fclose(out);
	return responses;
}

static GPtrArray *
run_over(const char *text, gsize length, struct counts *counts, guint jobs)
{
	return run_kind(&kind, text, length, counts, jobs);
}

static const struct openc2_response *
response_to(const GPtrArray *responses, const char *command_id)
{
	const struct openc2_response *found = NULL;

	for (guint i = 0; i < responses->len; i++) {
		const struct openc2_response *response = g_ptr_array_index(responses, i);

		if (strcmp(response->command_id, command_id) == 0) {
			cr_assert_null(found, "answered twice");
			found = response;
		}
	}
	return found;
}

Test(actuator, every_command_is_answered_and_no_more_at_a_time_than_jobs)
{
	struct counts counts = {.wait_for = 3};
	g_autoptr(GString) text = g_string_new(NULL);
	g_autoptr(GPtrArray) ids = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(GPtrArray) responses = NULL;

	for (guint i = 0; i < 50; i++) {
		char *id;
		g_autofree char *line = line_of(OPENC2_QUEUE, &id);

		g_string_append(text, line);
		g_ptr_array_add(ids, id);
	}
	responses = run_over(text->str, text->len, &counts, 3);
	cr_assert_eq(responses->len, 50);
	for (guint i = 0; i < ids->len; i++)
		cr_assert_not_null(response_to(responses, g_ptr_array_index(ids, i)));
	cr_assert_eq(counts.most, 3);
}

Test(actuator, what_is_no_command_is_answered_when_it_has_an_id_and_the_rest_goes_on)
{
	struct counts counts = {.total = 0};
	char *good, *foreign;
	g_autofree char *first = line_of(OPENC2_QUEUE, &good);
	g_autofree char *other = line_of(OPENC2_MAILSTORE, &foreign);
	g_autoptr(GString) text = g_string_new(NULL);
	g_autoptr(GPtrArray) responses = NULL;

	g_string_append(text, "nonsense\n\n{}\n[1]\n");
	g_string_append_len(text, "{\"command_id\":\"a\0b\"}\n", 21);
	g_string_append(text, "{\"command_id\":\"../../etc/passwd\"}\n");
	g_string_append(text, "{\"command_id\":\"ab-1\",\"action\":\"explode\"}\n");
	for (guint i = 0; i <= CAP_COMMAND_BYTES; i++)
		g_string_append_c(text, ' ');
	g_string_append(text, "\n");
	g_string_append(text, other);
	g_string_append(text, first);
	g_string_append(text, first); /* told twice: carried out and answered once */
	responses = run_over(text->str, text->len, &counts, 8);
	cr_assert_eq(responses->len, 3);
	cr_assert_eq(response_to(responses, "ab-1")->outcome, OPENC2_FAILED);
	cr_assert_eq(response_to(responses, foreign)->outcome, OPENC2_FAILED);
	cr_assert_eq(response_to(responses, good)->outcome, OPENC2_DONE);
	cr_assert_eq(counts.total, 1);
	g_free(good);
	g_free(foreign);
}

Test(actuator, the_rest_is_not_tried_when_several_in_a_row_had_no_answer)
{
	struct counts counts = {.total = 0};
	g_autoptr(GString) text = g_string_new(NULL);
	g_autoptr(GPtrArray) responses = NULL;
	guint untried = 0;

	for (guint i = 0; i < 20; i++) {
		g_autofree char *line = line_of(i % 2 ? OPENC2_QUEUE : OPENC2_MAILSTORE, NULL);

		g_string_append(text, line);
	}
	responses = run_kind(&silent_kind, text->str, text->len, &counts, 1);
	cr_assert_eq(responses->len, 20);
	for (guint i = 0; i < responses->len; i++) {
		const struct openc2_response *response = g_ptr_array_index(responses, i);

		untried += g_str_has_prefix(response->text, "not tried");
		cr_assert_eq(response->outcome, i == 4 ? OPENC2_DONE : OPENC2_UNREACHABLE);
	}
	cr_assert_eq(counts.total, 10, "four, one that is answered, and five");
	cr_assert_eq(untried, 10);
}

/* ---- evidence ---- */

Test(actuator, evidence_is_whole_or_not_there_and_never_written_over)
{
	g_autofree char *directory = g_dir_make_tmp("mailtrace-evidence.XXXXXX", NULL);
	const struct actuator_options options = {.evidence_directory = directory, .jobs = 1};
	g_autoptr(openc2_command_t) command = openc2_command_new(OPENC2_COPY, OPENC2_QUEUE);
	g_autofree char *path = NULL, *again = NULL, *read = NULL;
	g_autoptr(GError) error = NULL;
	struct evidence *evidence = evidence_begin(&options, command, &path, &error);
	GStatBuf status;

	cr_assert_null(error);
	cr_assert_eq(write(evidence_fd(evidence), "part", 4), 4);
	cr_assert_neq(g_access(path, F_OK), 0);
	evidence_drop(evidence);
	evidence = evidence_begin(&options, command, &again, &error);
	cr_assert_eq(write(evidence_fd(evidence), "whole", 5), 5);
	cr_assert(evidence_keep(evidence, &error));
	cr_assert(g_file_get_contents(path, &read, NULL, NULL));
	cr_assert_str_eq(read, "whole");
	cr_assert_eq(g_stat(path, &status), 0);
	cr_assert_eq(status.st_mode & 0777, 0600);
	g_clear_pointer(&again, g_free);
	cr_assert_null(evidence_begin(&options, command, &again, &error));
	cr_assert(g_error_matches(error, G_FILE_ERROR, G_FILE_ERROR_EXIST));
	cr_assert_str_eq(again, path);
	g_unlink(path);
	cr_assert_eq(g_rmdir(directory), 0, "something was left in %s", directory);
}

Test(actuator, evidence_needs_a_directory)
{
	const struct actuator_options options = {.jobs = 1};
	g_autoptr(openc2_command_t) command = openc2_command_new(OPENC2_COPY, OPENC2_QUEUE);
	g_autofree char *path = NULL;
	g_autoptr(GError) error = NULL;

	cr_assert_null(evidence_begin(&options, command, &path, &error));
	cr_assert(g_error_matches(error, G_FILE_ERROR, G_FILE_ERROR_INVAL));
}
