using System.Collections.Immutable;
using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Serialization;
using Asni.Devices;
using Asni.Engine;
using Asni.Formats;
using Asni.Networks;
using Asni.Optimizers;
using Asni.Tensors;
using Asni.Training.Policies;

namespace Asni.Training;

/// <summary>The numbers of a phase that ended; its network is in the run folder.</summary>
internal sealed record PhaseNumbers(string Phase, double Top1, double Top5, double TestLoss, double Sparsity, long Kept, double Seconds)
{
    /// <summary><see cref="TrainedNetwork.ComputeSha256"/> of what the phase started from; null in checkpoints by older versions.</summary>
    public string? Initial { get; init; }

    /// <summary><see cref="TrainedNetwork.ComputeSha256"/> of the network it delivered; null in checkpoints by older versions.</summary>
    public string? Model { get; init; }
}

/// <summary>What one epoch has come to: steps done, sums over their samples, and seconds.</summary>
internal readonly record struct EpochProgress(int Step, LossSums Sums, double Seconds);

/// <summary>Where a run is. Every random choice is a function of the recipe's seed and this place, so that no generator has to be stored.</summary>
internal sealed record CheckpointPosition
{
    /// <summary>What the run depends on, word for word: recipe, network, data. A run goes on only from a checkpoint of its own.</summary>
    public required string Run { get; init; }

    /// <summary>SHA-256 by name of what the run reads besides its recipe: data, the network it starts from. Null in checkpoints by older versions.</summary>
    public IReadOnlyDictionary<string, string>? Inputs { get; init; }

    /// <summary>The same of files of images that may have been mended since.</summary>
    public IReadOnlyDictionary<string, string>? ImageFiles { get; init; }

    /// <summary>Of the device that trained; another one goes on with other roundings.</summary>
    public required string Device { get; init; }

    /// <summary>Phases that ended before this one.</summary>
    public ImmutableArray<PhaseNumbers> Done { get; init; } = [];

    /// <summary>All epochs of the run so far.</summary>
    public ImmutableArray<EpochRecord> Epochs { get; init; } = [];

    public required string Phase { get; init; }

    /// <summary>The epoch that goes on; the number of epochs when the last one ended.</summary>
    public int Epoch { get; init; }

    /// <summary>Within that epoch.</summary>
    public EpochProgress Progress { get; init; }

    /// <summary>The cut of the pruning before this epoch.</summary>
    public double? Threshold { get; init; }

    /// <summary>Of the last evaluation.</summary>
    public Metrics Test { get; init; }

    /// <summary>The phase's time so far.</summary>
    public double Seconds { get; init; }
}

/// <summary>
/// A run's whole state, from which it goes on bit for bit: a safetensors file with values and masks as in a network file, the optimizer's
/// state as NAME.state0 and NAME.state1, what later phases go back to as NAME.rewind, weights that have ever been live as NAME.ever, masks of earlier times as NAME.earlier0, NAME.earlier1, ..., the oldest first, other numbers of what moves the masks as policy:NAME, and as metadata the position and the
/// network's graph as JSON and a SHA-256 over these, the network's name and all tensors, names and
/// shapes included.
/// </summary>
internal sealed record Checkpoint(CheckpointPosition Position, TrainedNetwork Model, ImmutableArray<float[]?> State0, ImmutableArray<float[]?> State1)
{
    private const string PositionKey = "checkpoint", DigestKey = "sha256", State0Suffix = ".state0", State1Suffix = ".state1", RewindSuffix = ".rewind", EverSuffix = ".ever", EarlierSuffix = ".earlier", PolicyPrefix = "policy:";

    /// <summary>Of what moves the masks; null where that has none.</summary>
    public PolicyState? Policy { get; init; }

    private static readonly JsonSerializerOptions s_json = new()
    {
        NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
        MaxDepth = 16,
    };

    /// <summary>A network without masks that later phases go back to; null where they do not.</summary>
    public TrainedNetwork? RewindPoint { get; init; }

    /// <summary>Copies the state to the host.</summary>
    /// <param name="optimizer">Tells which state there is.</param>
    public static Checkpoint Take(Model model, OptimizerSettings optimizer, CheckpointPosition position)
    {
        return new Checkpoint(position, model.TakeSnapshot(), Read(ParameterSlot.State0), Read(ParameterSlot.State1));

        ImmutableArray<float[]?> Read(ParameterSlot slot)
        {
            bool used = optimizer.StateSlots.Contains(slot);
            var state = new float[]?[model.Network.Parameters.Length];
            foreach (Parameter p in model.Network.Parameters)
                if (used && p.IsTrained) model.Parameters.Download(p.Index, slot, state[p.Index] = new float[p.Elements]);
            return [.. state];
        }
    }

