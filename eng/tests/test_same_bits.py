"""What eng/same_bits.py counts as a difference: python3 -m unittest discover -s eng/tests"""
import json
import os
import struct
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import same_bits


class SameBits(unittest.TestCase):
    def content(self, value=1.0, phase="asni1", loss=0.5, seconds=1.0, files=("a", "b")):
        with tempfile.TemporaryDirectory() as folder:
            data = struct.pack("<f", value)
            header = json.dumps({"__metadata__": {"phase": phase}, "w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
            for name in files:
                with open(os.path.join(folder, name + ".safetensors"), "wb") as f:
                    f.write(struct.pack("<Q", len(header)) + header + data)
            with open(os.path.join(folder, "metrics.jsonl"), "w", encoding="utf-8") as f:
                f.write(json.dumps({"loss": loss, "seconds": seconds}) + "\n")
            return same_bits.content(folder, reader="")

    def test_times_and_descriptions_do_not_count(self):
        self.assertEqual(same_bits.differences(self.content(), self.content(phase="dense", seconds=2.0)), [])

    def test_values_numbers_and_files_count(self):
        one = self.content()
        self.assertEqual(same_bits.differences(one, self.content(value=1.0000001)), ["a.safetensors: w", "b.safetensors: w"])
        self.assertEqual(same_bits.differences(one, self.content(value=-0.0)), ["a.safetensors: w", "b.safetensors: w"])
        self.assertEqual(same_bits.differences(one, self.content(loss=0.25)), ["metrics.jsonl"])
        self.assertEqual(same_bits.differences(one, self.content(files=("a",))), ["b.safetensors (only one has it)"])


if __name__ == "__main__":
    unittest.main()
