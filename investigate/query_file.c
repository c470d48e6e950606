/* SPDX-License-Identifier: BSD-2-Clause */
#include "query_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "caps.h"
#include "event.h"
#include "text.h"

#define READ_CHUNK_BYTES (256 * 1024)

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

gboolean
query_file_want(struct query_term *term, const char *path, GError **error)
{
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
	return TRUE;
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
query_hashes_want(struct query_term *term, const char *path, GError **error)
{
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
	return TRUE;
}
