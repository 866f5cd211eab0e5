using Asni.Host;
using Asni.Mpi;

// Launchers give ranks a terminal, whose control codes would end in their logs.
if (Launcher.Find(Environment.GetEnvironmentVariable) is not null) Environment.SetEnvironmentVariable("TERM", "dumb");
return Entry.Run(args, HostConsole.OfProcess());
