using Asni.Networks;

namespace Asni.Tests.Devices;

/// <summary>Values and derivatives of activation functions in double precision: those of torch.nn.SiLU and torch.nn.GELU (the exact one), computed from their definitions with 40 digits.</summary>
internal sealed record GoldenActivations(Activation Kind, double[] Value, double[] Slope)
{
    public float[] X { get; } =
    [
        -100f, -20f, -10f, -5.5f, -3f, -1.27816486f, -1f, -0.75f, -0.5f, -0.00100000005f, 0f, 0.00100000005f, 0.5f, 1f, 1.5f, 2f, 3f, 5.5f, 10f, 20f,
        100f,
    ];

    public static IEnumerable<Activation> Kinds => s_all.Select(g => g.Kind);

    public static GoldenActivations Of(Activation kind) => s_all.Single(g => g.Kind == kind);

    private static readonly GoldenActivations[] s_all =
    [
        new(Activation.Silu,
            [
                -3.720075976020836e-42, -4.122307236380407e-08, -0.00045397868702434395, -0.0223857574374287, -0.14227761953270035,
                -0.27846453297918405, -0.2689414213699951, -0.24061597561845527, -0.18877033439907273, -0.0004997500237458103, 0.0,
                0.000500250023751641, 0.3112296656009273, 0.7310585786300049, 1.2263617142904655, 1.7615941559557649, 2.8577223804672998,
                5.477614242562571, 9.999546021312975, 19.99999995877693, 100.0,
            ],
            [
                -3.682875216260628e-42, -3.9161918660646786e-08, -0.0004085602086570823, -0.01822450660588759, -0.08810410601516962,
                6.52868028842827e-05, 0.07232948812851327, 0.1574000555032465, 0.2600388126973482, 0.4995000000595846, 0.5, 0.5004999999404154,
                0.7399611873026518, 0.9276705118714867, 1.041294154299143, 1.0907842487848955, 1.0881041060151697, 1.0182245066058877,
                1.000408560208657, 1.0000000391619186, 1.0,
            ]),
    ];
}
