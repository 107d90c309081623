#!/usr/bin/env bash
# Compiles Debian's kernel as a program, unless the cache has it, and prints where it is.
#
#     rig/kernel.sh CACHE CONFIG...
#
# It is kept under the version of Debian's source and the hash of all CONFIG and of this recipe, and is moved into
# place when it is whole: several labs may share a cache, and one that is interrupted leaves no half kernel.
set -Eeuo pipefail
cache=$1
shift
say() { echo "rig: $*" >&2; }
trap 'say "the kernel could not be made: line $LINENO of rig/kernel.sh"; exit 2' ERR

newest() { apt-cache depends linux-source 2>/dev/null | sed -n 's/.*Depends: \(linux-source-[0-9].*\)/\1/p' | head -1; }
package=$(newest)
if [ -z "$package" ]; then
    [ "$(id -u)" -eq 0 ] && apt-get update -qq || sudo -n apt-get update -qq
    package=$(newest)
fi
# The newest is not always the best: with 6.1.192 a Bluetooth link that is lost under an open stream frees a channel
# (hci_chan_del) that bluetoothd's closing socket still uses, and the guest panics each time. So one that was seen to work, where Debian has it.
works=6.1.176-1
version=$(apt-cache policy "$package" | sed -n 's/ *Candidate: //p')
if [[ $(apt-cache madison "$package") == *" $works "* ]]; then version=$works; fi
recipe=$(cat "$@" "$0" | sha256sum | cut -c-12)
kernel=$cache/linux-$version-$recipe
if [ -x "$kernel" ]; then echo "$kernel"; exit; fi

say "fetching and compiling a kernel, once: some five minutes of two cores"
mkdir -p "$cache"
making=$(mktemp -d "$cache/making.XXXXXX")
trap 'rm -rf "$making"' EXIT
mkdir "$making/source" "$making/tree"
(cd "$making/source" && apt-get download -qq "$package=$version" && dpkg -x "$package"_*.deb .) >&2
# The sources of drivers for hardware are most of it, and their Kconfig files are all that is read.
tar -C "$making/tree" -xJf "$making"/source/usr/src/linux-source-*.tar.xz --strip-components=1 \
    --exclude='*/drivers/gpu/*.[ch]' --exclude='*/drivers/net/*/*/*.[ch]' --exclude='*/sound/soc/*.[ch]' \
    --exclude='*/sound/pci/*.[ch]' --exclude='*.dts*' --exclude='*/Documentation/*.rst' --exclude='*/tools/testing/*'
# Processors with AMX have more registers to save than the 2696 bytes that user-mode Linux allows for.
sed -i 's/DEFINE_LONGS(HOST_FP_SIZE, 2696)/DEFINE_LONGS(HOST_FP_SIZE, 16384)/' "$making/tree/arch/x86/um/user-offsets.c"
cat "$@" >"$making/config"
if grep -q CONFIG_SND=y "$making/config"; then
    # The loopback card needs no hardware, though Kconfig has no sound here; its counter moves on by ticks, and Debian's
    # own kernel has 250 a second.
    sed -i '/^if !UML$/d;/^endif # !UML$/d' "$making/tree/sound/Kconfig"
    sed -i '/^config HZ$/,/default/s/default 100/default 250/' "$making/tree/arch/um/Kconfig"
fi
log=$cache/kernel.log
make -s -C "$making/tree" ARCH=um KCONFIG_ALLCONFIG="$making/config" allnoconfig >"$log" 2>&1
make -s -C "$making/tree" ARCH=um -j"$(nproc)" linux >>"$log" 2>&1 ||
    { say "the kernel did not compile; see $log" && exit 2; }
strip "$making/tree/linux" -o "$making/linux"
mv "$making/linux" "$kernel"
echo "$kernel"
