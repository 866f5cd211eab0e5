Console.WriteLine("asni");
