#!/usr/bin/env bash
# Measures the figures of docs/figures.md on this machine: about 40 minutes, during which nothing else
# should run. `scripts/bench.sh --short` takes about 6 minutes and prints only; `--help` says the rest.
set -euo pipefail
cd "$(dirname "$0")/.."
target="${CARGO_TARGET_DIR:-target}"
if [ -z "${ANTIPHON_BENCH_BIN:-}" ]; then
    "${CARGO:-cargo}" build --locked --release --package antiphon-cli --bin antiphon
    "${CARGO:-cargo}" build --locked --release --package antiphon-measure --example tones --example distortion
    "${CARGO:-cargo}" build --locked --release --package antiphon-sim --example rooms --example follow
    "${CARGO:-cargo}" build --locked --release --package antiphon-bluez-fake --example two_speakers
    # Copies: whoever builds meanwhile does not change what is measured.
    ANTIPHON_BENCH_BIN="$target/bench/bin"
    mkdir -p "$ANTIPHON_BENCH_BIN"
    cp "$target/release/antiphon" "$target/release/examples/tones" "$target/release/examples/distortion" \
        "$target/release/examples/rooms" "$target/release/examples/follow" \
        "$target/release/examples/two_speakers" "$ANTIPHON_BENCH_BIN"
fi
exec scripts/python scripts/bench.py --bin "$ANTIPHON_BENCH_BIN" --work "$target/bench" "$@"
