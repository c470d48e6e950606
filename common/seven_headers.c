/* SPDX-License-Identifier: BSD-2-Clause */
#include "seven_headers.h"

#include <string.h>

#include "caps.h"

#define MARKER "7z\xbc\xaf\x27\x1c"
#define MARKER_BYTES 6
#define START_BYTES 32 /* before the first content */
#define MAX_CODERS 32  /* of one folder; and streams of one coder */
#define AES "\x06\xf1\x07\x01"
#define AES_BYTES 4

enum property {
	END,
	HEADER,
	MAIN_STREAMS = 4,
	PACKED = 6,
	UNPACKED,
	SUBSTREAMS,
	SIZES,
	CRCS,
	FOLDERS,
	UNPACKED_SIZES,
	COUNTS,
};

/* What is left to read; once damaged, all that is read is 0. */
struct piece {
	const guint8 *at, *end;
	gboolean damaged;
};

/* A stream through some coders, whose content is cut into members. */
struct folder {
	guint outputs, last; /* its streams, and the one that no coder takes further */
	guint64 size;
	gboolean encrypted, has_crc32;
	guint32 crc32;
	guint members;
};

static const guint8 *
take_bytes(struct piece *piece, guint64 count)
{
	const guint8 *bytes = piece->at;

	if (piece->damaged || count > (guint64)(piece->end - piece->at)) {
		piece->damaged = TRUE;
		return NULL;
	}
	piece->at += count;
	return bytes;
}

static guint
take_byte(struct piece *piece)
{
	const guint8 *byte = take_bytes(piece, 1);

	return byte ? *byte : 0;
}

static guint64
little_endian(const guint8 *bytes, guint count)
{
	guint64 value = 0;

	for (guint i = 0; bytes && i < count; i++)
		value |= (guint64)bytes[i] << (8 * i);
	return value;
}

/* Takes a number: the ones at the head of its first byte tell how many more it has. */
static guint64
take_number(struct piece *piece)
{
	guint first = take_byte(piece), more = 0;
	guint64 low;

	while (more < 8 && first & (0x80u >> more))
		more++;
	low = little_endian(take_bytes(piece, more), more);
	return more < 7 ? low | (guint64)(first & (0x7fu >> more)) << (8 * more) : low;
}

static guint
take_count(struct piece *piece, guint most)
{
	guint64 count = take_number(piece);

	piece->damaged |= count > most;
	return piece->damaged ? 0 : (guint)count;
}

static gboolean
expect(struct piece *piece, enum property wanted)
{
	piece->damaged |= take_number(piece) != wanted;
	return !piece->damaged;
}

/* Takes which of some streams have a CRC-32, and these; calls back for each that has. */
static void
take_crcs(struct piece *piece, guint count, void (*note)(guint i, guint32 crc32, gpointer data),
	  gpointer data)
{
	gboolean all = take_byte(piece) != 0;
	const guint8 *bits = all ? NULL : take_bytes(piece, (count + 7) / 8);

	for (guint i = 0; i < count && !piece->damaged; i++)
		if (all || bits[i / 8] & (0x80 >> i % 8))
			note(i, (guint32)little_endian(take_bytes(piece, 4), 4), data);
}

static void
pass_crc(guint i, guint32 crc32, gpointer data)
{
}

static void
take_packed(struct piece *piece)
{
	guint count;

	take_number(piece);
	count = take_count(piece, CAP_MEMBERS);
	for (guint64 property; !piece->damaged && (property = take_number(piece)) != END;) {
		if (property == SIZES)
			for (guint i = 0; i < count; i++)
				take_number(piece);
		else if (property == CRCS)
			take_crcs(piece, count, pass_crc, NULL);
		else
			piece->damaged = TRUE;
	}
}

/* Takes a coder; returns how many streams it takes in, *ret_outputs: gives. */
static guint
take_coder(struct piece *piece, struct folder *folder, guint *ret_outputs)
{
	guint flags = take_byte(piece), inputs = 1;
	const guint8 *id = take_bytes(piece, flags & 0xf);

	folder->encrypted |= id && (flags & 0xf) == AES_BYTES && memcmp(id, AES, AES_BYTES) == 0;
	*ret_outputs = 1;
	if (flags & 0x10) {
		inputs = take_count(piece, MAX_CODERS);
		*ret_outputs = take_count(piece, MAX_CODERS);
	}
	if (flags & 0x20)
		take_bytes(piece, take_number(piece));
	return inputs;
}

static void
take_folder(struct piece *piece, struct folder *folder)
{
	guint coders = take_count(piece, MAX_CODERS), inputs = 0, bound;
	gboolean taken[MAX_CODERS * MAX_CODERS] = {FALSE};

	folder->members = 1;
	for (guint i = 0; i < coders; i++) {
		guint outputs;

		inputs += take_coder(piece, folder, &outputs);
		folder->outputs += outputs;
	}
	bound = folder->outputs ? folder->outputs - 1 : 0;
	piece->damaged |= folder->outputs == 0 || inputs < bound;
	for (guint i = 0; i < bound && !piece->damaged; i++) {
		take_number(piece);
		taken[take_count(piece, folder->outputs - 1)] = TRUE;
	}
	for (guint i = 0; inputs - bound > 1 && i < inputs - bound && !piece->damaged; i++)
		take_number(piece);
	while (folder->last < bound && taken[folder->last])
		folder->last++;
}

static struct folder *
folder_at(GArray *folders, guint i)
{
	return &g_array_index(folders, struct folder, i);
}

