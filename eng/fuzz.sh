#!/usr/bin/env bash
# Attacks every reader with changed files: eng/fuzz.sh MINUTES [FORMAT...], or eng/fuzz.sh --inputs COUNT [FORMAT...]
# Each format has so many minutes (fractions too) or inputs, as many formats at once as there are processors. Fails when a reader throws anything but the project's own
# exceptions, takes more than 2 s or more memory than docs/formats.md allows, or dies; such inputs are kept in fuzz-out/.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
exec dotnet run --project "$root/tests/Asni.Fuzz" -- "${@:?MINUTES, and formats if not all}"
