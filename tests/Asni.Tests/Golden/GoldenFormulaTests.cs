namespace Asni.Tests.Golden;

public class GoldenFormulaTests
{
    [TestCase(7, 0, 0.54309309)]
    [TestCase(7, 1, 0.04613435)]
    [TestCase(1000, 0, -0.64861500)]
    public void The_formula_gives_the_recorded_values(int seed, int i, double expected) =>
        Assert.That(GoldenFormula.Value((ulong)seed, i), Is.EqualTo(expected).Within(5e-9));
}
