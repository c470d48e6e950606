/* SPDX-License-Identifier: BSD-2-Clause */
#include "tar_views.h"

#include <string.h>

#include "caps.h"

/* A header (POSIX pax, ustar Interchange Format). */
#define BLOCK_BYTES 512
#define NAME_BYTES 100
#define SIZE 124
#define SIZE_BYTES 12
#define CHECKSUM 148
#define CHECKSUM_BYTES 8
#define TYPE 156
#define MAGIC 257
#define PREFIX 345
#define PREFIX_BYTES 155
#define GNU_SPARSE_MORE 482 /* blocks of GNU's map follow, which tell so of the next */
#define GNU_SPARSE_MORE_OF_MAP 504

/* Blocks and records that are looked at: a third of a second. */
#define MOST_STEPS (200 * CAP_MEMBERS)

/* Which reader it is read as. */
enum way {
	BY_PAX = 1,	/* sizes are those of pax's records, where there are any */
	WITH_LINKS = 2, /* links and directories have contents, which are passed */
	WITH_DEVICES = 4,
	WAYS = 8,
};

/* A tar that is read in one way. */
struct walk {
	const guint8 *bytes;
	gsize length, at;
	enum way way;
	gboolean apart;	  /* where readers may be elsewhere */
	gboolean odd;	  /* there was such a place, or a header that readers take differently */
	gboolean cut;	  /* the tar ends in a content that was to be shown */
	gint left, steps; /* how often found may be called, and work done, over all ways */
	tar_view_function found;
	gpointer user;
	GHashTable *shown;	   /* of gint64: places and lengths of contents */
	GString *name;		   /* of the next file, where a header before it says one */
	gboolean has_size, global; /* pax's records say a size, and that of all files */
	gboolean sparse, mapped;   /* they say that there are holes, and where */
	guint64 size;		   /* of pax's records, if has_size */
	guint64 realsize;	   /* to which some cut the content; G_MAXUINT64 for none */
};

static guint64
octal(const guint8 *at, gsize length)
{
	const guint8 *end = at + length;
	guint64 value = 0;

	for (; at < end && *at == ' '; at++)
		continue;
	for (; at < end && *at >= '0' && *at <= '7'; at++)
		value = value << 3 | (guint64)(*at - '0');
	return value;
}

/* A size, which may be in GNU's base 256. */
static guint64
header_size(const guint8 *header)
{
	guint64 value = 0;

	if (!(header[SIZE] & 0x80))
		return octal(header + SIZE, SIZE_BYTES);
	for (gsize i = SIZE_BYTES - sizeof(value); i < SIZE_BYTES; i++)
		value = value << 8 | header[SIZE + i];
	return value;
}

/* Whether a header stands here by its sum; some take that over signed bytes. */
static gboolean
is_header(const guint8 *header)
{
	gint sum = CHECKSUM_BYTES * ' ', high = 0;
	guint64 told = octal(header + CHECKSUM, CHECKSUM_BYTES);

	for (gsize i = 0; i < BLOCK_BYTES; i++) {
		if (i >= CHECKSUM && i < CHECKSUM + CHECKSUM_BYTES)
			continue;
		sum += header[i];
		high += header[i] >> 7;
	}
	return told == (guint64)sum || (sum > high * 256 && told == (guint64)(sum - high * 256));
}

static gboolean
is_zero(const guint8 *block)
{
	return !block[0] && memcmp(block, block + 1, BLOCK_BYTES - 1) == 0;
}

/* How much of a content of so many bytes there is. */
static gsize
content_bytes(const struct walk *walk, guint64 size)
{
	return (gsize)MIN(size, walk->length - walk->at);
}

static void
pass_content(struct walk *walk, guint64 size)
{
	gsize some = content_bytes(walk, size);
	gsize filled = (some + BLOCK_BYTES - 1) / BLOCK_BYTES * BLOCK_BYTES;

	walk->at += MIN(filled, walk->length - walk->at);
}

/* ---- pax's records ---- */

static void
take_record(struct walk *walk, const char *key, const char *value)
{
	if (g_str_equal(key, "size") && g_ascii_isdigit(*value)) {
		walk->size = g_ascii_strtoull(value, NULL, 10);
		walk->has_size = TRUE;
	} else if (g_str_equal(key, "path") || g_str_equal(key, "GNU.sparse.name")) {
		g_string_assign(walk->name, value);
	} else if (g_str_equal(key, "SCHILY.realsize") || g_str_equal(key, "GNU.sparse.realsize")) {
		walk->realsize = g_ascii_strtoull(value, NULL, 10);
	}
	walk->mapped |= g_str_equal(key, "GNU.sparse.map") || g_str_equal(key, "GNU.sparse.major");
	walk->sparse |= g_str_has_prefix(key, "GNU.sparse.") ||
			g_str_has_prefix(key, "SCHILY.realsize") ||
			g_str_has_prefix(key, "SUN.holesdata");
}

/* Reads records, "LENGTH KEY=VALUE\n" each, as far as they are of that form. */
static void
take_records(struct walk *walk, const char *at, gsize length)
{
	while (length && walk->steps-- > 1) {
		gsize size = 0, digits = 0;
		g_autofree char *record = NULL;
		char *value;

		for (; digits < MIN(length, 9) && g_ascii_isdigit(at[digits]); digits++)
			size = size * 10 + (gsize)(at[digits] - '0');
		if (size > length || size < digits + 2 || at[digits] != ' ')
			return;
		/* Longer ones are none of a file's own size or name. */
		record = g_strndup(at + digits + 1, MIN(size - digits - 2, CAP_NAME_BYTES));
		value = strchr(record, '=');
		if (value) {
			*value++ = '\0';
			take_record(walk, record, value);
		}
		at += size;
		length -= size;
	}
}

