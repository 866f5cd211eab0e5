using Asni.Data;
using Asni.Tensors;

namespace Asni.Tests.Data;

public class DatasetsTests : FolderTest
{
    private static readonly SyntheticOptions Few = new() { TrainCount = 40, TestCount = 20 };
    /// <summary>Looks into folders of this test only, whatever this machine has.</summary>
    private DatasetLocator Locator(string? dataDir = null) =>
        new(dataDir == null ? null : _folder[dataDir], _folder["env"], _folder["work"], _folder["cache"]);

    [TestCase("env/mnist", "env/mnist")]
    [TestCase("env", "env")]
    [TestCase("work/MNIST/raw", "work/MNIST/raw")]
    [TestCase("cache/mnist", "cache/mnist")]
    public void Files_are_found_in_a_folder_of_the_lookup_order(string place, string found)
    {
        DataFiles.WriteMnist(_folder, place);
        Assert.That(Locator().Find("mnist"), Is.EqualTo(_folder[found.Split('/')]));
    }

    [Test]
    public void The_environment_comes_before_the_working_folder_and_that_before_the_cache()
    {
        DataFiles.WriteMnist(_folder, "cache/mnist");
        DataFiles.WriteMnist(_folder, "work/mnist");
        Assert.That(Locator().Find("mnist"), Is.EqualTo(_folder["work", "mnist"]));
        DataFiles.WriteMnist(_folder, "env/mnist");
        Assert.That(Locator().Find("mnist"), Is.EqualTo(_folder["env", "mnist"]));
    }

    [Test]
    public void A_data_folder_that_is_named_is_the_only_one_looked_into()
    {
        DataFiles.WriteMnist(_folder, "env/mnist");
        DataFiles.WriteMnist(_folder, "named/mnist");
        Directory.CreateDirectory(_folder["empty"]);
        using (Assert.EnterMultipleScope())
        {
            Assert.That(Locator("named").Find("mnist"), Is.EqualTo(_folder["named", "mnist"]));
            Assert.That(Locator("named/mnist/").Find("mnist"), Is.EqualTo(_folder["named", "mnist"]));
            Assert.That(Locator("empty").Find("mnist"), Is.Null);
        }
    }

    [TestCase("work/cifar10/cifar-10-batches-bin")]
    [TestCase("work/cifar-10-batches-bin")]
    [TestCase("work/cifar10")]
    [TestCase("work")]
    public void Cifar_is_found_as_its_archive_unpacks_or_at_once(string place)
    {
        _folder.Write(Path.Combine(place, "data_batch_1.bin"), [0]);
        Assert.That(Locator().Find("cifar10"), Is.EqualTo(_folder[place.Split('/')]));
        Assert.That(Locator().Find("cifar100"), Is.Null);
    }

    [Test]
    public void A_folder_called_mnist_is_not_taken_for_fashion_mnist()
    {
        DataFiles.WriteMnist(_folder, "named/mnist");
        Assert.That(Locator("named/mnist").Find("fashion-mnist"), Is.Null);
    }

    [Test]
    public void The_user_s_order_begins_with_the_environment_variable()
    {
        string? before = Environment.GetEnvironmentVariable(DatasetLocator.Variable);
        try
        {
            Environment.SetEnvironmentVariable(DatasetLocator.Variable, _folder.Path);
            DatasetLocator locator = DatasetLocator.ForUser();
            using (Assert.EnterMultipleScope())
            {
                Assert.That(locator.Folders, Is.EqualTo((string[])[_folder.Path, Path.GetFullPath("data"), DatasetLocator.UserCache]));
                Assert.That(locator.DownloadFolder, Is.EqualTo(_folder.Path));
            }
            Environment.SetEnvironmentVariable(DatasetLocator.Variable, null);
            Assert.That(DatasetLocator.ForUser().DownloadFolder, Is.EqualTo(DatasetLocator.UserCache));
            Assert.That(DatasetLocator.ForUser("x").Folders, Is.EqualTo((string[])[Path.GetFullPath("x")]));
        }
        finally
        {
            Environment.SetEnvironmentVariable(DatasetLocator.Variable, before);
        }
    }

    [Test]
    public void Opening_says_where_the_data_came_from()
    {
        DataFiles.WriteMnist(_folder, "env/mnist");
        DatasetSplit split = Datasets.Open("mnist", Locator());
        using (Assert.EnterMultipleScope())
        {
            Assert.That(split.Source, Is.EqualTo($"mnist: 20 training and 10 test images from {_folder["env", "mnist"]}"));
            Assert.That(split.Train.Normalization.Mean, Is.EqualTo((float[])[0.1307f]));
            Assert.That(Datasets.Open("MNIST", Locator()).Train.Name, Is.EqualTo("mnist"));
        }
    }

    [Test]
    public void A_named_folder_without_the_dataset_is_an_error_even_by_default([Values] bool byDefault)
    {
        Directory.CreateDirectory(_folder["empty"]);
        var error = Assert.Throws<DatasetNotFoundException>(() =>
            _ = byDefault ? Datasets.OpenDefault("mnist", Locator("empty")) : Datasets.Open("mnist", Locator("empty")))!;
        using (Assert.EnterMultipleScope())
        {
            Assert.That(error.Message, Does.Contain(_folder["empty"]).And.Contain("train-images-idx3-ubyte"));
            Assert.That((error.Dataset, error.NamedFolder, error.FolderExists), Is.EqualTo(("mnist", _folder["empty"], true)));
        }
    }

