namespace Asni.Cpu;

/// <summary>A number as a type argument: the JIT compiles a generic method for each, with the branches on it resolved.</summary>
internal interface IConstant
{
    static abstract int Value { get; }
}

internal readonly struct One : IConstant
{
    public static int Value => 1;
}

internal readonly struct Two : IConstant
{
    public static int Value => 2;
}

internal readonly struct Four : IConstant
{
    public static int Value => 4;
}

internal readonly struct Six : IConstant
{
    public static int Value => 6;
}

internal readonly struct Twelve : IConstant
{
    public static int Value => 12;
}
