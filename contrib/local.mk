# SPDX-License-Identifier: BSD-2-Clause
# What a package installs beside the programs.  Made from templates here rather
# than by configure, so that the directories may be overridden at make time.
contrib_made = \
	contrib/mailtrace-collect.service \
	contrib/mailtrace-follow.service \
	contrib/mailtrace-milter.service \
	contrib/mailtrace.conf \
	contrib/mailtrace.sysusers.conf \
	contrib/mailtrace.tmpfiles.conf
EXTRA_DIST += $(contrib_made:=.in)
CLEANFILES += $(contrib_made)

systemdsystemunit_DATA = contrib/mailtrace-collect.service contrib/mailtrace-follow.service \
	contrib/mailtrace-milter.service
example_DATA = contrib/mailtrace.conf
exampledir = $(docdir)

# Installed under the one name that systemd's folders expect.
all-local: $(contrib_made)
install-data-local: $(contrib_made)
	$(MKDIR_P) '$(DESTDIR)$(sysusersdir)' '$(DESTDIR)$(tmpfilesdir)'
	$(INSTALL_DATA) contrib/mailtrace.sysusers.conf '$(DESTDIR)$(sysusersdir)/mailtrace.conf'
	$(INSTALL_DATA) contrib/mailtrace.tmpfiles.conf '$(DESTDIR)$(tmpfilesdir)/mailtrace.conf'
uninstall-local:
	rm -f '$(DESTDIR)$(sysusersdir)/mailtrace.conf' '$(DESTDIR)$(tmpfilesdir)/mailtrace.conf'

fill_in = $(AM_V_GEN)$(MKDIR_P) $(@D) && $(SED) \
	-e 's|@bindir[@]|$(bindir)|g' -e 's|@sbindir[@]|$(sbindir)|g' \
	-e 's|@libexecdir[@]|$(libexecdir)|g' -e 's|@datadir[@]|$(datadir)|g' \
	-e 's|@sysconfdir[@]|$(sysconfdir)|g' -e 's|@localstatedir[@]|$(localstatedir)|g' \
	-e 's|@runstatedir[@]|$(runstatedir)|g' \
	-e '/^@limits[@]$$/{' -e 'r docs/limits.mdoc' -e 'd' -e '}' $< >$@.tmp && mv $@.tmp $@

$(contrib_made) $(docs_made): %: %.in Makefile
	$(fill_in)
