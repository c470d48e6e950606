/* SPDX-License-Identifier: BSD-2-Clause */
#include "approvals.h"
#include "json.h"
#include "plan.h"
#include "plan_control.h"
#include "store_blocks.h"
#include "store_fixture.h"
#include "store_journal.h"
#include "store_plans.h"
#include "undo.h"

#define APPLIER 1000
#define APPROVER 1001

/* ---- the site ---- */

static struct store_fixture fixture;
static struct block_feed *feed;
static struct settings *settings;
static struct plan_control plans;
static gint64 now_us;
static char *keys; /* directory of keys */

static void
send_nothing(void *data, GBytes *peer, const char *epoch, GBytes *chunk)
{
}

static void
use_settings(const char *text)
{
	GError *error = NULL;

	settings_unref(settings);
	settings = settings_parse("test.conf", text, strlen(text), &error);
	cr_assert_not_null(settings, "%s", error ? error->message : "");
	plans = (struct plan_control){fixture.store, feed, settings};
}

static void
setup(void)
{
	g_autofree char *text = NULL;

	now_us = AT(100);
	store_fixture_init(&fixture);
	feed = block_feed_new(fixture.store, send_nothing, NULL);
	keys = g_dir_make_tmp("mailtrace-keys-XXXXXX", NULL);
	text = g_strdup_printf("[containment]\nnever_touch = postmaster@\napproval_threshold = 3\n"
			       "approval_keys = %s/approval_keys\n",
			       keys);
	use_settings(text);
}

static void
remove_keys(void)
{
	GDir *dir = g_dir_open(keys, 0, NULL);
	const char *name;

	while ((name = g_dir_read_name(dir))) {
		g_autofree char *path = g_build_filename(keys, name, NULL);

		g_unlink(path);
	}
	g_dir_close(dir);
	cr_expect_eq(g_rmdir(keys), 0);
	g_free(keys);
}

static void
teardown(void)
{
	remove_keys();
	g_clear_pointer(&settings, settings_unref);
	block_feed_free(feed);
	store_fixture_clear(&fixture);
}

TestSuite(plan_control, .init = setup, .fini = teardown, .timeout = 120);

/* ---- plans ---- */

static struct openc2_command *
add_mailbox(struct plan *plan, const char *mailbox)
{
	struct openc2_command *command = openc2_command_new(OPENC2_CONTAIN, OPENC2_MAILSTORE);

	command->message = openc2_message_new();
	command->message->mailbox = g_strdup(mailbox);
	command->message->message_id = g_strdup("<a@b.example>");
	g_ptr_array_add(plan->commands, command);
	return command;
}

static struct openc2_command *
add_block(struct plan *plan, const char *hex)
{
	struct openc2_command *command = openc2_command_new(OPENC2_DENY, OPENC2_GATEWAY);

	command->file_hash = g_strdup(hex);
	g_ptr_array_add(plan->commands, command);
	return command;
}

static struct plan *
make_plan(enum plan_kind kind)
{
	struct plan *plan = plan_new(kind, "a");

	plan->query = g_new0(char *, 1);
	plan->created_by = g_strdup("uid=1000(a)");
	plan->created_us = AT(0);
	plan->expires_us = AT(1000);
	plan->scope = PLAN_SCOPE_DEFAULT;
	return plan;
}

/* ---- requests ---- */

typedef gboolean (*serve_fn)(const struct plan_control *plans, const struct control_caller *caller,
			     const json_t *request, json_t *answer, GError **error);

/* Serves a request, which it frees; returns the answer, or NULL with *ret_why to free. */
static json_t *
serve(serve_fn fn, guint uid, json_t *request, char **ret_why)
{
	g_autofree char *actor = g_strdup_printf("uid=%u(x)", uid);
	const struct control_caller caller = {uid, actor, now_us};
	json_t *answer = json_object();
	GError *error = NULL;

	json_put_text(request, "tenant", "a");
	json_put_text(request, "reason", "drill");
	if (!fn(&plans, &caller, request, answer, &error)) {
		cr_assert_not_null(error);
		*ret_why = g_strdup(error->message);
		g_error_free(error);
		g_clear_pointer(&answer, json_decref);
	}
	json_decref(request);
	return answer;
}

