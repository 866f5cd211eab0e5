#!/usr/bin/env bash
# Validates Asni's CUDA device on this machine in under 9 minutes and writes what it found as results.json and results.md.
#   asni-gpu/gpu-validate.sh [--out DIR]              in the bundle of eng/gpu-bundle.sh: needs only NVIDIA's driver
#   eng/gpu-validate.sh [--out DIR]                   in a checkout: builds that bundle's folder first
#   ... --dry-run /path/to/libasni_cuda_simulator.so  every step on the simulator, in small; its figures mean nothing
# Every step runs even when an earlier one failed. Exit code 0: no step failed.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
out=gpu-validation
simulator=
while [ $# -gt 0 ]; do
    case $1 in
        --out) out=$2; shift 2 ;;
        --dry-run) simulator=$(readlink -f "$2"); shift 2 ;;
        *) echo "gpu-validate.sh: unknown argument '$1'." >&2; exit 2 ;;
    esac
done
if [ ! -d "$here/tests" ]; then
    "$here/gpu-bundle.sh" --folder || exit 1
    here=$(cd "$here/../build/bundle/asni-gpu" && pwd)
fi
mkdir -p "$out"
out=$(cd "$out" && pwd)
rm -f "$out"/*

budget=520
export TESTINGPLATFORM_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1
if [ -x "$here/dotnet/dotnet" ]; then export DOTNET_ROOT=$here/dotnet PATH=$here/dotnet:$PATH; fi
if [ -n "$simulator" ]; then export ASNI_CUDA_DRIVER=$simulator; fi
# cuBLAS and cuDNN, optional, as PyTorch's wheels bring them.
if [ -z "$simulator" ] && [ -z "${ASNI_CUDA_LIBRARIES:-}" ]; then
    ASNI_CUDA_LIBRARIES=$(python3 - 2> /dev/null <<'PYTHON'
import glob, os, sysconfig
packages = sysconfig.get_paths()["purelib"]
print(":".join(sorted({os.path.dirname(f) for name in ("libcublas.so.1*", "libcudnn.so.9") for f in glob.glob(f"{packages}/nvidia/*/lib/{name}")})))
PYTHON
    )
    export ASNI_CUDA_LIBRARIES
fi
tests=(dotnet "$here/tests/Asni.Tests.dll" --no-progress --no-ansi)
bench=(dotnet "$here/bench/Asni.Bench.dll")
asni=(dotnet "$here/host/Asni.Host.dll")

json_text() { printf '"%s"' "$(printf '%s' "$1" | tr '\n\t' '  ' | sed 's/\\/\\\\/g; s/"/\\"/g')"; }

steps_json=
failed=0
# record NAME STATUS SECONDS SUMMARY
record() {
    steps_json+="${steps_json:+,
    }{\"name\": \"$1\", \"status\": \"$2\", \"seconds\": $3, \"summary\": $(json_text "$4")}"
    echo "| $1 | $2 | $3 | $4 |" >> "$out/steps.part"
    if [ "$2" = failed ]; then failed=$((failed + 1)); fi
    echo "$1: $2 in $3 s. $4"
}

# step NAME LIMIT SUMMARY-COMMAND COMMAND...: runs the command for at most LIMIT seconds, or what is left of the budget; its output goes to
# NAME.log, and SUMMARY-COMMAND, given that file, prints one line about it.
step() {
    local name=$1 limit=$2 summary=$3 start=$SECONDS status=passed text
    shift 3
    local left=$((budget - SECONDS))
    if [ "$left" -lt 5 ]; then
        record "$name" failed 0 "no time left"
        return 1
    fi
    timeout -k 5 $((limit < left ? limit : left)) "$@" > "$out/$name.log" 2>&1
    local code=$?
    text=$("$summary" "$out/$name.log")
    if [ $code -ne 0 ]; then
        status=failed
        if [ $code -eq 124 ]; then text="stopped after $((SECONDS - start)) s. $text"; fi
    fi
    record "$name" $status $((SECONDS - start)) "$text"
    [ $code -eq 0 ]
}
skip() { record "$1" skipped 0 "$2"; }
last_line() { grep -v '^ *$' "$1" | tail -1 | cut -c1-300; }
test_counts() { sed -nE 's/^ *(total|failed|succeeded|skipped): ([0-9]+).*/\1 \2/p' "$1" | paste -sd, | sed 's/,/, /g'; }

