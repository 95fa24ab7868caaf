"""The tutorials run, and end as they say."""

import re
import subprocess
import sys
from pathlib import Path

TUTORIALS = Path(__file__).parent.parent / "tutorials"


def test_the_first_export_is_read_and_trained_on(tmp_path):
    done = subprocess.run(
        [sys.executable, TUTORIALS / "first_export.py"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        timeout=300,
    )

    assert done.returncode == 0, done.stderr
    assert re.search(r"files: +checkpoint, net\.data-\d+-of-\d+, net\.index, net\.json, net\.meta\n", done.stdout)
    right = int(re.search(r"right: +(\d+)% of the wines", done.stdout).group(1))
    assert right >= 90
    # Two moving statistics and the metrics' updates.
    assert int(re.search(r"update_ops: (\d+)", done.stdout).group(1)) >= 3
    before, after = map(float, re.search(r"loss: +(\S+), after 20 steps there (\S+)", done.stdout).groups())
    assert after < before
