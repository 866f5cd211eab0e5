using Spectre.Console;

namespace Asni.Host;

/// <summary>
/// Rows of text under column heads. A terminal that is too narrow gets fewer columns, the last left out first, and never a row on two lines; of a table of two
/// columns, which is a list, the second is folded.
/// </summary>
internal sealed class ConsoleTable
{
    /// <summary>A list has a name and a text.</summary>
    private const int ListColumns = 2;

    /// <summary>Of a column: a blank on both sides, and a border.</summary>
    private const int Around = 3;

    private readonly List<string[]> _rows = [];
    private readonly string[] _columns;
    private readonly int[] _right;

    /// <param name="right">Columns of numbers.</param>
    public ConsoleTable(IReadOnlyList<string> columns, IReadOnlyList<int> right)
    {
        _columns = [.. columns.Select(Printable.Line)];
        _right = [.. right];
    }

    public int Rows => _rows.Count;

    public void AddRow(params IEnumerable<string> cells) => _rows.Add([.. cells.Select(Printable.Line)]);

    public void Write(IAnsiConsole screen, TableBorder border)
    {
        int shown = Fitting(screen.Profile.Width);
        var table = new Table { Border = border };
        for (int i = 0; i < shown; i++)
        {
            var column = new TableColumn(new Text(_columns[i])) { NoWrap = _columns.Length > ListColumns };
            table.AddColumn(_right.Contains(i) ? column.RightAligned() : column);
        }
        foreach (string[] row in _rows) table.AddRow(row.Take(shown).Select(cell => new Text(cell)));
        screen.Write(table);
        if (shown < _columns.Length) screen.WriteLine($"columns that do not fit: {string.Join(", ", _columns.Skip(shown))}");
    }

    /// <summary>How many columns have their place: all of a list, two at least.</summary>
    private int Fitting(int width)
    {
        if (_columns.Length <= ListColumns) return _columns.Length;
        int used = 1, shown = 0;
        while (shown < _columns.Length && (used += Around + Width(shown)) <= width) shown++;
        return Math.Max(ListColumns, shown);
    }

    private int Width(int column) => _rows.Select(row => row.ElementAtOrDefault(column)?.GetCellWidth() ?? 0).Append(_columns[column].GetCellWidth()).Max();
}
