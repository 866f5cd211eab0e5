using Asni.Cpu;
using Asni.Data;
using Asni.Devices;
using Asni.Inference;
using Asni.Methods;
using Asni.Networks;
using Asni.Pruning;

// Data: synthetic digits. Datasets.Open("mnist", DatasetLocator.ForUser(folder)) reads MNIST.
DatasetSplit data = Datasets.Open("digits", DatasetLocator.ForUser(), new SyntheticOptions { TrainCount = 12_000, TestCount = 2_000 });
Network network = NetworkZoo.Create("lenet300", data.Train.Shape, data.Train.Classes);

// Train: ASNI-I to 95 % sparsity in ten epochs, then ASNI-II from two numbers a layer. The optimizer is Adam with its defaults.
var recipe = new Recipe { Epochs = 10, Method = new AsniII { Sparsity = 0.95, Schedule = new SparsitySchedule { Scale1 = 1 } } };
using Device device = new CpuDevice();
RunResult run = MethodRunner.Run(recipe, network, data, device);
foreach (PhaseResult phase in run.Phases)
    Console.WriteLine($"{phase.Phase}: {phase.Top1:p2} of test images right with {phase.Kept:n0} weights, {phase.Seconds:f1} s");

// Save the network, load it and run it: batch-norm is folded, pruned weights are skipped, and calls after the first allocate nothing.
string file = Path.Combine(Path.GetTempPath(), "digits.safetensors");
run["asni2"]!.Save(file);
using var model = SparseModel.Load(file, device);
var pixels = new byte[data.Test.Shape.Elements];
var image = new float[pixels.Length];
data.Test.Read(0, pixels);
data.Test.Normalization.Apply(pixels, image);
Console.WriteLine($"the first test image is a {data.Test.GetLabel(0)}; the sparse network says {model.Predict(image)}");