gpu=none driver=none
if [ -n "$simulator" ]; then
    gpu="Asni CUDA simulator"
elif command -v nvidia-smi > /dev/null; then
    gpu=$(nvidia-smi --query-gpu=name --format=csv,noheader | head -1)
    driver=$(nvidia-smi --query-gpu=driver_version --format=csv,noheader | head -1)
    nvidia-smi > "$out/nvidia-smi.log" 2>&1
fi

# 1. The PTX assembles, and what became of each kernel.
assemble() {
    local file architecture bad=0
    for file in "$here"/ptx/*.ptx; do
        architecture=$(basename "$file" .ptx)
        ptxas -v "-arch=${architecture##*.}" -o /dev/null "$file" || bad=$((bad + 1))
    done
    echo "$bad files of $(ls "$here"/ptx/*.ptx | wc -l) do not assemble"
    [ $bad -eq 0 ]
}
if command -v ptxas > /dev/null; then step ptxas 120 last_line assemble; else skip ptxas "no ptxas here; the driver's compiler takes its place"; fi
kernels_summary() {
    awk -F'"local_bytes": ' '/"kernel"/ { n++; if ($2 ~ /^null/) unknown = 1; if ($2 + 0 > 0) l++ }
        END { printf "%d kernels loaded, %s\n", n, unknown ? "the simulator knows no registers" : l + 0 " with local memory" }' "$1"
}
step kernels 120 kernels_summary "${bench[@]}" cuda kernels && mv "$out/kernels.log" "$out/kernels.json"

# 2. Right: every operation against the CPU reference, golden numbers, short runs.
step tests 240 test_counts "${tests[@]}" --filter "(FullyQualifiedName~Cuda|FullyQualifiedName~cuda)&FullyQualifiedName!~ArchitectureTests"

# 3. The same run twice gives the same bits.
determinism() {
    local run small=()
    if [ -n "$simulator" ]; then small=(--limit 600); fi
    for run in first second; do
        "${asni[@]}" --net lenet300 --data digits --device cuda --epochs 2 --seed 3 "${small[@]}" --out "$work/$run" || return 1
    done
    local file same=0
    while read -r file; do
        cmp "$work/first/$file" "$work/second/$file" || return 1
        same=$((same + 1))
    done < <(cd "$work/first" && find . -name '*.safetensors' | sort)
    echo "$same networks of two runs are equal bit for bit"
    [ $same -gt 0 ]
}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# timeout runs programs, not functions.
export -f assemble determinism
export here simulator work
run_function() { step "$1" "$2" last_line bash -c "$(declare -p asni); $1"; }
run_function determinism 60

# 4. What NVIDIA's own checker says of the kernels' memory accesses.
for tool in memcheck racecheck; do
    if [ -z "$simulator" ] && command -v compute-sanitizer > /dev/null; then
        step "$tool" 60 last_line compute-sanitizer --tool "$tool" --error-exitcode 9 "${tests[@]}" \
            --filter "FullyQualifiedName~KernelLanguageTests|FullyQualifiedName~MmaTests|FullyQualifiedName~DriverTests"
    else
        skip "$tool" "no compute-sanitizer here; the simulator checks bounds and races by itself"
    fi
done

# 5. Fast: what the GPU can do at most, and what the kernels do.
step limits 30 last_line "${bench[@]}" cuda limits && mv "$out/limits.log" "$out/limits.json"
speed_summary() {
    awk '/"kernel"/ { n++; if (match($0, /"ratio": [0-9.]+/)) { compared++; if (substr($0, RSTART + 9, RLENGTH - 9) >= 1) faster++ } }
        END { printf "%d operations timed, %d of them beside cuBLAS or cuDNN, %d as fast or faster\n", n, compared, faster }' "$1"
}
step speed 90 speed_summary "${bench[@]}" cuda speed && mv "$out/speed.log" "$out/speed.json"
if [ -n "$simulator" ]; then
    step steps 60 last_line "${bench[@]}" steps --net lenet300 --input 1x28x28 --batch 4 --seconds 0.1 --device cuda
else
    step steps-resnet50 45 last_line "${bench[@]}" steps --net resnet50 --input 3x224x224 --classes 1000 --batch 256 --optimizer momentum \
        --device cuda --precision bf16
    step steps-resnet18 30 last_line "${bench[@]}" steps --net resnet18c --batch 512 --optimizer momentum --device cuda --precision bf16
    step steps-lenet300 20 last_line "${bench[@]}" steps --net lenet300 --input 1x28x28 --batch 60 --device cuda
fi

# 6. The same work in PyTorch, in turn with Asni's.
peers() { python3 "$here/peers/gpu.py" "$@" | tee "$out/peers.json"; }
export -f peers
export out
if [ -n "$simulator" ] && python3 -c 'import torch' 2> /dev/null; then
    step peers 60 last_line bash -o pipefail -c 'peers --small'
elif [ -z "$simulator" ] && python3 -c 'import sys, torch; sys.exit(not torch.cuda.is_available())' 2> /dev/null; then
    step peers 170 last_line bash -o pipefail -c 'peers --seconds 120 --asni "dotnet $here/bench/Asni.Bench.dll"'
else
    skip peers "PyTorch with a GPU is not here"
fi

fragment() { if [ -s "$out/$1" ]; then cat "$out/$1"; else echo null; fi; }
commit=$(cat "$here/commit.txt" 2> /dev/null || echo unknown)
cat > "$out/results.json.part" <<JSON
{
  "date": "$(date -u +%Y-%m-%dT%H:%M:%SZ)", "commit": $(json_text "$commit"), "gpu": $(json_text "$gpu"), "driver": $(json_text "$driver"),
  "dry_run": $([ -n "$simulator" ] && echo true || echo false), "seconds": $SECONDS, "failed": $failed,
  "steps": [
    $steps_json
  ],
  "limits": $(fragment limits.json),
  "speed": $(fragment speed.json),
  "peers": $(fragment peers.json),
  "kernels": $(fragment kernels.json)
}
JSON
mv "$out/results.json.part" "$out/results.json"
{
    echo "# $gpu, driver $driver, commit $commit, $(date -u +%Y-%m-%d)"
    if [ -n "$simulator" ]; then echo "Dry run on the simulator: that every step works, not how fast."; fi
    echo
    echo "| step | status | seconds | what it said |"
    echo "| --- | --- | --- | --- |"
    cat "$out/steps.part"
    echo
    echo "| operation | shape | ms | GB/s | TFLOP/s | % of limit | cuBLAS or cuDNN, ms | ours is so many times as fast |"
    echo "| --- | --- | --- | --- | --- | --- | --- | --- |"
    sed -nE -e 's/.*"kernel": "([^"]*)", "shape": "([^"]*)", "ms": ([^,]*), "gbytes_per_second": ([^,]*), "tflops": ([^,]*), "percent_of_limit": ([0-9]*)/| \1 | \2 | \3 | \4 | \5 | \6/' \
        -e 't reset' -e ':reset' -e 's/, "library": "[^"]*", "library_ms": ([^,]*), "ratio": ([^}]*)/ | \1 | \2/' -e 't done' -e 's/\}.*/ | | |/p; d' -e ':done' -e 's/\}.*/ |/p' "$out/speed.json" 2> /dev/null
    echo
    echo "| kernel | registers | local bytes | static shared bytes |"
    echo "| --- | --- | --- | --- |"
    sed -nE 's/.*"kernel": "([^"]*)", "registers": ([0-9]+|null), "local_bytes": ([0-9]+|null), "shared_bytes": ([0-9]+|null).*/| \1 | \2 | \3 | \4 |/p' \
        "$out/kernels.json" 2> /dev/null
} > "$out/results.md.part"
mv "$out/results.md.part" "$out/results.md"
rm -f "$out/steps.part"
echo "$failed steps failed; $out/results.json and results.md, $SECONDS s."
[ $failed -eq 0 ]
