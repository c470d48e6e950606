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

/* Where signed-data's OID is, at the latest: behind a tag and a length. */
#define SIGNED_PROBE 32

struct der {
	const guint8 *at;
	const guint8 *end;
};

/* Takes a tag and its length (X.690 8.1); indefinite is all that is left. */
static gboolean
der_open(struct der *der, guint8 tag, struct der *ret_value)
{
	gsize size = 0, octets;

	if (der->end - der->at < 2 || der->at[0] != tag)
		return FALSE;
	octets = der->at[1];
	der->at += 2;
	if (octets == 0x80) {
		size = (gsize)(der->end - der->at);
	} else if (octets < 0x80) {
		size = octets;
	} else {
		octets &= 0x7f;
		if (octets > 4 || (gsize)(der->end - der->at) < octets)
			return FALSE;
		while (octets--)
			size = size << 8 | *der->at++;
	}
	size = MIN(size, (gsize)(der->end - der->at));
	*ret_value = (struct der){der->at, der->at + size};
	der->at += size;
	return TRUE;
}

GByteArray *
embedded_in_signed(const void *bytes, gsize length)
{
	const guint8 *oid;
	struct der content, octets, whole;
	GByteArray *out;

	if (length < SIGNED_PROBE || *(const guint8 *)bytes != 0x30 ||
	    !memmem(bytes, SIGNED_PROBE, signed_data, sizeof(signed_data)))
		return NULL;
	oid = memmem(bytes, length, plain_data, sizeof(plain_data));
	if (!oid)
		return NULL;
	whole = (struct der){oid + sizeof(plain_data), (const guint8 *)bytes + length};
	if (!der_open(&whole, 0xa0, &content))
		return NULL;
	out = g_byte_array_new();
	/* One octet string, or one that is made of several (BER). */
	if (content.at < content.end && *content.at == 0x24)
		der_open(&content, 0x24, &octets);
	else
		octets = content;
	while (der_open(&octets, 0x04, &content))
		g_byte_array_append(out, content.at, (guint)(content.end - content.at));
	return out;
}
