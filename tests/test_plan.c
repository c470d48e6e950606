/* SPDX-License-Identifier: BSD-2-Clause */
#include <criterion/criterion.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>

#include "caps.h"
#include "plan.h"

static char *directory, *path;

static void
setup(void)
{
	directory = g_dir_make_tmp("mailtrace-plan-XXXXXX", NULL);
	path = g_build_filename(directory, "plan.json", NULL);
}

static void
teardown(void)
{
	g_unlink(path);
	cr_expect_eq(g_rmdir(directory), 0, "a file was left behind");
	g_free(path);
	g_free(directory);
}

TestSuite(plan, .init = setup, .fini = teardown);

static struct openc2_command *
mailbox_command(const char *mailbox)
{
	struct openc2_command *command = openc2_command_new(OPENC2_CONTAIN, OPENC2_MAILSTORE);

	command->message = openc2_message_new();
	command->message->mailbox = g_strdup(mailbox);
	command->message->message_id = g_strdup("<a@b.example>");
	return command;
}

static struct plan *
make_plan(void)
{
	static const char *const words[] = {"name:evil.exe", "subject:請求書", NULL};
	struct plan *plan = plan_new(PLAN_CONTAIN, "default");
	struct openc2_command *command = mailbox_command("alice@example.org");
	struct plan_recipient *recipient;

	plan->query = g_strdupv((char **)words);
	plan->created_by = g_strdup("uid=0(root)");
	plan->created_us = 1000;
	plan->expires_us = 2000;
	plan->scope = PLAN_MAILBOX | PLAN_QUEUE;
	plan->reason = g_strdup("drill");
	plan->view.store = g_strdup("sqlite:/x");
	plan->view.messages = 7;
	plan->view.complete_until_us = 900;
	plan->view.reconciled = TRUE;
	g_ptr_array_add(plan->commands, command);
	recipient = plan_add_recipient(plan, "e1", "team@example.org", "delivered");
	g_ptr_array_add(recipient->commands, g_strdup(command->command_id));
	plan_add_beyond(plan, "e1", "team@example.org", "x@else.example", "is not ours");
	plan_add_beyond(plan, "e1", "bob@example.org", NULL, "left")->kind = PLAN_BEYOND_DOWNLOADED;
	return plan;
}

static struct plan *
reread(enum plan_error *ret_code, char **ret_message)
{
	GError *error = NULL;
	struct plan *plan = plan_read(path, NULL, &error);

	if (!plan) {
		cr_assert_eq(error->domain, PLAN_ERROR, "%s", error->message);
		*ret_code = (enum plan_error)error->code;
		*ret_message = g_strdup(error->message);
		g_error_free(error);
	}
	return plan;
}

static void
expect_refused(enum plan_error wanted, const char *what)
{
	g_autofree char *message = NULL;
	enum plan_error code = PLAN_ERROR_READ;
	struct plan *plan = reread(&code, &message);

	cr_assert_null(plan, "%s: it was read", what);
	cr_expect_eq(code, wanted, "%s: %s", what, message);
	cr_expect_null(strchr(message, '\n'), "%s: %s", what, message);
}

static void
write_plan(void)
{
	g_autoptr(plan_t) plan = make_plan();
	GError *error = NULL;

	cr_assert(plan_write(plan, path, &error), "%s", error ? error->message : "");
}

static void
write_text(const char *text)
{
	cr_assert(g_file_set_contents(path, text, -1, NULL));
}

