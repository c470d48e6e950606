/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * do_nothing - the least a libmilter filter can do: the ceiling beside which
 * mailtrace is measured.  Takes every event without a reply and accepts.
 */
#include <libmilter/mfapi.h>
#include <stdio.h>

static sfsistat
take(SMFICTX *context)
{
	return SMFIS_NOREPLY;
}

static sfsistat
take_connect(SMFICTX *context, char *name, _SOCK_ADDR *address)
{
	return SMFIS_NOREPLY;
}

static sfsistat
take_text(SMFICTX *context, char *text)
{
	return SMFIS_NOREPLY;
}

static sfsistat
take_path(SMFICTX *context, char **arguments)
{
	return SMFIS_NOREPLY;
}

static sfsistat
take_header(SMFICTX *context, char *name, char *value)
{
	return SMFIS_NOREPLY;
}

static sfsistat
take_body(SMFICTX *context, unsigned char *bytes, size_t length)
{
	return SMFIS_NOREPLY;
}

static sfsistat
end_of_message(SMFICTX *context)
{
	return SMFIS_ACCEPT;
}

static sfsistat
negotiate(SMFICTX *context, unsigned long actions, unsigned long steps, unsigned long unused2,
	  unsigned long unused3, unsigned long *ret_actions, unsigned long *ret_steps,
	  unsigned long *ret_unused2, unsigned long *ret_unused3)
{
	*ret_actions = 0;
	*ret_steps = steps & (SMFIP_NR_CONN | SMFIP_NR_HELO | SMFIP_NR_MAIL | SMFIP_NR_RCPT |
			      SMFIP_NR_DATA | SMFIP_NR_HDR | SMFIP_NR_EOH | SMFIP_NR_BODY);
	*ret_unused2 = *ret_unused3 = 0;
	return SMFIS_CONTINUE;
}

int
main(int argc, char **argv)
{
	struct smfiDesc filter = {.xxfi_name = (char *)"do-nothing",
				  .xxfi_version = SMFI_VERSION,
				  .xxfi_connect = take_connect,
				  .xxfi_helo = take_text,
				  .xxfi_envfrom = take_path,
				  .xxfi_envrcpt = take_path,
				  .xxfi_data = take,
				  .xxfi_header = take_header,
				  .xxfi_eoh = take,
				  .xxfi_body = take_body,
				  .xxfi_eom = end_of_message,
				  .xxfi_negotiate = negotiate};

	if (argc != 2) {
		fprintf(stderr, "usage: do_nothing SOCKET\n");
		return 2;
	}
	if (smfi_setconn(argv[1]) != MI_SUCCESS || smfi_register(filter) != MI_SUCCESS)
		return 1;
	return smfi_main() == MI_SUCCESS ? 0 : 1;
}