#define expect_served(answer, why) cr_assert_not_null(answer, "%s", (why) ? (why) : "")
#define expect_refused(answer, why, word)                                                 \
	do {                                                                              \
		cr_assert_null(answer, "it was not refused: %s", word);                   \
		cr_expect_not_null(strstr(why, word), "'%s' does not say %s", why, word); \
	} while (0)

static json_t *
begin(struct plan *plan, guint uid, char **ret_why)
{
	g_autoptr(json_t) json = plan_encode(plan, NULL);
	json_t *request = json_object();

	json_object_set(request, "plan", json);
	return serve(plan_control_begin, uid, request, ret_why);
}

static void
begin_well(struct plan *plan)
{
	g_autofree char *why = NULL;
	g_autoptr(json_t) answer = begin(plan, APPLIER, &why);

	expect_served(answer, why);
}

/* Says what came of a command; copies: of its response. */
static json_t *
result(const struct plan *plan, const char *command_id, enum openc2_outcome outcome, guint copies,
       char **ret_why)
{
	g_autoptr(openc2_response_t) response =
		openc2_response_new(command_id, outcome, "as the test has it");
	json_t *request = json_object(), *list = json_array();
	g_autofree char *line = NULL;

	for (guint i = 0; i < copies; i++) {
		struct openc2_copy *copy = openc2_copy_new();

		copy->guid = g_strdup("g1");
		copy->folder = g_strdup("INBOX");
		copy->quarantine = g_strdup("Quarantine");
		g_ptr_array_add(response->copies, copy);
	}
	line = openc2_response_encode(response);
	json_array_append_new(list, json_parse_object(line, strlen(line)));
	json_put_text(request, "plan_id", plan->plan_id);
	json_object_set_new(request, "responses", list);
	return serve(plan_control_result, APPLIER, request, ret_why);
}

/* Returns how many answers were recorded. */
static gint64
record(const struct plan *plan, const char *command_id, enum openc2_outcome outcome, guint copies)
{
	g_autofree char *why = NULL;
	g_autoptr(json_t) answer = result(plan, command_id, outcome, copies, &why);

	expect_served(answer, why);
	return json_get_int(answer, "recorded", -1);
}

static void
act_at_gateways(const struct plan *plan)
{
	g_autofree char *why = NULL;
	g_autoptr(json_t) answer = NULL;
	json_t *request = json_object();

	json_put_text(request, "plan_id", plan->plan_id);
	answer = serve(plan_control_gateway, APPLIER, request, &why);
	expect_served(answer, why);
}

/* Makes a key of this name and lists it, with its user or NULL; approval_keys names the list. */
static void
list_key(const char *name, const char *user)
{
	g_autofree char *list = g_build_filename(keys, "approval_keys", NULL);
	g_autofree char *before = NULL;
	g_autofree char *text = NULL;
	g_autoptr(signing_key_t) key = signing_key_generate(NULL);
	GError *error = NULL;

	expect_ok(signing_key_write(key, keys, name, &error), error);
	g_file_get_contents(list, &before, NULL, NULL);
	text = g_strdup_printf("# who approves\n%s%s %s.pub %s\n", before ? before : "", name, name,
			       user ? user : "");
	cr_assert(g_file_set_contents(list, text, -1, NULL));
}

/* Approves a digest with a key, as the command line does. */
static json_t *
approve_digest(const char *digest, const char *key_name, const char *name, guint uid,
	       char **ret_why)
{
	g_autofree char *path = g_strdup_printf("%s/%s.key", keys, key_name);
	g_autoptr(signing_key_t) key = signing_key_read(path, NULL);
	g_autofree char *hex = NULL;
	guint8 signature[SIGNATURE_BYTES];
	json_t *request = json_object();

	cr_assert_not_null(key);
	cr_assert(approvals_sign(key, "a", digest, signature, NULL));
	hex = hex_encode(signature, sizeof(signature));
	json_put_text(request, "digest", digest);
	json_put_text(request, "name", name);
	json_put_text(request, "signature", hex);
	return serve(plan_control_approve, uid, request, ret_why);
}

