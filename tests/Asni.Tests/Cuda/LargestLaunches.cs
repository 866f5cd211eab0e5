using Asni.Cuda;
using Asni.Cuda.Driver;
using Asni.Cuda.Launchers;
using Asni.Devices;
using Asni.Networks;
using Asni.Tensors;

namespace Asni.Tests.Cuda;

/// <summary>A launch that a launcher may ask for.</summary>
internal readonly record struct PossibleLaunch(string Kernel, Dim3 Grid, int Threads, int DynamicBytes = 0);

/// <summary>
/// The largest launches that the launchers may ask for, by their own functions: of the convolutions every tile with the extremes of shapes that
/// <see cref="ConvolutionShape.FromSpec"/> takes, of the others the extremes of their numbers.
/// </summary>
internal static class LargestLaunches
{
    private static readonly int[] s_channels = [1, 3, 8, 64, 65_535, 1 << 16, 1 << 21, int.MaxValue - 7];

    /// <summary>Every shape of a set of extremes that a convolution takes, with the largest batch that it takes and with 1.</summary>
    public static List<(ConvolutionShape Shape, int Samples)> Shapes { get; } = [.. AcceptedShapes()];

    public static IEnumerable<PossibleLaunch> Find(string kernel, int multiprocessors, int maxSharedBytes)
    {
        foreach (ConvolutionPass pass in Enum.GetValues<ConvolutionPass>())
            if (ConvolutionTile.All.FirstOrDefault(tile => tile.KernelName(pass) == kernel) is { } tile)
                return OfTile(tile, pass, maxSharedBytes);
        return kernel switch
        {
            _ when Is("convolution_combine_") => [new(kernel, SplitSum.Blocks(long.MaxValue / 2, multiprocessors), SplitSum.Threads)],
            _ when Is("convolution_output_gradient_", "batch_norm_sums_", "batch_norm_apply_", "batch_norm_gradient_sums_", "batch_norm_gradient_apply_") =>
                Channels(1),
            _ when Is("depthwise_weight_gradient_") =>
                Channels(Shapes.Where(s => s.Shape.IsDepthwise).Max(s => s.Shape.FanIn)),
            "batch_norm_merge" => WideShapes(1).Select(blocks =>
                new PossibleLaunch(kernel, new Dim3(CudaBatchNorm.Groups(int.MaxValue), blocks.Count), ChannelBlocks.Threads)),
            _ when Is("batch_norm_rows_", "batch_norm_gradient_rows") => [new(kernel, CudaBatchNorm.TotalBlocks(int.MaxValue), CudaBatchNorm.TotalThreads)],
            _ when Is("depthwise_forward_", "depthwise_data_gradient_", "max_pool_", "mean_pool_", "add_", "activate_backward_", "smooth_", "to_channels_last_", "to_channels_first_",
                "images_to_channels_last_", "sample_images_", "pad_channels_", "drop_channels_", "tree_sum") => [new(kernel, CudaDevice.Blocks(long.MaxValue / 2, multiprocessors), CudaDevice.Threads)],
            "live_blocks" => [new(kernel, int.MaxValue, LiveBlocks.Threads)],
            "loss_sum" => [new(kernel, 1, CudaLoss.SumThreads)],
            "loss_fp32" or "loss_bf16" => [new(kernel, CudaLoss.Blocks(int.MaxValue), CudaLoss.Threads)],
            // A block a chunk of the parameters' elements, which an int counts, a few blocks, or one.
            _ when Is("threshold_", "sign_statistics", "assign_by_sign", "update", "apply_masks", "combine_masks", "combine", "map_values", "map_gradients", "mark_groups", "move_gates", "output_squares", "combine_outputs", "pack") => [new(kernel, int.MaxValue, ChunkArgs.Threads)],
            // Of the tests and the benchmarks, as those ask for them.
            _ when Is("fill32", "limit_", "test_reverse", "test_warp_sum", "test_functions") => [new(kernel, 1 << 20, 256)],
            "test_dynamic_reverse" => [new(kernel, 1, 1024, 64 << 10)],
            "test_grid_sum" => [new(kernel, 79, 128)],
            _ when Is("test_") => [new(kernel, 1, 32)],
            _ => [],
        };

        bool Is(params ReadOnlySpan<string> prefixes)
        {
            foreach (string prefix in prefixes)
                if (kernel.StartsWith(prefix, StringComparison.Ordinal)) return true;
            return false;
        }

        // Blocks along rows and channels, as channel_blocks.h has them.
        IEnumerable<PossibleLaunch> Channels(int taps) =>
            from width in new[] { 1, 4, 8 }
            from blocks in WideShapes(width)
            select new PossibleLaunch(kernel, new Dim3(blocks.Shares(int.MaxValue, multiprocessors * 8), blocks.Count, taps), ChannelBlocks.Threads);
    }

