using Asni;
using Asni.Bench;

try
{
    return args is [FirstCall.Name, var file] ? FirstCall.Run(file) : Latency.Run(args);
}
catch (AsniException e)
{
    Console.Error.WriteLine(e.Message);
    return e is UsageException ? 2 : 1;
}
