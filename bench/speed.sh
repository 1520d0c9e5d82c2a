#!/usr/bin/env bash
# Measures datfs against its promises, from nothing: "make speed".
# Needs Debian 12 with Go, /dev/fuse and 3 GiB in TMPDIR; installs fuse3 and
# rsync if they are missing. Everything it makes is removed again.
set -euo pipefail
cd "$(dirname "$0")/.."

work=
mounted=
mount_pid=

# A mount that is left behind outlives this and keeps its files busy, so it
# goes first, whatever ended this.
cleanup() {
	local code=$?
	trap - EXIT
	set +e
	if [ -n "$mounted" ] && mountpoint -q "$mounted"; then
		fusermount3 -u "$mounted" || fusermount3 -uz "$mounted"
	fi
	[ -n "$mount_pid" ] && wait "$mount_pid" 2>/dev/null
	if [ -n "$work" ]; then
		rm -rf --one-file-system "$work"
	fi
	[ "$code" -eq 0 ] || echo "speed: failed (exit code $code)" >&2
	exit "$code"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# Numbered lines for reading, the command as it could be typed, its output.
steps=0
step() { steps=$((steps + 1)); printf '\n%d. %s\n' "$steps" "$*"; }
show() { printf '   $ %s\n' "$*"; }
run() { show "$@"; "$@"; }
timed() { show "$@"; "$measure" run "$log" "$@"; }
says() { printf '   => %s\n' "$*"; }

# used DIR prints the bytes that DIR takes on disk, as du counts them.
used() { du -s --block-size=1 "$1" | cut -f1; }
# verdict GOT RELATION LIMIT prints whether a promise is kept.
verdict() { awk -v a="$1" -v b="$3" -v r="$2" 'BEGIN { print ((r == "<=" ? a <= b : a >= b) ? "kept" : "NOT KEPT") }'; }
ratio() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.2f", a / b }'; }
kib() { echo $(($1 / 1024)); }

measure=bin/measure
datfs=bin/datfs

step "Install what is missing, build"
run bash .ci/deps fuse3 rsync
run go build -o bin/ . ./bench/gendat ./bench/measure
if [ ! -w /dev/fuse ]; then
	echo "speed: /dev/fuse is missing or not writable: this machine cannot mount" >&2
	exit 1
fi

work=$(mktemp -d "${TMPDIR:-/tmp}/datfs-speed.XXXXXX")
work=$(cd "$work" && pwd -P)
repo=$work/repo
mnt=$work/mnt
out=$work/restored
data=$work/data/user
db=$data/IRIS.DAT
log=$work/log # peak memory of each timed command, in MiB
mkdir -p "$data" "$mnt" "$out"

step "Make a database file of 1 GiB: 8 KiB blocks, the last tenth of them unused"
run bin/gendat create "$db" --bytes 1GiB --seed 1

step "Create a repository and store the file"
run $datfs init "$repo"
export DATFS_REPO=$repo
timed $datfs backup files --name PROD "$db"
first=$(used "$repo")
says "the repository takes $(kib "$first") KiB on disk"

step "Change 1 % of the blocks at random, store the file again"
show bin/gendat change "$db" --fraction 0.01 --seed 2
change=$(bin/gendat change "$db" --fraction 0.01 --seed 2)
echo "$change"
ideal=${change##*: }
timed $datfs backup files --name PROD "$db"
second=$(used "$repo")
growth=$(ratio $((second - first)) "$ideal")
says "grown by $(kib $((second - first))) KiB; the changed blocks, each compressed alone, are $(kib "$ideal") KiB:" \
	"$growth times (promise: at most 1.3; $(verdict "$growth" '<=' 1.3))"

step "What is stored"
run $datfs sets

step "Mount it, copy the file out with rsync, compare"
mounted=$mnt
run $datfs mount --background "$mnt"
run rsync -aHAX --inplace "$mnt/latest/PROD/databases/" "$out/"
run cmp "$out$db" "$db"
says "the copy is byte for byte the database file"
if command -v xxhsum >/dev/null; then
	show "(cd $mnt/latest/PROD && xxhsum -c SUMS.xxh64)"
	(cd "$mnt/latest/PROD" && xxhsum -c SUMS.xxh64)
fi
run $datfs unmount "$mnt"

step "Restore it, then the set before it over that: only what differs is written"
first_set=PROD/$($datfs sets --json | sed -n 's/^ *"name": "\(.*\)",$/\1/p' | sort | head -n 1)
run rm "$out$db"
timed $datfs restore PROD/latest --to "$out"
run cmp "$out$db" "$db"
timed $datfs restore "$first_set" --to "$out"
run $datfs restore "$first_set" --to "$out" --dry-run

step "The savings report"
run $datfs stats

# Each speed is measured in a mount of its own, so that nothing is cached there.
# The packs may still be in the system's page cache.
fresh_mount() {
	"$measure" run "$log" $datfs mount "$mnt" >/dev/null &
	mount_pid=$!
	for _ in $(seq 200); do
		[ -e "$mnt/README.txt" ] && return
		kill -0 "$mount_pid" || break
		sleep 0.1
	done
	echo "speed: the mount does not answer" >&2
	return 1
}
end_mount() {
	$datfs unmount "$mnt"
	wait "$mount_pid"
	mount_pid=
}

step "Read speed of the mount, from one thread"
fresh_mount
random=$("$measure" random "$mnt/latest/PROD/databases$db")
echo "$random"
end_mount
fresh_mount
sequential=$("$measure" sequential "$mnt/latest/PROD/databases$db")
echo "$sequential"
end_mount
iops=$(sed 's/.*: \([0-9]*\) a second/\1/' <<<"$random")
speed=$(sed 's,.*: \([0-9]*\) MB/s,\1,' <<<"$sequential")
says "random: $iops reads a second (promise: at least 5000; $(verdict "$iops" '>=' 5000))"
says "sequential: $speed MB/s (promise: at least 600; $(verdict "$speed" '>=' 600))"

step "Store a file of zeros of 1 TiB"
run truncate -s 1T "$work/zeros"
before=$(used "$repo")
timed $datfs backup files --name ZEROS "$work/zeros"
says "the repository grew by $(kib $(($(used "$repo") - before))) KiB"

peak=$(sort -n "$log" | tail -n 1)
says "most memory of any of these commands: $peak MiB (promise: at most 256; $(verdict "$peak" '<=' 256))"

printf '\nDone in %d s. All files of it are removed.\n' "$SECONDS"
