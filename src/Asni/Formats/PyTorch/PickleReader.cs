using System.Buffers.Binary;

namespace Asni.Formats.PyTorch;

/// <summary>
/// Reads the pickle of a PyTorch archive (Python's pickletools documents the opcodes) as data. Nothing is imported or called: names stay names,
/// calls are recognized only when they rebuild a tensor or an ordered dictionary, and everything else becomes a place holder. An opcode adds a
/// bounded amount of memory; what may be many times its own bytes (dictionaries, tensors with shapes that are recalled) is taken from the file's budget.
/// </summary>
internal sealed class PickleReader
{
    private static readonly object s_mark = new();
    private static readonly object s_none = new PickleOpaque("None");

    /// <summary>Of a tensor: PyTorch itself computes with no more.</summary>
    private const int MostDimensions = 64;

    /// <summary>Of an empty dictionary and one with an entry; of a tensor without its dimensions and strides, and of one of each.</summary>
    private const int DictionaryBytes = 200, TensorBytes = 150, DimensionBytes = 16;

    private readonly ByteReader _bytes;
    private readonly ReadBudget _budget;
    private readonly Func<string, AsniException> _bad;
    private readonly List<object> _stack = [];
    private readonly Dictionary<long, object> _memo = [];

    private PickleReader(byte[] bytes, ReadBudget budget, Func<string, AsniException> bad) =>
        (_bytes, _budget, _bad) = (new ByteReader(bytes, bad), budget, bad);

    /// <summary>The object that was pickled: string, long, double, bool, object[] (tuple), List, Dictionary, or one of PickleValues.cs.</summary>
    /// <param name="budget">The file's.</param>
    public static object Read(byte[] bytes, ReadBudget budget, Func<string, AsniException> bad) => new PickleReader(bytes, budget, bad).Run();

    private object Run()
    {
        while (true)
        {
            char opcode = (char)_bytes.U8();
            if (opcode == '.') return Pop();
            if (!Constant(opcode) && !Container(opcode) && !Memo(opcode) && !Object(opcode))
                throw _bad($"its pickle has the opcode 0x{(int)opcode:X2}, which no state dict needs");
        }
    }

    private bool Constant(char opcode)
    {
        switch (opcode)
        {
            case '\x80': _bytes.Skip(1); break;
            case '\x95': _bytes.Skip(8); break;
            case 'N': Push(s_none); break;
            case '\x88': Push(true); break;
            case '\x89': Push(false); break;
            case 'K': Push((long)_bytes.U8()); break;
            case 'M': Push((long)_bytes.U16()); break;
            case 'J': Push((long)(int)_bytes.U32()); break;
            case '\x8a': Push(Long(_bytes.Take(_bytes.U8()))); break;
            case '\x8b': Push(Long(_bytes.Take(_bytes.U32()))); break;
            case 'G': Push(BinaryPrimitives.ReadDoubleBigEndian(_bytes.Take(8))); break;
            case 'X': Push(Text(_bytes.U32())); break;
            case '\x8c': Push(Text(_bytes.U8())); break;
            case '\x8d': Push(Text(Length64())); break;
            case 'U' or 'C': Bytes(_bytes.U8()); break;
            case 'T' or 'B': Bytes(_bytes.U32()); break;
            case '\x8e': Bytes(Length64()); break;
            default: return false;
        }
        return true;
    }

    private bool Container(char opcode)
    {
        switch (opcode)
        {
            case '(': _stack.Add(s_mark); break;
            case ')': Push(Array.Empty<object>()); break;
            case 't': Push(PopToMark()); break;
            case '\x85': Push(PopLast(1)); break;
            case '\x86': Push(PopLast(2)); break;
            case '\x87': Push(PopLast(3)); break;
            case ']': Push(new List<object>()); break;
            case 'l': Push(new List<object>(PopToMark())); break;
            case 'a': Append(PopLast(1)); break;
            case 'e': Append(PopToMark()); break;
            case '}': Push(NewDictionary()); break;
            case 'd': Dictionary(); break;
            case 's': SetItems(PopLast(2)); break;
            case 'u': SetItems(PopToMark()); break;
            case '\x8f': Push(new List<object>()); break;
            case '\x90': Append(PopToMark()); break;
            case '\x91': Push(new List<object>(PopToMark())); break;
            case '0': Pop(); break;
            case '1': PopToMark(); break;
            case '2': Push(Peek()); break;
            default: return false;
        }
        return true;
    }

    private bool Memo(char opcode)
    {
        switch (opcode)
        {
            case 'q': Remember(_bytes.U8()); break;
            case 'r': Remember(_bytes.U32()); break;
            case '\x94': Remember(_memo.Count); break;
            case 'h': Recall(_bytes.U8()); break;
            case 'j': Recall(_bytes.U32()); break;
            default: return false;
        }
        return true;
    }

    private bool Object(char opcode)
    {
        switch (opcode)
        {
            case 'c': Push(new PickleGlobal(Line(), Line())); break;
            case '\x93': StackGlobal(); break;
            case 'Q': Push(Storage(Pop())); break;
            case 'R' or '\x81': Call(PopLast(2)); break;
            case '\x92': Call(PopLast(3)); break;
            // The state that it would give to the object below it (an ordered dictionary's metadata, a foreign object's attributes) is not needed.
            case 'b': Pop(); break;
            default: return false;
        }
        return true;
    }

