/* SPDX-License-Identifier: BSD-2-Clause */
#include <criterion/criterion.h>

#include "caps.h"
#include "digest.h"
#include "journal.h"
#include "store_fixture.h"
#include "store_journal.h"
#include "store_schema.h"

static struct store_fixture fixture;

static void
setup(void)
{
	store_fixture_init(&fixture);
}

static void
teardown(void)
{
	store_fixture_clear(&fixture);
}

TestSuite(journal, .init = setup, .fini = teardown);

static struct store_audit
question(const char *verb)
{
	return (struct store_audit){
		.time_us = AT(1),
		.actor = (char *)"uid=1000(alice)",
		.tenant = (char *)"a",
		.verb = (char *)verb,
		.arguments = (char *)"[\"subject:調査\"]",
		.results = 3,
	};
}

static void
add(const struct store_audit *audit)
{
	GError *error = NULL;

	expect_ok(store_add_audit(fixture.store, audit, &error), error);
}

/* An entry written at the begin of a chain, and read again; to be cleared. */
static struct journal_entry
written(const struct store_audit *audit, struct journal_head *head)
{
	GError *error = NULL;
	g_autoptr(GBytes) line = journal_write(head, audit, &error);
	struct journal_entry entry = {0};

	expect_ok(line != NULL, error);
	cr_assert(journal_read(g_bytes_get_data(line, NULL), g_bytes_get_size(line), &entry));
	return entry;
}

static struct journal_head
new_chain(void)
{
	struct journal_head head = {0};
	g_autofree char *chain = event_id_new(AT(0));

	g_strlcpy(head.chain, chain, sizeof(head.chain));
	return head;
}

/* ---- the form ---- */

Test(journal, an_entry_is_read_as_it_was_written)
{
	struct journal_head head = new_chain();
	struct store_audit audit = question("who");
	struct journal_entry entry;

	audit.case_id = (char *)"C-7";
	audit.reason = (char *)"it came \"twice\"\n";
	entry = written(&audit, &head);
	cr_expect_eq(entry.seq, 1);
	cr_expect_eq(entry.time_us, AT(1));
	cr_expect_str_eq(entry.actor, "uid=1000(alice)");
	cr_expect_str_eq(entry.tenant, "a");
	cr_expect_str_eq(entry.verb, "who");
	cr_expect_str_eq(entry.arguments, "[\"subject:調査\"]");
	cr_expect_str_eq(entry.case_id, "C-7");
	cr_expect_str_eq(entry.reason, "it came \"twice\"\n");
	cr_expect_str_eq(entry.status, "success");
	cr_expect_str_eq(entry.chain, head.chain);
	cr_expect_str_eq(entry.uid, head.uid);
	cr_expect_eq(entry.results, 3);
	cr_expect_eq(entry.type_uid, 600302);
	cr_expect_null(entry.prev);
	cr_expect_null(entry.command_uid);
	journal_entry_clear(&entry);
}

Test(journal, whoever_acts_is_named_as_before)
{
	static const char *const actors[] = {"uid=0(root)", "uid=4294967295", "collector",
					     "uid=(x)",	    "uid=7(a)(b)",    "uid=7x",
					     "uid="};

	for (gsize i = 0; i < G_N_ELEMENTS(actors); i++) {
		struct journal_head head = new_chain();
		struct store_audit audit = question("who");
		struct journal_entry entry;

		audit.actor = (char *)actors[i];
		entry = written(&audit, &head);
		cr_expect_str_eq(entry.actor, actors[i]);
		journal_entry_clear(&entry);
	}
}

Test(journal, what_has_a_command_uid_is_a_remediation)
{
	struct journal_head head = new_chain();
	struct store_audit audit = question("apply");
	json_t *event =
		json_pack("{s:[{s:s,s:i,s:s}],s:i,s:{s:{s:s,s:s},s:s}}", "observables", "name",
			  "mailbox", "type_id", 5, "value", "u2@ex.org", "time", 0, "unmapped",
			  "mailtrace", "plan", "P-1", "verb", "who", "guid", "8025");
	struct journal_entry entry;
	const json_t *unmapped;

	audit.command_uid = (char *)"5f0c6f1e-6d2f-4a56-9c0b-8c3f3a1a2b77";
	audit.remedy = REMEDY_EVICT;
	audit.status = AUDIT_ABSENT;
	audit.detail = (char *)"already gone";
	audit.event = event;
	entry = written(&audit, &head);
	unmapped = json_object_get(entry.root, "unmapped");
	cr_expect_eq(entry.type_uid, 700102);
	cr_expect_str_eq(entry.command_uid, audit.command_uid);
	cr_expect_str_eq(entry.status, "does-not-exist");
	cr_expect_str_eq(entry.detail, "already gone");
	cr_expect_eq(json_get_int(entry.root, "status_id", 0), 3);
	cr_expect_eq(json_array_size(json_object_get(entry.root, "observables")), 1);
	cr_expect_str_eq(json_get_text(unmapped, "guid"), "8025");
	cr_expect_str_eq(json_get_text(json_object_get(unmapped, "mailtrace"), "plan"), "P-1");
	/* and none of ours is replaced by it */
	cr_expect_str_eq(entry.verb, "apply");
	cr_expect_eq(json_get_int(entry.root, "time", 0), AT(1) / 1000);
	journal_entry_clear(&entry);
	json_decref(event);
}

