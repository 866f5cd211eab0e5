using Asni.Data;
using Asni.Data.Download;
using Asni.Devices;
using Asni.Formats;
using Asni.Host;
using Asni.Methods;

namespace Asni.Tests.Host;

public class RemediesTests
{
    private static readonly string[] s_flags = ["--batch", "--lanes", "--input", "--device", "--data", "--data-dir", "--net", "--match", "--no-strict"];

    private TemporaryFolder _folder = null!;

    [SetUp]
    public void Create() => _folder = new TemporaryFolder();

    [TearDown]
    public void Delete() => _folder.Dispose();

    [Test]
    public void A_batch_that_is_too_large_is_answered_with_one_that_fits()
    {
        Assert.That(Say(new DeviceMemoryException("a batch of 512 takes too much; a batch of 64 fits.") { BatchSize = 512, FittingBatchSize = 64 }),
            Is.EqualTo("a batch of 512 takes too much; a batch of 64 fits (--batch 64)."));
        Assert.That(Say(new DeviceMemoryException("a batch of 512 takes too much; a batch of 64 fits.") { BatchSize = 512, FittingBatchSize = 64, FittingLanes = 8 }),
            Is.EqualTo("a batch of 512 takes too much; a batch of 64 fits (--batch 64), and --lanes 8 keeps the batch."));
        Assert.That(Say(new DeviceMemoryException("not even one image fits.") { BatchSize = 8, FittingBatchSize = 0 }), Is.EqualTo("not even one image fits; choose a smaller --input."));
        Assert.That(Say(new DeviceMemoryException("use a smaller batch.")), Is.EqualTo("use a smaller batch."));
        Assert.That(Say(new OutOfMemoryException()), Is.EqualTo("not enough memory; lower --batch or choose a smaller --input."));
    }

    [Test]
    public void What_a_command_has_no_flag_for_is_not_advised()
    {
        Assert.That(Remedies.Sentence(new OutOfMemoryException(), ["--out"]), Is.EqualTo("not enough memory"));
        Assert.That(Remedies.Sentence(new UnnamedNetworkException("x", "x does not say it."), ["--out"]), Is.EqualTo("x does not say it."));
        Assert.That(Say(new UnnamedNetworkException("x", "x does not say it.")), Is.EqualTo("x does not say it; --net names it."));
    }

    [Test]
    public void A_device_that_is_not_there_can_be_done_without() =>
        Assert.That(Say(new DeviceUnavailableException("cuda", "No driver; install one.")), Is.EqualTo("No driver; install one, or choose --device cpu."));

    [TestCase("cifar10", "; 'asni data get cifar10' downloads it, --data-dir says where it is, and --data shapes needs no files.")]
    [TestCase("mnist", "; 'asni data get mnist' downloads it, --data-dir says where it is, and --data digits needs no files.")]
    [TestCase("imagenet", "; https://image-net.org gives it to those who register, --data-dir says where it is, and --data shapes needs no files.")]
    [TestCase("images", "; --data-dir names your folder of them, and --data shapes needs no files.")]
    public void A_dataset_that_is_not_found_is_said_how_to_come_by(string name, string remedy)
    {
        var locator = new DatasetLocator(null, null, _folder["work"], _folder["cache"]);
        Assert.That(Said(() => Datasets.Open(name, locator)), Is.EqualTo($"No {name} was found in {_folder["work"]}, {_folder["cache"]}{remedy}"));
        Assert.That(remedy, Does.Contain(Remedies.Obtaining(name)));
    }

    [Test]
    public void A_named_folder_is_where_the_dataset_is_downloaded_to()
    {
        var locator = new DatasetLocator(_folder.Path, null, "data", "cache");
        Assert.That(Said(() => Datasets.Open("mnist", locator)), Does.EndWith($"below it; 'asni data get mnist --data-dir {_folder.Path}' downloads it."));
        Assert.That(Said(() => Datasets.Open("imagenet", locator)), Does.EndWith("below it; https://image-net.org gives it to those who register, --data-dir says where it is."));
        Assert.That(Said(() => Datasets.Open("mnist", new DatasetLocator(_folder["none"], null, "data", "cache"))),
            Is.EqualTo($"The data folder '{_folder["none"]}' does not exist; name an existing one or leave --data-dir out."));
    }

    [TestCase("digits", "'digits' is synthetic and needs no download; use --data digits.")]
    [TestCase("images", "'images' cannot be downloaded; its folder has the folders 'train' and 'val' with a folder of images for each class; --data-dir names your folder of them.")]
    public void A_dataset_that_cannot_be_downloaded_is_said_where_it_is_named(string name, string words) =>
        Assert.That(Said(() => DownloadSources.For(name)), Is.EqualTo(words));

    [Test]
    public void A_method_that_cannot_begin_is_said_what_to_give_it()
    {
        Assert.That(Remedies.Sentence(new StartException(StartFault.Missing, "retrain"), ["--init"]), Is.EqualTo("the method retrain needs a network to start from; --init FILE gives it one."));
        Assert.That(Remedies.Sentence(new StartException(StartFault.Pruned, "gmp"), ["--method"]),
            Is.EqualTo("the network to start from is pruned already, and the method gmp needs one that has all its weights; --method retrain trains it under its mask."));
    }

    [Test]
    public void Notes_of_training_name_the_flag_of_their_kind_if_the_method_has_it()
    {
        var empty = new TrainingNote("layer fc has no live weight left.", TrainingNoteKind.SparseLayer);
        Assert.That(Remedies.Sentence(empty, new OneShot()), Is.EqualTo("layer fc has no live weight left; --min-kept sets a floor."));
        Assert.That(Remedies.Sentence(empty, new NetworkSurgery()), Is.EqualTo("layer fc has no live weight left."));
        Assert.That(Remedies.Sentence(new TrainingNote("as it is"), new OneShot()), Is.EqualTo("as it is"));
    }

    private static string Say(Exception failure) => Remedies.Sentence(failure, s_flags);

    private static string Said(Action action) => Say(Assert.Catch<AsniException>(() => action())!);
}
