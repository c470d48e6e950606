/* SPDX-License-Identifier: BSD-2-Clause */
#include "collect_journal.h"

#include "keys.h"
#include "log.h"
#include "roles.h"

/* ---- anchors ---- */

/* The line is itself a copy: whoever keeps the log can hold the journal against it. */
static void
log_anchor(const struct anchor_feed *anchors)
{
	const char *anchor = anchor_feed_last(anchors);
	gboolean is_signed = !g_str_has_suffix(anchor, ".-");
	g_autofree char *sensors = NULL, *kept = NULL;
	guint all, have;

	anchor_feed_kept(anchors, &all, &have);
	sensors = g_strdup_printf("%u", all);
	kept = g_strdup_printf("%u", have);
	log_event(LOG_LEVEL_NOTICE, "journal-anchor", "anchor", anchor, "signed",
		  is_signed ? "yes" : "no: [collector] journal_key is not set", "sensors", sensors,
		  "kept_the_last", kept, NULL);
}

void
collect_journal_tend(struct anchor_feed *anchors, gboolean force)
{
	g_autoptr(GError) error = NULL;
	gboolean is_new;

	if (!anchor_feed_tick(anchors, g_get_monotonic_time(), force, &is_new, &error))
		log_event(LOG_LEVEL_ERROR, "journal-not-anchored", "error", error->message, NULL);
	else if (is_new)
		log_anchor(anchors);
}

/* ---- roles ---- */

/* The tenant is the caller's claim; one that is no name is not written. */
static gboolean
write_refusal(struct store *store, const struct settings *settings,
	      const struct control_caller *caller, const char *operation, const json_t *request,
	      const char *why, GError **error)
{
	const char *tenant = json_get_text(request, "tenant");
	const struct store_audit audit = {
		.time_us = caller->time_us,
		.actor = (char *)caller->actor,
		.tenant = tenant && key_name_is_valid(tenant) ? (char *)tenant : settings->tenant,
		.verb = (char *)operation,
		.arguments = (char *)json_get_text(request, "arguments"),
		.case_id = (char *)json_get_text(request, "case"),
		.reason = (char *)json_get_text(request, "reason"),
		.results = -1,
		.status = AUDIT_FAILED,
		.detail = (char *)why,
	};

	return store_add_audit(store, &audit, error);
}

gboolean
collect_journal_may(struct store *store, const struct settings *settings,
		    const struct control_caller *caller, const char *operation,
		    const json_t *request, GError **error)
{
	g_autofree char *why = NULL;

	if (roles_may(settings, caller->uid, operation))
		return TRUE;
	why = g_strdup_printf("refused: it needs the role %s", roles_needed(operation));
	log_event(LOG_LEVEL_WARNING, "refused", "actor", caller->actor, "operation", operation,
		  "why", why, NULL);
	if (write_refusal(store, settings, caller, operation, request, why, error))
		g_set_error(error, CONTROL_ERROR, CONTROL_ERROR_REFUSED, "%s", why);
	return FALSE;
}