/* Arguments of 100 bytes each, as a JSON array. */
static char *
many_arguments(guint count)
{
	GString *text = g_string_new("[");

	for (guint i = 0; i < count; i++)
		g_string_append_printf(text, "%s\"%097u\"", i ? "," : "", i);
	return g_string_free(g_string_append_c(text, ']'), FALSE);
}

Test(journal, arguments_over_the_cap_are_counted_and_hashed)
{
	/* 2 bytes for the brackets, 100 for each with its comma */
	const guint most = (CAP_JOURNAL_ARGUMENTS_BYTES - 2) / 100;

	for (guint count = most - 1; count <= most + 1; count++) {
		struct journal_head head = new_chain();
		struct store_audit audit = question("who");
		g_autofree char *arguments = many_arguments(count);
		struct journal_entry entry;
		const json_t *ours;

		audit.arguments = arguments;
		entry = written(&audit, &head);
		ours = json_object_get(json_object_get(entry.root, "unmapped"), "mailtrace");
		cr_expect_eq(json_array_size(json_object_get(ours, "arguments")), MIN(count, most));
		cr_expect_eq(json_get_int(ours, "arguments_left_out", 0), count > most ? 1 : 0);
		if (count > most) {
			g_autofree char *whole = sha256_of(arguments);

			cr_expect_str_eq(json_get_text(ours, "arguments_sha256"), whole);
		}
		journal_entry_clear(&entry);
	}
}

/* Control characters become six bytes each. */
Test(journal, whatever_a_person_gives_fits_an_entry)
{
	struct journal_head head = new_chain();
	g_autofree char *wild = g_strnfill(100000, '\001');
	struct store_audit audit = {.time_us = G_MAXINT64,
				    .actor = wild,
				    .tenant = wild,
				    .verb = wild,
				    .arguments = wild,
				    .case_id = wild,
				    .reason = wild,
				    .detail = wild,
				    .command_uid = wild};
	struct journal_entry entry = written(&audit, &head);

	cr_expect_eq(entry.seq, 1);
	journal_entry_clear(&entry);
}

Test(journal, an_entry_over_the_cap_is_refused_and_the_chain_stays)
{
	for (int over = 0; over <= 1; over++) {
		struct journal_head head = new_chain(), before;
		struct store_audit audit = question("who");
		json_t *event = json_object();
		g_autofree char *text = NULL;
		g_autoptr(GBytes) empty = NULL, line = NULL;
		GError *error = NULL;

		json_object_set_new(event, "note", json_string(""));
		audit.event = event;
		before = head;
		empty = journal_write(&head, &audit, &error);
		text = g_strnfill(CAP_JOURNAL_ENTRY_BYTES - g_bytes_get_size(empty) + (gsize)over,
				  'x');
		json_object_set_new(event, "note", json_string(text));
		head = before;
		line = journal_write(&head, &audit, &error);
		if (over) {
			cr_expect_null(line);
			cr_expect(g_error_matches(error, STORE_ERROR, STORE_ERROR_EVENT));
			cr_expect_eq(memcmp(&head, &before, sizeof(head)), 0);
			g_clear_error(&error);
		} else {
			cr_expect_eq(g_bytes_get_size(line), CAP_JOURNAL_ENTRY_BYTES);
		}
		json_decref(event);
	}
}

Test(journal, no_other_line_is_an_entry)
{
	static const char *const lines[] = {
		"",
		"[]",
		"{}",
		"{\"metadata\":{\"sequence\":1}}",
		"{\"metadata\":{\"sequence\":1,\"uid\":\"0190a1b2-0000-7000-8000-000000000001\"}}",
	};

	for (gsize i = 0; i < G_N_ELEMENTS(lines); i++) {
		struct journal_entry entry;

		cr_expect_not(journal_read(lines[i], strlen(lines[i]), &entry), "%s", lines[i]);
	}
}

/* ---- the chain ---- */

/* Three entries as they are kept; a test changes them before the walk. */
struct chain {
	struct journal_line lines[3];
	GBytes *texts[3];
	guint8 hashes[3][JOURNAL_HASH_BYTES];
};

