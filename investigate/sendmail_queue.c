/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sendmail's queue (8.13 and later): its control files are looked at, since mailq(1)
 * prints for people; sendmail(8) quarantines and releases.  Queue groups with
 * directories of their own are not looked for.
 */
#include "descriptor.h"
#include "queue_mta.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "caps.h"
#include "sendmail_qf.h"
#include "subprocess.h"

#define DEFAULT_CF "/etc/mail/sendmail.cf"
#define HELD_PREFIX "hf"

static gboolean
fail(GError **error, const char *what, const char *why)
{
	g_set_error(error, QUEUE_MTA_ERROR, QUEUE_MTA_ERROR_LOOK, "%s: %s", what, why);
	return FALSE;
}

/* Reads a file of bounded size.  NULL with errno, which is ENOENT if there is none. */
static GString *
read_file(const char *path)
{
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	g_autoptr(GString) text = NULL;
	struct stat status;
	ssize_t got;

	if (fd < 0)
		return NULL;
	if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode) &&
	    status.st_size <= CAP_QUEUE_LINE_BYTES) {
		text = g_string_sized_new((gsize)status.st_size + 1);
		got = read(fd, text->str, (gsize)status.st_size);
		g_string_set_size(text, (gsize)MAX(got, 0));
	} else {
		errno = EFBIG;
	}
	close(fd);
	return g_steal_pointer(&text);
}

/* ---- where a message is ---- */

/* Adds the paths of a pattern to those found. */
static void
add_paths(glob_t *found, const char *directory, const char *pattern)
{
	g_autofree char *whole = g_build_filename(directory, pattern, NULL);

	glob(whole, GLOB_NOSORT | (found->gl_pathv ? GLOB_APPEND : 0), NULL, found);
}

/*
 * Finds the control files whose id has the id within it: Sendmail takes the id that it
 * is told as a part of one, so a second file would be acted on too.  The id has
 * no character that means something in a pattern.
 */
static gboolean
find_files(const struct queue_site *site, const char *queue_id, glob_t *ret_found, GError **error)
{
	const char *cf = site->config ? site->config : DEFAULT_CF;
	g_autoptr(GString) text = read_file(cf);
	g_autofree char *directory = text ? sendmail_cf_queue(text->str) : NULL;
	g_autofree char *pattern = g_strdup_printf("[hq]f*%s*", queue_id);
	g_autofree char *split = g_build_filename("qf", pattern, NULL);

	if (!text)
		return fail(error, cf, g_strerror(errno));
	if (!directory || !g_path_is_absolute(directory))
		return fail(error, cf, "names no QueueDirectory");
	add_paths(ret_found, directory, pattern);
	add_paths(ret_found, directory, split);
	return TRUE;
}

static const char *
base_of(const char *path)
{
	return strrchr(path, '/') + 1;
}

/* Returns the control file of a message, borrowed from found; NULL if it has none. */
static const char *
control_file(const glob_t *found, const char *queue_id)
{
	const char *path = NULL;

	for (gsize i = 0; i < found->gl_pathc; i++) {
		const char *name = base_of(found->gl_pathv[i]);

		if (strcmp(name + strlen(HELD_PREFIX), queue_id) == 0 &&
		    (!path || g_str_has_prefix(name, HELD_PREFIX)))
			path = found->gl_pathv[i];
	}
	return path;
}

/* Whether another message's id has this one within it. */
static gboolean
is_part_of_another(const glob_t *found, const char *queue_id)
{
	for (gsize i = 0; i < found->gl_pathc; i++)
		if (strcmp(base_of(found->gl_pathv[i]) + strlen(HELD_PREFIX), queue_id) != 0)
			return TRUE;
	return FALSE;
}

/* Returns the path of a message's body; free with g_free(). */
static char *
body_file(const char *control)
{
	g_autofree char *directory = g_path_get_dirname(control);
	g_autofree char *base = g_path_get_basename(directory);
	g_autofree char *name = g_strconcat("df", base_of(control) + strlen(HELD_PREFIX), NULL);
	g_autofree char *above = g_path_get_dirname(directory);

	if (strcmp(base, "qf") == 0)
		return g_build_filename(above, "df", name, NULL);
	return g_build_filename(directory, name, NULL);
}

/* ---- looking ---- */

static struct queue_entry *
read_entry(const char *control, const char *queue_id, GString *header)
{
	g_autoptr(GString) text = read_file(control);
	struct queue_entry *entry = text ? sendmail_qf_parse(text->str, text->len, header) : NULL;
	g_autofree char *body = body_file(control);
	struct stat status;

	if (!entry)
		return NULL;
	if (stat(body, &status) == 0)
		entry->size += (guint64)status.st_size;
	entry->held = g_str_has_prefix(base_of(control), HELD_PREFIX);
	entry->queue_name = g_strdup(entry->held ? "quarantine" : "main");
	entry->queue_id = g_strdup(queue_id);
	return entry;
}

