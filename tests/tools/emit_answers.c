/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * emit_answers - writes answers of a worker into a folder, seeds for tests/fuzz/fuzz_answer:
 * to be run when the answer's form has changed.
 *
 * usage: emit_answers FOLDER
 */
#include <stdio.h>

#include "answer.h"
#include "../generate.h"

#define COUNT 6
#define LEAST_BYTES 300 /* of a seed: with something in it, and small */
#define MOST_BYTES 3500

static gboolean
write_answer(const char *folder, const char *name, GBytes *answer)
{
	g_autofree char *path = g_build_filename(folder, name, NULL);

	return g_file_set_contents(path, g_bytes_get_data(answer, NULL),
				   (gssize)g_bytes_get_size(answer), NULL);
}

int
main(int argc, char **argv)
{
	g_autoptr(GRand) random = g_rand_new_with_seed(20261128);
	g_autoptr(record_t) nothing = record_new();
	g_autoptr(GBytes) empty = answer_encode(nothing, 1);
	gboolean ok = argc == 2 && write_answer(argv[1], "empty", empty);

	for (guint n = 0; ok && n < COUNT;) {
		g_autoptr(record_t) record = generate_record(random);
		g_autoptr(GBytes) answer = answer_encode(record, n);
		g_autofree char *name = g_strdup_printf("record-%u", n);
		gsize size = g_bytes_get_size(answer);

		if (size < LEAST_BYTES || size > MOST_BYTES)
			continue;
		ok = write_answer(argv[1], name, answer);
		n++;
	}
	if (!ok)
		fputs("usage: emit_answers FOLDER\n", stderr);
	return ok ? 0 : 1;
}
