using Asni.Cpu;
using Asni.Cpu.Sparse;
using Asni.Devices;
using Asni.Networks;
using Asni.Tensors;

namespace Asni.Tests.Cpu.Sparse;

/// <summary>The sparse path of linear layers against the dense one on the same masked weights.</summary>
[NonParallelizable]
public class SparseLinearTests
{
    [TearDown]
    public void LetTheModelChoose() => SparsePath.Forced = null;

    [Test]
    public void Sparse_and_dense_agree([Values(0, 0.001, 0.05, 0.5, 1)] double density, [Values(1, 2)] int threads, [Values(1, 7, 60, 130)] int batch)
    {
        foreach ((Chw input, int outputs) in new[] { (new Chw(17, 1, 1), 5), (new Chw(300, 1, 1), 100), (new Chw(4, 3, 5), 33) })
            AssertAgree(input, outputs, density, threads, batch, batch);
    }

    [Test]
    public void A_partial_batch_uses_only_its_samples() => AssertAgree(new Chw(40, 1, 1), 20, 0.1, 2, 60, 13);

    [Test]
    public void Another_mask_replaces_the_structure()
    {
        using var layer = new Layer(new Chw(30, 1, 1), 10, 2, 8);
        layer.Prune(0.5, seed: 1);
        layer.Run(sparse: true, 8);
        layer.Prune(0.2, seed: 1);
        AssertClose(layer.Run(sparse: false, 8), layer.Run(sparse: true, 8), "second mask");
    }

    [Test]
    public void The_model_goes_sparse_for_a_published_mask_and_stays_dense_without_one()
    {
        var filter = new FilterShape(300, 784, 1, 1);
        using var workers = new Workers(2);
        using var linear = new SparseUnrolled(filter, 60, Activation.Relu, workers);
        Assert.That(linear.TakesForward(60), Is.False);
        var mask = new Mask(300 * 784, live: false);
        for (int i = 0; i < mask.Length; i += 33) mask[i] = true;
        linear.SetMask(mask);
        Assert.That(linear.TakesForward(60) && linear.TakesBackwardWeights(60) && linear.TakesBackwardData(60), Is.True);
        linear.SetMask(new Mask(300 * 784));
        Assert.That(linear.TakesForward(60) || linear.TakesBackwardWeights(60) || linear.TakesBackwardData(60), Is.False);
    }

    [TestCase(1)]
    [TestCase(2)]
    [TestCase(5)]
    public void Shares_cover_every_line_once(int workers)
    {
        var mask = new Mask(12 * 9, live: false);
        for (int i = 0; i < 40; i++) mask[i] = true; // the first lines hold everything
        (SparseMatrix byOutput, SparseMatrix byInput) = SparseMatrix.Create(mask, new FilterShape(12, 9, 1, 1), workers);
        foreach (SparseMatrix m in (SparseMatrix[])[byOutput, byInput])
        {
            Assert.That(m.Shares[0], Is.Zero);
            Assert.That(m.Shares[^1], Is.EqualTo(m.Starts.Length - 1));
            Assert.That(m.Shares, Is.Ordered);
            Assert.That(m.Live, Is.EqualTo(40));
        }
        Assert.That(byInput.Places.Order(), Is.EqualTo(byOutput.Places.Order()));
    }

    private static void AssertAgree(Chw input, int outputs, double density, int threads, int capacity, int batch)
    {
        using var layer = new Layer(input, outputs, threads, capacity);
        layer.Prune(density, seed: 5);
        AssertClose(layer.Run(sparse: false, batch), layer.Run(sparse: true, batch), $"{input} -> {outputs}, density {density}, {threads} threads, batch {batch}");
    }

    private static void AssertClose(Dictionary<string, float[]> dense, Dictionary<string, float[]> sparse, string context)
    {
        foreach ((string name, float[] expected) in dense)
            for (int i = 0; i < expected.Length; i++)
                Assert.That(sparse[name][i], Is.EqualTo(expected[i]).Within(1e-4 * (1 + Math.Abs(expected[i]))), $"{context}: {name}[{i}]");
    }

