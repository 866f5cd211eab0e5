"""Debug builds are optimized too: kernels that the compiler has not optimized run a hundred times slower.
python3 -m unittest discover -s eng/tests"""
import glob
import os
import shutil
import subprocess
import unittest

ROOT = os.path.realpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))


@unittest.skipUnless(shutil.which("dotnet"), "needs the .NET SDK")
class Configurations(unittest.TestCase):
    def test_every_project_is_optimized_in_debug(self):
        projects = sorted(glob.glob(os.path.join(ROOT, "src", "*", "*.csproj")) + glob.glob(os.path.join(ROOT, "bench", "*", "*.csproj")))
        self.assertGreater(len(projects), 5)
        for project in projects:
            with self.subTest(os.path.basename(project)):
                command = ["dotnet", "msbuild", project, "-getProperty:Optimize", "-p:Configuration=Debug"]
                self.assertEqual(subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip(), "true")


if __name__ == "__main__":
    unittest.main()
