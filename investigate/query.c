/* SPDX-License-Identifier: BSD-2-Clause */
#include "query.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <string.h>
#include <unistd.h>

#include "caps.h"
#include "event.h"
#include "text.h"

#define READ_CHUNK_BYTES (256 * 1024)

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

/* ---- files ---- */

/*
 * Reads a file whole, "-" being the standard input.  Bounded, since what is
 * larger than a message was never in one.
 */
static GByteArray *
read_file(const char *path, gsize max_bytes, GError **error)
{
	g_autoptr(GByteArray) bytes = g_byte_array_new();
	int fd = strcmp(path, "-") == 0 ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0)
					: open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got = -1;

	if (fd >= 0) {
		do {
			guint have = bytes->len;

			g_byte_array_set_size(bytes, have + READ_CHUNK_BYTES);
			got = read(fd, bytes->data + have, READ_CHUNK_BYTES);
			g_byte_array_set_size(bytes, have + (got > 0 ? (guint)got : 0));
		} while ((got > 0 && bytes->len <= max_bytes) || (got < 0 && errno == EINTR));
	}
	if (got < 0)
		g_set_error(error, QUERY_ERROR, QUERY_ERROR_FILE, "cannot read %s: %s", path,
			    g_strerror(errno));
	if (fd >= 0)
		close(fd);
	if (got < 0)
		return NULL;
	if (bytes->len > max_bytes) {
		g_set_error(error, QUERY_ERROR, QUERY_ERROR_FILE,
			    "%s is larger than %" G_GSIZE_FORMAT " bytes", path, max_bytes);
		return NULL;
	}
	return g_steal_pointer(&bytes);
}

/* CRC-32 as zip has it (ISO 3309, reflected 0x04C11DB7). */
static guint32
crc32_of(const guint8 *bytes, gsize length)
{
	guint32 table[256];
	guint32 crc = 0xffffffff;

	for (guint32 i = 0; i < 256; i++) {
		table[i] = i;
		for (int bit = 0; bit < 8; bit++)
			table[i] = (table[i] >> 1) ^ (table[i] & 1 ? 0xedb88320 : 0);
	}
	for (gsize i = 0; i < length; i++)
		crc = table[(crc ^ bytes[i]) & 0xff] ^ (crc >> 8);
	return ~crc;
}

/* Adds the three digests of a form of the file, unless an earlier form has the same bytes. */
static void
want_form(struct query_term *term, const void *bytes, gsize length, const char *variant)
{
	struct digests all;
	const guint8 *each[] = {all.md5, all.sha1, all.sha256};

	digests_of(bytes, length, &all);
	for (guint i = 0; i < term->digests->len; i++) {
		const struct wanted_digest *have =
			&g_array_index(term->digests, struct wanted_digest, i);

		if (have->digest.kind == DIGEST_SHA256 &&
		    memcmp(have->digest.bytes, all.sha256, SHA256_BYTES) == 0)
			return;
	}
	for (int kind = DIGEST_MD5; kind <= DIGEST_SHA256; kind++) {
		struct wanted_digest wanted = {.variant = g_strdup(variant)};

		wanted.digest.kind = kind;
		memcpy(wanted.digest.bytes, each[kind], digest_length(kind));
		g_array_append_val(term->digests, wanted);
	}
}

/* Returns the content with every line break (LF or CR LF) as eol. */
static GString *
with_line_ends(const GByteArray *content, const char *eol)
{
	GString *form = g_string_sized_new(content->len + 1);
	const char *at = (const char *)content->data;
	const char *end = at + content->len;

	while (at < end) {
		const char *break_at = memchr(at, '\n', end - at);
		const char *stop = break_at ? break_at : end;

		if (break_at && stop > at && stop[-1] == '\r')
			stop--;
		g_string_append_len(form, at, stop - at);
		if (break_at)
			g_string_append(form, eol);
		at = break_at ? break_at + 1 : end;
	}
	return form;
}

/* Wants a form with its end as it is, and with the other kind of end. */
static void
want_with_ends(struct query_term *term, GString *form, const char *eol, const char *name)
{
	g_autofree char *added = g_strconcat(name, "-newline", NULL);
	g_autofree char *taken = g_strconcat(name, "-no-newline", NULL);

	want_form(term, form->str, form->len, name);
	if (form->len > 0 && form->str[form->len - 1] == '\n') {
		gsize end = form->len - 1;

		if (end > 0 && form->str[end - 1] == '\r')
			end--;
		want_form(term, form->str, end, taken);
	} else {
		g_string_append(form, eol);
		want_form(term, form->str, form->len, added);
	}
}

