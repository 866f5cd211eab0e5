using Asni.Networks;

namespace Asni.Training;

/// <summary>A checkpoint is whole but holds another network than the one that is to go on from it.</summary>
internal sealed class CheckpointNetworkException(string path, Network stored, Network asked)
    : AsniException($"{path} holds another network than the run is to train: its graph of {stored.Name} is not that of {asked.Name}; put the network back that the run began with, or start a new run.");
