/* SPDX-License-Identifier: BSD-2-Clause */
#include "record.h"

#include <criterion/criterion.h>
#include <string.h>

#include "caps.h"

static void
add_digest(struct file *file, const char *content)
{
	file->size = strlen(content);
	digests_of(content, file->size, &file->digests);
}

static void
add_form(struct file *file, enum variant_kind kind, const char *content)
{
	struct digests digests;

	digests_of(content, strlen(content), &digests);
	file_add_variant(file, kind, strlen(content), &digests);
}

/* A mail with a text and a file, as the milter sees it. */
static struct record *
seen_by_milter(void)
{
	struct record *record = record_new();
	struct file *file;

	record->message_id = g_strdup("<1@b.example>");
	record->subject = g_strdup("Invoice");
	record->date = g_strdup("Mon, 23 Nov 2026\r\n 04:00:00 +0900");
	mail_address_add(record->from, "A", "a@b.example");
	record_add_file(record, "1", -1)->flags = FILE_MULTIPART;
	file = record_add_file(record, "1.1", 0);
	file->flags = FILE_BODY;
	add_digest(file, "a\r\nb");
	add_form(file, VARIANT_LF, "a\nb");
	add_form(file, VARIANT_DELIMITER, "a\r\nb\r\n");
	file = record_add_file(record, "1.2", 0);
	file_add_name(file, "a.zip", "filename", NULL);
	add_digest(file, "zip");
	return record;
}

/* The same out of a mailbox: LF, more fields, a line break at the end. */
static struct record *
seen_in_mailbox(void)
{
	struct record *record = seen_by_milter();
	struct file *body = g_ptr_array_index(record->files, 1);

	g_array_set_size(body->variants, 0);
	add_digest(body, "a\nb\n");
	add_form(body, VARIANT_TRIMMED, "a\nb");
	g_free(record->date);
	record->date = g_strdup("Mon, 23 Nov 2026 04:00:00 +0900");
	g_ptr_array_add(record->delivered_to, g_strdup("u@example.org"));
	record->size = 17;
	return record;
}

static gboolean
same_key(const struct record *one, const struct record *other)
{
	guint8 keys[2][SHA256_BYTES];

	record_content_key(one, keys[0]);
	record_content_key(other, keys[1]);
	return memcmp(keys[0], keys[1], SHA256_BYTES) == 0;
}

Test(record, content_key_joins_a_message_and_its_copy_in_a_mailbox)
{
	g_autoptr(record_t) milter = seen_by_milter(), mailbox = seen_in_mailbox();

	cr_assert(same_key(milter, mailbox));
}

static void
change_subject(struct record *record)
{
	g_free(record->subject);
	record->subject = g_strdup("Invoices");
}

static void
drop_subject(struct record *record)
{
	g_clear_pointer(&record->subject, g_free);
}

static void
change_message_id(struct record *record)
{
	record->message_id[1] = '2';
}

static void
change_date(struct record *record)
{
	record->date[0] = 'T';
}

static void
change_from(struct record *record)
{
	struct mail_address *from = g_ptr_array_index(record->from, 0);

	from->address[0] = 'b';
}

static void
change_body(struct record *record)
{
	struct file *body = g_ptr_array_index(record->files, 1);

	g_array_set_size(body->variants, 0);
	add_digest(body, "a\nc");
}

static void
change_file(struct record *record)
{
	add_digest(g_ptr_array_index(record->files, 2), "zap");
}

static void
change_name(struct record *record)
{
	struct file *file = g_ptr_array_index(record->files, 2);
	struct file_name *name = g_ptr_array_index(file->names, 0);

	name->text[0] = 'b';
}

static void
add_file(struct record *record)
{
	record_add_file(record, "1.3", 0);
}

static void
move_file(struct record *record)
{
	struct file *file = g_ptr_array_index(record->files, 2);

	file->path[2] = '9';
}

Test(record, content_key_tells_two_mails_with_one_message_id_apart)
{
	static void (*const changes[])(struct record * record) = {
		change_subject, drop_subject, change_message_id, change_date, change_from,
		change_body,	change_file,  change_name,	 add_file,    move_file,
	};
	g_autoptr(record_t) plain = seen_by_milter();

	for (gsize i = 0; i < G_N_ELEMENTS(changes); i++) {
		g_autoptr(record_t) other = seen_by_milter();

		changes[i](other);
		cr_assert_not(same_key(plain, other), "change %zu", i);
	}
}

