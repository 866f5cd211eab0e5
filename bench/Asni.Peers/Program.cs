using System.CommandLine;
using Asni;
using Asni.Peers;

// `side NAME ...` is what this program starts itself as, once for each engine.
try
{
    return args is ["side", var name, ..] ? SideProcess.Serve(name, args[2..]) : PeersCommand.Create().Parse(args).Invoke(new InvocationConfiguration { EnableDefaultExceptionHandler = false });
}
catch (AsniException e)
{
    Console.Error.WriteLine(e.Message);
    return e is UsageException ? 2 : 1;
}
