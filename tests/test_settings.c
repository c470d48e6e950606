/* SPDX-License-Identifier: BSD-2-Clause */
#include <criterion/criterion.h>
#include <string.h>
#include <unistd.h>

#include "caps.h"
#include "settings.h"

static struct settings *
parse(const char *text)
{
	g_autoptr(GError) error = NULL;
	struct settings *settings = settings_parse("t.conf", text, strlen(text), &error);

	cr_assert_not_null(settings, "%s", error ? error->message : "");
	return settings;
}

/* The whole message is compared up to the remedy, so that file and line are held too. */
static void
refused(const char *text, const char *begin)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(settings_t) settings = settings_parse("t.conf", text, strlen(text), &error);

	cr_assert_null(settings, "taken: %s", text);
	cr_assert(g_error_matches(error, SETTINGS_ERROR, SETTINGS_ERROR_INVALID));
	cr_assert(g_str_has_prefix(error->message, begin), "%s", error->message);
	cr_assert_null(strchr(error->message, '\n'), "more than a line: %s", error->message);
	cr_assert(strchr(error->message, ';'), "no remedy: %s", error->message);
}

Test(settings, an_empty_file_gives_every_default)
{
	g_autoptr(settings_t) settings = parse("");

	cr_assert_str_eq(settings->sensor, g_get_host_name());
	cr_assert_str_eq(settings->tenant, "default");
	cr_assert_str_eq(settings->socket, "unix:/var/spool/postfix/mailtrace/milter.sock");
	cr_assert_eq(settings->socket_mode, 0660);
	cr_assert_eq(settings->max_connections, 1000);
	cr_assert_eq(settings->on_unrecorded, ON_UNRECORDED_TEMPFAIL);
	cr_assert_eq(settings->on_unread, ON_UNREAD_ACCEPT);
	cr_assert(network_list_contains(settings->trusted_hops, "127.0.0.1"));
	cr_assert_eq(g_strv_length(settings->stamp), 2);
	cr_assert_eq(g_strv_length(settings->local_domains), 0);
	cr_assert_str_eq(settings->collector, "");
	cr_assert(g_str_has_prefix(settings->store, "sqlite:/"));
}

Test(settings, every_default_of_the_table_is_a_value_its_key_takes)
{
	g_autoptr(GString) text = g_string_new(NULL);
	g_autoptr(settings_t) settings = NULL;
	const struct settings_key *keys;
	const char *group = "";
	gsize count;

	keys = settings_keys(&count);
	for (gsize i = 0; i < count; i++) {
		if (!g_str_equal(group, keys[i].group))
			g_string_append_printf(text, "[%s]\n", keys[i].group);
		group = keys[i].group;
		g_string_append_printf(text, "%s = %s\n", keys[i].key, keys[i].fallback);
		cr_assert(*keys[i].help);
	}
	settings = parse(text->str);
	cr_assert_geq(count, 30);
}

Test(settings, no_member_is_null)
{
	g_autoptr(settings_t) s = parse("");
	const void *members[] = {s->sensor,	    s->tenant,
				 s->local_domains,  s->local_networks,
				 s->trusted_hops,   s->backup_mx,
				 s->site_key,	    s->socket,
				 s->socket_group,   s->user,
				 s->temp_directory, s->exempt_networks,
				 s->stamp,	    s->spool_directory,
				 s->collector,	    s->sensor_key,
				 s->listen,	    s->collector_public_key,
				 s->publish,	    s->collector_key,
				 s->control_socket, s->authorized_keys,
				 s->store,	    s->expected_sensors};

	for (gsize i = 0; i < G_N_ELEMENTS(members); i++)
		cr_assert_not_null(members[i], "member %zu", i);
}

Test(settings, values_of_each_kind_are_read)
{
	g_autoptr(settings_t) settings = parse("# comment\n"
					       "[site]\n"
					       "sensor = mx1\n"
					       "local_domains = example.org; .example.net,a.b\n"
					       "backup_mx = 192.0.2.0/24, 2001:db8::/32\n"
					       "\n"
					       "[milter]\n"
					       "socket = inet:8890@127.0.0.1\n"
					       "socket_mode = 0640\n"
					       "backlog=7\n"
					       "max_in_flight_bytes = 2G\n"
					       "stamp = outbound\n"
					       "user =\n"
					       "[policy]\n"
					       "on_unrecorded = accept\n"
					       "on_unread = tempfail\n"
					       "[collector]\n"
					       "listen = ipc:///run/a.sock; tcp://*:5560\n");

	cr_assert_str_eq(settings->sensor, "mx1");
	cr_assert_eq(g_strv_length(settings->local_domains), 3);
	cr_assert_str_eq(settings->local_domains[1], ".example.net");
	cr_assert(network_list_contains(settings->backup_mx, "2001:db8::25"));
	cr_assert_str_eq(settings->socket, "inet:8890@127.0.0.1");
	cr_assert_eq(settings->socket_mode, 0640);
	cr_assert_eq(settings->backlog, 7);
	cr_assert_eq(settings->max_in_flight_bytes, G_GUINT64_CONSTANT(2) << 30);
	cr_assert_str_eq(settings->stamp[0], "outbound");
	cr_assert_null(settings->stamp[1]);
	cr_assert_str_eq(settings->user, "");
	cr_assert_eq(settings->on_unrecorded, ON_UNRECORDED_ACCEPT);
	cr_assert_eq(settings->on_unread, ON_UNREAD_TEMPFAIL);
	cr_assert_str_eq(settings->listen[1], "tcp://*:5560");
}

