/* SPDX-License-Identifier: BSD-2-Clause */
#include "planner.h"

#include <string.h>

#include "caps.h"
#include "deny_list.h"
#include "domains.h"
#include "journey.h"
#include "text.h"

#define DIGESTS 16 /* of one message's files that identify a copy */

/* A recipient that the question found. */
struct found {
	char *event_id, *recipient, *state;
	char *sha256, *name; /* of the file that matched exactly; or NULL */
};

struct planning {
	struct store *store;
	const struct query *query;
	const struct planner_options *options;
	struct plan *plan;
	store_progress_fn progress;
	void *progress_data;
	GPtrArray *found;     /* of struct found */
	GHashTable *digests;  /* by event id, of GPtrArray of char *: its files that matched */
	GHashTable *commands; /* by place ("mailbox …", "queue …"), of struct openc2_command */
};

/* One recipient being followed. */
struct following {
	struct planning *planning;
	const struct journey *journey;
	const struct found *found;
	struct plan_recipient *recipient;
	GHashTable *seen; /* places that have been told of it */
};

/* ---- what the question finds ---- */

static void
found_free(void *data)
{
	struct found *found = data;

	g_free(found->event_id);
	g_free(found->recipient);
	g_free(found->state);
	g_free(found->sha256);
	g_free(found->name);
	g_free(found);
}

static void
note_digest(struct planning *planning, const struct found *found)
{
	GPtrArray *digests = g_hash_table_lookup(planning->digests, found->event_id);

	if (!digests) {
		digests = g_ptr_array_new();
		g_hash_table_insert(planning->digests, found->event_id, digests);
	}
	if (!g_ptr_array_find_with_equal_func(digests, found->sha256, g_str_equal, NULL))
		g_ptr_array_add(digests, found->sha256);
}

static gboolean
take_hit(const struct store_hit *hit, void *data)
{
	struct planning *planning = data;
	gboolean exact = g_strcmp0(hit->match, "exact") == 0;
	struct found *found = g_new0(struct found, 1);

	found->event_id = g_strdup(hit->event_id);
	found->recipient = g_strdup(hit->recipient);
	found->state = g_strdup(hit->state);
	found->sha256 = exact ? g_strdup(hit->sha256) : NULL;
	found->name = g_strdup(hit->name);
	g_ptr_array_add(planning->found, found);
	if (found->sha256)
		note_digest(planning, found);
	return planning->found->len <= CAP_PLAN_ENTRIES;
}

/* ---- commands ---- */

static void
add_beyond(const struct following *following, const char *address, const char *why)
{
	const struct found *found = following->found;

	if (g_hash_table_add(following->seen,
			     g_strdup_printf("%s %s", address ? address : "", why)))
		plan_add_beyond(following->planning->plan, found->event_id, found->recipient,
				address, why);
}

/* A message is known by the files that were asked for, else by those it has. */
static char **
digests_of_message(const struct following *following)
{
	const struct event *root =
		((struct journey_hop *)following->journey->hops->pdata[0])->event;
	const GPtrArray *matched =
		g_hash_table_lookup(following->planning->digests, following->found->event_id);
	GPtrArray *digests = g_ptr_array_new();

	for (guint i = 0; matched && i < matched->len && i < DIGESTS; i++)
		g_ptr_array_add(digests, g_strdup(matched->pdata[i]));
	for (guint i = 1; !matched && i < root->record->files->len && digests->len < DIGESTS; i++) {
		const struct file *file = root->record->files->pdata[i];

		if (!(file->flags & (FILE_BODY | FILE_MULTIPART | FILE_MESSAGE)))
			g_ptr_array_add(digests, hex_encode(file->digests.sha256, SHA256_BYTES));
	}
	if (!digests->len) {
		g_ptr_array_unref(digests);
		return NULL;
	}
	g_ptr_array_add(digests, NULL);
	return (char **)g_ptr_array_free(digests, FALSE);
}

