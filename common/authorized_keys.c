/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "authorized_keys.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "key_file.h"

struct authorized_keys {
	GPtrArray *entries; /* of struct authorized_key, in the file's order */
};

static void
authorized_key_free(gpointer pointer)
{
	struct authorized_key *key = pointer;

	g_free(key->name);
	g_free(key->tenant);
	g_free(key);
}

static struct authorized_keys *
authorized_keys_new(void)
{
	struct authorized_keys *keys = g_new0(struct authorized_keys, 1);

	keys->entries = g_ptr_array_new_with_free_func(authorized_key_free);
	return keys;
}

void
authorized_keys_free(struct authorized_keys *keys)
{
	if (!keys)
		return;
	g_ptr_array_unref(keys->entries);
	g_free(keys);
}

static const struct {
	const char *name;
	enum key_role role;
} role_names[] = {
	{"publish", ROLE_PUBLISH},
	{"subscribe", ROLE_SUBSCRIBE},
	{"command", ROLE_COMMAND},
};

/* Parses "publish,command"; 0 when a name is unknown or there is none. */
static guint
roles_parse(const char *text)
{
	g_auto(GStrv) names = g_strsplit(text, ",", G_N_ELEMENTS(role_names) + 1);
	guint roles = 0;

	for (guint i = 0; names[i]; i++) {
		guint role = 0;
		for (guint j = 0; j < G_N_ELEMENTS(role_names); j++)
			if (g_str_equal(names[i], role_names[j].name))
				role = role_names[j].role;
		if (!role)
			return 0;
		roles |= role;
	}
	return roles;
}

static char *
roles_text(guint roles)
{
	GString *text = g_string_new(NULL);

	for (guint i = 0; i < G_N_ELEMENTS(role_names); i++)
		if (roles & role_names[i].role)
			g_string_append_printf(text, "%s%s", text->len ? "," : "",
					       role_names[i].name);
	return g_string_free(text, FALSE);
}

/* Splits at runs of blanks into at most count fields; returns how many there were. */
static guint
split_fields(char *line, char **fields, guint count)
{
	guint n = 0;

	while (*line) {
		if (n < count)
			fields[n] = line;
		n++;
		line += strcspn(line, " \t");
		if (*line)
			*line++ = '\0';
		line += strspn(line, " \t");
	}
	return n;
}

/* Returns what is wrong with an entry, or NULL: one check for what is read and what is added. */
static const char *
entry_fault(const struct authorized_key *key, const struct authorized_keys *others)
{
	guint8 bytes[CURVE_KEY_BYTES];

	if (!key_name_is_valid(key->name))
		return "the name is not 1 to 64 of A-Z a-z 0-9 . _ -";
	if (!key_name_is_valid(key->tenant))
		return "the tenant is not 1 to 64 of A-Z a-z 0-9 . _ -";
	if (!z85_decode(key->public_key, bytes))
		return "the key is not 40 characters of Z85";
	if (!key->roles || key->roles & ~(guint)(ROLE_PUBLISH | ROLE_SUBSCRIBE | ROLE_COMMAND))
		return "the roles are not of publish, subscribe, command";
	if (authorized_keys_find_name(others, key->name))
		return "this name is in the list already";
	if (authorized_keys_find(others, key->public_key))
		return "this key is in the list already";
	return NULL;
}

static gboolean
parse_entry(char *line, const char *path, guint number, struct authorized_keys *keys,
	    GError **error)
{
	char *fields[4];
	struct authorized_key *key;
	const char *fault;

	if (split_fields(line, fields, G_N_ELEMENTS(fields)) != G_N_ELEMENTS(fields))
		return key_file_wrong_line(error, path, number,
					   "not \"NAME PUBLIC-KEY TENANT ROLE,ROLE\"");
	key = g_new0(struct authorized_key, 1);
	key->name = g_strdup(fields[0]);
	/* A key that is cut or too long for the field keeps a wrong length, and is refused. */
	if (strlen(fields[1]) == KEY_Z85_LENGTH)
		memcpy(key->public_key, fields[1], KEY_Z85_LENGTH);
	key->tenant = g_strdup(fields[2]);
	key->roles = roles_parse(fields[3]);
	fault = entry_fault(key, keys);
	if (fault) {
		authorized_key_free(key);
		return key_file_wrong_line(error, path, number, fault);
	}
	g_ptr_array_add(keys->entries, key);
	return TRUE;
}

static gboolean
parse_entries(char *text, const char *path, struct authorized_keys *keys, GError **error)
{
	guint number = 0;
	char *line;

	while ((line = key_file_next_line(&text, &number)))
		if (!parse_entry(line, path, number, keys, error))
			return FALSE;
	return TRUE;
}

struct authorized_keys *
authorized_keys_read(const char *path, GError **error)
{
	g_auto(key_text) text = {0};
	struct authorized_keys *keys;

	if (!g_file_test(path, G_FILE_TEST_EXISTS))
		return authorized_keys_new();
	if (!key_file_read(path, KEY_PUBLIC_REFUSED, &text, error))
		return NULL;
	keys = authorized_keys_new();
	if (parse_entries(text.bytes, path, keys, error))
		return keys;
	authorized_keys_free(keys);
	return NULL;
}

