using Asni.Tensors;

namespace Asni.Formats.Amenable;

/// <summary>One tensor as it lies in the file, still coded.</summary>
internal sealed record StoredTensor(string Name, Shape Shape, MaskCoding MaskCoding, byte Parameter, long Live, byte[] Mask,
    ValueCoding ValueCoding, byte[] Values)
{
    public static StoredTensor Read(ByteReader reader, Func<string, AsniException> bad)
    {
        string name = reader.Text();
        int rank = reader.U8();
        if (rank > AsniFile.MaxDimensions) throw bad($"tensor {name} has {rank} dimensions");
        var dims = new int[rank];
        long elements = 1;
        for (int i = 0; i < rank; i++)
        {
            dims[i] = reader.Count($"as dimension {i} of tensor {name}");
            if (elements > Array.MaxLength / dims[i]) throw bad($"tensor {name} is larger than such a file can hold");
            elements *= dims[i];
        }
        var maskCoding = (MaskCoding)reader.U8();
        byte parameter = reader.U8();
        ulong live = reader.U64();
        if (live > (ulong)elements) throw bad($"tensor {name} has {live} live elements of {elements}");
        byte[] mask = reader.Take(reader.U32()).ToArray();
        var valueCoding = (ValueCoding)reader.U8();
        byte[] values = reader.Take(reader.U32()).ToArray();
        return new StoredTensor(name, new Shape(dims), maskCoding, parameter, (long)live, mask, valueCoding, values);
    }

    /// <summary>Takes the memory of the tensor's values, of which the file may have no more than one: all, and beside them the live ones where others are pruned.</summary>
    public void TakeFrom(ReadBudget budget) =>
        budget.Take((UInt128)(Shape.Elements + (Live < Shape.Elements ? Live : 0)), sizeof(float), $"tensor {Name} of {Shape}");

    public AsniTensor Describe() => new(Name, Shape, Live, MaskCoding, Mask.Length, ValueCoding, Values.Length);

    /// <summary>Values with +0 where pruned, and the mask; null when all live.</summary>
    public (float[] Values, Mask? Mask) Decode(Func<string, AsniException> bad)
    {
        Mask? mask = MaskCode.Decode(MaskCoding, Parameter, Live, Mask, Shape.Elements, bad);
        float[] live = ValueCode.Decode(ValueCoding, Values, (int)Live, bad);
        if (mask is null) return (live, null);
        var all = new float[Shape.Elements];
        int next = 0;
        foreach (long position in MaskCode.Positions(mask, live: true)) all[position] = live[next++];
        return (all, mask);
    }
}
