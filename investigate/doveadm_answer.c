/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "doveadm_answer.h"

#include <string.h>

#include "caps.h"

/* Of doveadm(1), sysexits(3)'s for the most part. */
#define EXIT_NO_USER 67
#define EXIT_NO_MAILBOX 68

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */

G_DEFINE_QUARK(mailtrace_doveadm_error, doveadm_error)

void
doveadm_mail_free(void *data)
{
	struct doveadm_mail *mail = data;

	if (!mail)
		return;
	g_free(mail->mailbox);
	g_free(mail->mailbox_guid);
	g_free(mail->uid);
	g_free(mail->guid);
	g_strfreev(mail->flags);
	g_strfreev(mail->message_ids);
	g_strfreev(mail->trace_ids);
	if (mail->text)
		g_byte_array_unref(mail->text);
	g_free(mail);
}

static gboolean
refuse_answer(GError **error, const char *why)
{
	g_set_error(error, DOVEADM_ERROR, DOVEADM_ERROR_ANSWER,
		    "this is no answer of a doveadm HTTP API: %s", why);
	return FALSE;
}

static void
tell_refusal(const char *type, GError **error)
{
	static const char *const known[] = {"unAuthorized", "unknownMethod", "invalidRequest",
					    "internalError", NULL};

	if (!type || !g_strv_contains(known, type))
		refuse_answer(error, "an error of no known type");
	else
		g_set_error(error, DOVEADM_ERROR,
			    g_str_equal(type, known[0]) ? DOVEADM_ERROR_DENIED
							: DOVEADM_ERROR_FAILED,
			    "the server refused the request: %s", type);
}

static void
tell_error(const json_t *payload, GError **error)
{
	const char *type = json_get_text(payload, "type");
	gint64 code = json_get_int(payload, "exitCode", 0);

	if (g_strcmp0(type, "exitCode") != 0)
		tell_refusal(type, error);
	else if (code == EXIT_NO_USER)
		g_set_error_literal(error, DOVEADM_ERROR, DOVEADM_ERROR_NO_USER,
				    "the server has no such user");
	else if (code == EXIT_NO_MAILBOX)
		g_set_error_literal(error, DOVEADM_ERROR, DOVEADM_ERROR_NO_MAILBOX,
				    "the user has no such mailbox");
	else
		g_set_error(error, DOVEADM_ERROR, DOVEADM_ERROR_FAILED,
			    "doveadm failed with exit code %" G_GINT64_FORMAT
			    "; the server's log says why",
			    code);
}

