using System.Diagnostics;

namespace Asni.Tests.Formats;

/// <summary>Runs a Python script of the tests with whichever Python of the machine has the modules it imports.</summary>
internal static class Python
{
    /// <summary>Exit code of a script that found a module missing.</summary>
    private const int ModuleMissing = 3;

    private static readonly string[] s_interpreters = ["python3", "/usr/bin/python3", "python"];

    /// <summary>The script's output; the test is ignored, with the reason, when no Python can run it.</summary>
    /// <param name="script">An embedded resource's name from its folder on: "Formats.Onnx.consume.py".</param>
    public static string Run(string script, string folder, params string[] arguments)
    {
        string path = Path.Combine(folder, script);
        using (Stream source = typeof(Python).Assembly.GetManifestResourceStream("Asni.Tests." + script)!)
        using (FileStream file = File.Create(path)) source.CopyTo(file);
        string reason = "there is no Python";
        foreach (string interpreter in s_interpreters)
        {
            if (Start(interpreter, [path, .. arguments]) is not { } process) continue;
            using (process)
            {
                Task<string> error = process.StandardError.ReadToEndAsync();
                string output = process.StandardOutput.ReadToEnd();
                process.WaitForExit();
                if (process.ExitCode == 0) return output;
                if (process.ExitCode != ModuleMissing) Assert.Fail($"{interpreter}: {output}{error.Result}");
                reason = $"{interpreter} says: {output.Trim()}";
            }
        }
        Assert.Ignore($"not checked: {reason}.");
        return "";
    }

    private static Process? Start(string interpreter, string[] arguments)
    {
        try
        {
            return Process.Start(new ProcessStartInfo(interpreter, arguments) { RedirectStandardOutput = true, RedirectStandardError = true });
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return null;
        }
    }
}
