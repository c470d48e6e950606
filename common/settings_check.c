/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a role needs of the machine, asked before anything is opened.  Apart
 * from settings.c, since it stands on the keys and looks at the file system,
 * which reading a configuration does not.
 */
#include "settings.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "authorized_keys.h"
#include "password_list.h"
#include "signing_key.h"

/* Where a complaint about a key is placed. */
struct check {
	const struct settings *settings;
	const char *name;
	const char *text;
	gsize length;
};

static gboolean complain(const struct check *check, const char *group, const char *key,
			 GError **error, const char *format, ...) G_GNUC_PRINTF(5, 6);

static gboolean
complain(const struct check *check, const char *group, const char *key, GError **error,
	 const char *format, ...)
{
	guint line = settings_line(check->text, check->length, group, key);
	g_autofree char *what = NULL;
	va_list arguments;

	va_start(arguments, format);
	what = g_strdup_vprintf(format, arguments);
	va_end(arguments);
	g_set_error(error, SETTINGS_ERROR, SETTINGS_ERROR_INVALID, "%s:%u: %s: %s", check->name,
		    MAX(line, 1), key, what);
	return FALSE;
}

static gboolean
check_directory(const struct check *check, const char *group, const char *key,
		const char *directory, GError **error)
{
	struct stat status;

	if (stat(directory, &status) != 0)
		return complain(check, group, key, error, "%s: %s; make the directory", directory,
				g_strerror(errno));
	if (!S_ISDIR(status.st_mode))
		return complain(check, group, key, error, "%s is not a directory; name another",
				directory);
	if (faccessat(AT_FDCWD, directory, R_OK | W_OK | X_OK, AT_EACCESS) != 0)
		return complain(check, group, key, error,
				"%s: %s; make it writable for the user of this program", directory,
				g_strerror(errno));
	return TRUE;
}

/* The directory of a socket or file that this program is going to make. */
static gboolean
check_parent(const struct check *check, const char *group, const char *key, const char *path,
	     GError **error)
{
	g_autofree char *directory = g_path_get_dirname(path);
	struct stat status;

	if (!check_directory(check, group, key, directory, error))
		return FALSE;
	if (lstat(path, &status) == 0 && S_ISDIR(status.st_mode))
		return complain(check, group, key, error, "%s is a directory; name a file in it",
				path);
	return TRUE;
}

/* Like check_parent(), for a path where nothing but a socket may be replaced. */
static gboolean
check_socket(const struct check *check, const char *group, const char *key, const char *path,
	     GError **error)
{
	struct stat status;

	if (!check_parent(check, group, key, path, error))
		return FALSE;
	if (lstat(path, &status) == 0 && !S_ISSOCK(status.st_mode))
		return complain(check, group, key, error,
				"%s exists and is no socket; take it away or name another", path);
	return TRUE;
}

static gboolean
check_endpoint(const struct check *check, const char *group, const char *key, const char *endpoint,
	       GError **error)
{
	static const char ipc[] = "ipc://";

	if (!g_str_has_prefix(endpoint, ipc))
		return TRUE;
	return check_socket(check, group, key, endpoint + strlen(ipc), error);
}

static gboolean
check_name(const struct check *check, const char *group, const char *key, const char *value,
	   GError **error)
{
	if (key_name_is_valid(value))
		return TRUE;
	return complain(check, group, key, error,
			"\"%s\" is no name; write 1 to 64 of A-Z a-z 0-9 . _ -", value);
}

/* Hands on what a reader of keys said of path; GError of its own is freed. */
static gboolean
check_key(const struct check *check, const char *group, const char *key, const char *path,
	  gboolean good, GError *why, GError **error)
{
	gboolean is_others;

	if (good)
		return TRUE;
	is_others = faccessat(AT_FDCWD, path, R_OK, AT_EACCESS) != 0 && errno == EACCES;
	complain(check, group, key, error, "%s; %s", why->message,
		 is_others ? "chown it to the user that runs this" : "mailtrace keygen makes keys");
	g_error_free(why);
	return FALSE;
}

static gboolean
check_secret_key(const struct check *check, const char *group, const char *key, const char *path,
		 GError **error)
{
	GError *why = NULL;
	struct key_pair pair;
	gboolean good = key_pair_read(path, &pair, &why);

	if (good)
		key_pair_clear(&pair);
	return check_key(check, group, key, path, good, why, error);
}

static gboolean
check_public_key(const struct check *check, const char *group, const char *key, const char *path,
		 GError **error)
{
	char public_key[KEY_Z85_LENGTH + 1];
	GError *why = NULL;
	gboolean good = public_key_read(path, public_key, &why);

	return check_key(check, group, key, path, good, why, error);
}

