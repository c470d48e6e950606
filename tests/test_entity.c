/* SPDX-License-Identifier: BSD-2-Clause */
#include <criterion/criterion.h>
#include <string.h>

#include "caps.h"
#include "entity.h"

static struct entities *
split(const char *text)
{
	return entities_split(NULL, text, strlen(text), 0, CAP_PARTS);
}

static const struct entity *
at(const struct entities *entities, guint i)
{
	cr_assert_lt(i, entities->list->len, "only %u entities", entities->list->len);
	return &g_array_index(entities->list, struct entity, i);
}

static void
assert_body(const char *text, const struct entity *entity, const char *wanted)
{
	cr_assert_eq(entity->body.length, strlen(wanted), "\"%.*s\", not \"%s\"",
		     (int)entity->body.length, text + entity->body.begin, wanted);
	cr_assert_arr_eq(text + entity->body.begin, wanted, strlen(wanted));
}

static void
assert_departure(const struct entities *entities, const char *name, gsize offset)
{
	const struct departure *departure = NULL;

	cr_assert_eq(entities->departures->len, 1);
	departure = &g_array_index(entities->departures, struct departure, 0);
	cr_assert_str_eq(departure->name, name);
	cr_assert_eq(departure->offset, offset, "%zu", departure->offset);
}

#define MIXED "Content-Type: multipart/mixed; boundary=b\r\n\r\n"

Test(entity, a_message_without_mime_is_one_leaf)
{
	const char *text = "Subject: s\r\n\r\nbody\r\n";
	g_autoptr(entities_t) entities = split(text);
	const struct field *field = &g_array_index(entities->fields, struct field, 0);

	cr_assert_eq(entities->list->len, 1);
	assert_body(text, at(entities, 0), "body\r\n");
	cr_assert_not(at(entities, 0)->has_type);
	cr_assert_str_eq(at(entities, 0)->type->token, "text/plain");
	cr_assert_eq(field->kind, FIELD_SUBJECT);
	cr_assert_eq(field->value.begin, 8);
	cr_assert_eq(field->value.length, 2);
}

Test(entity, a_delimiter_takes_the_line_break_before_it)
{
	const char *text = MIXED "--b\r\n\r\none\r\n--b\n\ntwo\n--b--\r\nepilogue";
	g_autoptr(entities_t) entities = split(text);

	cr_assert_eq(entities->list->len, 3);
	assert_body(text, at(entities, 1), "one");
	cr_assert_eq(at(entities, 1)->break_bytes, 2);
	assert_body(text, at(entities, 2), "two");
	cr_assert_eq(at(entities, 2)->break_bytes, 1);
	cr_assert_eq(at(entities, 2)->number, 2);
	cr_assert_eq(at(entities, 2)->parent, 0);
}

Test(entity, an_empty_body_leaves_its_break_to_the_header)
{
	const char *text = MIXED "--b\r\nContent-ID: x\r\n\r\n--b\r\nContent-ID: y\r\n--b--";
	g_autoptr(entities_t) entities = split(text);

	cr_assert_eq(entities->list->len, 3);
	assert_body(text, at(entities, 1), "");
	assert_body(text, at(entities, 2), "");
	cr_assert_eq(at(entities, 1)->break_bytes, 0);
}

Test(entity, a_line_that_only_begins_like_a_delimiter_is_none)
{
	const char *text = MIXED "--b\r\n\r\n--bc\r\n --b\r\n-b\r\n--\r\nx--b\r\n--b \t\r\n\r\n2";
	g_autoptr(entities_t) entities = split(text);

	cr_assert_eq(entities->list->len, 3);
	assert_body(text, at(entities, 1), "--bc\r\n --b\r\n-b\r\n--\r\nx--b");
	assert_body(text, at(entities, 2), "2");
}

Test(entity, dashes_elsewhere_hide_no_delimiter)
{
	const char *text = MIXED "--b\r\n\r\na - b -- c ---\r\n-\r\n-----\r\n---b\r\nx--b\r\n"
				 "--b\r\n\r\n-\n--b--\n-";
	g_autoptr(entities_t) entities = split(text);

	cr_assert_eq(entities->list->len, 3);
	assert_body(text, at(entities, 1), "a - b -- c ---\r\n-\r\n-----\r\n---b\r\nx--b");
	assert_body(text, at(entities, 2), "-");
}

Test(entity, an_outer_delimiter_ends_what_is_open_within)
{
	const char *text =
		MIXED "--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\n\r\nin\r\n"
		      "--b\r\n\r\nout\r\n--c\r\n--b--";
	g_autoptr(entities_t) entities = split(text);

	cr_assert_eq(entities->list->len, 4);
	assert_body(text, at(entities, 2), "in");
	cr_assert_eq(at(entities, 2)->parent, 1);
	assert_body(text, at(entities, 3), "out\r\n--c");
	cr_assert_eq(at(entities, 3)->parent, 0);
	cr_assert_eq(at(entities, 3)->number, 2);
}