/* The message at a hop; its event id is the root's, which is the one that is stamped on it. */
static struct openc2_message *
describe_message(const struct following *following, guint place)
{
	const struct event *root =
		((struct journey_hop *)following->journey->hops->pdata[0])->event;
	const struct event *event =
		((struct journey_hop *)following->journey->hops->pdata[place])->event;
	struct openc2_message *message = openc2_message_new();

	message->event_id = g_strdup(root->event_id);
	message->message_id = g_strdup(event->record->message_id);
	message->sender = g_strdup(event->sender ? event->sender->address : NULL);
	message->received_at_us = event->received_at_us;
	message->size = event->record->size;
	message->subject = g_strdup(event->record->subject);
	message->sha256 = digests_of_message(following);
	return message;
}

static struct openc2_command *
new_command(const struct planning *planning, enum openc2_action action, enum openc2_role role)
{
	struct openc2_command *command = openc2_command_new(action, role);

	command->case_id = g_strdup(planning->plan->case_id);
	command->reason = g_strdup(planning->plan->reason);
	g_ptr_array_add(planning->plan->commands, command);
	return command;
}

/* Gives a recipient the command of a place. */
static void
link_command(const struct following *following, const struct openc2_command *command)
{
	if (g_hash_table_add(following->seen, g_strdup(command->command_id)))
		g_ptr_array_add(following->recipient->commands, g_strdup(command->command_id));
}

static gboolean
is_forbidden(const struct following *following, const char *address)
{
	const char *const *entries = following->planning->options->never_touch;
	const char *entry = deny_list_address(entries, address);
	g_autofree char *why = NULL;

	if (!entry)
		entry = deny_list_address(entries, following->found->recipient);
	if (!entry)
		return FALSE;
	why = g_strdup_printf("is never touched: %s", entry);
	add_beyond(following, address, why);
	return TRUE;
}

static gboolean
is_out_of_scope(const struct following *following, enum plan_scope scope, const char *address)
{
	g_autofree char *why = NULL;

	if (following->planning->plan->scope & scope)
		return FALSE;
	why = g_strdup_printf("is in a %s, which is out of the scope", plan_scope_name(scope));
	add_beyond(following, address, why);
	return TRUE;
}

static void
add_mailbox(const struct following *following, guint place, const char *address)
{
	const struct journey_hop *root = following->journey->hops->pdata[0];
	GHashTable *commands = following->planning->commands;
	g_autofree char *search_key = address_search_key(address);
	g_autofree char *key = g_strdup_printf("mailbox %s %s", root->event->event_id, search_key);
	struct openc2_command *command = g_hash_table_lookup(commands, key);

	if (is_out_of_scope(following, PLAN_MAILBOX, address) || is_forbidden(following, address))
		return;
	if (!command) {
		command = new_command(following->planning, OPENC2_CONTAIN, OPENC2_MAILSTORE);
		command->message = describe_message(following, place);
		command->message->mailbox = g_strdup(address);
		command->message->recipient = g_strdup(following->found->recipient);
		g_hash_table_insert(commands, g_steal_pointer(&key), command);
	}
	link_command(following, command);
}

/* A queue has one copy for all of its recipients: whoever else it is for is held with it. */
static void
add_queue(const struct following *following, guint place, const char *address)
{
	const struct event *event =
		((struct journey_hop *)following->journey->hops->pdata[place])->event;
	GHashTable *commands = following->planning->commands;
	g_autofree char *key = g_strdup_printf("queue %s %s", event->sensor, event->queue_id);
	struct openc2_command *command = g_hash_table_lookup(commands, key);

	if (!event->queue_id) {
		add_beyond(following, address, "waits in a queue, whose number is not known");
		return;
	}
	if (is_out_of_scope(following, PLAN_QUEUE, address) || is_forbidden(following, address))
		return;
	if (!command) {
		command = new_command(following->planning, OPENC2_CONTAIN, OPENC2_QUEUE);
		command->message = describe_message(following, place);
		command->message->gateway = g_strdup(event->sensor);
		command->message->queue_id = g_strdup(event->queue_id);
		if (event->recipients->len == 1)
			command->message->recipient = g_strdup(address);
		g_hash_table_insert(commands, g_steal_pointer(&key), command);
	}
	link_command(following, command);
}

