/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "later.h"

#include <string.h>
#include <unistd.h>

#include "block_hit.h"
#include "caps.h"
#include "kept.h"
#include "log.h"
#include "ocsf.h"

#define EXPIRY_US (60 * (guint64)G_USEC_PER_SEC) /* between looks for what is too old */
#define INNER "2."				 /* where the kept message is in what is read */

struct later {
	struct engine *engine;
	struct kept *kept;
	GAsyncQueue *jobs; /* of struct job */
	GThread *thread;
};

/* What is to be done with a message. */
struct job {
	GBytes *json;	    /* its event, or NULL when it is not to be kept */
	GBytes *bytes;	    /* of the message: all of them, or the first */
	char *subject;	    /* or NULL */
	GPtrArray *earlier; /* ids of kept events whose archives its words may open */
	gboolean stops;	    /* no message: the thread is to end */
};

static void
job_free(struct job *job)
{
	g_clear_pointer(&job->json, g_bytes_unref);
	g_clear_pointer(&job->bytes, g_bytes_unref);
	g_clear_pointer(&job->earlier, g_ptr_array_unref);
	g_free(job->subject);
	g_free(job);
}

/* ---- taking a message; the sessions' threads ---- */

/* Whether a member could not be read.  An archive has the flag for its members, and a digest. */
static gboolean
is_closed(const struct file *file)
{
	return (file->flags & FILE_ENCRYPTED) && file_is_member(file) &&
	       !digests_are_known(&file->digests);
}

/* Whether libarchive decrypts no member of an archive: neither a rar's nor a 7z's. */
static gboolean
stays_closed(const struct file *archive)
{
	return g_strcmp0(archive->detected_type, "application/vnd.rar") == 0 ||
	       g_strcmp0(archive->detected_type, "application/x-7z-compressed") == 0;
}

/*
 * Whether a member is one that a password may open, that is a zip's.  libzip does not find
 * each that libarchive decrypts, such as those of a zip with other bytes before it, so that
 * many have no method; where it knows of no way to decrypt one, there is none.  Programs
 * may have archives of each kind behind them, and are told by the method.
 */
static gboolean
is_locked(const struct record *record, const struct file *file)
{
	const char *method = file->method ? file->method : "";

	if (!is_closed(file) || file->parent < 0 ||
	    stays_closed(record->files->pdata[file->parent]))
		return FALSE;
	return !g_str_equal(method, "unknown") && !g_str_equal(method, "7z") &&
	       !g_str_has_prefix(method, "rar");
}

static gboolean
has_locked(const struct record *record)
{
	for (guint i = 0; i < record->files->len; i++)
		if (is_locked(record, record->files->pdata[i]))
			return TRUE;
	return FALSE;
}

/* Copies the first bytes of a message. */
static GBytes *
copy_bytes(struct message *message, gsize most)
{
	gsize length = (gsize)MIN(message_size(message), most), at = 0;
	g_autofree guint8 *copy = g_malloc(length + 1);
	const void *bytes;
	int fd;

	message_finish(message, &fd, &bytes);
	if (fd < 0)
		return g_bytes_new(bytes, length);
	while (at < length) {
		ssize_t n = TEMP_FAILURE_RETRY(pread(fd, copy + at, length - at, (off_t)at));

		if (n <= 0)
			return NULL;
		at += (gsize)n;
	}
	return g_bytes_new_take(g_steal_pointer(&copy), length);
}