static gboolean
check_site_key(const struct check *check, GError **error)
{
	guint8 site_key[SITE_KEY_BYTES];
	GError *why = NULL;
	gboolean good;

	if (!*check->settings->site_key)
		return TRUE;
	good = site_key_read(check->settings->site_key, site_key, &why);
	explicit_bzero(site_key, sizeof site_key);
	return check_key(check, "site", "site_key", check->settings->site_key, good, why, error);
}

static gboolean
check_passwords(const struct check *check, GError **error)
{
	g_autoptr(GError) why = NULL;
	char **list;

	if (!*check->settings->scanner_passwords)
		return TRUE;
	list = password_list_read(check->settings->scanner_passwords, &why);
	if (!list)
		return complain(check, "scanner", "passwords", error,
				"%s; it has one password a line, and mode 0600", why->message);
	password_list_free(list);
	return TRUE;
}

static gboolean
check_milter_socket(const struct check *check, GError **error)
{
	static const char scheme[] = "unix:";
	const struct settings *settings = check->settings;

	if (!g_str_has_prefix(settings->socket, scheme))
		return TRUE;
	if (!check_socket(check, "milter", "socket", settings->socket + strlen(scheme), error))
		return FALSE;
	if (*settings->socket_group && !getgrnam(settings->socket_group))
		return complain(check, "milter", "socket_group", error,
				"there is no group \"%s\"; name the MTA's, or none",
				settings->socket_group);
	return TRUE;
}

static gboolean
check_user(const struct check *check, GError **error)
{
	const char *user = check->settings->user;

	if (geteuid() != 0 || !*user || getpwnam(user))
		return TRUE;
	return complain(check, "milter", "user", error,
			"there is no user \"%s\"; make it, or name another", user);
}

static gboolean
check_sensor_keys(const struct check *check, GError **error)
{
	const struct settings *settings = check->settings;

	if (!*settings->collector)
		return TRUE;
	return check_secret_key(check, "bus", "sensor_key", settings->sensor_key, error) &&
	       check_public_key(check, "bus", "collector_public_key",
				settings->collector_public_key, error);
}

static gboolean
check_milter(const struct check *check, GError **error)
{
	const struct settings *settings = check->settings;

	return check_name(check, "site", "sensor", settings->sensor, error) &&
	       check_name(check, "site", "tenant", settings->tenant, error) &&
	       check_site_key(check, error) && check_passwords(check, error) &&
	       check_milter_socket(check, error) && check_user(check, error) &&
	       check_directory(check, "milter", "temp_directory", settings->temp_directory,
			       error) &&
	       check_directory(check, "spool", "directory", settings->spool_directory, error) &&
	       check_sensor_keys(check, error);
}

static gboolean
check_journal_key(const struct check *check, GError **error)
{
	g_autoptr(signing_key_t) key = NULL;
	GError *why = NULL;

	if (!*check->settings->journal_key)
		return TRUE;
	key = signing_key_read(check->settings->journal_key, &why);
	return check_key(check, "collector", "journal_key", check->settings->journal_key,
			 key != NULL, why, error);
}

static gboolean
check_authorized_keys(const struct check *check, GError **error)
{
	GError *why = NULL;
	struct authorized_keys *keys = authorized_keys_read(check->settings->authorized_keys, &why);
	gboolean good = keys != NULL;

	authorized_keys_free(keys);
	return check_key(check, "collector", "authorized_keys", check->settings->authorized_keys,
			 good, why, error);
}

static gboolean
check_endpoints(const struct check *check, GError **error)
{
	const struct settings *settings = check->settings;

	for (char **endpoint = settings->listen; *endpoint; endpoint++)
		if (!check_endpoint(check, "collector", "listen", *endpoint, error))
			return FALSE;
	return check_endpoint(check, "collector", "publish", settings->publish, error);
}

static gboolean
check_names(const struct check *check, const char *key, char **names, GError **error)
{
	for (; *names; names++)
		if (!check_name(check, "collector", key, *names, error))
			return FALSE;
	return TRUE;
}

static gboolean
check_collect(const struct check *check, GError **error)
{
	const struct settings *settings = check->settings;
	const char *store = strchr(settings->store, ':') + 1;

	return check_endpoints(check, error) &&
	       check_socket(check, "collector", "control_socket", settings->control_socket,
			    error) &&
	       check_names(check, "expected_sensors", settings->expected_sensors, error) &&
	       check_names(check, "expected_followers", settings->expected_followers, error) &&
	       check_secret_key(check, "collector", "key", settings->collector_key, error) &&
	       check_journal_key(check, error) && check_authorized_keys(check, error) &&
	       check_parent(check, "store", "url", store, error);
}

/* A journal's files, all of one group; those that are not there yet are waited for. */
static gboolean
check_journal_folder(const struct check *check, const char *folder, GError **error)
{
	g_autofree char *path = g_build_filename(folder, "system.journal", NULL);

	if ((access(folder, R_OK | X_OK) == 0 || errno == ENOENT) &&
	    (access(path, R_OK) == 0 || errno == ENOENT))
		return TRUE;
	return complain(check, "follow", "log", error,
			"%s: %s; put the user of this program into the group systemd-journal",
			folder, g_strerror(errno));
}