/* ---- following a recipient ---- */

static gboolean
is_ours(const struct following *following, const char *address)
{
	const char *const *domains = following->planning->options->local_domains;
	const char *domain = address_domain(address);

	return !*domains || !domain || domains_match(domain, domains);
}

static void follow(const struct following *following, guint place, const char *address);

static void
follow_sent(const struct following *following, guint place, const struct delivery *sent)
{
	guint next = journey_next(following->journey, place, sent->next_queue_id, sent->recipient);
	g_autofree char *why = NULL;

	if (next) {
		follow(following, next, sent->recipient);
	} else if (is_ours(following, sent->recipient)) {
		add_mailbox(following, place, sent->recipient);
	} else {
		why = g_strdup_printf("was sent on to %s, which is not ours",
				      sent->relay ? sent->relay : "another host");
		add_beyond(following, sent->recipient, why);
	}
}

/* Of one final address SENT is stronger than BOUNCED, and that than DEFERRED (store.h). */
static void
follow_final(const struct following *following, guint place, const struct journey_final *final)
{
	if (final->sent)
		follow_sent(following, place, final->sent);
	else if (final->bounced)
		add_beyond(following, final->address, "bounced: there is no copy");
	else if (final->deferred)
		add_queue(following, place, final->address);
	else
		add_beyond(following, final->address, "was refused: there is no copy");
}

static gboolean
was_refused(const struct following *following, const struct event *event)
{
	return strcmp(following->found->state, "rejected") == 0 ||
	       (event->verdict != VERDICT_ACCEPT && event->verdict != VERDICT_HOLD);
}

/* No line of the log speaks of the recipient. */
static void
follow_untold(const struct following *following, guint place, const char *address)
{
	const struct journey_hop *hop = following->journey->hops->pdata[place];
	gboolean has_log = following->planning->options->has_log;
	guint next = journey_next(following->journey, place, NULL, address);

	if (was_refused(following, hop->event))
		add_beyond(following, address, "was refused: there is no copy");
	else if (next)
		follow(following, next, address);
	else if (hop->held)
		add_queue(following, place, address);
	else if (!hop->done && has_log && g_strcmp0(hop->event->origin, "import") != 0)
		add_queue(following, place, address);
	else if (is_ours(following, address))
		add_mailbox(following, place, address);
	else
		add_beyond(following, address, "went to a host that is not ours");
}

static gboolean
is_alias(const GArray *finals, const char *address)
{
	g_autofree char *key = address_search_key(address);

	for (guint i = 0; i < finals->len; i++) {
		const struct journey_final *final = &g_array_index(finals, struct journey_final, i);
		g_autofree char *final_key = address_search_key(final->address);

		if (strcmp(final_key, key) != 0)
			return TRUE;
	}
	return FALSE;
}

/*
 * Each call is of a later hop than the one before, so that it ends.  A list that is
 * being delivered has members of whom no line spoke yet: their copy is in the queue.
 */
static void
follow(const struct following *following, guint place, const char *address)
{
	const struct journey_hop *hop = following->journey->hops->pdata[place];
	g_autoptr(GArray) finals = journey_finals(hop, address);

	if (!finals->len)
		follow_untold(following, place, address);
	for (guint i = 0; i < finals->len; i++)
		follow_final(following, place, &g_array_index(finals, struct journey_final, i));
	if (journey_waits(hop) && is_alias(finals, address))
		add_queue(following, place, address);
}

static void
plan_found(struct planning *planning, const struct journey *journey, const struct found *found)
{
	g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	const struct following following = {
		.planning = planning,
		.journey = journey,
		.found = found,
		.recipient = plan_add_recipient(planning->plan, found->event_id, found->recipient,
						found->state),
		.seen = seen,
	};

	if (*found->recipient)
		follow(&following, journey_place(journey, found->event_id), found->recipient);
	else
		add_beyond(&following, NULL, "nobody knows to whom the message went");
}

