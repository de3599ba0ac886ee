"""The one configuration tree: every setting with its default, unit and bounds.

A class receives its own section, never the root. Unknown keys are errors that name the path and the nearest valid key.
`configs/default.yaml` states every default; a test compares it with this file.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, model_validator

CAMERA_ID = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$"
TOPIC = r"^[^#+/\s]([^#+\s]*[^#+/\s])?$"

ScorerName = Literal[
    "surprise", "frame-difference", "rgb-histogram", "optical-flow", "itti-baldi", "uniform", "middle", "zero-shot"
]
"""What gives each segment its score: the model's surprise, a baseline without a model, or the model's own rating."""
MODEL_SCORERS: tuple[ScorerName, ...] = ("surprise", "zero-shot")

CuesName = Literal["off", "boxes", "trajectories", "both"]
"""What is drawn into the frames the model is shown: where things move, the way they came, or both."""


UNQUOTED_OFF = BeforeValidator(lambda value: "off" if value is False else value)
"""YAML takes a bare off for false."""


class Section(BaseModel):
    """A frozen part of the tree that knows all its keys."""

    # Values stay out of errors, their tracebacks included: any of them may be a password in the wrong place.
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class CameraConfig(Section):
    """One camera: `id` names it in topics, events and metrics; `source` says where the pictures come from."""

    id: Annotated[str, Field(pattern=CAMERA_ID, description="letters, digits, - and _; unique")]
    source: Annotated[
        SecretStr,
        Field(description="rtsp://, rtsps://, http(s)://, a file, webcam:0, lavfi:testsrc2=..., world:street?seed=7"),
    ]
    transport: Annotated[Literal["tcp", "udp"], Field(description="how RTSP media travels")] = "tcp"
    pace: Annotated[
        Literal["realtime", "fast"], Field(description="files and simulated cameras: at their own pace, or unthrottled")
    ] = "realtime"
    loop: Annotated[bool, Field(description="files: start again at the end, as a new epoch")] = False
    scorer: Annotated[ScorerName | None, Field(description="of this camera; null: that of all cameras")] = None
    alerts_per_day: Annotated[
        float | None, Field(gt=0, le=86_400, description="budget of this camera; null: that of all cameras")
    ] = None
    refine: Annotated[
        bool, Field(description="false: no model learns from its footage; none is logged for that, nor exported")
    ] = True


class IngestConfig(Section):
    """How cameras are read. All cameras share it."""

    open_timeout_seconds: Annotated[float, Field(gt=0, le=120)] = 10.0
    silence_timeout_seconds: Annotated[float, Field(gt=0, le=600, description="no frame for so long: reconnect")] = 10.0
    backoff_min_seconds: Annotated[float, Field(gt=0, le=60, description="first wait before a reconnect")] = 0.5
    backoff_max_seconds: Annotated[float, Field(gt=0, le=3600, description="the wait doubles up to this")] = 30.0
    hardware_decode: Annotated[
        Literal["auto", "off"],
        UNQUOTED_OFF,
        Field(description="auto: use the GPU's decoder when it opens, software otherwise"),
    ] = "auto"
    pre_seconds: Annotated[float, Field(ge=0, le=600, description="compressed packets kept for clips")] = 30.0
    ring_max_bytes: Annotated[int, Field(ge=1 << 20, description="bound of the packet ring of one camera")] = 64 << 20
    max_frame_height_px: Annotated[int, Field(ge=48, le=4320, description="taller pictures are scaled down")] = 720

    @model_validator(mode="after")
    def _ordered(self) -> IngestConfig:
        if self.backoff_min_seconds > self.backoff_max_seconds:
            raise ValueError("backoff_min_seconds must not exceed backoff_max_seconds")
        return self


class SegmentConfig(Section):
    """How stream time is cut."""

    seconds: Annotated[float, Field(gt=0, le=60, description="length of a segment")] = 1.0
    frames: Annotated[int, Field(ge=1, le=16, description="frames sampled per segment, evenly spaced")] = 2
    max_queued: Annotated[int, Field(ge=1, le=64, description="segments waiting per camera; the oldest is dropped")] = 3
    cues: Annotated[
        CuesName,
        UNQUOTED_OFF,
        Field(description="drawn around what moves, for the model alone; clips and keyframes stay clean"),
    ] = "off"


class HealthConfig(Section):
    """When a camera counts as offline, frozen or moved."""

    offline_after_seconds: Annotated[
        float, Field(ge=0, le=3600, description="a lost connection is told after so long; shorter drops are not")
    ] = 10.0
    frozen_after_seconds: Annotated[
        float, Field(ge=1, le=86_400, description="the same picture for so long, from a camera with noise: blind")
    ] = 60.0
    notice_moves: Annotated[
        bool, Field(description="a camera that was turned starts learning again; false: it turns by itself")
    ] = True


class BeliefConfig(Section):
    """How surprise is computed (see docs: facts of the method in paper and published code)."""

    window_segments: Annotated[int, Field(ge=1, le=64, description="W: segments the model still sees")] = 8
    window_growth_segments: Annotated[
        int, Field(ge=0, le=64, description="the window grows by so many before it is cut back to W")
    ] = 0
    num_hypotheses: Annotated[int, Field(ge=1, le=16, description="N")] = 6
    max_hypothesis_tokens: Annotated[int, Field(ge=4, le=128)] = 25
    max_caption_tokens: Annotated[int, Field(ge=4, le=256)] = 30
    temperature: Annotated[float, Field(gt=0, le=5)] = 1.0
    temperature_spread: Annotated[float, Field(ge=0, le=1, description="drawn anew per hypothesis, +-")] = 0.1
    top_p: Annotated[float, Field(gt=0, le=1)] = 0.95
    top_p_spread: Annotated[float, Field(ge=0, le=0.5, description="drawn anew per hypothesis, +-")] = 0.05
    posterior: Annotated[Literal["nll", "verify"], Field(description="nll: paper; verify: published code")] = "nll"
    length_normalised: Annotated[bool, Field(description="NLL per token as published, or summed")] = False
    complete: Annotated[bool, Field(description="add what was seen to the hypotheses, so that it can gain mass")] = True
    sightings: Annotated[
        int, Field(ge=0, le=64, description="complete, nll: drawn about what was seen, they join too")
    ] = 8
    looks: Annotated[
        int, Field(ge=1, le=4, description="at each segment; after the first: later and closer, closer, later")
    ] = 2
    tau: Annotated[float, Field(gt=0, le=100, description="softmax temperature of beliefs")] = 1.0
    doubt: Annotated[
        float, Field(ge=0, le=0.1, description="added to each probability: nothing is held for rarer than this")
    ] = 0.001
    experience: Annotated[
        float, Field(ge=0, le=100, description="weight in the prior of how often the camera showed it; 0: none")
    ] = 1.0
    change: Annotated[
        float, Field(ge=0, le=10, description="weight of how much more than usual the picture changes; 0: words alone")
    ] = 0.25
    opening: Annotated[
        float, Field(ge=0, le=1, description="certainty of beliefs from the first picture alone; 0: not scored")
    ] = 0.5
    mode: Annotated[
        Literal["paper", "steady"], Field(description="paper: new hypotheses for every segment; steady: by rule")
    ] = "paper"
    max_age_segments: Annotated[int, Field(ge=1, le=3600, description="steady: sampled anew at this age")] = 30
    refresh_nats: Annotated[float, Field(ge=0, description="steady: and whenever surprise exceeded this")] = 0.5
    refresh_share: Annotated[
        float, Field(ge=0, le=1, description="steady: and when their likelihood fell below this share of the first")
    ] = 0.25
    summary_words: Annotated[int, Field(ge=0, le=1000, description="budget of H_t; 0 switches memory off")] = 36


class ModelConfig(Section):
    """Which Video-LLM, and where it runs."""

    name: Annotated[str, Field(description="nano (built in), a local folder, or a Hugging Face id")] = "nano"
    adapter: Annotated[
        str | None,
        Field(description="LoRA on top: a folder, a registered name, or promoted: the one in service; null: none"),
    ] = None
    device: Annotated[str, Field(description="auto, cpu, cuda, cuda:1")] = "auto"
    dtype: Annotated[Literal["auto", "float32", "bfloat16", "float16"], Field(description="auto: by device")] = "auto"
    frame_width_px: Annotated[int, Field(ge=0, le=2048, description="0: what the model was trained with")] = 0
    frame_height_px: Annotated[int, Field(ge=0, le=2048, description="0: what the model was trained with")] = 0
    threads: Annotated[
        int, Field(ge=0, le=256, description="CPU threads; 0: 1 for a small model, else torch's choice")
    ] = 0
    seed: Annotated[int, Field(ge=0, description="of all sampling")] = 0


class EngineConfig(Section):
    """How the requests of all cameras share one model."""

    max_batch: Annotated[int, Field(ge=1, le=512, description="requests answered in one step")] = 16
    max_wait_seconds: Annotated[float, Field(gt=0, le=600, description="a request that waited longer is shed")] = 5.0
    busy_wait_seconds: Annotated[
        float, Field(ge=0, le=600, description="when the oldest request waited longer, load is shed")
    ] = 1.0
    shed: Annotated[
        tuple[Literal["reuse", "skip"], ...],
        Field(description="in this order; reuse: score the last hypotheses; skip: leave segments unscored"),
    ] = ("reuse", "skip")
    memory_bytes: Annotated[int, Field(ge=1 << 20, description="keys, values and features of all cameras")] = 4 << 30
    window: Annotated[
        Literal["exact", "fast"],
        Field(description="exact: refilled as it slides; fast: shifted, refilled now and then"),
    ] = "exact"
    refill_segments: Annotated[int, Field(ge=1, le=3600, description="fast: a refill every so many segments")] = 8


class EventConfig(Section):
    """When surprise becomes an event: a budget of alerts for each camera, with hysteresis and cooldown."""

    alerts_per_day: Annotated[float, Field(gt=0, le=86_400, description="budget of each camera")] = 5.0
    learning_seconds: Annotated[
        float, Field(ge=0, le=2_592_000, description="watched for so long, a camera's tail is known")
    ] = 3600.0
    extreme_nats: Annotated[float, Field(ge=0, description="before that, only records above this are events")] = 5.0
    memory_days: Annotated[
        float, Field(gt=0, le=365, description="a surprise of so long ago counts for 1/e of a new one")
    ] = 4.0
    floor_nats: Annotated[float, Field(ge=0, description="never alert below this")] = 2.0
    hysteresis: Annotated[float, Field(gt=0, le=1, description="an event ends below threshold times this")] = 0.5
    onset_segments: Annotated[int, Field(ge=1, le=60, description="so many surprising in a row start an event")] = 1
    quiet_segments: Annotated[int, Field(ge=1, le=600, description="quiet segments in a row that end an event")] = 2
    max_event_segments: Annotated[int, Field(ge=2, le=3600, description="a longer event is ended and counted")] = 60
    cooldown_seconds: Annotated[
        float, Field(ge=0, le=86_400, description="after an end, before a next start that is not stronger")
    ] = 5.0


class StoreConfig(Section):
    """The SQLite database: everything that was observed, and the outbox."""

    path: Annotated[str, Field(description="file; its folder is made when missing")] = "streamspike-data/streamspike.db"
    keyframe_width_px: Annotated[int, Field(ge=64, le=4096)] = 480
    keep_days: Annotated[float, Field(gt=0, description="then observations are deleted; events are kept")] = 14.0


class ClipConfig(Section):
    """Video files around events and of ordinary footage, cut from the packets that the ring of each camera holds."""

    enabled: Annotated[bool, Field(description="false: no video is ever written to the disk")] = True
    folder: Annotated[str | None, Field(description="null: clips, beside the store")] = None
    pre_seconds: Annotated[float, Field(ge=0, le=600, description="before the onset; the ring must hold it")] = 5.0
    post_seconds: Annotated[float, Field(ge=0, le=600, description="after the end of the event")] = 5.0
    max_clip_seconds: Annotated[float, Field(ge=1, le=3600, description="a longer clip is cut off here")] = 120.0
    keep_days: Annotated[float, Field(gt=0, description="then clips are deleted; their events are kept")] = 14.0
    max_bytes: Annotated[int, Field(ge=1 << 20, description="of all clips; the oldest are deleted first")] = 8 << 30
    min_free_bytes: Annotated[
        int, Field(ge=0, description="of the disk, left to the store: below it the oldest clips go, then none is begun")
    ] = 256 << 20
    ordinary_per_hour: Annotated[
        float, Field(ge=0, le=360, description="clips of ordinary footage of each camera, for the night shift; 0: none")
    ] = 2.0
    ordinary_seconds: Annotated[float, Field(ge=1, le=600, description="length of each of them")] = 10.0

    @model_validator(mode="after")
    def _ordinary_is_seldom(self) -> ClipConfig:
        if self.ordinary_per_hour * self.ordinary_seconds > 1800:
            raise ValueError("ordinary_per_hour times ordinary_seconds must not exceed half an hour, 1800 seconds")
        return self


class KeyframeConfig(Section):
    """Keyframes of each camera under a budget, besides those of its events."""

    per_hour: Annotated[int, Field(ge=0, le=3600, description="0: none")] = 30
    bytes_per_hour: Annotated[int, Field(ge=1 << 10, description="of their JPEGs")] = 4 << 20
    delay_seconds: Annotated[float, Field(ge=0, lt=3600, description="a choice is made within this")] = 20.0


class MqttConfig(Section):
    """The broker. Without a url nothing is published; events stay in the store."""

    url: Annotated[
        SecretStr | None, Field(description="mqtt://user:password@host:1883 or mqtts://host:8883; null: no broker")
    ] = None
    username: str | None = None
    password_file: Annotated[str | None, Field(description="file with the password alone")] = None
    ca_file: Annotated[str | None, Field(description="CA of a private broker")] = None
    cert_file: Annotated[str | None, Field(description="certificate of this client, PEM, when mqtts asks for one")] = (
        None
    )
    key_file: Annotated[str | None, Field(description="its key; null: it is in cert_file")] = None
    client_id: str | None = None
    topic: Annotated[
        str, Field(pattern=TOPIC, description="prefix of all topics; no +, # or spaces, no / at the ends")
    ] = "streamspike"
    discovery_topic: Annotated[
        str | None, Field(pattern=TOPIC, description="of Home Assistant, where cameras announce themselves; null: off")
    ] = "homeassistant"
    timeout_seconds: Annotated[float, Field(gt=0, le=60)] = 3.0
    backoff_max_seconds: Annotated[float, Field(gt=0, le=3600)] = 30.0


class WebConfig(Section):
    """The page and its API. Beyond this machine nobody gets in without the token."""

    host: Annotated[str, Field(description="to listen on; all but 127.0.0.1 and ::1 need a token")] = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65_535, description="0: no page")] = 8765
    token: Annotated[SecretStr | None, Field(description="asked for at the page; 16 characters or more")] = None
    token_file: Annotated[str | None, Field(description="file with the token alone")] = None
    max_streams: Annotated[int, Field(ge=1, le=1000, description="pages open at a time")] = 16
    picture_width_px: Annotated[int, Field(ge=64, le=4096, description="of live pictures")] = 640


class MetricsConfig(Section):
    """Where Prometheus reads the metrics: on http://HOST:PORT/metrics."""

    host: Annotated[str, Field(description="to listen on; whoever gets there may read")] = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65_535, description="0: no metrics")] = 0


