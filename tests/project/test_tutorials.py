"""The notebooks of the tutorials run from top to bottom, and are stored with what they put out."""

import subprocess
import sys

import other_backends
import pytest
import run_notebooks
from needs import outside_matrix
from reader import reader_of

pytestmark = outside_matrix(reason="runs the notebooks of the repository")

NAMES = run_notebooks.names()


def test_the_list_of_tutorials_names_each():
    text = (run_notebooks.TUTORIALS / "README.md").read_text(encoding="utf-8")
    assert [f"({name}.ipynb)" in text for name in NAMES] == [True] * 7


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_is_stored_with_outputs_and_plots_and_without_errors_and_paths(name):
    notebook = run_notebooks.read(name)
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    assert {output.output_type for output in outputs} == {"stream", "display_data"}
    assert any("image/png" in output.get("data", {}) for output in outputs)
    assert all(output.name == "stdout" for output in outputs if output.output_type == "stream")
    path = run_notebooks.TUTORIALS / f"{name}.ipynb"
    assert path.stat().st_size < 300_000
    assert not any(folder in path.read_text(encoding="utf-8") for folder in ("/tmp", "/home", "/root"))


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_runs_from_top_to_bottom(name):
    reader_of("1.15")  # without which its cells would run in the installed TensorFlow
    if name.endswith("_jax"):
        python = other_backends.python_with("jax")
        if python != sys.executable:
            subprocess.check_call([python, run_notebooks.__file__, name])
            return
    notebook = run_notebooks.execute(name)
    said = "".join(output.text for cell in notebook.cells for output in cell.get("outputs", ()) if "text" in output)
    assert "v1 mode of the installed TensorFlow" not in said