/* ---- headers ---- */

static void
forget_records(struct walk *walk)
{
	g_string_truncate(walk->name, 0);
	walk->has_size = walk->global;
	walk->sparse = walk->mapped = FALSE;
	walk->realsize = G_MAXUINT64;
}

/* Reads a header that is about the file behind it; FALSE if it is none. */
static gboolean
take_extension(struct walk *walk, const guint8 *header)
{
	guint64 size = header_size(header);
	const char *content = (const char *)header + BLOCK_BYTES;
	gsize length = content_bytes(walk, size);

	switch (header[TYPE]) {
	case 'g':
		take_records(walk, content, length);
		walk->global = walk->has_size;
		break;
	case 'x':
		take_records(walk, content, length);
		break;
	case 'L':
		g_string_truncate(walk->name, 0);
		g_string_append_len(walk->name, content,
				    (gssize)strnlen(content, MIN(length, CAP_NAME_BYTES)));
		break;
	case 'K':
		break;
	default:
		return FALSE;
	}
	pass_content(walk, size);
	return TRUE;
}

/*
 * Whether a content was shown in another way already.  GLib's hash is of the lower half alone,
 * and many a content has the length of others.
 */
static gboolean
is_shown(struct walk *walk, gsize length)
{
	gint64 *key = g_new(gint64, 1);

	*key = (gint64)(length << 32 ^ walk->at);
	return !g_hash_table_add(walk->shown, key);
}

static void
take_name(struct walk *walk, const guint8 *header)
{
	if (!walk->name->len && header[PREFIX] && memcmp(header + MAGIC, "ustar", 6) == 0)
		g_string_append_printf(walk->name, "%.*s/", PREFIX_BYTES,
				       (const char *)header + PREFIX);
	if (!walk->name->len || g_str_has_suffix(walk->name->str, "/"))
		g_string_append_printf(walk->name, "%.*s", NAME_BYTES, (const char *)header);
}

/* Gives a content away, which stands where the walk is; FALSE for enough. */
static gboolean
show(struct walk *walk, const guint8 *header, guint64 size)
{
	struct tar_view view = {NULL, walk->bytes + walk->at, content_bytes(walk, size)};

	walk->cut |= view.length < size;
	if (!view.length || view.length < size || is_shown(walk, view.length))
		return TRUE;
	take_name(walk, header);
	view.name = walk->name->str;
	return walk->left-- > 1 && walk->found(&view, walk->user);
}

/* Passes what of a map of GNU's did not fit into the header. */
static void
pass_map(struct walk *walk, const guint8 *header)
{
	gboolean more = header[TYPE] == 'S' && header[GNU_SPARSE_MORE];

	while (more && walk->length - walk->at >= BLOCK_BYTES && walk->steps-- > 1) {
		more = walk->bytes[walk->at + GNU_SPARSE_MORE_OF_MAP];
		walk->at += BLOCK_BYTES;
	}
}

/* Whether readers agree that a header with a content is a file's. */
static gboolean
is_plain(const guint8 *header)
{
	return memchr("\0"
		      "07S",
		      header[TYPE], 4) != NULL;
}

/* Whether it is a link or a directory, of which nobody shows a content. */
static gboolean
is_link(guint8 type)
{
	return memchr("125", type, 3) != NULL;
}

/* Whether its content is passed in the way in hand. */
static gboolean
has_content(const struct walk *walk, guint8 type)
{
	if (is_link(type))
		return walk->way & WITH_LINKS;
	return !memchr("346", type, 3) || walk->way & WITH_DEVICES;
}

/* Reads a file's header; FALSE for enough. */
static gboolean
take_file(struct walk *walk, const guint8 *header)
{
	guint64 told = header_size(header);
	guint64 size = walk->has_size && walk->way & BY_PAX ? walk->size : told;
	gboolean differs = (!is_plain(header) && (told || walk->has_size)) ||
			   (walk->has_size && walk->size != told);
	gboolean go_on = TRUE, shown = walk->apart || differs || walk->sparse;

	pass_map(walk, header);
	walk->odd |= differs || walk->sparse;
	if (!has_content(walk, header[TYPE]))
		size = 0;
	if (shown && !is_link(header[TYPE]))
		go_on = show(walk, header, size);
	if (go_on && !walk->mapped && walk->realsize < size)
		go_on = show(walk, header, walk->realsize);
	walk->apart |= differs;
	pass_content(walk, size);
	forget_records(walk);
	return go_on;
}

/* Reads it in one way; FALSE for enough. */
static gboolean
walk_through(struct walk *walk)
{
	gboolean go_on = TRUE;

	walk->at = 0;
	walk->apart = walk->global = FALSE;
	forget_records(walk);
	while (go_on && walk->length - walk->at >= BLOCK_BYTES && walk->steps-- > 1) {
		const guint8 *header = walk->bytes + walk->at;

		walk->at += BLOCK_BYTES;
		if (is_zero(header) || !is_header(header))
			walk->apart = TRUE;
		else if (!take_extension(walk, header))
			go_on = take_file(walk, header);
	}
	return go_on;
}

gboolean
tar_views(const void *bytes, gsize length, tar_view_function found, gpointer user)
{
	g_autoptr(GString) name = g_string_new(NULL);
	g_autoptr(GHashTable) shown =
		g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
	struct walk walk = {.bytes = bytes,
			    .length = length,
			    .left = CAP_MEMBERS,
			    .steps = MOST_STEPS,
			    .found = found,
			    .user = user,
			    .shown = shown,
			    .name = name};

	for (guint way = 0; way < WAYS; way++) {
		walk.way = way;
		if (!walk_through(&walk) || !walk.odd)
			break;
	}
	return walk.left > 0 && walk.steps > 0 && !walk.cut;
}
