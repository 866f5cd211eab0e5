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
    private const int MaxDimensions = 64;

    /// <summary>Of an empty dictionary and one with an entry; of a tensor without its dimensions and strides, and of one of each.</summary>
    private const int DictionaryBytes = 200, TensorBytes = 150, DimensionBytes = 16;

    private readonly ByteReader _bytes;
    private readonly ReadBudget _budget;
    private readonly Func<string, AsniException> _bad;
    private readonly List<object> _stack = [];
    private readonly Dictionary<long, object> _memo = [];
    private readonly Dictionary<string, PickleStorage> _storages = [];

    private PickleReader(ReadOnlyMemory<byte> bytes, ReadBudget budget, Func<string, AsniException> bad) =>
        (_bytes, _budget, _bad) = (new ByteReader(bytes, bad), budget, bad);

    /// <summary>The object that was pickled: string, long, double, bool, object[] (tuple), List, Dictionary, or one of PickleValues.cs.</summary>
    /// <param name="budget">The file's.</param>
    public static object Read(ReadOnlyMemory<byte> bytes, ReadBudget budget, Func<string, AsniException> bad) => ReadFirst(bytes, budget, bad).Root;

    /// <summary>The first pickle of several that follow one another.</summary>
    public static Pickle ReadFirst(ReadOnlyMemory<byte> bytes, ReadBudget budget, Func<string, AsniException> bad)
    {
        var reader = new PickleReader(bytes, budget, bad);
        object root = reader.Run();
        return new Pickle(root, reader._bytes.Position, reader._storages);
    }

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
            case 'U' or 'C': Push(new PickleBytes(_bytes.Slice(_bytes.U8()))); break;
            case 'T' or 'B': Push(new PickleBytes(_bytes.Slice(_bytes.U32()))); break;
            case '\x8e': Push(new PickleBytes(_bytes.Slice(Length64()))); break;
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
            case 'c': Push(Global(Line(), Line())); break;
            case '\x93': StackGlobal(); break;
            case 'Q': Push(Storage(Pop())); break;
            case 'R' or '\x81': Call(PopLast(2)); break;
            case '\x92': Call(PopLast(3)); break;
            case 'b': Build(Pop()); break;
            default: return false;
        }
        return true;
    }

    private void Call(object[] functionAndArguments)
    {
        string function = (functionAndArguments[0] as PickleGlobal)?.FullName ?? "a call";
        object[] arguments = functionAndArguments[1] as object[] ?? [];
        Push(function switch
        {
            "collections.OrderedDict" => OrderedDictionary(arguments),
            "torch._utils._rebuild_tensor_v2" or "torch._utils._rebuild_tensor" => Tensor(arguments),
            "torch._utils._rebuild_parameter" or "torch._utils._rebuild_parameter_with_state" or "torch.Size" when arguments.Length > 0 => arguments[0],
            // Bytes as protocol 2 has them: a text whose characters are the bytes.
            "_codecs.encode" when arguments is [string text, "latin1"] => text,
            _ => new PickleCall(function, arguments),
        });
    }

    /// <summary>Empty, or of the pairs that Python 2 gives it.</summary>
    private Dictionary<object, object> OrderedDictionary(object[] arguments)
    {
        Dictionary<object, object> dictionary = NewDictionary();
        if (arguments is [List<object> pairs])
            foreach (object pair in pairs)
                if (pair is List<object> { Count: 2 } items) dictionary[Key(items[0])] = items[1];
        return dictionary;
    }

    /// <summary>
    /// The state of a foreign object is kept beside it, the items of an ordered dictionary are in it already, and anything else needs none.
    /// </summary>
    private void Build(object state)
    {
        if (Peek() is PickleCall call) call.State = state;
    }

    private PickleTensor Tensor(object[] arguments)
    {
        if (arguments.Length < 4 || arguments[0] is not PickleStorage storage || arguments[1] is not long offset
            || Numbers(arguments[2]) is not { } dims || Numbers(arguments[3]) is not { } strides || dims.Length != strides.Length || offset < 0)
            throw _bad("its pickle rebuilds a tensor from something else than a storage, an offset, a shape and strides");
        _budget.Take(1, TensorBytes + dims.Length * DimensionBytes, "its tensors");
        return offset <= long.MaxValue - storage.First
            ? new PickleTensor(storage, storage.First + offset, dims, strides)
            : throw _bad("its pickle has a tensor that begins beyond any storage");
    }

    /// <summary>A storage, or before 1.6 also a part of one: ("storage", type, key, place, elements[, (key of the part, first element, elements)]).</summary>
    private object Storage(object id)
    {
        if (id is not object[] { Length: > 0 } parts) throw BadStorage();
        if (TextOf(parts[0]) is not { } kind) throw BadStorage();
        if (kind == "module") return new PickleOpaque("a module");
        if (parts.Length < 5 || kind != "storage" || parts[1] is not PickleGlobal type || TextOf(parts[2]) is not { } key
            || parts[4] is not long elements || elements < 0) throw BadStorage();
        var storage = new PickleStorage(type.Name, key, elements, 0);
        if (_storages.TryGetValue(key, out PickleStorage? known) && known != storage) throw _bad($"its pickle has the storage {key} in two sizes or types");
        _storages[key] = storage;
        if (parts.Length < 6 || parts[5] is not object[] view) return storage;
        if (view is not [_, long and >= 0, long and >= 0] || (long)view[1] > elements || (long)view[2] > elements - (long)view[1]) throw BadStorage();
        return storage with { First = (long)view[1] };
    }

    private AsniException BadStorage() => _bad("its pickle names a storage in a way that torch.save does not");

    private Dictionary<object, object> NewDictionary()
    {
        _budget.Take(1, DictionaryBytes, "its dictionaries");
        return new Dictionary<object, object>(PickleKeys.Comparer);
    }

    /// <summary>A tuple of numbers that are not negative, as many as a tensor can have dimensions; null when it is something else.</summary>
    private static long[]? Numbers(object value) => value is object[] { Length: <= MaxDimensions } items && items.All(i => i is long and >= 0) ? [.. items.Cast<long>()] : null;

    private void StackGlobal()
    {
        object[] names = PopLast(2);
        Push(TextOf(names[0]) is { } module && TextOf(names[1]) is { } name
            ? Global(module, name)
            : throw _bad("its pickle names something by no name"));
    }

    private PickleGlobal Global(string module, string name)
    {
        _budget.Take((UInt128)module.Length + (UInt128)name.Length, sizeof(char), "its names");
        return new PickleGlobal(module, name);
    }

    /// <summary>A text of either kind, null for anything else: bytes may be recalled any number of times, and each time are a new text.</summary>
    private string? TextOf(object value)
    {
        if (value is PickleBytes bytes) _budget.Take((UInt128)bytes.Bytes.Length, sizeof(char), "its texts");
        return PickleBytes.TextOf(value);
    }

    private void Append(object[] items)
    {
        if (Peek() is List<object> list) list.AddRange(items);
    }

    private void SetItems(object[] items)
    {
        if (items.Length % 2 != 0) throw _bad("its pickle has a key without a value");
        if (Peek() is not Dictionary<object, object> dictionary) return;
        for (int i = 0; i < items.Length; i += 2) dictionary[Key(items[i])] = items[i + 1];
    }

    /// <summary>Texts of Python 2 are bytes: a key of either kind is a text here.</summary>
    private object Key(object key) => TextOf(key) ?? key;

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
