namespace Asni;

/// <summary>
/// 32-bit cyclic redundancy checks, bits reflected, register and result inverted: the CRC-32 of zip files and the CRC-32C of TensorBoard's.
/// </summary>
internal sealed class Crc32
{
    private readonly uint[] _table = new uint[256];

    /// <param name="polynomial">Reflected.</param>
    private Crc32(uint polynomial)
    {
        for (uint i = 0; i < _table.Length; i++)
        {
            uint value = i;
            for (int bit = 0; bit < 8; bit++) value = (value & 1) != 0 ? value >> 1 ^ polynomial : value >> 1;
            _table[i] = value;
        }
    }

    /// <summary>Of zip, PNG and Ethernet.</summary>
    public static Crc32 Zip { get; } = new(0xEDB88320);

    /// <summary>Castagnoli's.</summary>
    public static Crc32 Castagnoli { get; } = new(0x82F63B78);

    public uint Of(ReadOnlySpan<byte> bytes)
    {
        uint register = uint.MaxValue;
        foreach (byte b in bytes) register = _table[(byte)(register ^ b)] ^ register >> 8;
        return ~register;
    }
}
