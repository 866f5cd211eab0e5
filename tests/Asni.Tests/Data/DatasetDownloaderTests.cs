using System.Formats.Tar;
using System.Security.Cryptography;
using Asni.Data.Download;

namespace Asni.Tests.Data;

[CancelAfter(20_000)]
public class DatasetDownloaderTests : FolderTest
{
    private static readonly byte[] Content = DataFiles.Bytes(300_000, i => i * 31 ^ i >> 8);
    private LoopbackServer _server = null!;
    private DatasetDownloader _downloader = null!;

    [SetUp]
    public void StartServer()
    {
        _server = new LoopbackServer();
        _downloader = new DatasetDownloader(new FileFetcher(silence: TimeSpan.FromSeconds(2)));
    }

    [TearDown]
    public void StopServer() => _server.Dispose();

    private static string Sha256(byte[] bytes) => Convert.ToHexStringLower(SHA256.HashData(bytes));

    private DownloadSource Source(params string[] mirrors) =>
        new("mnist", [new RemoteFile("a.gz", Content.Length, Sha256(Content), [.. mirrors.Select(m => new Uri(_server.Root, m))])], null);

    private Task<string> Get(DownloadSource source, CancellationToken cancel, IProgress<DownloadProgress>? progress = null) =>
        _downloader.GetAsync(source, _folder.Path, progress, cancel);

    private void AssertWhole()
    {
        Assert.That(File.ReadAllBytes(_folder["mnist", "a.gz"]), Is.EqualTo(Content));
        Assert.That(Directory.GetFiles(_folder["mnist"]), Has.Length.EqualTo(1), "nothing else is left");
    }

    private sealed class Recorder : IProgress<DownloadProgress>
    {
        public List<DownloadProgress> Reports { get; } = [];
        public void Report(DownloadProgress value) => Reports.Add(value);
    }

    [Test]
    public async Task A_file_is_fetched_once_and_kept(CancellationToken cancel)
    {
        _server.Serve("m/a.gz", Content);
        var progress = new Recorder();
        string folder = await Get(Source("m/a.gz"), cancel, progress);
        Assert.That(folder, Is.EqualTo(_folder["mnist"]));
        AssertWhole();
        Assert.That(progress.Reports[^1], Is.EqualTo(new DownloadProgress("a.gz", Content.Length, Content.Length)));

        await Get(Source("m/a.gz"), cancel);
        Assert.That(_server.Requests, Has.Count.EqualTo(1), "a whole file is not fetched again");
    }

    [Test]
    public async Task The_next_mirror_is_tried_when_one_lacks_the_file(CancellationToken cancel)
    {
        _server.Serve("second/a.gz", Content);
        await Get(Source("first/a.gz", "second/a.gz"), cancel);
        AssertWhole();
        Assert.That(_server.Requests, Is.EqualTo((string[])["/first/a.gz", "/second/a.gz"]));
    }

    [Test]
    public async Task A_part_left_before_is_continued(CancellationToken cancel)
    {
        _server.Serve("m/a.gz", Content);
        _folder.Write("mnist/a.gz.part", Content[..100_000]);
        await Get(Source("m/a.gz"), cancel);
        AssertWhole();
        Assert.That(_server.Requests, Is.EqualTo((string[])["/m/a.gz from 100000"]));
    }

    [Test]
    public async Task A_server_without_ranges_starts_over(CancellationToken cancel)
    {
        _server.Serve("m/a.gz", Content);
        _server.SupportsRanges = false;
        _folder.Write("mnist/a.gz.part", Content[..100_000]);
        await Get(Source("m/a.gz"), cancel);
        AssertWhole();
    }

    [Test]
    public async Task A_part_that_is_whole_already_needs_no_bytes(CancellationToken cancel)
    {
        _server.Serve("m/a.gz", Content);
        _folder.Write("mnist/a.gz.part", Content);
        await Get(Source("m/a.gz"), cancel);
        AssertWhole();
    }

