/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The tree of a message, and its other readings.  The structure is split by
 * entity.c, in one bounded pass: GMime's own parser recurses once a level and
 * compares each line with every open boundary.  GMime is given what it reads best
 * and what is bounded: transfer encodings, a piece at a time, clean base64 apart
 * (mime_transfer.c), and addresses and dates of one field (mime_header.c).
 */
#include "mime.h"

#include <gio/gio.h>
#include <string.h>

#include "caps.h"
#include "charset.h"
#include "magic.h"
#include "mime_reader.h"
#include "readings.h"
#include "scan.h"
#include "unpack.h"

const struct split_options mime_plain_reading;

gboolean
mime_preload(GError **error)
{
	mime_header_preload();
	if (!digest_preload()) {
		g_set_error_literal(error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND,
				    "libcrypto has no MD5, SHA-1 or SHA-256");
		return FALSE;
	}
	unpack_preload();
	return charset_preload(error);
}
/*
 * Takes the digests of a message that stands unencoded.  Each level hashes what
 * is below it again, so the sum is bounded; beyond it the message has none.
 */
static void
hash_enclosed(struct reader *reader, const struct source *source, const struct entity *entity,
	      struct file *file)
{
	const char *bytes = source->bytes + entity->body.begin;

	file->size = entity->body.length;
	file->detected_type = g_strdup(magic_type(bytes, entity->body.length));
	reader->enclosed_bytes += entity->body.length;
	if (reader->enclosed_bytes > CAP_ENCLOSED_BYTES) {
		record_note_cap(reader->record, CAP_ENCLOSED_BYTES_NAME);
		file->flags |= FILE_INCOMPLETE;
		return;
	}
	fingerprint_begin(reader->fingerprint, TRUE);
	fingerprint_add(reader->fingerprint, bytes, entity->body.length);
	fingerprint_finish(reader->fingerprint, bytes + entity->body.length, entity->break_bytes,
			   file);
}

/* ---- the tree ---- */

/*
 * The path of an entity, as mime.h says: IMAP's section number (RFC 9051
 * 6.4.5.1), and ".0" for the multipart that it leaves without one.
 */
static char *
entity_path(const struct reader *reader, const struct entity *entity, int parent)
{
	gboolean multipart = entity->kind == ENTITY_MULTIPART;
	const struct file *above;
	gsize length;

	if (parent < 0)
		return g_strdup(multipart ? "0" : "1");
	above = g_ptr_array_index(reader->record->files, (guint)parent);
	if (above->flags & FILE_MESSAGE)
		return g_strdup_printf("%s.%d", above->path, multipart ? 0 : 1);
	length = strlen(above->path);
	if (g_str_equal(above->path, "0"))
		return g_strdup_printf("%u", entity->number);
	if (g_str_has_suffix(above->path, ".0"))
		length -= 2;
	return g_strdup_printf("%.*s.%u", (int)length, above->path, entity->number);
}

static void
read_entity(struct reader *reader, const struct source *source, guint i, int parent)
{
	const struct entity *entity = &g_array_index(source->entities->list, struct entity, i);
	g_autofree char *path = NULL;
	struct file *file;

	if (entity->parent >= 0)
		parent = source->files[entity->parent];
	path = entity_path(reader, entity, parent);
	source->files[i] = (int)reader->record->files->len;
	file = record_add_file(reader->record, path, parent);
	mime_describe(reader, source, entity, file);
	if (entity->kind == ENTITY_LEAF)
		mime_read_leaf(reader, source, entity, source->files[i]);
	else if (entity->kind == ENTITY_MESSAGE && reader->options == &mime_plain_reading)
		hash_enclosed(reader, source, entity, file);
	else
		file->size = entity->body.length;
}

/* Whether the departures of the reading in hand are told: those of a mail in an archive are not. */
static gboolean
is_told(const struct reader *reader)
{
	return reader->options == &mime_plain_reading && reader->record == reader->result &&
	       reader->depth == 0;
}