    [Test]
    public void A_named_folder_that_does_not_exist_is_an_error()
    {
        Assert.That(() => Datasets.Open("mnist", Locator("nowhere")),
            Throws.TypeOf<DatasetNotFoundException>().With.Message.Contains("does not exist").And.Property(nameof(DatasetNotFoundException.FolderExists)).False);
        Assert.That(() => new DatasetLocator("", null, "data", "cache"), Throws.TypeOf<UsageException>());
    }

    [Test]
    public void A_dataset_asked_for_by_name_and_not_found_is_an_error_that_says_where()
    {
        var error = Assert.Throws<DatasetNotFoundException>(() => Datasets.Open("cifar10", Locator()))!;
        using (Assert.EnterMultipleScope())
        {
            Assert.That(error.Message, Does.StartWith("No cifar10 was found in ").And.Contain(_folder["work"]));
            Assert.That((error.Dataset, error.NamedFolder, error.Substitute), Is.EqualTo(("cifar10", (string?)null, "shapes")));
            Assert.That(error.Folders, Is.EqualTo(Locator().Folders));
        }
        Assert.That(() => Datasets.Open("imagenet", Locator()), Throws.TypeOf<DatasetNotFoundException>().With.Message.EndsWith(
            "; https://image-net.org gives it to those who register."));
    }

    [TestCase("mnist", "digits", 1)]
    [TestCase("fashion-mnist", "digits", 1)]
    [TestCase("cifar10", "shapes", 3)]
    public void By_default_a_procedural_dataset_stands_in_and_says_so(string name, string standIn, int channels)
    {
        DatasetSplit split = Datasets.OpenDefault(name, Locator(), Few);
        using (Assert.EnterMultipleScope())
        {
            Assert.That(split.Train.Name, Is.EqualTo(standIn));
            Assert.That(split.Train.Shape.Channels, Is.EqualTo(channels));
            Assert.That(split.Source, Does.StartWith($"{standIn}: 40 training and 20 test images").And.EndWith($"; {name} was not found"));
        }
    }

    [Test]
    public void By_default_files_that_are_found_are_used_and_damaged_ones_are_an_error()
    {
        DataFiles.WriteMnist(_folder, "work/mnist");
        Assert.That(Datasets.OpenDefault("mnist", Locator()).Train.Name, Is.EqualTo("mnist"));
        _folder.Write("work/mnist/train-labels-idx1-ubyte", [0, 0, 8]);
        Assert.That(() => Datasets.OpenDefault("mnist", Locator()), Throws.TypeOf<AsniException>());
    }

    [TestCase("cifr10", "cifar10")]
    [TestCase("fashion", "fashion-mnist")]
    [TestCase("minst", "mnist")]
    public void An_unknown_name_is_a_usage_error_with_the_nearest_name(string name, string suggestion) =>
        Assert.That(() => Datasets.Open(name, Locator()),
            Throws.TypeOf<UsageException>().With.Message.Contains("did you mean " + suggestion));

    [Test]
    public void An_unknown_name_far_from_all_gets_the_list() =>
        Assert.That(() => Datasets.Open("places365", Locator()), Throws.TypeOf<UsageException>()
            .With.Message.Contains("mnist, fashion-mnist, emnist-letters, cifar10, cifar100, imagenet, images, digits, shapes").And.Message.Not.Contains("did you mean"));

    [Test]
    public void The_list_shows_each_dataset_and_its_place()
    {
        _folder.Write("cache/cifar-100-binary/train.bin", [0]);
        DatasetStatus[] list = [.. Datasets.List(Locator())];
        using (Assert.EnterMultipleScope())
        {
            Assert.That(list.Select(d => d.Name), Is.EqualTo(Datasets.Names));
            Assert.That(list.Where(d => d.Folder != null).Select(d => d.Name), Is.EqualTo((string[])["cifar100"]));
            Assert.That(list.Where(d => d.Synthetic).Select(d => d.Name), Is.EqualTo((string[])["digits", "shapes"]));
        }
    }

    [Test]
    public void Shapes_have_the_size_asked_for_and_bad_sizes_are_usage_errors()
    {
        DatasetSplit split = Datasets.Open("shapes", Locator(), Few with { Height = 48, Width = 64 });
        using (Assert.EnterMultipleScope())
        {
            Assert.That(split.Train.Shape, Is.EqualTo(new Chw(3, 48, 64)));
            Assert.That(() => Datasets.Open("shapes", Locator(), Few with { Height = 0 }), Throws.TypeOf<UsageException>());
            Assert.That(() => Datasets.Open("digits", Locator(), Few with { TrainCount = 0 }), Throws.TypeOf<UsageException>());
            Assert.That(() => Datasets.Open("digits", Locator(), Few with { TestCount = 3_000_000 }), Throws.TypeOf<UsageException>());
        }
    }
}
