#!/usr/bin/env bash
# Trains every method at several sparsities and makes the page of what they reach: leaderboard.py beside this file, which needs Python 3 and describes its options.
#   eng/leaderboard.sh [--net lenet300,...] [--method rigl,...] [--sparsity 0.9,...] [--seed 1,2,3] [--recipes recipes/mnist] [--runs DIR] [--write docs/results.md] [-- FLAGS OF asni]
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
dotnet build "$root/src/Asni.Host" -c Release -v q --nologo
exec python3 "$root/eng/leaderboard.py" --asni "dotnet $(printf %q "$root/src/Asni.Host/bin/Release/net10.0/Asni.Host.dll")" "$@"