void
mime_note_anomaly(struct reader *reader, const struct source *source, const char *name,
		  gsize offset)
{
	if (source->bytes != reader->whole)
		offset = reader->leaf_begin;
	if (is_told(reader) && !record_has_anomaly(reader->record, name, offset))
		record_add_anomaly(reader->record, name, offset);
}

/* Notes what splitting met. */
static void
note_findings(struct reader *reader, const struct source *source)
{
	const struct entities *entities = source->entities;

	for (guint i = 0; i < entities->caps->len; i++)
		if (is_told(reader) || !g_str_equal(entities->caps->pdata[i], CAP_ANOMALIES_NAME))
			record_note_cap(reader->record, entities->caps->pdata[i]);
	for (guint i = 0; i < entities->departures->len; i++) {
		const struct departure *departure =
			&g_array_index(entities->departures, struct departure, i);

		mime_note_anomaly(reader, source, departure->name, departure->offset);
	}
}

/* Reads a message whose lines end as the reading in hand wants them. */
static void
read_lines(struct reader *reader, const char *bytes, gsize length, int parent, guint depth)
{
	guint room = CAP_PARTS - reader->record->files->len;
	g_autoptr(entities_t) entities =
		entities_split(reader->options, bytes, length, depth, room);
	g_autofree int *files = g_new(int, entities->list->len);
	struct source source = {
		.bytes = bytes, .length = length, .entities = entities, .files = files};
	/* Of others, and of what is in a leaf, only the files are wanted. */
	gboolean whole = parent < 0 && depth == 0 && reader->options == &mime_plain_reading;

	reader->doubts |= entities->doubts;
	reader->reading_bytes += entities->compared;
	note_findings(reader, &source);
	if (whole)
		for (guint i = 0; i < entities->fields->len; i++)
			mime_read_field(reader, &source,
					&g_array_index(entities->fields, struct field, i));
	for (guint i = 0; i < entities->list->len; i++) {
		if (reader->record->files->len >= CAP_PARTS) {
			record_note_cap(reader->record, CAP_PARTS_NAME);
			break;
		}
		read_entity(reader, &source, i, parent);
	}
}

/*
 * Reads a message, and those in it; recurses only into encoded ones, CAP_NESTING
 * at most.  nullable: an empty one may be NULL, as an empty GByteArray has it.
 */
void
mime_read_message(struct reader *reader, const char *nullable, gsize length, int parent,
		  guint depth)
{
	const char *bytes = nullable ? nullable : ""; /* C knows no NULL + 0 */
	g_autoptr(GByteArray) lines = NULL;

	if (reader->line_rule == LINES_PLAIN)
		return read_lines(reader, bytes, length, parent, depth);
	if (bytes == reader->whole && reader->lines[reader->line_rule])
		lines = g_byte_array_ref(reader->lines[reader->line_rule]);
	else if (reader->line_rule == LINES_CARRIAGE)
		lines = readings_carriage_lines(bytes, length);
	else if (reader->line_rule == LINES_CR_CR_LF)
		lines = readings_cr_cr_lf_lines(bytes, length);
	else
		lines = readings_lf_cr_lines(bytes, length);
	if (bytes == reader->whole && !reader->lines[reader->line_rule])
		reader->lines[reader->line_rule] = g_byte_array_ref(lines);
	read_lines(reader, lines->data ? (const char *)lines->data : "", lines->len, parent, depth);
}

/* Reads the message once more, as a reader of the table would, and takes what is new. */
static void
read_as(struct reader *reader, const struct reading *reading, const char *message, gsize length)
{
	struct record *record = reader->record;
	g_autoptr(record_t) other = record_new();

	reader->record = other;
	reader->options = &reading->options;
	reader->line_rule = reading->carriage_lines   ? LINES_CARRIAGE
			    : reading->lf_cr_lines    ? LINES_LF_CR
			    : reading->cr_cr_lf_lines ? LINES_CR_CR_LF
						      : LINES_PLAIN;
	mime_read_message(reader, message, length, -1, reader->depth);
	reader->line_rule = LINES_PLAIN;
	readings_merge(record, other, -1, reading->name);
	reader->record = record;
	reader->options = &mime_plain_reading;
}