static void
note_folder(guint i, guint32 crc32, gpointer data)
{
	folder_at(data, i)->has_crc32 = TRUE;
	folder_at(data, i)->crc32 = crc32;
}

static void
take_folders(struct piece *piece, GArray *folders)
{
	guint64 property;

	if (!expect(piece, FOLDERS))
		return;
	g_array_set_size(folders, take_count(piece, CAP_MEMBERS));
	piece->damaged |= take_byte(piece) != 0; /* they stand elsewhere */
	for (guint i = 0; i < folders->len && !piece->damaged; i++)
		take_folder(piece, folder_at(folders, i));
	if (!expect(piece, UNPACKED_SIZES))
		return;
	for (guint i = 0; i < folders->len; i++)
		for (guint j = 0; j < folder_at(folders, i)->outputs && !piece->damaged; j++) {
			guint64 size = take_number(piece);

			if (j == folder_at(folders, i)->last)
				folder_at(folders, i)->size = size;
		}
	while (!piece->damaged && (property = take_number(piece)) != END) {
		if (property == CRCS)
			take_crcs(piece, folders->len, note_folder, folders);
		else
			piece->damaged = TRUE;
	}
}

/* ---- members ---- */

/* A member, and whether it is one that is asked for. */
struct stream {
	struct seven_member member;
	gboolean encrypted;
};

static void
take_counts(struct piece *piece, GArray *folders)
{
	guint sum = 0;

	for (guint i = 0; i < folders->len && !piece->damaged; i++) {
		folder_at(folders, i)->members = take_count(piece, CAP_MEMBERS - sum);
		sum += folder_at(folders, i)->members;
	}
}

/* The last member of a folder has what its others leave. */
static void
take_sizes(struct piece *piece, gboolean told, GArray *folders, GArray *streams)
{
	for (guint i = 0; i < folders->len; i++) {
		const struct folder *folder = folder_at(folders, i);
		guint64 left = folder->size;

		for (guint j = 0; j < folder->members && !piece->damaged; j++) {
			struct stream stream = {.encrypted = folder->encrypted};
			gboolean last = j + 1 == folder->members;

			stream.member.size = last ? left : told ? take_number(piece) : 0;
			piece->damaged |= stream.member.size > left;
			left -= MIN(stream.member.size, left);
			if (folder->members == 1 && folder->has_crc32) {
				stream.member.has_crc32 = TRUE;
				stream.member.crc32 = folder->crc32;
			}
			g_array_append_val(streams, stream);
		}
	}
}

/* The number of the i-th of the streams that have no CRC-32 of their folder is kept. */
static void
note_stream(guint i, guint32 crc32, gpointer data)
{
	struct seven_member *member = ((GPtrArray *)data)->pdata[i];

	member->has_crc32 = TRUE;
	member->crc32 = crc32;
}

static void
take_substreams(struct piece *piece, GArray *folders, GArray *streams)
{
	g_autoptr(GPtrArray) unknown = g_ptr_array_new();
	guint64 property = take_number(piece);

	if (property == COUNTS) {
		take_counts(piece, folders);
		property = take_number(piece);
	}
	take_sizes(piece, property == SIZES, folders, streams);
	if (property == SIZES)
		property = take_number(piece);
	for (guint i = 0; i < streams->len; i++) {
		struct stream *stream = &g_array_index(streams, struct stream, i);

		if (!stream->member.has_crc32)
			g_ptr_array_add(unknown, &stream->member);
	}
	if (property == CRCS)
		take_crcs(piece, unknown->len, note_stream, unknown);
}

/* Goes to the header that stands in the clear; FALSE if there is none. */
static gboolean
find_header(struct piece *piece)
{
	const guint8 *start = take_bytes(piece, START_BYTES);
	guint64 offset, size;

	if (!start || memcmp(start, MARKER, MARKER_BYTES) != 0)
		return FALSE;
	offset = little_endian(start + 12, 8);
	size = little_endian(start + 20, 8);
	take_bytes(piece, offset);
	if (piece->damaged || size > (guint64)(piece->end - piece->at))
		return FALSE;
	piece->end = piece->at + size;
	return expect(piece, HEADER) && expect(piece, MAIN_STREAMS);
}

static void
take_streams(struct piece *piece, GArray *folders, GArray *streams)
{
	guint64 property = take_number(piece);

	if (property == PACKED) {
		take_packed(piece);
		property = take_number(piece);
	}
	piece->damaged |= property != UNPACKED;
	take_folders(piece, folders);
	if (take_number(piece) == SUBSTREAMS)
		take_substreams(piece, folders, streams);
	else
		take_sizes(piece, FALSE, folders, streams);
}

GArray *
seven_headers_read(const void *bytes, gsize length)
{
	GArray *members = g_array_new(FALSE, TRUE, sizeof(struct seven_member));
	g_autoptr(GArray) folders = g_array_new(FALSE, TRUE, sizeof(struct folder));
	g_autoptr(GArray) streams = g_array_new(FALSE, TRUE, sizeof(struct stream));
	struct piece piece = {.at = bytes};

	piece.end = length ? piece.at + length : piece.at;
	if (!find_header(&piece))
		return members;
	take_streams(&piece, folders, streams);
	for (guint i = 0; i < streams->len && !piece.damaged; i++) {
		const struct stream *stream = &g_array_index(streams, struct stream, i);

		if (stream->encrypted && stream->member.size)
			g_array_append_val(members, stream->member);
	}
	return members;
}
