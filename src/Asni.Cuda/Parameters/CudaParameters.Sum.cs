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
    internal sealed class CudaSum(CudaParameters parameters, CudaStream stream, Nccl nccl, SumOrder order) : DeviceSum
    {
        private CudaBuffer? _row, _received;

        public override void Prepare(ReadOnlySpan<int> indices, bool dense)
        {
            long bytes = PartOf(parameters.Layout(indices, dense).Length) * (long)nccl.Size * sizeof(float);
            if (bytes == 0) return;
            parameters.Grown(ref _row, bytes);
            if (order == SumOrder.Ordered) parameters.Grown(ref _received, bytes);
        }

        public override void Run(ReadOnlySpan<int> indices, ParameterSlot slot, bool dense, int having)
        {
            int length = parameters.Layout(indices, dense).Length;
            if (length == 0) return;
            ulong row = _row!.Pointer;
            parameters.Pack(indices, slot, dense, row);
            if (order == SumOrder.Ordered) AddInOrder(row, length, having);
            else
            {
                if (nccl.Rank >= having) stream.Fill32(row, 0, length);
                nccl.AllReduce(row, length);
            }
            parameters.Unpack(indices, slot, dense, row);
        }

        public override void Dispose()
        {
            _row?.Dispose();
            _received?.Dispose();
            base.Dispose();
        }

        private void AddInOrder(ulong row, int length, int having)
        {
            int part = PartOf(length);
            // Of what makes the parts equal.
            if (part * (long)nccl.Size - length is > 0 and var rest) stream.Fill32(row + (ulong)length * sizeof(float), 0, rest);
            ulong received = _received!.Pointer;
            nccl.AllToAll(row, received, part);
            parameters.AddRows(received, part, having);
            nccl.AllGather(received, row, part);
        }

        private int PartOf(int length) => (int)((length + (long)nccl.Size - 1) / nccl.Size);
    }
}
