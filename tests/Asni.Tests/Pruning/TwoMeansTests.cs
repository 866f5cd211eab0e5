using Asni.Cpu;
using Asni.Devices;
using Asni.Engine;
using Asni.Networks;
using Asni.Pruning;
using Asni.Tensors;
using Asni.Tests.Engine;

namespace Asni.Tests.Pruning;

public class TwoMeansTests
{
    private readonly CpuDevice _device = new(2);

    [OneTimeTearDown]
    public void Release() => _device.Dispose();

    [Test]
    public void Means_of_each_sign_replace_the_survivors()
    {
        using Model model = Filled([1f, 3f, -2f, -4f, 5f, 100f], pruned: 5);
        Parameter weight = model.Network.Parameters[0];
        Centroids[] found = TwoMeans.Find(model, [weight], lloyd: false);
        Assert.That(found[0].Plus, Is.EqualTo(3f));
        Assert.That(found[0].Minus, Is.EqualTo(-3f));
        TwoMeans.Assign(model, [weight], found);
        Assert.That(Values(model), Is.EqualTo(new[] { 3f, 3, -3, -3, 3, 0 }));
    }

    [Test]
    public void Lloyd_moves_the_border_to_the_middle_of_the_means()
    {
        // By sign: {-1, -1} and {1, 10, 11, 12}. Lloyd ends at {-1, -1, 1} and {10, 11, 12}.
        using Model model = Filled([-1f, -1f, 1f, 10f, 11f, 12f], pruned: null);
        Parameter weight = model.Network.Parameters[0];
        Centroids[] found = TwoMeans.Find(model, [weight], lloyd: true);
        Assert.That(found[0].Plus, Is.EqualTo(11f));
        Assert.That(found[0].Minus, Is.EqualTo(-1 / 3f).Within(1e-6f));
        TwoMeans.Assign(model, [weight], found);
        Assert.That(Values(model)[2], Is.EqualTo(-1 / 3f).Within(1e-6f));
    }

    [Test]
    public void A_layer_without_negative_survivors_has_no_such_centroid()
    {
        using Model model = Filled([1f, 2f, 3f, 4f, 5f, -1f], pruned: 5);
        Centroids[] found = TwoMeans.Find(model, [model.Network.Parameters[0]], lloyd: false);
        Assert.That(found[0].Minus, Is.Null);
        Assert.That(found[0].Plus, Is.EqualTo(3f));
    }

    private Model Filled(float[] values, int? pruned)
    {
        var model = new Model(TinyNetworks.Linear(6, 1), _device);
        model.Parameters.Upload(0, ParameterSlot.Value, values);
        if (pruned is { } index)
        {
            var mask = new Mask(6) { [index] = false };
            model.Parameters.SetMask(0, mask);
        }
        return model;
    }

    private static float[] Values(Model model)
    {
        var values = new float[6];
        model.Parameters.Download(0, ParameterSlot.Value, values);
        return values;
    }
}
