"""Typed client of the gateway's API for members: sign in with the ledger key, post signed batches, read, listen.

Start with :class:`clients.sdk.client.Client`. The gateway can forge nothing: batches are signed here, and so is the
challenge, under a domain that the caller may pin.
"""

from clients.sdk.client import Client
from clients.sdk.events import EventStream
from clients.sdk.models import Chain, Entry, Event, Order, Parcel, Submission
from clients.sdk.problems import ForeignChain, Problem, Unexpected, Unreachable

__all__ = [
    "Chain",
    "Client",
    "Entry",
    "Event",
    "EventStream",
    "ForeignChain",
    "Order",
    "Parcel",
    "Problem",
    "Submission",
    "Unexpected",
    "Unreachable",
]
