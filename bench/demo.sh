#!/usr/bin/env bash
# The main job, from nothing, in about a minute: "make demo". An instance that is
# written to all the time is backed up twice; then one of its databases is lost
# and restored out of the mount: copy, incremental, journals, integrity check.
# Another one is restored by a single command, and a drill validates the set.
# The instance is datfs's practice instance: nothing else has to be installed.
# Needs Debian 12 with Go, /dev/fuse and 2 GiB in TMPDIR; installs fuse3 and rsync
# if they are missing. Everything it makes is removed again.
set -euo pipefail
cd "$(dirname "$0")/.."

work=
inst=
mnt=

# What outlives its script keeps files busy, so it goes first, whatever ended
# the demo.
cleanup() {
	local code=$?
	trap - EXIT
	set +e
	if [ -n "$mnt" ] && mountpoint -q "$mnt"; then
		fusermount3 -u "$mnt" || fusermount3 -uz "$mnt"
	fi
	[ -n "$inst" ] && $datfs practice stop "$inst" >/dev/null 2>&1
	if [ -n "$work" ]; then
		rm -rf --one-file-system "$work"
	fi
	[ "$code" -eq 0 ] || echo "demo: failed (exit code $code)" >&2
	exit "$code"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# Numbered lines for reading, the command as it could be typed, its output.
steps=0
step() { steps=$((steps + 1)); printf '\n%d. %s\n' "$steps" "$*"; }
run() { printf '   $ %s\n' "$*"; "$@"; }
says() { printf '   => %s\n' "$*"; }

# session LINE... types lines at the instance's terminal and shows what it says,
# without banner and prompts. They are kept in "answer".
answer=
session() {
	printf '   %%SYS> %s\n' "$@"
	answer=$(printf '%s\n' "$@" halt | iris session PRACTICE -U %SYS)
	sed -e 's/^\(%SYS[^>]*>\)*//' -e '/^Node: /d' -e '/^[[:space:]]*$/d' -e 's/^/   | /' <<<"$answer"
}
# expect TEXT ends the demo unless the last answer has the text.
expect() {
	grep -qF -- "$1" <<<"$answer" || { echo "demo: the instance did not answer $1" >&2; exit 1; }
}

datfs=$PWD/bin/datfs

step "Install what is missing, build"
run bash .ci/deps fuse3 rsync
run go build -o bin/ .
if [ ! -w /dev/fuse ]; then
	echo "demo: /dev/fuse is missing or not writable: this machine cannot mount" >&2
	exit 1
fi

work=$(mktemp -d "${TMPDIR:-/tmp}/datfs-demo.XXXXXX")
work=$(cd "$work" && pwd -P)
PATH=$PWD/bin:$work/instance/bin:$PATH
export DATFS_REPO=$work/repo

step "Make a practice instance, start it: users change its databases all the time"
run datfs practice create "$work/instance" --databases USER,APP --size 64MiB
inst=$work/instance
run datfs practice start "$inst" --load heavy
run iris list

step "Create a repository, look whether the instance can be backed up"
run datfs init "$DATFS_REPO"
run datfs check iris --instance PRACTICE || [ $? -eq 3 ] # 3: there are warnings

step "Back it up, twice"
run datfs backup iris --instance PRACTICE
run datfs backup iris --instance PRACTICE --io-limit 8MB/s # slow, so that the copy is a dirty one

step "What is stored, and what deduplication saves"
run datfs sets
run datfs stats

step "Mount it"
mnt=$work/mnt
mkdir "$mnt"
run datfs mount --background "$mnt"
set=$mnt/latest/PRACTICE
run ls "$set" "$set/incremental" "$set/journals"

step "Lose a database: dismount USER, overwrite a part of it"
db=$inst/mgr/user/
session "write ##class(SYS.Database).%OpenId(\"$db\").Dismount(),!"
run dd if=/dev/urandom of="${db}IRIS.DAT" bs=1M seek=3 count=4 conv=notrunc status=none

step "Restore it. First the copy, out of the mount, in place"
run rsync -aHAX --inplace "$set/databases$db" "$db"
session "write \"@@MT|\",##class(SYS.Database).%OpenId(\"$db\").Mount(),!"
expect '@@MT|1'

step "The copy alone was taken while it was written to: it is damaged, as it must be"
check="set sc=\$\$CheckList^Integrity(,\$lb(\"$db\")) write \"@@INT|\",\$system.Status.IsOK(sc),! do Display^Integrity(,2)"
session "$check" | sed -n 1,12p # head would end the pipe early
[ "$(printf '%s\n' "$check" halt | iris session PRACTICE -U %SYS | grep -c '@@INT|0')" -eq 1 ] ||
	says "(this time no write hit the copy while it was made)"

step "Then the incremental, of this database only"
printf '%s,,N\n' "$db" >"$work/dirlist.txt"
cbk=$(echo "$set"/incremental/*.cbk)
session "set x=\$\$EXTSELCT^DBREST(1,0,\"$cbk\",\"$work/dirlist.txt\",4,\"\",\"\") write !,\"@@REST|\",x,!"
expect '@@REST|1'

step "Then the journals, of this database only"
required=$(datfs show --json PRACTICE/latest | sed -n 's/.*"required": "\(.*\)".*/\1/p' | head -n 1)
session "set j=##class(Journal.Restore).%New(),j.FirstFile=\"$required\",j.RollBack=1" \
	"set sc=j.SelectUpdates(\"$db\")" \
	"set sc=j.Run() write !,\"@@RUN|\",\$system.Status.IsOK(sc),!"
expect '@@RUN|1'

step "Check its integrity"
session "$check"
expect '@@INT|1'
says "copy, incremental and journals together are the database as it was before it was lost"

step "All of this, in the set's own run-book, for this and two other ways back"
run grep '^## ' "$set/RESTORE.md"

step "Or in one command: lose APP, and restore it"
db=$inst/mgr/app/
session "write ##class(SYS.Database).%OpenId(\"$db\").Dismount(),!"
run dd if=/dev/urandom of="${db}IRIS.DAT" bs=1M seek=3 count=4 conv=notrunc status=none
run datfs restore iris PRACTICE/latest --database APP --instance PRACTICE --yes --quiet

step "Before it is needed: a drill, beside the originals, marks the set as validated"
run datfs drill PRACTICE/latest --instance PRACTICE --quiet
run datfs sets

run datfs unmount "$mnt"
mnt=
run datfs practice stop "$inst"
inst=
printf '\nDone in %d s. All files of the demo are removed.\n' "$SECONDS"