const struct authorized_key *
authorized_keys_find(const struct authorized_keys *keys, const char *public_key)
{
	for (guint i = 0; i < keys->entries->len; i++) {
		const struct authorized_key *key = keys->entries->pdata[i];
		if (g_str_equal(key->public_key, public_key))
			return key;
	}
	return NULL;
}

const struct authorized_key *
authorized_keys_find_name(const struct authorized_keys *keys, const char *name)
{
	for (guint i = 0; i < keys->entries->len; i++) {
		const struct authorized_key *key = keys->entries->pdata[i];
		if (g_str_equal(key->name, name))
			return key;
	}
	return NULL;
}

const struct authorized_key *
authorized_keys_nth(const struct authorized_keys *keys, gsize index)
{
	return index < keys->entries->len ? keys->entries->pdata[index] : NULL;
}

/*
 * Locks the list against another writer: the lock is on the directory, since
 * the file itself is replaced.  Returns a descriptor to close, or -1.
 */
static int
lock_list(const char *path, GError **error)
{
	g_autofree char *directory = g_path_get_dirname(path);
	int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0 && TEMP_FAILURE_RETRY(flock(fd, LOCK_EX)) == 0)
		return fd;
	key_file_errno(error, KEYS_ERROR_READ, "lock", directory, errno);
	if (fd >= 0)
		close(fd);
	return -1;
}

/* Replaces the list, atomically and synced, under its mode. */
static gboolean
replace_list(const char *path, const char *text, GError **error)
{
	const GFileSetContentsFlags flags =
		G_FILE_SET_CONTENTS_CONSISTENT | G_FILE_SET_CONTENTS_DURABLE;
	g_autoptr(GError) cause = NULL;
	struct stat st;
	int mode = stat(path, &st) == 0 ? (int)(st.st_mode & 0777) : 0644;

	if (g_file_set_contents_full(path, text, -1, flags, mode, &cause))
		return TRUE;
	g_set_error(error, KEYS_ERROR, KEYS_ERROR_READ, "%s", cause->message);
	return FALSE;
}

/* Reads the list's text as it stands, comments and all; "" if there is none. */
static gboolean
list_text(const char *path, key_text *ret_text, GError **error)
{
	if (g_file_test(path, G_FILE_TEST_EXISTS))
		return key_file_read(path, KEY_PUBLIC_REFUSED, ret_text, error);
	*ret_text = (key_text){g_strdup(""), 0};
	return TRUE;
}

/* Adds the line under the lock. */
static gboolean
add_locked(const char *path, const struct authorized_key *key, GError **error)
{
	struct authorized_keys *keys = authorized_keys_read(path, error);
	g_auto(key_text) old = {0};
	g_autofree char *roles = roles_text(key->roles);
	g_autofree char *text = NULL;
	const char *fault;
	gboolean taken;

	if (!keys)
		return FALSE;
	fault = entry_fault(key, keys);
	taken = authorized_keys_find_name(keys, key->name) ||
		authorized_keys_find(keys, key->public_key);
	authorized_keys_free(keys);
	if (fault) {
		g_set_error(error, KEYS_ERROR, taken ? KEYS_ERROR_EXISTS : KEYS_ERROR_FORM,
			    "cannot add \"%s\" to %s: %s", key->name, path, fault);
		return FALSE;
	}
	if (!list_text(path, &old, error))
		return FALSE;
	text = g_strdup_printf("%s%s%s %s %s %s\n", old.bytes,
			       *old.bytes && !g_str_has_suffix(old.bytes, "\n") ? "\n" : "",
			       key->name, key->public_key, key->tenant, roles);
	return replace_list(path, text, error);
}

gboolean
authorized_keys_add(const char *path, const struct authorized_key *key, GError **error)
{
	int lock = lock_list(path, error);
	gboolean ok;

	if (lock < 0)
		return FALSE;
	ok = add_locked(path, key, error);
	close(lock);
	return ok;
}

/* Returns whether a line is the entry of this name. */
static gboolean
line_is_of(const char *line, const char *name)
{
	gsize length = strlen(name);

	line += strspn(line, " \t");
	return strncmp(line, name, length) == 0 && (line[length] == ' ' || line[length] == '\t');
}

/* Removes the lines under the lock; the others stay as they are, comments too. */
static gboolean
remove_locked(const char *path, const char *name, gboolean *ret_removed, GError **error)
{
	g_auto(key_text) old = {0};
	g_auto(GStrv) lines = NULL;
	g_autoptr(GString) text = g_string_new(NULL);
	gboolean removed = FALSE;

	if (!list_text(path, &old, error))
		return FALSE;
	lines = g_strsplit(old.bytes, "\n", -1);
	for (guint i = 0; lines[i]; i++) {
		if (line_is_of(lines[i], name)) {
			removed = TRUE;
			continue;
		}
		if (lines[i + 1] || *lines[i])
			g_string_append_printf(text, "%s\n", lines[i]);
	}
	if (removed && !replace_list(path, text->str, error))
		return FALSE;
	*ret_removed = removed;
	return TRUE;
}

gboolean
authorized_keys_remove(const char *path, const char *name, gboolean *ret_removed, GError **error)
{
	int lock;
	gboolean ok;

	if (!key_name_is_valid(name)) {
		*ret_removed = FALSE;
		return TRUE;
	}
	lock = lock_list(path, error);
	if (lock < 0)
		return FALSE;
	ok = remove_locked(path, name, ret_removed, error);
	close(lock);
	return ok;
}
