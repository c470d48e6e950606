/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "queue_exchange.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "caps.h"

static const struct queue_request request = {.verb = QUEUE_HOLD,
					     .queue_id = (char *)"4RzKcT1hJdz5v",
					     .command_id = (char *)"c-1",
					     .sender = (char *)"a@example.net",
					     .arrival_s = 1795470000};

/* Returns an exchange whose gateway mx1 is a shell's script: helpers that are hostile or broken. */
static struct queue_exchange *
exchange_with(const char *script, struct gateways **ret_gateways)
{
	g_autofree char *quoted = g_shell_quote(script);
	g_autofree char *text = g_strdup_printf("mx1: /bin/sh -c %s", quoted);
	g_autoptr(GError) error = NULL;

	*ret_gateways = gateways_parse(text, &error);
	cr_assert(*ret_gateways, "%s", error ? error->message : "");
	return queue_exchange_new(*ret_gateways, 5000);
}

/* Asks a script once; returns its answer, or NULL and in *ret_why why there is none. */
static struct queue_answer *
ask(const char *script, char **ret_why)
{
	g_autoptr(gateways_t) gateways = NULL;
	struct queue_exchange *exchange = exchange_with(script, &gateways);
	g_autoptr(GError) error = NULL;
	struct queue_answer *answer = queue_exchange_ask(exchange, "mx1", &request, &error);

	queue_exchange_free(exchange);
	cr_assert((answer != NULL) != (error != NULL));
	*ret_why = error ? g_strdup(error->message) : NULL;
	return answer;
}

#define DONE "{\"result\":\"done\",\"text\":\"x\"}"

Test(queue_exchange, what_is_no_answer_is_silence_with_its_reason)
{
	static const struct {
		const char *script, *why;
	} cases[] = {
		{"exit 0", "no answer"},
		{"echo 'sudo: a password is required' >&2 && exit 1", "a password is required"},
		{"cat", "no answer"},
		{"echo nonsense", "no answer"},
		{"head -c 100000 /dev/zero", "no answer"},
		{"echo '{\"result\":\"done\"}'", "no answer"},
	};

	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *why = NULL;
		g_autoptr(queue_answer_t) answer = ask(cases[i].script, &why);

		cr_assert_null(answer, "%s", cases[i].script);
		cr_assert_not_null(strstr(why, cases[i].why), "%s: %s", cases[i].script, why);
	}
}

Test(queue_exchange, an_answer_counts_whatever_the_helper_does_after_it)
{
	g_autofree char *why = NULL;
	g_autoptr(queue_answer_t) answer = ask("echo '" DONE "' && yes && exit 3", &why);

	cr_assert(answer && answer->result == QUEUE_DONE, "%s", why);
}

/* ---- many at once ---- */

#define MANY 40

struct asker {
	struct queue_exchange *exchange;
	guint number;
	char *text; /* of the answer */
};

/* Asks under an id of its own. */
static gpointer
ask_numbered(gpointer data)
{
	struct asker *asker = data;
	g_autofree char *id = g_strdup_printf("ABCDEF%02u", asker->number);
	struct queue_request own = request;
	g_autoptr(queue_answer_t) answer = NULL;

	own.queue_id = id;
	answer = queue_exchange_ask(asker->exchange, "mx1", &own, NULL);
	asker->text = answer ? g_strdup(answer->text) : NULL;
	return NULL;
}

Test(queue_exchange, each_gets_its_own_answer_and_few_runs_serve_many)
{
	/* A helper that says of each request its id, and notes that it ran. */
	g_autofree char *log = g_build_filename(g_get_tmp_dir(), "mailtrace-runs.XXXXXX", NULL);
	int fd = g_mkstemp(log);
	g_autofree char *script = g_strdup_printf(
		"echo run >>%s && sleep 0.2 && "
		"sed 's/.*\"queue_id\":\"\\([^\"]*\\)\".*/{\"result\":\"done\",\"text\":\"\\1\"}/'",
		log);
	g_autoptr(gateways_t) gateways = NULL;
	struct queue_exchange *exchange = exchange_with(script, &gateways);
	struct asker askers[MANY];
	GThread *threads[MANY];
	g_autofree char *runs = NULL;

	for (guint i = 0; i < MANY; i++) {
		askers[i] = (struct asker){.exchange = exchange, .number = i};
		threads[i] = g_thread_new("asker", ask_numbered, &askers[i]);
	}
	for (guint i = 0; i < MANY; i++) {
		g_autofree char *wanted = g_strdup_printf("ABCDEF%02u", i);

		g_thread_join(threads[i]);
		cr_assert(g_strcmp0(askers[i].text, wanted) == 0, "%s: %s", wanted, askers[i].text);
		g_free(askers[i].text);
	}
	cr_assert(g_file_get_contents(log, &runs, NULL, NULL));
	cr_assert_lt(strlen(runs) / strlen("run\n"), MANY / 2);
	queue_exchange_free(exchange);
	close(fd);
	g_unlink(log);
}

/* Whether every other thread of the process sleeps: what was asked is in its line. */
static gboolean
others_sleep(void)
{
	g_autoptr(GDir) tasks = g_dir_open("/proc/self/task", 0, NULL);
	pid_t self = gettid();
	const char *name;

	while ((name = g_dir_read_name(tasks))) {
		g_autofree char *path = g_strdup_printf("/proc/self/task/%s/stat", name);
		g_autofree char *stat = NULL;
		const char *state;

		if (atoi(name) == self || !g_file_get_contents(path, &stat, NULL, NULL))
			continue;
		state = strrchr(stat, ')');
		if (!state || state[2] != 'S')
			return FALSE;
	}
	return TRUE;
}

