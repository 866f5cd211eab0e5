using Asni.Cpu;
using Asni.Data;
using Asni.Engine;
using Asni.Methods;
using Asni.Networks;
using Asni.Tensors;
using Asni.Tests.Methods;
using Asni.Training;

namespace Asni.Tests.Training;

/// <summary>Loss and accuracy over a dataset, in batches of whatever size.</summary>
public class EvaluatorTests
{
    private static readonly Chw s_shape = new(1, 6, 6);

    [TestCase(1)]
    [TestCase(7)]
    [TestCase(300)]
    [TestCase(1000)]
    public void Each_image_counts_once(int batch)
    {
        using var device = new CpuDevice(1);
        using var model = new Model(NetworkZoo.Create("lenet300", s_shape, 4), device);
        model.Load(MethodRunner.CreateInitialWeights(model.Network, 3));
        DatasetSplit data = BlobDataset.Split(602, s_shape, 4);
        using var evaluator = new Evaluator(model, data.Test, batch);
        Metrics metrics = evaluator.Evaluate();
        Assert.That(metrics.Samples, Is.EqualTo(301));
        Assert.That(evaluator.Evaluate() with { Seconds = 0 }, Is.EqualTo(metrics with { Seconds = 0 }), "a second pass starts anew");
        (double loss, int right) = ByHand(model, data.Test);
        Assert.That(metrics.Loss, Is.EqualTo(loss).Within(1e-5));
        Assert.That(metrics.Top1, Is.EqualTo(right / 301.0).Within(1e-12));
        Assert.That(metrics.Top5, Is.EqualTo(1), "four classes");
    }

    [Test]
    public void A_trainer_says_the_same()
    {
        using var device = new CpuDevice(1);
        using var model = new Model(NetworkZoo.Create("lenet300", s_shape, 4), device);
        model.Load(MethodRunner.CreateInitialWeights(model.Network, 3));
        DatasetSplit data = BlobDataset.Split(200, s_shape, 4);
        using var trainer = new Trainer(model, data, 20, Augmentation.None, 0, new RecordingObserver());
        using var evaluator = new Evaluator(model, data.Test, 20);
        Assert.That(evaluator.Evaluate() with { Seconds = 0 }, Is.EqualTo(trainer.Evaluate() with { Seconds = 0 }));
    }

    [Test]
    public void Data_of_another_shape_or_with_more_classes_is_refused()
    {
        using var device = new CpuDevice(1);
        using var model = new Model(NetworkZoo.Create("lenet300", s_shape, 4), device);
        Assert.That(() => new Evaluator(model, BlobDataset.Split(20, new Chw(1, 5, 6), 4).Test), Throws.TypeOf<UsageException>().With.Message.Contains("reads 1x6x6 images"));
        Assert.That(() => new Evaluator(model, BlobDataset.Split(20, s_shape, 5).Test), Throws.TypeOf<UsageException>().With.Message.Contains("has 4 classes"));
        using var cancelled = new CancellationTokenSource();
        cancelled.Cancel();
        using var evaluator = new Evaluator(model, BlobDataset.Split(20, s_shape, 4).Test);
        Assert.That(() => evaluator.Evaluate(cancelled.Token), Throws.InstanceOf<OperationCanceledException>());
    }

    /// <summary>Mean cross-entropy, and images whose largest logit is their label's.</summary>
    private static (double Loss, int Right) ByHand(Model model, Dataset data)
    {
        using var plan = new Plan(model, 1, training: false);
        var pixels = new byte[data.Shape.Elements];
        var input = new float[pixels.Length];
        var logits = new float[model.Network.Classes];
        double loss = 0;
        int right = 0;
        for (int i = 0; i < data.Count; i++)
        {
            data.Read(i, pixels);
            data.Normalization.Apply(pixels, input);
            plan.Load(input, [data.GetLabel(i)]);
            plan.RunEvaluation();
            plan.ReadLogits(logits);
            loss += Math.Log(logits.Sum(l => Math.Exp(l))) - logits[data.GetLabel(i)];
            if (Array.IndexOf(logits, logits.Max()) == data.GetLabel(i)) right++;
        }
        return (loss / data.Count, right);
    }
}
