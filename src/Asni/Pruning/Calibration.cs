using Asni.Data;
using Asni.Devices;
using Asni.Engine;
using Asni.Networks;
using Asni.Networks.Rewriting;

namespace Asni.Pruning;

/// <summary>The images that units are chosen by: the first batches of a dataset's epoch order.</summary>
internal sealed record Calibration(Dataset Data, ImageBatches Images, ulong Seed, Device Device, CancellationToken Cancellation)
{
    public delegate void Reader(ReadOnlySpan<float> activations, int images);

    /// <summary>As many images at random, without augmentation; all when there are fewer.</summary>
    public ScoringImages Draw() => ScoringImages.Draw(Data, checked(Images.Count * Images.Size), Seed);

    /// <summary>Pushes them through the front of a network.</summary>
    /// <param name="read">Gets the node's values of each batch, (image, channel, y, x).</param>
    public void Push(TrainedNetwork model, Node node, Reader read)
    {
        TrainedNetwork front = FrontNetwork.UpTo(model.Network, node).Carry(model);
        using var on = new Model(front.Network, Device);
        on.Load(front);
        var loader = new BatchLoader(Data, Images.Size, Augmentation.None, shuffle: true, Seed);
        using var plan = new Plan(on, loader.BatchSize, training: false);
        var values = new float[checked(loader.BatchSize * node.Output.Elements)];
        foreach (Batch batch in loader.Epoch(0).Take(Images.Count))
        {
            Cancellation.ThrowIfCancellationRequested();
            // The front of a network tells no classes apart.
            Array.Clear(batch.Labels);
            plan.Load(batch, Data.Normalization);
            plan.RunEvaluation();
            Span<float> filled = values.AsSpan(0, batch.Count * node.Output.Elements);
            plan.ReadLogits(filled);
            read(filled, batch.Count);
        }
    }

    /// <summary>Mean loss of <see cref="Draw"/>'s images.</summary>
    public double Loss(TrainedNetwork model)
    {
        using var on = new Model(model.Network, Device);
        on.Load(model);
        ScoringImages images = Draw();
        var batch = new Batch(Math.Min(Images.Size, images.Indices.Length), Data.Shape);
        using var plan = new Plan(on, batch.Capacity, training: false);
        for (int first = 0; first < images.Indices.Length; first += batch.Capacity)
        {
            Cancellation.ThrowIfCancellationRequested();
            images.Fill(batch, first);
            plan.Load(batch, Data.Normalization);
            plan.RunEvaluation();
        }
        LossSums sums = plan.ReadLoss();
        return sums.Loss / sums.Samples;
    }
}
