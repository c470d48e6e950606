/* SPDX-License-Identifier: BSD-2-Clause */
#include "answer.h"

#include <criterion/criterion.h>
#include <string.h>

#include "caps.h"
#include "generate.h"

#define TICKET 7

static struct record *
decode(GBytes *bytes, GError **error)
{
	return answer_decode(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), TICKET, error);
}

static struct record *
plain_record(void)
{
	struct record *record = record_new();

	record_add_file(record, "1", -1)->flags = FILE_MULTIPART;
	record_add_file(record, "1.1", 0);
	record_add_file(record, "1.2", 0);
	return record;
}

Test(answer, decode_is_the_inverse_of_encode)
{
	g_autoptr(GRand) rand = g_rand_new_with_seed(20261123);

	for (int i = 0; i < 500; i++) {
		g_autoptr(record_t) record = generate_record(rand);
		g_autoptr(GBytes) bytes = answer_encode(record, TICKET);
		g_autoptr(GError) error = NULL;
		g_autoptr(record_t) back = decode(bytes, &error);
		g_autofree char *before = dump_record(record), *after = NULL;

		cr_assert_not_null(back, "%d: %s", i, error != NULL ? error->message : "");
		after = dump_record(back);
		cr_assert_str_eq(after, before);
	}
}

Test(answer, of_another_message_is_refused)
{
	g_autoptr(record_t) record = plain_record();
	g_autoptr(GBytes) bytes = answer_encode(record, TICKET + 1);
	g_autoptr(GError) error = NULL;

	cr_assert_null(decode(bytes, &error));
	cr_assert(g_error_matches(error, ANSWER_ERROR, ANSWER_ERROR_TICKET));
}

Test(answer, over_its_cap_is_refused_unread)
{
	g_autofree char *bytes = g_malloc0(CAP_ANSWER_BYTES + 1);

	for (int over = -1; over <= 1; over++) {
		g_autoptr(GError) error = NULL;

		/* None of them is an answer; only what is too long is not looked at. */
		cr_assert_null(answer_decode(bytes, (gsize)(CAP_ANSWER_BYTES + over), 0, &error));
		cr_expect_eq(g_error_matches(error, ANSWER_ERROR, ANSWER_ERROR_SIZE), over > 0);
	}
}

Test(answer, tells_the_size_of_a_message_up_to_its_cap)
{
	for (int over = -1; over <= 1; over++) {
		g_autoptr(record_t) record = plain_record(), back = NULL;
		g_autoptr(GBytes) bytes = NULL;

		record->size = (guint64)(CAP_MESSAGE_BYTES + over);
		bytes = answer_encode(record, TICKET);
		back = decode(bytes, NULL);
		cr_expect_eq(back != NULL, over <= 0);
	}
}

Test(answer, cut_or_extended_is_refused)
{
	g_autoptr(record_t) record = plain_record();
	g_autoptr(GBytes) bytes = answer_encode(record, TICKET);
	gsize size = g_bytes_get_size(bytes);
	g_autofree guint8 *copy = g_malloc0(size + 1);

	memcpy(copy, g_bytes_get_data(bytes, NULL), size);
	for (gsize length = 0; length <= size + 1; length++) {
		g_autoptr(GError) error = NULL;

		if (length == size)
			continue;
		cr_assert_null(answer_decode(copy, length, TICKET, &error), "length %zu", length);
		cr_assert(g_error_matches(error, ANSWER_ERROR, ANSWER_ERROR_FORM));
	}
}

Test(answer, with_any_byte_changed_is_refused_or_keeps_the_invariants)
{
	g_autoptr(GRand) rand = g_rand_new_with_seed(1);
	g_autoptr(record_t) record = generate_record(rand);
	g_autoptr(GBytes) bytes = answer_encode(record, TICKET);
	gsize size = g_bytes_get_size(bytes);
	g_autofree guint8 *copy = g_memdup2(g_bytes_get_data(bytes, NULL), size);

	for (gsize i = 0; i < size; i++) {
		for (int bit = 0; bit < 8; bit++) {
			g_autoptr(record_t) back = NULL;

			copy[i] ^= (guint8)(1 << bit);
			back = answer_decode(copy, size, TICKET, NULL);
			copy[i] ^= (guint8)(1 << bit);
			if (back == NULL)
				continue;
			for (guint n = 0; n < back->files->len; n++) {
				const struct file *file = g_ptr_array_index(back->files, n);

				cr_assert(file->parent < (int)n && file->flags < 128);
				cr_assert(g_utf8_validate(file->path, -1, NULL));
			}
		}
	}
}

/* ---- each lie that a worker could tell ---- */

static struct file *
last_file(struct record *record)
{
	return g_ptr_array_index(record->files, record->files->len - 1);
}

