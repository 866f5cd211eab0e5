namespace Asni.Formats.PyTorch;

/// <summary>
/// Finds the state dict in what was saved: the object itself, or a dictionary somewhere inside a checkpoint. Tensors beside it (the best accuracy, a
/// generator's state), an optimizer's state and other copies of the weights are left alone.
/// </summary>
internal static class StateDictSearch
{
    /// <summary>Where training scripts put the state dict, the first that is there is taken.</summary>
    private static readonly string[] s_usual = ["state_dict", "model_state_dict", "model", "net", "network", "model_state", "module", "weights", "params"];

    private const int MaxSearched = 16, NamesInMessage = 4;

    private const string ConstructorPrefix = "_rebuild_", PackedParameters = "_packed_params";

    /// <summary>How PyTorch rebuilds tensors of other kinds: what they are, and how they become plain.</summary>
    private static readonly Dictionary<string, string> s_kinds = new()
    {
        ["_rebuild_sparse_tensor"] = "a sparse tensor; save it dense, as tensor.to_dense()",
        ["_rebuild_sparse_csr_tensor"] = "a sparse tensor (CSR); save it dense, as tensor.to_dense()",
        ["_rebuild_qtensor"] = "quantized; save it as tensor.dequantize()",
        ["_rebuild_nested_tensor"] = "a nested tensor, which no network here has",
        ["_rebuild_meta_tensor_no_storage"] = "on the meta device and has no values",
    };

    /// <exception cref="AsniException">No state dict, several, or one with a tensor of a kind that is not read, which is named.</exception>
    public static Dictionary<string, PickleTensor> Find(object root, Func<string, AsniException> bad)
    {
        if (root is not Dictionary<object, object> dictionary)
            throw bad("it holds no state dict but something else, such as a whole module; save model.state_dict()");
        Dictionary<object, object> states = Find(dictionary, bad, new HashSet<object>(ReferenceEqualityComparer.Instance)) ?? throw bad(dictionary.Values.Any(v => v is PickleCall)
            ? "it holds no tensor by a name, but maybe a whole module; save model.state_dict()"
            : "it holds no tensor by a name");
        var tensors = new Dictionary<string, PickleTensor>();
        foreach ((object key, object value) in states)
        {
            if (key is not string name) continue;
            if (value is PickleTensor tensor) tensors[name] = tensor;
            else if (KindOf(name, value) is { } kind) throw bad($"its tensor {name} is {kind}");
        }
        return tensors;
    }

    private static Dictionary<object, object>? Find(Dictionary<object, object> dictionary, Func<string, AsniException> bad, HashSet<object> seen)
    {
        // A hostile file may have a dictionary inside itself.
        if (!seen.Add(dictionary) || seen.Count > MaxSearched) return null;
        foreach (string key in s_usual)
            if (dictionary.GetValueOrDefault(key) is Dictionary<object, object> inner && Find(inner, bad, seen) is { } found) return found;
        // A module's names have dots, except where it is one layer.
        if (HasTensors(dictionary, dotted: true)) return dictionary;
        var others = dictionary.Where(i => i.Key is string && i.Value is Dictionary<object, object> d && HasTensors(d, dotted: true)).ToList();
        if (others.Count > 1)
            throw bad($"it holds several state dicts, under {string.Join(", ", others.Select(o => o.Key).Order().Take(NamesInMessage))}; save the one that is meant by itself");
        if (others.Count == 1) return (Dictionary<object, object>)others[0].Value;
        return HasTensors(dictionary, dotted: false) ? dictionary : null;
    }

    private static bool HasTensors(Dictionary<object, object> dictionary, bool dotted) =>
        dictionary.Any(i => i.Key is string name && (!dotted || name.Contains('.')) && (i.Value is PickleTensor || KindOf(name, i.Value) is not null));

    /// <summary>What a tensor is that is not read; null for anything else.</summary>
    private static string? KindOf(string name, object value)
    {
        if (name.EndsWith(PackedParameters, StringComparison.Ordinal)) return "of a quantized module; save the module before it is converted";
        if (value is not PickleCall call) return null;
        string function = call.Function[(call.Function.LastIndexOf('.') + 1)..];
        if (!function.StartsWith(ConstructorPrefix, StringComparison.Ordinal)) return null;
        return s_kinds.GetValueOrDefault(function) ?? $"of a kind that is not read ({call.Function}); save a plain tensor";
    }
}