static void
approve(const struct plan *plan, const char *name, guint uid)
{
	g_autofree char *why = NULL;
	g_autoptr(json_t) answer = approve_digest(plan->digest, name, name, uid, &why);

	expect_served(answer, why);
}

/* ---- what is known ---- */

/* The outcome of a command: "done", "denied" or "open"; "+" behind what is settled. */
static char *
state_of(const char *command_id)
{
	struct store_command command = {0};
	gboolean found = FALSE;
	GError *error = NULL;
	char *text;

	expect_ok(store_command_find(fixture.store, "a", command_id, &command, &found, &error),
		  error);
	cr_assert(found);
	text = command.denied ? g_strdup("denied")
	       : command.outcome < 0
		       ? g_strdup("open")
		       : g_strconcat(openc2_outcome_name((enum openc2_outcome)command.outcome),
				     command.settled ? "+" : "", NULL);
	store_command_clear(&command);
	return text;
}

#define expect_state(id, wanted)                                               \
	do {                                                                   \
		g_autofree char *got_ = state_of(id);                          \
		cr_expect_str_eq(got_, wanted, "is %s, not %s", got_, wanted); \
	} while (0)

static char *
recipient_state(const char *words)
{
	g_autoptr(query_t) query = make_query("a", words);
	g_autoptr(GPtrArray) hits = ask_query(fixture.store, query);

	cr_assert_eq(hits->len, 1);
	return g_strdup(((struct store_hit *)hits->pdata[0])->state);
}

#define expect_recipient(words, wanted)                                                  \
	do {                                                                             \
		g_autofree char *got_ = recipient_state(words);                          \
		cr_expect_str_eq(got_, wanted, "%s is %s, not %s", words, got_, wanted); \
	} while (0)

/* Entries of a verb being counted. */
struct counting {
	const char *verb;
	guint count;
};

static gboolean
count_verb(const struct journal_line *line, void *data)
{
	struct counting *counting = data;
	struct journal_entry entry;

	cr_assert(journal_read(line->text, line->length, &entry));
	counting->count += strcmp(entry.verb, counting->verb) == 0;
	journal_entry_clear(&entry);
	return TRUE;
}

static guint
audited(const char *verb)
{
	const struct journal_span all = {0};
	struct counting counting = {.verb = verb};
	GError *error = NULL;

	expect_ok(store_journal_each(fixture.store, &all, count_verb, &counting, &error), error);
	return counting.count;
}

static guint32
block_in_force(const char *hex)
{
	enum block_mode mode;
	guint32 number = 0;
	GError *error = NULL;

	expect_ok(store_block_find(fixture.store, "a", hex, &number, &mode, &error), error);
	return number;
}

static void
add_foreign_block(const char *hex, enum block_mode mode)
{
	struct store_block block = {.what = (char *)hex, .mode = mode, .created_us = now_us};
	struct digest digest;
	struct block_key key;
	GError *error = NULL;
	gboolean is_new;

	cr_assert(digest_from_hex(hex, &digest));
	block_key_of_digest(&digest, &key);
	expect_ok(store_begin(fixture.store, &error), error);
	expect_ok(store_block_add(fixture.store, "a", &block, &key, 1, &is_new, &error), error);
	expect_ok(store_commit(fixture.store, &error), error);
}

/* Makes the plan that undoes all of another. */
static struct plan *
undo_of(const struct plan *plan, struct undo_left *left)
{
	struct plan *undo = make_plan(PLAN_UNDO);
	GError *error = NULL;
	gboolean known = FALSE;

	*left = (struct undo_left){0};
	expect_ok(undo_add(fixture.store, plan->plan_id, undo, left, &known, &error), error);
	cr_assert(known);
	return undo;
}

/* ---- beginning ---- */

