return Asni.Host.Entry.Run(args, Asni.Host.HostConsole.OfProcess());
