"""Where something that arrived came from, as the record of a snapshot keeps it."""

from __future__ import annotations

from dataclasses import dataclass

LICENCE = "Open Government Licence v3.0"


@dataclass(frozen=True)
class Origin:
    """Where something came from, kept in the record of a snapshot.

    Parameters
    ----------
    name : str
        Name of the source in the configuration, or of the file.
    address : str
        URL or file name.
    sha256 : str
        Of the bytes as received.
    bytes : int
        Their number.
    retrieved : str
        UTC time, ISO 8601.
    licence : str
    version : str
        Version of the publisher's data set, where it has one.
    published : str
        When the publisher says it was published, where it does.
    """

    name: str
    address: str
    sha256: str
    bytes: int
    retrieved: str
    licence: str = LICENCE
    version: str = ""
    published: str = ""
