namespace Asni.Data;

/// <summary>
/// How an image of a dataset enters a batch: pixel (y, x) is (y + <paramref name="Top"/>, x + <paramref name="Left"/>) of the image, 0 outside it,
/// and then mirrored left-right if asked.
/// </summary>
internal readonly record struct SampleDraw(int Index, int Top, int Left, bool Flip);
