using Asni.Cpu;
using Asni.Cpu.Sparse;
using Asni.Devices;
using Asni.Engine;
using Asni.Networks;
using Asni.Pruning;
using Asni.Tensors;
using Asni.Tests.Devices;
using Asni.Tests.Engine;
using Asni.Tests.Methods;

namespace Asni.Tests.Pruning;

/// <summary>SNIP's score, the images that scores are made of, and the control that turns a score round.</summary>
public class SaliencyTests
{
    private static readonly BlobDataset s_data = new(40, new Chw(36, 1, 1), 4, seed: 1);

    [TearDown]
    public void Unforce() => SparsePath.Forced = null;

    [Test]
    public void Saliency_of_a_softmax_layer_is_what_it_is_by_hand()
    {
        using var device = new CpuDevice(2);
        using var model = new Model(TinyNetworks.Linear(36, 4), device);
        model.Load(Asni.Methods.MethodRunner.CreateInitialWeights(model.Network, 5));
        ScoringImages images = ScoringImages.Draw(s_data, 10, seed: 2);
        using var gradient = new LossGradient(model, images, batchSize: 4);
        Assert.That(new Saliency(gradient).Write(model, model.Network.Weights), Is.EqualTo(Ranking.Score));
        float[] w = Workbench.Read(model.Parameters, 0, ParameterSlot.Value);
        Outputs.AssertClose(ByHand(w, w, model, images), Workbench.Read(model.Parameters, 0, ParameterSlot.Score), 1e-7, 1e-5, "saliency");
    }

    [Test]
    public void With_revival_pruned_weights_rank_by_their_first_value_and_the_pruned_networks_gradient([Values] bool local)
    {
        // Whose gradients of pruned weights mean nothing unless they are asked for.
        SparsePath.Forced = true;
        using var device = new CpuDevice(2);
        using var model = new Model(TinyNetworks.Linear(36, 4), device);
        model.Load(Asni.Methods.MethodRunner.CreateInitialWeights(model.Network, 5));
        ScoringImages images = ScoringImages.Draw(s_data, 10, seed: 2);
        using var gradient = new LossGradient(model, images, batchSize: 4, dense: true);
        float[] w = Workbench.Read(model.Parameters, 0, ParameterSlot.Value), pruned = w;
        var pruner = new Pruner(model, new Saliency(gradient, revive: true), local ? new Local() : new Pooled());
        int returned = 0;
        foreach (double sparsity in CutRounds.Sparsities(0.9, 8))
        {
            float[] scores = ByHand(w, pruned, model, images);
            PruneOutcome outcome = pruner.PruneTo(sparsity, _ => { });
            Outputs.AssertClose(scores, Workbench.Read(model.Parameters, 0, ParameterSlot.Score), 1e-7, 1e-5, "saliency");
            int kept = (int)Quota.At(sparsity, w.Length);
            Assert.That(outcome.Kept, Is.EqualTo(kept));
            HashSet<int> best = [.. Enumerable.Range(0, w.Length).OrderByDescending(i => scores[i]).Take(kept)];
            returned += best.Count(i => pruned[i] == 0);
            pruned = [.. w.Select((v, i) => best.Contains(i) ? v : 0)];
            Assert.That(Workbench.Read(model.Parameters, 0, ParameterSlot.Value), Is.EqualTo(pruned));
        }
        Assert.That(returned, Is.Positive, "weights that came back");
    }

    [Test]
    public void An_inverted_score_keeps_the_smallest()
    {
        using var device = new CpuDevice(1);
        using var model = new Model(TinyNetworks.Linear(4, 1), device);
        model.Parameters.Upload(0, ParameterSlot.Value, [0.1f, -3, 0.5f, 2]);
        new Pruner(model, new Inverted(new Magnitude()), new Pooled()).PruneTo(0.5, _ => { });
        Assert.That(Workbench.Read(model.Parameters, 0, ParameterSlot.Value), Is.EqualTo((float[])[0.1f, 0, 0.5f, 0]));
    }

    [Test]
    public void Images_are_drawn_by_the_seed_and_as_many_of_each_class()
    {
        ScoringImages images = ScoringImages.DrawPerClass(s_data, 3, seed: 2);
        Assert.That(images.Indices.CountBy(s_data.GetLabel).Select(c => c.Value), Is.EqualTo((int[])[3, 3, 3, 3]));
        Assert.That(images.Indices, Is.EqualTo(ScoringImages.DrawPerClass(s_data, 3, seed: 2).Indices).And.Unique);
        Assert.That(images.Indices, Is.Not.EqualTo(ScoringImages.DrawPerClass(s_data, 3, seed: 3).Indices));
        Assert.That(ScoringImages.Draw(s_data, 1000, seed: 2).Indices, Has.Length.EqualTo(40).And.Unique);
    }

    /// <summary>|w dL/dW| of a softmax layer whose W is <paramref name="at"/>: L = mean of -log p_y, p = softmax(W x + b), dL/dW = mean of (p - y) x.</summary>
    private static float[] ByHand(float[] w, float[] at, Model model, ScoringImages images)
    {
        float[] b = Workbench.Read(model.Parameters, 1, ParameterSlot.Value);
        var gradient = new double[w.Length];
        foreach (int index in images.Indices)
        {
            var pixels = new byte[36];
            var x = new float[36];
            s_data.Read(index, pixels);
            s_data.Normalization.Apply(pixels, x);
            double[] e = [.. Enumerable.Range(0, 4).Select(o => Math.Exp(b[o] + Enumerable.Range(0, 36).Sum(i => (double)at[o * 36 + i] * x[i])))];
            for (int i = 0; i < w.Length; i++) gradient[i] += (e[i / 36] / e.Sum() - (i / 36 == s_data.GetLabel(index) ? 1 : 0)) * x[i % 36] / images.Indices.Length;
        }
        return [.. gradient.Select((g, i) => (float)Math.Abs(w[i] * g))];
    }
}
