#!/usr/bin/env bash
# Installs what mgpu needs beside Rust, if it is missing: a C compiler (for native kernels), Open MPI and libclang (to build
# the MPI binding). Says what it does; uses sudo when it is not root.
set -euo pipefail

missing=()
command -v cc >/dev/null || missing+=(build-essential)
command -v mpicc >/dev/null || missing+=(libopenmpi-dev)
command -v mpirun >/dev/null || missing+=(openmpi-bin)
[ -n "${LIBCLANG_PATH:-}" ] || compgen -G "/usr/lib/llvm-*/lib/libclang[.-][s0-9]*so*" >/dev/null || missing+=(libclang-dev)

if [ ${#missing[@]} -eq 0 ]; then
    exit 0
fi
root=""
[ "$(id -u)" -eq 0 ] || root="sudo"
echo "mgpu: installing system packages: ${missing[*]}"
$root apt-get update -qq
$root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "${missing[@]}" >/dev/null
