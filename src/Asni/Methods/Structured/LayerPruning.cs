using Asni.Networks;
using Asni.Networks.Rewriting;
using Asni.Pruning;
using Asni.Pruning.Layers;
using Asni.Settings;
using Asni.Tensors;
using Asni.Training;

namespace Asni.Methods;

/// <summary>
/// Takes whole residual blocks out of a trained network, and fine-tunes what is left: SGLP (Li et al. 2024, arXiv 2410.14720). What it delivers is a shallower dense network.
/// </summary>
public sealed record LayerPruning : Method
{
    private const string PhaseName = "sglp";
    private const ulong Stream = 12;

    private static readonly MethodRow s_row = new(PhaseName, "takes residual blocks out of a trained network, of those that are alike the ones with which the gradient's norm is largest stay", "Li et al. 2024, arXiv 2410.14720")
    {
        Formula = """
            CKA(i, j) = tr(K L) / sqrt(tr(K K) tr(L L)) of the centered Gram matrices of two blocks' outputs;  a_i = sum_j CKA(i, j)
            Fisher's optimal partition of (a_1, a_2, ...) into segments;  of each segment, in proportion, the blocks stay with which the norm of dL/dw of the network is largest
            """,
        Leaves = "sglp.safetensors, a shallower network; without a network to start from, dense.safetensors first; scratch.safetensors of the control",
        Example = [("net", "resnet56"), ("init", "runs/dense/dense.safetensors"), ("ratio", "0.6")],
        Settings = SettingFactory.As<Method, LayerPruning>(
        [
            .. LayerSelection.Settings.In<LayerPruning, LayerSelection>(m => m.Selection, (m, v) => m with { Selection = v }),
            .. UnitFinetuning.Settings.In<LayerPruning, UnitFinetuning>(m => m.Finetuning, (m, v) => m with { Finetuning = v }),
            StructuredPruning.ScratchSetting<LayerPruning>(m => m.Scratch, (m, v) => m with { Scratch = v }),
        ]),
        StartsTrained = true,
    };

    public LayerSelection Selection { get; init; } = new();
    public UnitFinetuning Finetuning { get; init; } = new();

    /// <inheritdoc cref="StructuredPruning.Scratch"/>
    public bool Scratch { get; init; }

    internal override MethodRow Row => s_row;

    internal override bool ChangesNetwork => true;

    internal override IEnumerable<PhasePlan> Phases(Recipe recipe, bool given)
    {
        if (!given) yield return DenseTraining.Phase(recipe);
        yield return Finetuning.Phase(PhaseName);
        if (Scratch) yield return StructuredPruning.ScratchPhase(recipe);
    }

    internal override IEnumerable<PhaseResult> Run(MethodRun run)
    {
        TrainedNetwork? model = run.Given;
        if (model is null)
        {
            PhaseResult dense = DenseTraining.Train(run);
            yield return dense;
            model = dense.Model;
        }
        run.Release();
        Calibration calibration = run.NewCalibration(Selection.Calibration, Stream);
        TrainedNetwork smaller = ShallowNetwork.Without(model.Network, Selection.Choose(model, calibration, text => run.Observer.OnNote(text))).Carry(model);
        run.Observer.OnNote(UnitFinetuning.DescribeSizes(model.Network, smaller.Network));
        PhasePlan phase = Finetuning.Phase(PhaseName);
        run.Continue(StructuredPruning.Reached(run, phase, smaller));
        PhaseResult result = run.Train(phase);
        yield return result;
        if (Scratch) yield return StructuredPruning.TrainFromScratch(run, result.Model);
    }

    internal override void Validate(Network network) => Selection.Validate(network);

    internal override string? Ignores(string setting, Recipe recipe, bool given) => Finetuning.Ignores(setting, given && !Scratch, alone: true);
}
