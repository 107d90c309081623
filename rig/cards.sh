#!/usr/bin/env bash
# Plays to sound cards that are programs of a kernel (snd-aloop), each with a clock of its own, in a user-mode Linux, and
# judges what their other sides heard.
#
#     rig/cards.sh --antiphon FILE [--short | --seconds N] [--only one-card|two-cards]
#
# Needs a Debian with apt, and root or a sudo that asks nothing. Exit codes: 0 the figures hold, 1 they do not, 2 the
# lab did not start, 3 they do not and the machine stood still. What a run leaves lies under RIG_WORK (target/rig-cards), the kernel under RIG_CACHE.
set -Eeuo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=${RIG_WORK:-$here/../target/rig-cards}
cache=${RIG_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/antiphon-rig}
mkdir -p "$work" "$cache"
work=$(cd "$work" && pwd)
seconds=600
scenes="one-card two-cards"
antiphon=
while [ $# -gt 0 ]; do
    case $1 in
        --antiphon) antiphon=$2 && shift ;;
        --short) seconds=20 ;;
        --seconds) seconds=$2 && shift ;;
        --only) scenes=$2 && shift ;;
        *) echo "cards: what is $1?" >&2 && exit 2 ;;
    esac
    shift
done

for scene in $scenes; do
    case $scene in
        one-card | two-cards) ;;
        *) echo "cards: there is no scene $scene: one-card or two-cards" >&2 && exit 2 ;;
    esac
done

say() { echo "cards: $*" >&2; }

# Before whatever else runs on the machine: the guest's kernel is one process.
first=()
if chrt --rr 5 true 2>/dev/null; then first=(chrt --rr 5); fi

boot() {
    local job=$work/job
    rm -rf "$job" && mkdir -p "$job/guest"
    cp "$here/guest/init" "$here"/cards/*.py "$here/cards/guest.sh" "$job/guest/"
    cp "$antiphon" "$job/antiphon"
    printf 'SECONDS_EACH=%s\nSCENES="%s"\n' "$seconds" "$scenes" >"$job/settings"
    # The guest's processes are the host's, of the same group: whatever is left is ended with it.
    timeout --kill-after=5 $((3 * seconds + 240)) "${first[@]}" "$kernel" mem=1200M root=/dev/root rootfstype=hostfs rootflags=/ ro \
        quiet init="$job/guest/init" JOB="$job" con=null con0=null,fd:1 \
        snd_aloop.enable=1,1 snd_aloop.index=1,2 snd_aloop.id=First,Second snd_aloop.pcm_substreams=1,1 \
        </dev/null >"$job/console.log" 2>&1 || say "the guest ended with $?; see $job/console.log and guest.log"
}

trap 'say "the lab could not be set up"; exit 2' ERR
"$here/packages.sh" gcc make flex bison bc xz-utils libc6-dev libasound2 alsa-utils python3 python3-numpy iproute2
kernel=$("$here/kernel.sh" "$cache" "$here/guest/kernel.config" "$here/cards/kernel.config")
trap - ERR
boot
/usr/bin/python3 "$here/cards/judge.py" "$work/job" $scenes
