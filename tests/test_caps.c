/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Caps of reading a message as a whole: at cap-1 and at the cap all is read and
 * nothing noted, at cap+1 the record says which cap was met.  Others stand in the tests
 * of the modules that they are of.
 */
#include <criterion/criterion.h>
#include <string.h>
#include <sys/mman.h>

#include "caps.h"
#include "mime.h"

static void
preload(void)
{
	g_autoptr(GError) error = NULL;

	cr_assert(mime_preload(&error), "%s", error ? error->message : "");
}

TestSuite(caps, .init = preload);

/* Makes a message that has as much as the cap's value and over of what it counts. */
typedef GString *(*make_function)(gssize over);

static GString *
repeated(const char *before, const char *piece, gssize count, const char *after)
{
	GString *text = g_string_new(before);

	for (gssize i = 0; i < count; i++)
		g_string_append(text, piece);
	g_string_append(text, after);
	return text;
}

static GString *
parameters(gssize over)
{
	return repeated("Content-Type: a/b", ";a=b", CAP_PARAMETERS + over, "\r\n\r\nx");
}

static GString *
parameter_bytes(gssize over)
{
	const char *begin = "a/b;a=b(";

	return repeated("Content-Type:a/b;a=b(", "c",
			CAP_PARAMETER_BYTES + over - (gssize)strlen(begin) - 1, ")\r\n\r\nx");
}

static GString *
header_bytes(gssize over)
{
	/* The last field ends there. */
	const char *begin = "X: ", *end = "\r\nSubject: a";

	return repeated(begin, "x", CAP_HEADER_BYTES + over - (gssize)(strlen(begin) + strlen(end)),
			"\r\nSubject: a\r\n\r\nx");
}

static GString *
fields(gssize over)
{
	return repeated("", "To: a\r\n", CAP_FIELDS + over, "\r\nx");
}

static GString *
anomalies(gssize over)
{
	return repeated("", "Content-ID: a\r\n", CAP_ANOMALIES + over + 1, "\r\nx");
}

static GString *
address_field_bytes(gssize over)
{
	return repeated("To: a@b,", " ", CAP_ADDRESS_FIELD_BYTES + over - 8, "c@d\r\n\r\nx");
}

static GString *
readings(gssize over)
{
	return repeated("Subject: s\r\n\r\n", "begin 644 f.exe\r\n'<&%Y;&]A9```\r\n`\r\nend\r\n",
			CAP_READINGS + over, "");
}

static const struct row {
	const char *cap;
	make_function make;
} rows[] = {
	{CAP_PARAMETERS_NAME, parameters},	/* CAP_PARAMETERS */
	{CAP_PARAMETERS_NAME, parameter_bytes}, /* CAP_PARAMETER_BYTES */
	{CAP_HEADER_BYTES_NAME, header_bytes},
	{CAP_FIELDS_NAME, fields},
	{CAP_ANOMALIES_NAME, anomalies},
	{CAP_ADDRESSES_NAME, address_field_bytes}, /* CAP_ADDRESS_FIELD_BYTES */
	{CAP_READINGS_NAME, readings},
};

static gboolean
met_cap(const struct record *record, const char *cap)
{
	return g_ptr_array_find_with_equal_func(record->caps, cap, g_str_equal, NULL);
}

/* Whether this cap, and no other, is noted. */
static gboolean
only_cap(const struct record *record, const char *cap)
{
	return record->caps->len == 1 && met_cap(record, cap);
}

static const char *
caps_text(const struct record *record)
{
	return record->caps->len ? record->caps->pdata[0] : "";
}

Test(caps, are_noted_by_name_above_them_and_not_at_them)
{
	for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
		for (gssize over = -1; over <= 1; over++) {
			GString *text = rows[i].make(over);
			g_autoptr(record_t) record = mime_read(text->str, text->len);

			if (over > 0)
				cr_expect(only_cap(record, rows[i].cap), "%zu: %s", i, rows[i].cap);
			else
				cr_expect_eq(record->caps->len, 0, "%zu: %s at %zd: %s", i,
					     rows[i].cap, over, caps_text(record));
			g_string_free(text, TRUE);
		}
	}
}

/* ---- bytes that are hashed again for each message around them ---- */

#define LEVEL "Content-Type: message/rfc822\r\n\r\n"
#define LEVEL_BYTES ((gssize)sizeof(LEVEL) - 1)
#define LEVELS 60
#define INNERMOST "Content-Type: a/b\r\n\r\n"

/*
 * LEVELS messages in one another that hold so many bytes in all.  The innermost
 * one is in all of them; what is left of the sum stands in the header of the outermost of them.
 */
static GString *
enclosing(gssize sum)
{
	const gssize headers = LEVEL_BYTES * LEVELS * (LEVELS - 1) / 2;
	const gssize length = (sum - headers) / LEVELS - 1;
	const gssize left = sum - headers - length * LEVELS;
	g_autofree char *pad = g_strnfill((gsize)left - strlen("X:\r\n"), 'p');
	g_autofree char *body = g_strnfill((gsize)length - strlen(INNERMOST), 'b');
	GString *text = g_string_new(LEVEL "X:");

	g_string_append(text, pad);
	g_string_append(text, "\r\n");
	for (int i = 1; i < LEVELS; i++)
		g_string_append(text, LEVEL);
	g_string_append(text, INNERMOST);
	g_string_append(text, body);
	return text;
}

