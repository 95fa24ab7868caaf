"""Outputs with their losses and metrics, and optimizers, by a seed."""

_LOSSES = {
    "binary": ("binary_crossentropy",) * 4
    + ("binary_logits", "binary_smoothed", "focal", "hinge", "own_function", "mse"),
    "classes": ("categorical_crossentropy",) * 4 + ("categorical_logits", "categorical_smoothed", "kld", "own_class"),
    "sparse": ("sparse_categorical_crossentropy",) * 3 + ("sparse_logits",),
    "labels": ("binary_crossentropy", "binary_crossentropy", "binary_logits", "focal"),
    "numbers": (
        "mse",
        "mse",
        "mse",
        "mae",
        "huber",
        "log_cosh",
        "mape",
        "msle",
        "poisson",
        "cosine",
        "own_function",
        "own_class",
        "sum",
    ),
    "raw": ("mse", "mse", "mae", "own_function"),
    "steps": ("sparse_categorical_crossentropy", "mse", "sparse_logits"),
    "map": ("binary_crossentropy", "mse", "sparse_categorical_crossentropy"),
}
_METRICS = {
    "binary": ("accuracy",) * 3
    + (
        "auc",
        "auc_pr",
        "precision",
        "recall",
        "binary_accuracy",
        "thresholds",
        "confusion",
        "own_metric",
        "iou",
        "mcc",
    ),
    "classes": ("accuracy",) * 3
    + ("categorical_accuracy", "top_k", "f1", "auc", "precision", "recall_class", "own_function", "mean_iou"),
    "sparse": ("accuracy",) * 3 + ("sparse_categorical_accuracy", "sparse_top_k", "own_metric"),
    "labels": ("binary_accuracy", "f1_half", "auc_labels", "precision", "recall_at", "thresholds"),
    "numbers": (
        "mae",
        "mae",
        "mse",
        "rmse",
        "r2",
        "cosine",
        "own_metric",
        "own_function",
        "mean_relative",
        "log_cosh",
        "sum_metric",
    ),
    "raw": ("mae", "mse", "rmse"),
    "steps": ("accuracy", "own_metric"),
    "map": ("accuracy", "mae"),
}
_RAW = ("batch_norm", "dropout", "activation", "layer_norm", "gaussian_noise", "own_phase", "spatial")
_OPTIMIZERS = (
    ("adam",) * 5
    + ("sgd",) * 4
    + ("rmsprop",) * 2
    + ("adamw", "adagrad", "adadelta", "nadam", "adamax", "ftrl", "lion", "adafactor")
)


def head(draw, kind):
    """One output of a model whose trunk gives what a branch of `kind` gives."""
    choices = ("binary",) * 4 + ("classes",) * 3 + ("sparse",) * 3 + ("numbers",) * 4 + ("labels", "raw", "raw")
    choices += ("map",) * 3 if kind == "image" else ("steps",) * 3 if kind in ("sequence", "tokens") else ()
    which = draw.one(*choices)
    found = {"kind": which, "loss": draw.one(*_LOSSES[which])}
    metrics = list(dict.fromkeys(draw.one(*_METRICS[which]) for _ in range(draw.one(0, 1, 1, 2, 3))))
    if metrics:
        found["metrics"] = metrics
    if metrics and draw.chance(0.12):
        found["weighted_metrics"] = [metrics.pop()]
    if which == "raw":
        found["layer"] = draw.one(*_RAW)
        found.update(draw.options(rate=(0.5, 0.5, 0.3)))
    found.update(
        draw.options(
            separate_activation=(0.2, True),
            units=(0.3, 1, 2, 5),
            pooling=(0.5, "flatten", "flatten", "max", "last"),
            loss_object=(0.3, True),
            hidden=(0.25, 4, 8),
            reduction=(0.08, "sum", "none"),
            regularizer=(0.08, "l2"),
        )
    )
    return found


def optimizer(draw):
    kind = draw.one(*_OPTIMIZERS)
    found = {"kind": kind}
    found.update(
        draw.options(
            learning_rate=(0.15, 0.5, 0.001),
            schedule=(
                0.2,
                "exponential",
                "cosine",
                "piecewise",
                "polynomial",
                "inverse",
                "restarts",
                "staircase",
                "own",
            ),
            clip=(0.25, "clipnorm", "clipvalue", "global_clipnorm"),
            clip_at=(0.3, 0.5),
            weight_decay=(0.1, 0.004, 0.5),
            ema=(0.1, 0.99, 0.5),
            accumulate=(0.07, 2),
            loss_scale=(0.03, 8.0),
            exclude_bias=(0.2, True),
        )
    )
    if kind == "sgd":
        found.update(draw.options(momentum=(0.5, 0.9, 0.5), nesterov=(0.3, True)))
    if kind in ("adam", "adamw"):
        found.update(draw.options(amsgrad=(0.2, True), beta_1=(0.2, 0.5), epsilon=(0.2, 1e-5)))
    if kind == "rmsprop":
        found.update(draw.options(momentum=(0.3, 0.9, 0.5), centered=(0.3, True), rho=(0.2, 0.5)))
    return found
