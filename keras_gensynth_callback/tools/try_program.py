"""A program of its own: does with a checkpoint what a TensorFlow 1.x program would, and prints verdicts, as JSON.

    python -I try_program.py PREFIX DATA.npz OUT.npz

Runs in every TensorFlow from 1.13 on, without Keras and without this package. `DATA.npz` holds what signatures are fed
with, under the names of their inputs; what is not in it is made up. `OUT.npz` gets what was fed (`in/<name>`), what was
predicted (`out/<name>`), and the loss and metrics of one batch (`eval/<name>`).
"""

import hashlib
import json
import sys
from typing import Any, Dict, List, Optional, Tuple

BATCH, UNKNOWN = 8, 8
NOT_TRIED = None


def main(prefix: str, data: str, out: str) -> None:
    for name in ("tf_keras", "keras"):
        sys.modules[name] = None  # type: ignore[assignment]  # Python's word for: cannot be imported
    import numpy as np
    import tensorflow as tf

    trial = Trial(np, tf.compat.v1, prefix, dict(np.load(data)))
    verdicts = []
    for name in ("loads", "predicts", "evaluates", "updates", "trains", "trains_with_its_own"):
        try:
            ok, words = getattr(trial, name)()
        except Exception as error:
            ok, words = False, "%s: %s" % (type(error).__name__, str(error).strip().splitlines()[0][:300])
        if ok is False and trial.invented and name != "loads":
            words += " (%s made up; with data of your own it may be otherwise)" % trial.told_invented()
        verdicts.append({"name": TITLES[name], "ok": ok, "words": words})
        if name == "loads" and not ok:
            break
    np.savez(out, **{name: plain(np, value) for name, value in trial.results.items()})
    print(json.dumps({"tensorflow": tf.__version__, "verdicts": verdicts, "digests": trial.digests}))


def plain(np: Any, value: Any) -> Any:
    """An array that a file can hold without pickles: of bytes where it is of texts."""
    value = np.asarray(value)
    return value.astype("S") if value.dtype.kind == "O" else value


def digest(np: Any, value: Any) -> str:
    value = np.asarray(value)
    content = b"".join(value.ravel()) if value.dtype.kind == "O" else np.ascontiguousarray(value).tobytes()
    return hashlib.sha256(content).hexdigest()


TITLES = {
    "loads": "loads",
    "predicts": "predicts",
    "evaluates": "evaluates",
    "updates": "runs the updates",
    "trains": "trains by train_op",
    "trains_with_its_own": "trains by an optimizer of its own",
}