Test(settings, sizes_take_units)
{
	static const struct {
		const char *text;
		guint64 bytes;
	} rows[] = {{"17", 17},
		    {"4k", 4096},
		    {"3 M", 3 << 20},
		    {"1G", 1 << 30},
		    {"1024T", G_GUINT64_CONSTANT(1) << 50}};

	for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autofree char *text = g_strdup_printf("[spool]\nmax_bytes=%s\n", rows[i].text);
		g_autoptr(settings_t) settings = parse(text);

		cr_assert_eq(settings->spool_max_bytes, rows[i].bytes, "%s", rows[i].text);
	}
	refused("[spool]\nmax_bytes = 1025T\n", "t.conf:2: max_bytes: ");
	refused("[spool]\nmax_bytes = G\n", "t.conf:2: max_bytes: ");
	refused("[spool]\nmax_bytes = -1\n", "t.conf:2: max_bytes: ");
	refused("[spool]\nmax_bytes = 99999999999999999999T\n", "t.conf:2: max_bytes: ");
	refused("[spool]\nmax_bytes = 1.5G\n", "t.conf:2: max_bytes: ");
}

Test(settings, an_unknown_key_names_the_nearest_known_one)
{
	refused("[site]\nsensor = a\n[milter]\n\nsoket = unix:/a\n",
		"t.conf:5: [milter] has no key \"soket\"; the nearest is \"socket\" of [milter]");
	refused("[spool]\nspool_max_bytes = 1\n",
		"t.conf:2: [spool] has no key \"spool_max_bytes\"; the nearest is \"max_bytes\"");
}

Test(settings, a_key_of_another_group_is_sent_there)
{
	refused("[milter]\ntenant = a\n",
		"t.conf:2: [milter] has no key \"tenant\"; the nearest is \"tenant\" of [site]");
}

Test(settings, an_unknown_group_names_the_nearest_known_one)
{
	refused("\n[milters]\n", "t.conf:2: there is no group [milters]; the nearest is [milter]");
	refused("[]\n", "t.conf:1: there is no group []");
}

Test(settings, a_line_that_is_nothing_is_named)
{
	refused("[site]\nhello\n", "t.conf:2: \"hello\" is no group, key or comment");
	refused("sensor = a\n", "t.conf:1: \"sensor\" stands before the first group; write [site]");
	refused("[site]\nsensor = \xff\n", "t.conf:2: not UTF-8");
	refused("[site]\n= a\n", "t.conf:2: ");
}

Test(settings, a_key_given_twice_is_refused)
{
	refused("[site]\nsensor=a\n[milter]\n[site]\nsensor=b\n",
		"t.conf:5: \"sensor\" is given twice; take out this one or line 2");
}

Test(settings, values_out_of_range_name_line_and_range)
{
	refused("[milter]\nbacklog = 0\n",
		"t.conf:2: backlog: \"0\" is not a number from 1 to 65535");
	refused("[milter]\nbacklog = 65536\n", "t.conf:2: backlog: ");
	refused("[milter]\nmax_connections = many\n", "t.conf:2: max_connections: \"many\"");
	refused("[scanner]\nworkers = 257\n", "t.conf:2: workers: ");
	refused("[scanner]\nread_timeout_ms = 99\n", "t.conf:2: read_timeout_ms: ");
	refused("[milter]\nsocket_mode = 0888\n", "t.conf:2: socket_mode: ");
	refused("[milter]\nsocket_mode = 01777\n", "t.conf:2: socket_mode: ");
}

Test(settings, words_that_are_no_choice_name_the_choices)
{
	refused("[policy]\non_unread = reject\n",
		"t.conf:2: on_unread: \"reject\" is not known; write one of accept, hold, tempfail");
	refused("[policy]\non_unrecorded = hold\n", "t.conf:2: on_unrecorded: \"hold\"");
	refused("[milter]\nstamp = inbound; sideways\n", "t.conf:2: stamp: \"sideways\"");
}

