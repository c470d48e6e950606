/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * actuator-mailstore - takes messages out of the mailboxes of a Dovecot, and puts
 * them back.  mailtrace-mailstore(8).
 */
#include "config.h"

#include <locale.h>

#include "actuator.h"
#include "http.h"
#include "libexec.h"
#include "mailstore.h"
#include "reader.h"

/* What lives as long as the program. */
struct program {
	struct reader *reader;
	struct mailstore *mailstore;
};

static void
close_program(void *data)
{
	struct program *program = data;

	mailstore_free(program->mailstore);
	reader_close(program->reader);
	g_free(program);
}

static struct reader *
open_reader(const struct settings *settings, GError **error)
{
	g_autofree char *scanner = libexec_path("scanner");

	return reader_open(scanner, settings, error);
}

static void *
open_program(const struct settings *settings, GError **error)
{
	struct program *program = g_new0(struct program, 1);

	if (!http_init())
		g_set_error_literal(error, MAILSTORE_ERROR, MAILSTORE_ERROR_CONFIG,
				    "libcurl cannot be used");
	else
		program->reader = open_reader(settings, error);
	if (program->reader)
		program->mailstore = mailstore_new(settings, program->reader, error);
	if (program->mailstore)
		return program;
	close_program(program);
	return NULL;
}

static struct openc2_response *
carry_out(void *data, const struct actuator_options *options, const struct openc2_command *command)
{
	struct program *program = data;

	return mailstore_carry_out(program->mailstore, options, command);
}

int
main(int argc, char **argv)
{
	static const struct actuator_kind kind = {
		.name = "actuator-mailstore",
		.summary = "Takes messages out of the mailboxes of a Dovecot, and puts them back; "
			   "see mailtrace-mailstore(8).",
		.roles = ACTUATOR_ROLE(OPENC2_MAILSTORE),
		.most_silent = 16,
		.open = open_program,
		.carry_out = carry_out,
		.close = close_program,
	};

	setlocale(LC_ALL, "");
	return actuator_main(&kind, argc, argv);
}