Test(plan, is_read_as_it_was_written)
{
	g_autoptr(plan_t) plan = make_plan();
	g_autoptr(plan_t) again = NULL;
	const struct openc2_command *command = plan->commands->pdata[0];
	const struct openc2_command *read;
	const struct plan_recipient *recipient;
	const struct plan_beyond *beyond;
	GError *error = NULL;

	cr_assert(plan_write(plan, path, &error));
	again = plan_read(path, NULL, &error);
	cr_assert_not_null(again, "%s", error ? error->message : "");
	cr_expect_str_eq(again->plan_id, plan->plan_id);
	cr_expect_str_eq(again->digest, plan->digest);
	cr_expect_eq(again->kind, PLAN_CONTAIN);
	cr_expect_str_eq(again->query[1], "subject:請求書");
	cr_expect_eq(again->scope, PLAN_MAILBOX | PLAN_QUEUE);
	cr_expect_eq(again->expires_us, 2000);
	cr_expect_str_eq(again->reason, "drill");
	cr_expect_null(again->case_id);
	cr_expect_eq(again->view.messages, 7);
	cr_expect(again->view.reconciled);
	cr_assert_eq(again->commands->len, 1);
	read = again->commands->pdata[0];
	cr_expect_str_eq(read->command_id, command->command_id);
	cr_expect_str_eq(read->message->mailbox, "alice@example.org");
	recipient = again->recipients->pdata[0];
	cr_expect_str_eq(recipient->recipient, "team@example.org");
	cr_expect_str_eq(recipient->commands->pdata[0], command->command_id);
	beyond = again->beyond->pdata[0];
	cr_expect_str_eq(beyond->address, "x@else.example");
	cr_expect_eq(beyond->kind, PLAN_BEYOND_REACH);
	beyond = again->beyond->pdata[1];
	cr_expect_null(beyond->address);
	cr_expect_eq(beyond->kind, PLAN_BEYOND_DOWNLOADED);
}

Test(plan, a_copy_beyond_reach_has_a_word_and_is_left_unless_there_is_none_or_it_was_excluded)
{
	static const struct {
		enum plan_beyond_kind kind;
		const char *name;
		gboolean is_left;
	} rows[PLAN_BEYOND_COUNT] = {
		{PLAN_BEYOND_REACH, "out-of-reach", TRUE},
		{PLAN_BEYOND_GONE, "no-copy", FALSE},
		{PLAN_BEYOND_SCOPE, "out-of-scope", FALSE},
		{PLAN_BEYOND_DOWNLOADED, "downloaded", TRUE},
		{PLAN_BEYOND_FORWARDED, "forwarded", TRUE},
	};

	for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
		const struct plan_beyond beyond = {.kind = rows[i].kind};

		cr_expect_str_eq(plan_beyond_name(rows[i].kind), rows[i].name);
		cr_expect_eq(plan_beyond_parse(rows[i].name), rows[i].kind);
		cr_expect_eq(plan_beyond_is_left(&beyond), rows[i].is_left);
	}
	cr_expect_eq(plan_beyond_parse("of a later version"), PLAN_BEYOND_REACH);
	cr_expect_eq(plan_beyond_parse(NULL), PLAN_BEYOND_REACH, "a plan of before");
}

Test(plan, is_private_and_never_replaces_a_file)
{
	g_autoptr(plan_t) plan = make_plan();
	g_autofree char *text = NULL;
	struct stat info;
	GError *error = NULL;

	write_plan();
	cr_assert_eq(stat(path, &info), 0);
	cr_expect_eq(info.st_mode & 07777, 0600);
	cr_expect_eq(info.st_nlink, 1);
	write_text("mine");
	cr_expect_not(plan_write(plan, path, &error));
	cr_expect(g_error_matches(error, PLAN_ERROR, PLAN_ERROR_EXISTS), "%s", error->message);
	g_clear_error(&error);
	cr_assert(g_file_get_contents(path, &text, NULL, NULL));
	cr_expect_str_eq(text, "mine");
}

Test(plan, that_was_edited_anywhere_is_refused)
{
	static const char *const edits[][2] = {
		{"alice@example.org", "boss1@example.org"},
		{"\"expires_us\": 2000", "\"expires_us\": 9000"},
		{"team@example.org", "tean@example.org"},
		{"is not ours", "is now ours"},
		{"\"kind\": \"contain\"", "\"kind\": \"undo\""},
		{"\"type\"", "\"more\": 1, \"type\""},
	};

	for (gsize i = 0; i < G_N_ELEMENTS(edits); i++) {
		g_autofree char *text = NULL;
		g_autofree char *edited = NULL;
		g_auto(GStrv) parts = NULL;

		write_plan();
		cr_assert(g_file_get_contents(path, &text, NULL, NULL));
		parts = g_strsplit(text, edits[i][0], 2);
		cr_assert_not_null(parts[1], "%s is not in the plan", edits[i][0]);
		edited = g_strjoinv(edits[i][1], parts);
		write_text(edited);
		expect_refused(PLAN_ERROR_EDITED, edits[i][1]);
		g_unlink(path);
	}
}

