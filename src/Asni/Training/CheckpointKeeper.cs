using System.Diagnostics;
using System.Globalization;
using Asni.Engine;
using Asni.Formats;
using Asni.Networks;
using Asni.Optimizers;
using Asni.Training.Policies;

namespace Asni.Training;

/// <summary>
/// The checkpoints of one run: numbered files in a folder, of which the last few are kept. Training tells it of epochs and phases; it saves
/// after each epoch (of a phase of epochs shorter than <see cref="ShortEpoch"/>, after some), when training stops before its end, and every so
/// often within an epoch.
/// </summary>
public sealed class CheckpointKeeper
{
    private const string Extension = ".safetensors";

    /// <summary>Less time than this is not worth a file.</summary>
    private static readonly TimeSpan ShortEpoch = TimeSpan.FromSeconds(2);

    private readonly string _directory, _run;
    private readonly int _keep;
    private readonly TimeSpan _interval;
    private readonly List<EpochRecord> _epochs = [];
    private readonly List<PhaseNumbers> _done = [];
    private readonly Stopwatch _sinceSave = Stopwatch.StartNew();
    private Checkpoint? _resume;
    private int _number;

    /// <param name="directory">Made with the first checkpoint.</param>
    /// <param name="run">Says which run this is, such as its recipe as text: a checkpoint of another one is refused.</param>
    /// <param name="keep">Files to keep, at least 1.</param>
    /// <param name="interval">Longest time between two checkpoints within an epoch.</param>
    public CheckpointKeeper(string directory, string run, int keep, TimeSpan interval)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(keep, 1);
        (_directory, _run, _keep, _interval) = (directory, run, keep, interval);
    }

    /// <summary>SHA-256 of what the run reads besides its recipe, by what it is called in messages: a checkpoint of other inputs is refused.</summary>
    public IReadOnlyDictionary<string, string> Inputs { get; init; } = new Dictionary<string, string>();

    /// <summary>The same of files of images that a user may mend: that they are others is told and accepted.</summary>
    public IReadOnlyDictionary<string, string> ImageFiles { get; init; } = new Dictionary<string, string>();

    /// <summary>Whether what a checkpoint says of its run means this run; word for word when not given.</summary>
    public Func<string, bool>? IsSameRun { get; init; }

    /// <summary>Fetches the network that a phase delivered, which later phases start from.</summary>
    public Func<string, TrainedNetwork>? Delivered { get; init; }

    /// <summary>False: a rank that goes on from what another one saves.</summary>
    internal bool Saves { get; init; } = true;

    /// <summary>The network of the checkpoint that was found, from which the run goes on; null before that and when there was none.</summary>
    public Network? Network { get; private set; }

    /// <summary>What later phases go back to, part of each checkpoint from then on; null where nothing is.</summary>
    internal TrainedNetwork? RewindPoint { get; set; }

    /// <summary>True when the last checkpoint is older than the interval.</summary>
    internal bool IsDue => Saves && _sinceSave.Elapsed >= _interval;

    /// <summary>True when enough was done since the last checkpoint to save at the end of an epoch.</summary>
    internal bool IsDueAfterEpoch => IsDue || Saves && _sinceSave.Elapsed >= ShortEpoch;

    /// <summary>Finds the newest checkpoint that is whole, from which the run then goes on; null when there is none at all.</summary>
    /// <param name="network">That the run trains; null for the one whose graph the checkpoint holds.</param>
    /// <param name="note">Told of each damaged one that was passed over, and of what cannot be checked.</param>
    /// <exception cref="AsniException">All are damaged, or the newest whole one is of another network, another run or other data.</exception>
    internal CheckpointPosition? FindNewest(Network? network, Action<string> note)
    {
        string[] files = [.. Files(_directory).OrderByDescending(NumberOf)];
        foreach (string file in files)
        {
            _number = Math.Max(_number, NumberOf(file));
            try
            {
                _resume = Checkpoint.Read(file, network);
            }
            catch (AsniException e) when (e is not CheckpointNetworkException)
            {
                note(e.Message.TrimEnd('.') + "; the one before it is taken.");
                continue;
            }
            string written = _resume.Position.Run;
            if (!(IsSameRun?.Invoke(written) ?? written == _run))
                throw new AsniException($"{file} was written with another recipe or other data than {RunDirectory} names now; put them back, or start a new run.");
            CheckInputs(_resume.Position, note);
            _epochs.AddRange(_resume.Position.Epochs);
            _done.AddRange(_resume.Position.Done);
            Network = _resume.Model.Network;
            RewindPoint = _resume.RewindPoint;
            return _resume.Position;
        }
        return files.Length == 0 ? null : throw new AsniException($"no checkpoint in {_directory} can be read; start the run anew.");
    }

    /// <summary>
    /// Lets the next <c>MethodRunner.Run</c> that is given this go on from the newest checkpoint that is whole; false, and a run from its beginning, when there is none at all.
    /// <see cref="Network"/> is then the network whose graph the checkpoint holds.
    /// </summary>
    /// <inheritdoc cref="FindNewest" path="/param|/exception"/>
    public bool Resume(Action<string> note) => FindNewest(null, note) is not null;

    /// <summary>The checkpoints in a folder, in no order; other files are not ours.</summary>
    internal static IEnumerable<string> Files(string directory) =>
        Directory.Exists(directory) ? Directory.EnumerateFiles(directory, "*" + Extension).Where(f => NumberOf(f) > 0) : [];

    internal void OnEpochCompleted(EpochRecord record) => _epochs.Add(record);

    internal void PhaseDone(PhaseNumbers phase)
    {
        if (_done.All(p => p.Phase != phase.Phase)) _done.Add(phase);
    }

    /// <summary>The numbers of a phase that need not run again.</summary>
    internal PhaseNumbers? Done(string phase) => _resume?.Position.Done.FirstOrDefault(p => p.Phase == phase);

    /// <summary>The network that a phase delivered before the run was stopped.</summary>
    /// <exception cref="AsniException">It cannot be read, or is another one.</exception>
    internal TrainedNetwork TakeDelivered(PhaseNumbers phase)
    {
        if (Delivered is null) throw new AsniException($"the run had ended {phase.Phase} before it was stopped: the checkpoint keeper needs Delivered, which fetches the network of that phase.");
        TrainedNetwork model = Delivered(phase.Phase);
        if (phase.Model is not null && phase.Model != model.ComputeSha256())
            throw new AsniException($"the network of {phase.Phase} in {RunDirectory} is not the one that the run wrote there (its SHA-256 is another); put it back, or start a new run.");
        return model;
    }

    /// <summary>The network with which a phase goes on; null where it does not.</summary>
    internal TrainedNetwork? Reached(string phase) => _resume?.Position.Phase == phase ? _resume.Model : null;

    /// <summary>The state in which a phase goes on; given once.</summary>
    internal Checkpoint? TakeResume(string phase)
    {
        if (_resume?.Position.Phase != phase) return null;
        Checkpoint taken = _resume;
        // The epochs and phases before it have been taken over; its arrays are large.
        _resume = null;
        return taken;
    }

    /// <summary>Writes a checkpoint and removes the oldest.</summary>
    /// <param name="policy">Of what moves the masks; null: none.</param>
    /// <param name="position">The place within its phase; the rest is added.</param>
    /// <exception cref="DivergenceException">A weight is NaN or infinite: nothing is written, and earlier checkpoints are still there.</exception>
    /// <exception cref="AsniException">The disk is full, ...; earlier checkpoints are still there.</exception>
    internal void Save(Model model, OptimizerSettings optimizer, PolicyState? policy, string phase, Func<CheckpointPosition, CheckpointPosition> position)
    {
        if (!Saves) return;
        var here = new CheckpointPosition { Run = _run, Inputs = Inputs, ImageFiles = ImageFiles, Device = model.Device.Description, Phase = phase, Done = [.. _done], Epochs = [.. _epochs] };
        Checkpoint state = Checkpoint.Take(model, optimizer, position(here)) with { RewindPoint = RewindPoint, Policy = policy };
        state.Model.RequireFinite(phase);
        try
        {
            Directory.CreateDirectory(_directory);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw AtomicFile.Failure(_directory, e);
        }
        state.Write(Path.Combine(_directory, FileName(++_number)));
        foreach (string old in Files(_directory).Where(f => NumberOf(f) <= _number - _keep)) File.Delete(old);
        _sinceSave.Restart();
    }

    private string? RunDirectory => Path.GetDirectoryName(_directory);

    private void CheckInputs(CheckpointPosition position, Action<string> note)
    {
        if (position.Inputs is not { } recorded)
        {
            note($"the checkpoints in {_directory} are by an older version, without the SHA-256 of data and networks: whether these are still the same is not checked.");
            return;
        }
        foreach ((string what, string sha256) in Inputs)
            if (recorded.TryGetValue(what, out string? before) && before != sha256)
                throw new AsniException($"{what} is not what the run in {RunDirectory} was trained on so far (its SHA-256 is another); put it back, or start a new run.");
        foreach ((string half, string sha256) in ImageFiles)
            if (position.ImageFiles?.GetValueOrDefault(half) is { } before && before != sha256)
                note($"some {half} images are not the files that the run in {RunDirectory} began with.");
    }

    private static string FileName(int number) => number.ToString("D8", CultureInfo.InvariantCulture) + Extension;

    private static int NumberOf(string file) =>
        int.TryParse(Path.GetFileNameWithoutExtension(file), NumberStyles.None, CultureInfo.InvariantCulture, out int number) ? number : 0;
}