GateMeasure = Literal[
    "localisation", "calibration", "caption_agreement", "caption_nats", "next_nats", "diversity", "latency"
]
"""What an adapter is compared by."""


class RefineConfig(Section):
    """The night shift: where adapters lie, and what one must show before it serves."""

    folder: Annotated[str | None, Field(description="of adapters; null: adapters, beside the store")] = None
    method: Annotated[
        Literal["spike-rl", "supervised", "crpo", "savi"], Field(description="what `refine nightly` trains by")
    ] = "spike-rl"
    hours: Annotated[float, Field(gt=0, le=24, description="from the beginning of a night to the end of training")] = (
        3.0
    )
    days: Annotated[float, Field(gt=0, description="of footage that a night learns from")] = 7.0
    gpu_memory_share: Annotated[
        float, Field(gt=0, le=1, description="of the GPU's memory that a night may take; the rest is the monitor's")
    ] = 0.5
    primary: Annotated[
        GateMeasure, Field(description="the measure in which an adapter must be better beyond doubt")
    ] = "localisation"
    min_clips: Annotated[int, Field(ge=2, description="fewer held-out clips decide nothing")] = 20
    margin_localisation: Annotated[float, Field(ge=0, le=1, description="hit@1, or area under the curve")] = 0.02
    margin_calibration: Annotated[float, Field(ge=0, le=1, description="expected calibration error")] = 0.02
    margin_caption_agreement: Annotated[float, Field(ge=0, le=1, description="share of words in common")] = 0.02
    margin_caption_nats: Annotated[float, Field(ge=0, description="nats per token of the captions there are")] = 0.05
    margin_next_nats: Annotated[float, Field(ge=0, description="nats per token of what came next")] = 0.05
    margin_diversity: Annotated[float, Field(ge=0, le=1, description="of the hypotheses")] = 0.05
    margin_latency: Annotated[float, Field(ge=0, description="share of the time a segment takes")] = 0.25
    max_blind_share: Annotated[
        float, Field(ge=0, le=1, description="more black or frozen segments in the data: nothing is learned from it")
    ] = 0.2