static void
make_chain(struct chain *chain)
{
	struct journal_head head = new_chain();
	struct store_audit audit = question("who");

	for (guint i = 0; i < 3; i++) {
		audit.time_us = AT(i);
		chain->texts[i] = journal_write(&head, &audit, NULL);
		memcpy(chain->hashes[i], head.hash, sizeof(head.hash));
		chain->lines[i] = (struct journal_line){.seq = (gint64)i + 1,
							.time_us = AT(i),
							.tenant = "a",
							.hash = chain->hashes[i]};
		chain->lines[i].text = g_bytes_get_data(chain->texts[i], &chain->lines[i].length);
	}
}

static void
note_flaw(const struct journal_flaw *flaw, void *data)
{
	g_string_append_printf(data, "%s@%d ", flaw->kind, (int)flaw->seq);
}

/* Walks over count lines and returns the flaws, "kind@entry …"; frees the chain. */
static char *
walk_over(struct chain *chain, const struct journal_line *lines, guint count)
{
	GString *flaws = g_string_new(NULL);
	struct journal_walk walk;

	journal_walk_init(&walk, note_flaw, flaws);
	for (guint i = 0; i < count; i++)
		journal_walk_step(&walk, &lines[i]);
	cr_expect_eq(walk.entries, count);
	for (guint i = 0; i < 3; i++)
		g_bytes_unref(chain->texts[i]);
	return g_string_free(flaws, FALSE);
}

#define expect_flaws(chain, lines, count, wanted)                         \
	do {                                                              \
		g_autofree char *flaws_ = walk_over(chain, lines, count); \
		cr_expect_str_eq(flaws_, wanted, "got %s", flaws_);       \
	} while (0)

Test(journal, a_chain_as_written_has_no_flaw)
{
	struct chain chain;

	make_chain(&chain);
	expect_flaws(&chain, chain.lines, 3, "");
}

Test(journal, a_changed_entry_is_found)
{
	struct chain chain;
	g_autofree char *text = NULL;

	make_chain(&chain);
	text = g_strndup(chain.lines[1].text, chain.lines[1].length);
	*strstr(text, "alice") = 'A';
	chain.lines[1].text = text;
	expect_flaws(&chain, chain.lines, 3, "changed@2 ");
}

Test(journal, a_changed_entry_with_its_hash_made_anew_is_found_by_the_next)
{
	struct chain chain;
	g_autofree char *text = NULL;

	make_chain(&chain);
	text = g_strndup(chain.lines[1].text, chain.lines[1].length);
	*strstr(text, "alice") = 'A';
	chain.lines[1].text = text;
	digest_sha256(text, chain.lines[1].length, chain.hashes[1]);
	expect_flaws(&chain, chain.lines, 3, "changed@3 ");
}

Test(journal, an_entry_filed_elsewhere_is_found)
{
	struct chain chain;

	make_chain(&chain);
	chain.lines[0].tenant = "b";
	chain.lines[2].time_us++;
	expect_flaws(&chain, chain.lines, 3, "changed@1 changed@3 ");
}

Test(journal, a_removed_entry_is_found_wherever_it_was)
{
	struct chain first, middle;
	struct journal_line lines[2];

	make_chain(&first);
	expect_flaws(&first, first.lines + 1, 2, "removed@1 ");
	make_chain(&middle);
	lines[0] = middle.lines[0];
	lines[1] = middle.lines[2];
	expect_flaws(&middle, lines, 2, "removed@2 ");
}

Test(journal, entries_in_another_order_are_found)
{
	struct chain chain;
	struct journal_line lines[3];

	make_chain(&chain);
	lines[0] = chain.lines[0];
	lines[1] = chain.lines[2];
	lines[2] = chain.lines[1];
	lines[1].seq = 2;
	lines[2].seq = 3;
	expect_flaws(&chain, lines, 3, "reordered@2 reordered@3 ");
}

Test(journal, an_entry_of_another_chain_is_found)
{
	struct chain chain, other;

	make_chain(&chain);
	make_chain(&other);
	chain.lines[1] = other.lines[1];
	expect_flaws(&chain, chain.lines, 3, "changed@2 changed@2 changed@3 ");
	g_free(walk_over(&other, other.lines, 3));
}

/* ---- in the store ---- */

static gboolean
collect_verb(const struct journal_line *line, void *data)
{
	struct journal_entry entry;

	cr_assert(journal_read(line->text, line->length, &entry));
	g_string_append_printf(data, "%d:%s/%s ", (int)line->seq, entry.verb,
			       entry.case_id ? entry.case_id : "-");
	journal_entry_clear(&entry);
	return TRUE;
}

