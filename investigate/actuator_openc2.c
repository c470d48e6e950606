/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * actuator-openc2 - has devices contained, and anything else that a site wishes, by an
 * OpenC2 consumer that is reached by HTTPS.  mailtrace-openc2(7).
 */
#include "config.h"

#include <locale.h>

#include "actuator.h"
#include "http.h"
#include "openc2_client.h"

static void *
open_client(const struct settings *settings, GError **error)
{
	if (http_init())
		return openc2_client_new(settings, error);
	g_set_error_literal(error, OPENC2_CLIENT_ERROR, OPENC2_CLIENT_ERROR_CONFIG,
			    "libcurl cannot be used");
	return NULL;
}

static void
close_client(void *data)
{
	openc2_client_free(data);
}

static struct openc2_response *
carry_out(void *data, G_GNUC_UNUSED const struct actuator_options *options,
	  const struct openc2_command *command)
{
	return openc2_client_carry_out(data, command);
}

int
main(int argc, char **argv)
{
	static const struct actuator_kind kind = {
		.name = "actuator-openc2",
		.summary = "Has commands carried out by an OpenC2 consumer over HTTPS; see "
			   "mailtrace-openc2(7).",
		.roles = ACTUATOR_ROLE(OPENC2_QUEUE) | ACTUATOR_ROLE(OPENC2_MAILSTORE) |
			 ACTUATOR_ROLE(OPENC2_ENDPOINT),
		.most_silent = 16,
		.open = open_client,
		.carry_out = carry_out,
		.close = close_client,
	};

	setlocale(LC_ALL, "");
	return actuator_main(&kind, argc, argv);
}