Test(caps, enclosed_bytes_are_hashed_to_their_cap_and_incomplete_beyond)
{
	for (gssize over = -1; over <= 1; over++) {
		GString *text = enclosing(CAP_ENCLOSED_BYTES + over);
		g_autoptr(record_t) record = mime_read(text->str, text->len);
		const struct file *last = record->files->pdata[LEVELS - 1];
		const struct file *leaf = record->files->pdata[LEVELS];

		/* Other readings of so many headers meet other caps. */
		cr_expect_eq(met_cap(record, CAP_ENCLOSED_BYTES_NAME), over > 0, "%zd", over);
		cr_expect_eq(((struct file *)record->files->pdata[0])->flags, FILE_MESSAGE);
		cr_expect_eq(last->flags, over > 0 ? FILE_MESSAGE | FILE_INCOMPLETE : FILE_MESSAGE);
		cr_expect_eq(leaf->size, last->size - strlen(INNERMOST));
		cr_expect_eq(leaf->flags, 0);
		g_string_free(text, TRUE);
	}
}

/* ---- bytes read by other readings ---- */

/* A multipart with a part behind its end, which one other reading shows; the preamble is zeros. */
static struct record *
read_behind_its_end(gsize length)
{
	const char *head = "Content-Type: multipart/mixed; boundary=b\r\n\r\n";
	const char *tail = "\r\n--b\r\n\r\nx\r\n--b\r\n\r\ny\r\n--b--\r\n--b\r\n\r\nz\r\n";
	/* Pages that are only read are all one page of zeros. */
	char *message = mmap(NULL, length, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	struct record *record;

	cr_assert(message != MAP_FAILED);
	memcpy(message, head, strlen(head));
	memcpy(message + length - strlen(tail), tail, strlen(tail));
	record = mime_read(message, length);
	munmap(message, length);
	return record;
}

Test(caps, reading_bytes_are_counted_to_the_byte)
{
	for (gssize over = -1; over <= 1; over++) {
		g_autoptr(record_t) record = read_behind_its_end((gsize)(CAP_READING_BYTES + over));

		cr_expect_eq(only_cap(record, CAP_READING_BYTES_NAME), over > 0, "%zd", over);
		cr_expect_eq(record->caps->len, over > 0 ? 1 : 0, "%zd: %s", over,
			     caps_text(record));
		cr_expect_eq(record->files->len, over > 0 ? 3 : 4, "%u", record->files->len);
	}
}

/* ---- bytes that runs of BinHex make ---- */

/* Appends a byte, six bits a character; what is left of it waits for the next. */
static void
put_sixes(GString *text, guint8 byte, guint32 *bits, guint *count)
{
	static const char alphabet[] =
		"!\"#$%&'()*+,-012345689@ABCDEFGHIJKLMNPQRSTUVXYZ[`abcdefhijklmpqr";

	*bits = *bits << 8 | byte;
	for (*count += 8; *count >= 6; *count -= 6)
		g_string_append_c(text, alphabet[*bits >> (*count - 6) & 077]);
}

/* A text with a file of so many zeros, "a", in BinHex. */
static GString *
zeros_in_binhex(guint32 length)
{
	GString *text = g_string_new("\r\n(This file must be converted with BinHex 4.0)\r\n\r\n:");
	guint8 head[24] = {1, 'a'};
	guint32 bits = 0, left = length - 1;
	guint count = 0;

	for (int i = 0; i < 4; i++)
		head[13 + i] = (guint8)(length >> (24 - 8 * i));
	/* The last is the first of the zeros. */
	for (gsize i = 0; i < sizeof(head); i++)
		put_sixes(text, head[i], &bits, &count);
	for (guint32 some; left; left -= some) {
		some = MIN(left, 254);
		put_sixes(text, 0x90, &bits, &count);
		put_sixes(text, (guint8)(some + 1), &bits, &count);
	}
	put_sixes(text, 0, &bits, &count);
	g_string_append(text, ":\r\n");
	return text;
}

Test(caps, runs_of_binhex_are_kept_to_their_cap_and_have_no_digest_beyond)
{
	static const struct digests none;

	for (int over = -1; over <= 1; over++) {
		guint32 length = (guint32)(CAP_KEPT_BYTES + over);
		g_autoptr(GString) text = zeros_in_binhex(length);
		g_autoptr(record_t) record = mime_read(text->str, text->len);
		const struct file *file = record->files->pdata[record->files->len - 1];

		cr_assert_str_eq(file->readings->pdata[0], "binhex-in-text");
		cr_expect_eq(file->size, length);
		cr_expect_eq(file->flags, over > 0 ? (guint32)FILE_INCOMPLETE : 0u);
		cr_expect_eq(memcmp(&file->digests, &none, sizeof(none)) == 0, over > 0);
		cr_expect_eq(only_cap(record, CAP_KEPT_BYTES_NAME), over > 0);
		cr_expect_eq(record->caps->len, over > 0 ? 1 : 0, "%s", caps_text(record));
	}
}
