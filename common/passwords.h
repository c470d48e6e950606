/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * passwords.h - words of a message that may be the password of its archives.
 *
 * People write "Password: x7kQ", "Das Passwort lautet x7kQ" or 「パスワードはx7kQです」,
 * or the word alone on a line.  Collects such words from texts, best first, and no more of them
 * than CAP_PASSWORDS: to try many is guessing, and costs time.  A password never leaves the worker:
 * records say that an archive was opened, not by which word. The site's list, where there is one,
 * stands behind them, and behind that words that nothing but their place speaks for.  One thread.
 */
#ifndef MAILTRACE_PASSWORDS_H
#define MAILTRACE_PASSWORDS_H

#include <glib.h>

struct passwords;

/*
 * Has the words of a list tried after those of each message that stand by a label or
 * look made up, which may leave no room for them.  list: NULL-terminated, borrowed for good; NULL
 * for none.  To be called before the first message is read.
 */
void passwords_use_list(const char *const *list);

/* Returns an empty collection.  Free with passwords_free(). */
struct passwords *passwords_new(void);

/*
 * Adds the words of a text: length bytes of UTF-8.  html: it is read as it is
 * shown.  Only the first CAP_PASSWORD_TEXT_BYTES are looked at.
 */
void passwords_add_text(struct passwords *passwords, const char *text, gsize length, gboolean html);

/*
 * Adds the words of an archive's name that stand by a label, as in "offer_pass-1234.zip".
 * name: NUL-terminated, of at most CAP_NAME_BYTES.
 */
void passwords_add_name(struct passwords *passwords, const char *name);

/* Returns how many words there are to try, the list's among them, at most CAP_PASSWORDS. */
guint passwords_count(struct passwords *passwords);

/* Returns whether there are more words than CAP_PASSWORDS, which are not to be tried. */
gboolean passwords_words_left(struct passwords *passwords);

/* Returns whether there was more text than CAP_PASSWORD_TEXT_BYTES. */
gboolean passwords_text_left(const struct passwords *passwords);

/*
 * Returns the n-th best word, NUL-terminated: UTF-8, or one with other letters than
 * ASCII in a set of archives besides.  Borrowed until text is added.
 */
const char *passwords_nth(struct passwords *passwords, guint n);

/* Wipes and frees.  NULL is allowed. */
void passwords_free(struct passwords *passwords);

typedef struct passwords passwords_t;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(passwords_t, passwords_free)
#endif
