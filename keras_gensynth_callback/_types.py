"""Types of public arguments and of TensorFlow's protos, for type checkers alone: modules import them under
`TYPE_CHECKING`.
"""

import os
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Optional, Union

if TYPE_CHECKING:
    from typing import Literal, TypedDict

    from keras_gensynth_callback.record import ExportRecord

    Path = Union[str, "os.PathLike[str]"]
    Target = Literal["1.4", "1.8", "1.10", "1.12", "1.13", "1.14", "1.15", "current"]
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

    # What a manifest says of a file.
    class FileRecord(TypedDict):
        size: int
        sha256: str

    # What public functions return: dicts, whose docstrings say what is in them.
    class TensorSays(TypedDict):
        tensor: str
        dtype: str
        shape: Optional[List[Optional[int]]]

    class Layer(TypedDict):
        name: str
        ops: List[str]
        parameters: int
        trainable: int
        variables: Dict[str, Any]

    class Parameters(TypedDict):
        total: int
        trainable: int

    class Inspection(TypedDict):
        prefix: str
        target: str
        written_by: Dict[str, str]
        exported: Optional[Dict[str, Any]]
        inputs: Dict[str, TensorSays]
        outputs: Dict[str, TensorSays]
        layers: List[Layer]
        parameters: Parameters
        signatures: Dict[str, Any]
        collections: Dict[str, List[str]]
        variables: int
        nodes: int
        functions: List[str]
        files: Dict[str, int]
        size: int
        warnings: List[str]

    class Verified(TypedDict):
        tensorflow: str
        variables: int
        signatures: List[str]
        outputs: Dict[str, Any]
        differences: Dict[str, float]

    class ComparedNames(TypedDict):
        only_in_first: List[str]
        only_in_second: List[str]

    class ComparedContents(ComparedNames):
        changed: List[str]

    class ComparedValues(ComparedNames):
        other_shape: Dict[str, List[List[int]]]
        changed: Dict[str, Optional[float]]
        equal: int

    class Compared(TypedDict):
        equal: bool
        values: ComparedValues
        nodes: ComparedContents
        functions: ComparedContents
        collections: Dict[str, ComparedNames]
        signatures: List[str]

    class Frozen(TypedDict):
        path: str
        size: int
        inputs: Dict[str, str]
        outputs: Dict[str, str]
        nodes: int
        run_first: List[str]

    class Rewritten(TypedDict):
        rule: str
        op: str
        nodes: List[str]

    class Downgraded(TypedDict):
        prefix: str
        rewritten: List[Rewritten]
        added: Dict[str, List[str]]
        files: List[str]

    class Verdict(TypedDict):
        name: str
        ok: Optional[bool]
        words: str

    class Tried(TypedDict):
        prefix: str
        tensorflow: str
        python: str
        ok: bool
        verdicts: List[Verdict]

    class Reported(TypedDict):
        path: str
        size: int
        warnings: List[str]
        verification: Optional[Tried]

    # TensorFlow's protos have no types.
    ArgDef = Any
    AttrDef = Any
    AttrValue = Any
    BundleEntryProto = Any
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
    TensorSliceProto = Any
    VariableDef = Any
    VersionDef = Any
