using System.Collections.Immutable;
using Asni.Tensors;

namespace Asni.Formats.Naming;

/// <summary>A tensor as the plain module would have it, and where in the file it comes from.</summary>
/// <param name="Name">Without wrappers and reparametrization.</param>
/// <param name="Source">The file's name of its values.</param>
/// <param name="MaskSource">The file's name of its mask of 0 and 1; null when there is none.</param>
internal sealed record ModuleTensor(string Name, ImmutableArray<long> Dims, string Source, string? MaskSource)
{
    public string ShapeText => $"[{string.Join(", ", Dims)}]";
}

/// <summary>
/// The tensors of a file in the file's order, as the plain module has them: WEIGHT_orig and WEIGHT_mask of torch.nn.utils.prune are one tensor with a
/// mask, wrappers' parts of names are dropped, and counters that no computation here reads are left out.
/// </summary>
internal static class ModuleTensors
{
    /// <summary>What torch.nn.DataParallel, torch.compile, FSDP and activation checkpointing put into names, at any level.</summary>
    private static readonly string[] s_wrappers = ["module", "_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"];

    /// <summary>PyTorch's count of batches, and what the profiler thop leaves in a module.</summary>
    private static readonly string[] s_counters = ["num_batches_tracked", "total_ops", "total_params"];

    private static readonly string[] s_maskSuffixes = ["_mask", NetworkFile.MaskSuffix];

    private const string Original = "_orig", Parametrizations = "parametrizations";

    /// <exception cref="AsniException">A weight is stored in a form that has to be computed first; it is named.</exception>
    public static ImmutableArray<ModuleTensor> Read(NamedTensors file, string path)
    {
        IReadOnlyDictionary<string, ImmutableArray<long>> shapes = file.Shapes;
        var used = new HashSet<string>();
        var tensors = ImmutableArray.CreateBuilder<ModuleTensor>();
        foreach ((string name, ImmutableArray<long> dims) in shapes)
        {
            if (GetUnsupportedReason(name, shapes) is { } why) throw new AsniException($"{path} has {name}: {why}, save the state dict after that.");
            if (IsCounter(name) || IsMask(name, dims, shapes)) continue;
            string plain = name.EndsWith(Original, StringComparison.Ordinal) && HasMask(name[..^Original.Length], dims, shapes) is not null ? name[..^Original.Length] : name;
            string unwrapped = Unwrapped(plain);
            // Two tensors never become one.
            if (!used.Add(unwrapped)) unwrapped = plain;
            tensors.Add(new ModuleTensor(unwrapped, dims, name, HasMask(plain, dims, shapes)));
        }
        return tensors.ToImmutable();
    }

    /// <summary>Values with the mask applied, and the mask; null when all live.</summary>
    /// <exception cref="AsniException">Values that are NaN or infinite, or a mask of other numbers than 0 and 1.</exception>
    public static (float[] Values, Mask? Mask) Read(NamedTensors file, ModuleTensor tensor, string path)
    {
        float[] values = file.Read(tensor.Source);
        Mask? mask = file.ReadMask(tensor.Source);
        if (tensor.MaskSource is { } source)
        {
            float[] live = file.ReadNumbers(source);
            mask = new Mask(live.Length);
            for (int i = 0; i < live.Length; i++)
            {
                if (live[i] is not (0 or 1)) throw new AsniException($"{path} has {live[i]} in the mask {source}; 0 and 1 were expected.");
                if (live[i] == 0) mask[i] = false;
            }
        }
        if (mask is not null)
            for (int i = 0; i < values.Length; i++)
                if (!mask[i]) values[i] = 0;
        WeightsByName.RequireFinite(values, tensor.Source, path);
        return (values, mask);
    }

    private static bool IsCounter(string name) => s_counters.Contains(name[(name.LastIndexOf('.') + 1)..]);

    /// <summary>The name of the mask beside NAME (or NAME_orig) of this shape.</summary>
    private static string? HasMask(string name, ImmutableArray<long> dims, IReadOnlyDictionary<string, ImmutableArray<long>> shapes) =>
        s_maskSuffixes.Select(suffix => name + suffix).FirstOrDefault(mask => shapes.TryGetValue(mask, out ImmutableArray<long> of) && of.SequenceEqual(dims));

    private static bool IsMask(string name, ImmutableArray<long> dims, IReadOnlyDictionary<string, ImmutableArray<long>> shapes)
    {
        foreach (string suffix in s_maskSuffixes)
        {
            if (!name.EndsWith(suffix, StringComparison.Ordinal)) continue;
            string masked = name[..^suffix.Length];
            foreach (string of in (ReadOnlySpan<string>)[masked, masked + Original])
                if (shapes.TryGetValue(of, out ImmutableArray<long> expected) && expected.SequenceEqual(dims)) return true;
        }
        return false;
    }

    private static string Unwrapped(string name) => string.Join('.', name.Split('.').Where(part => !s_wrappers.Contains(part)));

    /// <summary>A clause on what has to be done in PyTorch first; null for a plain tensor.</summary>
    private static string? GetUnsupportedReason(string name, IReadOnlyDictionary<string, ImmutableArray<long>> shapes)
    {
        string Module(string ending) => name[..^ending.Length];
        bool Ends(string ending) => name.EndsWith(ending, StringComparison.Ordinal) && name.Length > ending.Length;
        if (name.StartsWith(Parametrizations + ".", StringComparison.Ordinal) || name.Contains("." + Parametrizations + ".", StringComparison.Ordinal))
            return "the weight is computed by a parametrization; torch.nn.utils.parametrize.remove_parametrizations makes it plain";
        if (Ends("_g") && shapes.ContainsKey(Module("_g") + "_v") && !shapes.ContainsKey(Module("_g")))
            return "the weight is computed by weight norm; torch.nn.utils.remove_weight_norm makes it plain";
        if (Ends(Original) && shapes.ContainsKey(Module(Original) + "_u"))
            return "the weight is computed by spectral norm; torch.nn.utils.remove_spectral_norm makes it plain";
        return Ends(Original) && !shapes.ContainsKey(Module(Original)) && HasMask(Module(Original), shapes[name], shapes) is null
            ? $"{Module(Original)}_mask of the same shape is not there; torch.nn.utils.prune.remove makes the weight plain" : null;
    }
}
