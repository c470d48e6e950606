/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * replay.c - gives each file of a corpus to a fuzz target, without libFuzzer.
 *
 * usage: fuzz_<target> [DIRECTORY]
 * Without a directory: tests/fuzz/corpus/<target> of the source tree.  Prints
 * TAP, one test a file, so that `make check` runs every input that once mattered.
 */
#include <glib.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int
compare_names(const void *one, const void *other)
{
	return strcmp(*(char *const *)one, *(char *const *)other);
}

/* Returns the names of the files in a directory, sorted, or NULL. */
static GPtrArray *
list(const char *directory)
{
	g_autoptr(GDir) dir = g_dir_open(directory, 0, NULL);
	GPtrArray *names;
	const char *name;

	if (dir == NULL)
		return NULL;
	names = g_ptr_array_new_with_free_func(g_free);
	while ((name = g_dir_read_name(dir)) != NULL)
		g_ptr_array_add(names, g_build_filename(directory, name, NULL));
	g_ptr_array_sort(names, compare_names);
	return names;
}

static gboolean
replay(const char *path)
{
	g_autofree char *bytes = NULL;
	g_autofree guint8 *exact = NULL;
	gsize length;

	if (!g_file_get_contents(path, &bytes, &length, NULL))
		return FALSE;
	/* A block of just this size: a sanitizer sees a read past the end.  Never NULL, as
	 * libFuzzer's. */
	exact = g_malloc(MAX(length, 1));
	memcpy(exact, bytes, length);
	return LLVMFuzzerTestOneInput(exact, length) == 0;
}

int
main(int argc, char **argv)
{
	const char *top = g_getenv("top_srcdir");
	g_autofree char *program = g_path_get_basename(argv[0]);
	const char *target = g_str_has_prefix(program, "fuzz_") ? program + 5 : program;
	g_autofree char *directory =
		g_build_filename(top != NULL ? top : ".", "tests", "fuzz", "corpus", target, NULL);
	g_autoptr(GPtrArray) paths = list(argc > 1 && argv[1][0] != '-' ? argv[1] : directory);
	int failed = 0;

	if (paths == NULL || paths->len == 0) {
		printf("Bail out! no corpus in %s\n", directory);
		return 1;
	}
	printf("1..%u\n", paths->len);
	for (guint i = 0; i < paths->len; i++) {
		g_autofree char *name = g_path_get_basename(g_ptr_array_index(paths, i));
		gboolean passed = replay(g_ptr_array_index(paths, i));

		printf("%s %u - %s %s\n", passed ? "ok" : "not ok", i + 1, target, name);
		fflush(stdout);
		failed += !passed;
	}
	return failed > 0;
}
