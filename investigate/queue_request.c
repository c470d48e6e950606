/* SPDX-License-Identifier: BSD-2-Clause */
#include "queue_request.h"

#include <string.h>

#include "caps.h"
#include "json.h"
#include "queue_id.h"
#include "text.h"

#define ID_BYTES 36 /* of a command's id: a UUID in text */

G_DEFINE_QUARK(mailtrace_queue_request_error, queue_request_error)

static const char *const verbs[] = {"list", "hold", "release", "delete", "copy"};
static const char *const results[] = {"done",	 "already", "gone",  "other",
				      "refused", "busy",    "failed"};
static const char *const members[] = {"verb",	"queue_id", "command_id",
				      "sender", "arrival",  "size"};

/* ---- requests ---- */

char *
queue_request_encode(const struct queue_request *request)
{
	json_t *root = json_object();

	json_put_text(root, "verb", verbs[request->verb]);
	json_put_text(root, "queue_id", request->queue_id);
	json_put_text(root, "command_id", request->command_id);
	json_put_text(root, "sender", request->sender);
	json_put_int(root, "arrival", request->arrival_s);
	json_put_int(root, "size", (gint64)request->size);
	return json_take_line(root);
}

static gboolean
refuse(GError **error, const char *why)
{
	g_set_error_literal(error, QUEUE_REQUEST_ERROR, QUEUE_REQUEST_ERROR_FORM, why);
	return FALSE;
}

static gboolean
is_command_id(const char *id)
{
	return id && *id && strlen(id) <= ID_BYTES &&
	       id[strspn(id, "0123456789abcdefABCDEF-")] == '\0';
}

/* The whole request must be understood: what this program does, it does as root. */
static gboolean
check_members(json_t *root, GError **error)
{
	const char *name;
	json_t *value;

	json_object_foreach (root, name, value)
		if (text_place(name, members, G_N_ELEMENTS(members)) < 0)
			return refuse(error, "the request has a member that is not known");
	return TRUE;
}

static gboolean
read_request(json_t *root, struct queue_request *request, GError **error)
{
	const char *queue_id = json_get_text(root, "queue_id");
	const char *command_id = json_get_text(root, "command_id");
	const char *sender = json_get_text(root, "sender");
	int verb = text_place(json_get_text(root, "verb"), verbs, G_N_ELEMENTS(verbs));
	gint64 size = json_get_int(root, "size", -1);

	request->arrival_s = json_get_int(root, "arrival", 0);
	if (verb < 0)
		return refuse(error, "the verb is not list, hold, release, delete or copy");
	if (!queue_id_is_valid(queue_id))
		return refuse(error, "the queue id is none: it is 6 to 32 letters and digits");
	if (!is_command_id(command_id))
		return refuse(error, "the command's id is none");
	if (!sender || !text_is_plain(sender, CAP_ADDRESS_BYTES))
		return refuse(error, "the sender is no address");
	if (request->arrival_s <= 0 || size < 0)
		return refuse(error, "time of arrival or size are missing");
	request->verb = (enum queue_verb)verb;
	request->queue_id = g_strdup(queue_id);
	request->command_id = g_strdup(command_id);
	request->sender = g_strdup(sender);
	request->size = (guint64)size;
	return TRUE;
}

struct queue_request *
queue_request_decode(const char *line, gsize length, GError **error)
{
	g_autoptr(json_t) root =
		length <= CAP_QUEUE_ANSWER_BYTES ? json_parse_object(line, length) : NULL;
	g_autoptr(queue_request_t) request = g_new0(struct queue_request, 1);

	if (!root) {
		refuse(error, "the request is no JSON object of the allowed size");
		return NULL;
	}
	if (!check_members(root, error) || !read_request(root, request, error))
		return NULL;
	return g_steal_pointer(&request);
}

void
queue_request_free(struct queue_request *request)
{
	if (!request)
		return;
	g_free(request->queue_id);
	g_free(request->command_id);
	g_free(request->sender);
	g_free(request);
}

/* ---- answers ---- */

struct queue_answer *
queue_answer_new(enum queue_result result, const char *text)
{
	struct queue_answer *answer = g_new0(struct queue_answer, 1);

	answer->result = result;
	answer->text = g_strdup(text);
	return answer;
}

char *
queue_answer_encode(const struct queue_answer *answer)
{
	g_autofree char *text =
		text_from_bytes(answer->text, strlen(answer->text), CAP_COMMAND_TEXT_BYTES, NULL);
	json_t *root = json_object();

	for (char *byte = text; *byte; byte++)
		if (g_ascii_iscntrl(*byte))
			*byte = ' ';
	json_put_text(root, "result", results[answer->result]);
	json_put_text(root, "text", text);
	json_put_text(root, "queue_name", answer->queue_name);
	json_object_set_new(root, "ours", json_boolean(answer->ours));
	return json_take_line(root);
}

struct queue_answer *
queue_answer_decode(const char *line, gsize length)
{
	g_autoptr(json_t) root =
		length <= CAP_QUEUE_ANSWER_BYTES ? json_parse_object(line, length) : NULL;
	int result = text_place(json_get_text(root, "result"), results, G_N_ELEMENTS(results));
	const char *text = json_get_text(root, "text");
	const char *queue_name = json_get_text(root, "queue_name");
	struct queue_answer *answer;

	if (result < 0 || !text || !text_is_plain(text, CAP_COMMAND_TEXT_BYTES) ||
	    (queue_name && !text_is_plain(queue_name, CAP_COMMAND_TEXT_BYTES)))
		return NULL;
	answer = queue_answer_new((enum queue_result)result, text);
	answer->queue_name = g_strdup(queue_name);
	answer->ours = json_is_true(json_object_get(root, "ours"));
	return answer;
}

void
queue_answer_free(struct queue_answer *answer)
{
	if (!answer)
		return;
	g_free(answer->text);
	g_free(answer->queue_name);
	g_free(answer);
}