Test(plan, may_be_laid_out_otherwise)
{
	g_autoptr(plan_t) again = NULL;
	g_autofree char *text = NULL;
	GError *error = NULL;
	json_t *json;
	char *compact;

	write_plan();
	cr_assert(g_file_get_contents(path, &text, NULL, NULL));
	json = json_parse_object(text, strlen(text));
	compact = json_line(json);
	write_text(compact);
	again = plan_read(path, NULL, &error);
	cr_expect_not_null(again, "%s", error ? error->message : "");
	json_decref(json);
	free(compact);
}

Test(plan, that_is_none_is_refused)
{
	static const char *const texts[] = {
		"", "{", "[]", "{}", "{\"digest\":1}", "null", "{\"a\":1,\"a\":1}"};

	for (gsize i = 0; i < G_N_ELEMENTS(texts); i++) {
		write_text(texts[i]);
		expect_refused(PLAN_ERROR_FORM, texts[i]);
	}
	g_unlink(path);
	expect_refused(PLAN_ERROR_READ, "no file");
}

/* Sets a member of a written plan and makes its digest fit, as an attacker can. */
static void
forge(const char *name, json_t *value)
{
	g_autoptr(plan_t) plan = make_plan();
	g_autoptr(json_t) json = plan_encode(plan, NULL);
	char *canonical, *text;
	g_autofree char *digest = NULL;

	json_object_set_new(json, name, value);
	json_object_del(json, "digest");
	canonical = json_dumps(json, JSON_COMPACT | JSON_SORT_KEYS);
	digest = g_compute_checksum_for_string(G_CHECKSUM_SHA256, canonical, -1);
	json_put_text(json, "digest", digest);
	text = json_line(json);
	write_text(text);
	free(canonical);
	free(text);
}

Test(plan, with_a_right_digest_is_hostile_all_the_same)
{
	const struct {
		const char *name;
		json_t *value;
	} forgeries[] = {
		{"type", json_string("other-plan")},
		{"version", json_integer(2)},
		{"kind", json_string("destroy")},
		{"plan_id", json_string("../../etc")},
		{"tenant", json_null()},
		{"created_by", json_integer(1)},
		{"query", json_string("x")},
		{"scope", json_pack("[s]", "everything")},
		{"view", json_array()},
		{"commands", json_object()},
		{"commands", json_pack("[{}]")},
		{"commands", json_pack("[{s:s,s:s}]", "action", "delete", "command_id", "x")},
		{"recipients", json_pack("[{s:s}]", "event_id", "x")},
		{"beyond", json_pack("[i]", 1)},
	};

	for (gsize i = 0; i < G_N_ELEMENTS(forgeries); i++) {
		g_autoptr(GError) error = NULL;
		g_autoptr(plan_t) plan = NULL;

		forge(forgeries[i].name, forgeries[i].value);
		plan = plan_read(path, NULL, &error);
		cr_expect_null(plan, "%zu: %s", i, forgeries[i].name);
	}
}

Test(plan, with_one_command_twice_is_refused)
{
	g_autoptr(plan_t) plan = make_plan();
	g_autoptr(json_t) json = plan_encode(plan, NULL);
	const json_t *command = json_array_get(json_object_get(json, "commands"), 0);
	json_t *list = json_array();

	json_array_append(list, (json_t *)command);
	json_array_append(list, (json_t *)command);
	forge("commands", list);
	expect_refused(PLAN_ERROR_FORM, "twice");
}

static struct plan *
plan_of(guint commands)
{
	struct plan *plan = make_plan();

	g_ptr_array_set_size(plan->commands, 0);
	g_ptr_array_set_size(plan->recipients, 0);
	for (guint i = 0; i < commands; i++)
		g_ptr_array_add(plan->commands, mailbox_command("a@example.org"));
	return plan;
}

Test(plan, holds_as_many_commands_as_its_cap)
{
	g_autoptr(plan_t) over = plan_of(CAP_PLAN_COMMANDS + 1);
	g_autoptr(json_t) none = NULL;
	GError *error = NULL;

	for (guint count = CAP_PLAN_COMMANDS - 1; count <= CAP_PLAN_COMMANDS; count++) {
		g_autoptr(plan_t) plan = plan_of(count);
		g_autoptr(json_t) json = plan_encode(plan, NULL);
		g_autoptr(plan_t) again = plan_decode(json, &error);

		cr_assert_not_null(again, "%s", error ? error->message : "");
		cr_expect_eq(again->commands->len, count);
	}
	none = plan_encode(over, &error);
	cr_expect_null(none);
	cr_expect(g_error_matches(error, PLAN_ERROR, PLAN_ERROR_FORM));
	g_clear_error(&error);
}