static gboolean
add_file(struct query *query, const char *path, GError **error)
{
	g_autoptr(query_term_t) term = query_term_new(TERM_DIGEST);
	g_autoptr(GByteArray) content = read_file(path, CAP_MESSAGE_BYTES, error);
	g_autoptr(GString) exact = NULL;
	g_autoptr(GString) lf = NULL;
	g_autoptr(GString) crlf = NULL;
	gsize length;

	if (!content)
		return FALSE;
	exact = g_string_new_len((const char *)content->data, content->len);
	lf = with_line_ends(content, "\n");
	crlf = with_line_ends(content, "\r\n");
	term->text = g_strdup(path);
	term->has_content = TRUE;
	term->candidate_size = content->len;
	term->candidate_crc32 = crc32_of(content->data, content->len);
	term->has_candidate = content->len >= CANDIDATE_MIN_BYTES;
	want_with_ends(term, exact,
		       strstr(crlf->str, "\r\n") && lf->len < content->len ? "\r\n" : "\n",
		       "exact");
	length = lf->len;
	want_with_ends(term, lf, "\n", "lf");
	want_with_ends(term, crlf, "\r\n", "crlf");
	while (length > 0 && lf->str[length - 1] == '\n')
		length--;
	want_form(term, lf->str, length, "trimmed");
	g_ptr_array_add(query->terms, g_steal_pointer(&term));
	return TRUE;
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

gboolean
query_ip(const char *text, guint8 ret_ip[16])
{
	g_autoptr(GInetAddress) address = text ? g_inet_address_new_from_string(text) : NULL;
	static const guint8 mapped[12] = {[10] = 0xff, [11] = 0xff};

	if (!address)
		return FALSE;
	if (g_inet_address_get_family(address) == G_SOCKET_FAMILY_IPV4) {
		memcpy(ret_ip, mapped, sizeof(mapped));
		memcpy(ret_ip + 12, g_inet_address_to_bytes(address), 4);
	} else {
		memcpy(ret_ip, g_inet_address_to_bytes(address), 16);
	}
	return TRUE;
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
	query_ip(plain, term->ip_first);
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

gboolean
query_add(struct query *query, const char *word, gboolean is_file, GError **error)
{
	const char *value = NULL;
	const struct term_syntax *found;

	if (is_file)
		return add_file(query, word, error);
	found = find_syntax(word, &value);
	if (found)
		return add_prefixed(query, found, word, value, error);
	if (add_hash(query, word))
		return TRUE;
	if (g_str_has_prefix(word, "http://") || g_str_has_prefix(word, "https://"))
		return term_error(error, word, "write url: before a link");
	if (strchr(word, '/'))
		return add_file(query, word, error);
	if (strchr(word, '@'))
		return term_error(error, word, "write to: or from: before an address");
	return term_error(error, word,
			  "write an MD5, SHA-1 or SHA-256, a path with a '/', or a term such as "
			  "name:GLOB, subject:TEXT, from:, to:, id:, queue:, event:, url:, ip:, "
			  "sasl:, sensor:, malware:, ext:, size:, direction:, state:");
}

/* ---- lists of hashes ---- */

/*
 * A list's first line may be a heading: words, not something meant as a hash
 * that lost a digit, which must not be left out of the question in silence.
 */
static gboolean
is_heading(const char *cell)
{
	return cell[strspn(cell, "0123456789abcdefABCDEF")] != '\0';
}

/* Reads one line; comments, blank lines and a heading in the first line are no hashes. */
static gboolean
add_hash_line(struct query_term *term, char *line, guint number, const char *path, GError **error)
{
	struct wanted_digest wanted = {0};
	g_autofree char *shown = NULL;
	char *cell = g_strstrip(line);

	cell[strcspn(cell, ",;\t #")] = '\0';
	if (cell[0] == '"') {
		cell++;
		cell[strcspn(cell, "\"")] = '\0';
	}
	if (*cell == '\0')
		return TRUE;
	if (digest_from_hex(cell, &wanted.digest)) {
		g_array_append_val(term->digests, wanted);
		return TRUE;
	}
	if (number == 1 && is_heading(cell))
		return TRUE;
	shown = text_from_bytes(cell, strlen(cell), 80, NULL);
	g_set_error(error, QUERY_ERROR, QUERY_ERROR_TERM, "%s:%u: '%s' is no MD5, SHA-1 or SHA-256",
		    path, number, shown);
	return FALSE;
}

gboolean
query_add_hashes(struct query *query, const char *path, GError **error)
{
	g_autoptr(query_term_t) term = query_term_new(TERM_DIGEST);
	g_autoptr(GByteArray) bytes = read_file(path, QUERY_HASHES_BYTES, error);
	char *line, *end;
	guint number = 0;

	if (!bytes)
		return FALSE;
	/* What stands behind a NUL would not be asked for; lists in UTF-16 have one in each word.
	 */
	if (memchr(bytes->data, '\0', bytes->len)) {
		g_set_error(error, QUERY_ERROR, QUERY_ERROR_TERM,
			    "%s is no text: convert it to UTF-8, as iconv -f UTF-16 -t UTF-8 does",
			    path);
		return FALSE;
	}
	g_byte_array_append(bytes, (const guint8 *)"", 1);
	term->text = g_strdup(path);
	line = (char *)bytes->data;
	if (g_str_has_prefix(line, "\xef\xbb\xbf"))
		line += 3;
	for (; line; line = end) {
		end = strchr(line, '\n');
		if (end)
			*end++ = '\0';
		if (!add_hash_line(term, line, ++number, path, error))
			return FALSE;
	}
	if (term->digests->len == 0) {
		g_set_error(error, QUERY_ERROR, QUERY_ERROR_TERM, "%s has no hashes", path);
		return FALSE;
	}
	g_ptr_array_add(query->terms, g_steal_pointer(&term));
	return TRUE;
}

/* ---- patterns and times ---- */

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

/* Reads "7d": a number and a unit of time before now. */
static gboolean
parse_ago(const char *text, gint64 now_us, gint64 *ret_us)
{
	static const struct {
		char unit;
		gint64 seconds;
	} units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}, {'w', 7 * 86400}};
	char *end = NULL;
	guint64 count;

	if (!g_ascii_isdigit(*text))
		return FALSE;
	count = g_ascii_strtoull(text, &end, 10);
	for (gsize i = 0; i < G_N_ELEMENTS(units); i++) {
		if (end[0] == units[i].unit && end[1] == '\0' &&
		    count <= (guint64)G_MAXINT64 / G_USEC_PER_SEC / units[i].seconds &&
		    now_us >= (gint64)count * units[i].seconds * G_USEC_PER_SEC) {
			*ret_us = now_us - (gint64)count * units[i].seconds * G_USEC_PER_SEC;
			return TRUE;
		}
	}
	return FALSE;
}

