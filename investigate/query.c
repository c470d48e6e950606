/* SPDX-License-Identifier: BSD-2-Clause */
#include "query.h"

#include <gio/gio.h>
#include <string.h>

#include "caps.h"
#include "event.h"
#include "network.h"
#include "query_file.h"
#include "text.h"

typedef struct query_term query_term_t;

G_DEFINE_QUARK(mailtrace_query_error, query_error)

static void
wanted_digest_clear(void *data)
{
	struct wanted_digest *wanted = data;

	g_free(wanted->variant);
}

static void
query_term_free(query_term_t *term)
{
	if (!term)
		return;
	g_free(term->text);
	g_array_unref(term->digests);
	g_free(term);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC(query_term_t, query_term_free)

static struct query_term *
query_term_new(enum term_kind kind)
{
	struct query_term *term = g_new0(struct query_term, 1);

	term->kind = kind;
	term->digests = g_array_new(FALSE, TRUE, sizeof(struct wanted_digest));
	g_array_set_clear_func(term->digests, wanted_digest_clear);
	return term;
}

struct query *
query_new(const char *tenant)
{
	struct query *query = g_new0(struct query, 1);

	query->tenant = g_strdup(tenant);
	query->terms = g_ptr_array_new_with_free_func((GDestroyNotify)query_term_free);
	return query;
}

void
query_free(struct query *query)
{
	if (!query)
		return;
	g_free(query->tenant);
	g_ptr_array_unref(query->terms);
	g_free(query->cursor);
	g_free(query);
}

/* ---- terms ---- */

static gboolean
term_error(GError **error, const char *word, const char *remedy)
{
	g_autofree char *shown = text_for_terminal(word);

	g_set_error(error, QUERY_ERROR, QUERY_ERROR_TERM, "'%s': %s", shown, remedy);
	return FALSE;
}

typedef gboolean (*term_parse_fn)(struct query_term *term, const char *value, GError **error);

static gboolean
parse_plain(struct query_term *term, const char *value, GError **error)
{
	term->text = g_strdup(value);
	return TRUE;
}

static gboolean
parse_folded(struct query_term *term, const char *value, GError **error)
{
	term->text = text_search_key(value);
	return TRUE;
}

static gboolean
parse_extension(struct query_term *term, const char *value, GError **error)
{
	return parse_folded(term, value[0] == '.' ? value + 1 : value, error);
}

static gboolean
parse_address(struct query_term *term, const char *value, GError **error)
{
	gsize length = strlen(value);
	const char *at;

	if (length >= 2 && value[0] == '<' && value[length - 1] == '>') {
		g_autofree char *inner = g_strndup(value + 1, length - 2);

		term->text = address_search_key(inner);
		term->address_match = ADDRESS_WHOLE;
		return TRUE;
	}
	at = strchr(value, '@');
	term->text = address_search_key(value);
	term->address_match = !at ? ADDRESS_PART : at == value ? ADDRESS_DOMAIN : ADDRESS_WHOLE;
	return TRUE;
}

static gboolean
parse_message_id(struct query_term *term, const char *value, GError **error)
{
	gsize length = strlen(value);

	if (length >= 2 && value[0] == '<' && value[length - 1] == '>')
		term->text = g_strndup(value + 1, length - 2);
	else
		term->text = g_strdup(value);
	return TRUE;
}

static gboolean
parse_event_id(struct query_term *term, const char *value, GError **error)
{
	term->text = g_ascii_strdown(value, -1);
	return event_id_is_valid(term->text) ||
	       term_error(error, value, "an event id is a UUID of 36 characters");
}

/* Reads a size with an optional unit; *text is moved behind it. */
static gboolean
read_size(const char **text, guint64 *ret_size)
{
	static const char units[] = "KMG";
	char *end = NULL;
	guint64 size;
	const char *unit;

	if (!g_ascii_isdigit(**text))
		return FALSE;
	errno = 0;
	size = g_ascii_strtoull(*text, &end, 10);
	if (errno != 0)
		return FALSE;
	unit = *end ? strchr(units, g_ascii_toupper(*end)) : NULL;
	if (unit) {
		guint shift = 10 * (unit - units + 1);

		if (size > (guint64)G_MAXINT64 >> shift)
			return FALSE;
		size <<= shift;
		end++;
	}
	if (size > G_MAXINT64)
		return FALSE;
	*text = end;
	*ret_size = size;
	return TRUE;
}

/* Reads what follows the operator, and turns it into the inclusive range. */
static gboolean
read_size_range(struct query_term *term, const char *value)
{
	char sign = value[0] && strchr("<>=", value[0]) ? *value++ : '=';
	gboolean inclusive = sign != '=' && value[0] == '=';
	guint64 size;

	value += inclusive;
	if (!read_size(&value, &size))
		return FALSE;
	term->size_min = 0;
	term->size_max = G_MAXINT64;
	if (sign != '<')
		term->size_min = size + (sign == '>' && !inclusive);
	if (sign == '<' && !inclusive && size == 0)
		return FALSE;
	if (sign != '>')
		term->size_max = size - (sign == '<' && !inclusive);
	if (sign == '=' && g_str_has_prefix(value, "..")) {
		value += 2;
		if (!read_size(&value, &term->size_max) || term->size_max < term->size_min)
			return FALSE;
	}
	return *value == '\0';
}

static gboolean
parse_size(struct query_term *term, const char *value, GError **error)
{
	term->text = g_strdup(value);
	return read_size_range(term, value) ||
	       term_error(error, value,
			  "a size is written 1000, >10M, <=2K or 1000..2000 (bytes, K, M, G)");
}

static gboolean
parse_ip(struct query_term *term, const char *value, GError **error)
{
	g_autoptr(GInetAddressMask) mask = g_inet_address_mask_new_from_string(value, NULL);
	g_autofree char *plain = NULL;
	guint bits;

	term->text = g_strdup(value);
	if (!mask)
		return term_error(error, value,
				  "an address is written 192.0.2.1, 2001:db8::1 or 192.0.2.0/24");
	bits = g_inet_address_mask_get_length(mask);
	if (g_inet_address_mask_get_family(mask) == G_SOCKET_FAMILY_IPV4)
		bits += 96;
	plain = g_inet_address_to_string(g_inet_address_mask_get_address(mask));
	network_ip(plain, term->ip_first);
	for (guint i = 0; i < 16; i++) {
		guint fixed = bits > i * 8 ? MIN(bits - i * 8, 8) : 0;

		term->ip_last[i] = term->ip_first[i] | (guint8)(0xff >> fixed);
	}
	return TRUE;
}

static gboolean
one_of(const char *value, const char *const *names, char **ret_text)
{
	g_autofree char *folded = g_ascii_strdown(value, -1);

	if (!g_strv_contains(names, folded))
		return FALSE;
	*ret_text = g_steal_pointer(&folded);
	return TRUE;
}

static gboolean
parse_direction(struct query_term *term, const char *value, GError **error)
{
	static const char *const names[] = {"inbound", "outbound", "internal", "unknown", NULL};

	return one_of(value, names, &term->text) ||
	       term_error(error, value, "write inbound, outbound, internal or unknown");
}

static gboolean
parse_state(struct query_term *term, const char *value, GError **error)
{
	static const char *const names[] = {"accepted", "held",	   "rejected",	"delivered",
					    "deferred", "bounced", "retracted", "restored",
					    "released", "deleted", "expired",	"discarded",
					    "unknown",	NULL};

	return one_of(value, names, &term->text) ||
	       term_error(error, value,
			  "write accepted, held, rejected, delivered, deferred, bounced, "
			  "released, deleted, expired, discarded, retracted, restored or unknown");
}

static const struct term_syntax {
	const char *prefix;
	enum term_kind kind;
	term_parse_fn parse;
} syntax[] = {
	{"name", TERM_NAME, parse_folded},
	{"subject", TERM_SUBJECT, parse_folded},
	{"from", TERM_FROM, parse_address},
	{"to", TERM_TO, parse_address},
	{"id", TERM_MESSAGE_ID, parse_message_id},
	{"queue", TERM_QUEUE, parse_plain},
	{"event", TERM_EVENT, parse_event_id},
	{"url", TERM_URL, parse_folded},
	{"ip", TERM_IP, parse_ip},
	{"sasl", TERM_SASL, parse_folded},
	{"sensor", TERM_SENSOR, parse_plain},
	{"malware", TERM_MALWARE, parse_folded},
	{"ext", TERM_EXT, parse_extension},
	{"size", TERM_SIZE, parse_size},
	{"direction", TERM_DIRECTION, parse_direction},
	{"state", TERM_STATE, parse_state},
};

static const struct term_syntax *
find_syntax(const char *word, const char **ret_value)
{
	const char *colon = strchr(word, ':');

	for (gsize i = 0; colon && i < G_N_ELEMENTS(syntax); i++) {
		if (strlen(syntax[i].prefix) == (gsize)(colon - word) &&
		    g_ascii_strncasecmp(word, syntax[i].prefix, colon - word) == 0) {
			*ret_value = colon + 1;
			return &syntax[i];
		}
	}
	return NULL;
}

static gboolean
add_prefixed(struct query *query, const struct term_syntax *found, const char *word,
	     const char *value, GError **error)
{
	g_autoptr(query_term_t) term = query_term_new(found->kind);

	if (!g_utf8_validate(value, -1, NULL))
		return term_error(error, word, "not UTF-8");
	if (*value == '\0')
		return term_error(error, word, "nothing follows the colon");
	if (!found->parse(term, value, error))
		return FALSE;
	if (*term->text == '\0' && term->address_match != ADDRESS_WHOLE)
		return term_error(error, word, "nothing follows the colon");
	g_ptr_array_add(query->terms, g_steal_pointer(&term));
	return TRUE;
}

static gboolean
add_hash(struct query *query, const char *word)
{
	g_autoptr(query_term_t) term = query_term_new(TERM_DIGEST);
	struct wanted_digest wanted = {0};

	if (!digest_from_hex(word, &wanted.digest))
		return FALSE;
	term->text = g_strdup(word);
	g_array_append_val(term->digests, wanted);
	g_ptr_array_add(query->terms, g_steal_pointer(&term));
	return TRUE;
}

typedef gboolean (*want_fn)(struct query_term *term, const char *path, GError **error);

/* Adds the digests that a file stands for. */
static gboolean
add_digests(struct query *query, want_fn want, const char *path, GError **error)
{
	g_autoptr(query_term_t) term = query_term_new(TERM_DIGEST);

	if (!want(term, path, error))
		return FALSE;
	g_ptr_array_add(query->terms, g_steal_pointer(&term));
	return TRUE;
}

gboolean
query_add_hashes(struct query *query, const char *path, GError **error)
{
	return add_digests(query, query_hashes_want, path, error);
}

gboolean
query_add(struct query *query, const char *word, gboolean is_file, GError **error)
{
	const char *value = NULL;
	const struct term_syntax *found;

	if (is_file)
		return add_digests(query, query_file_want, word, error);
	found = find_syntax(word, &value);
	if (found)
		return add_prefixed(query, found, word, value, error);
	if (add_hash(query, word))
		return TRUE;
	if (g_str_has_prefix(word, "http://") || g_str_has_prefix(word, "https://"))
		return term_error(error, word, "write url: before a link");
	if (strchr(word, '/'))
		return add_digests(query, query_file_want, word, error);
	if (strchr(word, '@'))
		return term_error(error, word, "write to: or from: before an address");
	return term_error(error, word,
			  "write an MD5, SHA-1 or SHA-256, a path with a '/', or a term such as "
			  "name:GLOB, subject:TEXT, from:, to:, id:, queue:, event:, url:, ip:, "
			  "sasl:, sensor:, malware:, ext:, size:, direction:, state:");
}

/* ---- patterns ---- */

gboolean
query_glob(const char *pattern, const char *text)
{
	const char *star = NULL, *retry = NULL;

	while (*text) {
		gboolean escaped = pattern[0] == '\\' && pattern[1] != '\0';

		if (*pattern == '*') {
			star = ++pattern;
			retry = text;
		} else if (*pattern == '?') {
			pattern++;
			text = g_utf8_next_char(text);
		} else if (*pattern && pattern[escaped] == *text) {
			pattern += 1 + escaped;
			text++;
		} else if (star) {
			pattern = star;
			retry = g_utf8_next_char(retry);
			text = retry;
		} else {
			return FALSE;
		}
	}
	while (*pattern == '*')
		pattern++;
	return *pattern == '\0';
}
