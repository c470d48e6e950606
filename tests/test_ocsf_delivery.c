/* SPDX-License-Identifier: BSD-2-Clause */
#include "ocsf_delivery.h"

#include <criterion/criterion.h>
#include <string.h>

#include "caps.h"
#include "generate.h"
#include "ocsf.h"

static struct delivery *
decode(GBytes *json, GError **error)
{
	return ocsf_decode_delivery(g_bytes_get_data(json, NULL), g_bytes_get_size(json), error);
}

static struct delivery *
plain_delivery(void)
{
	struct delivery *delivery = delivery_new();

	delivery->event_id = g_strdup("2f0a7c1e-5b1d-8c11-9f00-0123456789ab");
	delivery->tenant = g_strdup("example");
	delivery->sensor = g_strdup("mx1-follow");
	delivery->log_host = g_strdup("mx1");
	delivery->queue_id = g_strdup("4Xyz12AbCdzKq");
	delivery->time_us = 1795383398231456;
	delivery->kind = DELIVERY_SENT;
	delivery->recipient = g_strdup("u1@example.org");
	delivery->original = g_strdup("list@example.org");
	delivery->dsn = g_strdup("2.0.0");
	delivery->relay = g_strdup("mail[192.0.2.1]:25");
	delivery->detail = g_strdup("250 2.0.0 Ok: queued as 5A");
	delivery->next_queue_id = g_strdup("5A");
	return delivery;
}

/* The plain delivery's JSON with one piece of it replaced. */
static char *
changed(const char *from, const char *to)
{
	g_autoptr(delivery_t) delivery = plain_delivery();
	g_autoptr(GBytes) json = ocsf_encode_delivery(delivery);
	g_autofree char *text = g_strndup(g_bytes_get_data(json, NULL), g_bytes_get_size(json));
	g_auto(GStrv) pieces = g_strsplit(text, from, 2);

	cr_assert_not_null(pieces[1], "%s is not in %s", from, text);
	return g_strconcat(pieces[0], to, pieces[1], NULL);
}

Test(ocsf_delivery, decode_is_the_inverse_of_encode)
{
	g_autoptr(GRand) rand = g_rand_new_with_seed(20261123);

	for (int i = 0; i < 500; i++) {
		g_autoptr(delivery_t) delivery = generate_delivery(rand), back = NULL;
		g_autoptr(GBytes) json = ocsf_encode_delivery(delivery);
		g_autoptr(GError) error = NULL;
		g_autofree char *before = dump_delivery(delivery), *after = NULL;

		back = decode(json, &error);
		cr_assert_not_null(back, "%d: %s", i, error != NULL ? error->message : "");
		after = dump_delivery(back);
		cr_assert_str_eq(after, before);
	}
}

Test(ocsf_delivery, says_in_ocsf_terms_what_ocsf_has_terms_for)
{
	g_autofree char *json = changed("sent", "sent");

	cr_assert_not_null(strstr(json, "\"activity_id\":4,\"type_uid\":400904"));
	cr_assert_not_null(strstr(json, "\"message_trace_uid\":\"mx1/4Xyz12AbCdzKq\""));
	cr_assert_not_null(strstr(json, "\"status_id\":1,\"status\":\"sent\""));
	cr_assert_not_null(strstr(json, "\"status_code\":\"2.0.0\""));
	cr_assert_not_null(strstr(json, "\"to\":[\"u1@example.org\"]"));
}

Test(ocsf_delivery, an_address_that_ocsf_refuses_stands_under_unmapped_alone)
{
	g_autoptr(delivery_t) delivery = plain_delivery(), back = NULL;
	g_autoptr(GBytes) json = NULL;
	g_autofree char *text = NULL;

	g_free(delivery->recipient);
	delivery->recipient = g_strdup("root");
	json = ocsf_encode_delivery(delivery);
	text = g_strndup(g_bytes_get_data(json, NULL), g_bytes_get_size(json));
	cr_assert_not_null(strstr(text, "\"email\":{\"to\":[]}"));
	back = decode(json, NULL);
	cr_assert_str_eq(back->recipient, "root");
}

