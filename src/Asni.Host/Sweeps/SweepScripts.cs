using System.Globalization;
using System.Reflection;
using System.Text;

namespace Asni.Host.Sweeps;

/// <summary>Scripts that start the runs of a sweep: plain text of the scheduler's own kind, to be changed by hand where a cluster wants something else.</summary>
internal static class SweepScripts
{
    /// <summary>What a script can be for, as --for names it.</summary>
    public static IReadOnlyDictionary<string, Func<int, string, string[], (string Name, string Text)>> All { get; } =
        new Dictionary<string, Func<int, string, string[], (string, string)>>
        {
            ["shell"] = (count, folder, flags) => ("sweep.sh", Shell(count, folder, flags)),
            ["slurm"] = (count, folder, flags) => ("sweep.sbatch", Slurm(count, folder, flags)),
            ["kubernetes"] = (count, folder, flags) => ("sweep-job.yaml", Kubernetes(count, folder, flags)),
        };

    private static string Shell(int count, string folder, string[] flags) => Lines(
        "#!/bin/sh",
        $"# Runs a sweep of {Number(count)} runs, JOBS of them at once (1 unless given). Started again it finishes what is missing.",
        $"seq 0 {Number(count - 1)} | xargs -P \"${{JOBS:-1}}\" -I{{}} {Program()} sweep run {Quoted(folder)} --index {{}}{Flags(flags)}");

    /// <summary>Slurm sends the signal to the steps, which save a checkpoint and end with 130; the job then puts itself back in the queue.</summary>
    private static string Slurm(int count, string folder, string[] flags) => Lines(
        "#!/bin/bash",
        $"#SBATCH --job-name={Word(folder)}",
        $"#SBATCH --array=0-{Number(count - 1)}",
        "#SBATCH --signal=USR1@120",
        "#SBATCH --requeue",
        "#SBATCH --open-mode=append",
        $"#SBATCH --output={folder}/%a.log",
        "# sbatch's own flags name partition, time, processors and GPUs: sbatch --time=4:00:00 --cpus-per-task=8 sweep.sbatch. Submitted again it finishes what is missing.",
        $"srun {Program()} sweep run {Quoted(folder)}{Flags(flags)}",
        "status=$?",
        "[ $status -ne 130 ] || scontrol requeue \"${SLURM_ARRAY_JOB_ID}_${SLURM_ARRAY_TASK_ID}\"",
        "exit $status");

    private static string Kubernetes(int count, string folder, string[] flags) => Lines(
        $"# kubectl apply -f sweep-job.yaml. Three things are the cluster's: an image that has asni, the claim of a volume that holds the sweep as {folder}, and how many runs go on at once.",
        "apiVersion: batch/v1",
        "kind: Job",
        "metadata:",
        $"  name: {Word(folder)}",
        "spec:",
        "  completionMode: Indexed",
        $"  completions: {Number(count)}",
        $"  parallelism: {Number(Math.Min(count, 8))}",
        "  backoffLimitPerIndex: 3",
        "  podFailurePolicy:",
        "    rules:",
        "    - action: Ignore # a pod that was evicted; the next one goes on from its checkpoint",
        "      onPodConditions:",
        "      - type: DisruptionTarget",
        "  template:",
        "    spec:",
        "      restartPolicy: Never",
        "      containers:",
        "      - name: asni",
        "        image: asni",
        $"        command: [{string.Join(", ", new[] { "asni", "sweep", "run", folder }.Concat(flags.Length > 0 ? ["--", .. flags] : flags).Select(w => $"'{w.Replace("'", "''")}'"))}]",
        "        volumeMounts:",
        "        - name: sweep",
        $"          mountPath: '{folder.Replace("'", "''")}'",
        "      volumes:",
        "      - name: sweep",
        "        persistentVolumeClaim:",
        "          claimName: sweep");

    /// <summary>How this process was started, for a shell.</summary>
    private static string Program()
    {
        string program = Environment.ProcessPath ?? "asni";
        return Path.GetFileNameWithoutExtension(program) == "dotnet" && Assembly.GetEntryAssembly() is { Location.Length: > 0 } entry ? $"{Quoted(program)} {Quoted(entry.Location)}" : Quoted(program);
    }

    private static string Flags(string[] flags) => flags.Length == 0 ? "" : " -- " + string.Join(' ', flags.Select(Quoted));

    private static string Quoted(string word) => $"'{word.Replace("'", "'\\''")}'";

    /// <summary>The folder's name in the characters that schedulers take.</summary>
    private static string Word(string folder)
    {
        string word = string.Concat(Path.GetFileName(folder).ToLowerInvariant().Select(c => char.IsAsciiLetterOrDigit(c) ? c : '-')).Trim('-');
        return word.Length == 0 || !char.IsAsciiLetter(word[0]) ? $"sweep-{word}".TrimEnd('-') : word[..Math.Min(word.Length, 50)].TrimEnd('-');
    }

    private static string Number(int n) => n.ToString(CultureInfo.InvariantCulture);

    private static string Lines(params string[] lines) => new StringBuilder().AppendJoin('\n', lines).Append('\n').ToString();
}
