/* SPDX-License-Identifier: BSD-2-Clause */
#include "erasure.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "caps.h"
#include "digest.h"
#include "json.h"
#include "text.h"

G_DEFINE_QUARK(mailtrace_erasure_error, erasure_error)

#define SALT_BYTES 16
#define STAND_IN "erased-%.12s@erased.invalid"
/* For a record that the others would bring over its cap: shorter than any address. */
#define BRIEF_STAND_IN "-"
/* "@" as it stands in a link. */
#define ENCODED_AT "%40"

/* An address, and how it may be written. */
struct person {
	char *key;	    /* search key */
	GPtrArray *needles; /* of char *: compared without regard to the case of ASCII */
};

struct erasure {
	GPtrArray *people; /* of struct person */
	guint8 salt[SALT_BYTES];
	gint64 now_us;
	gboolean is_brief;
	struct store_eraser eraser;
};

static void
person_free(void *data)
{
	struct person *person = data;

	g_free(person->key);
	g_ptr_array_unref(person->needles);
	g_free(person);
}

/* ---- finding ---- */

static void
add_needle(struct person *person, const char *local, gsize local_bytes, const char *at,
	   const char *domain)
{
	char *needle;

	if (!domain)
		return;
	needle = g_strdup_printf("%.*s%s%s", (int)local_bytes, local, at, domain);
	if (g_ptr_array_find_with_equal_func(person->needles, needle, g_str_equal, NULL))
		g_free(needle);
	else
		g_ptr_array_add(person->needles, needle);
}

static struct person *
person_new(const char *address)
{
	const char *at = strrchr(address, '@');
	g_autofree char *ascii = NULL, *unicode = NULL;
	struct person *person;

	if (!at || at == address || !at[1] || strlen(address) > ERASURE_ADDRESS_BYTES ||
	    !g_utf8_validate(address, -1, NULL) || strpbrk(address, "<> \t\r\n"))
		return NULL;
	ascii = g_hostname_to_ascii(at + 1);
	unicode = g_hostname_to_unicode(at + 1);
	person = g_new0(struct person, 1);
	person->key = address_search_key(address);
	person->needles = g_ptr_array_new_with_free_func(g_free);
	for (int encoded = 0; encoded < 2; encoded++) {
		const char *sign = encoded ? ENCODED_AT : "@";

		add_needle(person, address, (gsize)(at - address), sign, at + 1);
		add_needle(person, address, (gsize)(at - address), sign, ascii);
		add_needle(person, address, (gsize)(at - address), sign, unicode);
	}
	return person;
}

static gboolean
is_of_local(char byte)
{
	return g_ascii_isalnum(byte) || (byte && strchr(".-_+", byte));
}

/* Bytes in front that are of the same address make it another one; "%3C" of a link does not. */
static gboolean
begins_at(const char *text, const char *at)
{
	if (at == text || !is_of_local(at[-1]))
		return TRUE;
	return at - text >= 3 && at[-3] == '%' && g_ascii_isxdigit(at[-2]) &&
	       g_ascii_isxdigit(at[-1]);
}

static gboolean
ends_at(const char *end)
{
	if (*end == '.')
		return !g_ascii_isalnum(end[1]);
	return !g_ascii_isalnum(*end) && *end != '-' && *end != '_';
}

/* Finds the first place from which on a needle stands; its length in *ret_bytes. */
static const char *
find(const struct person *person, const char *text, const char *from, gsize *ret_bytes)
{
	for (const char *at = from; *at; at++) {
		for (guint i = 0; i < person->needles->len; i++) {
			const char *needle = g_ptr_array_index(person->needles, i);
			gsize bytes = strlen(needle);

			if (g_ascii_strncasecmp(at, needle, bytes) != 0 || !begins_at(text, at) ||
			    !ends_at(at + bytes))
				continue;
			*ret_bytes = bytes;
			return at;
		}
	}
	return NULL;
}

/* ---- replacing ---- */

/* One for each address and message, by a salt that is forgotten. */
static char *
stand_in(const struct erasure *erasure, const struct person *person, const guint8 *scope)
{
	g_autoptr(GByteArray) bytes = g_byte_array_new();
	g_autofree char *hex = NULL;
	struct digests digests;

	if (erasure->is_brief)
		return g_strdup(BRIEF_STAND_IN);
	g_byte_array_append(bytes, erasure->salt, SALT_BYTES);
	g_byte_array_append(bytes, scope, ERASE_SCOPE_BYTES);
	g_byte_array_append(bytes, (const guint8 *)person->key, (guint)strlen(person->key));
	digests_of(bytes->data, bytes->len, &digests);
	hex = hex_encode(digests.sha256, SHA256_BYTES);
	return g_strdup_printf(STAND_IN, hex);
}

