"""The build's check of what ptxas says (native/assemble.cmake), with a stand-in for ptxas: python3 -m unittest discover -s eng/tests"""
import os
import shutil
import subprocess
import tempfile
import unittest

NATIVE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "native")
SAID = """ptxas info    : 0 bytes gmem
ptxas info    : Compiling entry function 'good' for 'sm_80'
ptxas info    : Function properties for good
    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Used 40 registers, 1024 bytes smem, 480 bytes cmem[0]
ptxas info    : Compiling entry function 'spilling' for 'sm_80'
ptxas info    : Function properties for spilling
    80 bytes stack frame, 96 bytes spill stores, 88 bytes spill loads
ptxas info    : Used 255 registers, 80 bytes cumulative stack size, 480 bytes cmem[0]
"""


@unittest.skipUnless(shutil.which("cmake"), "needs cmake")
class Assemble(unittest.TestCase):
    def assemble(self, allowed, said=SAID, entries=("good", "spilling"), spills="FATAL_ERROR"):
        """The exit code, what was said, and the figures written."""
        with tempfile.TemporaryDirectory() as folder:
            ptxas, ptx, allow, registers = (os.path.join(folder, name) for name in ("ptxas", "file.ptx", "allow.txt", "file.registers"))
            for path, text in ((ptxas, f"#!/bin/sh\ncat >&2 <<'END'\n{said}END\n"), (ptx, "".join(f".visible .entry {e}(\n" for e in entries)),
                               (allow, allowed)):
                with open(path, "w") as file:
                    file.write(text)
            os.chmod(ptxas, 0o755)
            ran = subprocess.run(["cmake", "-DPTXAS=" + ptxas, "-DPTX=" + ptx, "-DARCHITECTURE=sm_80", "-DALLOW_LOCAL=" + allow, "-DREGISTERS=" + registers,
                                  "-DSPILLS=" + spills, "-P", os.path.join(NATIVE, "assemble.cmake")], capture_output=True, text=True)
            figures = ""
            if os.path.exists(registers):
                with open(registers) as file:
                    figures = file.read()
            return ran.returncode, " ".join(ran.stderr.split()), figures

    def test_a_kernel_that_spills_fails_the_build(self):
        code, said, figures = self.assemble("good\n")
        self.assertNotEqual(code, 0)
        self.assertIn("spilling on sm_80: stack frame, spill stores, spill loads of 80, 96, 88 bytes, 0 allowed", said)
        self.assertEqual(figures, "")

    def test_other_tools_only_warn_of_spills(self):
        code, said, figures = self.assemble("", spills="WARNING")
        self.assertEqual(code, 0)
        self.assertIn("spilling on sm_80", said)
        self.assertIn("spilling", figures)

    def test_the_list_allows_so_many_bytes_on_one_architecture(self):
        code, _, figures = self.assemble("spilling sm_80 80\n")
        self.assertEqual(code, 0)
        self.assertEqual(figures.splitlines()[1:], ["good 40 1024 0 0 0", "spilling 255 0 80 96 88"])
        self.assertNotEqual(self.assemble("spilling sm_80 72\n")[0], 0)
        self.assertNotEqual(self.assemble("spilling sm_90a 80\n")[0], 0)

    def test_a_kernel_that_ptxas_does_not_speak_of_fails_the_build(self):
        code, said, _ = self.assemble("spilling\n", entries=("good", "spilling", "lost"))
        self.assertNotEqual(code, 0)
        self.assertIn("ptxas speaks of 2 kernels, the file has 3", said)


if __name__ == "__main__":
    unittest.main()