const json_t *
doveadm_read_rows(const char *json, gsize length, json_t **ret_root, GError **error)
{
	/* Headers and texts may hold NULs. */
	json_t *root = json_loadb(json, length, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
	const json_t *response = json_array_get(root, 0);
	const char *kind = json_string_value(json_array_get(response, 0));
	const json_t *payload = json_array_get(response, 1);

	*ret_root = root;
	if (json_array_size(root) != 1 || json_array_size(response) != 3 || !kind) {
		refuse_answer(error, root ? "not one response" : "not JSON");
		return NULL;
	}
	if (g_strcmp0(json_string_value(json_array_get(response, 2)), DOVEADM_TAG) != 0) {
		refuse_answer(error, "the response is to another request");
		return NULL;
	}
	if (g_str_equal(kind, "error")) {
		tell_error(payload, error);
		return NULL;
	}
	if (!g_str_equal(kind, "doveadmResponse") || !json_is_array(payload)) {
		refuse_answer(error, "neither rows nor an error");
		return NULL;
	}
	return payload;
}

/* A member's text; NULL if it is missing, holds a NUL or is over the cap of texts. */
static const char *
row_text(const json_t *row, const char *name)
{
	const json_t *value = json_object_get(row, name);
	gsize length = json_string_length(value);

	if (!json_is_string(value) || length > CAP_DOVEADM_FIELD_BYTES ||
	    memchr(json_string_value(value), '\0', length))
		return NULL;
	return json_string_value(value);
}

/* "\Seen \Recent Foo" */
static char **
read_flags(const char *text)
{
	g_auto(GStrv) words = g_strsplit(text, " ", CAP_COMMAND_LIST);
	g_autoptr(GStrvBuilder) flags = g_strv_builder_new();

	for (char **word = words; *word; word++)
		if (**word && !strchr(*word, ' ') && !g_str_equal(*word, "\\Recent"))
			g_strv_builder_add(flags, *word);
	return g_strv_builder_end(flags);
}

/*
 * The values of a field's occurrences, which come as lines; those that begin
 * with a blank go on with the one before, as RFC 5322 2.2.3 folds them.
 */
static char **
read_fields(const char *text)
{
	g_autoptr(GStrvBuilder) fields = g_strv_builder_new();
	g_autoptr(GString) field = g_string_new(NULL);
	g_auto(GStrv) lines = g_strsplit(text, "\n", CAP_TRACE_HEADERS);

	for (char **line = lines; *line; line++) {
		if (line != lines && **line != ' ' && **line != '\t') {
			g_strv_builder_add(fields, g_strstrip(field->str));
			g_string_truncate(field, 0);
		}
		g_string_append(field, *line);
	}
	g_strv_builder_add(fields, g_strstrip(field->str));
	return g_strv_builder_end(fields);
}

static gboolean
is_number(const char *text)
{
	return g_ascii_string_to_unsigned(text, 10, 1, G_MAXUINT32, NULL, NULL);
}

/* A header that is too long or holds a NUL is one that we did not write. */
static char **
row_fields(const json_t *row, const char *name)
{
	const char *text = row_text(row, name);

	return read_fields(text ? text : "");
}

/* The text of a message, if it was asked for.  Each byte that was replaced became three. */
static void
read_text(const json_t *row, struct doveadm_mail *mail)
{
	const json_t *value = json_object_get(row, "text");
	gsize length = json_string_length(value);

	if (!json_is_string(value))
		return;
	mail->text = g_byte_array_sized_new((guint)length);
	g_byte_array_append(mail->text, (const guint8 *)json_string_value(value), (guint)length);
	mail->exact = length == mail->size ||
		      !memmem(mail->text->data, length, REPLACEMENT, strlen(REPLACEMENT));
}

static struct doveadm_mail *
read_mail(const json_t *row)
{
	const char *mailbox = row_text(row, "mailbox"), *guid = row_text(row, "guid");
	const char *mailbox_guid = row_text(row, "mailbox-guid"), *uid = row_text(row, "uid");
	const char *flags = row_text(row, "flags"), *size = row_text(row, "size.physical");
	struct doveadm_mail *mail;
	guint64 bytes;

	if (!mailbox || !*mailbox || !mailbox_guid || !*mailbox_guid || !guid || !*guid || !uid ||
	    !is_number(uid) || !flags || !size ||
	    !g_ascii_string_to_unsigned(size, 10, 0, G_MAXINT64, &bytes, NULL))
		return NULL;
	mail = g_new0(struct doveadm_mail, 1);
	mail->mailbox = g_strdup(mailbox);
	mail->mailbox_guid = g_strdup(mailbox_guid);
	mail->uid = g_strdup(uid);
	mail->guid = g_strdup(guid);
	mail->size = bytes;
	mail->flags = read_flags(flags);
	mail->message_ids = row_fields(row, "hdr.message-id");
	mail->trace_ids = row_fields(row, "hdr.x-mailtrace-id");
	read_text(row, mail);
	return mail;
}

GPtrArray *
doveadm_read_mails(const char *json, gsize length, GError **error)
{
	g_autoptr(json_t) root = NULL;
	const json_t *rows = doveadm_read_rows(json, length, &root, error);
	g_autoptr(GPtrArray) mails = g_ptr_array_new_with_free_func(doveadm_mail_free);

	if (!rows)
		return NULL;
	if (json_array_size(rows) > CAP_COMMAND_COPIES) {
		g_set_error(error, DOVEADM_ERROR, DOVEADM_ERROR_TOO_LARGE, "over %d messages match",
			    CAP_COMMAND_COPIES);
		return NULL;
	}
	for (gsize i = 0; i < json_array_size(rows); i++) {
		struct doveadm_mail *mail = read_mail(json_array_get(rows, i));

		if (!mail) {
			refuse_answer(error, "a message lacks a field, or one is not of its form");
			return NULL;
		}
		g_ptr_array_add(mails, mail);
	}
	return g_steal_pointer(&mails);
}