/* The whole text is the address, written in yet another way. */
static gboolean
has_key(const struct person *person, const char *text)
{
	gsize bytes = strlen(text);
	g_autofree char *bare = NULL, *key = NULL;

	if (bytes > 4 * ERASURE_ADDRESS_BYTES || g_str_is_ascii(text) || !strchr(text, '@'))
		return FALSE;
	bare = *text == '<' && text[bytes - 1] == '>' ? g_strndup(text + 1, bytes - 2)
						      : g_strdup(text);
	key = address_search_key(bare);
	return strcmp(key, person->key) == 0;
}

/* Takes one person out of a text; NULL if he is not in it. */
static char *
without(const struct erasure *erasure, const struct person *person, const char *text,
	const guint8 *scope)
{
	g_autofree char *instead = NULL;
	g_autoptr(GString) out = NULL;
	const char *from = text, *at;
	gsize bytes;

	if (has_key(person, text)) {
		instead = stand_in(erasure, person, scope);
		return *text == '<' ? g_strdup_printf("<%s>", instead) : g_steal_pointer(&instead);
	}
	while ((at = find(person, text, from, &bytes))) {
		if (!out) {
			out = g_string_new(NULL);
			instead = stand_in(erasure, person, scope);
		}
		g_string_append_len(out, from, at - from);
		g_string_append(out, instead);
		from = at + bytes;
	}
	if (!out)
		return NULL;
	g_string_append(out, from);
	return g_string_free(g_steal_pointer(&out), FALSE);
}

char *
erasure_text(const struct erasure *erasure, const char *text, const guint8 *scope)
{
	char *result = NULL;

	for (guint i = 0; i < erasure->people->len; i++) {
		char *now = without(erasure, g_ptr_array_index(erasure->people, i),
				    result ? result : text, scope);

		if (!now)
			continue;
		g_free(result);
		result = now;
	}
	return result;
}

/* ---- records ---- */

static gboolean rewrite(const struct erasure *erasure, json_t *value, const guint8 *scope);

/* What says in other words what was replaced: a name beside an address, the bytes as sent. */
static void
drop_companions(json_t *object, const char *key)
{
	if (strcmp(key, "address") == 0)
		json_object_del(object, "display");
	if (strcmp(key, "text") == 0)
		json_object_del(object, "raw");
}

static gboolean
rewrite_object(const struct erasure *erasure, json_t *object, const guint8 *scope)
{
	g_autoptr(GPtrArray) keys = g_ptr_array_new();
	gboolean changed = FALSE;
	const char *key;
	json_t *value;

	json_object_foreach (object, key, value)
		g_ptr_array_add(keys, (void *)key);
	for (guint i = 0; i < keys->len; i++) {
		g_autofree char *name = g_strdup(g_ptr_array_index(keys, i)), *now = NULL;

		value = json_object_get(object, name);
		if (!value)
			continue;
		if (json_is_string(value))
			now = erasure_text(erasure, json_string_value(value), scope);
		if (now) {
			json_object_set_new(object, name, json_string(now));
			drop_companions(object, name);
		}
		changed = now || rewrite(erasure, value, scope) || changed;
	}
	return changed;
}

static gboolean
rewrite_array(const struct erasure *erasure, json_t *array, const guint8 *scope)
{
	gboolean changed = FALSE;

	for (gsize i = 0; i < json_array_size(array); i++) {
		json_t *value = json_array_get(array, i);
		g_autofree char *now =
			json_is_string(value)
				? erasure_text(erasure, json_string_value(value), scope)
				: NULL;

		if (now)
			json_array_set_new(array, i, json_string(now));
		changed = now || rewrite(erasure, value, scope) || changed;
	}
	return changed;
}

/* Of the depth that a record has: it was read before it was stored. */
static gboolean
rewrite(const struct erasure *erasure, json_t *value, const guint8 *scope)
{
	if (json_is_object(value))
		return rewrite_object(erasure, value, scope);
	return json_is_array(value) && rewrite_array(erasure, value, scope);
}

