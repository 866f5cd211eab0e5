using Asni.Tests.Data.Images;

namespace Asni.Tests.Host;

/// <summary>Runs on folders of images.</summary>
public class ImagesTests
{
    private TemporaryFolder _folder = null!;

    [SetUp]
    public void MakeFolder()
    {
        _folder = new TemporaryFolder();
        foreach (string path in (string[])["train/cat/1.jpg", "train/cat/2.jpg", "train/dog/1.jpg", "train/dog/2.jpg", "val/cat/1.jpg", "val/dog/1.jpg"])
        {
            Directory.CreateDirectory(Path.GetDirectoryName(_folder["pictures/" + path])!);
            File.WriteAllBytes(_folder["pictures/" + path], Pictures.File(path.Contains("cat") ? "picture.jpg" : "gray.jpg"));
        }
    }

    [TearDown]
    public void RemoveFolder() => _folder.Dispose();

    [Test]
    public void A_network_is_trained_and_evaluated_on_a_folder_of_images()
    {
        CommandLine.Outcome run = CommandLine.Run("--net", "resnet20", "--data", "images", "--data-dir", _folder["pictures"], "--epochs", "2", "--batch", "2",
            "--sparsity", "0.5", "--method", "asni1", "--threads", "1", "--out", _folder["run"]);
        Assert.That(run.ExitCode, Is.Zero, run.Error);
        Assert.That(run.Output, Does.Contain("images: 4 training and 2 test images from").And.Contain("3x32x32"));
        CommandLine.Outcome evaluated = CommandLine.Run("eval", "--run", _folder["run"], "--data-dir", _folder["pictures"]);
        Assert.That(evaluated.ExitCode, Is.Zero, evaluated.Error);
        Assert.That(evaluated.Output, Does.Contain("2 test images of images"));
    }

    [Test]
    public void A_damaged_image_ends_the_run_with_one_sentence()
    {
        File.WriteAllBytes(_folder["pictures/train/cat/2.jpg"], [1, 2, 3]);
        CommandLine.ExpectFailure(1, "cat/2.jpg' is not a whole", "--net", "resnet20", "--data", "images", "--data-dir", _folder["pictures"], "--epochs", "2", "--batch", "2",
            "--sparsity", "0.5", "--threads", "1", "--out", _folder["run"]);
        Assert.That(Directory.Exists(_folder["run"]), Is.False);
    }

    [Test]
    public void What_cannot_be_had_is_said()
    {
        CommandLine.ExpectFailure(1, "lacks imagenet", "--net", "resnet50", "--data", "imagenet", "--data-dir", _folder["pictures"]);
        CommandLine.ExpectFailure(2, "https://image-net.org", "data", "get", "imagenet");
        CommandLine.ExpectFailure(2, "--data-dir names your folder", "data", "get", "images");
    }
}
