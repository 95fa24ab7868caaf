"""What an export was: told to `on_export`, returned by `export_checkpoint`."""


class ExportRecord:
    """One committed export.

    Attributes:
        prefix: str, the checkpoint prefix, as `tf.compat.v1.train.Saver.restore` takes it.
        epoch, batch: int counted from 1, or None outside of `fit`.
        logs: dict, the logs of the moment.
        files: list of str, the paths of the files.
        size: int, their bytes.
        seconds: float, how long training waited.
        target: str, the oldest TensorFlow that reads it.
    """

    def __init__(self, prefix, epoch, batch, logs, files, size, seconds, target):
        self.prefix, self.epoch, self.batch, self.logs = prefix, epoch, batch, dict(logs or {})
        self.files, self.size, self.seconds, self.target = list(files), size, seconds, target

    def __repr__(self):
        when = f", epoch {self.epoch}" if self.epoch is not None else ""
        cost = f"{self.size / 1e6:.2f} MB in {self.seconds:.2f} s"
        return f"<ExportRecord {self.prefix}{when}: {cost}, for TensorFlow {self.target}>"