/* Returns whether a plan with so many recipients, or copies beyond reach, can be made. */
static gboolean
can_hold(guint recipients, guint beyond)
{
	g_autoptr(plan_t) plan = plan_of(1);
	g_autoptr(json_t) json = NULL;

	g_ptr_array_set_size(plan->beyond, 0);
	for (guint i = 0; i < recipients; i++)
		plan_add_recipient(plan, "e1", "a@example.org", "delivered");
	for (guint i = 0; i < beyond; i++)
		plan_add_beyond(plan, "e1", "a@example.org", "x@else.example", "is not ours");
	json = plan_encode(plan, NULL);
	return json != NULL;
}

Test(plan, holds_as_many_entries_as_its_cap)
{
	for (int over = -1; over <= 1; over++) {
		cr_expect_eq(can_hold((guint)(CAP_PLAN_ENTRIES + over), 0), over <= 0, "%d", over);
		cr_expect_eq(can_hold(0, (guint)(CAP_PLAN_ENTRIES + over)), over <= 0, "%d", over);
	}
}

#define WHY_BYTES 2000

static void
add_beyond(struct plan *plan, gsize why_bytes)
{
	g_autofree char *why = g_strnfill(why_bytes, 'w');

	plan_add_beyond(plan, "e1", "a@example.org", "x@else.example", why);
}

static gssize
bytes_of(struct plan *plan)
{
	g_autoptr(json_t) json = plan_encode(plan, NULL);

	cr_assert_not_null(json);
	return (gssize)json_dumpb(json, NULL, 0, JSON_COMPACT);
}

/* Returns a plan of so many bytes. */
static struct plan *
plan_of_bytes(gssize bytes)
{
	struct plan *plan = plan_of(1);
	gssize base = bytes_of(plan), each;

	add_beyond(plan, WHY_BYTES);
	each = bytes_of(plan) - base;
	/* The last one is longer than the others, by what is left. */
	for (gssize left = bytes - base - each; left > 0; left -= each)
		if (left >= 2 * each)
			add_beyond(plan, WHY_BYTES);
		else if (left >= each)
			add_beyond(plan, (gsize)(WHY_BYTES + left - each));
	return plan;
}

Test(plan, is_made_as_large_as_it_is_read)
{
	for (int over = -1; over <= 1; over++) {
		g_autoptr(plan_t) plan = plan_of_bytes(CAP_PLAN_BYTES + over);
		g_autoptr(plan_t) again = NULL;
		g_autoptr(json_t) json = plan_encode(plan, NULL);

		cr_assert_eq(json != NULL, over <= 0, "%d", over);
		if (!json)
			continue;
		cr_assert_eq(json_dumpb(json, NULL, 0, JSON_COMPACT),
			     (gsize)(CAP_PLAN_BYTES + over));
		again = plan_decode(json, NULL);
		cr_assert_not_null(again, "%d", over);
	}
}

Test(plan, file_is_read_to_its_cap)
{
	g_autofree char *text = NULL;

	write_plan();
	cr_assert(g_file_get_contents(path, &text, NULL, NULL));
	for (int over = -1; over <= 1; over++) {
		g_autofree char *padded = g_strnfill((gsize)(CAP_PLAN_FILE_BYTES + over), ' ');
		g_autoptr(plan_t) plan = NULL;
		GError *error = NULL;

		memcpy(padded, text, strlen(text));
		write_text(padded);
		plan = plan_read(path, NULL, &error);
		cr_expect_eq(plan != NULL, over <= 0, "%d: %s", over, error ? error->message : "");
		g_clear_error(&error);
	}
}

Test(plan, scopes_are_words)
{
	guint scope = 0;
	GError *error = NULL;

	cr_expect(plan_scope_parse("queue,device", &scope, &error));
	cr_expect_eq(scope, PLAN_QUEUE | PLAN_DEVICE);
	cr_expect_not(plan_scope_parse("queue,mails", &scope, &error));
	cr_expect_eq(scope, PLAN_QUEUE | PLAN_DEVICE, "untouched on failure");
	g_clear_error(&error);
}
