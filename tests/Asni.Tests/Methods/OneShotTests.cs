using Asni.Methods;
using Asni.Pruning;
using static Asni.Tests.Methods.MethodTests;

namespace Asni.Tests.Methods;

public class OneShotTests
{
    [Test]
    public void One_shot_cuts_the_dense_network_once_and_trains_the_rest()
    {
        (RunResult result, RecordingObserver observer) = Run(new OneShot { Sparsity = 0.9, Retraining = new Retraining { Epochs = 2 } });
        Assert.That(result.Phases.Select(p => p.Phase), Is.EqualTo(new[] { "dense", "oneshot" }));
        PhaseResult dense = result.Phases[0], sparse = result.Phases[1];
        Assert.That((dense.Sparsity, sparse.Kept), Is.EqualTo((0.0, Quota.At(0.9, Net.WeightCount))));
        float[] magnitudes = [.. Net.Weights.SelectMany(p => dense.Model.Values[p.Index]).Select(Math.Abs)];
        float cut = magnitudes.OrderDescending().ElementAt((int)sparse.Kept - 1);
        Assert.That(Net.Weights.SelectMany(p => sparse.Initial.Values[p.Index]).Select(v => v != 0), Is.EqualTo(magnitudes.Select(m => m >= cut)));
        Assert.That(Net.Weights.SelectMany(p => sparse.Model.Values[p.Index].Zip(sparse.Initial.Values[p.Index])), Is.All.Matches<(float Now, float Then)>(v => v.Then != 0 || BitConverter.SingleToInt32Bits(v.Now) == 0));
        Assert.That(observer.Epochs.Count(e => e.Phase == "oneshot"), Is.EqualTo(2));
        Assert.That(sparse.Top1, Is.GreaterThan(0.6), "chance is 0.25");

        RunResult given = Run(new OneShot { Sparsity = 0.9, Retraining = new Retraining { Epochs = 2 } }, dense.Model).Result;
        Assert.That(given.Phases.Select(p => p.Phase), Is.EqualTo(new[] { "oneshot" }));
        Assert.That(given.Phases[0].Model.ComputeSha256(), Is.EqualTo(sparse.Model.ComputeSha256()), "from the dense network's file it is the same");
    }
}
