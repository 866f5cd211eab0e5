using Asni.Cuda.Driver;
using Asni.Cuda.Libraries;
using Asni.Devices;
using Asni.Distributed;

namespace Asni.Cuda;

internal sealed partial class CudaParameters
{
    /// <summary>
    /// Sums over ranks by NCCL, which in ordered ones only moves bytes: each rank adds up its part of the numbers in one binary tree over the ranks and gives it to all, as
    /// <see cref="OrderedSum"/> does, whose bits these are.
    /// </summary>
    /// <param name="row">Device address of memory for the numbers, and for what makes their parts equal.</param>
    /// <param name="received">Of as much.</param>
    internal sealed class CudaSum(CudaParameters parameters, CudaStream stream, Nccl nccl, SumOrder order, ulong row, ulong received) : DeviceSum
    {
        /// <summary>Numbers of a part of so many.</summary>
        public static int PartOf(long length, int ranks) => checked((int)((length + ranks - 1) / ranks));

        public override void Prepare(ReadOnlySpan<int> indices, bool dense) => parameters.Layout(indices, dense);

        public override void Run(ReadOnlySpan<int> indices, ParameterSlot slot, bool dense, int having)
        {
            int length = parameters.Layout(indices, dense).Length;
            if (length == 0) return;
            if (nccl.Rank < having) parameters.Pack(indices, slot, dense, row);
            if (order == SumOrder.Ordered) AddInOrder(length, having);
            else
            {
                if (nccl.Rank >= having) stream.Fill32(row, 0, length);
                nccl.AllReduce(row, length);
            }
            parameters.Unpack(indices, slot, dense, row);
        }

        private void AddInOrder(int length, int having)
        {
            int part = PartOf(length, nccl.Size);
            if (part * (long)nccl.Size - length is > 0 and var rest) stream.Fill32(row + (ulong)length * sizeof(float), 0, rest);
            nccl.AllToAll(row, received, part);
            parameters.AddRows(received, part, having);
            nccl.AllGather(received, row, part);
        }
    }
}