class Trial:
    """A session with the checkpoint in it, and what is tried there."""

    def __init__(self, np: Any, v1: Any, prefix: str, data: Dict[str, Any]) -> None:
        self.np, self.v1, self.prefix, self.data = np, v1, prefix, data
        self.random = np.random.RandomState(0)
        self.results = {}  # type: Dict[str, Any]
        self.invented = []  # type: List[str]
        self.digests = {}  # type: Dict[str, str]

    def loads(self) -> Tuple[Optional[bool], str]:
        """Imports the graph and restores the values."""
        v1 = self.v1
        self.meta = v1.MetaGraphDef()
        with open(self.prefix + ".meta", "rb") as file:
            self.meta.ParseFromString(file.read())
        self.graph = v1.Graph()
        with self.graph.as_default():
            self.saver = v1.train.import_meta_graph(self.meta)
            if self.saver is None:
                self.saver = v1.train.Saver()
        self.session = v1.Session(graph=self.graph)
        with self.graph.as_default():
            self.initialize_locals = v1.local_variables_initializer()
            self.initialize_tables = v1.tables_initializer()
            variables = {variable.op.name: variable for variable in v1.global_variables()}
        self.restore()
        values = self.session.run(variables)
        self.digests = {name: digest(self.np, value) for name, value in values.items()}
        return True, "%d variables" % len(variables)

    def restore(self) -> None:
        """Sets everything back to the checkpoint."""
        self.session.run([self.initialize_locals, self.initialize_tables])
        with self.graph.as_default():  # outside of a graph, a Saver of TensorFlow 2 restores eager variables
            self.saver.restore(self.session, self.prefix)

    def predicts(self) -> Tuple[Optional[bool], str]:
        """Feeds the signature of predictions."""
        signature = self.signature("serving_default")
        if signature is None:
            return NOT_TRIED, "there is no signature `serving_default`"
        outputs = {name: info.name for name, info in signature.outputs.items()}
        found = self.session.run(outputs, self.feeds(signature))
        self.results.update({"out/" + name: value for name, value in found.items()})
        return self.finite(found), ", ".join("%s %s" % (name, shown(found[name])) for name in sorted(found))

    def evaluates(self) -> Tuple[Optional[bool], str]:
        """Resets the metrics, feeds two batches, and reads loss and metrics; of one batch for comparison."""
        signature = self.signature("eval")
        if signature is None:
            return NOT_TRIED, "there is no signature `eval`"
        feeds = self.feeds(signature)
        names = {name[len("metrics/") : -len("/value")]: info.name for name, info in signature.outputs.items()
                 if name.startswith("metrics/") and name.endswith("/value")}  # fmt: skip
        updates = [info.name for name, info in signature.outputs.items() if name.endswith("/update_op")]
        loss = signature.outputs["loss"].name if "loss" in signature.outputs else None
        found = {}
        for batches in (1, 2):
            self.session.run(self.initialize_locals)
            for _ in range(batches):
                self.session.run(updates, feeds)
            found[batches] = self.session.run(names)
        if loss is not None:
            found[1].setdefault("loss", self.session.run(loss, feeds))
        self.results.update({"eval/" + name: value for name, value in found[1].items()})
        words = ", ".join("%s %.4g" % (name, found[1][name].mean()) for name in sorted(found[1]))
        self.restore()
        return self.finite(found[1]) and self.finite(found[2]), words

    def updates(self) -> Tuple[Optional[bool], str]:
        """Runs UPDATE_OPS in the learning phase."""
        ops = self.graph.get_collection("update_ops")
        if not ops:
            return NOT_TRIED, "UPDATE_OPS is empty"
        signature = self.signature("train") or self.signature("eval") or self.signature("serving_default")
        if signature is None:
            return NOT_TRIED, "there is no signature"
        trainable = {variable.op.name for variable in self.trainable()}
        states = {v.op.name: v for v in self.graph.get_collection("model_variables") if hasattr(v, "op")}
        states = {name: variable for name, variable in states.items() if name not in trainable}
        before = self.session.run(states)
        self.session.run(ops, self.feeds(signature, learning=True))
        after = self.session.run(states)
        self.restore()
        moved = sum(not self.np.array_equal(before[name], after[name]) for name in states)
        if not states:
            return self.finite(after), "%d ops run; the model has no weights but those that are trained" % len(ops)
        return self.finite(after), "%d ops move %d of %d weights that are not trained" % (len(ops), moved, len(states))

    def trains(self) -> Tuple[Optional[bool], str]:
        """Runs the step that came with the checkpoint."""
        ops = self.graph.get_collection("train_op")
        signature = self.signature("train")
        if not ops or signature is None:
            return NOT_TRIED, "there is no train_op" if not ops else "there is no signature `train`"
        return self.step(ops, signature)

    def trains_with_its_own(self) -> Tuple[Optional[bool], str]:
        """Minimises the losses by an optimizer of TensorFlow 1.x."""
        signature = self.signature("train")
        if not self.graph.get_collection("losses") or signature is None:
            return NOT_TRIED, "there are no LOSSES, or no signature `train`"
        if not self.trainable():
            return NOT_TRIED, "TRAINABLE_VARIABLES is empty"
        with self.graph.as_default():
            loss = self.v1.losses.get_total_loss()
            optimizer = self.v1.train.GradientDescentOptimizer(0.01)
            pairs = optimizer.compute_gradients(loss)
            without = sorted(variable.op.name for gradient, variable in pairs if gradient is None)
            with self.graph.control_dependencies(self.graph.get_collection("update_ops")):
                step = optimizer.apply_gradients([pair for pair in pairs if pair[0] is not None])
        ok, words = self.step([step], signature)
        return ok, words + (", no gradient for " + ", ".join(without) if without else "")

    def step(self, ops: List[Any], signature: Any) -> Tuple[bool, str]:
        """Runs a training step, and looks at what it moved."""
        variables = {variable.op.name: variable for variable in self.trainable()}
        before = self.session.run(variables)
        self.session.run(ops, self.feeds(signature, learning=True))
        after = self.session.run(variables)
        self.restore()
        moved = sum(not self.np.array_equal(before[name], after[name]) for name in variables)
        return moved > 0 and self.finite(after), "moves %d of %d trained weights" % (moved, len(variables))

    def trainable(self) -> List[Any]:
        """The trainable variables."""
        return self.graph.get_collection("trainable_variables")

    def signature(self, key: str) -> Any:
        """A signature, or None."""
        return self.meta.signature_def[key] if key in self.meta.signature_def else None

    def feeds(self, signature: Any, learning: bool = False) -> Dict[str, Any]:
        """What a signature is fed with: what was given, and else made up, the same for each signature."""
        found = {}
        for name, info in sorted(signature.inputs.items()):
            if name == "keras_learning_phase":
                found[info.name] = learning
            elif name in self.data:
                found[info.name] = self.data[name]
            elif not name.endswith("_sample_weights"):
                self.data[name] = found[info.name] = self.made_up(info)
                self.invented.append(name)
            if name in self.data:
                self.results["in/" + name] = self.data[name]
        return found

    def told_invented(self) -> str:
        """What was made up, in words."""
        names = ", ".join("`%s`" % name for name in self.invented)
        return names + (" was" if len(self.invented) == 1 else " were")

    def made_up(self, info: Any) -> Any:
        """A batch of small numbers, zeros and ones, or short texts; keys of the lookup table that they go to."""
        batch = next((len(value) for value in self.data.values() if self.np.ndim(value)), BATCH)
        sizes = [dim.size for dim in info.tensor_shape.dim]
        shape = [batch if not at and size < 0 else UNKNOWN if size < 0 else size for at, size in enumerate(sizes)]
        dtype = self.np.dtype(self.v1.as_dtype(info.dtype).as_numpy_dtype)
        keys, ids = self.taken(self.graph.get_tensor_by_name(info.name))
        if len(keys):
            return self.random.choice(keys, shape)
        if dtype.kind == "f":
            return self.random.uniform(size=shape).astype(dtype)
        if dtype.kind in "iu":
            return self.random.randint(0, min([2] + ids), shape).astype(dtype)
        return self.np.full(shape, "a") if dtype.kind in "OS" else self.np.zeros(shape, dtype)

    def taken(self, tensor: Any) -> Tuple[Any, List[int]]:
        """The keys of the lookup tables that a tensor may go to, and the lengths of what it may choose rows of."""
        keys, ids, todo, seen = [], [], [tensor.op], set()
        while todo:
            op = todo.pop()
            for reader in [reader for output in op.outputs for reader in output.consumers() if reader not in seen]:
                seen.add(reader)
                todo.append(reader)
                if reader.type.startswith("LookupTableFind"):
                    keys.append(self.keys_of(reader.inputs[0].op))
                elif reader.type in ("ResourceGather", "GatherV2", "Gather") and tensor.dtype.is_integer:
                    ids += self.rows_of(reader.inputs[0])
        wanted = tensor.dtype.as_numpy_dtype
        keys = [found for found in keys if found is not None and found.dtype == self.np.dtype(wanted)]
        return (keys[0] if keys else []), ids

    def rows_of(self, tensor: Any) -> List[int]:
        """How many rows a variable has that rows are chosen of: a list of one number, or of none."""
        while tensor.op.type in ("ReadVariableOp", "Identity"):
            tensor = tensor.op.inputs[0]
        held = [v for v in self.graph.get_collection("variables") if v.op.name == tensor.op.name]
        return [v.shape.as_list()[0] for v in held if v.shape.rank and v.shape.as_list()[0]]

    def keys_of(self, table: Any) -> Any:
        """The keys that a table is initialised with, or None."""
        for op in self.graph.get_operations():
            if op.type.startswith(("InitializeTableV", "LookupTableImport")) and op.inputs[0].op is table:
                return self.session.run(op.inputs[1])
        return None

    def finite(self, values: Dict[str, Any]) -> bool:
        """Whether all numbers are finite."""
        arrays = [self.np.asarray(value) for value in values.values()]
        return all(bool(self.np.isfinite(array).all()) for array in arrays if array.dtype.kind in "fc")


def shown(value: Any) -> str:
    return " x ".join(map(str, getattr(value, "shape", ()))) or "scalar"


if __name__ == "__main__":
    main(*sys.argv[1:])
