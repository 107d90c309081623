#!/usr/bin/env bash
# Asks a real hub what its own description says may be asked, and much that may not, made up by schemathesis:
# no answer may be the hub's own fault (5xx) or of another shape than described, and the hub must live on. Slow: some minutes.
#   scripts/check_api.sh [PATH/TO/antiphon]      EXAMPLES=25 by default, for each address and phase
# The WebSockets are left out.
set -euo pipefail
cd "$(dirname "$0")/.."
bin=${1:-${CARGO_TARGET_DIR:-target}/debug/antiphon}
[ -x "$bin" ] || { echo "check_api: no program at $bin; run: cargo build -p antiphon-cli --bin antiphon" >&2; exit 1; }

work=$(mktemp -d)
hub=
trap '[ -n "$hub" ] && kill "$hub" 2>/dev/null; rm -rf "$work"' EXIT
if ! command -v schemathesis >/dev/null; then
    python3 -m venv "$work/venv"
    "$work/venv/bin/pip" install --quiet schemathesis
    PATH="$work/venv/bin:$PATH"
fi

export ANTIPHON_STATE_DIR=$work/state ANTIPHON_RUNTIME_DIR=$work/run
"$bin" hub --listen 127.0.0.1:0 --no-mdns --no-bluetooth --name check 2>"$work/hub.log" &
hub=$!
for _ in $(seq 100); do
    address=$(sed -n 's/.*listens at \([0-9.:]*\),.*/\1/p' "$work/hub.log")
    [ -n "$address" ] && break
    sleep 0.1
done
[ -n "$address" ] || { cat "$work/hub.log" >&2; exit 1; }

# A speaker, so that settings have somebody to be for.
"$bin" speaker --hub "$address" --name desk --output null: 2>"$work/speaker.log" &
speaker=$!
trap 'kill "$speaker" "$hub" 2>/dev/null; wait; rm -rf "$work"' EXIT

status=0
schemathesis run "http://$address/api/v1/openapi.json" --url "http://$address" \
    --checks not_a_server_error,content_type_conformance,response_schema_conformance --phases examples,coverage,fuzzing --max-examples "${EXAMPLES:-25}" \
    --exclude-path /api/v1/source --exclude-path /api/v1/events --no-color || status=$?
if ! kill -0 "$hub" 2>/dev/null || ! "$bin" status --hub "$address" >/dev/null; then
    echo "check_api: the hub did not live on" >&2
    tail -20 "$work/hub.log" >&2
    exit 1
fi
grep -i panick "$work/hub.log" && exit 1
exit $status