/* ---- the plan ---- */

static gboolean
tell_progress(const struct planning *planning, guint done, GError **error)
{
	if (!planning->progress ||
	    planning->progress((double)done / planning->found->len, planning->progress_data))
		return TRUE;
	g_set_error(error, STORE_ERROR, STORE_ERROR_STOPPED, "stopped");
	return FALSE;
}

static gboolean
plan_recipients(struct planning *planning, GError **error)
{
	g_autoptr(journey_t) journey = NULL;
	const char *event_id = "";

	for (guint i = 0; i < planning->found->len; i++) {
		const struct found *found = planning->found->pdata[i];

		if (strcmp(found->event_id, event_id) != 0) {
			journey_free(journey);
			journey = journey_read(planning->store, planning->plan->tenant,
					       found->event_id, error);
			event_id = found->event_id;
		}
		if (!journey || !tell_progress(planning, i, error))
			return FALSE;
		plan_found(planning, journey, found);
	}
	return TRUE;
}

static gboolean
names_file(const struct query *query)
{
	for (guint i = 0; i < query->terms->len; i++)
		if (((struct query_term *)query->terms->pdata[i])->kind == TERM_DIGEST)
			return TRUE;
	return FALSE;
}

/* Each matched content once; a candidate's is only guessed, and blocks nothing. */
static void
plan_blocks(struct planning *planning)
{
	g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);

	for (guint i = 0; i < planning->found->len; i++) {
		const struct found *found = planning->found->pdata[i];
		struct openc2_command *command;

		if (!found->sha256 || !g_hash_table_add(seen, found->sha256))
			continue;
		command = new_command(planning, OPENC2_DENY, OPENC2_GATEWAY);
		command->file_hash = g_strdup(found->sha256);
		command->file_name = g_strdup(found->name);
		command->mode = g_strdup(block_mode_name(BLOCK_REJECT));
		command->stop_time_ms = planning->options->block_until_us / 1000;
	}
}

static void
plan_devices(struct planning *planning)
{
	const char *const *devices = planning->options->devices;

	for (; devices && *devices; devices++)
		new_command(planning, OPENC2_CONTAIN, OPENC2_ENDPOINT)->hostname =
			g_strdup(*devices);
}

static gboolean
fill(struct planning *planning, guint64 *ret_hits, GError **error)
{
	const struct planner_options *options = planning->options;
	struct plan *plan = planning->plan;

	if (!store_who(planning->store, planning->query, take_hit, planning, planning->progress,
		       planning->progress_data, ret_hits, error))
		return FALSE;
	if (planning->found->len > CAP_PLAN_ENTRIES) {
		g_set_error(error, PLAN_ERROR, PLAN_ERROR_FORM,
			    "more than %d recipients are more than one plan can hold: ask for "
			    "less, with --since, --until or to:, and make several",
			    CAP_PLAN_ENTRIES);
		return FALSE;
	}
	if (plan->scope & PLAN_GATEWAY && names_file(planning->query))
		plan_blocks(planning);
	if (plan->scope & PLAN_DEVICE && options->devices)
		plan_devices(planning);
	return plan_recipients(planning, error);
}

gboolean
planner_fill(struct store *store, const struct query *query, const struct planner_options *options,
	     struct plan *plan, store_progress_fn progress, void *progress_data, guint64 *ret_hits,
	     GError **error)
{
	struct planning planning = {
		.store = store,
		.query = query,
		.options = options,
		.plan = plan,
		.progress = progress,
		.progress_data = progress_data,
		.found = g_ptr_array_new_with_free_func(found_free),
		.digests = g_hash_table_new_full(g_str_hash, g_str_equal, NULL,
						 (GDestroyNotify)g_ptr_array_unref),
		.commands = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL),
	};
	gboolean done = fill(&planning, ret_hits, error);

	g_hash_table_unref(planning.commands);
	g_hash_table_unref(planning.digests);
	g_ptr_array_unref(planning.found);
	return done;
}
