using Asni.Cpu;
using Asni.Data;
using Asni.Runs;
using Asni.Tests.Data.Images;

namespace Asni.Tests.Host;

/// <summary>Runs on folders of images.</summary>
public class ImagesTests : FolderTest
{
    [SetUp]
    public void WritePictures()
    {
        foreach (string path in (string[])["train/cat/1.jpg", "train/cat/2.jpg", "train/dog/1.jpg", "train/dog/2.jpg", "val/cat/1.jpg", "val/dog/1.jpg"])
            _folder.Write("pictures/" + path, Pictures.File(path.Contains("cat") ? "picture.jpg" : "gray.jpg"));
    }

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
        string summary = File.ReadAllText(_folder["run/summary.json"]);
        AssertPredicts();
        File.WriteAllText(_folder["run/summary.json"], summary);
        Directory.Move(_folder["pictures/train/cat"], _folder["pictures/train/bird"]);
        Directory.Move(_folder["pictures/val/cat"], _folder["pictures/val/bird"]);
        CommandLine.ExpectFailure(2, "is 'cat', in images it is 'bird'", "eval", "--run", _folder["run"], "--data-dir", _folder["pictures"]);
    }

    /// <summary>An image that cannot be decoded, in the first epoch, after checkpoints: the run is kept, and goes on once the image is replaced.</summary>
    [Test]
    public void A_failure_in_the_first_epoch_keeps_the_checkpoints()
    {
        for (int i = 3; i < 40; i++) File.Copy(_folder["pictures/train/dog/1.jpg"], _folder[$"pictures/train/dog/{i}.jpg"]);
        string image = _folder["pictures/train/dog/39.jpg"];
        byte[] good = File.ReadAllBytes(image);
        File.WriteAllBytes(image, good[..(good.Length / 2)]);
        CommandLine.Outcome failed = CommandLine.Run("--net", "conv2", "--data", "images", "--data-dir", _folder["pictures"], "--input", "3x32x32",
            "--method", "dense", "--epochs", "1", "--batch", "1", "--no-augment", "--threads", "1", "--checkpoint-minutes", "0", "--out", _folder["run"]);
        Assert.That(failed.ExitCode, Is.EqualTo(1));
        Assert.That(failed.Error, Does.Contain("39.jpg"));
        Assert.That(failed.Output, Does.Contain($"asni --resume {_folder["run"]} continues it."));
        File.WriteAllBytes(image, good);
        CommandLine.Outcome resumed = CommandLine.Run("--resume", _folder["run"]);
        Assert.That(resumed.ExitCode, Is.Zero, resumed.Error);
        Assert.That(resumed.Output, Does.Contain("resumed at epoch 1 of dense").And.Contain("some training images are not the files"));
    }

    private void AssertPredicts()
    {
        string cat = _folder["pictures/val/cat/1.jpg"], dog = _folder["pictures/val/dog/1.jpg"];
        CommandLine.Outcome predicted = CommandLine.Run("predict", cat, dog, "--run", _folder["run"]);
        Assert.That(predicted.ExitCode, Is.Zero, predicted.Error);
        Assert.That(predicted.Output.TrimEnd().Split('\n'), Is.EqualTo((string[])[Line(cat), Line(dog)]));
        CommandLine.ExpectFailure(1, "recipe.yaml' cannot be decoded", "predict", _folder["run/recipe.yaml"], "--run", _folder["run"]);
        CommandLine.Outcome some = CommandLine.Run("predict", cat, _folder["run/recipe.yaml"], _folder["nothing.png"], dog, "--run", _folder["run"]);
        Assert.That(some.ExitCode, Is.EqualTo(1));
        Assert.That(some.Output.TrimEnd().Split('\n'), Is.EqualTo((string[])[Line(cat), Line(dog)]), "those after a bad one are predicted too");
        Assert.That(some.Error.TrimEnd().Split('\n'), Has.Length.EqualTo(2).And.One.Contains("recipe.yaml'").And.One.Contains("nothing.png does not exist"));
        CommandLine.ExpectFailure(2, "no network of phase 'dense'", "predict", cat, "--run", _folder["run"], "--phase", "dense");
        CommandLine.ExpectFailure(2, "does not exist", "predict", cat, "--run", _folder["nowhere"]);
        string summary = _folder["run/summary.json"];
        File.WriteAllText(summary, File.ReadAllText(summary).Replace("\"mean\"", "\"median\""));
        CommandLine.ExpectFailure(1, "does not say how images were normalized", "predict", cat, "--run", _folder["run"]);
    }

    /// <summary>By the library's parts one by one.</summary>
    private string Line(string file)
    {
        using var modelDevice = new CpuDevice(1);
        using var model = RunInference.LoadModel(_folder["run"], modelDevice);
        Dataset data = Datasets.Open("images", new DatasetLocator(_folder["pictures"], null, "data", "cache"), size: (32, 32)).Train;
        var pixels = new byte[model.Input.Elements];
        var image = new float[pixels.Length];
        var logits = new float[2];
        ImageFile.Read(file, model.Input, false, pixels);
        data.Normalization.Apply(pixels, image);
        model.Run(image, logits);
        double cat = 1 / (1 + Math.Exp(logits[1] - logits[0]));
        (string, double)[] guesses = [("cat", cat), ("dog", 1 - cat)];
        return $"{file}: {string.Join(", ", guesses.OrderByDescending(g => g.Item2).Select(g => $"{g.Item1} {Asni.Host.Format.Percent(g.Item2)}"))}";
    }

    [Test]
    public void A_damaged_image_ends_the_run_with_one_sentence()
    {
        File.WriteAllBytes(_folder["pictures/train/cat/2.jpg"], [1, 2, 3]);
        CommandLine.ExpectFailure(1, "cat/2.jpg' cannot be decoded", "--net", "resnet20", "--data", "images", "--data-dir", _folder["pictures"], "--epochs", "2", "--batch", "2",
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
