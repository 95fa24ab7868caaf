"""`write_report`: what is in a checkpoint as one HTML page.

layer_graph     which layer gives its data to which, and which are shown together
flops           what a prediction costs, node by node
learning_phase  what `keras_learning_phase` switches
run_of_exports  the exports of one run
gathering       all of it as plain values
wording         numbers, shapes and names in words
writing         the page
page/           its template, style and program; dagre, which lays graphs out (MIT), as its authors build it
"""

from .writing import write_report

__all__ = [
    "write_report",
]