gboolean
later_message(struct later *later, const struct event *event, struct message *message)
{
	g_autoptr(settings_t) settings = NULL;
	g_autoptr(GPtrArray) earlier = NULL;
	gboolean keeps;
	struct job *job;

	if (!later || !message_is_whole(message))
		return TRUE;
	settings = engine_settings(later->engine);
	keeps = settings->locked_hours && message_size(message) <= CAP_LOCKED_BYTES &&
		has_locked(event->record);
	earlier = kept_find(later->kept, event);
	if (!keeps && earlier->len == 0)
		return TRUE;
	if (g_async_queue_length(later->jobs) >= CAP_LATER_QUEUE) {
		log_event(LOG_LEVEL_WARNING, "later-passed-over", "event_id", event->event_id,
			  "effect", "an encrypted archive is not opened by a later mail", NULL);
		return FALSE;
	}
	job = g_new0(struct job, 1);
	job->bytes = copy_bytes(message, keeps ? CAP_LOCKED_BYTES : CAP_LATER_TEXT_BYTES);
	job->json = keeps ? ocsf_encode_event(event, CAP_EVENT_BYTES) : NULL;
	job->subject = g_strdup(event->record->subject);
	job->earlier = g_steal_pointer(&earlier);
	if (job->bytes)
		g_async_queue_push(later->jobs, job);
	else
		job_free(job);
	return TRUE;
}

/* ---- reading two messages as one ---- */

static void
append_part(GByteArray *out, const char *boundary, const void *bytes, gsize length)
{
	g_autofree char *head =
		g_strdup_printf("\r\n--%s\r\nContent-Type: message/rfc822\r\n\r\n", boundary);

	g_byte_array_append(out, (const guint8 *)head, (guint)strlen(head));
	g_byte_array_append(out, bytes, (guint)length);
}

/* The later message, whose words come first, its subject among them, and the kept one behind. */
static GByteArray *
join_messages(const struct job *job, GBytes *kept)
{
	g_autofree char *boundary = event_id_new(g_get_real_time());
	g_autofree char *subject =
		g_strdelimit(g_strdup(job->subject ? job->subject : ""), "\r\n", ' ');
	g_autofree char *head =
		g_strdup_printf("Subject: %s\r\nContent-Type: multipart/mixed; boundary=\"%s\"\r\n",
				subject, boundary);
	g_autofree char *end = g_strdup_printf("\r\n--%s--\r\n", boundary);
	GByteArray *out = g_byte_array_new();

	g_byte_array_append(out, (const guint8 *)head, (guint)strlen(head));
	append_part(out, boundary, g_bytes_get_data(job->bytes, NULL),
		    MIN(g_bytes_get_size(job->bytes), CAP_LATER_TEXT_BYTES));
	append_part(out, boundary, g_bytes_get_data(kept, NULL), g_bytes_get_size(kept));
	g_byte_array_append(out, (const guint8 *)end, (guint)strlen(end));
	return out;
}

/* Takes the files of the kept message out of what was read, as if it had been read alone. */
static GPtrArray *
inner_files(struct record *whole)
{
	GPtrArray *files = g_ptr_array_new_with_free_func((GDestroyNotify)file_free);
	g_autofree int *places = g_new(int, whole->files->len + 1);

	for (guint i = 0; i < whole->files->len; i++) {
		struct file *file = whole->files->pdata[i];
		char *path;

		places[i] = -1;
		if (!g_str_has_prefix(file->path, INNER))
			continue;
		path = g_strdup(file->path + strlen(INNER));
		g_free(file->path);
		file->path = path;
		places[i] = (int)files->len;
		file->parent = file->parent < 0 ? -1 : places[file->parent];
		if (file->parent < 0 && files->len)
			file->parent = 0;
		g_ptr_array_add(files, file);
		whole->files->pdata[i] = NULL;
	}
	return files;
}

/* ---- what opened ---- */

/* The paths of what could be read before. */
static GHashTable *
known_paths(const struct record *record)
{
	GHashTable *paths = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

	for (guint i = 0; i < record->files->len; i++) {
		const struct file *file = record->files->pdata[i];

		if (!is_closed(file))
			g_hash_table_add(paths, g_strdup(file->path));
	}
	return paths;
}

static gboolean
has_opened(const GPtrArray *files, GHashTable *known)
{
	for (guint i = 0; i < files->len; i++) {
		const struct file *file = files->pdata[i];

		if (file_is_member(file) && !is_closed(file) && file->method &&
		    g_str_has_suffix(file->method, "+opened") &&
		    !g_hash_table_contains(known, file->path))
			return TRUE;
	}
	return FALSE;
}

