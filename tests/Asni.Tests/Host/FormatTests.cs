using Asni.Host;

namespace Asni.Tests.Host;

public class FormatTests
{
    [TestCase(0.05, ExpectedResult = "0.0500")]
    [TestCase(2086.6381, ExpectedResult = "2086.6381")]
    [TestCase(2.2312227775516848e35, ExpectedResult = "2.23e+35")]
    [TestCase(double.NaN, ExpectedResult = "NaN")]
    [TestCase(double.PositiveInfinity, ExpectedResult = "Infinity")]
    public string Losses_stay_short(double loss) => Format.Loss(loss);
}
