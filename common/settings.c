/* SPDX-License-Identifier: BSD-2-Clause */
#include "settings_private.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "caps.h"
#include "descriptor.h"
#include "text.h"

#define MAX_NAME_COMPARED 64 /* of an unknown key, for the nearest known one */

G_DEFINE_QUARK(mailtrace_settings_error, settings_error)

/* ---- lines: GKeyFile has the values but not where they stood ---- */

struct cursor {
	const char *at, *end;
	guint line;  /* number of the line last taken, from 1 */
	char *group; /* that it belongs to, NULL before the first */
	char *key;   /* of the line, NULL unless it is "key = value" */
	gboolean is_header;
};

static void
cursor_clear(struct cursor *cursor)
{
	g_free(cursor->group);
	g_free(cursor->key);
}

/* Takes the next line.  Returns FALSE at the end; *ret_line is the stripped line. */
static gboolean
cursor_next(struct cursor *cursor, char **ret_line)
{
	const char *newline, *end;
	const char *equals;
	char *line;

	if (cursor->at >= cursor->end)
		return FALSE;
	newline = memchr(cursor->at, '\n', (gsize)(cursor->end - cursor->at));
	end = newline ? newline : cursor->end;
	line = g_strstrip(g_strndup(cursor->at, (gsize)(end - cursor->at)));
	cursor->at = newline ? newline + 1 : cursor->end;
	cursor->line++;
	cursor->is_header = *line == '[' && g_str_has_suffix(line, "]");
	g_clear_pointer(&cursor->key, g_free);
	if (cursor->is_header) {
		g_free(cursor->group);
		cursor->group = g_strndup(line + 1, strlen(line) - 2);
	} else if (*line != '#' && (equals = strchr(line, '='))) {
		cursor->key = g_strchomp(g_strndup(line, (gsize)(equals - line)));
	}
	*ret_line = line;
	return TRUE;
}

guint
settings_line(const char *text, gsize length, const char *group, const char *key)
{
	struct cursor cursor = {text, text + length};
	guint header = 0, found = 0;
	char *line;

	while (!found && cursor_next(&cursor, &line)) {
		g_free(line);
		if (g_strcmp0(cursor.group, group) != 0)
			continue;
		if (cursor.is_header && !header)
			header = cursor.line;
		if (g_strcmp0(cursor.key, key) == 0)
			found = cursor.line;
	}
	cursor_clear(&cursor);
	return found ? found : header;
}

/* ---- names ---- */

/* Levenshtein's distance of two short names. */
static guint
name_distance(const char *a, const char *b)
{
	guint row[MAX_NAME_COMPARED + 1];
	gsize length = MIN(strlen(b), MAX_NAME_COMPARED);

	for (guint j = 0; j <= length; j++)
		row[j] = j;
	for (guint i = 1; i <= MAX_NAME_COMPARED && a[i - 1]; i++) {
		guint diagonal = row[0];

		row[0] = i;
		for (guint j = 1; j <= length; j++) {
			guint above = row[j];
			guint best = MIN(above, row[j - 1]) + 1;

			row[j] = MIN(best, diagonal + (a[i - 1] != b[j - 1]));
			diagonal = above;
		}
	}
	return row[length];
}

static const struct settings_key *
find_key(const char *group, const char *key)
{
	gsize count;
	const struct settings_key *keys = settings_keys(&count);

	for (gsize i = 0; i < count; i++)
		if (g_str_equal(keys[i].group, group) && g_str_equal(keys[i].key, key))
			return &keys[i];
	return NULL;
}

/* The key that was most likely meant: the same name elsewhere, else the nearest of the group. */
static const struct settings_key *
nearest_key(const char *group, const char *key)
{
	gsize count;
	const struct settings_key *keys = settings_keys(&count);
	const struct settings_key *best = NULL;
	guint best_distance = G_MAXUINT;

	for (gsize i = 0; i < count; i++) {
		guint distance =
			2 * name_distance(key, keys[i].key) + !g_str_equal(group, keys[i].group);

		if (distance < best_distance) {
			best_distance = distance;
			best = &keys[i];
		}
	}
	return best;
}

static const char *
nearest_group(const char *group)
{
	gsize count;
	const struct settings_key *keys = settings_keys(&count);
	const char *best = NULL;
	guint best_distance = G_MAXUINT;

	for (gsize i = 0; i < count; i++) {
		guint distance = name_distance(group, keys[i].group);

		if (distance < best_distance) {
			best_distance = distance;
			best = keys[i].group;
		}
	}
	return best;
}

static gboolean
group_is_known(const char *group)
{
	return name_distance(group, nearest_group(group)) == 0;
}

static gboolean
check_key(const struct cursor *cursor, GHashTable *seen, GError **error)
{
	g_autofree char *full = NULL;
	guint before;

	if (!cursor->group)
		return settings_refuse(error,
				       "\"%s\" stands before the first group; write [%s] above it",
				       cursor->key, nearest_key("", cursor->key)->group);
	if (!find_key(cursor->group, cursor->key)) {
		const struct settings_key *near = nearest_key(cursor->group, cursor->key);

		return settings_refuse(error,
				       "[%s] has no key \"%s\"; the nearest is \"%s\" of [%s], see "
				       "mailtrace.conf(5)",
				       cursor->group, cursor->key, near->key, near->group);
	}
	full = g_strdup_printf("%s.%s", cursor->group, cursor->key);
	before = GPOINTER_TO_UINT(g_hash_table_lookup(seen, full));
	if (before)
		return settings_refuse(error, "\"%s\" is given twice; take out this one or line %u",
				       cursor->key, before);
	g_hash_table_insert(seen, g_steal_pointer(&full), GUINT_TO_POINTER(cursor->line));
	return TRUE;
}