    private void Call(object[] functionAndArguments)
    {
        object function = functionAndArguments[0];
        object[] arguments = functionAndArguments[1] as object[] ?? [];
        Push((function as PickleGlobal)?.FullName switch
        {
            "collections.OrderedDict" => NewDictionary(),
            "torch._utils._rebuild_tensor_v2" or "torch._utils._rebuild_tensor" => Tensor(arguments),
            "torch._utils._rebuild_parameter" or "torch._utils._rebuild_parameter_with_state" when arguments.Length > 0 => arguments[0],
            { } name => new PickleOpaque(name),
            null => new PickleOpaque("a call"),
        });
    }

    private PickleTensor Tensor(object[] arguments)
    {
        if (arguments.Length < 4 || arguments[0] is not PickleStorage storage || arguments[1] is not long offset
            || Numbers(arguments[2]) is not { } dims || Numbers(arguments[3]) is not { } strides || dims.Length != strides.Length || offset < 0)
            throw _bad("its pickle rebuilds a tensor from something else than a storage, an offset, a shape and strides");
        _budget.Take(1, TensorBytes + dims.Length * DimensionBytes, "its tensors");
        return new PickleTensor(storage, offset, dims, strides);
    }

    private PickleStorage Storage(object id)
    {
        if (id is not object[] { Length: >= 5 } parts || parts[0] is not "storage" || parts[1] is not PickleGlobal type || parts[2] is not string key
            || parts[4] is not long elements || elements < 0)
            throw _bad("its pickle names a storage in a way that torch.save does not");
        return new PickleStorage(type.Name, key, elements);
    }

    private Dictionary<object, object> NewDictionary()
    {
        _budget.Take(1, DictionaryBytes, "its dictionaries");
        return new Dictionary<object, object>(PickleKeys.Comparer);
    }

    /// <summary>A tuple of numbers that are not negative, as many as a tensor can have dimensions; null when it is something else.</summary>
    private static long[]? Numbers(object value) => value is object[] { Length: <= MostDimensions } items && items.All(i => i is long and >= 0) ? [.. items.Cast<long>()] : null;

    private void StackGlobal()
    {
        object[] names = PopLast(2);
        Push(names[0] is string module && names[1] is string name
            ? new PickleGlobal(module, name)
            : throw _bad("its pickle names something by no name"));
    }

    private void Append(object[] items)
    {
        if (Peek() is List<object> list) list.AddRange(items);
    }

    private void SetItems(object[] items)
    {
        if (items.Length % 2 != 0) throw _bad("its pickle has a key without a value");
        if (Peek() is not Dictionary<object, object> dictionary) return;
        for (int i = 0; i < items.Length; i += 2) dictionary[items[i]] = items[i + 1];
    }

    private void Dictionary()
    {
        object[] items = PopToMark();
        Push(NewDictionary());
        SetItems(items);
    }

    private void Remember(long key) => _memo[key] = Peek();

    private void Recall(long key) =>
        Push(_memo.TryGetValue(key, out object? value) ? value : throw _bad($"its pickle recalls entry {key}, which it never made"));

    private void Push(object value) => _stack.Add(value);

    private object Peek() =>
        _stack.Count > 0 && !ReferenceEquals(_stack[^1], s_mark) ? _stack[^1] : throw _bad("its pickle takes from an empty stack");

    private object Pop()
    {
        object value = Peek();
        _stack.RemoveAt(_stack.Count - 1);
        return value;
    }

    private object[] PopLast(int count)
    {
        var items = new object[count];
        while (count > 0) items[--count] = Pop();
        return items;
    }

    private object[] PopToMark()
    {
        int mark = _stack.LastIndexOf(s_mark);
        if (mark < 0) throw _bad("its pickle closes what it never opened");
        object[] items = [.. _stack.Skip(mark + 1)];
        _stack.RemoveRange(mark, _stack.Count - mark);
        return items;
    }

    private string Text(long length) => length <= _bytes.Left
        ? _bytes.Text((int)length)
        : throw _bad($"its pickle announces a text of {length} bytes and ends before");

    private void Bytes(long length)
    {
        _bytes.Skip(length);
        Push(new PickleOpaque("bytes"));
    }

    private long Length64()
    {
        ulong length = _bytes.U64();
        return length <= int.MaxValue ? (long)length : throw _bad($"its pickle announces {length} bytes");
    }

    /// <summary>Text up to the line's end.</summary>
    private string Line()
    {
        int start = _bytes.Position;
        while (_bytes.U8() != '\n') { }
        return _bytes.TextAt(start, _bytes.Position - 1 - start);
    }

    /// <summary>A signed number of up to 64 bits; longer ones are of no use to a state dict.</summary>
    private static object Long(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length > sizeof(long)) return new PickleOpaque("a long number");
        long value = bytes.Length > 0 && bytes[^1] >= 0x80 ? -1 : 0;
        for (int i = bytes.Length - 1; i >= 0; i--) value = value << 8 | bytes[i];
        return value;
    }
}
