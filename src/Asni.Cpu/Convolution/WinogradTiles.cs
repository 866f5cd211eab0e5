using Asni.Devices;
using Asni.Tensors;

namespace Asni.Cpu.Convolution;

/// <summary>
/// A batch of images cut into tiles of 4x4 outputs, each of which reads 6x6 inputs: 3x3 filters, stride 1. What lies outside an image is read
/// from zeros and not written.
/// </summary>
internal readonly unsafe struct WinogradTiles
{
    private readonly Chw _input, _output;
    private readonly int _padding, _rows, _columns;

    /// <param name="input">What the 6x6 places are read from.</param>
    /// <param name="output">What the 4x4 places are in.</param>
    public WinogradTiles(Chw input, Chw output, int padding)
    {
        (_input, _output, _padding) = (input, output, padding);
        _rows = (output.Height + WinogradTransforms.Outputs - 1) / WinogradTransforms.Outputs;
        _columns = (output.Width + WinogradTransforms.Outputs - 1) / WinogradTransforms.Outputs;
    }

    /// <summary>Of an image's outputs.</summary>
    public int OutputElements => _output.Elements;

    /// <summary>Of an image.</summary>
    public int Count => _rows * _columns;

    /// <summary>The places that a tile reads.</summary>
    /// <param name="zeros">As many as there are channels.</param>
    public void Inputs(float* x, long tile, float* zeros, float** pointers)
    {
        (int row, int column) = Find(tile);
        Pointers(x + tile / Count * _input.Elements, _input, row - _padding, column - _padding, WinogradTransforms.Inputs, zeros, pointers);
    }

    /// <summary>The places of a tile's outputs; those outside the image are <paramref name="outside"/>.</summary>
    public void Outputs(float* y, long tile, float* outside, float** pointers)
    {
        (int row, int column) = Find(tile);
        Pointers(y + tile / Count * _output.Elements, _output, row, column, WinogradTransforms.Outputs, outside, pointers);
    }

    /// <summary>The whole rows that tiles read, as a piece of the tensor: its first element, and how many.</summary>
    public (long Start, long Floats) InputRows(long first, long end) => Rows(_input, first, end, _padding, WinogradTransforms.Inputs);

    /// <summary>The same of their outputs.</summary>
    public (long Start, long Floats) OutputRows(long first, long end) => Rows(_output, first, end, 0, WinogradTransforms.Outputs);

    private (long Start, long Floats) Rows(Chw shape, long first, long end, int before, int size)
    {
        if (first >= end) return (0, 0);
        long top = first / Count * shape.Height + Math.Max(0, Find(first).Row - before);
        long bottom = (end - 1) / Count * shape.Height + Math.Min(shape.Height, Find(end - 1).Row - before + size);
        long row = (long)shape.Width * shape.Channels;
        return (top * row, Math.Max(0, bottom - top) * row);
    }

    /// <summary>Where in its image a tile's outputs begin.</summary>
    private (int Row, int Column) Find(long tile)
    {
        int within = (int)(tile % Count);
        return (within / _columns * WinogradTransforms.Outputs, within % _columns * WinogradTransforms.Outputs);
    }

    private static void Pointers(float* image, Chw shape, int row, int column, int size, float* outside, float** pointers)
    {
        for (int r = row; r < row + size; r++)
            for (int c = column; c < column + size; c++)
                *pointers++ = (uint)r < (uint)shape.Height && (uint)c < (uint)shape.Width ? image + ((long)r * shape.Width + c) * shape.Channels : outside;
    }
}
