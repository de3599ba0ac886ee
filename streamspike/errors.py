"""Every error streamspike raises on purpose, with the exit code the command line gives it.

StreamspikeError             1
|-- ConfigError              3   unknown key, bad value, unreadable config file
|-- SourceError              4   a camera or file cannot be opened or read
|   `-- UnsupportedSource    4   the address is not of a kind we know
|-- ModelError               5   no such model folder, wrong architecture, unsafe weights
|-- EngineError              6   the model failed while answering
|-- RequestShed              6   the model is too busy to answer; the stream goes on, so no command ends with it
|-- SinkError                7   a broker or store cannot be used
|   |-- BrokerError          7
|   `-- StoreError           8
|-- WorldError               9   a simulated camera was asked for something it does not know
|-- DatasetError            10   a data set of labelled footage is missing or laid out differently
`-- AdapterRefused          11   an adapter may not serve: its data, its measurements or the registry speak against it

2 is the command line's own (bad usage); 130 is Ctrl-C before anything ran.
"""


class StreamspikeError(Exception):
    """Base of all errors a user can cause or must be told about; the message is one sentence that says what to do."""

    exit_code = 1


class ConfigError(StreamspikeError):
    exit_code = 3


class SourceError(StreamspikeError):
    """The message never contains credentials: they are redacted where it is built."""

    exit_code = 4


class UnsupportedSource(SourceError):
    pass


class ModelError(StreamspikeError):
    exit_code = 5


class EngineError(StreamspikeError):
    exit_code = 6


class RequestShed(StreamspikeError):
    """Not an EngineError: nothing failed, and what is counted and logged differs."""

    exit_code = 6


class SinkError(StreamspikeError):
    exit_code = 7


class BrokerError(SinkError):
    pass


class StoreError(SinkError):
    exit_code = 8


class WorldError(StreamspikeError):
    exit_code = 9


class DatasetError(StreamspikeError):
    """The message says what is missing, where to get it and how to lay it out."""

    exit_code = 10


class AdapterRefused(StreamspikeError):
    """The message gives the reasons; what was in service still is."""

    exit_code = 11