Test(settings, addresses_that_nobody_can_bind_are_refused)
{
	static const char *const sockets[] = {"/run/a",	    "unix:a",
					      "unix:",	    "unix:/",
					      "inet:",	    "inet:0@localhost",
					      "inet:65536", "inet:25@",
					      "tcp://*:1",  "inet:smtp@localhost"};
	static const char *const endpoints[] = {"ipc://a",    "ipc://",	   "tcp://",
						"tcp://host", "tcp://:5",  "tcp://h:0",
						"udp://h:5",  "tcp://h:x", "tcp://h:70000"};

	for (gsize i = 0; i < G_N_ELEMENTS(sockets); i++) {
		g_autofree char *text = g_strdup_printf("[milter]\nsocket = %s\n", sockets[i]);

		refused(text, "t.conf:2: socket: ");
	}
	for (gsize i = 0; i < G_N_ELEMENTS(endpoints); i++) {
		g_autofree char *one = g_strdup_printf("[bus]\ncollector = %s\n", endpoints[i]);
		g_autofree char *many =
			g_strdup_printf("[collector]\nlisten = tcp://a:1;%s\n", endpoints[i]);

		refused(one, "t.conf:2: collector: ");
		refused(many, "t.conf:2: listen: ");
	}
	refused("[collector]\nlisten = ;\n", "t.conf:2: listen: no endpoint");
	refused("[store]\nurl = postgres:/a\n", "t.conf:2: url: ");
	refused("[store]\nurl = sqlite:a\n", "t.conf:2: url: ");
	refused("[spool]\ndirectory = spool\n", "t.conf:2: directory: ");
	refused("[spool]\ndirectory =\n", "t.conf:2: directory: ");
}

Test(settings, a_log_is_a_file_or_a_journal)
{
	static const char *const good[] = {"/var/log/mail.log", "journal:", "journal:mail",
					   "journal:mail_1-a.b", "journal:/var/log/journal/remote"};
	static const char *const bad[] = {
		"",	      "mail.log",    "journal",	    "journal:.",
		"journal:..", "journal:a/b", "journal:a b", "journal:\xc3\xa9",
		"journald:",  "journal:a;b"};
	g_autofree char *longest = g_strnfill(128, 'x');
	g_autofree char *too_long = g_strdup_printf("[follow]\nlog = journal:%sx\n", longest);
	g_autofree char *not_too_long = g_strdup_printf("[follow]\nlog = journal:%s\n", longest);
	g_autoptr(settings_t) with_longest = parse(not_too_long);

	cr_assert_not_null(with_longest);
	refused(too_long, "t.conf:2: log: ");
	for (gsize i = 0; i < G_N_ELEMENTS(good); i++) {
		g_autofree char *text = g_strdup_printf("[follow]\nlog = %s\n", good[i]);
		g_autoptr(settings_t) settings = parse(text);

		cr_assert_str_eq(settings->follow_log, good[i]);
	}
	for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
		g_autofree char *text = g_strdup_printf("[follow]\nlog = %s\n", bad[i]);

		refused(text, "t.conf:2: log: ");
	}
}

Test(settings, a_key_is_sent_to_no_address_where_others_could_read_it)
{
	static const char *const good[] = {"", "https://mail.example.org:8080/doveadm/v1",
					   "http://127.0.0.1:8080/doveadm/v1", "http://[::1]:1/"};
	static const char *const wrong[] = {"http://mail.example.org:8080/doveadm/v1",
					    "http://192.0.2.1:80/",
					    "http://127.0.0.1/v1",
					    "http://127.0.0.1:80@192.0.2.1:80/",
					    "https://",
					    "https:///v1",
					    "https://a b/",
					    "ftp://127.0.0.1:1/",
					    "127.0.0.1:80"};

	for (gsize i = 0; i < G_N_ELEMENTS(good); i++) {
		g_autofree char *text = g_strdup_printf("[mailstore]\nurl = %s\n", good[i]);
		g_autoptr(settings_t) settings = parse(text);

		cr_assert_str_eq(settings->mailstore_url, good[i]);
	}
	for (gsize i = 0; i < G_N_ELEMENTS(wrong); i++) {
		g_autofree char *text = g_strdup_printf("[mailstore]\nurl = %s\n", wrong[i]);

		refused(text, "t.conf:2: url: ");
	}
}

