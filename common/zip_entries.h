/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * zip_entries.h - what the headers and the directory of a zip say (APPNOTE 4.3), as they stand.
 *
 * zip_views.c and zip_end.c alone include it.  Hostile bytes; decompresses nothing, and reads
 * nothing beyond them.  Pure; any thread.
 */
#ifndef MAILTRACE_ZIP_ENTRIES_H
#define MAILTRACE_ZIP_ENTRIES_H

#include <glib.h>

/* Signatures and sizes of APPNOTE 4.3.7, 4.3.9 and 4.3.12 to 4.3.16. */
#define LOCAL_SIGNATURE "PK\3\4"
#define END_SIGNATURE "PK\5\6"
#define DESCRIPTOR_SIGNATURE "PK\7\x8"
#define LOCAL_BYTES 30
#define CENTRAL_BYTES 46
#define ATTRIBUTES_OFFSET 38
#define END_BYTES 22
#define COMMENT_BYTES_MAX 65535
#define UNSET32 0xffffffffu
#define FLAG_ENCRYPTED (1u << 0)
#define FLAG_DESCRIPTOR (1u << 3) /* sizes and CRC stand behind the content */
#define FLAG_STRONG (1u << 6)	  /* with FLAG_ENCRYPTED alone (4.4.4) */
#define METHOD_AES 99
#define MODE_TAG 0x6c78 /* a field of libarchive's: attributes where there is no directory yet */
#define NAME_TAG 0x7075 /* a field: the name in UTF-8, which not all readers know (4.6.9) */
#define HOST_UNIX 3

struct zip {
	const guint8 *bytes;
	gsize length;
};

/* A field of an entry's extra ones: its tag, its size, and so many bytes (4.5.1). */
struct zip_field {
	const guint8 *bytes; /* length bytes, in the entry's; or NULL */
	gsize length;
};

/* What header or directory says of a member. */
struct zip_entry {
	guint flags, method;
	guint host;	    /* whose attributes these are, in the directory (4.4.2, 4.4.15) */
	guint32 attributes; /* Unix has its mode in the upper half */
	guint32 crc32;
	guint64 packed, size;
	const guint8 *name; /* name_length bytes */
	gsize name_length;
	const guint8 *extra; /* behind the name, extra_length bytes */
	gsize extra_length;
	gboolean has_mode;	     /* attributes in a field that libarchive alone knows */
	struct zip_field other_name; /* the first that has another than its own */
	guint64 offset;		     /* of the local header */
	gboolean moved;		     /* it is none that the directory leads to, but to some */
};

/* Bytes that a member takes, from its local header on. */
struct zip_extent {
	gsize begin, end;
};

#define ZIP_OTHERS_MAX 4

/* A directory. */
struct zip_directory {
	gsize end;    /* where its end record is */
	gsize begin;  /* where it is itself */
	guint64 base; /* what its offsets count from */
	gsize first;  /* where a local header is, the first; or 0 */
	/* Where others have a directory by the same end record. */
	gsize others[ZIP_OTHERS_MAX];
	guint other_count;
};

static inline guint
zip_u16(const guint8 *at)
{
	return (guint)at[0] | (guint)at[1] << 8;
}

static inline guint32
zip_u32(const guint8 *at)
{
	return (guint32)zip_u16(at) | (guint32)zip_u16(at + 2) << 16;
}

/* Reads the local header at an offset; its content begins at *ret_content.  FALSE if none is. */
gboolean zip_read_local(const struct zip *zip, guint64 offset, struct zip_entry *ret_entry,
			gsize *ret_content);

/* Compares where two begin, a GCompareFunc. */
int zip_extent_order(gconstpointer a, gconstpointer b);

/*
 * Reads the entry of a directory at *at, and passes it; FALSE if none is there.  Its offset counts
 * from where the content begins.
 */
gboolean zip_read_central(const struct zip *zip, const struct zip_directory *directory, gsize *at,
			  struct zip_entry *ret_entry);

/* Makes the fields of a tag ones that nobody knows; extra: a copy of the entry's. */
void zip_blank_fields(const struct zip_entry *entry, guint tag, guint8 *extra);

/* Returns whether an entry is a folder to most, whatever it holds: by its name. */
gboolean zip_is_folder(const struct zip_entry *entry);

/* Likewise, and where a backslash is a separator. */
gboolean zip_is_folder_to_some(const struct zip_entry *entry);

/* Returns whether an entry of the directory is no file by its attributes, as a link. */
gboolean zip_is_no_file(const struct zip_entry *central);

/*
 * Returns whether it has a content all the same: those that go by attributes, as libarchive, show
 * no file, where Windows and Python extract it; of what a name calls a folder The Unarchiver does.
 */
gboolean zip_is_called_no_file(const struct zip_entry *central);

/*
 * Finds the directory that ends the content: the one of the last end record that has one, for
 * others may stand in the comment, where most readers pass them.  FALSE if none has; then
 * *ret_directory is the last record's, whose members are those before it, or where there is no
 * record its end is length.
 */
gboolean zip_find_directory(const struct zip *zip, struct zip_directory *ret_directory);
#endif
