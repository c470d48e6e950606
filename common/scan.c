/* SPDX-License-Identifier: BSD-2-Clause */
#include "scan.h"

#include <clamav.h>
#include <string.h>

#include "caps.h"
#include "magic.h"

#define LIMITS_PREFIX "Heuristics.Limits.Exceeded"
/* The engine names an OLE stream by an MD5, "_" and a number, a temporary file by 32 digits too. */
#define MADE_NAME_HEX 32
#define MADE_FILE_PREFIX "clamav-"
#define MADE_FILE_SUFFIX ".tmp"

G_DEFINE_QUARK(mailtrace_scan_error, scan_error)

/* Written before workers are forked, and once by each of them; libclamav is no less global. */
static struct cl_engine *engine;
static gboolean has_signatures;
static gboolean has_folder;
static char *description;

/* The layer of a level that was shown last. */
struct shown {
	gboolean is;
	gboolean ole;
	guint name; /* a hash of the engine's; 0: none */
};

/* One scan. */
struct scan {
	scan_layer_fn layer;
	scan_match_fn match;
	void *data;
	gboolean stopped;
	gboolean limited;
	guint mail_level; /* of a mail that we are in, 0: none */
	struct shown shown[CAP_SCAN_LEVELS + 1];
};

/* ---- the engine ---- */

#ifdef MAILTRACE_SANITIZED
const char *__lsan_default_suppressions(void);

/* For LeakSanitizer: some 700 bytes that libclamav takes once and does not give back. */
__attribute__((visibility("default"))) const char *
__lsan_default_suppressions(void)
{
	return "leak:libclamav";
}

const char *__lsan_default_options(void);

/* Which it would else tell on stderr at each end. */
__attribute__((visibility("default"))) const char *
__lsan_default_options(void)
{
	return "print_suppressions=0";
}
#endif

static gboolean
set_error(GError **error, int code, const char *what, cl_error_t why)
{
	g_set_error(error, SCAN_ERROR, code, "%s: %s", what, cl_strerror(why));
	return FALSE;
}

/* Returns TRUE for a name that the engine made. */
static gboolean
is_made_up(const char *name)
{
	gboolean file = g_str_has_prefix(name, MADE_FILE_PREFIX);
	const char *digits = file ? name + strlen(MADE_FILE_PREFIX) : name;
	gsize hex = strspn(digits, "0123456789abcdef");

	if (hex != MADE_NAME_HEX)
		return FALSE;
	return file ? g_str_equal(digits + hex, MADE_FILE_SUFFIX) : digits[hex] == '_';
}

static gboolean
is_file(const struct scan_layer *layer)
{
	const char *type;

	if (layer->name)
		return TRUE;
	type = magic_type(layer->bytes, layer->length);
	return type && !g_str_has_prefix(type, "text/");
}

static gboolean
is_text(const struct scan_layer *layer)
{
	const char *type = layer->bytes ? magic_type(layer->bytes, layer->length) : NULL;

	return !type || g_str_has_prefix(type, "text/");
}

/* Texts are read as mail too, behind any beginning, and without a word. */
static gboolean
is_read_as_mail(const char *type)
{
	static const char *const types[] = {"CL_TYPE_MAIL", "CL_TYPE_MHTML", "CL_TYPE_HTML", NULL};

	return type && (g_strv_contains(types, type) || g_str_has_prefix(type, "CL_TYPE_TEXT_"));
}

/*
 * Notes where a mail begins and ends.  The engine writes a mail's texts anew, in
 * other line ends and characters: they are nobody's files.
 */
static gboolean
is_in_mail(struct scan *scan, guint level, const char *type)
{
	if (scan->mail_level && level < scan->mail_level)
		scan->mail_level = 0;
	if (!scan->mail_level && is_read_as_mail(type))
		scan->mail_level = level + 1;
	return scan->mail_level && level >= scan->mail_level;
}

static guint
name_hash(const char *name)
{
	return name ? g_str_hash(name) : 0;
}