Test(ocsf_delivery, refuses_what_it_could_not_have_written)
{
	static const struct {
		const char *from, *to;
		int code;
	} cases[] = {
		{"{", "", OCSF_ERROR_SYNTAX},
		{"\"class_uid\":4009", "\"class_uid\":4011", OCSF_ERROR_CLASS},
		{"\"activity_id\":4", "\"activity_id\":2", OCSF_ERROR_CLASS},
		{"\"version\":1", "\"version\":2", OCSF_ERROR_VERSION},
		{"\"kind\":\"sent\"", "\"kind\":\"gone\"", OCSF_ERROR_FIELD},
		{"\"kind\":\"sent\"", "\"kind\":3", OCSF_ERROR_FIELD},
		{"\"uid\":\"2f0a", "\"uid\":\"2F0A", OCSF_ERROR_FIELD},
		{"\"host\":\"mx1\"", "\"host\":\"\"", OCSF_ERROR_FIELD},
		{"\"queue_id\":\"4Xyz12AbCdzKq\"", "\"queue_id\":null", OCSF_ERROR_FIELD},
		{"\"time_us\":1795383398231456", "\"time_us\":-1", OCSF_ERROR_FIELD},
		{"\"time_us\":1795383398231456", "\"time_us\":1.5", OCSF_ERROR_FIELD},
		{"\"recipient\":\"u1@example.org\",", "", OCSF_ERROR_FIELD},
		{"\"relay\":\"mail", "\"relay\":[],\"x\":\"mail", OCSF_ERROR_FIELD},
		{"\"kind\":\"sent\"", "\"kind\":\"requeued\",\"next_queue_id\":null,\"x\":0",
		 OCSF_ERROR_SYNTAX},
		{"\"relay\":", "\"recipients\":-1,\"relay\":", OCSF_ERROR_FIELD},
		{"\"delivery\":{", "\"delivery\":[],\"x\":{", OCSF_ERROR_FIELD},
		{"\"relay\":", "\"dsn\":\"4.0.0\",\"relay\":", OCSF_ERROR_SYNTAX},
	};

	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *json = changed(cases[i].from, cases[i].to);
		g_autoptr(GError) error = NULL;

		cr_assert_null(ocsf_decode_delivery(json, strlen(json), &error), "%s", cases[i].to);
		cr_assert(g_error_matches(error, OCSF_ERROR, cases[i].code), "%s: %s", cases[i].to,
			  error->message);
	}
}

Test(ocsf_delivery, ignores_members_that_it_does_not_know)
{
	g_autofree char *json = changed("\"relay\":", "\"folder\":\"INBOX\",\"relay\":");
	g_autoptr(delivery_t) delivery = ocsf_decode_delivery(json, strlen(json), NULL);

	cr_assert_not_null(delivery);
	cr_assert_str_eq(delivery->dsn, "2.0.0");
}

Test(ocsf_delivery, is_read_up_to_its_cap_and_no_further)
{
	for (int over = 0; over <= 1; over++) {
		g_autofree char *json = changed("\"relay\":", "\"x\":\"\",\"relay\":");
		gsize missing = CAP_DELIVERY_BYTES - strlen(json) + (gsize)over;
		g_autofree char *fill = g_strnfill(missing, 'x');
		g_autofree char *member = g_strdup_printf("\"x\":\"%s\",\"relay\":", fill);
		g_autofree char *full = changed("\"relay\":", member);
		g_autoptr(delivery_t) delivery = NULL;

		cr_assert_eq(strlen(full), (gsize)(CAP_DELIVERY_BYTES + over));
		delivery = ocsf_decode_delivery(full, strlen(full), NULL);
		cr_assert_eq(delivery == NULL, over == 1);
	}
}

Test(ocsf_delivery, the_longest_texts_fit_whatever_their_bytes)
{
	g_autoptr(delivery_t) delivery = plain_delivery(), back = NULL;
	char **texts[] = {&delivery->recipient, &delivery->original,	  &delivery->dsn,
			  &delivery->relay,	&delivery->next_queue_id, &delivery->log_host};
	g_autoptr(GBytes) json = NULL;

	for (gsize i = 0; i < G_N_ELEMENTS(texts); i++) {
		g_free(*texts[i]);
		*texts[i] = g_strnfill(CAP_ADDRESS_BYTES, '\x01');
	}
	g_free(delivery->detail);
	delivery->detail = g_strnfill(CAP_DELIVERY_TEXT_BYTES, '\x01');
	json = ocsf_encode_delivery(delivery);
	back = decode(json, NULL);
	cr_assert_not_null(back);
}

Test(ocsf_delivery, activity_tells_messages_and_deliveries_apart)
{
	static const char event[] = "{\"class_uid\":4009,\"activity_id\":%d,"
				    "\"unmapped\":{\"mailtrace\":{\"version\":1}}}";
	static const int expected[] = {0, 2, 2, 0, 4, 0};
	g_autofree char *other = changed("\"class_uid\":4009", "\"class_uid\":4011");
	g_autofree char *filled = g_strnfill(CAP_DELIVERY_BYTES + 1, ' ');

	for (int i = 0; i < (int)G_N_ELEMENTS(expected); i++) {
		g_autofree char *json = g_strdup_printf(event, i);

		cr_assert_eq(ocsf_activity(json, strlen(json)), expected[i], "%d", i);
	}
	cr_assert_eq(ocsf_activity(other, strlen(other)), 0);
	cr_assert_eq(ocsf_activity("{", 1), 0);
	cr_assert_eq(ocsf_activity(filled, CAP_DELIVERY_BYTES + 1), 2);
}

Test(ocsf_delivery, takes_its_identity_from_the_key)
{
	g_autoptr(delivery_t) delivery = plain_delivery();
	g_autoptr(GError) error = NULL;

	cr_assert_not(ocsf_stamp_delivery(delivery, "mx2-follow", "example", &error));
	cr_assert(g_error_matches(error, OCSF_ERROR, OCSF_ERROR_FIELD));
	cr_assert_str_eq(delivery->sensor, "mx1-follow");
	g_clear_pointer(&delivery->sensor, g_free);
	g_clear_pointer(&delivery->tenant, g_free);
	cr_assert(ocsf_stamp_delivery(delivery, "mx2-follow", "other", NULL));
	cr_assert_str_eq(delivery->sensor, "mx2-follow");
	cr_assert_str_eq(delivery->tenant, "other");
}
