using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Asni.Networks;
using Asni.Tensors;

namespace Asni.Formats;

/// <summary>
/// A network's graph as JSON, by which a file describes its network: docs/formats.md has the fields. What it says is checked as calls of
/// <see cref="NetworkBuilder"/> are.
/// </summary>
internal static class GraphJson
{
    private const int Version = 1, MaxNodes = 4096, Depth = 8;

    /// <summary>Characters of the JSON.</summary>
    public const int MaxCharacters = 1 << 20;

    /// <exception cref="AsniException">The graph cannot be written: more nodes than a reader takes.</exception>
    public static string Write(Network network)
    {
        if (network.Nodes.Length > MaxNodes) throw new AsniException($"{network.Name} has {network.Nodes.Length} layers; a file takes {MaxNodes}.");
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            json.WriteStartObject();
            json.WriteNumber("version", Version);
            json.WriteStartArray("input");
            foreach (int size in (ReadOnlySpan<int>)[network.Input.Channels, network.Input.Height, network.Input.Width]) json.WriteNumberValue(size);
            json.WriteEndArray();
            json.WriteStartArray("nodes");
            foreach (Node node in network.Nodes.Skip(1)) WriteNode(json, node);
            json.WriteEndArray();
            json.WriteEndObject();
        }
        string text = Encoding.UTF8.GetString(buffer.ToArray());
        return text.Length <= MaxCharacters ? text : throw new AsniException($"the graph of {network.Name} takes {text.Length} characters, more than the {MaxCharacters} that a file has; give its layers shorter names.");
    }

    /// <param name="name">The network's name.</param>
    /// <param name="bad">Makes the file's error from a clause.</param>
    /// <exception cref="AsniException">What <paramref name="bad"/> makes: not a graph, or one that no network has.</exception>
    public static Network Read(string name, string text, Func<string, AsniException> bad)
    {
        if (text.Length > MaxCharacters) throw bad($"its graph has {text.Length} characters, at most {MaxCharacters} are read");
        try
        {
            using var document = JsonDocument.Parse(text, new JsonDocumentOptions { MaxDepth = Depth, AllowDuplicateProperties = false });
            return new GraphReader(name, document.RootElement, bad).Read();
        }
        // A text that is not valid Unicode is an InvalidOperationException.
        catch (Exception e) when (e is JsonException or InvalidOperationException or UsageException)
        {
            string why = e is UsageException ? $"is that of no network: {e.Message.TrimEnd('.')}" : "is not valid JSON";
            throw new AsniException(bad($"its graph {why}").Message, e);
        }
    }

    private static void WriteNode(Utf8JsonWriter json, Node node)
    {
        json.WriteStartObject();
        json.WriteString("op", Operation(node));
        json.WriteString("name", node.Name);
        // A node without "in" reads the one before it.
        if (!node.Inputs.SequenceEqual([node.Id - 1]))
        {
            json.WriteStartArray("in");
            foreach (int source in node.Inputs) json.WriteNumberValue(source);
            json.WriteEndArray();
        }
        switch (node)
        {
            case ConvolutionNode n:
                json.WriteNumber("channels", n.Output.Channels);
                json.WriteNumber("kernel", n.Weight.Filter.Height);
                Write(json, "stride", n.Stride, 1);
                Write(json, "padding", n.Padding, 0);
                Write(json, "groups", n.Groups, 1);
                json.WriteBoolean("bias", n.Bias is not null);
                break;
            case LinearNode n:
                json.WriteNumber("features", n.Output.Channels);
                json.WriteBoolean("bias", n.Bias is not null);
                break;
            case BatchNormNode n:
                json.WriteNumber("epsilon", n.Epsilon);
                json.WriteNumber("momentum", n.Momentum);
                break;
            case MaxPoolNode n:
                json.WriteNumber("size", n.Size);
                json.WriteNumber("stride", n.Stride);
                Write(json, "padding", n.Padding, 0);
                break;
        }
        json.WriteEndObject();
    }

    private static string Operation(Node node) => node switch
    {
        ConvolutionNode => "convolution",
        LinearNode => "linear",
        BatchNormNode => "batch_norm",
        ActivationNode n => ActivationFunction.Get(n.Activation).Name,
        AddNode => "add",
        MaxPoolNode => "max_pool",
        GlobalAveragePoolNode => "global_average_pool",
        _ => throw new ArgumentException($"a {node.GetType().Name} has no form in files", nameof(node)),
    };

    private static void Write(Utf8JsonWriter json, string name, int value, int usual)
    {
        if (value != usual) json.WriteNumber(name, value);
    }

    /// <summary>Calls the builder as the nodes say.</summary>
    private sealed class GraphReader(string name, JsonElement root, Func<string, AsniException> bad)
    {
        public Network Read()
        {
            if (root.ValueKind != JsonValueKind.Object) throw bad("its graph is not a JSON object");
            int version = Whole(root, "version");
            if (version != Version) throw bad($"its graph is of version {version}, this program reads version {Version}");
            int[] input = Wholes(root, "input");
            if (input.Length != 3) throw bad("its graph has an input that is not three numbers");
            var builder = new NetworkBuilder(name, new Chw(input[0], input[1], input[2]));
            JsonElement nodes = Value(root, "nodes", JsonValueKind.Array);
            if (nodes.GetArrayLength() > MaxNodes) throw bad($"its graph has {nodes.GetArrayLength()} layers, at most {MaxNodes} are read");
            int id = 1;
            foreach (JsonElement node in nodes.EnumerateArray())
            {
                Add(builder, node, id++);
                // What follows a window that does not fit makes no sense, and looking for the input that would fit takes longer the more there is.
                if (!builder.Fits) break;
            }
            Network network = builder.Build();
            if (!network.Weights.Any()) throw bad("its graph has no layer with weights");
            var read = network.Nodes.SelectMany(n => n.Inputs).ToHashSet();
            if (network.Nodes.FirstOrDefault(n => n.Id < network.Nodes.Length - 1 && !read.Contains(n.Id)) is { } dead) throw bad($"layer {dead.Name} of its graph is read by no other");
            return network;
        }

        private void Add(NetworkBuilder builder, JsonElement node, int id)
        {
            if (node.ValueKind != JsonValueKind.Object) throw bad($"layer {id} of its graph is not a JSON object");
            int[] sources = node.TryGetProperty("in", out _) ? Wholes(node, "in") : [id - 1];
            string layer = Value(node, "name", JsonValueKind.String).GetString()!, operation = Value(node, "op", JsonValueKind.String).GetString()!;
            if (sources.Length != (operation == "add" ? 2 : 1)) throw bad($"layer {layer} of its graph reads {sources.Length} others");
            foreach (int source in sources)
                if (source < 0 || source >= id) throw bad($"layer {layer} of its graph reads layer {source}, which is not before it");
            builder.Reads(sources[0]);
            _ = operation switch
            {
                "convolution" => builder.Convolution(layer, Whole(node, "channels"), Whole(node, "kernel"), Whole(node, "stride", 1), Whole(node, "padding", 0), Whole(node, "groups", 1),
                    Truth(node, "bias")),
                "linear" => builder.Linear(layer, Whole(node, "features"), Truth(node, "bias")),
                "batch_norm" => builder.BatchNorm(layer, Single(node, "epsilon"), Single(node, "momentum")),
                "add" => builder.Add(layer, sources[0], sources[1]),
                "max_pool" => builder.MaxPool(layer, Whole(node, "size"), Whole(node, "stride"), Whole(node, "padding", 0)),
                "global_average_pool" => builder.GlobalAveragePool(layer),
                _ when ActivationFunction.Named(operation) is { } activation => builder.Activate(layer, activation.Kind),
                _ => throw bad($"layer {layer} of its graph is a '{operation}', which this program does not know"),
            };
        }

        private JsonElement Value(JsonElement json, string key, JsonValueKind kind) =>
            json.TryGetProperty(key, out JsonElement value) && value.ValueKind == kind ? value : throw bad($"its graph lacks a {key} that is a JSON {kind.ToString().ToLowerInvariant()}");

        private int Whole(JsonElement json, string key, int? usual = null) => usual is { } value && !json.TryGetProperty(key, out _) ? value
            : Value(json, key, JsonValueKind.Number).TryGetInt32(out int number) ? number : throw bad($"its graph has a {key} that is no whole number");

        private int[] Wholes(JsonElement json, string key) => [.. Value(json, key, JsonValueKind.Array).EnumerateArray()
            .Select(item => item.ValueKind == JsonValueKind.Number && item.TryGetInt32(out int number) ? number : throw bad($"its graph has an {key} that is not a list of whole numbers"))];

        private float Single(JsonElement json, string key) => Value(json, key, JsonValueKind.Number).GetSingle();

        private bool Truth(JsonElement json, string key) => json.TryGetProperty(key, out JsonElement value) && value.ValueKind is JsonValueKind.True or JsonValueKind.False
            ? value.GetBoolean() : throw bad($"its graph has a {key} that is not true or false");
    }
}
