/* SPDX-License-Identifier: BSD-2-Clause */
#include "magic.h"

#include <string.h>

#define MAGIC(offset, bytes, type)                                  \
	{                                                           \
		(offset), sizeof(bytes) - 1, (bytes), (type), FALSE \
	}
/* Of bytes that a text may begin with. */
#define WORD(offset, bytes, type)                                  \
	{                                                          \
		(offset), sizeof(bytes) - 1, (bytes), (type), TRUE \
	}

/* The first that matches decides. */
static const struct signature {
	gsize offset;
	gsize length;
	const char *bytes;
	const char *type;
	gboolean no_text;
} signatures[] = {
	MAGIC(0, "MZ", "application/vnd.microsoft.portable-executable"),
	MAGIC(0, "\177ELF", "application/x-elf"),
	MAGIC(0, "\xcf\xfa\xed\xfe", "application/x-mach-binary"),
	MAGIC(0, "\xce\xfa\xed\xfe", "application/x-mach-binary"),
	MAGIC(0, "\xca\xfe\xba\xbe", "application/java-vm"),
	MAGIC(0, "\0asm", "application/wasm"),
	MAGIC(0, "L\0\0\0\x01\x14\x02\0", "application/x-ms-shortcut"),
	MAGIC(0, "%PDF-", "application/pdf"),
	MAGIC(0, "{\\rtf", "application/rtf"),
	MAGIC(0, "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "application/x-ole-storage"),
	MAGIC(0, "\xe4\x52\x5c\x7b\x8c\xd8\xa7\x4d", "application/onenote"),
	MAGIC(0, "ITSF", "application/vnd.ms-htmlhelp"),
	MAGIC(0, "\x78\x9f\x3e\x22", "application/ms-tnef"),
	MAGIC(0, "7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
	MAGIC(0, "Rar!\x1a\x07", "application/vnd.rar"),
	MAGIC(0, "MSCF", "application/vnd.ms-cab-compressed"),
	MAGIC(0, "\x1f\x8b", "application/gzip"),
	MAGIC(0, "\x1f\x9d", "application/x-compress"),
	WORD(0, "BZh", "application/x-bzip2"),
	MAGIC(0,
	      "\xfd"
	      "7zXZ\0",
	      "application/x-xz"),
	MAGIC(0, "\x28\xb5\x2f\xfd", "application/zstd"),
	MAGIC(0, "\x04\x22\x4d\x18", "application/x-lz4"),
	MAGIC(0, "\x02\x21\x4c\x18", "application/x-lz4"), /* as it was before it had frames */
	WORD(0, "LZIP", "application/x-lzip"),
	MAGIC(0, "\x5d\0\0", "application/x-lzma"),
	MAGIC(0, "xar!\0", "application/x-xar"),
	WORD(0, "070701", "application/x-cpio"),
	WORD(0, "070702", "application/x-cpio"),
	WORD(0, "070707", "application/x-cpio"),
	MAGIC(0, "\xc7\x71", "application/x-cpio"),
	MAGIC(0, "\x71\xc7", "application/x-cpio"),
	MAGIC(0, "WARC/1.", "application/warc"),
	MAGIC(0, "WARC/0.", "application/warc"),
	MAGIC(0, "\x60\xea", "application/x-arj"),
	MAGIC(0, "SZDD\x88\xf0\x27\x33", "application/x-ms-szdd"),
	MAGIC(8, "\x19\x04\x00\x10", "application/vnd.symbian.install"),
	WORD(2, "-lh", "application/x-lzh-compressed"),
	WORD(2, "-lz", "application/x-lzh-compressed"),
	WORD(2, "-pm0-", "application/x-lzh-compressed"),
	WORD(2, "-pm2-", "application/x-lzh-compressed"),
	MAGIC(257, "ustar", "application/x-tar"),
	MAGIC(0, "**ACE**", "application/x-ace-compressed"),
	MAGIC(7, "**ACE**", "application/x-ace-compressed"),
	MAGIC(0, "!<arch>\n", "application/x-archive"),
	MAGIC(0, "\xed\xab\xee\xdb", "application/x-rpm"),
	MAGIC(0, "conectix", "application/x-vhd"),
	MAGIC(0, "vhdxfile", "application/x-vhdx"),
	MAGIC(0, "\x89PNG\r\n\x1a\n", "image/png"),
	MAGIC(0, "\xff\xd8\xff", "image/jpeg"),
	MAGIC(0, "GIF8", "image/gif"),
	MAGIC(0, "II*\0", "image/tiff"),
	MAGIC(0, "MM\0*", "image/tiff"),
	MAGIC(8, "WEBP", "image/webp"),
	MAGIC(0, "\0\0\x01\0", "image/vnd.microsoft.icon"),
	MAGIC(0, "8BPS", "image/vnd.adobe.photoshop"),
	MAGIC(4, "ftyp", "video/mp4"),
	MAGIC(8, "WAVE", "audio/vnd.wave"),
	MAGIC(8, "AVI ", "video/vnd.avi"),
	MAGIC(0, "ID3", "audio/mpeg"),
	MAGIC(0, "OggS", "application/ogg"),
	MAGIC(0, "SQLite format 3", "application/vnd.sqlite3"),
	MAGIC(0, "!BDN", "application/vnd.ms-outlook-pst"),
	MAGIC(0, "CWS", "application/x-shockwave-flash"),
	MAGIC(0, "FWS", "application/x-shockwave-flash"),
	MAGIC(0, "%!PS", "application/postscript"),
	MAGIC(0, "-----BEGIN PGP MESSAGE", "application/pgp-encrypted"),
	MAGIC(0, "-----BEGIN PGP SIGNATURE", "application/pgp-signature"),
	MAGIC(0, "#!", "text/x-shellscript"),
	MAGIC(0, "BEGIN:VCALENDAR", "text/calendar"),
	MAGIC(0, "BEGIN:VCARD", "text/vcard"),
	MAGIC(0, "[InternetShortcut]", "application/x-mswinurl"),
};

/* Text that names its own kind, after blanks and in either case. */
static const struct {
	const char *text;
	const char *type;
} openings[] = {
	{"<!doctype html", "text/html"}, {"<html", "text/html"},   {"<head", "text/html"},
	{"<body", "text/html"},		 {"<script", "text/html"}, {"<svg", "image/svg+xml"},
	{"<?xml", "application/xml"},
};

/* Zip files that say by their first member's name what they are. */
static const struct {
	const char *name;
	const char *type;
} members[] = {
	{"mimetypeapplication/vnd.oasis.opendocument.text",
	 "application/vnd.oasis.opendocument.text"},
	{"mimetypeapplication/vnd.oasis.opendocument.spreadsheet",
	 "application/vnd.oasis.opendocument.spreadsheet"},
	{"mimetypeapplication/vnd.oasis.opendocument.presentation",
	 "application/vnd.oasis.opendocument.presentation"},
	{"mimetypeapplication/epub+zip", "application/epub+zip"},
	{"[Content_Types].xml", "application/vnd.openxmlformats-officedocument"},
	{"_rels/.rels", "application/vnd.openxmlformats-officedocument"},
	{"META-INF/", "application/java-archive"},
};

/* Bytes of a local file header before the member's name (APPNOTE.TXT 4.3.7). */
#define ZIP_HEADER_BYTES 30

static const char *
zip_type(const guint8 *bytes, gsize length)
{
	for (gsize i = 0; i < G_N_ELEMENTS(members) && length > ZIP_HEADER_BYTES; i++) {
		gsize size = strlen(members[i].name);

		if (length - ZIP_HEADER_BYTES >= size &&
		    memcmp(bytes + ZIP_HEADER_BYTES, members[i].name, size) == 0)
			return members[i].type;
	}
	return "application/zip";
}

/*
 * Whether a zip begins with a mark of one that spans volumes, or was to: the signature of a
 * descriptor, or "PK00" where there was but one (APPNOTE 8.5.3, 8.5.4).
 */
static gboolean
is_spanned_zip(const guint8 *bytes, gsize length)
{
	return length >= 8 && memcmp(bytes + 4, "PK\3\4", 4) == 0 &&
	       (memcmp(bytes, "PK\7\x8", 4) == 0 || memcmp(bytes, "PK00", 4) == 0);
}

static const char *
opening_type(const char *text, gsize length)
{
	while (length && g_ascii_isspace(*text)) {
		text++;
		length--;
	}
	for (gsize i = 0; i < G_N_ELEMENTS(openings); i++) {
		gsize size = strlen(openings[i].text);

		if (length >= size && g_ascii_strncasecmp(text, openings[i].text, size) == 0)
			return openings[i].type;
	}
	return NULL;
}

/* Text has no controls but tab, line breaks, form feed and ISO-2022's escape. */
static gboolean
is_text(const guint8 *bytes, gsize length)
{
	for (gsize i = 0; i < length; i++)
		if ((bytes[i] < ' ' && !strchr("\t\n\r\f\x1b", bytes[i])) || !bytes[i] ||
		    bytes[i] == 0x7f)
			return FALSE;
	return length > 0;
}

/* Where a tar keeps its header's checksum, six octal digits (POSIX pax, ustar Interchange). */
#define TAR_HEADER_BYTES 512
#define TAR_CHECKSUM 148
#define TAR_CHECKSUM_BYTES 8

/*
 * A tar older than POSIX has no word of its own, but a sum over its header, which some take over
 * signed bytes.
 */
static gboolean
is_old_tar(const guint8 *bytes, gsize length)
{
	guint sum = TAR_CHECKSUM_BYTES * ' ', high = 0, told = 0;
	gsize i;

	if (length < TAR_HEADER_BYTES || !bytes[0])
		return FALSE;
	for (i = 0; i < TAR_HEADER_BYTES; i++) {
		if (i >= TAR_CHECKSUM && i < TAR_CHECKSUM + TAR_CHECKSUM_BYTES)
			continue;
		sum += bytes[i];
		high += bytes[i] >> 7;
	}
	for (i = TAR_CHECKSUM; bytes[i] == ' ' && i < TAR_CHECKSUM + TAR_CHECKSUM_BYTES; i++)
		continue;
	for (; i < TAR_CHECKSUM + TAR_CHECKSUM_BYTES && bytes[i] >= '0' && bytes[i] <= '7'; i++)
		told = told * 8 + bytes[i] - '0';
	return told == sum || (told && told == sum - high * 256);
}

static guint32
u32(const guint8 *at)
{
	return (guint32)at[0] | (guint32)at[1] << 8 | (guint32)at[2] << 16 | (guint32)at[3] << 24;
}

/* Zstandard's frames to be skipped (RFC 8878 3.1.2), which are those of lz4 too. */
#define SKIPPED_HEADER_BYTES 8

static gboolean
is_skipped_frame(const guint8 *bytes, gsize length)
{
	return length >= SKIPPED_HEADER_BYTES && (bytes[0] & 0xf0) == 0x50 &&
	       memcmp(bytes + 1, "\x2a\x4d\x18", 3) == 0;
}

/* What stands behind frames to be skipped says of which kind they are. */
static const char *
skipped_type(const guint8 *bytes, gsize length)
{
	while (is_skipped_frame(bytes, length)) {
		gsize size = SKIPPED_HEADER_BYTES + (gsize)u32(bytes + 4);

		if (size > length)
			break;
		bytes += size;
		length -= size;
	}
	return length >= 4 && (memcmp(bytes, "\x04\x22\x4d\x18", 4) == 0 ||
			       memcmp(bytes, "\x02\x21\x4c\x18", 4) == 0)
		       ? "application/x-lz4"
		       : "application/zstd";
}

/*
 * The .lzma format has no signature: a byte of properties, the size of the dictionary and that
 * of the content, then the range coder's first byte, a zero (lzma-file-format.txt 1.1).  As
 * xz does, takes the sizes of dictionaries that encoders write.
 */
#define LZMA_HEADER_BYTES 13
#define LZMA_LEAST_DICTIONARY 4096
#define LZMA_MOST_PROPERTIES ((4 * 5 + 4) * 9 + 8) /* (pb * 5 + lp) * 9 + lc */
#define LZMA_MOST_LITERAL_BITS 4		   /* lc and lp together, of xz */
#define LZMA_LEAST_UNLIKELY_BITS 38		   /* of a content's size */

static gboolean
is_lzma(const guint8 *bytes, gsize length)
{
	guint32 dictionary, high, low, rest;

	if (length <= LZMA_HEADER_BYTES || bytes[0] > LZMA_MOST_PROPERTIES ||
	    bytes[0] % 9 + bytes[0] / 9 % 5 > LZMA_MOST_LITERAL_BITS ||
	    bytes[LZMA_HEADER_BYTES] != 0)
		return FALSE;
	dictionary = u32(bytes + 1);
	low = u32(bytes + 5);
	high = u32(bytes + 9);
	rest = dictionary & (dictionary - 1); /* without its lowest bit */
	if (dictionary < LZMA_LEAST_DICTIONARY ||
	    (rest && dictionary != G_MAXUINT32 && rest != (dictionary & ~rest) << 1))
		return FALSE;
	return (low == G_MAXUINT32 && high == G_MAXUINT32) ||
	       ((low || high) && high >> (LZMA_LEAST_UNLIKELY_BITS - 32) == 0);
}

/* An image may begin with what starts a computer, which is no other kind of content. */
static gboolean
is_disc_image(const guint8 *bytes, gsize length)
{
	const guint8 *mark;

	if (length < MAGIC_IMAGE_BYTES)
		return FALSE;
	/* The second is UDF's alone, which is told to be unread. */
	mark = bytes + MAGIC_IMAGE_BYTES - 5;
	return memcmp(mark, "CD001", 5) == 0 || memcmp(mark, "BEA01", 5) == 0;
}

const char *
magic_type(const void *bytes, gsize length)
{
	const guint8 *at = bytes;
	const char *type;

	if (is_disc_image(at, length))
		return "application/x-iso9660-image";
	if (is_skipped_frame(at, length))
		return skipped_type(at, MIN(length, MAGIC_IMAGE_BYTES));
	length = MIN(length, MAGIC_BYTES);
	if (length >= 4 && (memcmp(at, "PK\3\4", 4) == 0 || memcmp(at, "PK\5\6", 4) == 0))
		return zip_type(at, length);
	if (is_spanned_zip(at, length))
		return zip_type(at + 4, length - 4);
	for (gsize i = 0; i < G_N_ELEMENTS(signatures); i++) {
		const struct signature *signature = &signatures[i];

		if (length >= signature->offset + signature->length &&
		    memcmp(at + signature->offset, signature->bytes, signature->length) == 0 &&
		    !(signature->no_text && is_text(at, length)))
			return signature->type;
	}
	if (is_old_tar(at, length))
		return "application/x-tar";
	if (is_lzma(at, length))
		return "application/x-lzma";
	if (length >= 3 && memcmp(at, "\xef\xbb\xbf", 3) == 0) {
		at += 3; /* UTF-8's byte order mark */
		length -= 3;
	}
	type = opening_type((const char *)at, length);
	if (type)
		return type;
	return is_text(at, length) ? "text/plain" : NULL;
}
