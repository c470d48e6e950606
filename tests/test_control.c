/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "control.h"

/* A collector in a thread, which notes what it was asked. */
struct site {
	char *directory, *path;
	struct control_server *server;
	GThread *thread;
	int stop[2];
	/* what was asked last; read by the test after the call has returned */
	char *actor, *verb, *arguments, *case_id, *tenant;
	gint64 time_us, results;
	GPtrArray *events;
	guint audits, reloads;
	gboolean refuse;
	const char *denied; /* what nobody may have done */
};

static gboolean
on_audit(void *data, const struct store_audit *audit, GError **error)
{
	struct site *site = data;

	if (site->refuse) {
		g_set_error(error, STORE_ERROR, STORE_ERROR_WRITE, "no room \"here\"");
		return FALSE;
	}
	site->audits++;
	site->actor = g_strdup(audit->actor);
	site->verb = g_strdup(audit->verb);
	site->arguments = g_strdup(audit->arguments);
	site->case_id = g_strdup(audit->case_id);
	site->time_us = audit->time_us;
	site->results = audit->results;
	return TRUE;
}

static gboolean
on_ingest(void *data, const char *tenant, GPtrArray *events, guint64 *ret_added, GError **error)
{
	struct site *site = data;

	site->tenant = g_strdup(tenant);
	site->events = g_ptr_array_ref(events);
	*ret_added = events->len;
	return TRUE;
}

static gboolean
on_reload(void *data, GError **error)
{
	((struct site *)data)->reloads++;
	return TRUE;
}

static gboolean
on_echo(void *data, const struct control_caller *caller, const json_t *request, json_t *answer,
	GError **error)
{
	const char *word = json_get_text(request, "word");

	if (!word) {
		g_set_error(error, CONTROL_ERROR, CONTROL_ERROR_REFUSED, "echo needs a word");
		return FALSE;
	}
	json_put_text(answer, "word", word);
	json_put_text(answer, "actor", caller->actor);
	json_put_int(answer, "uid", caller->uid);
	json_put_int(answer, "time_us", caller->time_us);
	return TRUE;
}

static const struct control_operation operations[] = {{"echo", on_echo}, {NULL}};

static gboolean
on_may(void *data, const struct control_caller *caller, const char *operation,
       const json_t *request, GError **error)
{
	const struct site *site = data;

	if (g_strcmp0(site->denied, operation) != 0)
		return TRUE;
	g_set_error(error, CONTROL_ERROR, CONTROL_ERROR_REFUSED, "%s may not have %s done",
		    caller->actor, operation);
	return FALSE;
}

static const struct control_handlers handlers = {on_audit, on_ingest, on_reload, operations,
						 on_may};

GQuark
store_error_quark(void)
{
	return g_quark_from_static_string("mailtrace-store-error-quark");
}

static void *
serve(void *data)
{
	struct site *site = data;

	for (;;) {
		struct pollfd waits[64];
		int fds[63];
		gsize count = control_server_fds(site->server, fds, G_N_ELEMENTS(fds));

		for (gsize i = 0; i < count; i++)
			waits[i] = (struct pollfd){.fd = fds[i], .events = POLLIN};
		waits[count] = (struct pollfd){.fd = site->stop[0], .events = POLLIN};
		poll(waits, count + 1, 20); /* as the collector, it calls even if nothing comes */
		if (waits[count].revents)
			return NULL;
		control_server_serve(site->server);
	}
}

static void
site_start_with(struct site *site, guint patience_ms)
{
	g_autoptr(GError) error = NULL;

	memset(site, 0, sizeof(*site));
	site->directory = g_dir_make_tmp("mailtrace-control.XXXXXX", NULL);
	site->path = g_build_filename(site->directory, "control.sock", NULL);
	site->server = control_server_new(site->path, &handlers, site, &error);
	cr_assert_not_null(site->server, "%s", error ? error->message : "");
	control_server_set_patience(site->server, patience_ms);
	cr_assert_eq(pipe2(site->stop, O_CLOEXEC), 0);
	site->thread = g_thread_new("collector", serve, site);
}

static void
site_start(struct site *site)
{
	site_start_with(site, CONTROL_PATIENCE_MS);
}

static void
site_stop(struct site *site)
{
	close(site->stop[1]);
	g_thread_join(site->thread);
	close(site->stop[0]);
	control_server_free(site->server);
	cr_assert_neq(access(site->path, F_OK), 0, "the socket is left behind");
	g_rmdir(site->directory);
	g_free(site->directory);
	g_free(site->path);
	g_free(site->actor);
	g_free(site->verb);
	g_free(site->arguments);
	g_free(site->case_id);
	g_free(site->tenant);
	g_clear_pointer(&site->events, g_ptr_array_unref);
}