Test(plan_control, a_plan_is_begun_once_and_goes_on)
{
	g_autoptr(plan_t) plan = make_plan(PLAN_CONTAIN);
	const char *id = add_mailbox(plan, "alice@s.example")->command_id;
	g_autofree char *why = NULL;
	g_autoptr(json_t) again = NULL;

	begin_well(plan);
	expect_state(id, "open");
	again = begin(plan, APPLIER, &why);
	expect_served(again, why);
	cr_expect(json_is_true(json_object_get(again, "known")));
	cr_expect_eq(audited("apply"), 2);
}

Test(plan_control, what_may_not_be_begun_is_refused)
{
	g_autoptr(plan_t) plan = make_plan(PLAN_CONTAIN);
	g_autoptr(plan_t) empty = make_plan(PLAN_CONTAIN);
	g_autoptr(plan_t) other = make_plan(PLAN_CONTAIN);
	g_autoptr(json_t) edited = NULL;
	g_autofree char *why = NULL;
	json_t *request = json_object();

	add_mailbox(plan, "alice@s.example");
	edited = plan_encode(plan, NULL);
	json_put_int(edited, "expires_us", AT(99999));
	json_object_set(request, "plan", edited);
	expect_refused(serve(plan_control_begin, APPLIER, request, &why), why, "changed");
	g_clear_pointer(&why, g_free);
	expect_refused(begin(empty, APPLIER, &why), why, "no commands");
	g_clear_pointer(&why, g_free);
	add_mailbox(other, "alice@s.example");
	set_text(&other->tenant, "b");
	expect_refused(begin(other, APPLIER, &why), why, "tenant");
	g_clear_pointer(&why, g_free);
	now_us = AT(1000);
	expect_refused(begin(plan, APPLIER, &why), why, "expired");
	g_clear_pointer(&why, g_free);
	expect_refused(serve(plan_control_begin, APPLIER, json_object(), &why), why, "plan");
	cr_expect_eq(audited("apply"), 0);
}

Test(plan_control, another_plan_cannot_take_the_id_of_one)
{
	g_autoptr(plan_t) plan = make_plan(PLAN_CONTAIN);
	g_autofree char *why = NULL;

	add_mailbox(plan, "alice@s.example");
	begin_well(plan);
	add_mailbox(plan, "bob@s.example");
	expect_refused(begin(plan, APPLIER, &why), why, "another plan");
}

/* A plan above the threshold, with its digest. */
static struct plan *
large_plan(void)
{
	struct plan *plan = make_plan(PLAN_CONTAIN);
	json_t *encoded;

	for (int i = 0; i < 4; i++)
		add_mailbox(plan, "alice@s.example");
	encoded = plan_encode(plan, NULL);
	json_decref(encoded);
	return plan;
}

Test(plan_control, above_the_threshold_another_person_is_needed)
{
	g_autoptr(plan_t) small = make_plan(PLAN_CONTAIN);
	g_autoptr(plan_t) plan = large_plan();
	g_autoptr(json_t) answer = NULL;
	g_autofree char *why = NULL;

	for (int i = 0; i < 3; i++)
		add_mailbox(small, "alice@s.example");
	begin_well(small);
	list_key("bob", NULL);
	expect_refused(begin(plan, APPLIER, &why), why, "approve");
	g_clear_pointer(&why, g_free);
	approve(plan, "bob", APPLIER);
	expect_refused(begin(plan, APPLIER, &why), why, "approve");
	g_clear_pointer(&why, g_free);
	answer = begin(plan, APPROVER, &why);
	expect_served(answer, why);
	cr_expect_eq(audited("approve"), 1);
}

Test(plan_control, a_key_of_the_applier_in_another_hand_does_not_count)
{
	g_autoptr(plan_t) plan = large_plan();
	g_autofree char *why = NULL;

	list_key("ours", NULL);
	approve(plan, "ours", APPROVER);
	begin_well(plan);
	g_clear_pointer(&plan, plan_free);
	plan = large_plan();
	list_key("root", "root");
	expect_refused(approve_digest(plan->digest, "root", "root", APPROVER, &why), why,
		       "is of user root");
	g_clear_pointer(&why, g_free);
	approve(plan, "root", 0);
	expect_refused(begin(plan, 0, &why), why, "approve");
	begin_well(plan);
}

