#!/usr/bin/env bash
# web/dist is committed, so that cargo alone builds the product; this fails where its sources build something else.
set -euo pipefail
cd "$(dirname "$0")/../web"
fresh=$(mktemp -d)
trap 'rm -rf "$fresh"' EXIT
npx vite build --logLevel warn --emptyOutDir --outDir "$fresh"
if ! diff -r dist "$fresh"; then
    echo "check_dist: web/dist is not what its sources build; run: cd web && npm ci && npx vite build" >&2
    exit 1
fi
