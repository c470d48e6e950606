/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store_fixture.h"
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

TestSuite(store, .init = setup, .fini = teardown, .timeout = 60);

/* ---- files ---- */

Test(store, finds_the_recipients_of_a_file_by_each_digest)
{
	struct digests digests;
	g_autofree char *md5 = NULL, *sha1 = NULL, *sha256 = NULL;

	g_free(store_mail(fixture.store, 1, "<alice@site.example>", "a.js", "evil content"));
	g_free(store_mail(fixture.store, 2, "<bob@site.example>", "b.js", "evil content"));
	g_free(store_mail(fixture.store, 3, "<carol@site.example>", "c.js", "good content"));
	digests_of("evil content", 12, &digests);
	md5 = hex_encode(digests.md5, MD5_BYTES);
	sha1 = hex_encode(digests.sha1, SHA1_BYTES);
	sha256 = hex_encode(digests.sha256, SHA256_BYTES);
	expect_who(fixture.store, "a", md5, "alice@site.example bob@site.example");
	expect_who(fixture.store, "a", sha1, "alice@site.example bob@site.example");
	expect_who(fixture.store, "a", sha256, "alice@site.example bob@site.example");
}
