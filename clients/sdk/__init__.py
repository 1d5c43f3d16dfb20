"""Typed asynchronous clients of the gateway's API, for every party.

Members start with :class:`clients.sdk.client.Client`: sign in with the ledger key, post signed batches, read, listen,
have webhooks; officers read what waits for their office. Holders of a number start with
:class:`clients.sdk.buyer.BuyerClient`. The gateway can forge nothing: batches are signed here, and so is the
challenge, under a domain that the caller may pin.
"""

from clients.sdk.buyer import BuyerClient
from clients.sdk.client import Client
from clients.sdk.events import EventStream
from clients.sdk.models import Chain, Entry, Event, Ground, Order, Parcel, Submission
from clients.sdk.office import OfficeParcel, ScreeningResult
from clients.sdk.problems import ForeignChain, Problem, Unexpected, Unreachable
from clients.sdk.receipts import Authorities
from clients.sdk.uses import Answer, Number, Use
from clients.sdk.webhooks import Delivery, Webhook

__all__ = [
    "Answer",
    "Authorities",
    "BuyerClient",
    "Chain",
    "Client",
    "Delivery",
    "Entry",
    "Event",
    "EventStream",
    "ForeignChain",
    "Ground",
    "Number",
    "OfficeParcel",
    "Order",
    "Parcel",
    "Problem",
    "ScreeningResult",
    "Submission",
    "Unexpected",
    "Unreachable",
    "Use",
    "Webhook",
]
