#!/usr/bin/env bash
# Plays to sound cards that are programs of a kernel (snd-aloop), each with a clock of its own, in a user-mode Linux, and
# judges what their other sides heard.
#
#     rig/cards.sh --antiphon FILE [--short]
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
antiphon=
while [ $# -gt 0 ]; do
    case $1 in
        --antiphon) antiphon=$2 && shift ;;
        --short) seconds=20 ;;
        *) echo "cards: what is $1?" >&2 && exit 2 ;;
    esac
    shift
done

say() { echo "cards: $*" >&2; }

packages() {
    local need=(gcc make flex bison bc xz-utils libc6-dev libasound2 alsa-utils python3 python3-numpy iproute2)
    local missing=()
    for package in "${need[@]}"; do
        dpkg -s "$package" >/dev/null 2>&1 || missing+=("$package")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    local as_root=()
    [ "$(id -u)" -eq 0 ] || as_root=(sudo -n)
    say "installing ${missing[*]}"
    "${as_root[@]}" apt-get update -qq
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install -o DPkg::Lock::Timeout=120 -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

# The Bluetooth lab's kernel with sound cards: Kconfig has none in user-mode Linux, but nothing in the loopback card
# needs hardware.
kernel() {
    local recipe package making
    recipe=$({ cat "$here/guest/kernel.config" "$here/cards/kernel.config" && declare -f kernel; } | sha256sum | cut -c-12)
    kernel=$cache/linux-cards-$recipe
    [ ! -x "$kernel" ] || return 0
    say "fetching and compiling a kernel, once: some five minutes of two cores"
    package=$(apt-cache depends linux-source | sed -n 's/.*Depends: \(linux-source-[0-9].*\)/\1/p' | head -1)
    making=$(mktemp -d "$cache/making.XXXXXX")
    trap 'rm -rf "$making"' EXIT
    mkdir "$making/source" "$making/tree"
    (cd "$making/source" && apt-get download -qq "$package" && dpkg -x "$package"_*.deb .) >&2
    tar -C "$making/tree" -xJf "$making"/source/usr/src/linux-source-*.tar.xz --strip-components=1 \
        --exclude='*/drivers/gpu/*.[ch]' --exclude='*/drivers/net/*/*/*.[ch]' --exclude='*/sound/soc/*.[ch]' \
        --exclude='*/sound/pci/*.[ch]' --exclude='*.dts*' --exclude='*/Documentation/*.rst' --exclude='*/tools/testing/*'
    # Processors with AMX have more registers to save than the 2696 bytes that user-mode Linux allows for.
    sed -i 's/DEFINE_LONGS(HOST_FP_SIZE, 2696)/DEFINE_LONGS(HOST_FP_SIZE, 16384)/' "$making/tree/arch/x86/um/user-offsets.c"
    sed -i '/^if !UML$/d;/^endif # !UML$/d' "$making/tree/sound/Kconfig"
    cat "$here/guest/kernel.config" "$here/cards/kernel.config" >"$making/config"
    make -s -C "$making/tree" ARCH=um KCONFIG_ALLCONFIG="$making/config" allnoconfig >"$cache/kernel-cards.log" 2>&1
    make -s -C "$making/tree" ARCH=um -j"$(nproc)" linux >>"$cache/kernel-cards.log" 2>&1 ||
        { say "the kernel did not compile; see $cache/kernel-cards.log" && exit 2; }
    strip "$making/tree/linux" -o "$making/linux"
    mv "$making/linux" "$kernel"
}

# Before whatever else runs on the machine: the guest's kernel is one process.
first=()
if chrt --rr 5 true 2>/dev/null; then first=(chrt --rr 5); fi

boot() {
    local job=$work/job
    rm -rf "$job" && mkdir -p "$job/guest"
    cp "$here/guest/init" "$here"/cards/*.py "$here/cards/guest.sh" "$job/guest/"
    cp "$antiphon" "$job/antiphon"
    echo "SECONDS_EACH=$seconds" >"$job/settings"
    # The guest's processes are the host's, of the same group: whatever is left is ended with it.
    timeout --kill-after=5 $((2 * seconds + 240)) "${first[@]}" "$kernel" mem=1200M root=/dev/root rootfstype=hostfs rootflags=/ ro \
        quiet init="$job/guest/init" JOB="$job" con=null con0=null,fd:1 \
        snd_aloop.enable=1,1 snd_aloop.index=1,2 snd_aloop.id=First,Second snd_aloop.pcm_substreams=1,1 \
        </dev/null >"$job/console.log" 2>&1 || say "the guest ended with $?; see $job/console.log and guest.log"
}

trap 'say "the lab could not be set up"; exit 2' ERR
packages
kernel
trap - ERR
boot
/usr/bin/python3 "$here/cards/judge.py" "$work/job"
