/* SPDX-License-Identifier: BSD-2-Clause */
/* Plan files: written whole or not at all, read up to a cap. */
#include "descriptor.h"
#include "plan.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "caps.h"

static gboolean
set_failure(const char *path, const char *what, GError **error)
{
	g_set_error(error, PLAN_ERROR, errno == EEXIST ? PLAN_ERROR_EXISTS : PLAN_ERROR_READ,
		    "%s: %s: %s", path, what, g_strerror(errno));
	return FALSE;
}

/* A link, and no rename, makes the name: it never replaces a file that is there. */
static gboolean
write_file(const char *path, const char *text, gsize length, GError **error)
{
	g_autofree char *part = g_strconcat(path, ".part-XXXXXX", NULL);
	int fd = g_mkstemp_full(part, O_WRONLY | O_CLOEXEC, 0600);
	gboolean done;

	if (fd < 0)
		return set_failure(path, "cannot be written", error);
	done = descriptor_write(fd, text, length) && fsync(fd) == 0;
	done = close(fd) == 0 && done;
	done = done && link(part, path) == 0;
	if (!done)
		set_failure(path, "cannot be written", error);
	g_unlink(part);
	return done;
}

gboolean
plan_write(struct plan *plan, const char *path, GError **error)
{
	g_autoptr(json_t) json = plan_encode(plan, error);
	g_autofree char *framed = NULL;
	char *text;

	if (!json)
		return FALSE;
	text = json_dumps(json, JSON_INDENT(1));
	framed = g_strconcat(text, "\n", NULL);
	free(text);
	if (strcmp(path, "-") != 0)
		return write_file(path, framed, strlen(framed), error);
	if (fputs(framed, stdout) >= 0 && fflush(stdout) == 0)
		return TRUE;
	return set_failure("the standard output", "cannot be written", error);
}

static GString *
read_path(const char *path, GError **error)
{
	gboolean is_stdin = strcmp(path, "-") == 0;
	int fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	GString *text = fd < 0 ? NULL : descriptor_read(fd, CAP_PLAN_FILE_BYTES);

	if (!text)
		set_failure(path, "cannot be read", error);
	if (fd >= 0 && !is_stdin)
		close(fd);
	return text;
}

struct plan *
plan_read(const char *path, json_t **ret_json, GError **error)
{
	g_autoptr(GString) text = read_path(path, error);
	g_autoptr(json_t) json = NULL;
	struct plan *plan;

	if (!text)
		return NULL;
	if (text->len > CAP_PLAN_FILE_BYTES) {
		g_set_error(error, PLAN_ERROR, PLAN_ERROR_FORM, "%s: longer than a plan can be",
			    path);
		return NULL;
	}
	json = json_parse_object(text->str, text->len);
	if (!json) {
		g_set_error(error, PLAN_ERROR, PLAN_ERROR_FORM, "%s: not JSON, so no plan", path);
		return NULL;
	}
	plan = plan_decode(json, error);
	if (!plan)
		g_prefix_error(error, "%s: ", path);
	else if (ret_json)
		*ret_json = g_steal_pointer(&json);
	return plan;
}
