"""The exports that one `filepath` names, across trainings and programs: whose they are, and what is known of them."""

from keras_gensynth_callback.checkpoint import claim, reported, storage


class Series:
    """Takes a series of exports up when training begins or its folder is made, and lets it go when training ends.

    Where the folder itself has template fields, each export has one of its own, and nothing is taken up.

    Args:
        template: PrefixTemplate.
        manager: CheckpointManager that gets the exports that an earlier program left.
        monitor: Monitor that gets the value of the best of them.
    """

    def __init__(self, template, manager, monitor):
        self._template, self._manager, self._monitor = template, manager, monitor
        self._claim = None
        self._restored = []  # folders

    def take_up(self, model, make_folder=False):
        """Claims the series for this process.

        Args:
            model: the Keras model, for the direction of its metrics.
            make_folder: whether to make the folder if it is missing; otherwise there is nothing to claim yet.

        Raises:
            FolderInUseError: a training in another process writes exports of this series.
            CheckpointWriteError: the folder cannot be made, or not be read.
        """
        folder = self._template.folder
        if folder is None or self._claim is not None:
            return
        with reported(folder, "made, or not be read", "The folder"):
            if make_folder:
                storage.make_folders(folder)
            if storage.is_folder(folder):
                self._claim = claim(folder, self._template.series)
                self._restore(folder, model)

    def let_go(self):
        """Training has ended: others may write exports of this series."""
        self._claim = None

    def _restore(self, folder, model):
        if folder in self._restored:
            return
        self._restored.append(folder)
        best = self._manager.restore(folder)
        value = self._monitor.value(best.get("logs") or {}) if best is not None else None
        if self._monitor.improves(value, model):
            self._monitor.best = value
