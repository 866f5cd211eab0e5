using Asni.Data;
using Asni.Data.Download;
using Asni.Devices;
using Asni.Formats;
using Asni.Methods;

namespace Asni.Host;

/// <summary>
/// What the command line adds to what the library says: the flag or the command that helps. The library's failures and notes carry facts and know no
/// flags; the sentences about flags are here.
/// </summary>
internal static class Remedies
{
    /// <summary>A failure in one sentence, with what helps.</summary>
    /// <param name="flags">Of the command that failed: what it does not have is not advised.</param>
    public static string Sentence(Exception failure, IReadOnlyCollection<string> flags)
    {
        string facts = failure is OutOfMemoryException ? "not enough memory" : failure.Message;
        return Join(facts, Find(failure).Where(remedy => remedy.Flag is null || flags.Contains(remedy.Flag)));
    }

    /// <summary>A note of training by a method, with what helps and is a setting of the method.</summary>
    public static string Sentence(TrainingNote note, Method method)
    {
        Remedy? helps = note.Kind switch
        {
            TrainingNoteKind.SparseLayer => new("; --min-kept sets a floor", "min-kept"),
            TrainingNoteKind.ScheduleCutShort => new("; --sparsity says how much", "sparsity"),
            _ => null,
        };
        return helps is { } remedy && method.Row.Settings.Any(s => s.Key == remedy.Flag) ? Join(note.Text, [remedy]) : note.Text;
    }

    /// <summary>Why a device cannot be used, with the flag that says to do without.</summary>
    public static string WithoutDevice(string why) => Join(why, [s_device]);

    /// <summary>Why a device that can be used was not taken, with the flag that takes it.</summary>
    public static string AskForDevice(string why, string device) => Join(why, [new($"; --device {device} takes it")]);

    /// <summary>How to come by a dataset of files, as a clause.</summary>
    public static string Obtaining(string dataset) => (Datasets.Source(dataset) + Obtaining(dataset, null)).TrimStart(';', ' ');

    private static readonly Remedy s_device = new(", or choose --device cpu", "--device");

    /// <summary>A clause with the punctuation before it, and the flag that it is about; null: it helps beside every command.</summary>
    private readonly record struct Remedy(string Clause, string? Flag = null);

    private static IEnumerable<Remedy> Find(Exception failure) => failure switch
    {
        OutOfMemoryException => [new("; lower --batch or choose a smaller --input", "--batch")],
        DeviceMemoryException { FittingBatchSize: 0 } => [new("; choose a smaller --input", "--input")],
        DeviceMemoryException { BatchSize: not null, FittingBatchSize: null } => [new(" (--batch)", "--batch")],
        DeviceMemoryException { FittingBatchSize: { } fits, FittingLanes: { } lanes } => [new($" (--batch {fits})", "--batch"), new($", and --lanes {lanes} keeps the batch", "--lanes")],
        DeviceMemoryException { FittingBatchSize: { } fits } => [new($" (--batch {fits})", "--batch")],
        DeviceUnavailableException => [s_device],
        DatasetNotFoundException { FolderExists: false } => [new("; name an existing one or leave --data-dir out", "--data-dir")],
        DatasetNotFoundException { NamedFolder: { } folder } missing => [new(Obtaining(missing.Dataset, folder))],
        DatasetNotFoundException missing => [new(Obtaining(missing.Dataset, null)), new($", and --data {missing.Substitute} needs no files", "--data")],
        DownloadUnavailableException { IsSynthetic: true } synthetic => [new($"; use --data {synthetic.Dataset}")],
        DownloadUnavailableException closed => [new(Datasets.Source(closed.Dataset) is null ? OwnFolder : "; --data-dir says where it is")],
        StartException { Fault: StartFault.Missing } => [new("; --init FILE gives it one", "--init")],
        StartException { Fault: StartFault.Pruned } => [new("; --method retrain trains it under its mask", "--method")],
        UnnamedNetworkException => [new("; --net names it", "--net")],
        WeightMismatchException mismatch =>
        [
            .. mismatch.FitInOrder > 0 ? (Remedy[])[new(TakenInOrder, "--match")] : [],
            .. mismatch.Fitting > 0 ? (Remedy[])[new("; --no-strict takes what fits", "--no-strict")] : [],
        ],
        _ => [],
    };

    /// <summary>Of tensors whose shapes fit in order and whose names do not.</summary>
    public const string TakenInOrder = ", and --match order takes them so";

    private const string OwnFolder = "; --data-dir names your folder of them";

    /// <summary>Goes on after where the dataset comes from, if it cannot be downloaded.</summary>
    /// <param name="dataDir">The folder that the user named; null when none was.</param>
    private static string Obtaining(string dataset, string? dataDir) =>
        DatasetDownloader.Datasets.Contains(dataset)
            ? dataDir is null ? $"; 'asni data get {dataset}' downloads it, --data-dir says where it is" : $"; 'asni data get {dataset} --data-dir {dataDir}' downloads it"
            : Datasets.Source(dataset) is null ? OwnFolder : ", --data-dir says where it is";

    private static string Join(string facts, IEnumerable<Remedy> remedies)
    {
        string clauses = string.Concat(remedies.Select(r => r.Clause));
        return clauses.Length == 0 ? facts : facts.TrimEnd('.') + clauses + ".";
    }
}
