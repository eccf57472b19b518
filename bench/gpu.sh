#!/usr/bin/env bash
# Everything that needs a GPU, in one call: the programs against the CPU, speed alone and against other libraries, and NVIDIA's
# sanitizers where they are installed. Builds what it needs; goes on after a failure and ends with 1 if there was one.
#
# usage: bench/gpu.sh [RANKS]     ranks of the suite: 1,2,4 takes up to four GPUs (the default is 1)
set -uo pipefail
cd "$(dirname "$0")/.."
ranks="${1:-1}"
mgpu="${MGPU:-${CARGO_TARGET_DIR:-target}/release/mgpu}"
failed=()
say() { echo "mgpu: $*"; }
step() {
    say "$1"
    "${@:2}" || failed+=("$1")
}

if [ -z "${MGPU:-}" ]; then
    cargo build --release --quiet || exit 1
fi
if ! "$mgpu" run bench/empty.mgpu -n 1 --device cuda -q; then
    say "there is no GPU here that mgpu can use: mgpu doctor says why"
    exit 2
fi

step "programs on GPUs against the CPU" python3 bench/gpu_suite.py --mgpu "$mgpu" --ranks "$ranks"
most="${ranks##*,}"
if [ "$most" -gt 1 ]; then
    step "the same by NCCL and through the host" python3 bench/gpu_suite.py --mgpu "$mgpu" --ranks "$most:nccl,$most:staged"
    if command -v mpirun >/dev/null; then
        step "the same as MPI processes" python3 bench/gpu_suite.py --mgpu "$mgpu" --ranks "" --mpirun "$most,$most:nccl,$most:staged"
        if ompi_info --parsable 2>/dev/null | grep -q "mpi_built_with_cuda_support:value:true"; then
            step "the same by an MPI library that knows GPUs" python3 bench/gpu_suite.py --mgpu "$mgpu" --ranks "" --mpirun "$most:gpu-aware"
        else
            say "SKIPPED: gpu-aware transport; this MPI library does not know GPUs"
        fi
    fi
fi
step "a trace with a track for the GPU" python3 bench/gpu_trace.py --mgpu "$mgpu"
step "speed" python3 bench/gpu.py --mgpu "$mgpu"
step "against CuPy, JAX and PyTorch" python3 bench/gpu_compare.py --mgpu "$mgpu"
step "solvers" python3 bench/solvers.py --mgpu "$mgpu" --device cuda
if command -v compute-sanitizer >/dev/null; then
    # One program of each kind: a stencil, reductions, random numbers, indirect reads and scatters, a matrix product.
    for tool in memcheck racecheck initcheck synccheck; do
        for lesson in "05_heat -p n=96 -p steps=20" 19_many_sums "03_monte_carlo_pi -p samples=100000" "23_page_rank -p pages=300" 21_matrix_product; do
            scratch=$(mktemp -d)
            # The words of a lesson are its arguments.
            read -r -a words <<<"$lesson"
            cp -r "examples/${words[0]}.mgpu" examples/data "$scratch/"
            step "$tool on $lesson" compute-sanitizer --tool "$tool" --error-exitcode 9 --print-limit 5 \
                "$mgpu" run "$scratch/${words[0]}.mgpu" "${words[@]:1}" -n 1 --device cuda -q
            rm -rf "$scratch"
        done
    done
else
    say "SKIPPED: the sanitizers; compute-sanitizer (part of the CUDA toolkit) is not on the path"
fi

if [ ${#failed[@]} -gt 0 ]; then
    say "failed: ${#failed[@]}"
    printf '  %s\n' "${failed[@]}"
    exit 1
fi
say "everything passed"