Test(entity, nothing_after_the_closing_delimiter_is_a_part)
{
	g_autoptr(entities_t) entities = split(MIXED "--b\r\n\r\nx\r\n--b--\r\n--b\r\n\r\ny\r\n");

	cr_assert_eq(entities->list->len, 2);
}

Test(entity, a_message_in_a_part_is_its_only_child)
{
	const char *text = MIXED "--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: in\r\n\r\n"
				 "x\r\n--b--\r\n";
	g_autoptr(entities_t) entities = split(text);

	cr_assert_eq(entities->list->len, 3);
	cr_assert_eq(at(entities, 1)->kind, ENTITY_MESSAGE);
	assert_body(text, at(entities, 1), "Subject: in\r\n\r\nx");
	cr_assert_eq(at(entities, 2)->parent, 1);
	cr_assert_eq(at(entities, 2)->depth, 2);
	assert_body(text, at(entities, 2), "x");
	cr_assert_eq(entities->fields->len, 0);
}

Test(entity, an_encoded_message_is_a_leaf)
{
	g_autoptr(entities_t) entities = split("Content-Type: message/rfc822\r\n"
					       "Content-Transfer-Encoding: Base64\r\n\r\neA==");

	cr_assert_eq(entities->list->len, 1);
	cr_assert_eq(at(entities, 0)->kind, ENTITY_LEAF);
	cr_assert(entity_is_message(at(entities, 0)));
}

Test(entity, parts_of_a_digest_are_messages)
{
	g_autoptr(entities_t) entities =
		split("Content-Type: multipart/digest; boundary=b\r\n\r\n--b\r\n\r\n"
		      "Subject: x\r\n\r\ny\r\n--b--");

	cr_assert_eq(entities->list->len, 3);
	cr_assert_eq(at(entities, 1)->kind, ENTITY_MESSAGE);
}

Test(entity, folded_fields_are_one)
{
	const char *text = "Content-Type: text/html;\r\n charset=x\r\n\t; y=z\r\nTo: a\r\n\r\n";
	g_autoptr(entities_t) entities = split(text);
	struct span span = at(entities, 0)->fields[FIELD_CONTENT_TYPE];

	cr_assert_eq(span.length, strlen(" text/html;\r\n charset=x\r\n\t; y=z"));
	cr_assert_not_null(content_field_get(at(entities, 0)->type, "y", FALSE));
}

Test(entity, names_of_fields_take_any_case_and_blanks_before_the_colon)
{
	g_autoptr(entities_t) entities = split("CONTENT-type \t: text/html\r\nsUBJECT: s\r\n\r\n");

	cr_assert_str_eq(at(entities, 0)->type->token, "text/html");
	cr_assert_eq(entities->fields->len, 1);
}

Test(entity, a_line_that_is_no_field_begins_the_body)
{
	const char *text = "Subject: s\r\nno field here\r\n\r\nx";
	g_autoptr(entities_t) entities = split(text);

	assert_body(text, at(entities, 0), "no field here\r\n\r\nx");
	assert_departure(entities, "header-without-colon", 12);
}

Test(entity, an_mbox_separator_is_passed_over)
{
	const char *text = "From a@b Mon\nSubject: s\n\nx";
	g_autoptr(entities_t) entities = split(text);

	assert_body(text, at(entities, 0), "x");
	cr_assert_eq(entities->fields->len, 1);
}

Test(entity, the_first_of_two_types_counts_and_the_second_is_noted)
{
	g_autoptr(entities_t) entities =
		split("Content-Type: text/html\r\nContent-Type: text/plain\r\n\r\n");

	cr_assert_str_eq(at(entities, 0)->type->token, "text/html");
	assert_departure(entities, "duplicate-header", 38);
}

Test(entity, a_multipart_without_boundary_is_a_leaf)
{
	g_autoptr(entities_t) entities = split("Content-Type: multipart/mixed\r\n\r\n--\r\n");

	cr_assert_eq(entities->list->len, 1);
	cr_assert_eq(at(entities, 0)->kind, ENTITY_LEAF);
	assert_departure(entities, "no-boundary", 33);
}

Test(entity, no_bytes_are_an_empty_leaf)
{
	g_autoptr(entities_t) entities = split("");

	cr_assert_eq(entities->list->len, 1);
	cr_assert_eq(at(entities, 0)->body.length, 0);
}

