/* SPDX-License-Identifier: BSD-2-Clause */
#include <criterion/criterion.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "authorized_keys.h"
#include "settings.h"
#include "signing_key.h"

/* A private site in which everything a role needs is there. */
struct site {
	char *directory;
	GString *text; /* of the configuration */
};

static char *
path_in(const struct site *site, const char *name)
{
	return g_build_filename(site->directory, name, NULL);
}

static void
make_keys(const struct site *site)
{
	g_autofree char *site_key = path_in(site, "site.key");
	struct key_pair pair;

	cr_assert(key_pair_generate(&pair, NULL));
	cr_assert(key_pair_write(site->directory, "sensor", &pair, NULL));
	cr_assert(key_pair_generate(&pair, NULL));
	cr_assert(key_pair_write(site->directory, "collector", &pair, NULL));
	cr_assert(site_key_write(site_key, NULL));
}

/* Lines are counted by the tests: [site] is 1, [milter] 5, [spool] 10, [bus] 12. */
static struct site
site_new(void)
{
	struct site site = {g_dir_make_tmp("mailtrace-check.XXXXXX", NULL), g_string_new(NULL)};
	const char *d = site.directory;

	cr_assert_not_null(d);
	make_keys(&site);
	g_string_printf(site.text,
			"[site]\nsensor = mx1\ntenant = a\nsite_key = %s/site.key\n"
			"[milter]\nsocket = unix:%s/m.sock\nsocket_group =\nuser =\n"
			"temp_directory = %s\n"
			"[spool]\ndirectory = %s\n"
			"[bus]\ncollector = ipc://%s/e.sock\nsensor_key = %s/sensor.key\n"
			"collector_public_key = %s/collector.pub\n"
			"[collector]\nlisten = tcp://127.0.0.1:5560; ipc://%s/e.sock\n"
			"publish = ipc://%s/l.sock\nkey = %s/collector.key\n"
			"authorized_keys = %s/authorized_keys\ncontrol_socket = %s/c.sock\n"
			"expected_sensors = mx1; mx2\n"
			"[store]\nurl = sqlite:%s/store.db\n",
			d, d, d, d, d, d, d, d, d, d, d, d, d);
	return site;
}

static void
site_clear(struct site *site)
{
	static const char *const names[] = {"sensor.key",    "sensor.pub", "collector.key",
					    "collector.pub", "site.key",   "authorized_keys",
					    "file"};

	for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
		g_autofree char *path = path_in(site, names[i]);

		g_unlink(path);
	}
	cr_assert_eq(g_rmdir(site->directory), 0, "%s was not left empty", site->directory);
	g_string_free(site->text, TRUE);
	g_free(site->directory);
}

static gboolean
check(const struct site *site, const char *role, GError **error)
{
	g_autoptr(settings_t) settings =
		settings_parse("t.conf", site->text->str, site->text->len, error);

	cr_assert_not_null(settings, "%s", error && *error ? (*error)->message : "");
	return settings_check(settings, role, "t.conf", site->text->str, site->text->len, error);
}

/* Replaces one value, and expects the complaint to stand at the line and to name a remedy. */
static void
refused_with(struct site *site, const char *role, const char *key, const char *value,
	     const char *begin, const char *part)
{
	g_autofree char *pattern = g_strdup_printf("(?m)^%s = .*$", key);
	g_autoptr(GRegex) regex = g_regex_new(pattern, 0, 0, NULL);
	g_autofree char *line = g_strdup_printf("%s = %s", key, value);
	g_autofree char *changed =
		g_regex_replace_literal(regex, site->text->str, -1, 0, line, 0, NULL);
	g_autoptr(GError) error = NULL;

	cr_assert_str_neq(changed, site->text->str, "%s was not found", key);
	g_string_assign(site->text, changed);
	cr_assert_not(check(site, role, &error), "%s = %s was taken", key, value);
	cr_assert(g_error_matches(error, SETTINGS_ERROR, SETTINGS_ERROR_INVALID));
	cr_assert(g_str_has_prefix(error->message, begin), "%s", error->message);
	cr_assert(strstr(error->message, part), "%s", error->message);
	cr_assert(strchr(error->message, ';'), "no remedy: %s", error->message);
	cr_assert_null(strchr(error->message, '\n'), "%s", error->message);
}

static void
refused(const char *role, const char *key, const char *value, const char *begin, const char *part)
{
	struct site site = site_new();

	refused_with(&site, role, key, value, begin, part);
	site_clear(&site);
}

