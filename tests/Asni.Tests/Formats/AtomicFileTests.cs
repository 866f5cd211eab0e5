using Asni.Formats;

namespace Asni.Tests.Formats;

public class AtomicFileTests : FolderTest
{
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

    [Test]
    public void A_full_disk_is_one_sentence_and_leaves_nothing()
    {
        string path = _folder["a.txt"];
        Assert.That(() => AtomicFile.Write(path, stream =>
        {
            stream.Write(new byte[1 << 20]);
            throw new IOException($"No space left on device : '{path}.part'");
        }), Throws.TypeOf<AsniException>().With.Message.EqualTo($"cannot write {path} (No space left on device); make room or choose another folder."));
        Assert.That(Directory.GetFiles(_folder.Path), Is.Empty);
    }

    [TestCase("there.txt")]
    [TestCase("nowhere.txt")]
    [Platform(Exclude = "Win")]
    public void A_link_at_the_name_written_aside_is_not_followed(string target)
    {
        string path = _folder["a.txt"], there = _folder["there.txt"];
        File.WriteAllText(there, "somebody's own");
        File.CreateSymbolicLink(path + ".part", _folder[target]);
        AtomicFile.WriteText(path, "new");
        Assert.That(File.ReadAllText(path), Is.EqualTo("new"));
        Assert.That(new FileInfo(path).LinkTarget, Is.Null);
        Assert.That(File.ReadAllText(there), Is.EqualTo("somebody's own"));
        Assert.That(Directory.GetFiles(_folder.Path).Order(), Is.EqualTo(new[] { path, there }), "nothing was made where the link points");
    }

    [Test]
    public void A_folder_that_cannot_be_written_in_is_not_told_to_be_in_the_way() =>
        Assert.That(AtomicFile.Failure(_folder["."], new UnauthorizedAccessException()).Message, Does.Contain("(permission denied)"));

    [Test]
    public void A_missing_folder_is_one_sentence() =>
        Assert.That(() => AtomicFile.WriteText(_folder["no/a.txt"], "x"), Throws.TypeOf<AsniException>().With.Message.StartsWith("cannot write"));

    [Test]
    public void A_name_that_cannot_be_written_to_is_told_from_a_full_disk()
    {
        Directory.CreateDirectory(_folder["d"]);
        Assert.That(() => AtomicFile.WriteText(_folder["d"], "x"), Throws.TypeOf<AsniException>().With.Message.EqualTo($"cannot write {_folder["d"]}: a folder has this name; choose another name."));
        Assert.That(() => AtomicFile.WriteText(_folder["none/x"], "x"),
            Throws.TypeOf<AsniException>().With.Message.EqualTo($"cannot write {_folder["none/x"]}: its folder does not exist; make the folder or choose another."));
        Assert.That(Directory.GetFileSystemEntries(_folder.Path), Is.EqualTo(new[] { _folder["d"] }));
    }
}