#define expect_span(wanted, ...)                                                                  \
	do {                                                                                      \
		const struct journal_span span_ = {__VA_ARGS__};                                  \
		g_autoptr(GString) got_ = g_string_new(NULL);                                     \
		GError *error_ = NULL;                                                            \
		expect_ok(store_journal_each(fixture.store, &span_, collect_verb, got_, &error_), \
			  error_);                                                                \
		cr_expect_str_eq(got_->str, wanted, "got %s", got_->str);                         \
	} while (0)

Test(journal, is_read_by_number_time_and_tenant_in_either_order)
{
	static const char *const verbs[] = {"who", "import", "show", "block"};

	for (int i = 0; i < 4; i++) {
		struct store_audit audit = question(verbs[i]);

		audit.time_us = AT(i);
		if (i == 1)
			audit.case_id = (char *)"C-1";
		if (i == 2)
			audit.tenant = (char *)"b";
		add(&audit);
	}
	expect_span("1:who/- 2:import/C-1 3:show/- 4:block/- ", 0);
	expect_span("4:block/- 3:show/- 2:import/C-1 1:who/- ", .newest_first = TRUE);
	expect_span("2:import/C-1 3:show/- ", .after = 1, .before = 4);
	expect_span("4:block/- 2:import/C-1 ", .newest_first = TRUE, .tenant = "a", .after = 1);
	expect_span("2:import/C-1 3:show/- ", .since_us = AT(1), .until_us = AT(3));
	expect_span("", .since_us = AT(9));
}

Test(journal, is_append_only)
{
	static const char *const changes[] = {"UPDATE journal SET tenant='b'",
					      "DELETE FROM journal"};
	struct store_audit audit = question("who");
	GError *error = NULL;
	struct sql *sql;

	add(&audit);
	g_clear_pointer(&fixture.store, store_close);
	sql = sql_open(fixture.path, TRUE, &error);
	for (gsize i = 0; i < G_N_ELEMENTS(changes); i++) {
		cr_expect_not(sql_script(sql, changes[i], &error));
		cr_expect(error && strstr(error->message, "append-only"));
		g_clear_error(&error);
	}
	sql_close(sql);
	fixture.store = open_store(fixture.url, STORE_WRITE);
}

Test(journal, an_entry_goes_with_the_change_that_is_taken_back)
{
	struct store_audit audit = question("who");
	struct journal_head before, after;
	GError *error = NULL;

	add(&audit);
	expect_ok(store_journal_head(fixture.store, &before, &error), error);
	expect_ok(store_begin(fixture.store, &error), error);
	add(&audit);
	store_rollback(fixture.store);
	expect_ok(store_journal_head(fixture.store, &after, &error), error);
	cr_expect_eq(memcmp(&before, &after, sizeof(before)), 0);
	expect_span("1:who/- ", 0);
}

static gboolean
walk_line(const struct journal_line *line, void *data)
{
	journal_walk_step(data, line);
	return TRUE;
}

/* A store as version 5 of the schema left it, with two rows in its audit log. */
static void
make_former_store(void)
{
	gsize count;
	const char *const *steps = store_schema_steps(&count);
	GError *error = NULL;
	struct sql *sql;

	g_clear_pointer(&fixture.store, store_close);
	g_unlink(fixture.path);
	sql = sql_open(fixture.path, TRUE, &error);
	expect_ok(store_schema_upgrade(sql, steps, 5, &error), error);
	expect_ok(
		sql_script(sql,
			   "INSERT INTO audit VALUES (3, 1700000000000000, 'uid=1000(alice)', 'a',"
			   " 'who', '[\"x\"]', 'C-1', NULL, 4),"
			   " (7, 1700000001000000, 'uid=0', 'b', 'import', 'no array', NULL,"
			   " 'why', -1)",
			   &error),
		error);
	sql_close(sql);
}

Test(journal, the_audit_log_of_before_becomes_the_begin_of_the_chain)
{
	struct store_audit audit = question("show");
	const struct journal_span all = {0};
	g_autoptr(GString) flaws = g_string_new(NULL);
	struct journal_walk walk;
	struct journal_head head;
	GError *error = NULL;

	make_former_store();
	fixture.store = open_store(fixture.url, STORE_WRITE);
	add(&audit);
	expect_span("1:who/C-1 2:import/- 3:show/- ", 0);
	journal_walk_init(&walk, note_flaw, flaws);
	expect_ok(store_journal_each(fixture.store, &all, walk_line, &walk, &error), error);
	cr_expect_str_eq(flaws->str, "");
	expect_ok(store_journal_head(fixture.store, &head, &error), error);
	cr_expect_eq(memcmp(&head, &walk.head, sizeof(head)), 0);
}
