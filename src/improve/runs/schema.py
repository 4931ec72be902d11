"""What the JSON files of a run folder must hold to be worked with: a damaged one is told before anything leans on it.

A key that is missing is missing, and keys that are not named here may hold anything.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

MOST = 10**15
#: what is measured of every image, and compared between parts
LOOKS = ("brightness", "contrast", "sharpness", "colour")
#: activations with two ends, and where these lie
SQUASHING = {"sigmoid": (0.0, 1.0), "hard_sigmoid": (0.0, 1.0), "tanh": (-1.0, 1.0), "softsign": (-1.0, 1.0)}


def given(value: Any) -> Any:
    if value is None:
        raise ValueError("is null")
    return value


Share = Annotated[float, Field(ge=0, le=1)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Number = float | None  # null where it was NaN or infinite
Size = Annotated[int, Field(ge=0, le=MOST)]
Some = Annotated[int, Field(ge=1, le=MOST)]


class Recorded(BaseModel):
    model_config = ConfigDict(strict=True, extra="allow", defer_build=True)


Kind = TypeVar("Kind", bound=Recorded)


class Measured(Recorded):
    """A clean error rate."""

    error: Share
    low: Share
    high: Share
    n: Some
    cost: Share | None = None
    cost_low: Share | None = None
    cost_high: Share | None = None
    cross_entropy: Any = None
    majority_error: Annotated[Share | None, AfterValidator(given)] = None

    def as_json(self) -> dict[str, Any]:
        """The record as plain data, as it stands in the file."""
        return self.model_dump(exclude_unset=True)

    @property
    def cost_interval(self) -> tuple[float, float]:
        """The 95 % interval of `cost`."""
        return self.cost_low or 0.0, self.cost_high or 0.0


Part = Annotated[Measured | None, AfterValidator(given)]


Status = Literal["running", "finished", "stopped", "diverged", "failed"]


class Summary(Recorded):
    """summary.json. What only people read may be anything."""

    name: Any = None
    status: Status = "failed"
    error: Any = None
    signal: Any = None
    stopped_because: Any = None
    within: Any = None
    since: Any = None
    origin: Any = Field(None, alias="from")
    changes: Any = None
    epochs: Size = 0
    done: Any = 0
    best_epoch: Some | None = None
    parameters: Size | None = None
    seconds: Annotated[Finite, Field(ge=0)] | None = None
    seconds_per_image: Any = None
    model_bytes: Any = None
    images_per_second: Any = None
    state_sha256: Any = None
    train: Part = None
    train_dev: Part = None
    validation: Part = None
    test: Part = None
    members: Annotated[list[str] | None, AfterValidator(given)] = None
    best_member: str = ""
    left_out: list[str] = []
    weights: dict[str, Share] = {}
    selection: Any = None
    snapshots: Any = None
    snapshots_of: Any = None
    snapshot_of: Any = None

    @model_validator(mode="after")
    def _measured_together(self) -> Summary:
        if (self.train is None) != (self.validation is None):
            raise ValueError("train and validation belong together")
        return self

    def part(self, name: str) -> Measured | None:
        """The clean error of train, train_dev or validation; None where it was not measured."""
        found: Measured | None = getattr(self, name)
        return found


class DataFacts(Recorded):
    """What is known of the images."""

    available: Size = 0
    train_available: Size | None = None
    classes: list[str] = []
    examples: dict[str, Size] = {}
    fingerprint: dict[str, str] = {}
    duplicates: dict[str, Size] = {}
    image: Any = ()
    type: Any = None


class Environment(Recorded):
    """environment.json."""

    data: DataFacts = DataFacts()
    normalization: Any = None
    versions: Any = None
    device: Any = None
    code: Any = None


class FieldEvaluation(Recorded):
    """A file of evaluations/."""

    number: Some
    error: Share
    n: Some
    best_epoch: Some | None
    validation_error: Share


class Forecast(Recorded):
    high: Number


class Curve(Recorded):
    """learning_curve.json."""

    digest: str
    sentence: str
    forecasts: list[Forecast] = []


class Advice(Recorded):
    """A line of .advice.jsonl."""

    spec: str
    run: str
    code: str
    path: str
    value: Any
    expected: Finite
    error: Share | None
    n: Some | None


class Step(Recorded):
    """A line of steps.jsonl."""

    run: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]
    parent: str | None = None
    code: str = ""
    title: str = ""
    because: str = ""
    expected: Finite = 0.0
    verdict: str = ""
    recovered: Number = None
    low: Number = None
    high: Number = None
    better: Number = None
    seeds: Size = 1
    why: str = ""
    bracket: Some = 1
    spent: Size = 0
    change: str = ""


def parsed_record(kind: type[Kind], value: Any) -> Kind:
    """`value` as one of this kind. Raises ValueError with what keeps it from being one."""
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise ValueError(f"{'.'.join(map(str, first['loc']))} {first['msg']}".strip()) from error


def schema_fault(kind: type[Recorded], value: Any) -> str:
    """What keeps `value` from being one of this kind, or nothing."""
    try:
        parsed_record(kind, value)
    except ValueError as error:
        return str(error)
    return ""