    [Test]
    public async Task A_spoilt_part_is_thrown_away_and_the_file_fetched_from_the_start(CancellationToken cancel)
    {
        _server.Serve("m/a.gz", Content);
        _folder.Write("mnist/a.gz.part", new byte[1000]);
        await Get(Source("m/a.gz"), cancel);
        AssertWhole();
        Assert.That(_server.Requests, Is.EqualTo((string[])["/m/a.gz from 1000", "/m/a.gz"]));
    }

    [Test]
    public async Task A_connection_that_breaks_is_taken_up_again(CancellationToken cancel)
    {
        _server.Serve("m/a.gz", Content);
        _server.BreakAfter.Enqueue(80_000);
        _server.BreakAfter.Enqueue(80_000);
        await Get(Source("m/a.gz"), cancel);
        AssertWhole();
        Assert.That(_server.Requests, Has.Count.EqualTo(3));
    }

    [Test]
    public void Wrong_bytes_are_refused_and_nothing_is_left(CancellationToken cancel)
    {
        byte[] wrong = [.. Content];
        wrong[12345] ^= 1;
        _server.Serve("m/a.gz", wrong);
        Assert.That(async () => await Get(Source("m/a.gz"), cancel), Throws.TypeOf<AsniException>().With.Message.Contains("SHA-256"));
        Assert.That(Directory.Exists(_folder["mnist"]), Is.False);
    }

    [Test]
    public async Task An_answer_without_end_is_left_at_the_known_size(CancellationToken cancel)
    {
        long sent = 0;
        _server.Serve("m/a.gz", response =>
        {
            response.SendChunked = true;
            for (var chunk = new byte[1 << 16]; ; sent += chunk.Length) response.OutputStream.Write(chunk);
        });
        Assert.That(async () => await Get(Source("m/a.gz"), cancel), Throws.TypeOf<AsniException>().With.Message.Contains($"sends more than the file's {Content.Length} bytes"));
        Assert.That(new FileInfo(_folder["mnist", "a.gz.part"]).Length, Is.LessThanOrEqualTo(Content.Length));

        _server.Serve("good/a.gz", Content);
        await Get(Source("m/a.gz", "good/a.gz"), cancel);
        AssertWhole();
    }

    [TestCase(-1)]
    [TestCase(1)]
    [TestCase(1 << 30)]
    public void A_file_of_another_size_is_refused_before_it_comes(int more, CancellationToken cancel)
    {
        _server.Serve("m/a.gz", response =>
        {
            response.ContentLength64 = Content.Length + (long)more;
            response.OutputStream.Write(Content.AsSpan(0, 1000));
        });
        Assert.That(async () => await Get(Source("m/a.gz"), cancel), Throws.TypeOf<AsniException>().With.Message.Contains($"offers {Content.Length + (long)more} bytes"));
        Assert.That(Directory.Exists(_folder["mnist"]), Is.False, "nothing was kept");
    }

    [Test]
    public void A_drip_is_given_up_on(CancellationToken cancel)
    {
        _server.Serve("m/a.gz", response =>
        {
            response.ContentLength64 = Content.Length;
            foreach (byte one in Content)
            {
                response.OutputStream.WriteByte(one);
                response.OutputStream.Flush();
                Thread.Sleep(50);
            }
        });
        Assert.That(async () => await Get(Source("m/a.gz"), cancel), Throws.TypeOf<AsniException>().With.Message.Contains("too slow"));
    }

    [TestCase("file:///etc/hostname", "redirects from http to file")]
    [TestCase("ftp://127.0.0.1/a.gz", "redirects from http to ftp")]
    [TestCase("gopher://127.0.0.1/a.gz", "redirects from http to gopher")]
    [TestCase("http://[", "redirects to nowhere")]
    [TestCase("a.gz", "redirects more than 10 times")]
    public void A_redirect_to_anywhere_else_is_one_sentence(string location, string words, CancellationToken cancel)
    {
        _server.Serve("m/a.gz", response =>
        {
            response.StatusCode = 302;
            response.Headers["Location"] = location;
        });
        Assert.That(async () => await Get(Source("m/a.gz"), cancel), Throws.TypeOf<AsniException>().With.Message.Contains(words));
    }

