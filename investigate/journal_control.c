/* SPDX-License-Identifier: BSD-2-Clause */
#include "journal_control.h"

#include <string.h>

#include "caps.h"
#include "digest.h"

#define LINES_BYTES (CONTROL_ANSWER_BYTES - 4096) /* of an answer, beside what frames them */

/* ---- the collector's side ---- */

gboolean
journal_control_head(struct store *store, json_t *answer, GError **error)
{
	g_autofree char *anchor = NULL, *hash = NULL;
	struct journal_head head;

	if (!store_journal_head(store, &head, error) ||
	    !store_journal_anchor(store, &anchor, error))
		return FALSE;
	hash = hex_encode(head.hash, sizeof(head.hash));
	json_put_text(answer, "chain", head.chain);
	json_put_int(answer, "seq", head.seq);
	json_put_text(answer, "hash", hash);
	json_put_text(answer, "anchor", anchor);
	return TRUE;
}

struct filling {
	json_t *lines;
	gsize bytes;
};

static json_t *
line_value(const struct journal_line *line)
{
	g_autofree char *hash = hex_encode(line->hash, JOURNAL_HASH_BYTES);
	json_t *value = json_object();
	json_t *text = NULL;

	json_put_int(value, "seq", line->seq);
	json_put_int(value, "time_us", line->time_us);
	json_put_text(value, "tenant", line->tenant);
	json_put_text(value, "hash", hash);
	/* What is longer, or no text, was not written by us: it is no entry in any case. */
	if (line->length <= CAP_JOURNAL_ENTRY_BYTES)
		text = json_stringn(line->text, line->length);
	json_object_set_new(value, "text", text ? text : json_string(""));
	return value;
}

static gboolean
fill_line(const struct journal_line *line, void *data)
{
	struct filling *filling = data;
	json_t *value = line_value(line);
	char *text = json_line(value);
	gsize bytes = strlen(text) + 1;

	free(text);
	if (filling->bytes + bytes > LINES_BYTES) {
		json_decref(value);
		return FALSE;
	}
	filling->bytes += bytes;
	json_array_append_new(filling->lines, value);
	return TRUE;
}

gboolean
journal_control_read(struct store *store, const json_t *request, json_t *answer, GError **error)
{
	const struct journal_span span = {
		.after = json_get_int(request, "after", 0),
		.before = json_get_int(request, "before", 0),
		.since_us = json_get_int(request, "since_us", 0),
		.until_us = json_get_int(request, "until_us", 0),
		.tenant = json_get_text(request, "tenant"),
		.newest_first = json_is_true(json_object_get(request, "newest_first")),
	};
	struct filling filling = {.lines = json_array()};

	json_object_set_new(answer, "lines", filling.lines);
	return store_journal_each(store, &span, fill_line, &filling, error);
}

/* ---- the command line's side ---- */

static gboolean
set_strange(GError **error)
{
	g_set_error(error, CONTROL_ERROR, CONTROL_ERROR_LOST,
		    "the collector's answer is not understood: is it of another version?");
	return FALSE;
}

static gboolean
read_hash(const json_t *value, guint8 ret_hash[JOURNAL_HASH_BYTES])
{
	const char *hex = json_get_text(value, "hash");

	return hex && hex_decode(hex, ret_hash, JOURNAL_HASH_BYTES);
}

gboolean
journal_control_ask_head(struct control *control, struct journal_head *ret_head, char **ret_anchor,
			 GError **error)
{
	g_autoptr(json_t) request = json_pack("{s:s}", "op", "journal-head");
	g_autoptr(json_t) answer = control_call(control, request, error);
	struct journal_head head = {0};
	const char *chain;

	if (!answer)
		return FALSE;
	chain = json_get_text(answer, "chain");
	head.seq = json_get_int(answer, "seq", -1);
	if (!chain || head.seq < 0 || !read_hash(answer, head.hash))
		return set_strange(error);
	g_strlcpy(head.chain, chain, sizeof(head.chain));
	*ret_head = head;
	*ret_anchor = g_strdup(json_get_text(answer, "anchor"));
	return TRUE;
}

static json_t *
read_request(const struct journal_span *span)
{
	json_t *request = json_pack("{s:s}", "op", "journal-read");

	json_put_int(request, "after", span->after);
	json_put_int(request, "before", span->before);
	json_put_int(request, "since_us", span->since_us);
	json_put_int(request, "until_us", span->until_us);
	json_put_text(request, "tenant", span->tenant);
	json_object_set_new(request, "newest_first", json_boolean(span->newest_first));
	return request;
}

/* Hands lines on, and moves the span behind them.  *ret_more: whether to ask for more. */
static gboolean
hand_on(const json_t *lines, struct journal_span *span, journal_line_fn line, void *data,
	gboolean *ret_more, GError **error)
{
	const json_t *value;
	gsize i;

	*ret_more = json_array_size(lines) > 0;
	json_array_foreach (lines, i, value) {
		guint8 hash[JOURNAL_HASH_BYTES];
		struct journal_line one = {
			.seq = json_get_int(value, "seq", 0),
			.time_us = json_get_int(value, "time_us", 0),
			.tenant = json_get_text(value, "tenant"),
			.hash = hash,
			.text = json_get_text(value, "text"),
		};

		if (one.seq <= span->after || (span->before && one.seq >= span->before) ||
		    !one.text || !read_hash(value, hash))
			return set_strange(error);
		one.length = strlen(one.text);
		*(span->newest_first ? &span->before : &span->after) = one.seq;
		if (!line(&one, data)) {
			*ret_more = FALSE;
			return TRUE;
		}
	}
	return TRUE;
}

gboolean
journal_control_each(struct control *control, const struct journal_span *span, journal_line_fn line,
		     void *data, GError **error)
{
	struct journal_span rest = *span;
	gboolean more = TRUE;

	while (more) {
		g_autoptr(json_t) request = read_request(&rest);
		g_autoptr(json_t) answer = control_call(control, request, error);

		if (!answer ||
		    !hand_on(json_object_get(answer, "lines"), &rest, line, data, &more, error))
			return FALSE;
	}
	return TRUE;
}