Test(plan_control, an_approval_is_of_one_plan_alone)
{
	g_autoptr(plan_t) plan = large_plan();
	g_autofree char *why = NULL;

	list_key("bob", NULL);
	approve(plan, "bob", APPROVER);
	add_mailbox(plan, "boss@s.example");
	expect_refused(begin(plan, APPLIER, &why), why, "approve");
}

Test(plan_control, a_signature_of_another_key_or_plan_is_no_approval)
{
	g_autoptr(plan_t) plan = large_plan();
	g_autoptr(plan_t) other = large_plan();
	g_autofree char *why = NULL;
	json_t *request = json_object();

	list_key("bob", NULL);
	list_key("carol", NULL);
	expect_refused(approve_digest(plan->digest, "carol", "bob", APPROVER, &why), why,
		       "no signature");
	g_clear_pointer(&why, g_free);
	expect_refused(approve_digest(plan->digest, "bob", "dave", APPROVER, &why), why, "no key");
	g_clear_pointer(&why, g_free);
	json_put_text(request, "digest", plan->digest);
	json_put_text(request, "name", "bob");
	json_put_text(request, "signature", "00");
	expect_refused(serve(plan_control_approve, APPROVER, request, &why), why, "no signature");
	g_clear_pointer(&why, g_free);
	expect_refused(serve(plan_control_approve, APPROVER, json_object(), &why), why, "needs");
	g_clear_pointer(&why, g_free);
	approve(other, "bob", APPROVER);
	expect_refused(begin(plan, APPLIER, &why), why, "approve");
	cr_expect_eq(audited("approve"), 1);
}

Test(plan_control, a_key_that_is_taken_out_of_the_list_has_nothing_to_say)
{
	g_autoptr(plan_t) plan = large_plan();
	g_autofree char *list = g_build_filename(keys, "approval_keys", NULL);
	g_autofree char *why = NULL;

	list_key("bob", NULL);
	approve(plan, "bob", APPROVER);
	cr_assert(g_file_set_contents(list, "# nobody\n", -1, NULL));
	expect_refused(begin(plan, APPLIER, &why), why, "approve");
	g_clear_pointer(&why, g_free);
	cr_assert(g_file_set_contents(list, "bob\n", -1, NULL));
	expect_refused(approve_digest(plan->digest, "bob", "bob", APPROVER, &why), why,
		       "NAME FILE");
}

Test(plan_control, what_is_never_touched_is_denied_whatever_the_plan_says)
{
	g_autoptr(plan_t) plan = make_plan(PLAN_CONTAIN);
	const char *denied = add_mailbox(plan, "postmaster@s.example")->command_id;
	const char *later = add_mailbox(plan, "boss@s.example")->command_id;
	g_autofree char *why = NULL;

	begin_well(plan);
	expect_state(denied, "denied");
	expect_state(later, "open");
	expect_refused(result(plan, denied, OPENC2_DONE, 1, &why), why, "never touched");
	use_settings("[containment]\nnever_touch = boss@\n");
	begin_well(plan);
	expect_state(later, "denied");
}

Test(plan_control, a_plan_contains_or_undoes_and_nothing_else)
{
	g_autoptr(plan_t) plan = make_plan(PLAN_CONTAIN);
	g_autoptr(plan_t) undo = make_plan(PLAN_UNDO);
	g_autofree char *why = NULL;

	add_mailbox(plan, "alice@s.example")->action = OPENC2_COPY;
	expect_refused(begin(plan, APPLIER, &why), why, "kind");
	g_clear_pointer(&why, g_free);
	add_mailbox(undo, "alice@s.example")->action = OPENC2_RESTORE;
	expect_refused(begin(undo, APPLIER, &why), why, "kind");
	g_clear_pointer(&why, g_free);
	((struct openc2_command *)undo->commands->pdata[0])->undoes = g_uuid_string_random();
	expect_refused(begin(undo, APPLIER, &why), why, "not done");
}

/* ---- results ---- */