Test(record, content_key_is_not_of_members_of_archives)
{
	g_autoptr(record_t) plain = seen_by_milter(), opened = seen_by_milter();

	add_digest(record_add_file(opened, "1.2!/a.js", 2), "js");
	cr_assert(same_key(plain, opened));
}

/* The value was made from record.h's definition by another program. */
Test(record, content_key_is_fixed)
{
	g_autoptr(record_t) record = seen_by_milter();
	g_autofree char *hex = NULL;
	guint8 key[SHA256_BYTES];

	record_content_key(record, key);
	hex = hex_encode(key, sizeof(key));
	cr_assert_str_eq(hex, "e3e8c35764343720c88c2900b3025297f48d18777f8e98c72d1fa6135f622e9e");
}

Test(record, name_is_kept_once)
{
	g_autoptr(record_t) record = record_new();
	g_autoptr(GBytes) raw = g_bytes_new_static("x", 1);
	struct file *file = record_add_file(record, "1", -1);

	cr_assert_null(file_best_name(file));
	file_add_name(file, "a", "filename", raw);
	file_add_name(file, "a", "name", NULL);
	file_add_name(file, "b", "name", NULL);
	cr_assert_eq(file->names->len, 2);
	cr_assert_str_eq(file_best_name(file), "a");
}

Test(record, variant_is_found_by_its_kind)
{
	g_autoptr(record_t) record = seen_by_milter();
	const struct file *body = g_ptr_array_index(record->files, 1);

	cr_assert_eq(file_variant(body, VARIANT_LF)->size, 3);
	cr_assert_eq(file_variant(body, VARIANT_DELIMITER)->size, 6);
	cr_assert_null(file_variant(body, VARIANT_TRIMMED));
}

Test(record, attachment_is_neither_container_nor_text)
{
	g_autoptr(record_t) record = record_new();
	struct file *file = record_add_file(record, "1", -1);

	cr_assert(file_is_attachment(file));
	file->flags = FILE_BODY;
	cr_assert_not(file_is_attachment(file));
	file->flags = FILE_MULTIPART;
	cr_assert_not(file_is_attachment(file));
	file->flags = FILE_MESSAGE | FILE_ENCRYPTED;
	cr_assert(file_is_attachment(file));
}

Test(record, member_is_known_by_its_path)
{
	g_autoptr(record_t) record = record_new();

	cr_assert_not(file_is_member(record_add_file(record, "1.2", -1)));
	cr_assert(file_is_member(record_add_file(record, "1.2!/a.js", 0)));
}

Test(record, cap_is_noted_once)
{
	g_autoptr(record_t) record = record_new();

	record_note_cap(record, CAP_URLS_NAME);
	record_note_cap(record, CAP_PARTS_NAME);
	record_note_cap(record, CAP_URLS_NAME);
	cr_assert_eq(record->caps->len, 2);
}

Test(record, anomalies_end_at_their_cap)
{
	g_autoptr(record_t) record = record_new();

	for (int i = 0; i < CAP_ANOMALIES; i++)
		record_add_anomaly(record, "bare-lf", (guint64)i);
	cr_assert_eq(record->anomalies->len, CAP_ANOMALIES);
	cr_assert_eq(record->caps->len, 0);
	record_add_anomaly(record, "bare-lf", 1);
	cr_assert_eq(record->anomalies->len, CAP_ANOMALIES);
	cr_assert_str_eq(g_ptr_array_index(record->caps, 0), CAP_ANOMALIES_NAME);
}

Test(record, each_flag_and_variant_has_a_name_of_its_own)
{
	g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);

	for (guint bit = 0; bit < FILE_FLAG_COUNT; bit++)
		cr_assert(g_hash_table_add(seen, (gpointer)record_flag_name(bit)));
	for (guint kind = 0; kind < VARIANT_KIND_COUNT; kind++)
		cr_assert(g_hash_table_add(seen, (gpointer)variant_kind_name(kind)));
}

Test(record, free_of_null_is_allowed)
{
	record_free(NULL);
	file_free(NULL);
}
