/* SPDX-License-Identifier: BSD-2-Clause */
#include "question.h"

#include <string.h>

#include "members.h"
#include "query_time.h"

/* Asks for the members of a file too, and says what of it is not asked for. */
static gboolean
add_members(const struct command *command, struct query_term *term, const char *path,
	    GError **error)
{
	g_autoptr(reader_t) reader = NULL;
	struct members_found found;

	if (strcmp(path, "-") == 0) {
		g_set_error(error, QUERY_ERROR, QUERY_ERROR_FILE,
			    "--members reads a file twice: give a path, not the standard input");
		return FALSE;
	}
	reader = command_reader(command, error);
	if (!reader || !members_add(term, path, reader, &found, error))
		return FALSE;
	if (found.incomplete)
		command_fail(command,
			     "%s: some of its members could not be read, and are not "
			     "asked for; see mailtrace inspect",
			     path);
	if (!command->quiet)
		fprintf(stderr, "%s: %u members are asked for too, %u below %d bytes are not.\n",
			path, found.members, found.small, CANDIDATE_MIN_BYTES);
	return TRUE;
}

static gboolean
add_word(const struct command *command, struct query *query, const struct question *question,
	 const char *word, gboolean is_file, GError **error)
{
	struct query_term *term;

	if (!query_add(query, word, is_file, error))
		return FALSE;
	term = g_ptr_array_index(query->terms, query->terms->len - 1);
	if (!question->members || term->kind != TERM_DIGEST || !term->has_content)
		return TRUE;
	return add_members(command, term, word, error);
}

static gboolean
add_terms(const struct command *command, struct query *query, const struct question *question,
	  char **words, GError **error)
{
	for (; *words; words++)
		if (!add_word(command, query, question, *words, FALSE, error))
			return FALSE;
	for (char **file = question->files; file && *file; file++)
		if (!add_word(command, query, question, *file, TRUE, error))
			return FALSE;
	return !question->hashes || query_add_hashes(query, question->hashes, error);
}

gboolean
question_fill(const struct question *question, const struct command *command, char **words,
	      struct query *query, GError **error)
{
	gint64 now_us = g_get_real_time();

	if (question->since && !query_parse_time(question->since, now_us, &query->since_us, error))
		return FALSE;
	if (question->until && !query_parse_time(question->until, now_us, &query->until_us, error))
		return FALSE;
	if (query->since_us && query->until_us && query->since_us >= query->until_us) {
		g_set_error(error, QUERY_ERROR, QUERY_ERROR_TIME,
			    "--since is not before --until: no message can lie between them");
		return FALSE;
	}
	if (!add_terms(command, query, question, words, error))
		return FALSE;
	if (query->terms->len || question->since)
		return TRUE;
	g_set_error(error, QUERY_ERROR, QUERY_ERROR_TERM,
		    "what file or message?  Give a path, a hash, or a term like subject:TEXT; see "
		    "mailtrace %s --help",
		    command->verb);
	return FALSE;
}

/* Terms that the envelope alone answers hold of a message whose files nobody could read, too. */
gboolean
question_needs_files(const struct query *query)
{
	for (guint i = 0; i < query->terms->len; i++) {
		const struct query_term *term = g_ptr_array_index(query->terms, i);

		switch (term->kind) {
		case TERM_TO:
		case TERM_QUEUE:
		case TERM_EVENT:
		case TERM_IP:
		case TERM_SASL:
		case TERM_SENSOR:
		case TERM_DIRECTION:
		case TERM_STATE:
			break;
		default:
			return TRUE;
		}
	}
	return FALSE;
}

void
question_clear(struct question *question)
{
	g_strfreev(question->files);
	g_free(question->hashes);
	g_free(question->since);
	g_free(question->until);
}
