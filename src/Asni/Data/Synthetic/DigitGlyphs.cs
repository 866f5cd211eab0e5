using System.Globalization;

namespace Asni.Data.Synthetic;

/// <summary>One pen stroke by its control points; a smooth one passes through them as a Catmull-Rom spline.</summary>
internal sealed record Stroke(bool Smooth, float[] X, float[] Y);

/// <summary>
/// How people write the ten digits: several styles each, in a box 14 wide and 20 high with y down. A style is a list of
/// strokes separated by '|'; 'C' is a smooth curve through its points, 'L' a polyline.
/// </summary>
internal static class DigitGlyphs
{
    public const float CenterX = 7, CenterY = 10;

    private static readonly string[][] Sources =
    [
        [
            "C 8,0 3,2 0,10 3,18 7,20 11,18 14,10 12,3 8,0",
            "C 7,0 4,3 3,10 4,17 7,20 10,17 11,10 10,3 7,0",
            "C 9,1 4,1 0,8 1,16 6,20 12,16 14,8 11,2 6,1",
            "C 4,1 0,7 1,16 7,20 13,16 13,6 8,0 4,2",
        ],
        [
            "L 7,0 7,20",
            "L 3,5 8,0 8,20",
            "L 3,4 8,0 8,20 | L 3,20 13,20",
            "L 10,0 5,20",
            "L 2,7 8,0 8,20",
        ],
        [
            "C 1,5 3,1 8,0 12,3 12,7 8,12 1,20 | L 1,20 13,20",
            "C 2,4 6,0 11,2 12,7 7,14 2,19 2,16 5,15 9,19 14,18",
            "C 1,3 5,0 11,1 12,5 9,10 3,17 0,20 | C 0,20 4,18 9,20 13,19",
            "C 1,2 6,0 12,2 12,8 7,16 2,20 0,18 3,16 8,19 14,19",
        ],
        [
            "C 1,2 6,0 12,2 11,7 5,9 | C 5,9 12,10 13,15 9,20 3,20 0,17",
            "L 1,0 12,0 6,8 | C 6,8 12,9 13,15 9,20 3,20 0,17",
            "C 2,3 7,0 12,4 9,8 6,9 10,11 12,15 8,20 1,18",
            "C 1,1 8,0 11,4 6,9 | C 6,9 13,11 12,17 6,20 1,19",
        ],
        [
            "L 2,0 1,11 13,11 | L 11,1 11,20",
            "L 9,0 0,13 14,13 | L 9,0 9,20",
            "C 2,0 1,6 3,11 8,11 12,9 | L 12,0 11,20",
            "L 4,0 0,10 12,9 | L 12,1 8,20",
        ],
        [
            "L 12,0 3,0 2,9 | C 2,9 8,7 13,11 12,17 6,20 0,18",
            "C 13,1 8,0 3,1 2,8 8,8 12,12 10,18 4,20 0,18",
            "L 3,0 2,8 | C 2,8 9,7 13,13 9,19 1,19 | L 3,0 13,1",
            "L 13,0 5,1 3,8 | C 3,8 9,9 11,14 7,19 1,20",
        ],
        [
            "C 10,0 4,5 1,13 3,19 8,20 12,17 11,12 6,11 2,14",
            "C 8,0 3,8 2,15 6,20 11,18 11,13 6,12 3,16",
            "C 12,2 7,0 2,6 1,14 5,20 11,19 13,14 8,11 2,13",
            "C 5,0 2,8 1,15 4,20 9,20 11,15 7,13 2,16",
        ],
        [
            "L 0,0 13,0 5,20",
            "L 1,1 13,1 6,20 | L 4,10 12,10",
            "L 1,4 1,1 | C 1,1 7,2 13,0 | C 13,0 8,9 6,20",
            "C 1,3 4,1 9,2 13,1 | C 13,1 9,9 8,20",
        ],
        [
            "C 7,0 2,2 2,7 7,10 12,14 11,19 7,20 2,18 2,14 7,10 12,6 11,2 7,0",
            "C 12,3 7,0 2,4 6,9 12,14 9,20 3,19 2,14 8,9 12,3",
            "C 7,0 3,2 3,7 7,9 11,7 11,2 7,0 | C 7,9 1,13 3,19 7,20 11,19 13,13 7,9",
            "C 11,1 6,0 3,4 7,9 11,14 8,20 3,18 4,13 9,8 13,2",
        ],
        [
            "C 12,4 8,0 3,2 2,7 5,10 10,9 12,4 | L 12,4 11,20",
            "C 12,3 6,0 1,4 4,9 9,9 12,3 12,12 8,19 2,20",
            "C 11,5 7,1 2,4 3,9 8,10 12,4 | L 12,2 7,20",
            "C 12,2 7,0 2,5 4,10 10,8 12,3 | C 12,3 11,11 12,20",
        ],
    ];

    /// <summary>Styles[digit][style] is a list of strokes.</summary>
    public static Stroke[][][] Styles { get; } = [.. Sources.Select(digit => digit.Select(Parse).ToArray())];

    private static Stroke[] Parse(string glyph) => [.. glyph.Split('|', StringSplitOptions.TrimEntries).Select(ParseStroke)];

    private static Stroke ParseStroke(string stroke)
    {
        string[] parts = stroke.Split(' ');
        float[][] points = [.. parts.Skip(1).Select(p => p.Split(',').Select(c => float.Parse(c, CultureInfo.InvariantCulture)).ToArray())];
        return new Stroke(parts[0] == "C", [.. points.Select(p => p[0])], [.. points.Select(p => p[1])]);
    }
}