/* Looks up what was found now; the other files were looked up when the message came. */
static void
match_blocks(struct later *later, struct event *event, GHashTable *known)
{
	struct block_list *list = engine_block_list(later->engine);

	g_ptr_array_set_size(event->blocks, 0);
	if (list)
		block_list_match(list, g_get_real_time(), event);
	for (guint i = event->blocks->len; i-- > 0;) {
		const struct event_block *block = event->blocks->pdata[i];

		if (block->candidate || g_hash_table_contains(known, block->file))
			g_ptr_array_remove_index(event->blocks, i);
	}
	block_hit_tell(later->engine, event);
}

/* Tells what opened; FALSE if the spool does not take it. */
static gboolean
tell(struct later *later, struct event *event, GPtrArray *files, GHashTable *known)
{
	g_autoptr(GBytes) json = NULL;
	g_autoptr(GError) error = NULL;

	g_ptr_array_unref(event->record->files);
	event->record->files = g_ptr_array_ref(files);
	event->supplements = g_steal_pointer(&event->event_id);
	event->event_id = event_id_new(g_get_real_time());
	match_blocks(later, event, known);
	json = ocsf_encode_event(event, CAP_EVENT_BYTES);
	if (!spool_append(engine_spool(later->engine), json, NULL, &error)) {
		log_event(LOG_LEVEL_ERROR, "later-not-recorded", "event_id", event->supplements,
			  "error", error->message, NULL);
		return FALSE;
	}
	log_event(LOG_LEVEL_INFO, "opened-later", "queue_id", event->queue_id, "event_id",
		  event->supplements, "by", event->event_id, NULL);
	return TRUE;
}

/* ---- keeping a message, and the rest of one ---- */

static gboolean
keep(struct later *later, GBytes *json, GBytes *message)
{
	g_autoptr(settings_t) settings = engine_settings(later->engine);
	g_autoptr(GError) error = NULL;

	if (kept_add(later->kept, json, message, settings->locked_bytes, &error))
		return TRUE;
	log_event(LOG_LEVEL_WARNING, "archive-not-kept", "error", error->message, "effect",
		  "a later mail cannot open it", NULL);
	return FALSE;
}

/* Takes over what says whether a file is closed, and what may be in it. */
static void
take_over(struct file *known, const struct file *file)
{
	known->flags = file->flags;
	known->digests = file->digests;
	g_free(known->detected_type);
	known->detected_type = g_strdup(file->detected_type);
	g_free(known->method);
	known->method = g_strdup(file->method);
}

/* Adds a file of what was read to those that are known; its parent is among them. */
static gboolean
add_known(struct record *record, GHashTable *places, const GPtrArray *files,
	  const struct file *file)
{
	const struct file *above = file->parent < 0 ? NULL : files->pdata[file->parent];
	int parent = above ? GPOINTER_TO_INT(g_hash_table_lookup(places, above->path)) : 0;
	struct file *added;

	if (record->files->len >= CAP_FILES)
		return FALSE;
	added = record_add_file(record, file->path, parent);
	g_hash_table_insert(places, added->path, GUINT_TO_POINTER(record->files->len - 1));
	take_over(added, file);
	return TRUE;
}

/*
 * Adds what was read to what is known of a message.  What is closed in this reading alone
 * stays open, since an earlier mail had the word for it.  FALSE if there is too much.
 */
static gboolean
learn(struct record *record, const GPtrArray *files)
{
	g_autoptr(GHashTable) places = g_hash_table_new(g_str_hash, g_str_equal);

	for (guint i = 0; i < record->files->len; i++)
		g_hash_table_insert(places, ((struct file *)record->files->pdata[i])->path,
				    GUINT_TO_POINTER(i));
	for (guint i = 0; i < files->len; i++) {
		const struct file *file = files->pdata[i];
		gpointer place;

		if (!g_hash_table_lookup_extended(places, file->path, NULL, &place)) {
			if (!add_known(record, places, files, file))
				return FALSE;
		} else if (!is_closed(file)) {
			take_over(record->files->pdata[GPOINTER_TO_UINT(place)], file);
		}
	}
	return TRUE;
}

