using Asni;
using Asni.Bench;

try
{
    return args switch
    {
        // What `start` starts: a program that does nothing, and one that runs a model once.
        ["nothing"] => 0,
        [FirstCall.Name, var file] => FirstCall.Run(file),
        _ => Harness.RunAny(args),
    };
}
catch (AsniException e)
{
    Console.Error.WriteLine(e.Message);
    return e is UsageException ? 2 : 1;
}
