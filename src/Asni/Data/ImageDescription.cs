namespace Asni.Data;

/// <summary>What a network saw in training, by which image files are brought to what it reads, and its outputs are called.</summary>
/// <param name="Normalization">What pixels became before the network read them; one mean and deviation a channel.</param>
/// <param name="ClassNames">In the order of the network's outputs; empty, or shorter than these, where classes have no names.</param>
/// <param name="UsesWholeImage">Images are seen as a whole; else their middle, as those of ImageNet and of folders are.</param>
public sealed record ImageDescription(Normalization Normalization, IReadOnlyList<string> ClassNames, bool UsesWholeImage);