/* The subject has its bytes as sent elsewhere. */
static void
drop_raw_subject(json_t *ours, const char *before, const json_t *record)
{
	const char *now = json_get_text(json_object_get(record, "email"), "subject");

	if (g_strcmp0(before, now) != 0)
		json_object_del(json_object_get(ours, "header"), "subject_raw");
}

GBytes *
erasure_record(const struct erasure *erasure, GBytes *json, const guint8 *scope)
{
	g_autoptr(json_t) record =
		json_parse_object(g_bytes_get_data(json, NULL), g_bytes_get_size(json));
	g_autofree char *subject = NULL;
	json_t *ours;
	char *line;

	if (!record)
		return NULL;
	subject = g_strdup(json_get_text(json_object_get(record, "email"), "subject"));
	if (!rewrite(erasure, record, scope))
		return NULL;
	ours = json_object_get(json_object_get(record, "unmapped"), "mailtrace");
	if (json_is_object(ours)) {
		drop_raw_subject(ours, subject, record);
		json_put_int(ours, "erased_us", erasure->now_us);
	}
	line = json_line(record);
	if (strlen(line) > CAP_EVENT_BYTES && !erasure->is_brief) {
		struct erasure brief = *erasure;

		free(line);
		brief.is_brief = TRUE;
		return erasure_record(&brief, json, scope);
	}
	return g_bytes_new_with_free_func(line, strlen(line), free, line);
}

/* ---- for the store ---- */

static char *
on_text(const char *text, const guint8 *scope, void *data)
{
	return erasure_text(data, text, scope);
}

static GBytes *
on_record(GBytes *json, const guint8 *scope, void *data)
{
	return erasure_record(data, json, scope);
}

/* Hostile bytes, of which no form is known: the letters are looked for. */
static gboolean
on_bytes(const void *bytes, gsize length, void *data)
{
	static const guint8 scope[ERASE_SCOPE_BYTES];
	g_autofree char *text = g_strndup(bytes, length);
	g_autofree char *now = NULL;

	/* g_strndup() ends at a NUL and fills up with them. */
	for (gsize i = 0; i < length; i++)
		text[i] = ((const char *)bytes)[i] ? ((const char *)bytes)[i] : ' ';
	now = erasure_text(data, text, scope);
	return now != NULL;
}

const struct store_eraser *
erasure_eraser(const struct erasure *erasure)
{
	return &erasure->eraser;
}

/* ---- life ---- */

static gboolean
add_people(struct erasure *erasure, const char *const *addresses, GError **error)
{
	for (; *addresses; addresses++) {
		struct person *person = person_new(*addresses);

		if (!person || erasure->people->len == ERASURE_ADDRESSES) {
			g_set_error(error, ERASURE_ERROR, ERASURE_ERROR_ADDRESS,
				    person ? "at most 16 addresses at once"
					   : "an address is local@domain, without brackets");
			if (person)
				person_free(person);
			return FALSE;
		}
		g_ptr_array_add(erasure->people, person);
	}
	if (erasure->people->len)
		return TRUE;
	g_set_error(error, ERASURE_ERROR, ERASURE_ERROR_ADDRESS, "whose addresses?");
	return FALSE;
}

struct erasure *
erasure_new(const char *const *addresses, gint64 now_us, GError **error)
{
	g_autoptr(erasure_t) erasure = g_new0(struct erasure, 1);

	erasure->people = g_ptr_array_new_with_free_func(person_free);
	erasure->now_us = now_us;
	erasure->eraser = (struct store_eraser){on_text, on_record, on_bytes, erasure};
	if (getrandom(erasure->salt, SALT_BYTES, 0) != SALT_BYTES)
		g_error("getrandom: %s", g_strerror(errno));
	if (!add_people(erasure, addresses, error))
		return NULL;
	return g_steal_pointer(&erasure);
}

void
erasure_free(struct erasure *erasure)
{
	if (!erasure)
		return;
	g_ptr_array_unref(erasure->people);
	g_free(erasure);
}

char *
erasure_arguments(const struct erasure *erasure)
{
	g_autoptr(json_t) array = json_array();

	for (guint i = 0; i < erasure->people->len; i++) {
		const struct person *person = g_ptr_array_index(erasure->people, i);
		g_autofree char *hex = NULL, *text = NULL;
		struct digests digests;

		digests_of(person->key, strlen(person->key), &digests);
		hex = hex_encode(digests.sha256, SHA256_BYTES);
		text = g_strconcat("sha256:", hex, NULL);
		json_array_append_new(array, json_string(text));
	}
	return json_line(array);
}
