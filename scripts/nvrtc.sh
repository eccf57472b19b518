#!/usr/bin/env bash
# Brings NVRTC, NVIDIA's run-time compiler, as a Python package into .venv, so that kernels can be compiled on a machine without
# a GPU or CUDA; prints the folder with the library. Does nothing where a CUDA toolkit has it.
set -euo pipefail
cd "$(dirname "$0")/.."
for folder in "${MGPU_CUDA_LIB:-}" "${CUDA_HOME:-/usr/local/cuda}/lib64"; do
    if [ -n "$folder" ] && compgen -G "$folder/libnvrtc.so*" >/dev/null; then
        echo "$folder"
        exit 0
    fi
done
if ! compgen -G ".venv/lib/python3*/site-packages/nvidia/cu13/lib/libnvrtc.so*" >/dev/null; then
    if ! python3 -c "import venv, ensurepip" 2>/dev/null; then
        root=""
        [ "$(id -u)" -eq 0 ] || root="sudo"
        echo "mgpu: installing system packages: python3-venv" >&2
        $root apt-get update -qq >&2
        $root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq python3-venv >/dev/null
    fi
    echo "mgpu: installing NVRTC (nvidia-cuda-nvrtc, about 90 MB) into .venv" >&2
    [ -d .venv ] || python3 -m venv .venv >&2
    .venv/bin/python -m pip install --quiet --disable-pip-version-check "nvidia-cuda-nvrtc==13.0.*" >&2
fi
compgen -G "$PWD/.venv/lib/python3*/site-packages/nvidia/cu13/lib"
