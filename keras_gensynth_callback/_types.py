"""Types of public arguments and of TensorFlow's protos, for type checkers alone: modules import them under
`TYPE_CHECKING`.
"""

import os
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Optional, Union

if TYPE_CHECKING:
    from typing import Literal

    from keras_gensynth_callback.record import ExportRecord

    Path = Union[str, "os.PathLike[str]"]
    Target = Literal["1.13", "1.14", "1.15", "current"]
    Graph = Literal["trainable", "inference"]
    ComputeDtype = Optional[Literal["float32"]]
    DataFormat = Literal["channels_last", "keep"]
    Mode = Literal["auto", "min", "max"]
    SaveFreq = Union[Literal["epoch", "train_end"], int]
    OnError = Literal["raise", "warn"]
    OnExport = Optional[Callable[[ExportRecord], object]]
    # None of the frameworks has types.
    Model = Any
    Tensor = Any
    Nest = Any
    Arrays = Optional[Dict[str, Any]]
    DType = Any
    Shape = List[Optional[int]]
    # Nor have its protos.
    ArgDef = Any
    AttrDef = Any
    AttrValue = Any
    ContextDef = Any
    GraphDef = Any
    MetaGraphDef = Any
    NodeDef = Any
    OpDef = Any
    OpList = Any
    SignatureDef = Any
    TensorInfo = Any
    TensorProto = Any
    TensorShapeProto = Any
    VersionDef = Any
