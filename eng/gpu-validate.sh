#!/usr/bin/env bash
# Validates Asni's CUDA device on this machine: gpu_validate.py beside this file, which needs Python 3.
#   asni-gpu/gpu-validate.sh [OPTIONS]      in the bundle of eng/gpu-bundle.sh: needs only NVIDIA's driver
#   eng/gpu-validate.sh [OPTIONS]           in a checkout: builds that bundle's folder first
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
if [ ! -d "$here/tests" ]; then
    "$here/gpu-bundle.sh" --folder
    here=$(cd "$here/../build/bundle/asni-gpu" && pwd)
fi
exec python3 "$here/gpu_validate.py" "$@"
