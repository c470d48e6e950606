/* SPDX-License-Identifier: BSD-2-Clause */
/* The content that S/MIME signs (RFC 5652). */
#include <config.h>

#include "embedded.h"

#include <string.h>

/* The OIDs of signed-data and of data (RFC 5652 5.1 and 4), as DER has them. */
static const guint8 signed_data[] = {0x06, 0x09, 0x2a, 0x86, 0x48, 0x86,
				     0xf7, 0x0d, 0x01, 0x07, 0x02};
static const guint8 plain_data[] = {0x06, 0x09, 0x2a, 0x86, 0x48, 0x86,
				    0xf7, 0x0d, 0x01, 0x07, 0x01};

#define OID_HEADER 2 /* bytes of these before their value */

/* Where signed-data's OID is, at the latest: behind a tag and a length. */
#define SIGNED_PROBE 32

struct der {
	const guint8 *at;
	const guint8 *end;
};

/* What stands before a value (X.690 8.1). */
struct header {
	guint8 kind;   /* class, and whether it is constructed */
	guint number;  /* of its tag */
	gsize size;    /* of its value, as much as is there; all that is left if indefinite */
	gboolean open; /* whether it is indefinite */
};

#define DER_CONSTRUCTED 0x20
#define DER_KIND 0xe0
#define DER_NUMBER 0x1f

#define TAG_OCTETS 4
#define TAG_OID 6
#define TAG_SEQUENCE 16
#define KIND_SEQUENCE DER_CONSTRUCTED
#define KIND_CONTENT 0xa0 /* [0] */

/* Takes a tag's number; one that no byte has room for is in those that follow. */
static gboolean
der_number(struct der *der, guint *ret_number)
{
	guint number = *der->at++ & DER_NUMBER;
	guint8 byte = 0x80;

	if (number == DER_NUMBER)
		for (number = 0; byte & 0x80; number = MIN(number, 0xffff) << 7 | (byte & 0x7f)) {
			if (der->at == der->end)
				return FALSE;
			byte = *der->at++;
		}
	*ret_number = number;
	return TRUE;
}

/* Takes a header, its length of as many octets as may be, for zeros may lead. */
static gboolean
der_header(struct der *der, struct header *ret_header)
{
	struct header header = {0};
	gsize octets;

	if (der->at == der->end)
		return FALSE;
	header.kind = *der->at & DER_KIND;
	if (!der_number(der, &header.number) || der->at == der->end)
		return FALSE;
	octets = *der->at++;
	header.size = octets;
	header.open = octets == 0x80;
	if (octets & 0x80) {
		octets &= 0x7f;
		if ((gsize)(der->end - der->at) < octets)
			return FALSE;
		for (header.size = 0; octets; octets--)
			header.size = MIN(header.size, G_MAXUINT32) << 8 | *der->at++;
	}
	if (header.open || header.size > (gsize)(der->end - der->at))
		header.size = (gsize)(der->end - der->at);
	*ret_header = header;
	return TRUE;
}

/* Whether it ends what is indefinite. */
static gboolean
der_ends(const struct header *header)
{
	return !header->kind && !header->number && !header->size;
}

/* Opens the next value if it is of this kind, else stays; what it is in ends with it. */
static gboolean
der_open(struct der *der, guint8 kind, guint number, struct header *ret_header)
{
	struct der inner = *der;

	if (!der_header(&inner, ret_header) || ret_header->kind != kind ||
	    ret_header->number != number)
		return FALSE;
	*der = (struct der){inner.at, inner.at + ret_header->size};
	return TRUE;
}

/* Passes the next value. */
static gboolean
der_pass(struct der *der)
{
	struct header header;
	gsize open = 0;

	do {
		if (!der_header(der, &header))
			return FALSE;
		if (header.open && header.kind & DER_CONSTRUCTED)
			open++;
		else
			der->at += header.size;
		if (open && der_ends(&header))
			open--;
	} while (open);
	return TRUE;
}

/*
 * Takes what is in an octet string that is made of others, these too maybe (BER), from
 * behind its header.  OpenSSL takes any other kinds as well, and to what depth does not
 * matter, as their headers only are to be left out.
 */
static void
der_pieces(struct der *der, const struct header *string, GByteArray *out)
{
	struct header header;
	gsize open = string->open;

	while (der_header(der, &header)) {
		/* Only one that is indefinite ends so, not one that holds such. */
		if (open && der_ends(&header) && !--open && string->open)
			break;
		if (header.kind & DER_CONSTRUCTED) {
			open += header.open;
			continue;
		}
		g_byte_array_append(out, der->at, (guint)header.size);
		der->at += header.size;
	}
}

/* Takes the octets of a content behind its type, as many as there are. */
static void
content_octets(struct der *der, GByteArray *out)
{
	struct header header;

	if (!der_open(der, KIND_CONTENT, 0, &header))
		return;
	if (der_open(der, 0, TAG_OCTETS, &header))
		g_byte_array_append(out, der->at, (guint)header.size);
	else if (der_open(der, DER_CONSTRUCTED, TAG_OCTETS, &header))
		der_pieces(der, &header, out);
}

/* Goes to the content of signed-data where it stands (RFC 5652 5.1), of whatever type it is. */
static gboolean
find_content(struct der *der)
{
	const gsize size = sizeof(signed_data) - OID_HEADER;
	struct header header;
	struct der type;

	if (!der_open(der, KIND_SEQUENCE, TAG_SEQUENCE, &header))
		return FALSE;
	type = *der;
	if (!der_open(&type, 0, TAG_OID, &header) || header.size != size ||
	    memcmp(type.at, signed_data + OID_HEADER, size) != 0)
		return FALSE;
	der->at = type.end;
	/* Behind a version and the digests' algorithms, which may say anything. */
	return der_open(der, KIND_CONTENT, 0, &header) &&
	       der_open(der, KIND_SEQUENCE, TAG_SEQUENCE, &header) && der_pass(der) &&
	       der_pass(der) && der_open(der, KIND_SEQUENCE, TAG_SEQUENCE, &header) &&
	       der_pass(der);
}

/* Takes the first that is called data and has octets, wherever it is. */
static void
search_content(struct der der, GByteArray *out)
{
	struct der content = der;

	while (!out->len && (content.at = memmem(der.at, (gsize)(der.end - der.at), plain_data,
						 sizeof(plain_data))) != NULL) {
		content.at += sizeof(plain_data);
		content.end = der.end;
		content_octets(&content, out);
		/* What was passed has no octets, and is not passed again. */
		der.at = content.at;
	}
}

GByteArray *
embedded_in_signed(const void *bytes, gsize length)
{
	g_autoptr(GByteArray) out = g_byte_array_new();
	struct der whole, der;

	if (!length)
		return NULL;
	der = whole = (struct der){bytes, (const guint8 *)bytes + length};
	if (find_content(&der))
		content_octets(&der, out);
	if (!out->len && length >= SIGNED_PROBE && *whole.at == 0x30 &&
	    memmem(bytes, SIGNED_PROBE, signed_data, sizeof(signed_data)))
		search_content(whole, out);
	return out->len ? g_steal_pointer(&out) : NULL;
}
