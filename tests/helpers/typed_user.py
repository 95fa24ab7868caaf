"""A user's program, as a type checker sees it (`test_typing.py`); it is not run."""

from pathlib import Path
from typing import Any, List, Mapping

from keras_gensynth_callback import (
    GenSynthExportCallback,
    GenSynthExportError,
    GenSynthMixin,
    GenSynthModel,
    build_graph,
    compare_checkpoints,
    convert_model_file,
    downgrade_checkpoint,
    export_checkpoint,
    freeze_checkpoint,
    init_variable_collections_from_keras,
    inspect_checkpoint,
    load_checkpoint,
    verify_checkpoint,
    write_report,
)
from keras_gensynth_callback.errors import CheckpointMismatchError


class Net(GenSynthModel):
    def call(self, inputs: Any) -> Any:
        return inputs


def train(net: Net, x: Any, y: Any, exports: Path) -> List[str]:
    export = GenSynthExportCallback(
        exports / "net-{epoch}",
        monitor="val_loss",
        save_best_only=True,
        save_freq=100,
        max_to_keep=None,
        on_export=lambda record: print(record.prefix, record.size),
    )
    net.compile("adam", "mse", export="exports/net")
    net.fit(x, y, callbacks=[export])
    export.wait_until_finished()
    newest = export.latest_checkpoint
    if newest is not None and export.best is not None:
        print(newest.upper(), export.best + 1.0)
    return export.checkpoints


def use(net: Net, prefix: str, x: Any) -> Mapping[str, object]:
    mixed: GenSynthMixin = net
    sizes: List[int] = [export_checkpoint(net, prefix, graph="inference").size, mixed.export_checkpoint(prefix).size]
    print(sizes, build_graph(net, target="1.14").get_operations())
    print(convert_model_file("net.h5", prefix, {"Net": Net}).seconds_to_disk)
    try:
        names = load_checkpoint(net, Path(prefix))
    except CheckpointMismatchError as error:
        raise GenSynthExportError(str(error)) from error
    added = init_variable_collections_from_keras(None, net)
    print(", ".join(names), added["update_ops"], verify_checkpoint(prefix, inputs={"image": x})["variables"])
    print(write_report(prefix, Path("net.html"))["size"] + 1)
    if not compare_checkpoints(prefix, "exports/other")["equal"]:
        print(", ".join(freeze_checkpoint(prefix, "net.pb")["outputs"]), downgrade_checkpoint(prefix)["files"][0])
    print(inspect_checkpoint(prefix)["parameters"]["total"] + 1)
    return inspect_checkpoint(prefix)
