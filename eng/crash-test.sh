#!/usr/bin/env bash
# Kills a short run at random moments with SIGKILL, resumes it, and compares what it delivers with an undisturbed run, bit for bit.
#
#   eng/crash-test.sh ROUNDS [SEED]
#
# A round is one run with 1 to 5 kills: after a random time, or just when a file of the run appears or changes. The last line says rounds, kills
# and losses; a loss is a run that cannot be resumed, that differs, or that leaves files behind, and makes the exit status 1.
# ASNI names the program to run, if not the one that this checkout builds.
set -euo pipefail
cd "$(dirname "$0")/.."

rounds=${1:?usage: eng/crash-test.sh ROUNDS [SEED]}
RANDOM=${2:-1}
if [ -z "${ASNI:-}" ]; then
    ASNI=src/Asni.Host/bin/Release/net10.0/Asni.Host
    if [ ! -x "$ASNI" ]; then dotnet build src/Asni.Host > /dev/null; fi
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if command -v sha256sum > /dev/null; then sha256=(sha256sum); else sha256=(shasum -a 256); fi

run=(--net lenet300 --data digits --limit 300 --epochs 3 --batch 50 --threads 1 --device cpu --controls ticket)
watched=(run.lock recipe.yaml metrics.jsonl asni1.safetensors.part asni1.safetensors asni2-init.safetensors asni2-init.asni asni2.safetensors layers.csv
    summary.json.part summary.json report.html.part ticket.safetensors checkpoints/00000001.safetensors.part checkpoints/00000003.safetensors)

# Seconds between two whole numbers of milliseconds.
between() { printf '%d.%03d' $((($1 + RANDOM % ($2 - $1)) / 1000)) $((($1 + RANDOM % ($2 - $1)) % 1000)); }

# All that a run delivers, without times.
content() {
    (cd "$1" && ls && "${sha256[@]}" -- *.safetensors *.asni *.csv *.yaml &&
        sed -E 's/"(seconds|images_per_second)": ?[^,}]*//g' metrics.jsonl summary.json)
}

# Waits until a file is there and newer than this moment, or the process has ended. Nothing in it starts a process, so that it sees what lasts for milliseconds.
await_change() {
    local file=$1 process=$2
    touch "$work/now"
    while kill -0 "$process" 2> /dev/null && ! [ "$file" -nt "$work/now" ]; do read -rt 0.001 -u "$nap" || true; done
}

# Starts the run, or goes on with it; kills it at a random moment. Says nothing; exits as the run when that ended first.
disturb() {
    local folder=$1 process status=0
    shift
    "$ASNI" "$@" > "$work/log" 2>&1 &
    process=$!
    if [ $((RANDOM % 2)) -eq 0 ]; then sleep "$(between 50 $((span + span / 4)))"; else await_change "$folder/${watched[RANDOM % ${#watched[@]}]}" "$process"; fi
    kill -KILL "$process" 2> /dev/null || true
    wait "$process" 2> /dev/null || status=$?
    return $status
}

# A pipe that nobody writes to: reading it waits.
mkfifo "$work/pipe"
exec {nap}<> "$work/pipe"

begin=$(date +%s%N)
"$ASNI" "${run[@]}" --out "$work/whole" > "$work/log" 2>&1
span=$((($(date +%s%N) - begin) / 1000000))
content "$work/whole" > "$work/wanted"

kills=0 losses=0
lose() {
    losses=$((losses + 1))
    echo "round $round: $1"
    tail -n 3 "$work/log"
    if [ -n "${ASNI_KEEP:-}" ]; then cp -r "$work/run" "$ASNI_KEEP/round$round"; fi
}

for ((round = 1; round <= rounds; round++)); do
    folder=$work/run
    rm -rf "$folder"
    intervals=(0 0.0003 0.001 0.003 10)
    minutes=(--checkpoint-minutes "${intervals[RANDOM % 5]}")
    start=("${run[@]}" "${minutes[@]}" --out "$folder")
    next=("${start[@]}")
    for ((left = 1 + RANDOM % 5; left > 0; left--)); do
        status=0
        disturb "$folder" "${next[@]}" || status=$?
        if [ $status -eq 137 ]; then kills=$((kills + 1)); elif [ $status -ne 0 ]; then lose "ended with status $status before its last kill"; fi
        # Before there is a recipe nothing was begun that could be lost.
        if [ -f "$folder/recipe.yaml" ]; then next=(--resume "$folder" "${minutes[@]}"); else rm -rf "$folder"; next=("${start[@]}"); fi
    done
    if ! "$ASNI" "${next[@]}" > "$work/log" 2>&1; then
        lose "cannot be resumed"
    elif ! content "$folder" > "$work/found" 2>> "$work/log" || ! diff "$work/wanted" "$work/found" > "$work/log"; then
        lose "differs from the undisturbed run"
    fi
    if [ $((round % 10)) -eq 0 ]; then echo "$round rounds, $kills kills, $losses losses so far"; fi
done
echo "$rounds rounds, $kills kills, $losses losses"
[ "$losses" -eq 0 ]
