using Asni.Pruning;

namespace Asni.Tests.Pruning;

public class SparsityScheduleTests
{
    private static IEnumerable<TestCaseData> Shapes() =>
        from epochs in (int[])[1, 2, 7, 50, 333]
        from shape in (SparsitySchedule[])
        [
            new() { Scale1 = 0.4 },
            new() { Rest = (epochs + 1) / 2, Mag1 = 0.6, Mag2 = 0.3 },
            .. ((double[])[1, 3, 0.5, 0.31, 0.1, 0.013, 1e-3]).Select(scale => new SparsitySchedule
            {
                Kind = ScheduleKind.Sine, Scale1 = scale, Mag1 = 0.9, Exponent = epochs % 2 + 1,
            }),
        ]
        select new TestCaseData(shape, epochs);

    /// <summary>The maximum over all epochs before, one by one: what the formula's short way has to equal.</summary>
    [TestCaseSource(nameof(Shapes))]
    public void The_target_is_the_highest_value_so_far(SparsitySchedule schedule, int epochs)
    {
        // Without their maximum, values before the first fall are the formula's own.
        double Raw(double e)
        {
            if (schedule.Kind == ScheduleKind.Sine)
                return schedule.Mag1 * Math.Pow(Math.Max(0, Math.Sin(Math.PI * e / (schedule.Scale1 * epochs))), schedule.Exponent);
            int rest = schedule.Rest ?? epochs;
            double Sigmoid(double x) => 1 / (1 + Math.Exp(-x));
            double First(double at) => schedule.Mag1 * Sigmoid((at - schedule.Trans1 * rest) / schedule.Scale1);
            return e < rest ? First(e) : First(rest - 1) + schedule.Mag2 * Sigmoid((e - rest - schedule.Trans2 * (epochs - rest)) / schedule.Scale2);
        }
        Assert.That(schedule.GetSparsity(-0.5, epochs), Is.EqualTo(schedule.GetSparsity(0, epochs)), "nothing is asked for before the first epoch's end but what is then");
        double highest = 0;
        for (int e = 0; e < epochs; e++)
        {
            highest = Math.Max(highest, Raw(e));
            Assert.That(schedule.GetSparsity(e, epochs), Is.EqualTo(Math.Clamp(highest, 0, 1)).Within(1e-12), $"epoch {e}");
            Assert.That(schedule.GetSparsity(e + 0.25, epochs), Is.EqualTo(Math.Clamp(Math.Max(highest, Raw(e + 0.25)), 0, 1)).Within(1e-12), $"epoch {e} and a quarter");
        }
    }

    [TestCase(ScheduleKind.Sigmoid, 5)]
    [TestCase(ScheduleKind.Sine, 1)]
    [TestCase(ScheduleKind.Sine, 1e-3)]
    [CancelAfter(20_000)]
    public void Two_thousand_million_epochs_take_no_longer(ScheduleKind kind, double scale)
    {
        const int epochs = 2_000_000_000;
        SparsitySchedule schedule = new SparsitySchedule { Kind = kind, Scale1 = scale }.WithFinalSparsity(0.9, epochs);
        schedule.Validate(epochs);
        Assert.That(schedule.GetFinalSparsity(epochs), Is.EqualTo(0.9).Within(1e-9));
    }

    [TestCase(9e-4, 1)]
    [TestCase(1, -1)]
    public void Sines_that_tell_nothing_are_refused(double scale, double exponent) =>
        Assert.That(() => new SparsitySchedule { Kind = ScheduleKind.Sine, Scale1 = scale, Exponent = exponent }.Validate(10), Throws.TypeOf<UsageException>());

    private const int Epochs = 50;
    private static readonly SparsitySchedule Published = new() { Mag1 = 0.98, Scale1 = 5, Trans1 = 0.5 };

