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

    /// <summary>Members of an array, where MaxArraySize is as Slurm comes.</summary>
    private const int SlurmArray = 1001;

    private static string Shell(int count, string folder, string[] flags) => Lines(
        "#!/bin/sh",
        $"# Runs a sweep of {Number(count)} runs, JOBS of them at once (1 unless given; each takes all processors but for --threads). Started again it finishes what is missing.",
        $"cd {Quoted(Environment.CurrentDirectory)} || exit 1",
        $"seq 0 {Number(count - 1)} | xargs -P \"${{JOBS:-1}}\" -I{{}} {Program()} sweep run {Quoted(folder)} --index {{}}{Flags(flags)}");

    /// <summary>Slurm sends the signal to the steps, which save a checkpoint and end with 130; the job then puts itself back in the queue.</summary>
    private static string Slurm(int count, string folder, string[] flags) => Lines(
    [
        "#!/bin/bash",
        $"#SBATCH --job-name={Word(folder)}",
        $"#SBATCH --array=0-{Number(count - 1)}",
        "#SBATCH --signal=USR1@120",
        "#SBATCH --requeue",
        "#SBATCH --open-mode=append",
        "#SBATCH --ntasks=1",
        $"#SBATCH --output=\"{folder.Replace("\\", "\\\\").Replace("\"", "\\\"").Replace("%", "%%")}/%a.log\"",
        "# sbatch's own flags name partition, time, processors and GPUs: sbatch --time=4:00:00 --cpus-per-task=8 sweep.sbatch. Submitted again it finishes what is missing.",
        "# scancel without --signal stops a run for good: one that SIGUSR1 stops goes back into the queue.",
        .. count > SlurmArray ? [$"# More than {Number(SlurmArray)} runs need a larger MaxArraySize than Slurm has by itself, or parts: sbatch --array=0-999 sweep.sbatch."] : Array.Empty<string>(),
        $"cd {Quoted(Environment.CurrentDirectory)} || exit 1",
        // Slurm 22.05 to 23.02 do not hand these on themselves.
        $"srun ${{SLURM_CPUS_PER_TASK:+--cpus-per-task=$SLURM_CPUS_PER_TASK}} {Program()} sweep run {Quoted(folder)}{Flags(flags)}",
        "status=$?",
        "[ $status -ne 130 ] || scontrol requeue \"${SLURM_ARRAY_JOB_ID}_${SLURM_ARRAY_TASK_ID}\"",
        "exit $status",
    ]);

    private static string Kubernetes(int count, string folder, string[] flags) => Lines(
        "# kubectl apply -f sweep-job.yaml (Kubernetes 1.29 or later). The cluster's own: an image that has asni; the claim of a volume whose root is the folder of this file, which all pods may write",
        "# (ReadWriteMany); a volume with the data, where they are not in the image; processors, memory and GPUs of a run (resources); how many go on at once (parallelism).",
        "apiVersion: batch/v1",
        "kind: Job",
        "metadata:",
        $"  name: '{Word(folder)}'",
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
        if (word.Length == 0 || !char.IsAsciiLetter(word[0])) word = "sweep-" + word;
        return word[..Math.Min(word.Length, 50)].TrimEnd('-');
    }

    private static string Number(int n) => n.ToString(CultureInfo.InvariantCulture);

    private static string Lines(params IEnumerable<string> lines) => new StringBuilder().AppendJoin('\n', lines).Append('\n').ToString();
}
