"""Losses, metrics and optimizers of a recipe, made with one Keras."""

from .backends import backend_of, is_keras3

LOGITS = ("binary_logits", "categorical_logits", "sparse_logits", "hinge")
# What they measure lies between 0 and 1.
_OF_SHARES = (
    "auc",
    "auc_pr",
    "precision",
    "recall",
    "thresholds",
    "confusion",
    "iou",
    "recall_at",
    "auc_labels",
    "f1_half",
    "recall_class",
)


def activation_of(head):
    """The activation of an output, by its loss."""
    loss, kind = head.get("loss"), head["kind"]
    if loss == "hinge":
        return "tanh"
    if loss in LOGITS:
        return None
    if kind in ("binary", "labels") or (kind == "map" and loss == "binary_crossentropy"):
        return "sigmoid"
    if kind in ("classes", "sparse") or loss == "sparse_categorical_crossentropy":
        return "softmax"
    return "softplus" if loss in ("msle", "poisson", "mape") else None


def loss(keras, head, lone):
    """A name, a function or an object; of several outputs none may have a loss of many numbers."""
    name, losses, own = head.get("loss", "mse"), keras.losses, backend_of(keras).own
    more = {"reduction": head["reduction"]} if "reduction" in head and (lone or head["reduction"] != "none") else {}
    functions = {"own_function": own["own_loss_function"], "focal": own["focal"]}
    if name in functions and not more:
        return functions[name]
    objects = {
        "binary_logits": lambda: losses.BinaryCrossentropy(from_logits=True, **more),
        "binary_smoothed": lambda: losses.BinaryCrossentropy(label_smoothing=0.5, **more),
        "categorical_logits": lambda: losses.CategoricalCrossentropy(from_logits=True, **more),
        "categorical_smoothed": lambda: losses.CategoricalCrossentropy(label_smoothing=0.1, **more),
        "sparse_logits": lambda: losses.SparseCategoricalCrossentropy(from_logits=True, **more),
        "own_class": lambda: own["OwnLossClass"](**more),
        "huber": lambda: losses.Huber(delta=0.5, **more),
        "sum": lambda: losses.MeanSquaredError(reduction="sum"),
    }
    if name in objects:
        return objects[name]()
    if name in functions:
        name = "mse"
    if not more and not head.get("loss_object"):
        return _LOSS_STRINGS.get(name, name)
    return getattr(losses, _LOSS_CLASSES[name])(**more)


_LOSS_STRINGS = {"kld": "kl_divergence", "cosine": "cosine_similarity"}
_LOSS_CLASSES = {
    "mse": "MeanSquaredError",
    "mae": "MeanAbsoluteError",
    "mape": "MeanAbsolutePercentageError",
    "msle": "MeanSquaredLogarithmicError",
    "log_cosh": "LogCosh",
    "poisson": "Poisson",
    "cosine": "CosineSimilarity",
    "kld": "KLDivergence",
    "hinge": "Hinge",
    "binary_crossentropy": "BinaryCrossentropy",
    "categorical_crossentropy": "CategoricalCrossentropy",
    "sparse_categorical_crossentropy": "SparseCategoricalCrossentropy",
}


def metrics(keras, head, key, units):
    """The metrics of an output, those of them that can measure it."""
    found = []
    for name in head.get(key, []):
        if name in _OF_SHARES and activation_of(head) not in ("sigmoid", "softmax"):
            continue
        found.append(_metric(keras, name, units))
    return found


