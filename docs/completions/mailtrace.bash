# SPDX-License-Identifier: BSD-2-Clause
# bash completion of mailtrace(1)

_mailtrace_options()
{
	case $1 in
	who) echo "-f --file --hashes -m --members --since --until --limit --cursor --count --group-by --with-refused --devices --list-unread --list-unseen" ;;
	logins) echo "--since --until" ;;
	import) echo "-r --rcpt --sensor" ;;
	watch) echo "-k --key --server-key --endpoint --hits --exec -n --max" ;;
	status) echo "--all-tenants --check --warning --critical" ;;
	block) echo "--mode --match --expires --wait --all" ;;
	dead-letters) echo "--all" ;;
	actions) echo "--since --until --verb --actor --event --command --limit --all-tenants --export --verify --anchor --key" ;;
	legal-hold) echo "--since --until --expires --all" ;;
	expire) echo "--older-than --dry-run" ;;
	contain) echo "-f --file --hashes -m --members --since --until -o --output --scope --device --expires" ;;
	apply) echo "-y --yes -j --jobs --emit-only" ;;
	approve) echo "-k --key --name -y --yes" ;;
	undo) echo "-y --yes -j --jobs --emit-only" ;;
	fetch) echo "-f --file --hashes -m --members --since --until -o --output --password-file --limit --all" ;;
	keygen) echo "-t --type" ;;
	sensor) echo "--role" ;;
	esac
}

_mailtrace()
{
	local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
	local verbs="who show logins assets inspect import watch status block contain approve apply undo fetch actions dead-letters legal-hold expire erase backup verify collect follow keygen sensor"
	local globals="--config --store --tenant --utc --case --reason --json --csv -q --quiet --version -h --help"
	local terms="name: subject: from: to: id: queue: event: url: ip: sasl: sensor: malware: ext: size: direction: state:"
	local verb="" i

	for ((i = 1; i < COMP_CWORD; i++)); do
		case " $verbs " in
		*" ${COMP_WORDS[i]} "*) verb=${COMP_WORDS[i]} && break ;;
		esac
	done
	COMPREPLY=()
	case $before in
	--group-by) mapfile -t COMPREPLY < <(compgen -W "recipient sender sensor subject file day" -- "$word") ;;
	--role) mapfile -t COMPREPLY < <(compgen -W "publish subscribe command" -- "$word") ;;
	--mode) mapfile -t COMPREPLY < <(compgen -W "observe hold reject discard" -- "$word") ;;
	--match) mapfile -t COMPREPLY < <(compgen -W "exact candidate" -- "$word") ;;
	-t | --type) mapfile -t COMPREPLY < <(compgen -W "sensor collector client site journal approver" -- "$word") ;;
	esac
	[ ${#COMPREPLY[@]} -eq 0 ] || return 0
	case $word in
	-*) mapfile -t COMPREPLY < <(compgen -W "$globals $(_mailtrace_options "$verb")" -- "$word") ;;
	*)
		if [ -z "$verb" ]; then
			mapfile -t COMPREPLY < <(compgen -W "$verbs" -- "$word")
		elif [ "$verb" = sensor ]; then
			mapfile -t COMPREPLY < <(compgen -W "add remove list" -- "$word")
		elif [ "$verb" = block ]; then
			mapfile -t COMPREPLY < <(compgen -W "add remove import list" -- "$word")
		elif [ "$verb" = legal-hold ]; then
			mapfile -t COMPREPLY < <(compgen -W "add list remove $terms" -- "$word")
		elif [ "$verb" = assets ]; then
			mapfile -t COMPREPLY < <(compgen -W "import list remove" -- "$word")
		elif [ "$verb" = dead-letters ]; then
			mapfile -t COMPREPLY < <(compgen -W "list show replay drop" -- "$word")
		elif [ "$verb" = who ] || [ "$verb" = contain ] || [ "$verb" = fetch ]; then
			mapfile -t COMPREPLY < <(compgen -W "$terms" -- "$word")
		fi
		;;
	esac
}

complete -o default -F _mailtrace mailtrace
