#!/usr/bin/env bash
# Makes one archive that validates Asni on a Linux machine with a GPU and nothing but its driver: the tests and benchmarks as programs, the
# command line, the kernels' PTX, a .NET runtime and the PyTorch peers.
#   eng/gpu-bundle.sh             build/bundle/asni-gpu.tar.xz; there: python3 -m tarfile -e asni-gpu.tar.xz && bash asni-gpu/gpu-validate.sh
#   eng/gpu-bundle.sh --host      build/bundle/asni-gpu-host.tar.xz: what gpu-reproduce.sh needs, without tests, benchmarks and peers
#   eng/gpu-bundle.sh --folder    only the folder, for this machine; also with --host
set -euo pipefail
cd "$(dirname "$0")/.."

name=asni-gpu only_folder=
for option in "$@"; do
    case $option in
        --host) name=asni-gpu-host ;;
        --folder) only_folder=yes ;;
        *) echo "gpu-bundle.sh: there is no option $option; there are --host and --folder." >&2; exit 2 ;;
    esac
done
limit_bytes=$((40 << 20))
folder=build/bundle/$name
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1

eng/native.sh
if ! compgen -G 'build/native/ptx/*.ptx' > /dev/null; then
    echo "gpu-bundle.sh: there is no PTX to bundle: install clang-19 (apt-get install clang-19) or the CUDA toolkit." >&2
    exit 1
fi

# Builds apart from the usual output, which has other settings.
publish() {
    dotnet publish "$1" -c Release --artifacts-path build/bundle/artifacts -o "$folder/$2" -v quiet "${@:3}"
}
rm -rf "$folder"
mkdir -p "$folder"
if [ $name = asni-gpu ]; then
    publish tests/Asni.Tests tests -p:StandaloneTests=true
    publish bench/Asni.Bench bench
fi
publish src/Asni.Host host
# Coverage and foreign platforms' binaries that nothing here loads.
rm -rf "$folder"/tests/Microsoft.CodeCoverage "$folder"/bench/{amd64,arm64,x86}/msdia140.dll "$folder"/*/runtimes/{win*,osx*,linux-arm*,linux-musl*,linux-x86}
# Only training reads image files: the decoder is 12 MiB three times.
if [ $name = asni-gpu ]; then rm -f "$folder"/*/runtimes/linux-x64/native/libSkiaSharp.so; fi
if [ $name = asni-gpu ]; then
    mkdir -p "$folder/ptx" "$folder/peers"
    cp build/native/ptx/*.ptx build/native/ptx/tests/*.ptx "$folder/ptx/"
    cp bench/peers/*.py "$folder/peers/"
    cp eng/gpu-validate.sh "$folder/"
fi
cp eng/gpu-reproduce.sh eng/gpu_reproduce.py eng/gpu_validate.py "$folder/"
git describe --always --dirty > "$folder/commit.txt" 2> /dev/null || echo unknown > "$folder/commit.txt"
if [ -n "$only_folder" ]; then exit 0; fi

# The runtime that the programs were built for, from the SDK at hand.
root=$(dirname "$(readlink -f "$(command -v dotnet)")")
version=$(dotnet --list-runtimes | sed -n 's/^Microsoft.NETCore.App \(10\.[^ ]*\) .*/\1/p' | tail -1)
mkdir -p "$folder/dotnet/host/fxr" "$folder/dotnet/shared/Microsoft.NETCore.App"
cp "$root/dotnet" "$folder/dotnet/"
cp -r "$root/host/fxr/$version" "$folder/dotnet/host/fxr/"
cp -r "$root/shared/Microsoft.NETCore.App/$version" "$folder/dotnet/shared/Microsoft.NETCore.App/"
cp "$root/LICENSE.txt" "$root/ThirdPartyNotices.txt" "$folder/dotnet/" 2> /dev/null || true

archive=build/bundle/$name.tar.xz
# Written aside and renamed, so that a half-written archive never has the final name.
tar -C build/bundle -c $name | xz -T0 -6 > "$archive.part"
mv "$archive.part" "$archive"
bytes=$(stat -c %s "$archive")
echo "$archive: $((bytes >> 20)) MiB"
if [ "$bytes" -gt "$limit_bytes" ]; then
    echo "gpu-bundle.sh: the archive is larger than $((limit_bytes >> 20)) MiB." >&2
    exit 1
fi
