namespace Asni.Cpu.Convolution;

/// <summary>A strip of neighbouring output channels that a register tile covers: <paramref name="Columns"/> of them in <paramref name="Vectors"/> registers.</summary>
/// <param name="Owner">The worker that computes it when work is split by panels.</param>
internal readonly record struct Panel(int Start, int Columns, int Vectors, int Group, int Owner);

internal static class Panels
{
    /// <summary>Cuts the channels of each group into panels; for a split by panels, each worker's share apart.</summary>
    /// <param name="oneRow">For products of a single row.</param>
    public static Panel[] Cut(int channels, int groups, int lanes, int workers, bool oneRow = false)
    {
        var panels = new List<Panel>();
        int perGroup = channels / groups, vectors = (perGroup + lanes - 1) / lanes;
        for (int group = 0; group < groups; group++)
            for (int worker = 0; worker < workers; worker++)
            {
                int from = vectors * worker / workers, to = vectors * (worker + 1) / workers;
                while (from < to)
                {
                    int take = Largest(to - from, lanes == 16, oneRow);
                    int start = from * lanes;
                    panels.Add(new Panel(group * perGroup + start, Math.Min(take * lanes, perGroup - start), take, group, (group * workers + worker) % workers));
                    from += take;
                }
            }
        return [.. panels];
    }

    /// <summary>Tiles exist of 1, 2 and, with 32 registers, 4 vectors; of one row, of 8 and 4 too.</summary>
    private static int Largest(int vectors, bool wide, bool oneRow) =>
        oneRow && vectors >= InnerTiles.RowVectors ? InnerTiles.RowVectors : (wide || oneRow) && vectors >= 4 ? 4 : vectors >= 2 ? 2 : 1;
}
