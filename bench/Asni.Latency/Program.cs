using Asni;
using Asni.Bench;

try
{
    return Latency.Run(args);
}
catch (AsniException e)
{
    Console.Error.WriteLine(e.Message);
    return e is UsageException ? 2 : 1;
}
