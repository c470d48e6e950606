/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Prints events made at random, one line of JSON each, a delivery and a login after each,
 * for checks of their form in other languages.
 * usage: emit_events COUNT SEED
 */
#include <stdio.h>
#include <stdlib.h>

#include "caps.h"
#include "../generate.h"
#include "ocsf.h"
#include "ocsf_delivery.h"
#include "ocsf_login.h"

static void
print_line(GBytes *json)
{
	fwrite(g_bytes_get_data(json, NULL), 1, g_bytes_get_size(json), stdout);
	putchar('\n');
}

int
main(int argc, char **argv)
{
	g_autoptr(GRand) rand = NULL;

	if (argc != 3) {
		fputs("usage: emit_events COUNT SEED\n", stderr);
		return 2;
	}
	rand = g_rand_new_with_seed((guint32)strtoul(argv[2], NULL, 10));
	for (long i = strtol(argv[1], NULL, 10); i > 0; i--) {
		g_autoptr(event_t) event = generate_event(rand);
		g_autoptr(delivery_t) delivery = generate_delivery(rand);
		g_autoptr(GBytes) json = ocsf_encode_event(event, CAP_EVENT_BYTES);
		g_autoptr(GBytes) trace = ocsf_encode_delivery(delivery);
		g_autoptr(login_t) login = generate_login(rand);
		g_autoptr(GBytes) logon = ocsf_encode_login(login);

		print_line(json);
		print_line(trace);
		print_line(logon);
	}
	return fflush(stdout) == 0 ? 0 : 1;
}
