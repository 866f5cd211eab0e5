"""The package of Asni.Cpu warns of a NativeAOT build without AVX2: python3 -m unittest discover -s eng/tests"""
import os
import shutil
import subprocess
import tempfile
import unittest

ROOT = os.path.realpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
TARGETS = os.path.join(ROOT, "src", "Asni.Cpu", "buildTransitive", "Asni.Cpu.targets")


@unittest.skipUnless(shutil.which("dotnet"), "needs dotnet")
class NativeAot(unittest.TestCase):
    def warns(self, *properties):
        """Whether a NativeAOT compilation with these properties warns."""
        with tempfile.TemporaryDirectory() as folder:
            project = os.path.join(folder, "app.proj")
            with open(project, "w", encoding="utf-8") as f:
                f.write(f'<Project><Import Project="{TARGETS}" /><Target Name="IlcCompile" /></Project>')
            run = subprocess.run(["dotnet", "msbuild", project, "-t:IlcCompile", "-nologo", *(f"-p:{p}" for p in properties)], capture_output=True, text=True)
            self.assertEqual(run.returncode, 0, run.stdout)
            return "warning ASNI001" in run.stdout

    def test_it_warns_where_the_default_has_no_avx2(self):
        self.assertTrue(self.warns("RuntimeIdentifier=linux-x64"))
        self.assertTrue(self.warns("RuntimeIdentifier=win-x64"))

    def test_it_is_silent_where_the_user_chose_or_nothing_is_lost(self):
        self.assertFalse(self.warns("RuntimeIdentifier=linux-x64", "IlcInstructionSet=x86-64-v2"))
        self.assertFalse(self.warns("RuntimeIdentifier=linux-arm64"))


if __name__ == "__main__":
    unittest.main()
