/* SPDX-License-Identifier: BSD-2-Clause */
/* What Outlook wraps (MS-OXTNEF): attachments by attributes, and by MAPI's properties of them. */
#include <config.h>

#include "embedded.h"

#include <string.h>

#include "charset.h"

#define TNEF_SIGNATURE 0x223e9f78u  /* MS-OXTNEF 2.1.3.1 */
#define TNEF_RENDERING 0x00069002u  /* attAttachRendData begins an attachment */
#define TNEF_TITLE 0x00018010u	    /* attAttachTitle */
#define TNEF_DATA 0x0006800fu	    /* attAttachData */
#define TNEF_PROPERTIES 0x00069005u /* attAttachment */

/* Properties of an attachment (MS-OXPROPS 2), and types of properties (MS-OXCDATA 2.11.1). */
#define PROPERTY_DATA 0x3701u
#define PROPERTY_NAME 0x3704u
#define PROPERTY_LONG_NAME 0x3707u
#define TYPE_STRING 0x001eu
#define TYPE_WIDE_STRING 0x001fu
#define TYPE_OBJECT 0x000du
#define TYPE_BINARY 0x0102u
#define TYPE_SEVERAL 0x1000u /* a bit */

#define NAMED_PROPERTY 0x8000u /* from here on a property has a GUID and a name or number */
#define GUID_BYTES 16

/* What is left of a value. */
struct cursor {
	const guint8 *at;
	const guint8 *end;
};

/* An attachment: what has come of it. */
struct tnef {
	GPtrArray *names; /* of char * */
	GByteArray *data;
	GByteArray *object; /* its data as a property */
	embedded_function found;
	gpointer user;
};

static guint32
little_endian(const guint8 *at)
{
	return (guint32)at[0] | (guint32)at[1] << 8 | (guint32)at[2] << 16 | (guint32)at[3] << 24;
}

/* Takes bytes; returns NULL when they are not there. */
static const guint8 *
take(struct cursor *cursor, gsize length)
{
	const guint8 *at = cursor->at;

	if (length > (gsize)(cursor->end - at))
		return NULL;
	cursor->at += length;
	return at;
}

static gboolean
take_number(struct cursor *cursor, guint32 *ret_number)
{
	const guint8 *at = take(cursor, 4);

	if (at)
		*ret_number = little_endian(at);
	return at != NULL;
}

/* Takes a length and as many bytes; what fills them to a multiple of four may be missing. */
static gboolean
take_counted(struct cursor *cursor, struct cursor *ret_value)
{
	guint32 length;
	const guint8 *at;

	if (!take_number(cursor, &length) || !(at = take(cursor, length)))
		return FALSE;
	*ret_value = (struct cursor){at, at + length};
	cursor->at += MIN((gsize)(-length & 3), (gsize)(cursor->end - cursor->at));
	return TRUE;
}

static void
tnef_flush(struct tnef *tnef)
{
	g_ptr_array_add(tnef->names, NULL);
	if (tnef->data && tnef->data->len)
		tnef->found("tnef", (const char *const *)tnef->names->pdata, tnef->data,
			    tnef->data->len, tnef->user);
	if (tnef->object && tnef->object->len)
		tnef->found("tnef", (const char *const *)tnef->names->pdata, tnef->object,
			    tnef->object->len, tnef->user);
	g_clear_pointer(&tnef->data, g_byte_array_unref);
	g_clear_pointer(&tnef->object, g_byte_array_unref);
	g_ptr_array_set_size(tnef->names, 0);
}

/* Returns how long a name of so many bytes is without its terminating NULs (MS-OXCDATA 2.11.1). */
static gsize
name_bytes(const guint8 *at, gsize length, gsize character_bytes)
{
	static const guint8 nul[2];

	length -= length % character_bytes;
	while (length && memcmp(at + length - character_bytes, nul, character_bytes) == 0)
		length -= character_bytes;
	return length;
}

static void
take_name(struct tnef *tnef, guint32 type, struct cursor value)
{
	gsize length = name_bytes(value.at, (gsize)(value.end - value.at),
				  type == TYPE_WIDE_STRING ? 2 : 1);
	char *name = type == TYPE_WIDE_STRING ? charset_convert("utf-16le", value.at, length)
					      : g_strndup((const char *)value.at, length);

	if (name && *name && tnef->names->len < EMBEDDED_NAMES)
		g_ptr_array_add(tnef->names, name);
	else
		g_free(name);
}