static struct control *
connected(const struct site *site)
{
	g_autoptr(GError) error = NULL;
	struct control *control = control_connect(site->path, &error);

	cr_assert_not_null(control, "%s", error ? error->message : "");
	return control;
}

static int
raw_connection(const struct site *site)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	g_strlcpy(address.sun_path, site->path, sizeof(address.sun_path));
	cr_assert_eq(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

/* Returns what comes back until a line break or the end. */
static char *
raw_answer(int fd)
{
	GString *answer = g_string_new(NULL);
	char byte;

	while (recv(fd, &byte, 1, 0) == 1 && byte != '\n')
		g_string_append_c(answer, byte);
	return g_string_free(answer, FALSE);
}

static void
assert_answer(int fd, const char *wanted)
{
	g_autofree char *answer = raw_answer(fd);

	cr_assert_str_eq(answer, wanted);
}

Test(control, audit_takes_who_and_when_from_the_server)
{
	struct store_audit audit = {.time_us = 1,
				    .actor = (char *)"uid=0(forged)",
				    .tenant = (char *)"a",
				    .verb = (char *)"who",
				    .arguments = (char *)"[\"subject:請求書\"]",
				    .case_id = (char *)"C-1",
				    .results = 7};
	g_autofree char *self = control_actor(getuid());
	gint64 before = g_get_real_time();
	g_autoptr(GError) error = NULL;
	struct control *control;
	struct site site;

	site_start(&site);
	control = connected(&site);
	cr_assert(control_audit(control, &audit, &error));
	cr_assert_str_eq(site.actor, self);
	cr_assert_geq(site.time_us, before);
	cr_assert_str_eq(site.verb, "who");
	cr_assert_str_eq(site.arguments, "[\"subject:請求書\"]");
	cr_assert_str_eq(site.case_id, "C-1");
	cr_assert_eq(site.results, 7);
	control_free(control);
	site_stop(&site);
}

Test(control, refusal_comes_back_with_its_reason)
{
	struct store_audit audit = {
		.tenant = (char *)"a", .verb = (char *)"who", .arguments = (char *)"[]"};
	g_autoptr(GError) error = NULL;
	struct control *control;
	struct site site;

	site_start(&site);
	site.refuse = TRUE;
	control = connected(&site);
	cr_assert_not(control_audit(control, &audit, &error));
	cr_assert(g_error_matches(error, CONTROL_ERROR, CONTROL_ERROR_REFUSED));
	cr_assert_not_null(strstr(error->message, "no room \"here\""));
	control_free(control);
	site_stop(&site);
}

Test(control, ingest_carries_events_byte_for_byte)
{
	g_autoptr(GPtrArray) events = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
	g_autofree char *large = g_strnfill(4 * 1024 * 1024, '"');
	const char *small = "{\"subject\":\"\\u001b 請求書 \\\\ \\n\"}";
	g_autoptr(GError) error = NULL;
	struct control *control;
	guint64 added = 0;
	struct site site;

	site_start(&site);
	control = connected(&site);
	g_ptr_array_add(events, g_bytes_new(small, strlen(small)));
	g_ptr_array_add(events, g_bytes_new(large, strlen(large)));
	cr_assert(control_ingest(control, "b", events, &added, &error), "%s",
		  error ? error->message : "");
	cr_assert_eq(added, 2);
	cr_assert_str_eq(site.tenant, "b");
	for (guint i = 0; i < 2; i++)
		cr_assert(g_bytes_equal(g_ptr_array_index(site.events, i),
					g_ptr_array_index(events, i)));
	control_free(control);
	site_stop(&site);
}

Test(control, operation_of_the_table_is_served_for_the_user_of_the_socket)
{
	g_autofree char *actor = control_actor(getuid());
	g_autoptr(json_t) request =
		json_pack("{s:s,s:s,s:s}", "op", "echo", "word", "\xe6\x9c\xac", "actor", "root");
	g_autoptr(json_t) answer = NULL;
	g_autoptr(GError) error = NULL;
	struct control *control;
	struct site site;

	site_start(&site);
	control = control_connect(site.path, &error);
	answer = control_call(control, request, &error);
	cr_assert_not_null(answer, "%s", error ? error->message : "");
	cr_expect_str_eq(json_get_text(answer, "word"), "\xe6\x9c\xac");
	cr_expect_str_eq(json_get_text(answer, "actor"), actor);
	cr_expect_eq(json_get_int(answer, "uid", -1), getuid());
	cr_expect_leq(ABS(json_get_int(answer, "time_us", 0) - g_get_real_time()),
		      60 * G_TIME_SPAN_SECOND);
	json_object_del(request, "word");
	cr_expect_null(control_call(control, request, &error));
	cr_expect(g_str_has_suffix(error->message, "echo needs a word"), "%s", error->message);
	control_free(control);
	site_stop(&site);
}

Test(control, operation_that_is_in_no_table_is_refused)
{
	g_autoptr(json_t) request = json_pack("{s:s}", "op", "shout");
	g_autoptr(GError) error = NULL;
	struct control *control;
	struct site site;

	site_start(&site);
	control = control_connect(site.path, &error);
	cr_expect_null(control_call(control, request, &error));
	cr_expect(g_str_has_suffix(error->message, "no such operation"), "%s", error->message);
	control_free(control);
	site_stop(&site);
}

/* Each kind of operation: built in, of the table, and audit by the verb it is about. */
Test(control, what_a_caller_may_not_have_is_not_done)
{
	static const char *const table[][2] = {
		{"reload", "{\"op\":\"reload\"}"},
		{"ingest", "{\"op\":\"ingest\",\"tenant\":\"a\",\"events\":[]}"},
		{"echo", "{\"op\":\"echo\",\"word\":\"x\"}"},
		{"who",
		 "{\"op\":\"audit\",\"verb\":\"who\",\"tenant\":\"a\",\"arguments\":\"[]\"}"},
		{"", "{\"op\":\"audit\",\"tenant\":\"a\",\"arguments\":\"[]\"}"},
	};
	struct site site;

	site_start(&site);
	for (gsize i = 0; i < G_N_ELEMENTS(table); i++) {
		g_autoptr(json_t) request = json_parse_object(table[i][1], strlen(table[i][1]));
		g_autoptr(GError) error = NULL;
		struct control *control = connected(&site);

		site.denied = table[i][0];
		cr_expect_null(control_call(control, request, &error));
		cr_expect(error && strstr(error->message, "may not have"), "%s", table[i][1]);
		control_free(control);
	}
	cr_expect_eq(site.reloads, 0);
	cr_expect_eq(site.audits, 0);
	cr_expect_null(site.events);
	site_stop(&site);
}

Test(control, one_connection_serves_many_requests)
{
	struct control *control;
	struct site site;

	site_start(&site);
	control = connected(&site);
	for (guint i = 0; i < 100; i++)
		cr_assert(control_reload(control, NULL));
	cr_assert_eq(site.reloads, 100);
	control_free(control);
	site_stop(&site);
}

Test(control, absent_collector_is_told_from_trouble)
{
	g_autoptr(GError) error = NULL;

	cr_assert_null(control_connect("/nonexistent/control.sock", &error));
	cr_assert(g_error_matches(error, CONTROL_ERROR, CONTROL_ERROR_ABSENT));
}

Test(control, socket_of_a_dead_collector_is_taken_over)
{
	struct control_server *server;
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	g_autofree char *directory = g_dir_make_tmp("mailtrace-control.XXXXXX", NULL);
	g_autofree char *path = g_build_filename(directory, "control.sock", NULL);
	g_autoptr(GError) error = NULL;
	struct stat info;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	g_strlcpy(address.sun_path, path, sizeof(address.sun_path));
	cr_assert_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	close(fd);
	cr_assert_null(control_connect(path, &error));
	cr_assert(g_error_matches(error, CONTROL_ERROR, CONTROL_ERROR_ABSENT));
	server = control_server_new(path, &handlers, NULL, NULL);
	cr_assert_not_null(server);
	cr_assert_eq(stat(path, &info), 0);
	cr_assert_eq(info.st_mode & 0777, 0660);
	control_server_free(server);
	g_rmdir(directory);
}

Test(control, second_collector_does_not_take_the_first_ones_socket)
{
	g_autoptr(GError) error = NULL;
	struct control *control;
	struct site site;

	site_start(&site);
	cr_assert_null(control_server_new(site.path, &handlers, NULL, &error));
	cr_assert(g_error_matches(error, CONTROL_ERROR, CONTROL_ERROR_REFUSED));
	control = connected(&site);
	cr_assert(control_reload(control, NULL));
	control_free(control);
	site_stop(&site);
}

Test(control, garbage_is_refused_and_the_next_request_served)
{
	static const char *const bad[] = {
		"",
		"x",
		"[]",
		"{}",
		"{\"op\":1}",
		"{\"op\":\"status\"}",
		"{\"op\":\"audit\"}",
		"{\"op\":\"ingest\",\"tenant\":\"a\",\"events\":[1]}",
		"{\"op\":\"reload\",\"op\":\"audit\"}",
	};
	struct site site;
	int fd;

	site_start(&site);
	fd = raw_connection(&site);
	for (guint i = 0; i < G_N_ELEMENTS(bad); i++) {
		g_autofree char *line = g_strconcat(bad[i], "\n", NULL);
		g_autofree char *answer = NULL;

		cr_assert_eq(send(fd, line, strlen(line), MSG_NOSIGNAL), (ssize_t)strlen(line));
		answer = raw_answer(fd);
		cr_assert_not_null(strstr(answer, "\"ok\":false"), "%s -> %s", bad[i], answer);
	}
	cr_assert_eq(send(fd, "{\"op\":\"reload\"}\n", 16, MSG_NOSIGNAL), 16);
	assert_answer(fd, "{\"ok\":true}");
	cr_assert_eq(site.reloads, 1);
	close(fd);
	site_stop(&site);
}

Test(control, requests_in_pieces_and_in_one_packet_are_served)
{
	const char *two = "{\"op\":\"reload\"}\n{\"op\":\"reload\"}\n{\"op\":\"rel";
	struct site site;
	int fd;

	site_start(&site);
	fd = raw_connection(&site);
	cr_assert_eq(send(fd, two, strlen(two), MSG_NOSIGNAL), (ssize_t)strlen(two));
	assert_answer(fd, "{\"ok\":true}");
	assert_answer(fd, "{\"ok\":true}");
	cr_assert_eq(send(fd, "oad\"}\n", 6, MSG_NOSIGNAL), 6);
	assert_answer(fd, "{\"ok\":true}");
	cr_assert_eq(site.reloads, 3);
	close(fd);
	site_stop(&site);
}

Test(control, line_over_the_cap_ends_its_connection_alone)
{
	g_autofree char *block = g_strnfill(65536, ' ');
	struct control *control;
	struct site site;
	gsize sent = 0;
	int fd;

	site_start(&site);
	fd = raw_connection(&site);
	while (sent <= 2 * (gsize)CONTROL_LINE_BYTES) {
		ssize_t n = send(fd, block, 65536, MSG_NOSIGNAL);

		if (n < 0)
			break;
		sent += (gsize)n;
	}
	cr_assert_lt(sent, 2 * (gsize)CONTROL_LINE_BYTES, "more than the cap was taken");
	cr_assert_geq(sent, (gsize)CONTROL_LINE_BYTES, "less than the cap was taken");
	control = connected(&site);
	cr_assert(control_reload(control, NULL));
	control_free(control);
	close(fd);
	site_stop(&site);
}

Test(control, crowd_of_idle_connections_delays_but_loses_nobody)
{
	struct control *control;
	struct site site;
	int idle[24];

	site_start(&site);
	for (guint i = 0; i < G_N_ELEMENTS(idle); i++)
		idle[i] = raw_connection(&site);
	control = connected(&site);
	for (guint i = 0; i < G_N_ELEMENTS(idle); i++)
		close(idle[i]);
	cr_assert(control_reload(control, NULL));
	control_free(control);
	site_stop(&site);
}

Test(control, crowd_that_stays_silent_makes_room, .timeout = 30)
{
	struct control *control;
	struct site site;
	int idle[24];

	site_start_with(&site, 0);
	for (guint i = 0; i < G_N_ELEMENTS(idle); i++)
		idle[i] = raw_connection(&site);
	control = connected(&site);
	cr_assert(control_reload(control, NULL));
	control_free(control);
	for (guint i = 0; i < G_N_ELEMENTS(idle); i++)
		close(idle[i]);
	site_stop(&site);
}

/* Patience that has not run out keeps the places, and who waits is served when one leaves. */
Test(control, crowd_within_its_patience_keeps_its_places, .timeout = 30)
{
	struct site site;
	struct pollfd answer = {.events = POLLIN};
	int idle[16];

	site_start(&site);
	for (guint i = 0; i < G_N_ELEMENTS(idle); i++) {
		idle[i] = raw_connection(&site);
		cr_assert_eq(send(idle[i], "{}\n", 3, MSG_NOSIGNAL), 3);
		assert_answer(idle[i], "{\"ok\":false,\"error\":\"no such operation\"}");
	}
	answer.fd = raw_connection(&site);
	cr_assert_eq(send(answer.fd, "{}\n", 3, MSG_NOSIGNAL), 3);
	cr_assert_eq(poll(&answer, 1, 200), 0, "nobody has left");
	close(idle[0]);
	assert_answer(answer.fd, "{\"ok\":false,\"error\":\"no such operation\"}");
	close(answer.fd);
	for (guint i = 1; i < G_N_ELEMENTS(idle); i++)
		close(idle[i]);
	site_stop(&site);
}

Test(control, path_too_long_for_a_socket_is_said_so)
{
	g_autofree char *path = g_strnfill(200, 'x');
	g_autoptr(GError) error = NULL;

	cr_assert_null(control_connect(path, &error));
	cr_assert(g_error_matches(error, CONTROL_ERROR, CONTROL_ERROR_REFUSED));
	g_clear_error(&error);
	cr_assert_null(control_server_new(path, &handlers, NULL, &error));
	cr_assert(g_error_matches(error, CONTROL_ERROR, CONTROL_ERROR_REFUSED));
}