    [Test]
    public void The_published_lenet300_schedule_has_hand_computed_values()
    {
        // 0.98 / (1 + exp(-(e - 25) / 5)) for e = 0, 25, 30, 48.
        Assert.That(Published.GetSparsity(0, Epochs), Is.EqualTo(0.98 / (1 + Math.Exp(5))).Within(1e-12));
        Assert.That(Published.GetSparsity(25, Epochs), Is.EqualTo(0.49).Within(1e-12));
        Assert.That(Published.GetSparsity(30, Epochs), Is.EqualTo(0.716437407057).Within(1e-9));
        Assert.That(Published.GetFinalSparsity(Epochs), Is.EqualTo(0.970247234).Within(1e-8));
    }

    [Test]
    public void The_second_phase_starts_on_top_of_the_first()
    {
        var two = new SparsitySchedule { Rest = 20, Mag1 = 0.6, Scale1 = 2, Trans1 = 0.5, Mag2 = 0.3, Scale2 = 1, Trans2 = 0.5 };
        double first = 0.6 / (1 + Math.Exp(-(19 - 10) / 2.0));
        Assert.That(two.GetSparsity(19, 30), Is.EqualTo(first).Within(1e-12));
        Assert.That(two.GetSparsity(20, 30), Is.EqualTo(first + 0.3 / (1 + Math.Exp(5))).Within(1e-12));
        Assert.That(two.GetSparsity(25, 30), Is.EqualTo(first + 0.15).Within(1e-12));
    }

    [Test]
    public void A_sine_holds_its_highest_value_after_its_top()
    {
        var sine = new SparsitySchedule { Kind = ScheduleKind.Sine, Mag1 = 0.9, Scale1 = 1, Exponent = 2 };
        Assert.That(sine.GetSparsity(2, 10), Is.EqualTo(0.9 * Math.Pow(Math.Sin(Math.PI * 0.2), 2)).Within(1e-12));
        Assert.That(sine.GetSparsity(5, 10), Is.EqualTo(0.9).Within(1e-12));
        Assert.That(sine.GetSparsity(9, 10), Is.EqualTo(0.9).Within(1e-12));
    }

    [TestCase(0.5)]
    [TestCase(0.97)]
    [TestCase(0.999)]
    public void A_final_sparsity_is_met_exactly_at_the_last_pruning(double sparsity)
    {
        SparsitySchedule schedule = Published.WithFinalSparsity(sparsity, Epochs);
        Assert.That(schedule.GetSparsity(48, Epochs), Is.EqualTo(sparsity).Within(1e-12));
        Assert.That(schedule.GetFinalSparsity(Epochs), Is.EqualTo(sparsity).Within(1e-12));
    }

    [Test]
    public void A_schedule_never_falls_between_epochs_of_pruning_by_steps()
    {
        double last = 0;
        for (double e = 0; e < 49; e += 0.1)
        {
            double s = Published.GetSparsity(e, Epochs);
            Assert.That(s, Is.GreaterThanOrEqualTo(last));
            last = s;
        }
    }

    [TestCase(1.2)]
    [TestCase(1.0)]
    [TestCase(-0.1)]
    [TestCase(double.NaN)]
    public void A_sparsity_outside_0_to_1_is_refused(double sparsity) =>
        Assert.That(() => Published.WithFinalSparsity(sparsity, Epochs), Throws.TypeOf<UsageException>().With.Message.Contains("[0, 1)"));

    [Test]
    public void A_schedule_that_prunes_everything_is_refused() =>
        Assert.That(() => (Published with { Mag1 = 1.1 }).Validate(Epochs), Throws.TypeOf<UsageException>().With.Message.Contains("everything"));

    [TestCase(1000, 0.97, 30)]
    [TestCase(1001, 0.5, 500)] // 500.5 rounds away from zero: 501 go.
    [TestCase(266_200, 0, 266_200)]
    public void The_kept_count_is_N_minus_the_rounded_share(long total, double sparsity, long kept) =>
        Assert.That(Quota.At(sparsity, total), Is.EqualTo(kept));
}