/* No event says that a thread sleeps. */
static void
wait_until_others_sleep(void)
{
	gint64 deadline_us = g_get_monotonic_time() + 60 * G_USEC_PER_SEC;

	while (!others_sleep()) {
		cr_assert_lt(g_get_monotonic_time(), deadline_us);
		g_usleep(10000);
	}
}

/*
 * Has so many ask while the helper is busy with a first one; returns "1 256 …": how many
 * requests each run had.
 */
static char *
runs_of(guint count)
{
	g_autofree char *folder = g_dir_make_tmp("mailtrace-runs.XXXXXX", NULL);
	g_autofree char *log = g_build_filename(folder, "log", NULL);
	g_autofree char *fifo = g_build_filename(folder, "fifo", NULL);
	g_autofree char *go = g_build_filename(folder, "go", NULL);
	g_autofree char *script = g_strdup_printf(
		"( [ -e %s ] || cat %s ) && "
		"awk '{print \"{\\\"result\\\":\\\"done\\\",\\\"text\\\":\\\"x\\\"}\"} "
		"END {print NR >>\"%s\"}'",
		go, fifo, log);
	g_autoptr(gateways_t) gateways = NULL;
	struct queue_exchange *exchange = exchange_with(script, &gateways);
	g_autofree struct asker *askers = g_new0(struct asker, count + 1);
	g_autofree GThread **threads = g_new0(GThread *, count + 1);
	char *runs = NULL;
	int fd = -1;

	cr_assert_eq(mkfifo(fifo, 0600), 0);
	for (guint i = 0; i <= count; i++) {
		askers[i] = (struct asker){.exchange = exchange, .number = i % 100};
		threads[i] = g_thread_new("asker", ask_numbered, &askers[i]);
		if (i > 0)
			continue;
		fd = open(fifo, O_WRONLY | O_CLOEXEC); /* waits until cat reads */
	}
	wait_until_others_sleep();
	cr_assert(g_file_set_contents(go, "", 0, NULL));
	close(fd);
	for (guint i = 0; i <= count; i++) {
		g_thread_join(threads[i]);
		cr_assert_str_eq(askers[i].text, "x");
		g_free(askers[i].text);
	}
	cr_assert(g_file_get_contents(log, &runs, NULL, NULL));
	queue_exchange_free(exchange);
	g_unlink(log);
	g_unlink(go);
	g_unlink(fifo);
	g_rmdir(folder);
	return g_strdelimit(g_strchomp(runs), "\n", ' ');
}

Test(queue_exchange, a_run_has_requests_to_its_cap, .timeout = 120)
{
	g_autofree char *below = runs_of(CAP_QUEUE_REQUESTS - 1);
	g_autofree char *at = runs_of(CAP_QUEUE_REQUESTS), *above = runs_of(CAP_QUEUE_REQUESTS + 1);

	cr_expect_str_eq(below, "1 255", "%s", below);
	cr_expect_str_eq(at, "1 256", "%s", at);
	cr_expect_str_eq(above, "1 256 1", "%s", above);
}

Test(queue_exchange, a_helper_that_breaks_off_leaves_the_others_without_an_answer)
{
	g_autoptr(gateways_t) gateways = NULL;
	/* Whatever it is asked, it answers once. */
	struct queue_exchange *exchange = exchange_with("sleep 0.2 && echo '" DONE "'", &gateways);
	struct asker askers[MANY];
	GThread *threads[MANY];
	guint answered = 0;

	for (guint i = 0; i < MANY; i++) {
		askers[i] = (struct asker){.exchange = exchange, .number = i};
		threads[i] = g_thread_new("asker", ask_numbered, &askers[i]);
	}
	for (guint i = 0; i < MANY; i++) {
		g_thread_join(threads[i]);
		answered += askers[i].text != NULL;
		g_free(askers[i].text);
	}
	cr_assert_geq(answered, 1);
	cr_assert_lt(answered, MANY);
	queue_exchange_free(exchange);
}

/* ---- copies ---- */

/* Copies from a script; returns what came, or NULL and the code of the error. */
static char *
copy(const char *script, int *ret_code)
{
	g_autoptr(gateways_t) gateways = NULL;
	struct queue_exchange *exchange = exchange_with(script, &gateways);
	g_autofree char *path = NULL;
	int fd = g_file_open_tmp("mailtrace-copy.XXXXXX", &path, NULL);
	g_autoptr(GError) error = NULL;
	g_autoptr(queue_answer_t) answer =
		queue_exchange_copy(exchange, "mx1", &request, fd, &error);
	char *text = NULL;

	*ret_code = error ? error->code : -1;
	if (answer)
		cr_assert(g_file_get_contents(path, &text, NULL, NULL));
	queue_exchange_free(exchange);
	close(fd);
	g_unlink(path);
	return text;
}

Test(queue_exchange, a_copy_is_whole_or_an_error)
{
	int code;
	g_autofree char *whole = copy("echo '" DONE "' && printf 'a\\nb' && exit 0", &code);
	g_autofree char *cut = copy("echo '" DONE "' && printf 'a\\nb' && exit 1", &code);
	g_autofree char *none = NULL;

	cr_assert_str_eq(whole, "a\nb");
	cr_assert_null(cut);
	cr_assert_eq(code, QUEUE_EXCHANGE_ERROR_BROKEN);
	none = copy("echo hello", &code);
	cr_assert_null(none);
	cr_assert_eq(code, QUEUE_EXCHANGE_ERROR_SILENT);
}
