#!/bin/sh
# A stand-in for the program iris: it answers the statements of a backup with
# their markers, for the databases $MGR/ and $MGR/user/, and writes the files that
# LISTDIRS^DBACK and BACKUP^DBACK would. How the log looks is that of a full
# backup of IRIS 2024.1, except for its kind. What it was told goes to $MGR/told.
#
# The current journal file is that in $MGR/current, or 20261122.002.
#
# $IRIS_FAIL names what goes wrong. $IRIS_LOGIN makes it ask for a user and a
# password, which it echoes as no terminal would.
say() { printf '\n%s\n' "$1"; }
fails() { case " $IRIS_FAIL " in *" $1 "*) return 0 ;; esac; return 1; }
is() { case $line in *"$1"*) return 0 ;; esac; return 1; }

if [ "$1" = qlist ]; then
	state='running, since Sun Nov 22 03:00:00 2026'
	fails down && state='down, last used Sun Nov 22 02:00:00 2026'
	[ "$2" = IRIS ] && echo "IRIS^${MGR%/mgr}/^2024.1.0.263.0^$state^iris.cpf^1972^52773^0^ok^IRIS^^^${MGR%/mgr}^1972"
	exit 0
fi
if fails inhibited; then
	echo '<InterSystems IRIS Startup Error: Sign-on and JOB inhibited: Switch 12 is set (0)>'
	exit 1
fi
echo "Node: host, Instance: $2"
if [ -n "$IRIS_LOGIN" ]; then
	read -r user
	read -r password
	echo "Username: $user Password: $password"
	[ "$user/$password" = "$IRIS_LOGIN" ] || { echo 'Access Denied'; exit 1; }
fi
current=20261122.002
[ -e "$MGR/current" ] && current=$(cat "$MGR/current")
mounted=1
fails dismounted && mounted=0
while read -r line; do
	echo "$line" >>"$MGR/told"
	printf '%%SYS>'
	is '@@READY|' && say '@@READY|IRIS for UNIX (Red Hat Enterprise Linux 9 for x86-64) 2024.1 (Build 263U) Tue Apr 16 2024'
	is '@@NS|' && say '@@NS|%SYS'
	is '@@MGR|' && say "@@MGR|$MGR/"
	is '@@JRN|' && say "@@JRN|$MGR/journal/$current|$MGR/journal/|$MGR/journal/"
	is '@@MIR|' && say '@@MIR|0|0'
	is '@@BLEND|' && say '@@BLEND|1'
	is '@@DB|' && say "@@DB|IRISSYS|$MGR/|8192|1|1|0|0|0|3" && say "@@DB|USER|$MGR/user/|8192|2|$mounted|0|0|0|3" && say '@@DBEND|1'
	is '@@DBX|' && say "@@DBX|128||$MGR/" && say "@@DBX|256||$MGR/user/"
	is '@@VOLEND|' && say '@@VOLEND|1'
	if is LISTDIRS; then
		file=${line#*'LISTDIRS^DBACK("'}
		printf '%s\n' "$MGR/" "$MGR/user/" >"${file%%\"*}"
		say '@@LIST|1'
	fi
	if is '@@CLRINC|'; then
		if fails slow; then # until $MGR/go is there, or a minute
			touch "$MGR/slow"
			n=0
			while [ ! -e "$MGR/go" ] && [ $n -lt 600 ]; do sleep 0.1; n=$((n + 1)); done
		fi
		if fails protect; then say '@@ERR|CLRINC|<PROTECT>|CLRINC+12^DBACK|^SYS("BUHISTORY")'; else say '@@CLRINC|1'; fi
	fi
	is '@@E|' && say '@@E|1'
	is '@@SIZE|' && say '@@SIZE|10^2^81920^2^81920^160^160'
	if is '@@I|'; then
		rest=${line#*',"/'}
		file=/${rest%%\"*}
		rest=${rest#*',"/'}
		log=/${rest%%\"*}
		fails incremental && { echo 'Backup failed: no space' >"$log"; say '@@I|0'; continue; }
		head -c 81920 "$MGR/user/IRIS.DAT" >"$file"
		sed "s,MGR,$MGR," >"$log" <<'EOF'
Performing a Incremental backup.
Backing up the following directories:
 MGR/
 MGR/user/


Journal file switched to:
MGR/journal/20261122.002

Journal file 'MGR/journal/20261122.001' and the subsequent ones are required for recovery purpose if the backup were to be restored

Journal marker set at
offset 198264 of MGR/journal/20261122.002

***FINISHED BACKUP***
Backup complete.
EOF
		if fails warns; then say '@@I|1,one thing~another'; else say '@@I|1'; fi
		fails purged && rm "$MGR/journal/20261122.001"
	fi
	is '@@JRNSWTCH|' && say '@@JRNSWTCH|1'
	[ "$line" = halt ] && exit 0
done