/* Reads a message by each row that its doubts call for; met: the doubts each row met, or 0. */
static void
read_by_rows(struct reader *reader, const char *message, gsize length, guint *met)
{
	guint doubts = reader->doubts;
	gsize count;
	const struct reading *table = readings_table(&count);

	for (gsize i = 0; i < count; i++) {
		if (!(table[i].doubts & doubts))
			continue;
		if (!mime_may_read(reader, length))
			return;
		reader->doubts = 0;
		read_as(reader, &table[i], message, length);
		met[i] = reader->doubts;
	}
}

/* The doubts that two rows met at once, and this bit when they were tried. */
#define TRIED (1u << 31)

static guint *
pair_at(guint *pairs, gsize i, gsize j)
{
	gsize count;

	readings_table(&count);
	return &pairs[MIN(i, j) * count + MAX(i, j)];
}

/*
 * Reads a message by two rows at once: by one that was tried, and by each that
 * is called for by a doubt which that one met.  So two departures that hide a
 * file together do not hide it, nor one that shows only when another is read.
 */
static void
read_by_pairs(struct reader *reader, const char *message, gsize length, const guint *met,
	      guint *pairs)
{
	gsize count;
	const struct reading *table = readings_table(&count);
	char name[READING_NAME_BYTES];
	struct reading joined;

	for (gsize i = 0; i < count; i++) {
		for (gsize j = 0; j < count; j++) {
			/* The other way about it was tried. */
			gboolean again = j < i && met[j] & table[i].doubts;

			if (j == i || again || !(met[i] & table[j].doubts) ||
			    !readings_join(&table[MIN(i, j)], &table[MAX(i, j)], name, &joined) ||
			    joined.name == table[i].name ||
			    (joined.name == table[j].name && met[j]))
				continue;
			if (!mime_may_read(reader, length))
				return;
			reader->doubts = 0;
			read_as(reader, &joined, message, length);
			*pair_at(pairs, i, j) = reader->doubts | TRIED;
		}
	}
}

/* Whether two rows were tried at once and met what calls for a third. */
static gboolean
calls_for(guint *pairs, gsize i, gsize j, gsize third)
{
	gsize count;

	return (*pair_at(pairs, i, j) & readings_table(&count)[third].doubts) != 0;
}

/* Joins three rows; returns FALSE when they exclude each other or are no more than two. */
static gboolean
join_three(const gsize *rows, char *ret_name, struct reading *ret_joined)
{
	gsize count;
	const struct reading *table = readings_table(&count);
	char name[READING_NAME_BYTES];
	struct reading two;

	return readings_join(&table[rows[0]], &table[rows[1]], name, &two) &&
	       readings_join(&two, &table[rows[2]], ret_name, ret_joined) &&
	       ret_joined->name == ret_name;
}

/* Three at once are tried for as many readings as leave room for what they show. */
static gboolean
may_read_triple(struct reader *reader, gsize length)
{
	if (reader->readings < CAP_TRIPLE_READINGS)
		return mime_may_read(reader, length);
	record_note_cap(reader->record, CAP_TRIPLE_READINGS_NAME);
	return FALSE;
}

/* The same with three. */
static void
read_by_triples(struct reader *reader, const char *message, gsize length, guint *pairs)
{
	gsize count;
	char name[READING_NAME_BYTES];
	struct reading joined;

	readings_table(&count);
	for (gsize i = 0; i < count; i++)
		for (gsize j = i + 1; j < count; j++)
			for (gsize k = j + 1; k < count; k++) {
				const gsize rows[] = {i, j, k};

				if (!calls_for(pairs, i, j, k) && !calls_for(pairs, i, k, j) &&
				    !calls_for(pairs, j, k, i))
					continue;
				if (!join_three(rows, name, &joined))
					continue;
				if (!may_read_triple(reader, length))
					return;
				read_as(reader, &joined, message, length);
			}
}

