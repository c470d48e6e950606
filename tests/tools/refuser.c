/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * refuser - a milter for the tests: another filter beside ours that says no.
 *
 * Refuses recipients whose local part is "eve", and messages with the header
 * field "X-Refuse: yes" at their end.
 */
#include <libmilter/mfapi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static sfsistat
on_rcpt(SMFICTX *context, char **arguments)
{
	return strncmp(arguments[0], "<eve@", 5) ? SMFIS_CONTINUE : SMFIS_REJECT;
}

static sfsistat
on_header(SMFICTX *context, char *name, char *value)
{
	if (!strcasecmp(name, "X-Refuse") && strstr(value, "yes"))
		smfi_setpriv(context, context);
	return SMFIS_CONTINUE;
}

static sfsistat
on_end_of_message(SMFICTX *context)
{
	sfsistat verdict = smfi_getpriv(context) ? SMFIS_REJECT : SMFIS_ACCEPT;

	smfi_setpriv(context, NULL);
	return verdict;
}

static sfsistat
on_close(SMFICTX *context)
{
	smfi_setpriv(context, NULL);
	return SMFIS_CONTINUE;
}

int
main(int argc, char **argv)
{
	struct smfiDesc filter = {.xxfi_name = (char *)"refuser",
				  .xxfi_version = SMFI_VERSION,
				  .xxfi_envrcpt = on_rcpt,
				  .xxfi_header = on_header,
				  .xxfi_eom = on_end_of_message,
				  .xxfi_abort = on_close,
				  .xxfi_close = on_close};

	if (argc != 2) {
		fprintf(stderr, "usage: refuser SOCKET\n");
		return 2;
	}
	if (smfi_setconn(argv[1]) != MI_SUCCESS || smfi_register(filter) != MI_SUCCESS)
		return 1;
	return smfi_main() == MI_SUCCESS ? 0 : 1;
}
