/* SPDX-License-Identifier: BSD-2-Clause */
#include <criterion/criterion.h>
#include <string.h>

#include "caps.h"
#include "ocsf.h"
#include "ocsf_delivery.h"
#include "ocsf_login.h"

#define ID "0190f3c2-0000-7000-8000-000000000001"
#define HEAD                                                                                     \
	"{\"metadata\":{\"uid\":\"" ID "\"},\"class_uid\":3002,\"activity_id\":1,\"unmapped\":{" \
	"\"mailtrace\":{\"version\":1,\"sensor\":\"mx1\",\"tenant\":\"a\",\"login\":{"

static struct login
example(void)
{
	return (struct login){
		.event_id = (char *)ID,
		.tenant = (char *)"a",
		.sensor = (char *)"mx1",
		.log_host = (char *)"mbox1.example",
		.service = (char *)"imap",
		.user = (char *)"bob@example.org",
		.client = (char *)"192.0.2.7",
		.session = (char *)"yWPEJ1hheJR/AAAB",
		.method = (char *)"PLAIN",
		.time_us = (gint64)1795881112 * G_USEC_PER_SEC,
	};
}

static struct login *
decode(const char *json, GError **error)
{
	return ocsf_decode_login(json, strlen(json), error);
}

Test(ocsf_login, comes_back_as_it_went)
{
	struct login login = example();
	g_autoptr(GBytes) json = ocsf_encode_login(&login), again = NULL;
	gsize length;
	const char *text = g_bytes_get_data(json, &length);
	g_autoptr(GError) error = NULL;
	g_autoptr(login_t) back = ocsf_decode_login(text, length, &error);

	cr_assert_not_null(back, "%s", error ? error->message : "");
	again = ocsf_encode_login(back);
	cr_assert(g_bytes_equal(json, again));
	cr_assert_eq(ocsf_activity(text, length), 1);
	cr_assert_str_eq(back->user, "bob@example.org");
	cr_assert_eq(back->time_us, login.time_us);
	login.session = login.method = NULL;
	g_bytes_unref(json);
	json = ocsf_encode_login(&login);
	login_free(back);
	back = ocsf_decode_login(g_bytes_get_data(json, NULL), g_bytes_get_size(json), &error);
	cr_assert(back != NULL && back->session == NULL && back->method == NULL);
}

Test(ocsf_login, an_address_has_one_form)
{
	static const char *const forms[][2] = {
		{"192.0.2.7", "192.0.2.7"},
		{"::ffff:192.0.2.7", "192.0.2.7"},
		{"::FFFF:C000:207", "192.0.2.7"},
		{"2001:DB8:0:0::7", "2001:db8::7"},
		{"2001:db8:0:0:0:0:0:7", "2001:db8::7"},
	};

	for (gsize i = 0; i < G_N_ELEMENTS(forms); i++) {
		g_autofree char *json =
			g_strdup_printf(HEAD "\"host\":\"h\",\"service\":\"imap\",\"user\":\"b\","
					     "\"client\":\"%s\",\"time_us\":1}}}}",
					forms[i][0]);
		g_autoptr(login_t) login = decode(json, NULL);

		cr_assert_not_null(login);
		cr_expect_str_eq(login->client, forms[i][1]);
	}
}

