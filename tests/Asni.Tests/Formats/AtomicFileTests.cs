using Asni.Formats;

namespace Asni.Tests.Formats;

public class AtomicFileTests
{
    private TemporaryFolder _folder = null!;

    [SetUp]
    public void MakeFolder() => _folder = new TemporaryFolder();

    [TearDown]
    public void RemoveFolder() => _folder.Dispose();

    [Test]
    public void A_failed_write_leaves_the_old_file_and_nothing_else()
    {
        string path = _folder["a.txt"];
        AtomicFile.WriteText(path, "old");
        Assert.That(() => AtomicFile.Write(path, stream =>
        {
            stream.Write(new byte[1 << 20]);
            throw new InvalidOperationException("no");
        }), Throws.InvalidOperationException);
        Assert.That(File.ReadAllText(path), Is.EqualTo("old"));
        Assert.That(Directory.GetFiles(_folder.Path), Is.EqualTo(new[] { path }));
    }

    [Test, Platform("Linux")]
    public void A_full_disk_is_one_sentence_and_leaves_nothing()
    {
        string path = _folder["a.txt"];
        File.CreateSymbolicLink(path + ".part", "/dev/full");
        Assert.That(() => AtomicFile.Write(path, stream => stream.Write(new byte[1 << 20])),
            Throws.TypeOf<AsniException>().With.Message.EqualTo($"cannot write {path} (No space left on device); make room or choose another folder."));
        Assert.That(Directory.GetFiles(_folder.Path), Is.Empty);
    }

    [Test]
    public void A_missing_folder_is_one_sentence() =>
        Assert.That(() => AtomicFile.WriteText(_folder["no/a.txt"], "x"), Throws.TypeOf<AsniException>().With.Message.StartsWith("cannot write"));
}
