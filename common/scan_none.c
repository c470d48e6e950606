/* SPDX-License-Identifier: BSD-2-Clause */
/* scan.h in a build --without-clamav: what the engine alone opens is not looked into. */
#include "scan.h"

G_DEFINE_QUARK(mailtrace_scan_error, scan_error)

gboolean
scan_preload(const char *database, GError **error)
{
	if (!database)
		return TRUE;
	g_set_error_literal(error, SCAN_ERROR, SCAN_ERROR_ENGINE,
			    "this mailtrace was built without ClamAV");
	return FALSE;
}

void
scan_use_folder(const char *path)
{
}

gboolean
scan_is_ready(void)
{
	return FALSE;
}

gboolean
scan_has_signatures(void)
{
	return FALSE;
}

const char *
scan_description(void)
{
	return NULL;
}

gboolean
scan_opens(const char *type)
{
	return FALSE;
}

gboolean
scan_opens_attachment(const char *type)
{
	return FALSE;
}

gboolean
scan_content(const void *bytes, gsize length, const struct scan_limits *limits, scan_layer_fn layer,
	     scan_match_fn match, void *data)
{
	return FALSE;
}
