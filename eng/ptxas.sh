#!/usr/bin/env bash
# Prints the folder of NVIDIA's ptxas 12.0 or newer, of cuobjdump and nvdisasm, and says on stderr why there is none: exit code 1.
# Looked for on PATH and in /usr/local/cuda; else CUDA 12.4's are taken out of Debian 13's non-free nvidia-cuda-toolkit, an 87 MB download under
# NVIDIA's licence, into a cache folder. Nothing is installed.
#   eng/ptxas.sh && ./build.sh          the build finds them in that folder from then on
set -euo pipefail
. "$(dirname "$0")/debian13.sh"
cache=${XDG_CACHE_HOME:-$HOME/.cache}/asni/cuda

give_up() {
    echo "ptxas: $1; PTX is checked as text only." >&2
    exit 1
}

for folder in "$(dirname "$(command -v ptxas || echo .)")" /usr/local/cuda/bin "$cache"; do
    if [ -x "$folder/ptxas" ] && "$folder/ptxas" --version | grep -qE 'release (1[2-9]|[2-9][0-9])\.'; then
        echo "$folder"
        exit 0
    fi
done

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
why=$(debian13 non-free "$work" nvidia-cuda-toolkit) || give_up "not found, and $why"
dpkg-deb --fsys-tarfile "$work"/nvidia-cuda-toolkit_*.deb | tar -x -C "$work" ./usr/bin/ptxas ./usr/bin/cuobjdump ./usr/bin/nvdisasm ./usr/share/doc/nvidia-cuda-toolkit
"$work/usr/bin/ptxas" --version > /dev/null || give_up "Debian 13's does not run here"
mkdir -p "$cache"
mv -f "$work"/usr/share/doc/nvidia-cuda-toolkit/copyright "$cache/"
mv -f "$work"/usr/bin/{cuobjdump,nvdisasm,ptxas} "$cache/"
echo "$cache"