Test(settings_check, a_whole_site_passes_for_both_roles_and_opens_nothing)
{
	struct site site = site_new();
	g_autoptr(GError) error = NULL;

	cr_assert(check(&site, "milter", &error), "%s", error ? error->message : "");
	cr_assert(check(&site, "collect", &error), "%s", error ? error->message : "");
	site_clear(&site);
}

/* The site with a follower: its key is the sensor's, its log a file of the directory. */
static void
add_follow(struct site *site, const char *log, const char *spool)
{
	g_string_append_printf(site->text,
			       "[follow]\nlog = %s/%s\nspool_directory = %s%s\n"
			       "key = %s/sensor.key\n",
			       site->directory, log, site->directory, spool, site->directory);
}

/* Checks for the follower; returns what is wrong, or NULL. */
static char *
follow_fault(struct site *site)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(settings_t) settings =
		settings_parse("file", site->text->str, site->text->len, &error);

	cr_assert_not_null(settings, "%s", error ? error->message : "");
	if (settings_check(settings, "follow", "file", site->text->str, site->text->len, &error))
		return NULL;
	return g_strdup(error->message);
}

Test(settings_check, a_follower_needs_its_spool_and_waits_for_its_log)
{
	static const struct {
		const char *log, *spool, *fault;
	} cases[] = {
		{"mail.log", "", NULL},
		{"sensor.pub", "", NULL},
		{"mail.log", "/none", "spool_directory: "},
		{"sensor.pub/x", "", "log: "},
		{".", "", "log: "},
	};

	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		struct site site = site_new();
		g_autofree char *fault = NULL;

		add_follow(&site, cases[i].log, cases[i].spool);
		fault = follow_fault(&site);
		cr_assert_eq(fault == NULL, cases[i].fault == NULL, "%zu: %s", i, fault);
		if (fault != NULL)
			cr_assert_not_null(strstr(fault, cases[i].fault), "%s", fault);
		site_clear(&site);
	}
}

/* As add_follow(), with a log that stands in the configuration as it is. */
static char *
journal_fault(const char *log, const char *users)
{
	struct site site = site_new();
	char *fault;

	g_string_append_printf(site.text,
			       "[follow]\nlog = journal:%s\njournal_users = %s\n"
			       "spool_directory = %s\nkey = %s/sensor.key\n",
			       log, users, site.directory, site.directory);
	fault = follow_fault(&site);
	site_clear(&site);
	return fault;
}

Test(settings_check, a_journal_is_a_folder_and_its_users_are_known)
{
	static const struct {
		const char *log, *users, *fault;
	} cases[] = {
		{"/", "", NULL},
		{"/", "root; 4000000000", NULL},
		{"/", "root, nobody-of-that-name", "journal_users: there is no user"},
		{"/nonexistent", "", "log: /nonexistent is no folder"},
		{"/dev/null", "", "log: /dev/null is no folder"},
	};

	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *fault = journal_fault(cases[i].log, cases[i].users);

		cr_assert_eq(fault == NULL, cases[i].fault == NULL, "%zu: %s", i, fault);
		if (fault != NULL)
			cr_assert_not_null(strstr(fault, cases[i].fault), "%s", fault);
	}
}

Test(settings_check, a_journal_that_may_not_be_read_is_told_with_its_group)
{
	g_autofree char *folder = g_dir_make_tmp("mailtrace-journal.XXXXXX", NULL);
	g_autofree char *file = g_build_filename(folder, "system.journal", NULL), *fault = NULL;

	/* Unreadable to root as well: a link to itself. */
	cr_assert_eq(symlink("system.journal", file), 0);
	fault = journal_fault(folder, "");
	cr_assert(fault && strstr(fault, "group systemd-journal"), "%s", fault);
	unlink(file);
	rmdir(folder);
}

Test(settings_check, a_follower_without_a_collector_has_nobody_to_tell)
{
	struct site site = {g_dir_make_tmp("mailtrace-check.XXXXXX", NULL), g_string_new(NULL)};
	g_autofree char *fault = NULL;

	add_follow(&site, "mail.log", "");
	fault = follow_fault(&site);
	cr_assert_not_null(fault);
	cr_assert_not_null(strstr(fault, "collector: is empty"), "%s", fault);
	site_clear(&site);
}

