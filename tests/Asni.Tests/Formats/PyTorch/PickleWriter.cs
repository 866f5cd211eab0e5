using System.Text;

namespace Asni.Tests.Formats.PyTorch;

/// <summary>Writes pickles opcode by opcode.</summary>
internal sealed class PickleWriter
{
    private readonly MemoryStream _bytes = new();

    public PickleWriter() => Put(0x80, 2);

    public byte[] ToArray() => [.. _bytes.ToArray(), (byte)'.'];

    public PickleWriter Put(params byte[] opcodes)
    {
        _bytes.Write(opcodes);
        return this;
    }

    public PickleWriter Text(string text) => Put((byte)'X').Put(BitConverter.GetBytes(Encoding.UTF8.GetByteCount(text))).Put(Encoding.UTF8.GetBytes(text));

    /// <summary>A str of Python 2.</summary>
    public PickleWriter OldText(string text) => Put((byte)'U', (byte)text.Length).Put(Encoding.Latin1.GetBytes(text));

    public PickleWriter Bytes(byte[] bytes) => Put((byte)'B').Put(BitConverter.GetBytes(bytes.Length)).Put(bytes);

    public PickleWriter Number(int number) => Put((byte)'J').Put(BitConverter.GetBytes(number));

    public PickleWriter Global(string module, string name) => Put((byte)'c').Put(Encoding.ASCII.GetBytes($"{module}\n{name}\n"));

    public PickleWriter None() => Put((byte)'N');

    public PickleWriter Tuple(Action<PickleWriter> items) => Marked(items, 't');

    public PickleWriter List(Action<PickleWriter> items)
    {
        Put((byte)']');
        return Marked(items, 'e');
    }

    public PickleWriter Dictionary(Action<PickleWriter> items)
    {
        Put((byte)'}');
        return Marked(items, 'u');
    }

    /// <summary>Of the function and the tuple of arguments before it.</summary>
    public PickleWriter Call() => Put((byte)'R');

    /// <summary>As NumPy pickles an array.</summary>
    public PickleWriter Array(string type, byte[] data, bool columns = false, params int[] dims) => Global("numpy.core.multiarray", "_reconstruct")
        .Tuple(t => t.Global("numpy", "ndarray").Tuple(d => d.Number(0)).OldText("b")).Call()
        .Tuple(state => state.Number(1).Tuple(d => System.Array.ForEach(dims, n => d.Number(n)))
            .Global("numpy", "dtype").Tuple(d => d.OldText(type).Number(0).Number(1)).Call()
            .Tuple(d => d.Number(3).OldText("|").None().None().None().Number(-1).Number(-1).Number(0)).Put((byte)'b')
            .Put((byte)(columns ? 0x88 : 0x89)).Bytes(data))
        .Put((byte)'b');

    /// <summary>As torch.save names storages; the part, if any, is (first element, elements).</summary>
    public PickleWriter Tensor(string type, string key, int elements, int offset, int[] dims, int[] strides, (int First, int Count)? part = null, bool old = false) =>
        Global("torch._utils", "_rebuild_tensor_v2").Tuple(t =>
        {
            t.Tuple(id =>
            {
                if (old) id.OldText("storage");
                else id.Text("storage");
                id.Global("torch", type);
                if (old) id.OldText(key).OldText("cuda:0");
                else id.Text(key).Text("cpu");
                id.Number(elements);
                if (part is { } p) id.Tuple(v => v.Text(key + "0").Number(p.First).Number(p.Count));
                else id.None();
            }).Put((byte)'Q');
            t.Number(offset).Tuple(d => System.Array.ForEach(dims, n => d.Number(n))).Tuple(s => System.Array.ForEach(strides, n => s.Number(n)));
            t.Put(0x89).Global("collections", "OrderedDict").Tuple(_ => { }).Call();
        }).Call();

    private PickleWriter Marked(Action<PickleWriter> items, char end)
    {
        Put((byte)'(');
        items(this);
        return Put((byte)end);
    }
}
