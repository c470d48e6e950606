/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The files of evidence: one that bears its name is whole, and none is written
 * over.
 */
#include "actuator.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <unistd.h>

#define SUFFIX ".eml"
#define PARTIAL ".partial"

struct evidence {
	char *path;    /* when it is whole */
	char *partial; /* until then */
	int fd;
};

static void
fail(GError **error, int number, const char *what, const char *path)
{
	g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(number), "%s %s: %s", what, path,
		    g_strerror(number));
}

/* An id has no dots or slashes (openc2_command_decode()), so this stays in the directory. */
static char *
path_of(const struct actuator_options *options, const struct openc2_command *command)
{
	g_autofree char *name = g_strconcat(command->command_id, SUFFIX, NULL);

	return g_build_filename(options->evidence_directory, name, NULL);
}

struct evidence *
evidence_begin(const struct actuator_options *options, const struct openc2_command *command,
	       char **ret_path, GError **error)
{
	struct evidence *evidence;

	if (!options->evidence_directory) {
		g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL,
			    "there is no directory for evidence; name one with --evidence-dir");
		return NULL;
	}
	evidence = g_new0(struct evidence, 1);
	evidence->path = path_of(options, command);
	evidence->partial = g_strconcat(evidence->path, PARTIAL, NULL);
	evidence->fd = -1;
	*ret_path = g_strdup(evidence->path);
	if (g_access(evidence->path, F_OK) == 0) {
		fail(error, EEXIST, "evidence", evidence->path);
		g_clear_pointer(&evidence->partial, g_free);
		evidence_drop(evidence);
		return NULL;
	}
	g_unlink(evidence->partial); /* of a run that was ended */
	evidence->fd =
		open(evidence->partial, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (evidence->fd >= 0)
		return evidence;
	fail(error, errno, "cannot make", evidence->partial);
	g_clear_pointer(&evidence->partial, g_free);
	evidence_drop(evidence);
	return NULL;
}

int
evidence_fd(const struct evidence *evidence)
{
	return evidence->fd;
}

gboolean
evidence_keep(struct evidence *evidence, GError **error)
{
	/* A link, since that never replaces a file of the name. */
	gboolean kept = fsync(evidence->fd) == 0 && link(evidence->partial, evidence->path) == 0;

	if (!kept)
		fail(error, errno, "cannot keep", evidence->path);
	evidence_drop(evidence);
	return kept;
}

void
evidence_drop(struct evidence *evidence)
{
	if (!evidence)
		return;
	if (evidence->fd >= 0)
		close(evidence->fd);
	if (evidence->partial)
		g_unlink(evidence->partial);
	g_free(evidence->partial);
	g_free(evidence->path);
	g_free(evidence);
}
