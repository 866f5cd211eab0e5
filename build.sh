#!/usr/bin/env bash
# Builds, tests, benchmarks or packs Asni. The same steps in the same order as build.ps1.
#   ./build.sh [build|test|bench|pack] [arguments for dotnet test, or for the benchmarks]
set -euo pipefail
cd "$(dirname "$0")"

build() {
    # CMake only prepares the GPU kernels; without it Asni runs on the CPU.
    if command -v cmake > /dev/null; then
        cmake -S . -B build/native
    else
        echo "cmake not found: GPU kernels will not be built."
    fi
    dotnet build -c Release
}

verb=${1:-build}
[ $# -eq 0 ] || shift
case $verb in
    build) build ;;
    test) build; dotnet test -c Release --no-build "$@" ;;
    bench) build; dotnet run -c Release --no-build --project bench/Asni.Bench -- "$@" ;;
    pack) build; dotnet pack -c Release --no-build -o artifacts ;;
    *) echo "build.sh: there is no verb '$verb'; use build, test, bench or pack." >&2; exit 2 ;;
esac