    [Test]
    public async Task A_redirect_to_the_same_scheme_is_followed(CancellationToken cancel)
    {
        _server.Serve("n/a.gz", Content);
        _server.Serve("m/a.gz", response =>
        {
            response.StatusCode = 307;
            response.Headers["Location"] = "../n/a.gz";
        });
        await Get(Source("m/a.gz"), cancel);
        AssertWhole();
    }

    [TestCase("there")]
    [TestCase("nowhere")]
    [Platform(Exclude = "Win")]
    public async Task A_link_at_the_name_of_the_part_is_not_followed(string target, CancellationToken cancel)
    {
        _folder.Write("there", Content[..1000]);
        _server.Serve("m/a.gz", Content);
        Directory.CreateDirectory(_folder["mnist"]);
        File.CreateSymbolicLink(_folder["mnist", "a.gz.part"], _folder[target]);
        await Get(Source("m/a.gz"), cancel);
        AssertWhole();
        Assert.That(new FileInfo(_folder["mnist", "a.gz"]).LinkTarget, Is.Null);
        Assert.That(File.ReadAllBytes(_folder["there"]), Is.EqualTo(Content[..1000]));
        Assert.That(File.Exists(_folder["nowhere"]), Is.False);
    }

    [Test]
    public async Task A_part_longer_than_the_file_is_thrown_away(CancellationToken cancel)
    {
        _server.Serve("m/a.gz", Content);
        _folder.Write("mnist/a.gz.part", new byte[Content.Length + 1]);
        await Get(Source("m/a.gz"), cancel);
        AssertWhole();
        Assert.That(_server.Requests, Is.EqualTo((string[])["/m/a.gz"]));
    }

    [Test]
    public void When_every_mirror_fails_each_is_named_with_its_answer(CancellationToken cancel) =>
        Assert.That(async () => await Get(Source("x/a.gz", "y/a.gz"), cancel), Throws.TypeOf<AsniException>()
            .With.Message.Contains("a.gz").And.Message.Contains("404 NotFound; 127.0.0.1: answered 404")
            .And.Message.Contains("try again later"));

    [Test]
    public void Offline_is_said_clearly(CancellationToken cancel)
    {
        DownloadSource source = Source("m/a.gz");
        _server.Dispose();
        Assert.That(async () => await Get(source, cancel),
            Throws.TypeOf<AsniException>().With.Message.Contains("check the network connection"));
    }

    [Test]
    public async Task Cancelling_keeps_the_part_and_the_next_call_goes_on(CancellationToken cancel)
    {
        _server.Serve("m/a.gz", Content);
        using var stop = new CancellationTokenSource();
        var stopper = new Stopper(stop);
        Assert.That(async () => await Get(Source("m/a.gz"), stop.Token, stopper), Throws.InstanceOf<OperationCanceledException>());
        long part = new FileInfo(_folder["mnist", "a.gz.part"]).Length;
        Assert.That(part, Is.GreaterThan(0).And.LessThan(Content.Length));
        await Get(Source("m/a.gz"), cancel);
        AssertWhole();
        Assert.That(_server.Requests, Has.Member($"/m/a.gz from {part}"));
    }

    private sealed class Stopper(CancellationTokenSource stop) : IProgress<DownloadProgress>
    {
        public void Report(DownloadProgress value) => stop.Cancel();
    }

