/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What an MTA's queue shows, what the queue helper is asked and what it answers: of any
 * bytes each reader refuses them, or gives what comes back the same.
 */
#include <stdint.h>
#include <string.h>

#include "queue_id.h"
#include "queue_request.h"
#include "sendmail_qf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_request(const char *text, size_t size)
{
	g_autoptr(queue_request_t) request = queue_request_decode(text, size, NULL), back = NULL;
	g_autofree char *line = NULL;

	if (!request)
		return;
	line = queue_request_encode(request);
	back = queue_request_decode(line, strlen(line), NULL);
	if (!back || strcmp(back->sender, request->sender) != 0 ||
	    strcmp(back->queue_id, request->queue_id) != 0 || back->size != request->size)
		g_error("a request does not come back the same");
}

static void
check_answer(const char *text, size_t size)
{
	g_autoptr(queue_answer_t) answer = queue_answer_decode(text, size), back = NULL;
	g_autofree char *line = NULL;

	if (!answer)
		return;
	line = queue_answer_encode(answer);
	back = queue_answer_decode(line, strlen(line));
	if (!back || strcmp(back->text, answer->text) != 0 || back->result != answer->result)
		g_error("an answer does not come back the same");
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	g_autoptr(queue_entry_t) entry = queue_entry_parse(text, size), file = NULL;
	g_autoptr(GString) header = g_string_new(NULL);

	if (entry && !queue_id_is_valid(entry->queue_id))
		g_error("an entry has no valid id");
	file = sendmail_qf_parse(text, size, header);
	if (file && !g_utf8_validate(file->sender, -1, NULL))
		g_error("a sender is not UTF-8");
	check_request(text, size);
	check_answer(text, size);
	return 0;
}