Test(plan_control, a_settled_command_keeps_its_answer)
{
	g_autoptr(plan_t) plan = make_plan(PLAN_CONTAIN);
	const char *id = add_mailbox(plan, "alice@s.example")->command_id;

	begin_well(plan);
	cr_expect_eq(record(plan, id, OPENC2_UNREACHABLE, 0), 1);
	expect_state(id, "unreachable");
	cr_expect_eq(record(plan, id, OPENC2_DONE, 1), 1);
	expect_state(id, "done+");
	cr_expect_eq(record(plan, id, OPENC2_FAILED, 0), 0);
	expect_state(id, "done+");
	cr_expect_eq(audited("result"), 2);
}

Test(plan_control, the_store_itself_changes_no_settled_answer)
{
	g_autoptr(plan_t) plan = make_plan(PLAN_CONTAIN);
	const char *id = add_mailbox(plan, "alice@s.example")->command_id;
	struct store_command command = {0};
	gboolean found = FALSE;
	GError *error = NULL;

	begin_well(plan);
	record(plan, id, OPENC2_DONE, 1);
	expect_ok(store_command_find(fixture.store, "a", id, &command, &found, &error), error);
	command.outcome = OPENC2_FAILED;
	command.settled = FALSE;
	expect_ok(store_command_answer(fixture.store, "a", &command, &error), error);
	expect_state(id, "done+");
	store_command_clear(&command);
}

Test(plan_control, answers_that_are_none_change_nothing)
{
	g_autoptr(plan_t) plan = make_plan(PLAN_CONTAIN);
	g_autoptr(plan_t) other = make_plan(PLAN_CONTAIN);
	const char *id = add_mailbox(plan, "alice@s.example")->command_id;
	g_autofree char *why = NULL;
	json_t *request = json_object();

	add_mailbox(other, "alice@s.example");
	begin_well(plan);
	begin_well(other);
	expect_refused(result(other, id, OPENC2_DONE, 0, &why), why, "not of this plan");
	g_clear_pointer(&why, g_free);
	expect_refused(result(plan, other->plan_id, OPENC2_DONE, 0, &why), why, "no command");
	g_clear_pointer(&why, g_free);
	json_put_text(request, "plan_id", plan->plan_id);
	json_object_set_new(request, "responses", json_pack("[{s:i}]", "status", 200));
	cr_expect_null(serve(plan_control_result, APPLIER, request, &why));
	expect_state(id, "open");
	cr_expect_eq(audited("result"), 0);
}

/* ---- the states of recipients ---- */

static void
link_recipient(struct plan *plan, const char *event_id, const char *recipient, guint commands)
{
	struct plan_recipient *entry = plan_add_recipient(plan, event_id, recipient, "delivered");

	for (guint i = 0; i < commands; i++) {
		const struct openc2_command *command = plan->commands->pdata[i];

		g_ptr_array_add(entry->commands, g_strdup(command->command_id));
	}
}

Test(plan_control, a_recipient_is_retracted_when_all_copies_are_and_restored_after_undo)
{
	g_autofree char *event_id = store_mail(fixture.store, 1, "<team@s.example>", "e", "evil");
	g_autoptr(plan_t) plan = make_plan(PLAN_CONTAIN);
	g_autoptr(plan_t) undo = NULL;
	const char *first = add_mailbox(plan, "alice@s.example")->command_id;
	const char *second = add_mailbox(plan, "bob@s.example")->command_id;
	struct undo_left left;

	link_recipient(plan, event_id, "Team@s.example", 2);
	begin_well(plan);
	record(plan, first, OPENC2_DONE, 1);
	expect_recipient("to:team@s.example", "accepted");
	record(plan, second, OPENC2_NOT_FOUND, 0);
	expect_recipient("to:team@s.example", "accepted");
	record(plan, second, OPENC2_MOVED_BY_USER, 1);
	expect_recipient("to:team@s.example", "retracted");
	undo = undo_of(plan, &left);
	cr_assert_eq(undo->commands->len, 2);
	begin_well(undo);
	record(undo, ((struct openc2_command *)undo->commands->pdata[0])->command_id, OPENC2_DONE,
	       1);
	expect_recipient("to:team@s.example", "restored");
}

