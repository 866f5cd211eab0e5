using System.Text;
using Asni.Formats;

namespace Asni.Tests.Formats;

/// <summary>Files that were given as networks and are none are named as what they are.</summary>
public class ForeignFileTests : FolderTest
{
    [TestCase("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 123456\n", "a pointer of Git LFS")]
    [TestCase("<!DOCTYPE html><html></html>", "an HTML page")]
    [TestCase("\n  <HTML lang=\"en\">", "an HTML page")]
    [TestCase("<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code></Error>", "an XML document")]
    [TestCase("{\"error\": \"not found\"}", "a JSON text")]
    [TestCase("Repository not found", "a text")]
    [TestCase("\u0080\u0004\u0095\u0000\u0000", "a Python pickle that torch.save did not write")]
    [TestCase("\u001F\u008B\u0008\u0000", "a gzip archive")]
    [TestCase("\u0089HDF\r\n\u001A\n", "an HDF5 file, as Keras writes them")]
    [TestCase("\u0093NUMPY\u0001\u0000", "a NumPy array")]
    [TestCase("\u0008\u0007\u0012\u0007pytorch", "an ONNX model")]
    [TestCase("GGUF\u0003\u0000\u0000\u0000", "a GGUF file")]
    [TestCase("", "empty")]
    public void What_begins_so_is_named(string start, string what)
    {
        string path = _folder["weights.pt"];
        File.WriteAllBytes(path, Encoding.Latin1.GetBytes(start));
        Assert.That(() => NamedTensors.Open(path), Throws.TypeOf<AsniException>().With.Message.StartsWith($"{path} is {what}").And.Message.EndsWith("."));
        Assert.That(() => NetworkFormats.TryReadHeader(path), Throws.TypeOf<AsniException>().With.Message.Contains(what));
    }

    [Test]
    public void A_tar_archive_is_known_by_what_stands_in_its_first_header()
    {
        var tar = new byte[1024];
        "storages"u8.CopyTo(tar);
        "ustar"u8.CopyTo(tar.AsSpan(257));
        File.WriteAllBytes(_folder["old.pt"], tar);
        Assert.That(() => NamedTensors.Open(_folder["old.pt"]), Throws.TypeOf<AsniException>().With.Message.Contains("a tar archive"));
    }

    [Test]
    public void A_long_text_may_end_within_a_character()
    {
        File.WriteAllText(_folder["x"], "#" + new string('ä', 1000));
        Assert.That(() => NamedTensors.Open(_folder["x"]), Throws.TypeOf<AsniException>().With.Message.Contains("is a text"));
    }

    [Test]
    public void A_header_of_safetensors_is_not_taken_for_anything_else()
    {
        // A length of 0x0480 begins as a pickle does.
        const int length = 0x0480;
        string header = "{}".PadRight(length);
        File.WriteAllBytes(_folder["x"], [.. BitConverter.GetBytes((long)length), .. Encoding.ASCII.GetBytes(header)]);
        using NamedTensors file = NamedTensors.Open(_folder["x"]);
        Assert.That(file.Shapes, Is.Empty);
    }

    [Test]
    public void A_folder_is_called_one() =>
        Assert.That(() => NetworkFormats.Detect(_folder.Path), Throws.TypeOf<AsniException>().With.Message.EqualTo($"{_folder.Path} is a folder; a file was expected."));
}
