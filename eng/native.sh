#!/usr/bin/env bash
# Builds of native/ what the compilers at hand allow: the kernels' PTX and the CUDA simulator. Installs nothing; says what is missing.
# Fails only when something that could be built is broken.
set -euo pipefail
cd "$(dirname "$0")/.."

if ! command -v cmake > /dev/null; then
    echo "cmake not found: GPU kernels will not be built (to have them: apt-get install cmake make clang-19 g++)."
    exit 0
fi
if ! command -v make > /dev/null; then
    if ! command -v ninja > /dev/null; then
        echo "neither make nor ninja found: GPU kernels will not be built (to have them: apt-get install make clang-19 g++)."
        exit 0
    fi
    export CMAKE_GENERATOR=${CMAKE_GENERATOR:-Ninja}
fi
cmake -S . -B build/native
cmake --build build/native --parallel "$(nproc 2> /dev/null || echo 2)"