Test(plan_control, a_recipient_of_whom_a_copy_stays_is_not_retracted)
{
	g_autofree char *event_id = store_mail(fixture.store, 1, "<team@s.example>", "e", "evil");
	g_autoptr(plan_t) plan = make_plan(PLAN_CONTAIN);
	const char *id = add_mailbox(plan, "alice@s.example")->command_id;

	link_recipient(plan, event_id, "team@s.example", 1);
	plan_add_beyond(plan, event_id, "team@s.example", "x@else.example", "not ours");
	begin_well(plan);
	record(plan, id, OPENC2_DONE, 1);
	expect_recipient("to:team@s.example", "accepted");
}

/* ---- the gateways ---- */

#define MD5 "0123456789abcdef0123456789abcdef"

Test(plan_control, undo_removes_the_block_that_the_plan_added)
{
	g_autoptr(plan_t) plan = make_plan(PLAN_CONTAIN);
	const char *id = add_block(plan, MD5)->command_id;
	g_autoptr(plan_t) undo = NULL;
	struct undo_left left;

	begin_well(plan);
	act_at_gateways(plan);
	expect_state(id, "done+");
	cr_expect_neq(block_in_force(MD5), 0);
	act_at_gateways(plan);
	cr_expect_eq(audited("result"), 1, "nothing is done twice");
	undo = undo_of(plan, &left);
	begin_well(undo);
	act_at_gateways(undo);
	cr_expect_eq(block_in_force(MD5), 0);
	g_clear_pointer(&undo, plan_free);
	undo = undo_of(plan, &left);
	cr_expect_eq(undo->commands->len, 0);
	cr_expect_eq(left.undone, 1);
}

Test(plan_control, a_block_of_others_stays_as_it_is)
{
	g_autoptr(plan_t) plan = make_plan(PLAN_CONTAIN);
	const char *id = add_block(plan, MD5)->command_id;
	g_autoptr(plan_t) undo = NULL;
	struct undo_left left;
	guint32 number;

	add_foreign_block(MD5, BLOCK_REJECT);
	number = block_in_force(MD5);
	begin_well(plan);
	act_at_gateways(plan);
	expect_state(id, "already-gone+");
	undo = undo_of(plan, &left);
	cr_expect_eq(undo->commands->len, 0);
	cr_expect_eq(left.nothing, 1);
	cr_expect_eq(block_in_force(MD5), number);
}

static void
remove_block(const char *hex)
{
	GError *error = NULL;
	gboolean removed = FALSE;

	expect_ok(store_begin(fixture.store, &error), error);
	expect_ok(store_block_remove(fixture.store, "a", hex, now_us, &removed, &error), error);
	expect_ok(store_commit(fixture.store, &error), error);
	cr_assert(removed);
}

Test(plan_control, a_block_that_others_made_since_survives_undo)
{
	g_autoptr(plan_t) plan = make_plan(PLAN_CONTAIN);
	g_autoptr(plan_t) undo = NULL;
	struct undo_left left;
	guint32 number;

	add_block(plan, MD5);
	begin_well(plan);
	act_at_gateways(plan);
	remove_block(MD5);
	add_foreign_block(MD5, BLOCK_REJECT);
	number = block_in_force(MD5);
	undo = undo_of(plan, &left);
	cr_assert_eq(undo->commands->len, 1);
	begin_well(undo);
	act_at_gateways(undo);
	expect_state(((struct openc2_command *)undo->commands->pdata[0])->command_id,
		     "already-gone+");
	cr_expect_eq(block_in_force(MD5), number);
}

Test(plan_control, a_milder_block_is_told_and_not_changed)
{
	g_autoptr(plan_t) plan = make_plan(PLAN_CONTAIN);
	const char *id = add_block(plan, MD5)->command_id;

	add_foreign_block(MD5, BLOCK_OBSERVE);
	begin_well(plan);
	act_at_gateways(plan);
	expect_state(id, "failed");
}

