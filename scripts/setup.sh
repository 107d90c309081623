#!/usr/bin/env bash
# Installs what building, testing and the demo need, where it is missing; quick when nothing is.
# `setup.sh checks` also installs the strangers that tests play to (sound servers) and that the SBC encoder is checked against.
# Rust itself is assumed. On Debian and Ubuntu packages come through apt when this runs as root or
# with a sudo that asks nothing; otherwise it ends with one line that says what to install.
# `setup.sh web` installs what building and testing the page needs: Node.js, a browser, a sound server.
# `setup.sh engines` installs the browsers of other makes.
# `setup.sh peers` installs what `make bench-peers` compares with.
set -euo pipefail
cd "$(dirname "$0")/.."

if ! command -v cargo >/dev/null; then
    echo "setup: Rust is missing; install it from https://rustup.rs and run this again" >&2
    exit 1
fi
for component in rustfmt clippy-driver; do
    if ! command -v "$component" >/dev/null; then
        echo "setup: $component is missing; run: rustup component add rustfmt clippy" >&2
        exit 1
    fi
done

missing=()
command -v cc >/dev/null || missing+=(build-essential)
# The one library of the system that is built against: sound cards without a sound server.
[ -e /usr/include/alsa/asoundlib.h ] || missing+=(libasound2-dev)
command -v pkg-config >/dev/null || missing+=(pkg-config)
scripts/python -c '' 2>/dev/null || missing+=(python3 python3-numpy)
if [ "${1:-}" = checks ]; then
    command -v ffmpeg >/dev/null || missing+=(ffmpeg)
    command -v pulseaudio >/dev/null || missing+=(pulseaudio)
    command -v parec >/dev/null || missing+=(pulseaudio-utils)
    compgen -G '/usr/lib/*/alsa-lib/libasound_module_pcm_pulse.so' >/dev/null || missing+=(libasound2-plugins)
    command -v pipewire-pulse >/dev/null || missing+=(pipewire pipewire-pulse)
    command -v wireplumber >/dev/null || missing+=(wireplumber)
    command -v dbus-daemon >/dev/null || missing+=(dbus)
    command -v ip >/dev/null || missing+=(iproute2)
    python3 -c 'import ensurepip' 2>/dev/null || missing+=(python3-venv)
    scripts/python -c 'import ctypes; ctypes.CDLL("libsbc.so.1")' 2>/dev/null || missing+=(libsbc1)
fi
if [ "${1:-}" = peers ]; then
    command -v pulseaudio >/dev/null || missing+=(pulseaudio)
    command -v parec >/dev/null || missing+=(pulseaudio-utils)
    command -v snapserver >/dev/null || missing+=(snapserver)
    command -v snapclient >/dev/null || missing+=(snapclient)
fi
if [ "${1:-}" = web ]; then
    command -v node >/dev/null || missing+=(nodejs)
    command -v npm >/dev/null || missing+=(npm)
    command -v chromium >/dev/null || missing+=(chromium)
    python3 -c 'import ensurepip' 2>/dev/null || missing+=(python3-venv)
    command -v pulseaudio >/dev/null || missing+=(pulseaudio)
    command -v parec >/dev/null || missing+=(pulseaudio-utils)
fi
if [ "${1:-}" = engines ]; then
    command -v firefox-esr >/dev/null || missing+=(firefox-esr)
    command -v WebKitWebDriver >/dev/null || missing+=(webkit2gtk-driver)
    command -v Xvfb >/dev/null || missing+=(xvfb)
    # What WebKit sounds by.
    compgen -G '/usr/lib/*/gstreamer-1.0/libgstpulseaudio.so' >/dev/null || missing+=(gstreamer1.0-plugins-good)
fi
[ ${#missing[@]} -eq 0 ] && exit 0

as_root=()
if [ "$(id -u)" -ne 0 ]; then
    if command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
        as_root=(sudo -n)
    else
        echo "setup: please install: ${missing[*]}  (Debian, Ubuntu: sudo apt-get install ${missing[*]})" >&2
        exit 1
    fi
fi
if ! command -v apt-get >/dev/null; then
    echo "setup: please install the equivalent of: ${missing[*]}" >&2
    exit 1
fi
echo "setup: installing ${missing[*]}" >&2
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
scripts/python -c ''