static void
break_parent_order(struct record *record)
{
	last_file(record)->parent = 2;
}

static void
break_second_root(struct record *record)
{
	last_file(record)->parent = -1;
}

static void
break_path_twice(struct record *record)
{
	record_add_file(record, "1.1", 0);
}

static void
break_path_empty(struct record *record)
{
	record_add_file(record, "", 0);
}

static void
break_flag(struct record *record)
{
	last_file(record)->flags = 1u << FILE_FLAG_COUNT;
}

static void
break_container_digest(struct record *record)
{
	last_file(record)->flags = FILE_MULTIPART;
	last_file(record)->digests.md5[0] = 1;
}

static void
add_variant_twice(struct record *record)
{
	static const struct digests digests;

	file_add_variant(last_file(record), VARIANT_LF, 1, &digests);
	file_add_variant(last_file(record), VARIANT_LF, 1, &digests);
}

static void
break_variant_kind(struct record *record)
{
	static const struct digests digests;

	file_add_variant(last_file(record), VARIANT_LF, 1, &digests);
	g_array_index(last_file(record)->variants, struct variant, 0).kind = VARIANT_KIND_COUNT;
}

static void
break_label(struct record *record)
{
	record_note_cap(record, "two words");
}

static void
break_date(struct record *record)
{
	record->date_us = G_MAXINT64;
}

static void
break_size(struct record *record)
{
	record->size = CAP_MESSAGE_BYTES + 1;
}

struct lie {
	const char *name;
	void (*apply)(struct record *record);
};

Test(answer, that_breaks_an_invariant_is_refused)
{
	static const struct lie lies[] = {
		{"parent order", break_parent_order},
		{"second root", break_second_root},
		{"path twice", break_path_twice},
		{"path empty", break_path_empty},
		{"flag", break_flag},
		{"container digest", break_container_digest},
		{"variant twice", add_variant_twice},
		{"variant kind", break_variant_kind},
		{"label", break_label},
		{"date", break_date},
		{"size", break_size},
	};

	for (gsize i = 0; i < G_N_ELEMENTS(lies); i++) {
		g_autoptr(record_t) record = plain_record();
		g_autoptr(GBytes) bytes = NULL;
		g_autoptr(GError) error = NULL;
		g_autoptr(record_t) back = NULL;

		lies[i].apply(record);
		bytes = answer_encode(record, TICKET);
		back = decode(bytes, &error);
		cr_assert_null(back, "%s", lies[i].name);
		cr_assert(g_error_matches(error, ANSWER_ERROR, ANSWER_ERROR_CONTENT), "%s",
			  lies[i].name);
	}
}

/* ---- each cap, met and passed ---- */

static void
set_text(char **text, gsize length)
{
	g_free(*text);
	*text = g_strnfill(length, 'x');
}

static void
put_subject(struct record *record, gsize n)
{
	set_text(&record->subject, n);
}

static void
put_message_id(struct record *record, gsize n)
{
	set_text(&record->message_id, n);
}

static void
put_declared_type(struct record *record, gsize n)
{
	set_text(&last_file(record)->declared_type, n);
}

static void
put_name(struct record *record, gsize n)
{
	g_autofree char *name = g_strnfill(n, 'x');

	file_add_name(last_file(record), name, "name", NULL);
}

static void
put_names(struct record *record, gsize n)
{
	for (gsize i = 0; i < n; i++) {
		g_autofree char *name = g_strdup_printf("%zu", i);

		file_add_name(last_file(record), name, "name", NULL);
	}
}

static void
put_url(struct record *record, gsize n)
{
	g_ptr_array_add(record->urls, g_strnfill(n, 'x'));
}

static void
put_urls(struct record *record, gsize n)
{
	while (record->urls->len < n)
		g_ptr_array_add(record->urls, g_strdup("https://a.example/"));
}

static void
put_addresses(struct record *record, gsize n)
{
	while (record->cc->len < n)
		mail_address_add(record->cc, NULL, "a@b.example");
}

static void
put_address(struct record *record, gsize n)
{
	g_autofree char *address = g_strnfill(n, 'x');

	mail_address_add(record->from, NULL, address);
}

static void
put_anomalies(struct record *record, gsize n)
{
	while (record->anomalies->len < n) {
		struct anomaly *anomaly = g_new0(struct anomaly, 1);

		anomaly->name = g_strdup("x");
		g_ptr_array_add(record->anomalies, anomaly);
	}
}

static void
put_files(struct record *record, gsize n)
{
	while (record->files->len < n) {
		g_autofree char *path = g_strdup_printf("1.%u", record->files->len);

		record_add_file(record, path, 0);
	}
}

