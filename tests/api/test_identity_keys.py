"""Which keys a gateway names as those of the identity authority: those that may write now."""

from __future__ import annotations

from pathlib import Path

from clients.governance import change
from tests.api.world import KEYRING, world


def test_a_suspended_key_is_not_named(tmp_path: Path) -> None:
    with world(tmp_path) as service:
        address = KEYRING.signer("identity").hex_address
        named = service.client().get("/v1/chain").json()["identity_keys"]
        assert named == [address.lower()]
        change(service.sealer, KEYRING.signer("governor-1"), service.genesis.chain_id, "suspend_key", address)
        assert service.client().get("/v1/chain").json()["identity_keys"] == []
