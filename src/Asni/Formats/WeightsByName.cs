using System.Collections.Immutable;
using Asni.Formats.Naming;
using Asni.Networks;
using Asni.Tensors;

namespace Asni.Formats;

/// <summary>Weights taken from a file by name, and what could not be taken.</summary>
/// <param name="Trained">The file's values where it has them, elsewhere those given as fresh.</param>
/// <param name="Loaded">Number of the network's tensors that came from the file.</param>
/// <param name="Missing">The network's tensors that the file does not have.</param>
/// <param name="Misshapen">Tensors whose shape differs, each with both shapes.</param>
/// <param name="Unused">The file's tensors that the network does not have.</param>
public sealed record WeightsByName(TrainedNetwork Trained, int Loaded, ImmutableArray<string> Missing, ImmutableArray<string> Misshapen,
    ImmutableArray<string> Unused)
{
    private const int NamesInMessage = 4, MaxClasses = 1 << 20;

    /// <summary>Every tensor of the network is in the file.</summary>
    public bool IsComplete => Missing.IsEmpty && Misshapen.IsEmpty;

    /// <summary>True when a weight of the file is pruned.</summary>
    public bool IsPruned => Trained.IsPruned;

    /// <summary>Tensors that were taken in order since no name fits: the network's name, then the file's.</summary>
    public ImmutableArray<(string Parameter, string InFile)> InOrder { get; private init; } = [];

    /// <summary>Tensors that <see cref="WeightMatching.InOrder"/> would take; 0 when their shapes do not fit either.</summary>
    public int FitInOrder { get; private init; }

    /// <summary>Weights that are 0 in a file without masks.</summary>
    public long Zeros { get; private init; }

    /// <summary>What <see cref="Zeros"/> were taken for.</summary>
    public ZeroWeights ZerosAre { get; private init; }

    /// <summary>Elements of the convolution and linear weights that came from the file.</summary>
    internal long LoadedWeights { get; private init; }

    /// <summary>What a strict reader objects to, as a clause that names tensors; null when everything fits and nothing is left over.</summary>
    public string? Shortfall
    {
        get
        {
            if (IsComplete && Unused.IsEmpty) return null;
            IEnumerable<string> faults = [List("not in the file: ", Missing), List("of another shape: ", Misshapen), List("only in the file: ", Unused),
                FitInOrder > 0 ? ShapesFit() : ""];
            return string.Join("; ", faults.Where(f => f.Length > 0));
        }
    }

    /// <summary>
    /// Reads a file of any format. Names are PyTorch's, as the network has them or as torchvision, timm and others are known to have them; a prefix that
    /// all names share is dropped, WEIGHT_orig and WEIGHT_mask of torch.nn.utils.prune become a weight and its mask.
    /// </summary>
    /// <param name="fresh">Values and masks of tensors that the file does not give; null: it must give all.</param>
    /// <param name="matching">The default when null.</param>
    /// <exception cref="WeightMismatchException">None of the file's tensors is of this network, or something does not fit and the matching is strict.</exception>
    /// <exception cref="AsniException">The file is missing or damaged, or a value is NaN or infinite.</exception>
    public static WeightsByName Load(string path, Network network, TrainedNetwork? fresh = null, WeightMatching? matching = null)
    {
        matching ??= new WeightMatching();
        using NamedTensors file = NamedTensors.Open(path);
        ImmutableArray<ModuleTensor> tensors = ModuleTensors.Read(file, path);
        NameMatch match = NameMatch.Find(network, tensors);
        ImmutableArray<(Parameter Parameter, ModuleTensor Tensor)> inOrder = match.InOrder(network, tensors);
        if (matching.InOrder) match = Apply(match, inOrder, tensors);
        float[][] values = fresh is null ? new float[network.Parameters.Length][] : [.. fresh.Values];
        Mask?[] masks = fresh is null ? new Mask?[network.Parameters.Length] : [.. fresh.Masks];
        var missing = ImmutableArray.CreateBuilder<string>();
        var misshapen = ImmutableArray.CreateBuilder<string>();
        var taken = new List<Parameter>();
        foreach (Parameter p in network.Parameters)
        {
            if (match.Found[p.Index] is not { } tensor) missing.Add(p.Name);
            else if (!NameMatch.HasShape(tensor, p)) misshapen.Add($"{p.Name} is {tensor.ShapeText} instead of [{string.Join(", ", p.Shape.Dims)}]");
            else
            {
                (values[p.Index], masks[p.Index]) = ModuleTensors.Read(file, tensor, path);
                taken.Add(p);
            }
        }
        (long zeros, ZeroWeights zerosAre) = taken.Exists(p => masks[p.Index] is not null) ? (0, ZeroWeights.Live) : (CountZeros(taken, values), matching.Zeros);
        if (zerosAre == ZeroWeights.Pruned && zeros > 0) PruneZeros(taken, values, masks);
        var loaded = new WeightsByName(new TrainedNetwork(network, [.. values], [.. masks]), taken.Count, missing.ToImmutable(), misshapen.ToImmutable(),
            [.. match.Unused.Select(t => t.Source).Order(StringComparer.Ordinal)])
        {
            InOrder = matching.InOrder ? [.. inOrder.Select(pair => (pair.Parameter.Name, pair.Tensor.Source))] : [],
            FitInOrder = matching.InOrder ? 0 : inOrder.Length,
            Zeros = zeros,
            ZerosAre = zerosAre,
            LoadedWeights = taken.Where(p => p.IsWeight).Sum(p => p.Elements),
        };
        loaded.Check(path, network, tensors, matching.Strict || fresh is null);
        return loaded;
    }

    /// <summary>How many classes a file's last linear layer tells apart; null when it has none by a name that fits.</summary>
    /// <param name="network">For any number of classes.</param>
    /// <exception cref="AsniException">The file is missing or damaged.</exception>
    internal static int? ClassesOf(string path, Network network)
    {
        if (network.Nodes.OfType<LinearNode>().LastOrDefault() is not { } last) return null;
        using NamedTensors file = NamedTensors.Open(path);
        ModuleTensor? head = NameMatch.Find(network, ModuleTensors.Read(file, path)).Found[last.Weight.Index];
        return head is not null && head.Dims.Length == 2 && head.Dims[1] == last.Weight.Shape.Dims[1] && head.Dims[0] <= MaxClasses ? (int)head.Dims[0] : null;
    }

    /// <summary>Says which tensor of which file cannot be used.</summary>
    /// <exception cref="AsniException">Values that are NaN or infinite.</exception>
    internal static void RequireFinite(float[] values, string name, string path)
    {
        int first = Array.FindIndex(values, v => !float.IsFinite(v));
        if (first < 0) return;
        int count = values.Count(v => !float.IsFinite(v));
        throw new AsniException($"tensor {name} of {path} holds {count} of {values.Length} values that are NaN or infinite, the first at element {first}: "
            + "the file is of no use.");
    }

    /// <exception cref="WeightMismatchException">Nothing fits, or something does not where all has to.</exception>
    private void Check(string path, Network network, ImmutableArray<ModuleTensor> tensors, bool strict)
    {
        if (Loaded == 0) throw NothingFits(path, network, tensors);
        if (strict && Shortfall is { } shortfall) throw Mismatch($"{path} does not fit network {network.Name} tensor by tensor: {shortfall}.");
    }

    private WeightMismatchException NothingFits(string path, Network network, ImmutableArray<ModuleTensor> tensors)
    {
        string difference = Misshapen.Length > 0 ? string.Join(", ", Misshapen.Take(NamesInMessage))
            : $"the file has {Names(tensors.Select(t => t.Source).Order(StringComparer.Ordinal))}; "
              + $"the network has {Names(network.Parameters.Select(p => p.Name))}";
        return Mismatch($"no tensor of {path} fits network {network.Name}: {difference}{(FitInOrder > 0 ? "; " + ShapesFit() : "")}.");
    }

    private WeightMismatchException Mismatch(string message) => new(message) { Fitting = Loaded, FitInOrder = FitInOrder };

    private string ShapesFit() => $"the shapes of {FitInOrder} fit in order";

    private static NameMatch Apply(NameMatch match, ImmutableArray<(Parameter Parameter, ModuleTensor Tensor)> pairs, ImmutableArray<ModuleTensor> tensors)
    {
        ModuleTensor?[] found = [.. match.Found];
        foreach ((Parameter parameter, ModuleTensor tensor) in pairs) found[parameter.Index] = tensor;
        var used = found.ToHashSet();
        return new NameMatch([.. found], [.. tensors.Where(t => !used.Contains(t))]);
    }

    private static long CountZeros(List<Parameter> taken, float[][] values) => taken.Where(p => p.IsWeight).Sum(p => values[p.Index].LongCount(v => v == 0));

    private static void PruneZeros(List<Parameter> taken, float[][] values, Mask?[] masks)
    {
        foreach (Parameter p in taken.Where(p => p.IsWeight))
        {
            float[] of = values[p.Index];
            var mask = new Mask(of.Length);
            for (int i = 0; i < of.Length; i++)
            {
                if (of[i] != 0) continue;
                mask[i] = false;
                // A pruned weight is +0.
                of[i] = 0;
            }
            if (mask.Live < mask.Length) masks[p.Index] = mask;
        }
    }

    private static string List(string what, ImmutableArray<string> names) => names.IsEmpty ? ""
        : what + string.Join(", ", names.Take(NamesInMessage)) + (names.Length > NamesInMessage ? $" and {names.Length - NamesInMessage} more" : "");

    private static string Names(IEnumerable<string> names) =>
        string.Join(", ", names.Take(NamesInMessage)) is { Length: > 0 } some ? some + ", ..." : "no tensor";
}
