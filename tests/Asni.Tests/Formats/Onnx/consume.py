"""Runs ONNX files of a folder in other people's programs and compares with logits that Asni computed.

Usage: consume.py checker|opencv|onnxruntime FOLDER
FOLDER has for each case NAME.onnx, NAME.input (float32, N x C x H x W) and NAME.logits (float32, N x classes).
Prints "NAME difference" a line; exits with 3 and a reason when the consumer is not installed.
"""
import pathlib
import sys

try:
    import numpy as np
    consumer, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    if consumer == "checker":
        import onnx
        import onnx.checker
        import onnx.numpy_helper
        import onnx.shape_inference
    elif consumer == "opencv":
        import cv2
        import onnx
        import onnx.numpy_helper
    else:
        import onnxruntime
except ImportError as e:
    print(e)
    sys.exit(3)


def dense(sparse):
    values = onnx.numpy_helper.to_array(sparse.values)
    full = np.zeros(int(np.prod(sparse.dims)), dtype=np.float32)
    full[onnx.numpy_helper.to_array(sparse.indices)] = values
    return full.reshape(sparse.dims)


def check(name):
    """The checker's own rules and shape inference; sparse initializers must equal the dense ones of the case of the same name without -sparse."""
    model = onnx.load(str(folder / f"{name}.onnx"))
    onnx.checker.check_model(model, full_check=not model.graph.sparse_initializer)
    for sparse in model.graph.sparse_initializer:
        onnx.checker.check_sparse_tensor(sparse)
    if not name.endswith("-sparse"):
        inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True)
        assert [v.name for v in inferred.graph.input] == ["input"], "one input"
        assert [v.name for v in inferred.graph.output] == ["logits"], "one output"
        return 0.0
    other = onnx.load(str(folder / f"{name[:-7]}.onnx"))
    expected = {t.name: onnx.numpy_helper.to_array(t) for t in other.graph.initializer}
    found = {t.name: onnx.numpy_helper.to_array(t) for t in model.graph.initializer}
    found.update({s.values.name: dense(s) for s in model.graph.sparse_initializer})
    assert model.graph.sparse_initializer, "nothing is sparse"
    assert expected.keys() == found.keys(), "other initializers"
    return max(float(np.abs(expected[k] - found[k]).max()) for k in expected)


def with_old_clips(path):
    """OpenCV before 4.7 knows Clip only with its bounds as attributes, as ONNX had them up to operator set 10."""
    model = onnx.load(path)
    values = {t.name: float(onnx.numpy_helper.to_array(t)) for t in model.graph.initializer if not t.dims}
    for node in model.graph.node:
        if node.op_type == "Clip":
            bounds = [values[n] for n in node.input[1:]]
            del node.input[1:]
            node.attribute.extend([onnx.helper.make_attribute("min", bounds[0]), onnx.helper.make_attribute("max", bounds[1])])
    return model.SerializeToString()


def run(name):
    logits = np.fromfile(folder / f"{name}.logits", dtype=np.float32)
    with open(folder / f"{name}.shape", encoding="ascii") as f:
        shape = [int(n) for n in f.read().split()]
    images = np.fromfile(folder / f"{name}.input", dtype=np.float32).reshape(shape)
    path = str(folder / f"{name}.onnx")
    if consumer == "opencv":
        net = cv2.dnn.readNetFromONNX(np.frombuffer(with_old_clips(path), dtype=np.uint8))
        net.setInput(images, "input")
        result = net.forward("logits")
    else:
        result = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"]).run(["logits"], {"input": images})[0]
    assert result.shape[0] == shape[0], "another batch size"
    return float(np.abs(result.reshape(-1) - logits).max())


for file in sorted(folder.glob("*.onnx")):
    if consumer == "opencv" and file.stem.endswith("-sparse"):
        continue
    try:
        print(file.stem, (check if consumer == "checker" else run)(file.stem))
    except Exception as e:
        print(file.stem, "inf", str(e).replace("\n", " "))
