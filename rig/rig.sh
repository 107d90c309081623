#!/usr/bin/env bash
# Sets up what the virtual Bluetooth lab needs, where it is missing, and runs it; README.md says what it is.
# All that it makes lies under RIG_WORK, by default target/rig.
set -Eeuo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=${RIG_WORK:-$here/../target/rig}
mkdir -p "$work/cache"
work=$(cd "$work" && pwd)
cache=$work/cache
bumble=0.0.236

say() { echo "rig: $*" >&2; }

packages() {
    local need=(gcc make flex bison bc xz-utils libc6-dev bluez bluez-test-tools dbus socat libsbc1 python3 python3-venv
        iproute2 pipewire wireplumber libspa-0.2-bluetooth)
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
        apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

# Debian's kernel as a program: its own Bluetooth, nothing that the lab does not use.
kernel() {
    if [ "$cache/linux" -nt "$here/guest/kernel.config" ]; then return; fi
    say "fetching and compiling a kernel"
    local package tree=$cache/kernel
    package=$(apt-cache depends linux-source | sed -n 's/.*Depends: \(linux-source-[0-9].*\)/\1/p' | head -1)
    rm -rf "$tree" "$cache/source" && mkdir -p "$tree" "$cache/source"
    (cd "$cache/source" && apt-get download -qq "$package" && dpkg -x "$package"_*.deb .)
    # The sources of drivers for hardware are most of it, and their Kconfig files are all that is read.
    tar -C "$tree" -xJf "$cache"/source/usr/src/linux-source-*.tar.xz --strip-components=1 \
        --exclude='*/drivers/gpu/*.[ch]' --exclude='*/drivers/net/*/*/*.[ch]' --exclude='*/sound/*.[ch]' \
        --exclude='*.dts*' --exclude='*/Documentation/*.rst' --exclude='*/tools/testing/*'
    # Processors with AMX have more registers to save than the 2696 bytes that user-mode Linux allows for.
    sed -i 's/DEFINE_LONGS(HOST_FP_SIZE, 2696)/DEFINE_LONGS(HOST_FP_SIZE, 16384)/' "$tree/arch/x86/um/user-offsets.c"
    make -s -C "$tree" ARCH=um KCONFIG_ALLCONFIG="$here/guest/kernel.config" allnoconfig >"$cache/kernel.log" 2>&1
    make -s -C "$tree" ARCH=um -j"$(nproc)" linux >>"$cache/kernel.log" 2>&1 ||
        { say "the kernel did not compile; see $cache/kernel.log" && exit 2; }
    cp "$tree/linux" "$cache/linux"
    rm -rf "$tree" "$cache/source"
}

# Debian's own Python, which the guest has too; newer ones stand beside it.
python() {
    if [ -e "$cache/venv/bumble-$bumble" ]; then return; fi
    say "making a Python environment with Bumble"
    rm -rf "$cache/venv"
    /usr/bin/python3 -m venv "$cache/venv"
    "$cache/venv/bin/pip" -q install "bumble==$bumble" numpy
    touch "$cache/venv/bumble-$bumble"
}

trap 'say "the lab could not be set up"; exit 2' ERR
packages
kernel
python
trap - ERR
(cd "$here" && "$cache/venv/bin/python" -m unittest --quiet)
exec "$cache/venv/bin/python" "$here/run.py" --work "$work" "$@"