Test(ocsf_login, what_is_no_login_is_refused)
{
	static const struct {
		const char *json;
		int code;
	} rows[] = {
		{"{", OCSF_ERROR_SYNTAX},
		{"{\"class_uid\":4009,\"activity_id\":1,\"unmapped\":{\"mailtrace\":{\"version\":1}}}",
		 OCSF_ERROR_CLASS},
		{"{\"class_uid\":3002,\"activity_id\":2,\"unmapped\":{\"mailtrace\":{\"version\":1}}}",
		 OCSF_ERROR_CLASS},
		{"{\"class_uid\":3002,\"activity_id\":1,\"unmapped\":{\"mailtrace\":{\"version\":2}}}",
		 OCSF_ERROR_VERSION},
		{"{\"class_uid\":3002,\"activity_id\":1,\"unmapped\":{\"mailtrace\":{\"version\":1}}}",
		 OCSF_ERROR_FIELD},
		{HEAD "\"service\":\"imap\",\"user\":\"b\",\"client\":\"::1\",\"time_us\":1}}}}",
		 OCSF_ERROR_FIELD},
		{HEAD "\"host\":\"h\",\"service\":\"\",\"user\":\"b\",\"client\":\"::1\","
		      "\"time_us\":1}}}}",
		 OCSF_ERROR_FIELD},
		{HEAD "\"host\":\"h\",\"service\":\"imap\",\"user\":\"\",\"client\":\"::1\","
		      "\"time_us\":1}}}}",
		 OCSF_ERROR_FIELD},
		{HEAD "\"host\":\"h\",\"service\":\"imap\",\"user\":\"b\",\"client\":\"host\","
		      "\"time_us\":1}}}}",
		 OCSF_ERROR_FIELD},
		{HEAD "\"host\":\"h\",\"service\":\"imap\",\"user\":\"b\",\"client\":\"::1\","
		      "\"session\":\"\",\"time_us\":1}}}}",
		 OCSF_ERROR_FIELD},
		{HEAD "\"host\":\"h\",\"service\":\"imap\",\"user\":\"b\",\"client\":\"::1\","
		      "\"time_us\":-1}}}}",
		 OCSF_ERROR_FIELD},
	};

	for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autoptr(GError) error = NULL;

		cr_expect_null(decode(rows[i].json, &error));
		cr_expect(g_error_matches(error, OCSF_ERROR, rows[i].code), "%zu: %s", i,
			  error ? error->message : "");
	}
}

Test(ocsf_login, caps_of_words_and_of_the_whole)
{
	static const struct {
		const char *key;
		gsize most;
	} words[] = {{"service", LOGIN_SERVICE_MAX},
		     {"user", CAP_ADDRESS_BYTES},
		     {"session", LOGIN_SESSION_MAX},
		     {"method", LOGIN_METHOD_MAX}};

	for (int over = -1; over <= 1; over++) {
		g_autofree char *json =
			g_strdup(HEAD "\"host\":\"h\",\"service\":\"imap\",\"user\":\"b\","
				      "\"client\":\"::1\",\"time_us\":1}}}}");
		g_autofree char *fill =
			g_strnfill((gsize)(CAP_LOGIN_BYTES + over) - strlen(json), ' ');
		g_autofree char *full = g_strconcat(json, fill, NULL);
		g_autoptr(login_t) whole = decode(full, NULL);

		cr_expect_eq(whole != NULL, over <= 0, "%d", over);
		for (gsize i = 0; i < G_N_ELEMENTS(words); i++) {
			g_autofree char *word = g_strnfill(words[i].most + (gsize)over, 'w');
			struct login login = example();
			g_autoptr(GBytes) encoded = NULL;
			g_autoptr(login_t) back = NULL;
			char **members[] = {&login.service, &login.user, &login.session,
					    &login.method};

			*members[i] = word;
			encoded = ocsf_encode_login(&login);
			back = ocsf_decode_login(g_bytes_get_data(encoded, NULL),
						 g_bytes_get_size(encoded), NULL);
			cr_expect_eq(back != NULL, over <= 0, "%s %d", words[i].key, over);
		}
	}
}

/* The longest name, of bytes that JSON escapes, fits. */
Test(ocsf_login, the_worst_name_fits)
{
	g_autofree char *name = g_strnfill(CAP_ADDRESS_BYTES, '\x01');
	struct login login = example();
	g_autoptr(GBytes) json = NULL;

	login.user = login.log_host = name;
	json = ocsf_encode_login(&login);
	cr_assert_leq(g_bytes_get_size(json), CAP_LOGIN_BYTES);
}

Test(ocsf_login, identity_is_the_keys)
{
	struct login *login = login_new();

	login->sensor = g_strdup("mx1");
	cr_assert(ocsf_stamp_login(login, "mx1", "a", NULL));
	cr_assert_str_eq(login->tenant, "a");
	cr_assert_not(ocsf_stamp_login(login, "mx2", "a", NULL));
	cr_assert_not(ocsf_stamp_login(login, "mx1", "b", NULL));
	login_free(login);
}