Test(settings_check, missing_directories_are_named_with_their_line)
{
	refused("milter", "temp_directory", "/nonexistent/t",
		"t.conf:9: temp_directory: ", "/nonexistent/t: No such file");
	refused("milter", "directory", "/nonexistent/s", "t.conf:11: directory: ", "No such file");
	refused("milter", "socket", "unix:/nonexistent/m.sock",
		"t.conf:6: socket: ", "/nonexistent: No such file");
	refused("collect", "listen", "ipc:///nonexistent/e", "t.conf:17: listen: ", "No such file");
	refused("collect", "publish", "ipc:///nonexistent/l",
		"t.conf:18: publish: ", "No such file");
	refused("collect", "control_socket", "/nonexistent/c",
		"t.conf:21: control_socket: ", "No such file");
	refused("collect", "url", "sqlite:/nonexistent/db", "t.conf:24: url: ", "No such file");
}

Test(settings_check, a_default_that_does_not_hold_is_placed_at_its_group)
{
	struct site site = site_new();
	g_autoptr(GError) error = NULL;

	g_string_replace(site.text, "temp_directory = ", "#", 1);
	cr_assert_not(check(&site, "milter", &error));
	cr_assert(g_str_has_prefix(error->message, "t.conf:5: temp_directory: "), "%s",
		  error->message);
	site_clear(&site);
}

Test(settings_check, what_is_no_directory_is_refused)
{
	struct site site = site_new();
	g_autofree char *file = path_in(&site, "file");
	g_autofree char *socket = g_strconcat("unix:", file, NULL);
	g_autofree char *store = g_strconcat("sqlite:", site.directory, NULL);

	cr_assert(g_file_set_contents(file, "", 0, NULL));
	refused_with(&site, "milter", "directory", file,
		     "t.conf:11: directory: ", "not a directory");
	refused_with(&site, "milter", "socket", socket, "t.conf:6: socket: ", "no socket");
	refused_with(&site, "collect", "url", store, "t.conf:24: url: ", "is a directory");
	site_clear(&site);
}

/* Root may write anywhere, so the question is asked as nobody. */
static void
check_as_nobody(struct site *site)
{
	g_autoptr(GError) error = NULL;
	gboolean good;

	cr_assert_eq(g_chmod(site->directory, 0755), 0);
	if (geteuid() == 0)
		cr_assert_eq(seteuid(65534), 0);
	else
		cr_assert_eq(g_chmod(site->directory, 0555), 0);
	g_string_replace(site->text, "site_key = ", "#", 1);
	g_string_replace(site->text, "socket = unix:", "socket = inet:9@h#", 1);
	good = check(site, "milter", &error);
	if (geteuid() != getuid())
		cr_assert_eq(seteuid(0), 0);
	cr_assert_eq(g_chmod(site->directory, 0700), 0);
	cr_assert_not(good);
	cr_assert(g_str_has_prefix(error->message, "t.conf:9: temp_directory: "), "%s",
		  error->message);
	cr_assert(strstr(error->message, "writable"), "%s", error->message);
}

Test(settings_check, a_directory_that_cannot_be_written_is_refused)
{
	struct site site = site_new();

	check_as_nobody(&site);
	site_clear(&site);
}

Test(settings_check, keys_that_cannot_be_used_are_named)
{
	struct site site = site_new();
	g_autofree char *file = path_in(&site, "file");

	cr_assert(g_file_set_contents(file, "hello\n", -1, NULL));
	cr_assert_eq(g_chmod(file, 0600), 0);
	refused_with(&site, "milter", "sensor_key", file, "t.conf:14: sensor_key: ", file);
	refused_with(&site, "milter", "site_key", file, "t.conf:4: site_key: ", file);
	refused_with(&site, "collect", "key", "/nonexistent.key",
		     "t.conf:19: key: ", "No such file");
	site_clear(&site);
}

Test(settings_check, a_key_of_another_user_is_to_be_given_to_this_one)
{
	struct site site = site_new();
	g_autofree char *secret = path_in(&site, "./site.key");

	cr_assert_eq(g_chmod(secret, 0), 0);
	cr_assert_eq(g_chmod(site.directory, 0755), 0);
	if (geteuid() == 0)
		cr_assert_eq(seteuid(65534), 0);
	refused_with(&site, "milter", "site_key", secret, "t.conf:4: site_key: ", "; chown it");
	if (geteuid() != getuid())
		cr_assert_eq(seteuid(0), 0);
	site_clear(&site);
}

