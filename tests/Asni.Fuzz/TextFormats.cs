using System.Text;
using Asni.Formats;
using Asni.Host;
using Asni.Host.Recipes;
using Asni.Networks;
using Asni.Runs;
using Asni.Tensors;

namespace Asni.Fuzz;

/// <summary>Recipes and what a run folder has as text.</summary>
internal static class TextFormats
{
    public static IEnumerable<FuzzedFormat> All()
    {
        byte[][] recipes =
        [
            "net: lenet300\nepochs: 3\nlr-steps: [1, 2, 3]\n\"data\": !!str digits\nsparsity: |\n  0.9\n"u8.ToArray(),
            "# comment\nnet: &n conv2\ncontrols: [ticket, reinit]\nlr: 1e-3\ninput: 3x32x32\nratios: 'layer1=0.4,layer2=1'\n? batch\n: 60\n"u8.ToArray(),
            "net: *n\ninit: {a: [b, {c: d}]}\nlimit: >-\n  10\n  20\n---\n- [x]\n...\n%TAG ! tag:x,2000:\n"u8.ToArray(),
            "{net: conv2, epochs: 1, lr-steps: [[[[1]]]], <<: *a}"u8.ToArray(),
        ];
        yield return new("recipe", recipes, FuzzedFormat.AsIs, LoadRecipe, "input.yaml");
        byte[] summary = """
            {"network":"lenet300","input":"1x28x28","classes":10,"class_names":["0","1"],"data":"digits","data_source":"drawn","mean":[0.1226],"std":[0.2533],
            "train_images":6000,"test_images":1500,"device":"CPU","seed":1,"parameters":266610,"weights":266200,"asni1":{"top1":0.75,"top5":0.98,"test_loss":0.86,
            "sparsity":0.824,"kept":46769,"seconds":0.77,"complete":true},"asni2":{"top1":0.81,"top5":null,"test_loss":0.6,"sparsity":0.824,"kept":46769,
            "centroids":[[0.09,-0.09],null],"initialization_bytes":39146,"dense_bytes":1066440,"seconds":0.5,"complete":true},"complete":true}
            """u8.ToArray();
        yield return new("summary", [summary], FuzzedFormat.AsIs, LoadSummary, RunFolder.Summary);
        string graph = GraphJson.Write(NetworkZoo.Create("resnet20[layer1.0.conv1=2]", new Chw(3, 8, 8), 2)), folded = GraphJson.Write(NetworkZoo.Create("conv2", new Chw(1, 8, 8), 2));
        yield return new("graph", [Encoding.UTF8.GetBytes(graph), Encoding.UTF8.GetBytes(folded)], FuzzedFormat.AsIs, LoadGraph, "graph.json");
        yield return new("start", ["""{"Device":{"Device":"cpu","Precision":"fp32","Threads":"2"},"DataDir":"/data"}"""u8.ToArray()], FuzzedFormat.AsIs, LoadStart, "start.json");
    }

    private static void LoadRecipe(string path) => SettingsLayer.Apply(RecipeYaml.Load(path));

    private static void LoadSummary(string path)
    {
        string folder = Path.GetDirectoryName(path)!;
        _ = RunFolder.IsComplete(folder);
        RunSummary.Read(folder);
        CommandLine.Run("compare", folder, "--out", path + ".html");
    }

    private static void LoadGraph(string path) => NetworkAnalysis.Analyze(GraphJson.Read("x", Encoding.UTF8.GetString(File.ReadAllBytes(path)), what => new AsniException(what)));

    private static void LoadStart(string path)
    {
        string run = Path.Combine(Path.GetDirectoryName(path)!, "run"), start = Path.Combine(run, RunFolder.StartFile);
        Directory.CreateDirectory(Path.GetDirectoryName(start)!);
        File.Copy(path, start, overwrite: true);
        _ = Checkpointing.Start(run);
    }
}