/* Reads a message in all the ways that its doubts call for. */
READING_CHECK static void
read_otherwise(struct reader *reader, const char *message, gsize length)
{
	gsize count;
	g_autofree guint *met = NULL;
	g_autofree guint *pairs = NULL;

	readings_table(&count);
	met = g_new0(guint, count);
	pairs = g_new0(guint, count * count);
	reader->rows = 1;
	read_by_rows(reader, message, length, met);
	reader->rows = 2;
	read_by_pairs(reader, message, length, met, pairs);
	reader->rows = 3;
	read_by_triples(reader, message, length, pairs);
}

static struct record *read_member_mail(const char *bytes, gsize length, guint depth,
				       const struct unpack_limits *limits, guint64 *ret_bytes,
				       gpointer user);

/* Reads a message in every way, and what is in its archives; returns the bytes unpacked. */
static guint64
read_every_way(struct reader *reader, const char *message, gsize length,
	       const struct unpack_limits *limits)
{
	g_autoptr(GHashTable) spans = mime_spans_new();
	g_autoptr(GHashTable) others = mime_spans_new();

	reader->options = &mime_plain_reading;
	reader->whole = message;
	reader->spans = spans;
	reader->others = others;
	reader->result = reader->record;
	reader->unpacker = unpacker_new(reader->record, reader->fingerprint, limits);
	unpacker_read_mail_by(reader->unpacker, read_member_mail, reader);
	mime_read_message(reader, message, length, -1, reader->depth);
	if (reader->doubts)
		read_otherwise(reader, message, length);
	for (guint i = 0; i < LINE_RULES; i++)
		g_clear_pointer(&reader->lines[i], g_byte_array_unref);
	return unpack_finish(reader->unpacker);
}

/* Reads a message that is in an archive; what it costs counts for the message around it. */
static struct record *
read_member_mail(const char *bytes, gsize length, guint depth, const struct unpack_limits *limits,
		 guint64 *ret_bytes, gpointer user)
{
	struct reader *outer = user;
	struct reader reader = {
		.record = record_new(),
		.fingerprint = outer->fingerprint,
		.piece = outer->piece,
		.names_bytes = outer->names_bytes,
		.derived_bytes = outer->derived_bytes,
		.url_scan_bytes = outer->url_scan_bytes,
		.enclosed_bytes = outer->enclosed_bytes,
		.readings = outer->readings,
		.reading_bytes = outer->reading_bytes,
		.runs_room = outer->runs_room,
		.depth = depth,
	};

	*ret_bytes = read_every_way(&reader, bytes, length, limits);
	outer->names_bytes = reader.names_bytes;
	outer->derived_bytes = reader.derived_bytes;
	outer->url_scan_bytes = reader.url_scan_bytes;
	outer->enclosed_bytes = reader.enclosed_bytes;
	outer->readings = reader.readings;
	outer->reading_bytes = reader.reading_bytes;
	outer->runs_room = reader.runs_room;
	return reader.record;
}

struct record *
mime_read(const void *bytes, gsize length)
{
	g_autofree char *piece = g_malloc(PIECE_BYTES * 2);
	g_autoptr(fingerprint_t) fingerprint = fingerprint_new();
	struct record *record = record_new();
	struct reader reader = {
		.record = record,
		.fingerprint = fingerprint,
		.piece = piece,
		.runs_room = CAP_KEPT_BYTES,
	};
	const char *message = length ? bytes : "";

	record->size = length;
	digest_sha256(message, length, record->sha256);
	read_every_way(&reader, message, length, NULL);
	record->scanner = g_strdup(scan_description());
	return record;
}
