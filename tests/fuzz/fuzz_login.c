/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What any bytes tell of a login, as a line of each log or as an event, is refused, or
 * comes back the same when it is written and read again, within its cap.
 */
#include <stdint.h>
#include <string.h>

#include "caps.h"
#include "delivery.h"
#include "ocsf_login.h"
#include "../../milter/dovecot_log.h"
#include "../../milter/mta_login.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(const struct login *login)
{
	g_autoptr(GBytes) json = ocsf_encode_login(login), again = NULL;
	g_autoptr(GError) error = NULL;
	g_autoptr(login_t) back =
		ocsf_decode_login(g_bytes_get_data(json, NULL), g_bytes_get_size(json), &error);

	if (back == NULL)
		g_error("a login cannot be read again: %s", error->message);
	again = ocsf_encode_login(back);
	if (!g_bytes_equal(json, again))
		g_error("a login does not come back the same");
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	g_autoptr(GTimeZone) utc = g_time_zone_new_utc();
	gint64 now_us = (gint64)1795383398 * G_USEC_PER_SEC;
	const char *line = (const char *)data;
	g_autoptr(GPtrArray) logins = g_ptr_array_new_with_free_func((GDestroyNotify)login_free);
	g_autoptr(GPtrArray) deliveries =
		g_ptr_array_new_with_free_func((GDestroyNotify)delivery_free);
	g_autoptr(login_t) event = ocsf_decode_login(data, size, NULL);
	g_autoptr(login_t) postfix = postfix_login_parse(line, size, 7, now_us, utc);
	g_autoptr(login_t) sendmail = sendmail_login_parse(line, size, 7, now_us, utc);

	dovecot_log_parse(line, size, 7, now_us, utc, "mbox1", deliveries, logins);
	for (guint i = 0; i < logins->len; i++)
		check(logins->pdata[i]);
	if (postfix != NULL)
		check(postfix);
	if (sendmail != NULL)
		check(sendmail);
	/* A sensor's own claim may be longer than what a writer escapes would be. */
	if (event != NULL && strlen(event->sensor ? event->sensor : "") < LOGIN_SESSION_MAX &&
	    strlen(event->tenant ? event->tenant : "") < LOGIN_SESSION_MAX)
		check(event);
	return 0;
}