class Config(Section):
    """The root."""

    cameras: tuple[CameraConfig, ...] = ()
    ingest: IngestConfig = IngestConfig()
    segment: SegmentConfig = SegmentConfig()
    health: HealthConfig = HealthConfig()
    scorer: Annotated[ScorerName, Field(description="what gives each segment its score")] = "surprise"
    belief: BeliefConfig = BeliefConfig()
    model: ModelConfig = ModelConfig()
    engine: EngineConfig = EngineConfig()
    events: EventConfig = EventConfig()
    store: StoreConfig = StoreConfig()
    clips: ClipConfig = ClipConfig()
    keyframes: KeyframeConfig = KeyframeConfig()
    mqtt: MqttConfig = MqttConfig()
    web: WebConfig = WebConfig()
    metrics: MetricsConfig = MetricsConfig()
    refine: RefineConfig = RefineConfig()

    @model_validator(mode="after")
    def _unique_cameras(self) -> Config:
        ids = [camera.id for camera in self.cameras]
        for camera_id in ids:
            if ids.count(camera_id) > 1:
                raise ValueError(f"two cameras are called {camera_id!r}; ids must be unique")
        return self

    @model_validator(mode="after")
    def _clips_fit(self) -> Config:
        if self.clips.pre_seconds > min(self.ingest.pre_seconds, self.clips.max_clip_seconds):
            raise ValueError("clips.pre_seconds must not exceed ingest.pre_seconds nor clips.max_clip_seconds")
        return self

    @model_validator(mode="after")
    def _one_question(self) -> Config:
        if len(self.model_scorers) > 1:
            raise ValueError("cameras with scorer 'surprise' and cameras with 'zero-shot' need a run each")
        return self

    @property
    def model_scorers(self) -> frozenset[ScorerName]:
        """The scorers in use that ask a Video-LLM, at most one; empty: no model is needed."""
        return frozenset(name for name in map(self.scorer_of, self.cameras) if name in MODEL_SCORERS)

    def scorer_of(self, camera: CameraConfig) -> ScorerName:
        """The camera's own scorer, else that of all."""
        return camera.scorer or self.scorer

    def looks_of(self, camera: CameraConfig) -> int:
        """How often each of the camera's segments is looked at: for surprise alone more than once."""
        return self.belief.looks if self.scorer_of(camera) == "surprise" else 1
