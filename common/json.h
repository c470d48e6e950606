/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * json.h - the few helpers around jansson that its users share.
 *
 * The only place besides ocsf.c that includes jansson.h.  Text read from a
 * value is UTF-8 without NUL (jansson refuses both) and borrowed from it.
 * Pure; any thread, one at a time a value.
 */
#ifndef MAILTRACE_JSON_H
#define MAILTRACE_JSON_H

#include <glib.h>
#include <jansson.h>
#include <stdlib.h>

G_DEFINE_AUTOPTR_CLEANUP_FUNC(json_t, json_decref)

/* Sets a member to a text, or to null when text is NULL. */
static inline void
json_put_text(json_t *object, const char *name, const char *text)
{
	json_object_set_new(object, name, text ? json_string(text) : json_null());
}

/* Sets a member to a number. */
static inline void
json_put_int(json_t *object, const char *name, gint64 number)
{
	json_object_set_new(object, name, json_integer(number));
}

/* Returns a member's text, borrowed; NULL if it is missing or no text. */
static inline const char *
json_get_text(const json_t *object, const char *name)
{
	return json_string_value(json_object_get(object, name));
}

/* Returns a member's number; fallback if it is missing or no integer. */
static inline gint64
json_get_int(const json_t *object, const char *name, gint64 fallback)
{
	const json_t *value = json_object_get(object, name);

	return json_is_integer(value) ? json_integer_value(value) : fallback;
}

/*
 * Parses an object from length bytes of outside text, which the caller has
 * capped; a name that occurs twice is refused.  Returns NULL when it is none.
 * Free with json_decref().
 */
static inline json_t *
json_parse_object(const char *text, gsize length)
{
	json_t *value = json_loadb(text, length, JSON_REJECT_DUPLICATES, NULL);

	if (value && !json_is_object(value))
		g_clear_pointer(&value, json_decref);
	return value;
}

/* Returns a value as one line of UTF-8 without its line break.  Free with free(). */
static inline char *
json_line(const json_t *value)
{
	return json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
}

/* Returns a value as such a line, and drops the value.  Free with g_free(). */
static inline char *
json_take_line(json_t *value)
{
	char *text = json_line(value);
	char *line = g_strdup(text);

	free(text);
	json_decref(value);
	return line;
}
#endif
