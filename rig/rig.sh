#!/usr/bin/env bash
# Sets up what the virtual Bluetooth lab needs, where it is missing, and runs it; README.md says what it is.
# What a run leaves lies under RIG_WORK, by default target/rig; the kernel and the Python that it needs are
# outside the tree, under RIG_CACHE, so that the next clone finds them.
set -Eeuo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=${RIG_WORK:-$here/../target/rig}
cache=${RIG_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/antiphon-rig}
mkdir -p "$work" "$cache"
work=$(cd "$work" && pwd)
cache=$(cd "$cache" && pwd)
bumble=0.0.236

say() { echo "rig: $*" >&2; }

# Debian's own Python, which the guest has too; newer ones stand beside it. Made aside and moved into place
# whole; whoever loses a race for the place uses the winner's.
python() {
    local version making
    version=$(/usr/bin/python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    venv=$cache/python$version-bumble$bumble
    if [ -d "$venv" ]; then return; fi
    say "making a Python environment with Bumble"
    making=$(mktemp -d "$cache/making.XXXXXX")
    /usr/bin/python3 -m venv "$making/venv"
    "$making/venv/bin/python" -m pip -q install "bumble==$bumble" numpy
    mv -T "$making/venv" "$venv" 2>/dev/null || [ -d "$venv" ]
    rm -rf "$making"
}

trap 'say "the lab could not be set up"; exit 2' ERR
"$here/packages.sh" gcc make flex bison bc xz-utils libc6-dev bluez bluez-test-tools dbus socat libsbc1 \
    python3 python3-venv iproute2 pipewire wireplumber libspa-0.2-bluetooth
kernel=$("$here/kernel.sh" "$cache" "$here/guest/kernel.config")
python
trap - ERR
(cd "$here" && "$venv/bin/python" -m unittest --quiet)
exec "$venv/bin/python" "$here/run.py" --work "$work" --kernel "$kernel" "$@"