    [Test]
    public async Task An_archive_is_unpacked_by_file_name_and_not_kept(CancellationToken cancel)
    {
        DownloadSource source = Archive(("cifar-10-batches-bin/one.bin", Content), ("readme.html", [1]), ("../../two.bin", [2, 3]));
        string folder = await Get(source, cancel);
        using (Assert.EnterMultipleScope())
        {
            Assert.That(folder, Is.EqualTo(_folder["cifar10", "bin"]));
            Assert.That(Directory.GetFiles(folder).Select(Path.GetFileName), Is.EquivalentTo((string[])["one.bin", "two.bin"]));
            Assert.That(File.ReadAllBytes(Path.Combine(folder, "one.bin")), Is.EqualTo(Content));
            Assert.That(Directory.GetFileSystemEntries(_folder["cifar10"]), Has.Length.EqualTo(1));
            Assert.That(Directory.GetFileSystemEntries(_folder.Path), Has.Length.EqualTo(1), "a path that climbs out is not followed");
        }
        await Get(source, cancel);
        Assert.That(_server.Requests, Has.Count.EqualTo(1), "what is unpacked is not fetched again");
    }

    [Test]
    public void An_archive_that_lacks_a_file_is_an_error(CancellationToken cancel)
    {
        DownloadSource source = Archive(("x/one.bin", [1]));
        Assert.That(async () => await Get(source, cancel), Throws.TypeOf<AsniException>().With.Message.Contains("lacks two.bin"));
        Assert.That(Directory.Exists(_folder["cifar10", "bin"]), Is.False);
    }

    [Test]
    public void A_folder_that_cannot_be_made_is_an_error(CancellationToken cancel)
    {
        _folder.Write("mnist", [1]);
        Assert.That(async () => await Get(Source("m/a.gz"), cancel),
            Throws.TypeOf<AsniException>().With.Message.Contains("cannot be written"));
    }

    [TestCase("mnist", 4)]
    [TestCase("fashion-mnist", 4)]
    [TestCase("cifar10", 1)]
    [TestCase("cifar100", 1)]
    public void Each_dataset_of_files_has_addresses_and_digests(string name, int files)
    {
        DownloadSource source = DownloadSources.For(name);
        using (Assert.EnterMultipleScope())
        {
            Assert.That(source.Files, Has.Length.EqualTo(files));
            foreach (RemoteFile file in source.Files)
            {
                Assert.That(file.Sha256, Does.Match("^[0-9a-f]{64}$"), "what allows plain http among the mirrors");
                Assert.That(file.Bytes, Is.InRange(4_000, 200_000_000));
                Assert.That(file.Addresses.Select(a => a.Scheme).Distinct(), Is.SubsetOf((string[])["https", "http"]));
                Assert.That(file.Addresses.Select(a => a.AbsolutePath), Is.All.EndsWith("/" + file.Name));
            }
        }
    }

    [Test]
    public void Synthetic_and_unknown_names_are_usage_errors()
    {
        Assert.That(() => DownloadSources.For("digits"), Throws.TypeOf<DownloadUnavailableException>().With.Message.Contains("needs no download"));
        Assert.That(() => DownloadSources.For("imagenet"), Throws.TypeOf<DownloadUnavailableException>().With.Message.EqualTo("'imagenet' cannot be downloaded: "
            + "https://image-net.org gives it to those who register; its folder has the folders 'train' and 'val' with a folder of images for each class."));
        Assert.That(() => DownloadSources.For("nope"), Throws.TypeOf<UsageException>());
    }

    /// <summary>A tar.gz of these files on the server, to be unpacked as bin/one.bin and bin/two.bin.</summary>
    private DownloadSource Archive(params (string Name, byte[] Bytes)[] files)
    {
        using var memory = new MemoryStream();
        using (var tar = new TarWriter(memory, TarEntryFormat.Ustar, leaveOpen: true))
            foreach ((string name, byte[] bytes) in files)
                tar.WriteEntry(new UstarTarEntry(TarEntryType.RegularFile, name) { DataStream = new MemoryStream(bytes) });
        byte[] archive = DataFiles.Gzip(memory.ToArray());
        _server.Serve("c.tar.gz", archive);
        var file = new RemoteFile("c.tar.gz", archive.Length, Sha256(archive), [new Uri(_server.Root, "c.tar.gz")]);
        return new DownloadSource("cifar10", [file], ("bin", ["one.bin", "two.bin"]));
    }
}
