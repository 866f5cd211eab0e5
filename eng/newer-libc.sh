#!/usr/bin/env bash
# Prints a program that runs .NET assemblies as `dotnet` does, with the C and C++ libraries of Debian 13 (glibc 2.41, GCC 14), and says on stderr why there is
# none: exit code 1. TorchSharp's native library needs glibc 2.38. The libraries are taken out of Debian's packages, a download of 4 MB, into a cache folder; nothing
# is installed, and no rights are needed.
#   dotnet run --project bench/Asni.Peers -- --libtorch-host "$(eng/newer-libc.sh)"
set -euo pipefail
. "$(dirname "$0")/debian13.sh"
cache=${XDG_CACHE_HOME:-$HOME/.cache}/asni/debian13

give_up() {
    echo "newer-libc: $1." >&2
    exit 1
}

command -v dotnet > /dev/null || give_up "dotnet is not on PATH"
installed=$(dirname "$(readlink -f "$(command -v dotnet)")")
[ -d "$installed/host" ] || give_up "no .NET runtime lies beside $installed/dotnet"
# Made for the dotnet that is on PATH now.
if [ "$(readlink "$cache/host")" = "$installed/host" ] && "$cache/run" --list-runtimes > /dev/null 2>&1; then
    echo "$cache/run"
    exit 0
fi
[ "$(uname -m)" = x86_64 ] || give_up "made for x86-64 alone"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
why=$(debian13 main "$work" libc6 libstdc++6 libgcc-s1 zlib1g) || give_up "$why"
for package in "$work"/*.deb; do dpkg-deb -x "$package" "$work/root"; done

rm -rf "$cache"
mkdir -p "$cache"
mv "$work/root/usr/lib/x86_64-linux-gnu" "$cache/libraries"
mv "$work/root/usr/share/doc" "$cache/doc"
# The host looks for the runtime beside the file that the kernel started, which is the loader.
cp "$cache/libraries/ld-linux-x86-64.so.2" "$cache/dotnet"
ln -s "$installed/host" "$installed/shared" "$cache/"
# Only these libraries: the system's own folder, named here, would come before what stands beside a library, and may have another libtorch.
cat > "$cache/run" << END
#!/usr/bin/env bash
exec "$cache/dotnet" --library-path "$cache/libraries" "$installed/dotnet" "\$@"
END
chmod +x "$cache/run"
"$cache/run" --list-runtimes > /dev/null || give_up "Debian 13's libraries do not run here"
echo "$cache/run"