    /// <summary>Gives a model of the same network this state.</summary>
    /// <exception cref="AsniException">It is of another one.</exception>
    public void Restore(Model model)
    {
        if (!model.Network.HasTensorsOf(Model.Network))
            throw new AsniException($"the checkpoint holds {Model.Network.Name}, and the run now comes to {model.Network.Name}: it was written by another version or device; start a new run.");
        model.Load(Model);
        foreach (Parameter p in model.Network.Parameters)
        {
            if (State0[p.Index] is { } first) model.Parameters.Upload(p.Index, ParameterSlot.State0, first);
            if (State1[p.Index] is { } second) model.Parameters.Upload(p.Index, ParameterSlot.State1, second);
        }
    }

    /// <exception cref="AsniException">The file cannot be written; nothing is left behind.</exception>
    public void Write(string path)
    {
        List<SafetensorsTensor> tensors = Tensors();
        string position = JsonSerializer.Serialize(Position, s_json), graph = GraphJson.Write(Model.Network);
        SafetensorsWriter.Write(path, tensors, new Dictionary<string, string>
        {
            ["network"] = Model.Network.Name,
            [NetworkFile.GraphKey] = graph,
            [PositionKey] = position,
            [DigestKey] = Digest(position + Model.Network.Name + graph, hash => tensors.ForEach(t =>
            {
                hash.Write(Line(t.Name, t.DType, t.Shape.Dims.Select(d => (long)d)));
                t.WriteTo(hash);
            })),
        });
    }

    /// <summary>Reads a checkpoint.</summary>
    /// <param name="network">Of which it has to be; null for the network whose graph it holds.</param>
    /// <exception cref="CheckpointNetworkException">It is whole and holds the graph of another network.</exception>
    /// <exception cref="AsniException">It is missing, damaged, or its tensors are not the network's; without a network, it is by an older version, which wrote no graph.</exception>
    public static Checkpoint Read(string path, Network? network = null)
    {
        using var reader = SafetensorsReader.Open(path);
        AsniException Bad(string what, Exception? inner = null) => new($"{path} is not a checkpoint{(network is null ? "" : $" of {network.Name}")} that can be used: {what}.", inner);
        if (!reader.Metadata.TryGetValue(PositionKey, out string? text) || !reader.Metadata.TryGetValue(DigestKey, out string? digest))
            throw Bad("it does not say where its run was");
        string? graph = reader.Metadata.GetValueOrDefault(NetworkFile.GraphKey);
        string name = reader.Metadata.GetValueOrDefault("network", "");
        // What the digest covers is known to be what was written: nothing in it needs to be doubted afterwards.
        var tensors = reader.Entries.Values.OrderBy(e => e.Begin).ThenBy(e => e.End).ToList();
        if (!string.Equals(Digest(graph is null ? text : text + name + graph, hash => tensors.ForEach(t =>
        {
            hash.Write(Line(t.Name, t.DType, t.Dims));
            reader.CopyTo(t, hash);
        })), digest, StringComparison.Ordinal))
            throw Bad("its checksum is wrong");
        Network? own = graph is null ? null : GraphJson.Read(name, graph, what => Bad(what));
        if (own is not null && network is not null && GraphJson.Write(own) != GraphJson.Write(network)) throw new CheckpointNetworkException(path, own, network);
        network ??= own ?? throw Bad("it is by an older version, which did not write its network's graph");
        try
        {
            CheckpointPosition position = JsonSerializer.Deserialize<CheckpointPosition>(text, s_json) ?? throw Bad("its position is empty");
            TrainedNetwork model = ReadModel(reader, network);
            if (model.FirstNotFinite() is { } p) throw Bad($"its {p.Name} is NaN or infinite");
            return new Checkpoint(position, model, ReadState(reader, network, State0Suffix), ReadState(reader, network, State1Suffix))
            {
                RewindPoint = ReadRewindPoint(reader, network),
                Policy = ReadPolicy(reader, network),
            };
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or ArgumentException)
        {
            throw Bad(e.Message.ReplaceLineEndings(" ").TrimEnd('.'), e);
        }
    }

    private List<SafetensorsTensor> Tensors()
    {
        var tensors = new List<SafetensorsTensor>();
        foreach (Parameter p in Model.Network.Parameters)
        {
            tensors.Add(SafetensorsTensor.Single(p.Name, p.Shape, Model.Values[p.Index]));
            if (State0[p.Index] is { } first) tensors.Add(SafetensorsTensor.Single(p.Name + State0Suffix, p.Shape, first));
            if (State1[p.Index] is { } second) tensors.Add(SafetensorsTensor.Single(p.Name + State1Suffix, p.Shape, second));
            if (RewindPoint is not null) tensors.Add(SafetensorsTensor.Single(p.Name + RewindSuffix, p.Shape, RewindPoint.Values[p.Index]));
        }
        foreach ((string name, float[] values) in Policy?.Tensors ?? ImmutableSortedDictionary<string, float[]>.Empty) tensors.Add(SafetensorsTensor.Single(PolicyPrefix + name, new Shape(values.Length), values));
        // Masks last, so that every F32 tensor stays aligned.
        foreach (Parameter p in Model.Network.Parameters)
        {
            if (Model.Masks[p.Index] is { } mask) tensors.Add(SafetensorsTensor.Bool(p.Name + NetworkFile.MaskSuffix, p.Shape, mask));
            if (Policy?.Ever[p.Index] is { } ever) tensors.Add(SafetensorsTensor.Bool(p.Name + EverSuffix, p.Shape, ever));
            for (int i = 0; i < Policy?.Earlier.Length; i++)
                if (Policy.Earlier[i][p.Index] is { } earlier) tensors.Add(SafetensorsTensor.Bool(p.Name + EarlierName(i), p.Shape, earlier));
        }
        return tensors;
    }