/* This machine's journal, or a namespace's: systemd-journald.service(8), "Files". */
static gboolean
check_local_journal(const struct check *check, const char *namespace, GError **error)
{
	static const char *const bases[] = {"/var/log/journal", "/run/log/journal"};
	g_autofree char *machine = NULL;
	gboolean is_there = FALSE;

	if (!g_file_get_contents("/etc/machine-id", &machine, NULL, NULL))
		return complain(check, "follow", "log", error,
				"this machine has no /etc/machine-id, and so no journal; name the "
				"MTA's log");
	g_strstrip(machine);
	for (gsize i = 0; i < G_N_ELEMENTS(bases); i++) {
		g_autofree char *folder =
			g_strconcat(bases[i], "/", machine, *namespace ? "." : "", namespace, NULL);

		if (!check_journal_folder(check, folder, error))
			return FALSE;
		is_there = is_there || access(folder, F_OK) == 0;
	}
	/* That of a namespace comes with the first unit that is in it. */
	if (is_there || *namespace)
		return TRUE;
	return complain(check, "follow", "log", error,
			"there is no journal on this machine; name the MTA's log");
}

static gboolean
check_journal(const struct check *check, const char *where, GError **error)
{
	struct stat status;

	if (!g_path_is_absolute(where))
		return check_local_journal(check, where, error);
	if (stat(where, &status) != 0 || !S_ISDIR(status.st_mode))
		return complain(check, "follow", "log", error,
				"%s is no folder of a journal's files; name another", where);
	return check_journal_folder(check, where, error);
}

static gboolean
is_user(const char *name)
{
	return g_ascii_string_to_unsigned(name, 10, 0, G_MAXUINT32 - 1, NULL, NULL) ||
	       getpwnam(name) != NULL;
}

static gboolean
check_journal_users(const struct check *check, GError **error)
{
	for (char **name = check->settings->follow_journal_users; *name; name++)
		if (!is_user(*name))
			return complain(check, "follow", "journal_users", error,
					"there is no user \"%s\"; name another, or a uid", *name);
	return TRUE;
}

/* A log that does not exist yet is waited for; one that may not be read would be for ever. */
static gboolean
check_log_file(const struct check *check, const char *path, GError **error)
{
	struct stat status;

	if (stat(path, &status) != 0 && errno == ENOENT)
		return TRUE;
	if (access(path, R_OK) != 0)
		return complain(check, "follow", "log", error,
				"%s: %s; put the user of this program into the log's group", path,
				g_strerror(errno));
	if (!S_ISREG(status.st_mode))
		return complain(check, "follow", "log", error, "%s is no file; name the MTA's log",
				path);
	return TRUE;
}

static gboolean
check_log(const struct check *check, GError **error)
{
	const char *log = check->settings->follow_log;

	if (!g_str_has_prefix(log, FOLLOW_JOURNAL))
		return check_log_file(check, log, error);
	return check_journal_users(check, error) &&
	       check_journal(check, log + strlen(FOLLOW_JOURNAL), error);
}

static gboolean
check_follow(const struct check *check, GError **error)
{
	const struct settings *settings = check->settings;

	if (!*settings->collector)
		return complain(check, "bus", "collector", error,
				"is empty; name the collector, for whom the log is followed");
	return check_log(check, error) &&
	       check_directory(check, "follow", "spool_directory", settings->follow_spool_directory,
			       error) &&
	       check_secret_key(check, "follow", "key", settings->follow_key, error) &&
	       check_public_key(check, "bus", "collector_public_key",
				settings->collector_public_key, error);
}

gboolean
settings_check(const struct settings *settings, const char *role, const char *name,
	       const char *text, gsize length, GError **error)
{
	static const struct {
		const char *role;
		gboolean (*check)(const struct check *check, GError **error);
	} roles[] = {
		{"milter", check_milter},
		{"collect", check_collect},
		{"follow", check_follow},
	};
	const struct check check = {settings, name, text, length};

	for (gsize i = 0; i < G_N_ELEMENTS(roles); i++)
		if (g_str_equal(role, roles[i].role))
			return roles[i].check(&check, error);
	g_assert_not_reached();
}

struct settings *
settings_read_for(const char *role, const char *path, GString **ret_text, GError **error)
{
	g_autoptr(GString) text = settings_read_text(path, error);
	g_autoptr(settings_t) settings = NULL;

	if (!text)
		return NULL;
	settings = settings_parse(path, text->str, text->len, error);
	if (!settings || !settings_check(settings, role, path, text->str, text->len, error))
		return NULL;
	if (ret_text)
		*ret_text = g_steal_pointer(&text);
	return g_steal_pointer(&settings);
}
