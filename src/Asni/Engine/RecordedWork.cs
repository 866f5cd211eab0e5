using Asni.Devices;

namespace Asni.Engine;

/// <summary>Work of a plan that a device may record: it runs directly the first time, so that everything it needs exists, and is recorded the second.</summary>
internal sealed class RecordedWork(Device device, Action work) : IDisposable
{
    private DeviceRecording? _recording;
    private bool _ran, _refused;

    public void Run()
    {
        if (_recording is null && _ran && !_refused)
        {
            _recording = device.Record(work);
            _refused = _recording is null;
        }
        if (_recording is not null) _recording.Replay();
        else work();
        _ran = true;
    }

    public void RunDirectly() => work();

    /// <summary>What was recorded no longer holds: it is recorded again when it runs next.</summary>
    public void Forget()
    {
        _recording?.Dispose();
        _recording = null;
    }

    public void Dispose() => Forget();
}