static void
note_shown(struct scan *scan, guint level, const char *type, const char *name)
{
	if (level > CAP_SCAN_LEVELS)
		return;
	for (guint below = level + 1; below <= CAP_SCAN_LEVELS; below++)
		scan->shown[below].is = FALSE;
	scan->shown[level] = (struct shown){
		.is = TRUE,
		.ole = g_strcmp0(type, "CL_TYPE_MSOLE2") == 0,
		.name = name_hash(name),
	};
}

/*
 * Whether the engine cut a layer out of an OLE file's sectors as they stand, by the first
 * bytes of a zip in them.  Where sectors are out of order that is a mixture of
 * files; in order it is shown as well, in the stream that it is in.  The layer above, the
 * zip that was cut out, is then not shown itself.
 */
static gboolean
is_cut_from_ole(const struct scan *scan, guint level, const char **ancestors)
{
	const struct shown *above;

	if (level < 2 || level > CAP_SCAN_LEVELS || !ancestors)
		return FALSE;
	above = &scan->shown[level - 1];
	return scan->shown[level - 2].ole &&
	       !(above->is && above->name == name_hash(ancestors[level - 1]));
}

/* Called for each layer before it is scanned; the first is the content itself. */
static cl_error_t
on_layer(int fd, const char *type, const char **ancestors, size_t parent_size, const char *name,
	 size_t size, const char *bytes, uint32_t level, uint32_t attributes, void *context)
{
	struct scan *scan = context;
	const struct scan_layer layer = {
		.level = level,
		.name = name && *name && !is_made_up(name) ? name : NULL,
		.bytes = bytes,
		.length = size,
	};

	if (scan->stopped)
		return CL_BREAK;
	if (is_cut_from_ole(scan, level, ancestors))
		return CL_CLEAN;
	note_shown(scan, level, type, name);
	if (is_in_mail(scan, level, type) && is_text(&layer))
		return CL_CLEAN;
	if (level == 0 || !bytes || (attributes & LAYER_ATTRIBUTES_NORMALIZED) || !is_file(&layer))
		return CL_CLEAN;
	scan->stopped = !scan->layer(&layer, scan->data);
	return scan->stopped ? CL_BREAK : CL_CLEAN;
}

static void
on_match(int fd, const char *signature, void *context)
{
	struct scan *scan = context;

	if (g_str_has_prefix(signature, LIMITS_PREFIX))
		scan->limited = TRUE;
	else
		scan->match(signature, scan->data);
}

/* What the engine says goes to no log: each line is of a message, and an attacker's. */
static void
on_text(enum cl_msg severity, const char *full, const char *text, void *context)
{
}

/* Executable memory is not to be had in a sandbox: signatures in bytecode are left out. */
static cl_error_t
load(struct cl_engine *made, const char *database, unsigned *ret_count)
{
	const unsigned options = CL_DB_STDOPT & ~(unsigned)CL_DB_BYTECODE;

	*ret_count = 0;
	return database ? cl_load(database, made, ret_count, options) : CL_SUCCESS;
}

static void
configure(struct cl_engine *made)
{
	/* One that was found clean before would not be opened again, and its files not shown. */
	cl_engine_set_num(made, CL_ENGINE_DISABLE_CACHE, 1);
	cl_engine_set_clcb_file_inspection(made, on_layer);
	cl_engine_set_clcb_virus_found(made, on_match);
}

/* The database's version and time are those of its daily part; one's own files have none. */
static void
describe(void)
{
	long long version = cl_engine_get_num(engine, CL_ENGINE_DB_VERSION, NULL);
	long long seconds = cl_engine_get_num(engine, CL_ENGINE_DB_TIME, NULL);
	g_autoptr(GDateTime) time = g_date_time_new_from_unix_utc(seconds);
	g_autofree char *when = time ? g_date_time_format_iso8601(time) : NULL;

	g_free(description);
	description = seconds > 0 && when ? g_strdup_printf("ClamAV %s, database %lld of %s",
							    cl_retver(), version, when)
					  : g_strdup_printf("ClamAV %s", cl_retver());
}