def _metric(keras, name, units):
    m, own = keras.metrics, backend_of(keras).own
    objects = {
        "auc": lambda: m.AUC(num_thresholds=20, name="auc"),
        "auc_pr": lambda: m.AUC(curve="PR", name="auc_pr"),
        "auc_labels": lambda: m.AUC(num_thresholds=20, multi_label=True, num_labels=units, name="auc_labels"),
        "precision": lambda: m.Precision(name="precision"),
        "recall": lambda: m.Recall(thresholds=0.5, name="recall"),
        "recall_class": lambda: m.Recall(class_id=0, name="recall_class"),
        "recall_at": lambda: m.RecallAtPrecision(0.5, num_thresholds=20, name="recall_at"),
        "binary_accuracy": lambda: m.BinaryAccuracy(threshold=0.5, name="ba"),
        "thresholds": lambda: m.Precision(thresholds=[0.25, 0.5], name="thresholds"),
        "confusion": lambda: m.FalsePositives(thresholds=[0.3, 0.5, 0.7], name="fp"),
        "own_metric": lambda: own["OwnMetric"](),
        "own_function": lambda: own["own_metric_function"],
        "iou": lambda: m.BinaryIoU(target_class_ids=[0, 1], threshold=0.5, name="iou"),
        "mcc": lambda: m.BinaryCrossentropy(name="bce") if units > 1 else m.MeanAbsoluteError(name="mae"),
        "categorical_accuracy": lambda: m.CategoricalAccuracy(name="ca"),
        "sparse_categorical_accuracy": lambda: m.SparseCategoricalAccuracy(name="sca"),
        "top_k": lambda: m.TopKCategoricalAccuracy(k=2, name="top"),
        "sparse_top_k": lambda: m.SparseTopKCategoricalAccuracy(k=2, name="top"),
        "f1": lambda: m.F1Score(average=None, name="f1"),
        "f1_half": lambda: m.F1Score(average="macro", threshold=0.5, name="f1"),
        "mean_iou": lambda: m.OneHotMeanIoU(num_classes=units, name="miou"),
        "mae": lambda: "mae",
        "mse": lambda: m.MeanSquaredError(name="squared"),
        "rmse": lambda: m.RootMeanSquaredError(name="rmse"),
        "r2": lambda: m.R2Score(name="r2"),
        "cosine": lambda: m.CosineSimilarity(name="cosine"),
        "mean_relative": lambda: (
            m.MeanRelativeError(normalizer=[0.5] * units, name="relative")
            if hasattr(m, "MeanRelativeError")
            else m.MeanAbsolutePercentageError(name="relative")
        ),
        "log_cosh": lambda: m.LogCoshError(name="log_cosh"),
        "sum_metric": lambda: m.MeanSquaredLogarithmicError(name="msle"),
    }
    return objects[name]() if name in objects else name


_NAMES = {"sgd": "SGD", "adamw": "AdamW", "rmsprop": "RMSprop"}
_RATES = {"sgd": 0.05, "adadelta": 0.5, "ftrl": 0.05, "adagrad": 0.05, "lion": 0.002}
_OWN_OPTIONS = ("momentum", "nesterov", "amsgrad", "beta_1", "epsilon", "centered", "rho")


def optimizer(keras, options):
    """The optimizer; what a Keras does not have is left out."""
    kind = options.get("kind", "sgd")
    name = _NAMES.get(kind, kind.capitalize())
    if not hasattr(keras.optimizers, name):
        kind, name = "adam", "Adam"
    arguments = {k: options[k] for k in _OWN_OPTIONS if k in options}
    arguments["learning_rate"] = _learning_rate(keras, kind, options)
    if "clip" in options:
        arguments[options["clip"]] = options.get("clip_at", 0.1)
    if "weight_decay" in options:
        arguments["weight_decay"] = options["weight_decay"]
    if "ema" in options:
        arguments.update(use_ema=True, ema_momentum=options["ema"])
    if is_keras3(keras):
        arguments.update({"gradient_accumulation_steps": options["accumulate"]} if "accumulate" in options else {})
        arguments.update({"loss_scale_factor": options["loss_scale"]} if "loss_scale" in options else {})
    made = getattr(keras.optimizers, name)(**arguments)
    if options.get("exclude_bias") and "weight_decay" in options:
        made.exclude_from_weight_decay(var_names=["bias"])
    return made


def _learning_rate(keras, kind, options):
    rate, schedules = options.get("learning_rate", _RATES.get(kind, 0.01)), keras.optimizers.schedules
    rate = min(rate, 10 * _RATES.get(kind, 0.01))
    made = {
        None: lambda: rate,
        "exponential": lambda: schedules.ExponentialDecay(rate, 2, 0.5),
        "staircase": lambda: schedules.ExponentialDecay(rate, 2, 0.5, staircase=True),
        "cosine": lambda: schedules.CosineDecay(rate, 10, alpha=0.5),
        "restarts": lambda: schedules.CosineDecayRestarts(rate, 3),
        "piecewise": lambda: schedules.PiecewiseConstantDecay([2, 4], [rate, 0.5 * rate, 0.1 * rate]),
        "polynomial": lambda: schedules.PolynomialDecay(rate, 10, 0.1 * rate, power=0.5),
        "inverse": lambda: schedules.InverseTimeDecay(rate, 2, 0.5),
        "own": lambda: backend_of(keras).own["OwnSchedule"](),
    }
    return made[options.get("schedule")]()
