"""The benchmarks, which no run of the tests starts: they can be started."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.sources

BENCH = Path(__file__).parent / "bench"
SCRIPTS = sorted(path for path in BENCH.iterdir() if path.is_file() and not path.suffix)
IMPORT = "import runpy, sys; runpy.run_path(sys.argv.pop(), run_name='imported')"


@pytest.mark.sqlite
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_a_benchmark_finds_what_it_imports(script):
    result = subprocess.run(
        [sys.executable, "-c", IMPORT, script], cwd=BENCH.parent.parent, capture_output=True
    )
    assert result.returncode == 0, result.stderr.decode()
