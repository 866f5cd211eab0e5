using Asni.Methods;
using Asni.Training;

namespace Asni.Runs;

/// <summary>What a report of a run is made of.</summary>
/// <param name="Epochs">Those that were trained, in order.</param>
/// <param name="Phases">Those that ended.</param>
/// <param name="Complete">All phases ended.</param>
/// <param name="Recipe">Text of recipe.yaml, or nothing.</param>
/// <param name="Networks">Network files of the run folder and their sizes in bytes.</param>
internal sealed record RunSoFar(RunDescription Run, IReadOnlyList<EpochRecord> Epochs, IReadOnlyList<PhaseResult> Phases, bool Complete, string Recipe,
    IReadOnlyList<(string Name, long Bytes)> Networks);
