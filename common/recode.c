/* SPDX-License-Identifier: BSD-2-Clause */
#include <config.h>

#include "recode.h"

#include <string.h>

#include "recode_forms.h"

/* ---- none ---- */

static gboolean
is_maybe_identity(const struct encoded *encoded)
{
	return !encoded->certain && encoded->declared != ENCODING_IDENTITY;
}

static GByteArray *
identity(const struct encoded *encoded)
{
	GByteArray *out = g_byte_array_sized_new((guint)encoded->length);

	g_byte_array_append(out, (const guint8 *)encoded->bytes, (guint)encoded->length);
	return out;
}

/* ---- the table ---- */

#define DOUBTFUL "doubtful-encoding"
#define BASE64 "irregular-base64"
#define QUOTED "irregular-quoted-printable"
#define UUENCODE "irregular-uuencode"

/* Of each encoding those first that most readers have: CAP_DECODINGS ends it. */
static const struct {
	struct decoding decoding;
	gboolean (*applies)(const struct encoded *encoded);
	GByteArray *(*decode)(const struct encoded *encoded);
} decodings[] = {
	{{"as-base64", DOUBTFUL}, recode_is_hidden_base64, recode_base64_streams},
	{{"as-quoted-printable", DOUBTFUL}, recode_is_hidden_quoted, recode_lenient_quoted},
	{{"as-identity", DOUBTFUL}, is_maybe_identity, identity},
	{{"base64-streams", BASE64}, recode_is_irregular_base64, recode_base64_streams},
	{{"base64-whole-fours", BASE64}, recode_is_damaged_base64, recode_base64_whole_fours},
	{{"base64-to-padding", BASE64}, recode_is_irregular_base64, recode_base64_to_padding},
	{{"base64-lines-to-padding", BASE64},
	 recode_is_base64_behind_padding,
	 recode_base64_lines_to_padding},
	{{"base64-to-whole-padding", BASE64},
	 recode_is_damaged_base64,
	 recode_base64_to_whole_padding},
	{{"base64-clean-lines", BASE64}, recode_is_irregular_base64, recode_base64_clean_lines},
	{{"base64-to-stranger", BASE64}, recode_is_irregular_base64, recode_base64_to_stranger},
	{{"base64-ignoring-padding", BASE64}, recode_is_damaged_base64, recode_base64_unpadded},
	{{"base64-padding-is-zero", BASE64}, recode_is_damaged_base64, recode_base64_pad_is_zero},
	{{"base64-whole-lines", BASE64}, recode_is_irregular_base64, recode_base64_whole_lines},
	{{"base64-url-safe", BASE64}, recode_is_url_safe_base64, recode_base64_url_safe},
	{{"base64-twice", BASE64}, recode_is_base64_twice, recode_base64_twice},
	{{"quoted-printable-lenient", QUOTED}, recode_is_irregular_quoted, recode_lenient_quoted},
	{{"quoted-printable-literal", QUOTED}, recode_is_irregular_quoted, recode_literal_quoted},
	{{"quoted-printable-doubled", QUOTED}, recode_is_doubled_quoted, recode_doubled_quoted},
	{{"quoted-printable-joined", QUOTED}, recode_is_cut_quoted, recode_joined_quoted},
	{{"quoted-printable-without-cr", QUOTED},
	 recode_is_carriaged_quoted,
	 recode_uncarriaged_quoted},
	{{"quoted-printable-break-to-lf", QUOTED},
	 recode_is_carriaged_quoted,
	 recode_long_broken_quoted},
	{{"quoted-printable-any-break", QUOTED},
	 recode_is_oddly_broken_quoted,
	 recode_oddly_broken_quoted},
	{{"quoted-printable-break-by-cr", QUOTED},
	 recode_is_carriaged_quoted,
	 recode_carriage_broken_quoted},
	{{"quoted-printable-trimmed", QUOTED}, recode_is_trailing_quoted, recode_trimmed_quoted},
	{{"quoted-printable-unfolded", QUOTED}, recode_is_folded_quoted, recode_unfolded_quoted},
	{{"quoted-printable-unbroken", QUOTED}, recode_is_broken_quoted, recode_unbroken_quoted},
	{{"uuencode-by-lines", UUENCODE}, recode_is_irregular_uuencode, recode_uuencode_by_lines},
	{{"uuencode-fitting-lines", UUENCODE},
	 recode_is_irregular_uuencode,
	 recode_uuencode_fitting_lines},
};

static void
try_each(const struct encoded *encoded,
	 void (*found)(const struct decoding *decoding, const GByteArray *bytes, gpointer user),
	 gpointer user)
{
	struct encoded content = *encoded;

	content.irregular =
		encoded->declared == ENCODING_BASE64 && !recode_base64_is_regular(encoded);
	content.damaged = recode_base64_is_damaged(&content);
	for (gsize i = 0; i < G_N_ELEMENTS(decodings); i++) {
		g_autoptr(GByteArray) bytes = NULL;

		if (!decodings[i].applies(&content))
			continue;
		bytes = decodings[i].decode(&content);
		if (bytes->len)
			found(&decodings[i].decoding, bytes, user);
	}
}

void
recode_each(const struct encoded *encoded,
	    void (*found)(const struct decoding *decoding, const GByteArray *bytes, gpointer user),
	    gpointer user)
{
	static const struct decoding hinted_base64 = {"as-base64", DOUBTFUL};
	struct encoded hinted = *encoded;

	try_each(encoded, found, user);
	if (encoded->certain || encoded->hinted == ENCODING_IDENTITY ||
	    encoded->hinted == encoded->declared)
		return;
	/* A reader that makes this out of the header meets the content's own oddities. */
	hinted.declared = encoded->hinted;
	hinted.certain = TRUE;
	if (encoded->hinted == ENCODING_BASE64) {
		g_autoptr(GByteArray) plain = recode_base64_streams(encoded);

		hinted.decoded_size = plain->len;
		if (plain->len && !recode_is_hidden_base64(encoded))
			found(&hinted_base64, plain, user);
	}
	try_each(&hinted, found, user);
}