static void
put_depth(struct record *record, gsize n)
{
	int parent = 0;

	for (gsize depth = 1; depth <= n; depth++) {
		g_autofree char *path = g_strdup_printf("d%zu", depth);

		record_add_file(record, path, parent);
		parent = (int)record->files->len - 1;
	}
}

struct cap_case {
	const char *name;
	void (*put)(struct record *record, gsize n);
	gsize cap;
};

Test(answer, at_each_cap_is_read_and_above_it_refused)
{
	static const struct cap_case cases[] = {
		{"subject", put_subject, CAP_SUBJECT_BYTES},
		{"message id", put_message_id, CAP_FIELD_BYTES},
		{"declared type", put_declared_type, CAP_FIELD_BYTES},
		{"name", put_name, CAP_NAME_BYTES},
		{"names", put_names, CAP_NAMES},
		{"url", put_url, CAP_URL_BYTES},
		{"urls", put_urls, CAP_URLS},
		{"address", put_address, CAP_FIELD_BYTES},
		{"addresses", put_addresses, CAP_ADDRESSES},
		{"anomalies", put_anomalies, CAP_ANOMALIES},
		{"files", put_files, CAP_FILES},
		{"depth", put_depth, 2 * CAP_NESTING},
	};

	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		for (int past = -1; past <= 1; past++) {
			g_autoptr(record_t) record = plain_record(), back = NULL;
			g_autoptr(GBytes) bytes = NULL;

			cases[i].put(record, cases[i].cap + (gsize)past);
			bytes = answer_encode(record, TICKET);
			back = decode(bytes, NULL);
			cr_assert((back != NULL) == (past <= 0), "%s, cap%+d", cases[i].name, past);
		}
	}
}

/* ---- more than an answer holds ---- */

Test(answer, too_long_leaves_out_the_last_files_and_says_so)
{
	g_autoptr(record_t) record = plain_record(), back = NULL;
	g_autofree char *filler = g_strnfill(CAP_FIELD_BYTES, 'x');
	g_autoptr(GBytes) bytes = NULL;

	put_files(record, 1000);
	for (guint i = 0; i < record->files->len; i++) {
		struct file *file = g_ptr_array_index(record->files, i);

		file->content_id = g_strdup(filler);
	}
	put_urls(record, 5);
	bytes = answer_encode(record, TICKET);
	cr_assert_leq(g_bytes_get_size(bytes), CAP_ANSWER_BYTES);
	back = decode(bytes, NULL);
	cr_assert_not_null(back);
	cr_assert_gt(back->files->len, 450);
	cr_assert_lt(back->files->len, 1000);
	cr_assert_eq(back->urls->len, 5);
	cr_assert(((struct file *)g_ptr_array_index(back->files, 0))->flags & FILE_INCOMPLETE);
	cr_assert_eq(back->caps->len, 1);
	cr_assert_str_eq(g_ptr_array_index(back->caps, 0), CAP_EVENT_BYTES_NAME);
}

Test(answer, too_long_without_files_leaves_out_links_then_addresses)
{
	g_autoptr(record_t) record = plain_record(), back = NULL;
	g_autofree char *filler = g_strnfill(CAP_FIELD_BYTES, 'x');
	g_autoptr(GBytes) bytes = NULL;

	for (int i = 0; i < CAP_ADDRESSES; i++)
		mail_address_add(record->to, filler, "a@b.example");
	put_urls(record, 10);
	bytes = answer_encode(record, TICKET);
	cr_assert_leq(g_bytes_get_size(bytes), CAP_ANSWER_BYTES);
	back = decode(bytes, NULL);
	cr_assert_not_null(back);
	cr_assert_eq(back->files->len, 0);
	cr_assert_eq(back->urls->len, 0);
	cr_assert_gt(back->to->len, 450);
}

/* A fuzz target all of whose seeds are refused at the door tries nothing. */
Test(answer, the_seeds_of_the_fuzz_target_are_answers)
{
	const char *top = g_getenv("top_srcdir");
	g_autofree char *folder =
		g_build_filename(top ? top : ".", "tests", "fuzz", "corpus", "answer", NULL);
	g_autoptr(GDir) seeds = g_dir_open(folder, 0, NULL);
	const char *name;
	guint taken = 0;

	cr_assert_not_null(seeds);
	while ((name = g_dir_read_name(seeds))) {
		g_autofree char *path = g_build_filename(folder, name, NULL), *bytes = NULL;
		g_autoptr(record_t) record = NULL;
		guint64 ticket;
		gsize length;

		cr_assert(g_file_get_contents(path, &bytes, &length, NULL));
		cr_assert_geq(length, sizeof(ticket));
		memcpy(&ticket, bytes, sizeof(ticket));
		record = answer_decode(bytes, length, ticket, NULL);
		taken += record != NULL;
	}
	cr_assert_geq(taken, 7, "%u: have tests/tools/emit_answers write new ones", taken);
}
