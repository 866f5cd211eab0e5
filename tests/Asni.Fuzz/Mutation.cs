namespace Asni.Fuzz;

/// <summary>Random changes to a file: mostly one or two, sometimes up to nine.</summary>
internal static class Mutation
{
    private const int Head = 64;

    private static readonly byte[] s_telling = [0, 1, 0x7F, 0x80, 0xFF];

    public static byte[] Apply(byte[] seed, byte[][] seeds, Random random)
    {
        byte[] file = [.. seed];
        int changes = 1 + random.Next(random.Next(4) == 0 ? 9 : 2);
        for (int i = 0; i < changes && file.Length > 0; i++)
        {
            // Headers are short and say most.
            int at = random.Next(random.Next(3) == 0 ? Math.Min(Head, file.Length) : file.Length);
            file = Change(file, at, seeds, random);
        }
        return file;
    }

    private static byte[] Change(byte[] file, int at, byte[][] seeds, Random random)
    {
        int some = Math.Min(random.Next(1, 64), file.Length - at);
        switch (random.Next(11))
        {
            case 0 or 1:
                file[at] ^= (byte)(1 << random.Next(8));
                return file;
            case 2:
                file[at] = random.Next(2) == 0 ? s_telling[random.Next(s_telling.Length)] : (byte)random.Next(256);
                return file;
            case 3:
                return Number(file, at, random);
            case 4:
                return file[..at];
            case 5:
                var noise = new byte[some];
                random.NextBytes(noise);
                return [.. file[..at], .. noise, .. file[at..]];
            case 6:
                return [.. file[..at], .. file[(at + some)..]];
            case 7:
                file.AsSpan(random.Next(file.Length - some + 1), some).ToArray().CopyTo(file, at);
                return file;
            case 8:
                byte[] other = seeds[random.Next(seeds.Length)];
                return [.. file[..at], .. other[random.Next(other.Length)..]];
            case 9:
                return Repeated(file, at, Math.Min(some, 16), random.Next(1, random.Next(8) == 0 ? 2000 : 4));
            default:
                return file.Length > 20 ? Digit(file, at, random) : file;
        }
    }

    /// <summary>Largest and smallest numbers of 2, 4 and 8 bytes in both orders of bytes, or a random one.</summary>
    private static byte[] Number(byte[] file, int at, Random random)
    {
        int width = 1 << random.Next(1, 4), kind = random.Next(4);
        for (int k = 0; k < width && at + k < file.Length; k++)
            file[at + k] = kind switch
            {
                0 => 0xFF,
                1 => (byte)(k == width - 1 ? 0x7F : 0xFF),
                2 => (byte)(k == 0 ? 0x7F : 0xFF),
                _ => (byte)random.Next(256),
            };
        return file;
    }

    private static byte[] Repeated(byte[] file, int at, int length, int times)
    {
        byte[] part = file[at..(at + length)];
        return [.. file[..at], .. Enumerable.Repeat(part, times).SelectMany(p => p), .. file[at..]];
    }

    /// <summary>Another digit at the next place that has one, or many: numbers in text.</summary>
    private static byte[] Digit(byte[] file, int at, Random random)
    {
        int place = file.AsSpan(at).IndexOfAnyInRange((byte)'0', (byte)'9');
        if (place < 0) return file;
        place += at;
        file[place] = (byte)('0' + random.Next(10));
        return random.Next(2) == 0 ? file : [.. file[..place], .. Enumerable.Repeat(file[place], random.Next(1, 25)), .. file[place..]];
    }
}
