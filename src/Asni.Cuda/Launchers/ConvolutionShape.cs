using Asni.Cuda.Driver;
using Asni.Devices;

namespace Asni.Cuda.Launchers;

/// <summary>The three products of a convolution: y from x and w, dx from dy and w, dw from dy and x.</summary>
internal enum ConvolutionPass { Forward, DataGradient, WeightGradient }

/// <summary>
/// A convolution as the kernels see it. Where that changes no address it is flattened: a filter that covers its whole input is a 1x1 filter
/// over all of the input's elements, and a 1x1 convolution takes each pixel for an image of its own, <see cref="Images"/> a sample.
/// </summary>
internal readonly record struct ConvolutionShape(int Images, int Height, int Width, int Channels, int OutHeight, int OutWidth, int OutChannels,
    int FilterHeight, int FilterWidth, int Stride, int Padding, int Groups)
{
    /// <exception cref="AsniException">The shapes do not fit each other.</exception>
    public static ConvolutionShape FromSpec(in ConvolutionSpec spec)
    {
        if (spec.Groups < 1 || spec.Input.Channels != spec.Filter.In * spec.Groups || spec.Filter.Out % spec.Groups != 0)
        {
            throw new AsniException($"a filter of {spec.Filter.Out}x{spec.Filter.In} channels in {spec.Groups} groups does not fit "
                + $"an input of {spec.Input.Channels} channels.");
        }
        if (spec.Output.Height < 1 || spec.Output.Width < 1)
        {
            throw new AsniException($"a {spec.Filter.Height}x{spec.Filter.Width} filter with padding {spec.Padding} does not fit "
                + $"a {spec.Input} input.");
        }
        long perSample = Math.Max(spec.Input.Elements, spec.Output.Elements);
        if (spec.Batch * perSample > int.MaxValue)
        {
            throw new AsniException($"A batch of {spec.Batch} makes a layer's activations longer than the {int.MaxValue} elements "
                + $"that the GPU kernels count; use a batch of at most {int.MaxValue / perSample}.");
        }
        ConvolutionShape shape = Flatten(spec);
        CheckSides(shape);
        CheckGrid(shape);
        return shape;
    }

    private static ConvolutionShape Flatten(in ConvolutionSpec spec)
    {
        bool covers = spec.Groups == 1 && spec.Padding == 0 && spec.Filter.Height == spec.Input.Height && spec.Filter.Width == spec.Input.Width;
        if (covers) return new(1, 1, 1, spec.Filter.FanIn, 1, 1, spec.Filter.Out, 1, 1, 1, 0, 1);
        bool pointwise = spec.Filter.Height == 1 && spec.Filter.Width == 1 && spec.Stride == 1 && spec.Padding == 0;
        if (pointwise) return new(spec.Input.Positions, 1, 1, spec.Input.Channels, 1, 1, spec.Filter.Out, 1, 1, 1, 0, spec.Groups);
        return new(1, spec.Input.Height, spec.Input.Width, spec.Input.Channels, spec.Output.Height, spec.Output.Width, spec.Filter.Out,
            spec.Filter.Height, spec.Filter.Width, spec.Stride, spec.Padding, spec.Groups);
    }

    /// <summary>The matrix kernels keep a pixel's row and column in 16 bits each, those beside the image included.</summary>
    private static void CheckSides(in ConvolutionShape shape)
    {
        const int max = 1 << 14;
        int side = Math.Max(Math.Max(shape.Height, shape.Width), Math.Max(shape.OutHeight, shape.OutWidth));
        int beside = Math.Max(shape.FilterHeight, shape.FilterWidth) + shape.Padding;
        if (!shape.IsDepthwise && (long)side + beside > max)
            throw new AsniException($"an image side of {side} with a filter and padding of {beside} is more than the {max} that the GPU kernels take");
    }

    /// <summary>A grid's z is a depthwise filter's taps, or the products of a pass, of which the data gradient has the most.</summary>
    private static void CheckGrid(in ConvolutionShape shape)
    {
        if (shape.IsDepthwise)
        {
            if ((long)shape.FilterHeight * shape.FilterWidth > Dim3.MaxYZ)
                throw new AsniException($"a depthwise filter of {shape.FilterHeight}x{shape.FilterWidth} is larger than the {Dim3.MaxYZ} taps that the GPU kernels take");
        }
        else if ((Int128)shape.Groups * shape.Stride * shape.Stride > Dim3.MaxYZ)
        {
            throw new AsniException($"a convolution of {shape.Groups} groups and stride {shape.Stride} makes more than the {Dim3.MaxYZ} products "
                + "(groups times stride times stride) that the GPU kernels take at once");
        }
    }

    public int GroupChannels => Channels / Groups;
    public int GroupOutChannels => OutChannels / Groups;

    /// <summary>Weights of one output channel.</summary>
    public int FanIn => FilterHeight * FilterWidth * GroupChannels;

    /// <summary>Every channel on its own.</summary>
    public bool IsDepthwise => Groups > 1 && GroupChannels == 1 && GroupOutChannels == 1;

    public long InputElements(int samples) => (long)samples * Images * Height * Width * Channels;
    public long OutputElements(int samples) => OutputRows(samples) * OutChannels;
    public long OutputRows(int samples) => (long)samples * Images * OutHeight * OutWidth;
    public long FilterElements => (long)OutChannels * FanIn;

    /// <summary>The elements of a pass's result.</summary>
    public long ResultElements(ConvolutionPass pass, int samples) => pass switch
    {
        ConvolutionPass.Forward => OutputElements(samples),
        ConvolutionPass.DataGradient => InputElements(samples),
        _ => FilterElements,
    };

    /// <summary>The matrix product of a pass: one of <see cref="MatrixProduct.Count"/> of the same size, the largest where they differ.</summary>
    public MatrixProduct ProductOf(ConvolutionPass pass, int samples) => pass switch
    {
        ConvolutionPass.Forward => new(OutputRows(samples), GroupOutChannels, FanIn, Groups),
        // One product for each class of pixels that meet the same taps: see ClassAxis in native/include/asni/convolution.h.
        ConvolutionPass.DataGradient => new((long)samples * Images * CeilDivide(Height, Stride) * CeilDivide(Width, Stride), GroupChannels,
            (long)CeilDivide(FilterHeight, Stride) * CeilDivide(FilterWidth, Stride) * GroupOutChannels, Groups * Stride * Stride),
        _ => new(GroupOutChannels, FanIn, OutputRows(samples), Groups),
    };

    /// <summary>The argument of a kernel for this many samples, but for addresses and epilogue.</summary>
    public ConvolutionArgs Args(int samples) => new()
    {
        Batch = checked(samples * Images),
        Height = Height,
        Width = Width,
        Channels = Channels,
        OutHeight = OutHeight,
        OutWidth = OutWidth,
        OutChannels = OutChannels,
        FilterHeight = FilterHeight,
        FilterWidth = FilterWidth,
        Stride = Stride,
        Padding = Padding,
        Groups = Groups,
        Splits = 1,
    };

    public override string ToString() =>
        $"{Images}x{Height}x{Width}x{Channels} to {OutChannels}, {FilterHeight}x{FilterWidth}/{Stride}, pad {Padding}, groups {Groups}";

    public static int CeilDivide(int a, int b) => (int)CeilDivide((long)a, b);
    public static long CeilDivide(long a, long b) => (a + b - 1) / b;
}

/// <summary>Count products of Rows x Inner by Inner x Columns.</summary>
internal readonly record struct MatrixProduct(long Rows, int Columns, long Inner, int Count);