static void
set_bytes(GByteArray **bytes, struct cursor value)
{
	g_clear_pointer(bytes, g_byte_array_unref);
	*bytes = g_byte_array_sized_new((guint)(value.end - value.at));
	g_byte_array_append(*bytes, value.at, (guint)(value.end - value.at));
}

/* ---- MAPI's properties (MS-OXTNEF 2.1.3.4) ---- */

static gboolean
is_counted(guint32 type)
{
	return type == TYPE_STRING || type == TYPE_WIDE_STRING || type == TYPE_OBJECT ||
	       type == TYPE_BINARY;
}

/* Returns the bytes of a value of fixed length. */
static gsize
fixed_bytes(guint32 type)
{
	switch (type) {
	case 0x0005: /* floating point, currency, application's time, integer, time */
	case 0x0006:
	case 0x0007:
	case 0x0014:
	case 0x0040:
		return 8;
	case 0x0048:
		return GUID_BYTES;
	default:
		return 4;
	}
}

/* Passes what names a property that has no number of MAPI's own. */
static gboolean
pass_property_name(struct cursor *cursor)
{
	struct cursor unused;
	guint32 by_name;

	if (!take(cursor, GUID_BYTES) || !take_number(cursor, &by_name))
		return FALSE;
	return by_name ? take_counted(cursor, &unused) : take(cursor, 4) != NULL;
}

static void
take_property(struct tnef *tnef, guint32 type, guint32 id, struct cursor value)
{
	if (id == PROPERTY_DATA) {
		/* Before an object stands which interface it is of. */
		if (type == TYPE_OBJECT && !take(&value, GUID_BYTES))
			return;
		set_bytes(&tnef->object, value);
	} else if (id == PROPERTY_NAME || id == PROPERTY_LONG_NAME) {
		take_name(tnef, type, value);
	}
}

/* Reads one property; returns FALSE at the end. */
static gboolean
read_property(struct tnef *tnef, struct cursor *cursor)
{
	guint32 tag, type, count = 1;
	struct cursor value;

	if (!take_number(cursor, &tag))
		return FALSE;
	type = tag & 0xffff & ~TYPE_SEVERAL;
	if (tag >> 16 >= NAMED_PROPERTY && !pass_property_name(cursor))
		return FALSE;
	if ((tag & TYPE_SEVERAL || is_counted(type)) && !take_number(cursor, &count))
		return FALSE;
	for (; count; count--) {
		if (!is_counted(type)) {
			if (!take(cursor, fixed_bytes(type)))
				return FALSE;
			continue;
		}
		if (!take_counted(cursor, &value))
			return FALSE;
		take_property(tnef, type, tag >> 16, value);
	}
	return TRUE;
}

/* ---- attributes ---- */

static void
tnef_attribute(struct tnef *tnef, guint32 id, struct cursor value)
{
	guint32 unused;

	switch (id) {
	case TNEF_RENDERING:
		return tnef_flush(tnef);
	case TNEF_TITLE:
		return take_name(tnef, TYPE_STRING, value);
	case TNEF_DATA:
		return set_bytes(&tnef->data, value);
	case TNEF_PROPERTIES:
		/* How many there are is told by their end as well. */
		if (take_number(&value, &unused))
			while (read_property(tnef, &value))
				;
		return;
	default:
		return;
	}
}

void
embedded_in_tnef(const void *bytes, gsize length, embedded_function found, gpointer user)
{
	struct cursor all = {bytes, (const guint8 *)bytes + length};
	struct tnef tnef = {.found = found, .user = user};

	if (length < 6 || little_endian(all.at) != TNEF_SIGNATURE)
		return;
	tnef.names = g_ptr_array_new_with_free_func(g_free);
	/* Level, attribute, length, the value and a checksum of two bytes. */
	for (all.at += 6; all.end - all.at >= 9;) {
		guint32 id = little_endian(all.at + 1), size = little_endian(all.at + 5);
		struct cursor value = {all.at + 9, NULL};

		all.at += 9;
		if (!take(&all, size))
			break;
		value.end = all.at;
		tnef_attribute(&tnef, id, value);
		all.at += MIN(2, all.end - all.at);
	}
	tnef_flush(&tnef);
	g_ptr_array_unref(tnef.names);
}
