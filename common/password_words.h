/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * password_words.h - the words of a text that may be a password, by how likely they are.
 *
 * Reads the lines as people write them: a word behind a label, before one, in the line after,
 * or alone.  In what order the words are tried is passwords.c's, which alone includes
 * this.  One thread.
 */
#ifndef MAILTRACE_PASSWORD_WORDS_H
#define MAILTRACE_PASSWORD_WORDS_H

#include <glib.h>

/* How likely a word is, the likeliest first. */
enum password_rank {
	PASSWORD_SURE,	  /* right behind a label and a colon or the like */
	PASSWORD_FORM,	  /* the same with the marks that were left out behind it */
	PASSWORD_LIKELY,  /* elsewhere behind a label */
	PASSWORD_MADE_UP, /* alone on a line, and no word of a language */
	PASSWORD_GUESS,	  /* before a label */
	PASSWORD_ALONE,	  /* alone on a line; from here on behind the site's list */
	PASSWORD_QUOTED,
	PASSWORD_RANKS
};

struct password_words {
	GPtrArray *of_rank[PASSWORD_RANKS]; /* of char *, in order of appearance */
	gboolean left;			    /* there were more than CAP_PASSWORDS of one */
	guint labels_left;
	guint awaited;	  /* lines in which the word of a label before may stand */
	gboolean at_once; /* the next of them must have it */
};

/* Wipes and frees a word, a GDestroyNotify. */
void password_wipe(gpointer word);

/* Makes a collection without words. */
void password_words_init(struct password_words *words);

/*
 * Adds the words of a text.  html: it is read as it is shown.  name: it is one of a file, in
 * which labels alone speak for a word.  text: UTF-8, NUL-terminated.
 */
void password_words_read(struct password_words *words, const char *text, gboolean html,
			 gboolean name);

/* Wipes the words. */
void password_words_clear(struct password_words *words);
#endif
