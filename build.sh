#!/usr/bin/env bash
# Builds (GPU kernels first, as far as compilers for them are here), tests, benchmarks or packs Asni. The same steps in the same order as build.ps1.
#   ./build.sh [build|test|bench|pack] [arguments for dotnet test, or for the benchmarks]
set -euo pipefail
cd "$(dirname "$0")"

build() {
    eng/native.sh
    dotnet build
}

verb=${1:-build}
[ $# -eq 0 ] || shift
case $verb in
    build) build ;;
    test) build; dotnet test --no-build "$@" ;;
    bench) build; dotnet run --no-build --project bench/Asni.Bench -- "$@" ;;
    pack)
        build
        dotnet pack --no-build -o artifacts
        dotnet pack src/Asni.Host -p:Precompiled=true -o artifacts ||
            echo "build.sh: the tool could not be compiled ahead of time; artifacts/ has it all the same, and it starts slower." >&2 ;;
    *) echo "build.sh: there is no verb '$verb'; use build, test, bench or pack." >&2; exit 2 ;;
esac
