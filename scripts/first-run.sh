#!/usr/bin/env bash
# Sets up a fresh Debian or Ubuntu machine that has Rust, builds mgpu, and runs the heat lesson on two ranks.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/packages.sh
echo "mgpu: building (a few minutes: 5 to 7 on two cores)"
cargo build --release --quiet
echo "mgpu: target/release/mgpu run examples/05_heat.mgpu -n 2"
target/release/mgpu run examples/05_heat.mgpu -n 2
echo "mgpu: the picture is examples/heat.png"