Test(plan_control, what_the_sites_automation_blocked_is_not_ours_to_remove)
{
	g_autoptr(plan_t) plan = make_plan(PLAN_CONTAIN);
	const char *id = add_block(plan, MD5)->command_id;
	g_autoptr(plan_t) undo = NULL;
	struct undo_left left;

	begin_well(plan);
	record(plan, id, OPENC2_DONE, 0);
	add_foreign_block(MD5, BLOCK_REJECT);
	undo = undo_of(plan, &left);
	cr_assert_eq(undo->commands->len, 1);
	begin_well(undo);
	act_at_gateways(undo);
	expect_state(((struct openc2_command *)undo->commands->pdata[0])->command_id, "failed");
	cr_expect_neq(block_in_force(MD5), 0);
}

/* ---- undoing ---- */

Test(plan_control, undo_takes_what_was_done_with_its_copies_and_names_the_rest)
{
	g_autoptr(plan_t) plan = make_plan(PLAN_CONTAIN);
	const char *moved = add_mailbox(plan, "alice@s.example")->command_id;
	const char *gone = add_mailbox(plan, "bob@s.example")->command_id;
	g_autoptr(plan_t) undo = NULL;
	const struct openc2_command *inverse;
	const struct openc2_copy *copy;
	struct undo_left left;

	add_mailbox(plan, "carol@s.example");
	begin_well(plan);
	record(plan, moved, OPENC2_DONE, 1);
	record(plan, gone, OPENC2_ALREADY, 0);
	undo = undo_of(plan, &left);
	cr_expect_eq(left.nothing, 1);
	cr_expect_eq(left.unsettled, 1);
	cr_assert_eq(undo->commands->len, 1);
	inverse = undo->commands->pdata[0];
	cr_expect_eq(inverse->action, OPENC2_RESTORE);
	cr_expect_str_eq(inverse->undoes, moved);
	cr_expect_str_neq(inverse->command_id, moved);
	cr_expect_str_eq(inverse->message->mailbox, "alice@s.example");
	cr_assert_eq(inverse->copies->len, 1);
	copy = inverse->copies->pdata[0];
	cr_expect_str_eq(copy->folder, "INBOX");
}

/* What an edited plan of undoing could otherwise do: put a message where none was taken. */
Test(plan_control, only_what_was_taken_is_put_back_and_only_there)
{
	static const char *const changed[] = {"mailbox", "folder", "guid"};

	for (gsize i = 0; i < G_N_ELEMENTS(changed); i++) {
		g_autoptr(plan_t) plan = make_plan(PLAN_CONTAIN);
		const char *id = add_mailbox(plan, "alice@s.example")->command_id;
		g_autoptr(plan_t) undo = NULL;
		g_autofree char *why = NULL;
		struct openc2_command *inverse;
		struct openc2_copy *copy;
		struct undo_left left;
		char **texts[3];

		begin_well(plan);
		record(plan, id, OPENC2_DONE, 1);
		undo = undo_of(plan, &left);
		inverse = undo->commands->pdata[0];
		copy = inverse->copies->pdata[0];
		texts[0] = &inverse->message->mailbox;
		texts[1] = &copy->folder;
		texts[2] = &copy->guid;
		g_free(*texts[i]);
		*texts[i] = g_strdup("another");
		expect_refused(begin(undo, APPLIER, &why), why, "not its inverse");
	}
}

Test(plan_control, what_undoes_is_not_undone)
{
	g_autoptr(plan_t) plan = make_plan(PLAN_CONTAIN);
	const char *id = add_mailbox(plan, "alice@s.example")->command_id;
	g_autoptr(plan_t) undo = NULL;
	g_autoptr(plan_t) again = make_plan(PLAN_UNDO);
	g_autoptr(GError) error = NULL;
	struct undo_left left;
	gboolean known;

	begin_well(plan);
	record(plan, id, OPENC2_DONE, 1);
	undo = undo_of(plan, &left);
	begin_well(undo);
	cr_expect_not(undo_add(fixture.store, undo->plan_id, again, &left, &known, &error));
	cr_expect(g_error_matches(error, PLAN_ERROR, PLAN_ERROR_FORM));
}