/* Encodes an event; NULL if not all of its files fit, so that some would be told again. */
static GBytes *
encode_whole(const struct event *event)
{
	g_autoptr(GBytes) json = ocsf_encode_event(event, CAP_EVENT_BYTES);
	g_autoptr(event_t) read = kept_event(json);

	if (!read || read->record->files->len < event->record->files->len)
		return NULL;
	return g_steal_pointer(&json);
}

/* After some of a kept message was told: keeps it for what is still locked, or lets go of it. */
static void
keep_rest(struct later *later, GBytes *kept, GBytes *message, const GPtrArray *files)
{
	g_autoptr(event_t) event = kept_event(kept);
	g_autoptr(GBytes) json = NULL;

	if (learn(event->record, files) && has_locked(event->record))
		json = encode_whole(event);
	if (!json || !keep(later, json, message))
		kept_remove(later->kept, event->event_id);
}

/* ---- the thread ---- */

/* Tries the words of a message on the archives of an earlier one. */
static void
try_earlier(struct later *later, const struct job *job, const char *event_id)
{
	g_autoptr(settings_t) settings = engine_settings(later->engine);
	g_autoptr(GBytes) json = NULL, message = NULL;
	g_autoptr(GByteArray) both = NULL;
	g_autoptr(event_t) event = NULL;
	g_autoptr(record_t) whole = NULL;
	g_autoptr(GPtrArray) files = NULL;
	g_autoptr(GHashTable) known = NULL;

	if (!kept_read(later->kept, event_id, &json, &message))
		return;
	event = kept_event(json);
	if (!event)
		return;
	both = join_messages(job, message);
	whole = scanner_client_read(engine_scanner(later->engine), -1, both->data, both->len,
				    settings->read_timeout_ms, NULL);
	if (!whole)
		return;
	files = inner_files(whole);
	known = known_paths(event->record);
	if (has_opened(files, known) && tell(later, event, files, known))
		keep_rest(later, json, message, files);
}

static void
expire(struct later *later)
{
	g_autoptr(settings_t) settings = engine_settings(later->engine);

	kept_expire(later->kept,
		    g_get_real_time() - (gint64)settings->locked_hours * 3600 * G_USEC_PER_SEC);
}

static gpointer
run(gpointer data)
{
	struct later *later = data;
	gboolean stopped = FALSE;

	while (!stopped) {
		struct job *job = g_async_queue_timeout_pop(later->jobs, EXPIRY_US);

		expire(later);
		if (!job)
			continue;
		for (guint i = 0; job->earlier && i < job->earlier->len; i++)
			try_earlier(later, job, job->earlier->pdata[i]);
		if (job->json)
			keep(later, job->json, job->bytes);
		stopped = job->stops;
		job_free(job);
	}
	return NULL;
}

/* Their records are whole but for what is in the archives. */
static void
tell_dropped(const struct kept *kept, const char *directory)
{
	g_autofree char *count = g_strdup_printf("%u", kept_dropped(kept));

	if (kept_dropped(kept) > 0)
		log_event(LOG_LEVEL_ERROR, "kept-damaged", "directory", directory, "messages",
			  count, "effect", "their archives stay closed", "remedy",
			  "check the disk; locked.key must be the one they were kept under", NULL);
}

struct later *
later_new(struct engine *engine, const char *directory, GError **error)
{
	struct kept *kept = kept_open(directory, error);
	struct later *later;

	if (!kept)
		return NULL;
	tell_dropped(kept, directory);
	later = g_new0(struct later, 1);
	later->engine = engine;
	later->kept = kept;
	later->jobs = g_async_queue_new_full((GDestroyNotify)job_free);
	return later;
}

void
later_start(struct later *later)
{
	later->thread = g_thread_new("later", run, later);
}

void
later_free(struct later *later)
{
	struct job *job;

	if (!later)
		return;
	job = g_new0(struct job, 1);
	job->stops = TRUE;
	g_async_queue_push(later->jobs, job);
	if (later->thread)
		g_thread_join(later->thread);
	g_async_queue_unref(later->jobs);
	kept_free(later->kept);
	g_free(later);
}