Test(settings, a_socket_path_is_as_long_as_the_kernel_takes_and_no_longer)
{
	g_autofree char *path = g_strnfill(106, 'a');
	g_autofree char *fits = g_strdup_printf("[milter]\nsocket=unix:/%s\n", path);
	g_autofree char *too_long = g_strdup_printf("[milter]\nsocket=unix:/%sb\n", path);
	g_autoptr(settings_t) settings = parse(fits);

	cr_assert_eq(strlen(settings->socket), strlen("unix:") + 107);
	refused(too_long, "t.conf:2: socket: ");
}

Test(settings, a_wrong_network_is_named)
{
	refused("[site]\n\nlocal_networks = 10.0.0.1/8\n",
		"t.conf:3: local_networks: \"10.0.0.1/8\" has host bits set");
}

Test(settings, a_wrong_escape_is_an_error_and_not_another_value)
{
	refused("[site]\nsensor = a\\qb\n", "t.conf:2: sensor: has a wrong escape");
}

Test(settings, hostile_names_come_out_harmless)
{
	refused("[site]\n\x1b[2J = a\n", "t.conf:2: [site] has no key \"\\x1b[2J\"");
}

Test(settings, size_of_a_file_is_capped)
{
	g_autofree char *text = g_strnfill(CAP_CONFIG_BYTES + 1, '\n');
	g_autoptr(GError) error = NULL;
	g_autoptr(settings_t) fits = NULL;

	cr_assert_null(settings_parse("t.conf", text, CAP_CONFIG_BYTES + 1, &error));
	cr_assert(g_str_has_prefix(error->message, "t.conf:1: larger than 65536 bytes"));
	g_clear_error(&error);
	fits = settings_parse("t.conf", text, CAP_CONFIG_BYTES, &error);
	cr_assert_not_null(fits);
	g_clear_pointer(&fits, settings_unref);
	fits = settings_parse("t.conf", text, CAP_CONFIG_BYTES - 1, &error);
	cr_assert_not_null(fits);
}

Test(settings, nul_bytes_are_refused)
{
	g_autoptr(GError) error = NULL;

	cr_assert_null(settings_parse("t.conf", "[site]\0\n", 8, &error));
	cr_assert(strstr(error->message, "NUL"));
}

Test(settings, an_endless_file_ends_at_the_cap)
{
	g_autoptr(GError) error = NULL;

	cr_assert_null(settings_read("/dev/zero", &error));
	cr_assert(strstr(error->message, "larger than"), "%s", error->message);
}

Test(settings, a_file_that_cannot_be_read_is_named)
{
	g_autoptr(GError) error = NULL;

	cr_assert_null(settings_read("/nonexistent/mailtrace.conf", &error));
	cr_assert(g_error_matches(error, SETTINGS_ERROR, SETTINGS_ERROR_READ));
	cr_assert(g_str_has_prefix(error->message, "/nonexistent/mailtrace.conf: cannot be read: "
						   "No such file or directory; "));
	g_clear_error(&error);
	cr_assert_null(settings_read("/", &error));
	cr_assert(g_error_matches(error, SETTINGS_ERROR, SETTINGS_ERROR_READ));
}

Test(settings, a_file_is_read_as_its_text)
{
	char path[] = "/tmp/mailtrace-settings.XXXXXX";
	int fd = g_mkstemp(path);
	g_autoptr(GError) error = NULL;
	g_autoptr(settings_t) settings = NULL;

	cr_assert_geq(fd, 0);
	close(fd);
	cr_assert(g_file_set_contents(path, "[site]\r\nsensor = mx2\r\n", -1, NULL));
	settings = settings_read(path, &error);
	unlink(path);
	cr_assert_not_null(settings, "%s", error ? error->message : "");
	cr_assert_str_eq(settings->sensor, "mx2");
}

Test(settings, lines_of_keys_are_found)
{
	static const char text[] =
		"# a\n[site]\nsensor=a\n[milter]\n\n  backlog = 3\n[site]\ntenant=b";
	gsize length = sizeof text - 1;

	cr_assert_eq(settings_line(text, length, "site", "sensor"), 3);
	cr_assert_eq(settings_line(text, length, "site", "tenant"), 8);
	cr_assert_eq(settings_line(text, length, "milter", "backlog"), 6);
	cr_assert_eq(settings_line(text, length, "milter", "socket"), 4, "the group's header");
	cr_assert_eq(settings_line(text, length, "spool", "directory"), 0);
}

Test(settings, a_reference_outlives_the_first_owner)
{
	struct settings *settings = parse("[site]\nsensor = a\n");
	struct settings *mine = settings_ref(settings);

	settings_unref(settings);
	cr_assert_str_eq(mine->sensor, "a");
	settings_unref(mine);
	settings_unref(NULL);
}
