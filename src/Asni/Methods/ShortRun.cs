using System.Runtime.Intrinsics;

namespace Asni.Methods;

/// <summary>A size and length for made-up data that a machine trains in a few minutes.</summary>
/// <param name="LearningRate">The recipe's, in proportion to the batch for SGD and its kin, and less for large networks; Adam's is left alone.</param>
internal sealed record ShortRun(int Images, int Epochs, int BatchSize, double LearningRate)
{
    private const int FewestTestImages = 256, MaxTestImages = 10_000, TrainImagesOfTestImage = 4;

    /// <summary>
    /// Floating-point operations a second that a thread is taken to sustain in training, by the width of its vectors; only the length of a run hangs on it.
    /// </summary>
    private static double RateOfThread => Vector512.IsHardwareAccelerated ? 80e9 : Vector256.IsHardwareAccelerated ? 40e9 : 20e9;

    private const double SecondsOfPhase = 75;

    /// <summary>Forward, gradient of the input, gradient of the weights; a multiply-accumulate is two operations.</summary>
    private const int OperationsOfMac = 3 * 2;

    /// <summary>Published rates presume thousands of steps: in hundreds, networks of this many weights are thrown far out and do not come back.</summary>
    private const long LargeNetwork = 5_000_000;

    private const double PartForLargeNetwork = 0.3;

    private const int FewestEpochs = 6, FewestImages = 256, ImagesOfLongRun = 2048, ImagesOfShortRun = 1024, StepsOfEpoch = 32, SmallestBatch = 8;

    /// <summary>Test images that go with a number of training images.</summary>
    public static int TestImages(int trainImages) => Math.Clamp(trainImages / TrainImagesOfTestImage, FewestTestImages, MaxTestImages);

    /// <param name="macs">Multiply-accumulates of a forward pass of one image.</param>
    /// <param name="weights">That can be pruned.</param>
    /// <param name="available">Images there are at most.</param>
    public static ShortRun For(long macs, long weights, Recipe recipe, int threads, int available)
    {
        double total = SecondsOfPhase * RateOfThread * threads / (OperationsOfMac * (double)Math.Max(1, macs));
        int epochs = recipe.Epochs;
        // Fewer epochs before too few images: a network that sees a handful of images over and over learns nothing else.
        if (total / epochs < ImagesOfLongRun) epochs = (int)Math.Clamp(total / ImagesOfShortRun, Math.Min(FewestEpochs, recipe.Epochs), recipe.Epochs);
        int images = (int)Math.Clamp(total / epochs, Math.Min(FewestImages, available), available);
        int batch = Math.Min(recipe.BatchSize, Math.Max(SmallestBatch, images / StepsOfEpoch / SmallestBatch * SmallestBatch));
        if (images < available) images -= images % batch; // batch-norm over a rest of one or two images is noise
        double scale = recipe.Optimizer.Kind == Optimizers.OptimizerKind.Adam ? 1 : (double)batch / recipe.BatchSize;
        if (scale < 1 && weights >= LargeNetwork) scale *= PartForLargeNetwork;
        return new ShortRun(images, epochs, batch, recipe.LearningRate.Initial * scale);
    }
}
