#!/usr/bin/env bash
# Makes .venv, if it is missing, and brings the Python packages that are named into it: scripts/venv.sh numpy mpi4py
set -euo pipefail
cd "$(dirname "$0")/.."
if [ ! -x .venv/bin/python ]; then
    if ! python3 -c "import venv, ensurepip" 2>/dev/null; then
        root=""
        [ "$(id -u)" -eq 0 ] || root="sudo"
        echo "mgpu: installing system packages: python3-venv"
        $root apt-get update -qq
        $root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq python3-venv >/dev/null
    fi
    python3 -m venv .venv
fi
missing=()
for package in "$@"; do
    .venv/bin/python -c "import $package" 2>/dev/null || missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
    echo "mgpu: installing Python packages into .venv: ${missing[*]}"
    .venv/bin/python -m pip install --quiet --disable-pip-version-check "${missing[@]}"
fi
