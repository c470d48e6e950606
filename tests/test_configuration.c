/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <criterion/criterion.h>
#include <string.h>
#include <sys/socket.h>

#include "configuration.h"
#include "directory_fixture.h"
#include "log.h"
#include "supervision.h"

static char *path;

static void
set_up(void)
{
	make_directory();
	path = g_build_filename(directory, "mailtrace.conf", NULL);
	log_open("test", LOG_TARGET_STDERR);
}

static void
tear_down(void)
{
	g_free(path);
	remove_directory();
}

TestSuite(configuration, .init = set_up, .fini = tear_down);

/* Writes a configuration for a sensor of this name, with more lines of [scanner]. */
static void
write_file(const char *sensor, const char *scanner)
{
	g_autofree char *text = g_strdup_printf(
		"[site]\nsensor = %s\n[milter]\nsocket = unix:%s/m.sock\nsocket_group =\nuser =\n"
		"temp_directory = %s\n[spool]\ndirectory = %s\n[scanner]\n%s",
		sensor, directory, directory, directory, scanner);

	cr_assert(g_file_set_contents(path, text, -1, NULL));
}

static void
load(struct configuration *configuration)
{
	g_autoptr(GError) error = NULL;

	write_file("mx1", "workers = 2\n");
	configuration->path = path;
	cr_assert(configuration_load(configuration, &error), "%s", error ? error->message : "");
}

/* Proposes what is in the file, which is right. */
static void
propose(struct configuration *configuration)
{
	g_autoptr(GError) error = NULL;

	cr_assert(configuration_propose(configuration, &error), "%s", error ? error->message : "");
}

/* Returns whether what is sent to the milter process names this sensor, and its file. */
static gboolean
is_sent(const struct configuration *configuration, const char *sensor)
{
	struct supervision_message message = {.fd = -1};
	g_autofree char *line = g_strdup_printf("sensor = %s\n", sensor);
	const char *text;
	gboolean named;
	int ends[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	cr_assert(configuration_send(configuration, ends[0]));
	cr_assert_eq(supervision_receive(ends[1], 1000, &message), SUPERVISION_MESSAGE);
	cr_assert_eq(message.kind, SUPERVISION_CONFIG);
	text = g_bytes_get_data(message.text, NULL);
	cr_assert_str_eq(text, path);
	named = g_strstr_len(text + strlen(path) + 1,
			     (gssize)(g_bytes_get_size(message.text) - strlen(path) - 1),
			     line) != NULL;
	supervision_message_clear(&message);
	close(ends[0]);
	close(ends[1]);
	return named;
}

Test(configuration, what_is_loaded_holds_and_is_sent)
{
	struct configuration configuration = {0};

	load(&configuration);
	cr_assert_str_eq(configuration.settings->sensor, "mx1");
	cr_assert(is_sent(&configuration, "mx1"));
	configuration_clear(&configuration);
}

Test(configuration, a_proposal_is_sent_and_holds_once_it_is_adopted)
{
	struct configuration configuration = {0};

	load(&configuration);
	write_file("mx2", "workers = 2\n");
	propose(&configuration);
	cr_assert(is_sent(&configuration, "mx2"));
	cr_assert_str_eq(configuration.settings->sensor, "mx1");
	cr_assert_not(configuration_adopt(&configuration), "the scanner is as it was");
	cr_assert_str_eq(configuration.settings->sensor, "mx2");
	cr_assert(is_sent(&configuration, "mx2"));
	configuration_clear(&configuration);
}

Test(configuration, a_proposal_that_is_refused_leaves_no_trace)
{
	struct configuration configuration = {0};

	load(&configuration);
	write_file("mx2", "workers = 2\n");
	propose(&configuration);
	configuration_refuse(&configuration, "for a test");
	cr_assert_str_eq(configuration.settings->sensor, "mx1");
	cr_assert(is_sent(&configuration, "mx1"));
	configuration_clear(&configuration);
}

Test(configuration, a_wrong_file_is_no_proposal)
{
	struct configuration configuration = {0};
	g_autoptr(GError) error = NULL;

	load(&configuration);
	write_file("mx2", "workers = many\n");
	cr_assert_not(configuration_propose(&configuration, &error));
	cr_assert(strstr(error->message, "mailtrace.conf:"), "%s", error->message);
	cr_assert(is_sent(&configuration, "mx1"));
	configuration_clear(&configuration);
}

Test(configuration, another_number_of_workers_needs_a_new_scanner)
{
	struct configuration configuration = {0};

	load(&configuration);
	write_file("mx1", "workers = 3\n");
	propose(&configuration);
	cr_assert(configuration_adopt(&configuration));
	configuration_clear(&configuration);
}
