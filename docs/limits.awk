# SPDX-License-Identifier: BSD-2-Clause
# Makes the lists of limits in mailtrace.conf(5) of common/caps.h, which has the names
# that records give them, and of the table in SECURITY.md, which has values and reasons.
# usage: awk -f limits.awk common/caps.h SECURITY.md

function quoted(text, parts, count, i, out) {
	gsub(/\\/, "\\e", text)
	count = split(text, parts, "`")
	out = parts[1]
	for (i = 2; i <= count; i++)
		out = out (i % 2 ? "\\(cq" : "\\(oq") parts[i]
	return out
}

function item(name, value, reason, sentences, count, i) {
	print ".It Cm " name " : No " value
	count = split(reason, sentences, /\.  /)
	for (i = 1; i <= count; i++)
		print quoted(sentences[i]) (i < count ? "." : "")
}

/^#define [A-Z_]*_NAME "/ {
	split($0, parts, "\"")
	noted[substr($2, 1, length($2) - 5)] = parts[2]
}

/^\| `(CAP|WORKER)_/ {
	split($0, cells, / *\| */)
	cap = cells[2]
	gsub(/`/, "", cap)
	caps[++all] = cap
	values[cap] = cells[3]
	reasons[cap] = cells[4]
}

END {
	print ".Ss Named in records\n.Bl -tag -width Ds"
	for (i = 1; i <= all; i++)
		if (caps[i] in noted)
			item(noted[caps[i]], values[caps[i]], reasons[caps[i]])
	print ".El\n.Ss Others\n.Bl -tag -width Ds"
	for (i = 1; i <= all; i++)
		if (!(caps[i] in noted)) {
			name = tolower(caps[i])
			sub(/^cap_/, "", name)
			gsub(/_/, "-", name)
			item(name, values[caps[i]], reasons[caps[i]])
		}
	print ".El"
}
