/* SPDX-License-Identifier: BSD-2-Clause */
#include <criterion/criterion.h>
#include <glib.h>
#include <string.h>
#include <zip.h>

#include "archive_members.h"
#include "encrypted_zip.h"

#define CONTENT \
	"MZ the content that was locked away, long enough to be deflated, deflated, deflated"

/* Returns a zip of one plain and one encrypted member. */
static GBytes *
make_zip(zip_uint16_t encryption, const char *content, gsize length, const char *password)
{
	zip_error_t error;
	zip_source_t *source = zip_source_buffer_create(NULL, 0, 0, &error);
	zip_t *zip = zip_open_from_source(source, ZIP_TRUNCATE, &error);
	zip_int64_t index;
	zip_stat_t stat;
	guint8 *bytes;

	zip_source_keep(source);
	zip_file_add(zip, "plain.txt", zip_source_buffer(zip, "plain", 5, 0), 0);
	index = zip_file_add(zip, "dir/locked.exe", zip_source_buffer(zip, content, length, 0), 0);
	cr_assert_eq(zip_file_set_encryption(zip, (zip_uint64_t)index, encryption, password), 0);
	cr_assert_eq(zip_close(zip), 0);
	zip_source_stat(source, &stat);
	bytes = g_malloc(stat.size);
	zip_source_open(source);
	cr_assert_eq(zip_source_read(source, bytes, stat.size), (zip_int64_t)stat.size);
	zip_source_close(source);
	zip_source_free(source);
	return g_bytes_new_take(bytes, stat.size);
}

/* Returns the content of the encrypted member by this password; NULL if it is another. */
static GByteArray *
open_with(GBytes *bytes, const char *password)
{
	g_autoptr(archive_members_t) members =
		archive_members_open("application/zip", g_bytes_get_data(bytes, NULL),
				     g_bytes_get_size(bytes), password);
	g_autoptr(GByteArray) content = g_byte_array_new();
	g_autoptr(GError) error = NULL;
	struct archive_member member;
	const void *piece;
	gsize length;

	do
		cr_assert(archive_members_next(members, &member, NULL));
	while (!member.encrypted);
	while (archive_members_read(members, &piece, &length, &error))
		g_byte_array_append(content, piece, (guint)length);
	return error || archive_members_damaged(members) ? NULL : g_steal_pointer(&content);
}

static void
check(zip_uint16_t encryption, const char *text, const char *method, guint32 crc32)
{
	g_autoptr(GBytes) bytes = make_zip(encryption, text, strlen(text), "right");
	g_autoptr(GByteArray) content = NULL;
	struct encrypted_zip_member member, more;
	g_autoptr(encrypted_zip_t) zip =
		encrypted_zip_open(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes));

	cr_assert_not_null(zip);
	cr_assert(encrypted_zip_next(zip, &member), "the plain member is passed over");
	cr_expect_str_eq(member.name, "dir/locked.exe");
	cr_expect_eq(member.size, strlen(text));
	cr_expect_str_eq(member.method, method);
	cr_expect_eq(member.has_crc32, crc32 != 0);
	cr_expect_eq(member.crc32, crc32, "%08x", member.crc32);
	cr_expect_not(encrypted_zip_next(zip, &more));
	cr_expect_null(open_with(bytes, "wrong"));
	content = open_with(bytes, "right");
	cr_assert_not_null(content);
	cr_expect_eq(content->len, strlen(text));
	cr_expect_arr_eq(content->data, text, content->len);
}

Test(encrypted_zip, zipcrypto_has_a_crc32_and_opens_with_its_password)
{
	check(ZIP_EM_TRAD_PKWARE, CONTENT, "zipcrypto+deflate", 0x439c9e32);
}

/* libzip writes AE-1 of what is longer than 20 bytes. */
Test(encrypted_zip, aes_of_each_strength_opens_with_its_password)
{
	check(ZIP_EM_AES_128, CONTENT, "aes-128+deflate", 0x439c9e32);
	check(ZIP_EM_AES_192, CONTENT, "aes-192+deflate", 0x439c9e32);
	check(ZIP_EM_AES_256, CONTENT, "aes-256+deflate", 0x439c9e32);
}

Test(encrypted_zip, ae_2_has_no_crc32_and_opens_with_its_password)
{
	check(ZIP_EM_AES_256, "short", "aes-256+store", 0);
}

/* A wrong password passes ZipCrypto's check once in 256 times; the checksum finds it out. */
Test(encrypted_zip, no_wrong_password_opens)
{
	g_autoptr(GBytes) bytes = make_zip(ZIP_EM_TRAD_PKWARE, "stored", strlen("stored"), "right");

	for (guint i = 0; i < 2000; i++) {
		g_autofree char *password = g_strdup_printf("wrong %u", i);
		g_autoptr(GByteArray) garbage = open_with(bytes, password);

		cr_assert_null(garbage, "%s", password);
	}
}

Test(encrypted_zip, what_is_no_zip_is_refused)
{
	cr_expect_null(encrypted_zip_open("", 0));
	cr_expect_null(encrypted_zip_open("PK\3\4 but no more", 16));
}

/* Flips each byte and cuts at each: whatever that makes of it, nothing breaks. */
Test(encrypted_zip, damage_does_no_harm)
{
	g_autoptr(GBytes) bytes = make_zip(ZIP_EM_AES_256, CONTENT, strlen(CONTENT), "right");
	gsize length;
	const void *data = g_bytes_get_data(bytes, &length);

	for (gsize i = 0; i < 2 * length; i++) {
		g_autofree guint8 *copy = g_memdup2(data, length);
		g_autoptr(encrypted_zip_t) zip = NULL;
		struct encrypted_zip_member member;

		if (i < length)
			copy[i] ^= 0x41;
		zip = encrypted_zip_open(copy, i < length ? length : i - length);
		while (zip && encrypted_zip_next(zip, &member))
			cr_assert_not_null(member.name);
	}
}