static gboolean
check_line(const struct cursor *cursor, const char *line, GHashTable *seen, GError **error)
{
	if (!g_utf8_validate(line, -1, NULL))
		return settings_refuse(error, "not UTF-8 text; save the file in UTF-8");
	if (*line == '\0' || *line == '#')
		return TRUE;
	if (cursor->is_header) {
		if (group_is_known(cursor->group))
			return TRUE;
		return settings_refuse(error, "there is no group [%s]; the nearest is [%s]",
				       cursor->group, nearest_group(cursor->group));
	}
	if (!cursor->key)
		return settings_refuse(
			error, "\"%.80s\" is no group, key or comment; write key = value", line);
	return check_key(cursor, seen, error);
}

/* Finds every name that is not known, and every line that is none. */
static gboolean
check_lines(const char *name, const char *text, gsize length, GError **error)
{
	g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	struct cursor cursor = {text, text + length};
	gboolean good = TRUE;
	char *line;

	while (good && cursor_next(&cursor, &line)) {
		good = check_line(&cursor, line, seen, error);
		g_free(line);
	}
	if (!good)
		g_prefix_error(error, "%s:%u: ", name, cursor.line);
	cursor_clear(&cursor);
	return good;
}

/* ---- the whole ---- */

static void *
member(struct settings *settings, gsize i)
{
	return (char *)settings + settings_binding(i)->offset;
}

static void
settings_clear(gpointer data)
{
	gsize count;

	settings_keys(&count);
	for (gsize i = 0; i < count; i++)
		settings_value_release(settings_binding(i), member(data, i));
}

void
settings_unref(struct settings *settings)
{
	if (settings)
		g_atomic_rc_box_release_full(settings, settings_clear);
}

struct settings *
settings_ref(struct settings *settings)
{
	return g_atomic_rc_box_acquire(settings);
}

/* Returns the value of a key as written, else its default; NULL if its escapes are wrong. */
static char *
value_of(GKeyFile *file, const struct settings_key *key, GError **error)
{
	g_autofree char *value = NULL;
	g_autoptr(GError) why = NULL;

	if (!g_key_file_has_key(file, key->group, key->key, NULL))
		return g_strdup(key->fallback);
	value = g_key_file_get_string(file, key->group, key->key, &why);
	if (why) {
		settings_refuse(error, "has a wrong escape; write \\\\ for a backslash");
		return NULL;
	}
	return g_strstrip(g_steal_pointer(&value));
}

static gboolean
fill(struct settings *settings, GKeyFile *file, const char *name, const char *text, gsize length,
     GError **error)
{
	gsize count;
	const struct settings_key *keys = settings_keys(&count);

	for (gsize i = 0; i < count; i++) {
		g_autofree char *value = value_of(file, &keys[i], error);

		if (value &&
		    settings_value_read(settings_binding(i), value, member(settings, i), error))
			continue;
		g_prefix_error(error, "%s:%u: %s: ", name,
			       settings_line(text, length, keys[i].group, keys[i].key),
			       keys[i].key);
		return FALSE;
	}
	if (!*settings->sensor) {
		g_free(settings->sensor);
		settings->sensor = g_strdup(g_get_host_name());
	}
	return TRUE;
}

struct settings *
settings_parse(const char *name, const char *text, gsize length, GError **error)
{
	g_autoptr(GKeyFile) file = g_key_file_new();
	g_autoptr(settings_t) settings = g_atomic_rc_box_new0(struct settings);
	g_autoptr(GError) why = NULL;

	if (length > CAP_CONFIG_BYTES) {
		settings_refuse(error, "%s:1: larger than %d bytes; take something out", name,
				CAP_CONFIG_BYTES);
		return NULL;
	}
	if (memchr(text, '\0', length)) {
		settings_refuse(error, "%s:1: has NUL bytes; this is no text file", name);
		return NULL;
	}
	if (!check_lines(name, text, length, error))
		return NULL;
	if (length > 0 && !g_key_file_load_from_data(file, text, length, G_KEY_FILE_NONE, &why)) {
		settings_refuse(error, "%s:1: %s", name, why->message);
		return NULL;
	}
	if (!fill(settings, file, name, text, length, error))
		return NULL;
	return g_steal_pointer(&settings);
}

GString *
settings_read_text(const char *path, GError **error)
{
	GString *text = NULL;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	if (fd >= 0)
		text = descriptor_read(fd, CAP_CONFIG_BYTES);
	if (!text)
		g_set_error(error, SETTINGS_ERROR, SETTINGS_ERROR_READ,
			    "%s: cannot be read: %s; check the path and its permissions", path,
			    g_strerror(errno));
	if (fd >= 0)
		close(fd);
	return text;
}

struct settings *
settings_read(const char *path, GError **error)
{
	g_autoptr(GString) text = settings_read_text(path, error);

	return text ? settings_parse(path, text->str, text->len, error) : NULL;
}
