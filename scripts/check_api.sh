#!/usr/bin/env bash
# Asks a real hub what its own description says may be asked, and much that may not, made up by schemathesis:
# no answer may be the hub's own fault (5xx) or of another shape than described, and the hub must live on. Slow: some minutes.
#   scripts/check_api.sh [PATH/TO/antiphon]      EXAMPLES=25 by default, for each address and phase; SEED=N asks the same again
# The WebSockets are left out.
set -euo pipefail
cd "$(dirname "$0")/.."
bin=${1:-${CARGO_TARGET_DIR:-target}/debug/antiphon}
[ -x "$bin" ] || { echo "check_api: no program at $bin; run: cargo build -p antiphon-cli --bin antiphon" >&2; exit 1; }

work=$(mktemp -d)
hub=
trap '[ -n "$hub" ] && kill "$hub" 2>/dev/null; rm -rf "$work"' EXIT
# Beside the built programs; a half-made environment is made anew. A machine that cannot have it says so and goes on.
venv=$(realpath -m "${CARGO_TARGET_DIR:-target}/schemathesis")
if [ ! -e "$venv/whole" ]; then
    rm -rf "$venv"
    python3 -m venv "$venv"
    if ! "$venv/bin/pip" install --quiet --disable-pip-version-check --timeout 20 schemathesis==4.32.5; then
        echo "check_api: NOT SHOWN: schemathesis cannot be installed here"
        exit 0
    fi
    touch "$venv/whole"
fi
PATH="$venv/bin:$PATH"

# Music with a cover, so that the library has something to tell.
mkdir "$work/music"
"$bin" signal width -o "$work/music/width.wav" 2>/dev/null
printf '\x89PNG\r\n\x1a\n' >"$work/music/cover.png"

export ANTIPHON_STATE_DIR=$work/state ANTIPHON_RUNTIME_DIR=$work/run
"$bin" hub --listen 127.0.0.1:0 --no-mdns --no-bluetooth --name check --music "$work/music" 2>"$work/hub.log" &
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

ask() { curl --silent --show-error --fail-with-body "http://$address/api/v1/$1" "${@:2}"; }
# What nobody makes up: a full queue, a recording, jobs with their results; so that these are looked at as well.
"$bin" signal measure --bits 16 -o "$work/both.wav" 2>/dev/null
# Both channels in one, as a microphone hears them, the right one a little further away.
python3 - "$work/both.wav" "$work/measure.wav" <<'PYTHON'
import array, sys, wave
with wave.open(sys.argv[1]) as both:
    samples, rate = array.array("h", both.readframes(both.getnframes())), both.getframerate()
left, right = samples[::2], array.array("h", bytes(60)) + samples[1::2]
with wave.open(sys.argv[2], "wb") as heard:
    heard.setparams((1, 2, rate, 0, "NONE", ""))
    heard.writeframes(array.array("h", [(l + r) // 2 for l, r in zip(left, right)]).tobytes())
PYTHON
upload=$(ask uploads?name=measure.wav --data-binary "@$work/measure.wav" | sed 's/.*"id":"\([0-9a-f]*\)".*/\1/')
ask queue -d '{"items":[{"signal":"width"},{"url":"http://127.0.0.1:9/live"},{"upload":"'"$upload"'"}]}' >/dev/null
ask groups/den -X PUT -d '{"kind":"party","members":[{"speaker":"desk","role":"both"}]}' >/dev/null
ask join-codes -d '{"valid_s":600}' >/dev/null
ask jobs -d '{"kind":"measure","upload":"'"$upload"'"}' >/dev/null
ask jobs -d '{"kind":"doctor"}' >/dev/null
for _ in $(seq 120); do
    ask jobs | grep -q '"running"' || break
    sleep 0.5
done

# In the directory of its own: it leaves what it found beside it.
check() {
    (cd "$work" && schemathesis run "http://$address/api/v1/openapi.json" --url "http://$address" --no-color ${SEED:+--seed "$SEED"} \
        --checks not_a_server_error,content_type_conformance,response_schema_conformance \
        --exclude-path /api/v1/source --exclude-path /api/v1/events --exclude-path-regex '^/(session|browser)' "$@")
}
status=0
echo "check_api: what there is"
check --include-method GET --phases fuzzing --max-examples 2 || status=$?
echo "check_api: whatever may be asked"
check --phases examples,coverage,fuzzing --max-examples "${EXAMPLES:-25}" || status=$?
if ! kill -0 "$hub" 2>/dev/null || ! "$bin" status --hub "$address" >/dev/null; then
    echo "check_api: the hub did not live on" >&2
    tail -20 "$work/hub.log" >&2
    exit 1
fi
grep -i panick "$work/hub.log" && exit 1
exit $status