Test(entity, splits_off_no_more_than_it_was_told)
{
	const char *text = MIXED "--b\r\n\r\n1\r\n--b\r\n\r\n2\r\n--b--";
	g_autoptr(entities_t) two = entities_split(NULL, text, strlen(text), 0, 2);
	g_autoptr(entities_t) three = entities_split(NULL, text, strlen(text), 0, 3);

	cr_assert_eq(two->list->len, 2);
	cr_assert(at(two, 0)->cut);
	cr_assert_str_eq(g_ptr_array_index(two->caps, 0), CAP_PARTS_NAME);
	cr_assert_eq(three->list->len, 3);
	cr_assert_not(at(three, 0)->cut);
	cr_assert_eq(three->caps->len, 0);
}

Test(entity, levels_above_count)
{
	const char *text = MIXED "--b\r\n\r\nx";
	g_autoptr(entities_t) within =
		entities_split(NULL, text, strlen(text), CAP_NESTING - 1, 10);
	g_autoptr(entities_t) beyond = entities_split(NULL, text, strlen(text), CAP_NESTING, 10);

	cr_assert_eq(within->list->len, 2);
	cr_assert_eq(beyond->list->len, 1);
	cr_assert_str_eq(g_ptr_array_index(beyond->caps, 0), CAP_NESTING_NAME);
}

Test(entity, a_header_is_read_to_the_cap_and_noted_beyond)
{
	for (int over = -1; over <= 1; over++) {
		g_autoptr(GString) text = g_string_new("X: ");
		g_autoptr(entities_t) entities = NULL;

		/* The last field ends at the cap, one before or one after it. */
		while (text->len < (gsize)(CAP_HEADER_BYTES + over) - 12)
			g_string_append_c(text, 'x');
		g_string_append(text, "\r\nSubject: a\r\n\r\nbody");
		entities = entities_split(NULL, text->str, text->len, 0, 10);
		cr_expect_eq(entities->fields->len, over > 0 ? 0 : 1, "%d", over);
		cr_expect_eq(entities->caps->len, over > 0 ? 1 : 0, "%d", over);
		assert_body(text->str, at(entities, 0), "body");
	}
}

Test(entity, fields_are_kept_to_the_cap_and_noted_beyond)
{
	for (int over = -1; over <= 1; over++) {
		g_autoptr(GString) text = g_string_new(NULL);
		g_autoptr(entities_t) entities = NULL;

		for (int i = 0; i < CAP_FIELDS + over; i++)
			g_string_append(text, "To: a\r\n");
		entities = entities_split(NULL, text->str, text->len, 0, 10);
		cr_expect_eq(entities->fields->len, (guint)MIN(CAP_FIELDS + over, CAP_FIELDS));
		cr_expect_eq(entities->caps->len, over > 0 ? 1 : 0);
	}
}

Test(entity, anomalies_are_kept_to_the_cap_and_noted_beyond)
{
	for (int over = -1; over <= 1; over++) {
		g_autoptr(GString) text = g_string_new(NULL);
		g_autoptr(entities_t) entities = NULL;

		for (int i = 0; i < CAP_ANOMALIES + over + 1; i++)
			g_string_append(text, "Content-ID: a\r\n");
		entities = entities_split(NULL, text->str, text->len, 0, 10);
		cr_expect_eq(entities->departures->len,
			     (guint)MIN(CAP_ANOMALIES + over, CAP_ANOMALIES));
		cr_expect_eq(entities->caps->len, over > 0 ? 1 : 0);
	}
}

/* Every body lies within its parent's, whatever the bytes. */
Test(entity, bodies_lie_within_each_other_in_any_bytes)
{
	static const char *const pieces[] = {
		"--b\r\n",
		"--b--\r\n",
		"\r\n",
		"--c\r\n",
		"--c--\n",
		"x",
		"\n",
		"Content-Type: multipart/mixed; boundary=b\r\n",
		"Content-Type: multipart/digest; boundary=c\n",
		"Content-Type: message/rfc822\r\n",
	};
	guint32 state = 3;

	for (int round = 0; round < 20000; round++) {
		g_autoptr(GString) text = g_string_new(NULL);
		g_autoptr(entities_t) entities = NULL;

		for (int i = 0; i < round % 24; i++) {
			state = state * 1664525u + 1013904223u;
			g_string_append(text, pieces[(state >> 16) % G_N_ELEMENTS(pieces)]);
		}
		entities = entities_split(NULL, text->str, text->len, 0, 100);
		for (guint i = 0; i < entities->list->len; i++) {
			const struct entity *entity = at(entities, i);
			gsize end = entity->body.begin + entity->body.length;

			cr_assert_leq(end + entity->break_bytes, text->len);
			if (entity->parent < 0)
				continue;
			cr_assert_lt(entity->parent, (int)i);
			cr_assert_geq(entity->body.begin,
				      at(entities, (guint)entity->parent)->body.begin);
			cr_assert_leq(end,
				      at(entities, (guint)entity->parent)->body.begin +
					      at(entities, (guint)entity->parent)->body.length);
		}
	}
}