gboolean
scan_preload(const char *database, GError **error)
{
	struct cl_engine *made;
	unsigned signatures;
	cl_error_t code = cl_init(CL_INIT_DEFAULT);

	if (code != CL_SUCCESS)
		return set_error(error, SCAN_ERROR_ENGINE, "libclamav", code);
	cl_set_clcb_msg(on_text);
	made = cl_engine_new();
	if (!made)
		return set_error(error, SCAN_ERROR_ENGINE, "libclamav", CL_EMEM);
	configure(made);
	code = load(made, database, &signatures);
	if (code != CL_SUCCESS) {
		cl_engine_free(made);
		return set_error(error, SCAN_ERROR_DATABASE, database, code);
	}
	code = cl_engine_compile(made);
	if (code != CL_SUCCESS) {
		cl_engine_free(made);
		return set_error(error, SCAN_ERROR_ENGINE, "libclamav", code);
	}
	engine = made;
	has_signatures = signatures > 0;
	if (has_signatures)
		describe();
	return TRUE;
}

const char *
scan_description(void)
{
	return scan_has_signatures() ? description : NULL;
}

void
scan_use_folder(const char *path)
{
	has_folder = engine && cl_engine_set_str(engine, CL_ENGINE_TMPDIR, path) == CL_SUCCESS;
}

gboolean
scan_is_ready(void)
{
	return engine && has_folder;
}

gboolean
scan_has_signatures(void)
{
	return scan_is_ready() && has_signatures;
}

gboolean
scan_opens(const char *type)
{
	static const char *const types[] = {
		"application/pdf",
		"application/x-ole-storage",
		"application/rtf",
		"application/vnd.ms-htmlhelp",
		"application/x-arj",
		"application/x-ms-szdd",
		"application/vnd.symbian.install",
		"application/vnd.microsoft.portable-executable",
		"application/onenote",
		NULL,
	};

	return scan_is_ready() && type && g_strv_contains(types, type);
}

gboolean
scan_opens_attachment(const char *type)
{
	static const char *const types[] = {"text/plain", "text/html", NULL};

	return scan_opens(type) || (scan_is_ready() && type && g_strv_contains(types, type));
}

/* ---- scanning ---- */

static void
set_limits(const struct scan_limits *limits)
{
	cl_engine_set_num(engine, CL_ENGINE_MAX_SCANSIZE, (long long)limits->bytes);
	cl_engine_set_num(engine, CL_ENGINE_MAX_FILESIZE, (long long)limits->bytes);
	cl_engine_set_num(engine, CL_ENGINE_MAX_FILES, limits->files);
	cl_engine_set_num(engine, CL_ENGINE_MAX_RECURSION, limits->levels);
	cl_engine_set_num(engine, CL_ENGINE_MAX_SCANTIME, limits->ms);
}

gboolean
scan_content(const void *bytes, gsize length, const struct scan_limits *limits, scan_layer_fn layer,
	     scan_match_fn match, void *data)
{
	struct scan scan = {.layer = layer, .match = match, .data = data};
	struct cl_scan_options options = {
		.general = CL_SCAN_GENERAL_ALLMATCHES | CL_SCAN_GENERAL_HEURISTICS,
		/* Hashes of how images look would need decoders, which start threads. */
		.parse = ~(guint)CL_SCAN_PARSE_IMAGE_FUZZY_HASH,
		/* Else what a limit leaves out is called clean. */
		.heuristic = CL_SCAN_HEURISTIC_EXCEEDS_MAX,
	};
	cl_fmap_t *map = cl_fmap_open_memory(bytes, length);
	const char *signature = NULL;
	unsigned long scanned = 0;
	cl_error_t code;

	if (!map)
		return FALSE;
	set_limits(limits);
	code = cl_scanmap_callback(map, NULL, &signature, &scanned, engine, &options, &scan);
	cl_fmap_close(map);
	return !scan.stopped && !scan.limited && (code == CL_CLEAN || code == CL_VIRUS);
}
