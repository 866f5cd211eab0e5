global using NUnit.Framework;

// Fixtures that change something of the whole process are marked NonParallelizable.
[assembly: Parallelizable(ParallelScope.Fixtures)]
