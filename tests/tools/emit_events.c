/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Prints events made at random, one line of JSON each, for checks of their form
 * in other languages.
 * usage: emit_events COUNT SEED
 */
#include <stdio.h>
#include <stdlib.h>

#include "caps.h"
#include "../generate.h"
#include "ocsf.h"

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
		g_autoptr(GBytes) json = ocsf_encode_event(event, CAP_EVENT_BYTES);

		fwrite(g_bytes_get_data(json, NULL), 1, g_bytes_get_size(json), stdout);
		putchar('\n');
	}
	return fflush(stdout) == 0 ? 0 : 1;
}
