using Asni;
using Asni.Cpu;
using Asni.Inference;
using Asni.Runs;

// Classifies images over HTTP with the network of a run folder:
//     dotnet run --project src/Asni.Host -- --net lenet300 --data digits --epochs 5 --out runs/digits
//     dotnet run --project examples/WebApi -- runs/digits
//     curl --data-binary @digit.png http://localhost:5000/classify
if (args.Length == 0)
{
    Console.Error.WriteLine("A run folder is missing: dotnet run --project examples/WebApi -- FOLDER [--urls http://localhost:5000]");
    return 2;
}
try
{
    // Requests run at the same time, each on one thread. This serves more of them than all threads working on one request after another.
    using var device = new CpuDevice(threads: 1);
    using var classifier = RunInference.LoadClassifier(args[0], device);
    WebApplication app = WebApplication.CreateBuilder(args[1..]).Build();
    app.MapPost("/classify", async (HttpRequest request) =>
    {
        using var file = new MemoryStream();
        await request.Body.CopyToAsync(file, request.HttpContext.RequestAborted);
        try
        {
            return Results.Ok(classifier.ClassifyBytes(file.ToArray(), "the image"));
        }
        catch (AsniException e)
        {
            return Results.Problem(e.Message, statusCode: StatusCodes.Status400BadRequest);
        }
    });
    app.Run();
    return 0;
}
catch (AsniException e)
{
    Console.Error.WriteLine(e.Message);
    return e is UsageException ? 2 : 1;
}