Test(settings_check, a_secret_that_others_may_read_is_refused)
{
	struct site site = site_new();
	g_autofree char *secret = path_in(&site, "sensor.key");
	g_autofree char *spelled = path_in(&site, "./sensor.key");

	cr_assert_eq(g_chmod(secret, 0644), 0);
	refused_with(&site, "milter", "sensor_key", spelled,
		     "t.conf:14: sensor_key: ", "mode 0644");
	site_clear(&site);
}

Test(settings_check, a_list_of_passwords_that_cannot_be_used_is_named)
{
	struct site site = site_new();
	g_autofree char *file = path_in(&site, "file");

	cr_assert(g_file_set_contents(file, "a\n", -1, NULL));
	cr_assert_eq(g_chmod(file, 0600), 0);
	g_string_append_printf(site.text, "[scanner]\npasswords = %s\n", file);
	cr_assert(check(&site, "milter", NULL));
	cr_assert_eq(g_chmod(file, 0644), 0);
	g_string_append_c(site.text, '\n');
	g_free(file);
	file = path_in(&site, "./file");
	refused_with(&site, "milter", "passwords", file, "t.conf:26: passwords: ", "mode 0644");
	site_clear(&site);
}

Test(settings_check, a_line_of_authorized_keys_that_is_none_is_named)
{
	struct site site = site_new();
	g_autofree char *path = path_in(&site, "authorized_keys");
	g_autoptr(GError) error = NULL;

	cr_assert(g_file_set_contents(path, "# fine\nmx1 short a publish\n", -1, NULL));
	cr_assert_not(check(&site, "collect", &error));
	cr_assert(g_str_has_prefix(error->message, "t.conf:20: authorized_keys: "), "%s",
		  error->message);
	cr_assert(strstr(error->message, "authorized_keys:2"), "%s", error->message);
	site_clear(&site);
}

Test(settings_check, without_a_collector_no_keys_are_needed)
{
	struct site site = site_new();
	g_autofree char *secret = path_in(&site, "sensor.key");
	g_autoptr(GError) error = NULL;

	g_unlink(secret);
	cr_assert_not(check(&site, "milter", NULL));
	g_string_replace(site.text, "collector = ipc", "#", 1);
	cr_assert(check(&site, "milter", &error), "%s", error ? error->message : "");
	site_clear(&site);
}

Test(settings_check, names_accounts_and_groups_are_checked)
{
	refused("milter", "sensor", "mx 1", "t.conf:2: sensor: ", "\"mx 1\" is no name");
	refused("milter", "tenant", "a/b", "t.conf:3: tenant: ", "\"a/b\" is no name");
	refused("collect", "expected_sensors", "mx1; .x",
		"t.conf:22: expected_sensors: ", "\".x\" is no name");
}

Test(settings_check, a_group_or_user_that_does_not_exist_is_refused)
{
	struct site site = site_new();
	g_autoptr(GError) error = NULL;

	g_string_replace(site.text, "socket_group =", "socket_group = no-such-group", 1);
	cr_assert_not(check(&site, "milter", &error));
	cr_assert(g_str_has_prefix(error->message, "t.conf:7: socket_group: "), "%s",
		  error->message);
	g_clear_error(&error);
	g_string_replace(site.text, " = no-such-group", " =", 1);
	g_string_replace(site.text, "user =", "user = no-such-user", 1);
	cr_assert_eq(check(&site, "milter", &error), geteuid() != 0);
	site_clear(&site);
}

Test(settings_check, a_journal_key_is_one_or_is_none)
{
	g_autoptr(signing_key_t) key = signing_key_generate(NULL);
	struct site site = site_new();
	g_autofree char *line =
		g_strdup_printf("[collector]\njournal_key = %s/journal.key\n", site.directory);
	g_autofree char *public_path = path_in(&site, "journal.pub");
	g_autofree char *secret_path = path_in(&site, "journal.key");
	g_autofree char *curve_path = path_in(&site, "collector.key");
	g_autoptr(GError) error = NULL;

	cr_assert(signing_key_write(key, site.directory, "journal", NULL));
	g_string_replace(site.text, "[collector]\n", line, 0);
	cr_assert(check(&site, "collect", &error), "%s", error ? error->message : "");
	refused_with(&site, "collect", "journal_key", public_path, "t.conf:", "too open");
	refused_with(&site, "collect", "journal_key", curve_path, "t.conf:", "Ed25519");
	refused_with(&site, "collect", "journal_key", "/nonexistent/x.key",
		     "t.conf:", "No such file");
	g_unlink(public_path);
	g_unlink(secret_path);
	site_clear(&site);
}
