/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * queue_request.h - what the queue's actuator asks of the privileged helper, and
 * its answer.
 *
 * A request is one line of JSON on the helper's standard input, an answer one on
 * its standard output; mailtrace-queue(8) has the members.  Both ends mistrust
 * each other: the helper takes known members of a strict form only, the actuator
 * caps what it is told.  Pure; any thread.
 */
#ifndef MAILTRACE_QUEUE_REQUEST_H
#define MAILTRACE_QUEUE_REQUEST_H

#include "queue_entry.h"

enum queue_verb { QUEUE_LIST, QUEUE_HOLD, QUEUE_RELEASE, QUEUE_DELETE, QUEUE_COPY };

enum queue_request_error {
	QUEUE_REQUEST_ERROR_FORM, /* no request, or a member is not known, missing or wrong */
};
/* Its message has no text of the request, which is hostile. */
#define QUEUE_REQUEST_ERROR (queue_request_error_quark())
GQuark queue_request_error_quark(void);

struct queue_request {
	enum queue_verb verb;
	char *queue_id;	  /* valid (queue_id_is_valid()) */
	char *command_id; /* hexadecimal and hyphens; by which the helper knows a hold as ours */
	char *sender;	  /* "" for <> */
	gint64 arrival_s;
	guint64 size; /* 0: not known */
};

enum queue_result {
	QUEUE_DONE,    /* and seen to be done */
	QUEUE_ALREADY, /* it was so before; ours says by whom */
	QUEUE_GONE,    /* it has left the queue */
	QUEUE_OTHER,   /* the id is another message's by now */
	QUEUE_REFUSED, /* the request is wrong or not allowed */
	QUEUE_BUSY,    /* another helper is at work; to be tried again */
	QUEUE_FAILED,  /* the MTA could or would not */
};

struct queue_answer {
	enum queue_result result;
	char *text;	  /* for people; never NULL */
	char *queue_name; /* where the message was before; NULL if nowhere */
	gboolean ours;	  /* it is on hold by this very command */
};

/* Returns a request as one line of JSON without its line break.  Free with g_free(). */
char *queue_request_encode(const struct queue_request *request);

/*
 * Reads a request, length bytes of hostile text.  Refuses members that are not
 * known or missing.  NULL with an error; else free with queue_request_free().
 */
struct queue_request *queue_request_decode(const char *line, gsize length, GError **error);

/* Frees a request.  NULL is allowed. */
void queue_request_free(struct queue_request *request);

/* Returns an answer that owns a copy of text; free with queue_answer_free(). */
struct queue_answer *queue_answer_new(enum queue_result result, const char *text);

/* Returns an answer as one line of JSON without its line break.  Free with g_free(). */
char *queue_answer_encode(const struct queue_answer *answer);

/* Reads an answer of at most CAP_QUEUE_ANSWER_BYTES.  NULL if it is none; else free with
 * queue_answer_free(). */
struct queue_answer *queue_answer_decode(const char *line, gsize length);

/* Frees an answer.  NULL is allowed. */
void queue_answer_free(struct queue_answer *answer);

typedef struct queue_request queue_request_t;
typedef struct queue_answer queue_answer_t;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(queue_request_t, queue_request_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(queue_answer_t, queue_answer_free)
#endif
