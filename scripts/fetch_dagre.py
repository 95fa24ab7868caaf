"""Fetches dagre, which lays out the graph in reports, with its licence, into the package. Needs npm.

    python scripts/fetch_dagre.py

For another version, change the two constants; npm says the digest: npm view @dagrejs/dagre@VERSION dist.integrity
"""

import base64
import hashlib
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

VERSION = "3.1.3"
SHA512 = "X4aUTwOReZvthaZWOVHqlJ52/ZdhZFEM4+Lh/uR4XooUSLE6p71bcy7MPGzYnNUcNh+nj+i/qJQpCMIdQnSmrg=="
PAGE = Path(__file__).parent.parent / "keras_gensynth_callback" / "report" / "page"


def main():
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["npm", "pack", f"@dagrejs/dagre@{VERSION}"], cwd=folder, check=True, capture_output=True)
        (archive,) = Path(folder).glob("*.tgz")
        digest = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
        if digest != SHA512:
            sys.exit(f"npm sent another file than was reviewed: its SHA-512 is {digest}, and {SHA512} was expected.")
        with tarfile.open(archive) as files:
            read = lambda name: files.extractfile(f"package/{name}").read().decode("utf-8")  # noqa: E731
            program, licence = read("dist/dagre.min.js"), read("LICENSE")
    # Without the line that names a source map, which is not in the page.
    lines = [line for line in program.splitlines() if not line.startswith("//# sourceMappingURL=")]
    (PAGE / "dagre.min.js").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (PAGE / "dagre.LICENSE").write_text(licence, encoding="utf-8")


if __name__ == "__main__":
    main()