static gboolean
look_for(const struct queue_site *site, const char *queue_id, struct queue_entry **ret_entry,
	 GError **error)
{
	glob_t found = {.gl_pathc = 0};
	const char *control;
	struct queue_entry *entry = NULL;
	gboolean looked = find_files(site, queue_id, &found, error);

	control = looked ? control_file(&found, queue_id) : NULL;
	if (control)
		entry = read_entry(control, queue_id, NULL);
	/* It may have been renamed or delivered just now; a file that stays unread is an error. */
	if (control && !entry && access(control, F_OK) == 0)
		looked = fail(error, control, "is no control file that can be read");
	globfree(&found);
	if (looked)
		*ret_entry = entry;
	return looked;
}

static gboolean
look(const struct queue_site *site, const char *const *queue_ids, gsize count,
     struct queue_entry **ret_entries, GError **error)
{
	g_autoptr(GPtrArray) entries =
		g_ptr_array_new_with_free_func((GDestroyNotify)queue_entry_free);

	g_ptr_array_set_size(entries, (gint)count);
	for (gsize i = 0; i < count; i++)
		if (!look_for(site, queue_ids[i], (struct queue_entry **)&entries->pdata[i], error))
			return FALSE;
	for (gsize i = 0; i < count; i++)
		ret_entries[i] = g_steal_pointer(&entries->pdata[i]);
	return TRUE;
}

/* ---- acting ---- */

/* Has Sendmail do something with what has the id within its own. */
static gboolean
sendmail(const struct queue_site *site, const char *const *options, const char *queue_id,
	 gboolean leave, GError **error)
{
	g_autofree char *program = g_build_filename(site->programs, "sendmail", NULL);
	g_autofree char *config = site->config ? g_strconcat("-C", site->config, NULL) : NULL;
	g_autofree char *which = g_strconcat("-qI", queue_id, NULL);
	const char *argv[8] = {program};
	guint count = 1;

	if (config)
		argv[count++] = config;
	while (*options)
		argv[count++] = *options++;
	argv[count++] = which;
	if (leave)
		return subprocess_leave(argv, queue_mta_environment, error);
	return subprocess_run(argv, queue_mta_environment, NULL, queue_mta_deadline(), error);
}

static gboolean
check_alone(const struct queue_site *site, const char *queue_id, GError **error)
{
	glob_t found = {.gl_pathc = 0};
	gboolean alone = find_files(site, queue_id, &found, error);

	if (alone && is_part_of_another(&found, queue_id))
		alone = fail(error, queue_id,
			     "is a part of another message's id; Sendmail would act on both");
	globfree(&found);
	return alone;
}

static gboolean
act(const struct queue_site *site, enum queue_verb verb, const char *queue_id, const char *reason,
    GError **error)
{
	g_autofree char *quarantine = g_strconcat("-Q", reason, NULL);
	const char *const hold[] = {quarantine, NULL};
	const char *const release[] = {"-qQ", "-Q", NULL};
	const char *const run[] = {NULL};

	if (!check_alone(site, queue_id, error))
		return FALSE;
	if (verb == QUEUE_HOLD)
		return sendmail(site, hold, queue_id, FALSE, error);
	if (verb != QUEUE_RELEASE)
		return fail(error, queue_id, "Sendmail has no command that deletes");
	if (!sendmail(site, release, queue_id, FALSE, error))
		return FALSE;
	/* A delivery may take minutes and must not be broken off; if it cannot be begun now, the
	 * next run of the queue has it. */
	sendmail(site, run, queue_id, TRUE, NULL);
	return TRUE;
}

/* ---- copying ---- */

static gboolean
write_body(const char *control, int to)
{
	g_autofree char *path = body_file(control);
	int from = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	char bytes[65536];
	ssize_t got = -1;

	while (from >= 0 && (got = read(from, bytes, sizeof(bytes))) > 0)
		if (!descriptor_write(to, bytes, (gsize)got))
			break;
	if (from >= 0)
		close(from);
	return got == 0;
}

static gboolean
write_message(const char *control, const char *queue_id, int fd)
{
	g_autoptr(GString) header = g_string_new(NULL);
	g_autoptr(queue_entry_t) entry = read_entry(control, queue_id, header);

	g_string_append_c(header, '\n');
	return entry && descriptor_write(fd, header->str, header->len) && write_body(control, fd);
}

static gboolean
copy(const struct queue_site *site, const char *queue_id, int fd, GError **error)
{
	glob_t found = {.gl_pathc = 0};
	const char *control;
	gboolean copied = find_files(site, queue_id, &found, error);

	control = copied ? control_file(&found, queue_id) : NULL;
	if (copied && !(control && write_message(control, queue_id, fd)))
		copied = fail(error, queue_id,
			      "could not be copied; it has left the queue, perhaps");
	globfree(&found);
	return copied;
}

const struct queue_mta queue_mta_sendmail = {
	.name = "sendmail",
	.programs = "/usr/sbin",
	/* It counts from the connection, or the end of the message before. */
	.window = {.before_s = 3700, .after_s = 60},
	.look = look,
	.act = act,
	.copy = copy,
};
