#!/usr/bin/env bash
# Installs what mgpu needs beside Rust, if it is missing: a C compiler (for native kernels), Open MPI and libclang (to build
# the MPI binding). Says what it does; uses sudo when it is not root.
set -euo pipefail

missing=()
need() { # need COMMAND-OR-FILE PACKAGE
    command -v "$1" >/dev/null 2>&1 || compgen -G "$1" >/dev/null || missing+=("$2")
}
need cc build-essential
need mpicc libopenmpi-dev
need mpirun openmpi-bin
need "/usr/lib/*/libclang*.so*" libclang-dev
[ -e /usr/lib/llvm-*/lib/libclang.so ] 2>/dev/null || compgen -G "/usr/lib/llvm-*/lib/libclang*.so*" >/dev/null || missing+=(libclang-dev)

if [ ${#missing[@]} -eq 0 ]; then
    exit 0
fi
root=""
[ "$(id -u)" -eq 0 ] || root="sudo"
echo "mgpu: installing system packages: ${missing[*]}"
$root apt-get update -qq
$root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "${missing[@]}" >/dev/null
