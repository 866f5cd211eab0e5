#!/usr/bin/env bash
# Trains networks to the end on this machine's GPU: gpu_reproduce.py beside this file, which needs Python 3.
#   asni-gpu-host/gpu-reproduce.sh --data DIR [OPTIONS]      in the bundle of eng/gpu-bundle.sh --host: needs only NVIDIA's driver
#   eng/gpu-reproduce.sh --data DIR [OPTIONS]                in a checkout: builds that bundle's folder first
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
if [ ! -d "$here/host" ]; then
    "$here/gpu-bundle.sh" --host --folder
    here=$(cd "$here/../build/bundle/asni-gpu-host" && pwd)
fi
exec python3 "$here/gpu_reproduce.py" "$@"