    private static TrainedNetwork ReadModel(SafetensorsReader reader, Network network)
    {
        var values = new float[network.Parameters.Length][];
        var masks = new Mask?[network.Parameters.Length];
        foreach (Parameter p in network.Parameters)
        {
            values[p.Index] = ReadSingles(reader, p, p.Name) ?? throw new KeyNotFoundException($"it has no {p.Name}");
            masks[p.Index] = ReadMask(reader, p, NetworkFile.MaskSuffix);
        }
        return new TrainedNetwork(network, [.. values], [.. masks]);
    }

    private static Mask? ReadMask(SafetensorsReader reader, Parameter p, string suffix) =>
        reader.Entries.TryGetValue(p.Name + suffix, out SafetensorsEntry? mask) && mask.HasShape(p.Shape) && mask.DType == "BOOL" ? NetworkFile.ToMask(reader.ReadBytes(mask)) : null;

    private static PolicyState? ReadPolicy(SafetensorsReader reader, Network network)
    {
        ImmutableArray<Mask?> ever = ReadMasks(EverSuffix);
        var earlier = ImmutableArray.CreateBuilder<ImmutableArray<Mask?>>();
        while (ReadMasks(EarlierName(earlier.Count)) is var masks && masks.Any(m => m is not null)) earlier.Add(masks);
        ImmutableSortedDictionary<string, float[]> tensors = reader.Entries.Values.Where(e => e.Name.StartsWith(PolicyPrefix, StringComparison.Ordinal))
            .ToImmutableSortedDictionary(e => e.Name[PolicyPrefix.Length..], reader.ReadSingles, StringComparer.Ordinal);
        return tensors.Count > 0 || earlier.Count > 0 || ever.Any(m => m is not null) ? new PolicyState(ever, tensors) { Earlier = earlier.ToImmutable() } : null;

        ImmutableArray<Mask?> ReadMasks(string suffix) => [.. network.Parameters.Select(p => ReadMask(reader, p, suffix))];
    }

    private static string EarlierName(int time) => string.Create(CultureInfo.InvariantCulture, $"{EarlierSuffix}{time}");

    private static ImmutableArray<float[]?> ReadState(SafetensorsReader reader, Network network, string suffix) =>
        [.. network.Parameters.Select(p => ReadSingles(reader, p, p.Name + suffix))];

    private static TrainedNetwork? ReadRewindPoint(SafetensorsReader reader, Network network)
    {
        ImmutableArray<float[]?> values = ReadState(reader, network, RewindSuffix);
        return values.Any(v => v is null) ? null : new TrainedNetwork(network, [.. values.Select(v => v!)], [.. new Mask?[values.Length]]);
    }

    private static float[]? ReadSingles(SafetensorsReader reader, Parameter p, string name)
    {
        if (!reader.Entries.TryGetValue(name, out SafetensorsEntry? entry)) return null;
        if (!entry.HasShape(p.Shape)) throw new KeyNotFoundException($"its {name} is {entry.ShapeText}, not {p.Shape}");
        return reader.ReadSingles(entry);
    }

    private static byte[] Line(string name, string type, IEnumerable<long> dims) =>
        System.Text.Encoding.UTF8.GetBytes($"{name} {type} {string.Join(',', dims)}\n");

    /// <param name="text">The position, and name and graph of the network where the file has a graph.</param>
    private static string Digest(string text, Action<Stream> data)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(System.Text.Encoding.UTF8.GetBytes(text));
        using (var stream = new HashStream(hash)) data(stream);
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    /// <summary>A stream that only adds to a hash.</summary>
    private sealed class HashStream(IncrementalHash hash) : Stream
    {
        public override bool CanRead => false;
        public override bool CanSeek => false;
        public override bool CanWrite => true;
        public override long Length => throw new NotSupportedException();
        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }
        public override void Flush() { }
        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();
        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();
        public override void SetLength(long value) => throw new NotSupportedException();
        public override void Write(byte[] buffer, int offset, int count) => hash.AppendData(buffer, offset, count);
        public override void Write(ReadOnlySpan<byte> buffer) => hash.AppendData(buffer);
    }
}