    /// <summary>A linear layer with a mask, random data, and all four passes.</summary>
    private sealed class Layer : IDisposable
    {
        private readonly CpuDevice _device;
        private readonly ConvolutionOperation _operation;
        private readonly DeviceParameters _parameters;
        private readonly Chw _input;
        private readonly int _outputs, _capacity;

        public Layer(Chw input, int outputs, int threads, int capacity)
        {
            (_input, _outputs, _capacity) = (input, outputs, capacity);
            _device = new CpuDevice(threads);
            var filter = new FilterShape(outputs, input.Channels, input.Height, input.Width);
            _operation = _device.CreateConvolution(new ConvolutionSpec(capacity, input, filter, 1, 0, 1, true, Activation.Relu, true, true));
            _parameters = _device.CreateParameters([
                new Parameter(0, "w", ParameterKind.Weight, new Shape(outputs, input.Elements), filter),
                new Parameter(1, "b", ParameterKind.Bias, new Shape(outputs), new FilterShape(outputs, 1, 1, 1))]);
            _parameters.Upload(1, ParameterSlot.Value, Random(outputs, 9));
        }

        public void Prune(double density, ulong seed)
        {
            var random = new SplitMix64(seed);
            long length = _parameters.Parameters[0].Elements;
            var mask = new Mask(length, live: false);
            for (long i = 0; i < length; i++) mask[i] = random.NextDouble() < density;
            _parameters.SetMask(0, null);
            _parameters.Upload(0, ParameterSlot.Value, Random((int)length, 2));
            _parameters.SetMask(0, mask);
            _operation.SetMask(mask);
        }

        public Dictionary<string, float[]> Run(bool sparse, int batch)
        {
            SparsePath.Forced = sparse;
            DeviceTensor x = Filled(_input, batch, 3), y = Filled(new Chw(_outputs, 1, 1), batch, 4), dy = Filled(y.Shape, batch, 5), dx = Filled(_input, batch, 6);
            _operation.Forward(x, _parameters.Value(0), _parameters.Value(1), y);
            _operation.BackwardOutput(y, _parameters.Gradient(1), dy);
            _operation.BackwardWeights(x, dy, _parameters.Gradient(0));
            _operation.BackwardData(dy, _parameters.Value(0), accumulate: true, dx);
            var dw = new float[_parameters.Parameters[0].Elements];
            _parameters.Download(0, ParameterSlot.Gradient, dw);
            Mask? mask = _parameters.GetMask(0);
            for (int i = 0; i < dw.Length; i++)
                if (mask is not null && !mask[i]) dw[i] = 0;
            var result = new Dictionary<string, float[]> { ["y"] = Read(y), ["dw"] = dw, ["dx"] = Read(dx) };
            foreach (DeviceTensor t in (DeviceTensor[])[x, y, dy, dx]) t.Buffer.Dispose();
            return result;
        }

        public void Dispose()
        {
            _operation.Dispose();
            _parameters.Dispose();
            _device.Dispose();
        }

        private DeviceTensor Filled(Chw shape, int batch, ulong seed)
        {
            var tensor = new DeviceTensor(_device.Allocate(_device.ActivationBytes(_capacity, shape)), 0, batch, shape);
            _device.Upload(Random((int)tensor.Elements, seed), tensor);
            return tensor;
        }

        private float[] Read(DeviceTensor tensor)
        {
            var values = new float[tensor.Elements];
            _device.Download(tensor, values);
            return values;
        }

        private static float[] Random(int count, ulong seed)
        {
            var random = new SplitMix64(seed);
            return [.. Enumerable.Range(0, count).Select(_ => 2 * random.NextSingle() - 1)];
        }
    }
}