    private static IEnumerable<PossibleLaunch> OfTile(ConvolutionTile tile, ConvolutionPass pass, int maxSharedBytes)
    {
        foreach ((ConvolutionShape shape, int samples) in Shapes)
        {
            if (shape.IsDepthwise || !ConvolutionTile.For(tile.Precision, pass, shape, maxSharedBytes, tile.Wgmma).Contains(tile)) continue;
            MatrixProduct product = shape.ProductOf(pass, samples);
            foreach (int splits in new[] { 1, TileChoice.MaxSplits(tile, product) })
                yield return new(tile.KernelName(pass), TileProduct.Grid(new TileChoice(tile, splits), product), tile.Threads, tile.SharedBytesFor(product, splits));
        }
    }

    private static IEnumerable<ChannelBlocks> WideShapes(int width)
    {
        foreach (int channels in s_channels)
        {
            ChannelBlocks? blocks = null;
            try
            {
                blocks = new ChannelBlocks(channels, width);
            }
            catch (AsniException)
            {
                // Refused in words.
            }
            if (blocks is { } taken) yield return taken;
        }
    }

    private static IEnumerable<(ConvolutionShape, int)> AcceptedShapes()
    {
        foreach (int channels in s_channels)
        {
            foreach ((int height, int width) in new[] { (1, 1), (7, 9), (300, 300), (1, 65_536), (46_340, 46_340) })
            {
                if ((long)channels * height * width > int.MaxValue) continue;
                foreach (int outputs in s_channels)
                {
                    foreach (int groups in new[] { 1, 2, 32_768, 65_535, 65_536, 1 << 21 })
                    {
                        if (channels % groups != 0 || outputs % groups != 0) continue;
                        foreach ((int filter, int stride, int padding) in new[] { (1, 1, 0), (1, 2, 0), (3, 1, 1), (3, 255, 1), (7, 256, 3), (7, 65_536, 3), (255, 1, 0), (257, 1, 0) })
                        {
                            var spec = new ConvolutionSpec(1, new Chw(channels, height, width), new FilterShape(outputs, channels / groups, filter, filter),
                                stride, padding, groups, false, Activation.None, true, true);
                            if (Accepted(spec) is not { } shape) continue;
                            yield return (shape, 1);
                            int max = (int)(int.MaxValue / Math.Max(spec.Input.Elements, (long)spec.Output.Elements));
                            if (max > 1) yield return (shape, max);
                        }
                    }
                }
            }
        }
    }

    private static ConvolutionShape? Accepted(in ConvolutionSpec spec)
    {
        // No GPU holds more weights than this, in fp32.
        if ((long)spec.Filter.Out * spec.Filter.In * spec.Filter.Height * spec.Filter.Width > 1L << 36 || spec.Output.Height < 1 || spec.Output.Width < 1) return null;
        try
        {
            return ConvolutionShape.FromSpec(spec);
        }
        catch (Exception e) when (e is AsniException or OverflowException)
        {
            return null;
        }
    }
}
