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

# The test that runs all programs in one process: MGPU_GPUS, or what cargo has built.
gpus="${MGPU_GPUS:-}"
if [ -z "${MGPU:-}" ]; then
    cargo build --release --quiet || exit 1
    gpus=$(cargo test --release --no-run --test gpus --message-format=json 2>/dev/null | sed -n 's/.*"executable":"\([^"]*gpus-[^"]*\)".*/\1/p' | tail -n 1)
fi
if ! "$mgpu" run bench/empty.mgpu -n 1 --device cuda -q; then
    say "there is no GPU here that mgpu can use: mgpu doctor says why"
    exit 2
fi
# suite PARTS WORDS..: the programs in so many processes (or jobs) beside each other; prints what is wrong, and how many there were.
suite() {
    local parts="$1" logs failed=0 k pids=()
    logs=$(mktemp -d)
    for ((k = 0; k < parts; k++)); do
        "${@:2}" --part "$k/$parts" >"$logs/$k" 2>"$logs/$k.err" &
        pids+=($!)
    done
    for k in "${!pids[@]}"; do
        wait "${pids[$k]}" || failed=1
        cat "$logs/$k"
    done
    [ "$failed" = 0 ] || tail -n 20 "$logs"/*.err
    rm -rf "$logs"
    return "$failed"
}

small_panels() { MGPU_PANELS=40 MGPU_LISTS=1 "$@"; }

step "programs on GPUs against the CPU" suite 4 "$gpus" --ranks "$ranks"
# Programs that nobody has looked at: those of MGPU_PROGRAMS, or new ones.
programs="${MGPU_PROGRAMS:-}"
if [ -z "$programs${MGPU:-}" ]; then
    programs=$(mktemp -d)
    trap 'rm -rf "$programs"' EXIT
    export MGPU_RANDOM_WRITE="$programs" MGPU_RANDOM_PROGRAMS=600 MGPU_RANDOM_SEED="$(date +%s)000"
    step "random programs are written" cargo test --release --quiet --test random_programs random_programs_mean
fi
[ -z "$programs" ] || step "random programs on GPUs against the CPU" suite 8 "$gpus" --ranks "$ranks" --programs "$programs"
most="${ranks##*,}"
if [ "$most" -gt 1 ]; then
    step "the same by NCCL and through the host" suite 4 "$gpus" --ranks "$most" --transports nccl,staged
    if command -v mpirun >/dev/null; then
        step "the same as MPI processes" suite 3 mpirun --oversubscribe -n "$most" "$gpus" --transports auto,nccl,staged
        if ompi_info --parsable 2>/dev/null | grep -q "mpi_built_with_cuda_support:value:true"; then
            step "the same by an MPI library that knows GPUs" suite 3 mpirun --oversubscribe -n "$most" "$gpus" --transports gpu-aware
        else
            say "SKIPPED: gpu-aware transport; this MPI library does not know GPUs"
        fi
    fi
    step "products panel by panel, elements by lists" small_panels suite 4 "$gpus" --ranks "$ranks" --transports auto,nccl,staged --only contraction,indirect
    step "steps on several GPUs" python3 bench/gpus.py --mgpu "$mgpu" --gpus "$ranks"
fi
step "GPUs that are hidden, too small, or lost" python3 bench/gpu_faults.py --mgpu "$mgpu" --gpus "$ranks"
step "a trace with a track for the GPU" python3 bench/gpu_trace.py --mgpu "$mgpu"
step "products on tensor cores by cuBLAS" python3 bench/product.py --mgpu "$mgpu" --device cuda --tensor-cores
step "speed" python3 bench/gpu.py --mgpu "$mgpu"
step "against CuPy, JAX and PyTorch" python3 bench/gpu_compare.py --mgpu "$mgpu"
step "training beside JAX on as many GPUs" python3 bench/training_jax.py --mgpu "$mgpu" --gpus "$ranks"
step "a perceptron beside JAX on as many GPUs" python3 bench/training_jax.py --mgpu "$mgpu" --gpus "$ranks" --program perceptron
step "values whose elements change" python3 bench/deposit.py --mgpu "$mgpu" --gpus "$ranks"
step "running sums" python3 bench/scan.py --mgpu "$mgpu" --gpus "$ranks"
step "solvers" python3 bench/solvers.py --mgpu "$mgpu" --device cuda
if command -v compute-sanitizer >/dev/null; then
    for tool in memcheck racecheck initcheck synccheck; do
        # Warps of a pair of products meet at different places of its text, which PTX allows and synccheck does not know.
        but=()
        [ "$tool" != synccheck ] || but=(--without pair)
        step "$tool" suite 8 compute-sanitizer --tool "$tool" --error-exitcode 9 --print-limit 5 "$gpus" --ranks 1 "${but[@]}"
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
