#!/usr/bin/env bash
# Sets up a fresh Debian or Ubuntu machine that has Rust and runs every check: format, lints, all tests with MPI, and the
# tests of the build without MPI.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/packages.sh
export RUST_BACKTRACE=0
# Kernels for GPUs are compiled, without a GPU.
MGPU_CUDA_LIB=$(scripts/nvrtc.sh)
export MGPU_CUDA_LIB MGPU_REQUIRE_NVRTC=1
# The tests start Open MPI on few cores, perhaps as root.
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1
# The hand-written programs of the book and of `mgpu explain --as mpi4py`.
scripts/venv.sh numpy mpi4py
export PATH="$PWD/.venv/bin:$PATH"
# What the programs of the suite must print is what NumPy says, and not what mgpu printed once.
python3 tests/numpy/suite/generate.py --check
cargo fmt --check
cargo clippy --all-targets --quiet -- -D warnings
cargo test --quiet
# The pages and figures in a browser, JSON, traces. Each editor too, where tree-sitter's command is there: building it takes minutes.
scripts/pages.sh
tools=".cache/editors/bin:.cache/editors/node_modules/.bin"
if [ -n "${MGPU_TREE_SITTER:-}" ] || PATH="$PATH:$tools" command -v tree-sitter >/dev/null; then
    scripts/editors.sh
else
    echo "mgpu: SKIPPED: the editors themselves; scripts/editors.sh runs them"
fi
# Without MPI, CUDA, the language server and the simulator everything else builds and passes. Same folder: the packages that both builds use
# are built once. Only the command knows features (tests/layering.rs sees to it), so the tests that start it run again, and those of
# the compiler as a library do not.
cargo clippy --no-default-features --all-targets --quiet -- -D warnings
cargo test --no-default-features --quiet --lib --bins --test crashes --test docs --test failures --test launchers --test suite --test testing
# The command as it is meant to be.
cargo build --quiet