/* Returns TRUE for "2026-11-23": four digits, two, two. */
static gboolean
is_date(const char *text)
{
	static const char form[] = "dddd-dd-dd";

	for (gsize i = 0; i < sizeof(form); i++) {
		if (form[i] == 'd' ? !g_ascii_isdigit(text[i]) : text[i] != form[i])
			return FALSE;
	}
	return TRUE;
}

gboolean
query_parse_time(const char *text, gint64 now_us, gint64 *ret_us, GError **error)
{
	g_autoptr(GTimeZone) local = g_time_zone_new_local();
	g_autoptr(GDateTime) time = NULL;
	g_autofree char *shown = NULL;

	if (parse_ago(text, now_us, ret_us))
		return TRUE;
	if (is_date(text)) {
		g_autofree char *midnight = g_strconcat(text, "T00:00:00", NULL);

		time = g_date_time_new_from_iso8601(midnight, local);
	} else if (strchr(text, '-')) {
		time = g_date_time_new_from_iso8601(text, local);
	}
	if (time) {
		*ret_us = g_date_time_to_unix(time) * G_USEC_PER_SEC +
			  g_date_time_get_microsecond(time);
		return TRUE;
	}
	shown = text_for_terminal(text);
	g_set_error(error, QUERY_ERROR, QUERY_ERROR_TIME,
		    "'%s' is no time: write 2026-11-23, 2026-11-23T10:00:00Z, or 7d, 12h, 30m, 2w "
		    "before now",
		    shown);
	return FALSE;
}

gboolean
query_parse_expiry(const char *text, gint64 now_us, gint64 *ret_us, GError **error)
{
	gsize digits = strspn(text, "0123456789");
	gint64 time_us;

	if (strcmp(text, "never") == 0) {
		*ret_us = 0;
		return TRUE;
	}
	if (!query_parse_time(text, now_us, &time_us, error))
		return FALSE;
	/* The same words as of --since, which count backwards. */
	if (digits > 0 && g_ascii_isalpha(text[digits]) && !text[digits + 1])
		time_us = now_us + (now_us - time_us);
	*ret_us = time_us;
	return TRUE;
}
