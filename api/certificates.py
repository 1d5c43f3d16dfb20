"""Clearance certificates: the gateway asks its node for proofs and hands them on; it signs and vouches for nothing."""

from __future__ import annotations

from api.gateway import Gateway
from ledger.certificate import Certificate
from ledger.chain.state import map_slot
from ledger.trust import MAPS


def certificate_of(gateway: Gateway, parcel: bytes) -> Certificate:
    """Return the certificate of a parcel at the newest final block.

    Raises:
        LedgerError: the parcel is in no final block yet, the node has dropped that block's state, or does not answer.
    """
    number, slots = int.from_bytes(parcel, "big"), gateway.genesis.code.slots
    wanted = [map_slot(name, number, slots) for name in MAPS]
    return Certificate.made(gateway.genesis.domain, gateway.genesis_hash, number, gateway.node.evidence(wanted))
