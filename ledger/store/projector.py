"""Makes the read model from blocks: rows and cursor commit together, and only final blocks become rows.

A block that is not final yet (not countersigned by every follower) is told to the submissions it includes, no more: so
the read model never takes anything back. It can be made anew from genesis at any time and comes out equal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, Final

from sqlmodel import Session, delete, select

from ledger.chain.included import IncludedBlock, Words
from ledger.chain.membership import Membership
from ledger.chain.port import ChainPort
from ledger.commitments import LedgerDomain, word
from ledger.domain.errors import LedgerError
from ledger.store.database import Database
from ledger.store.projection import Page, Projected
from ledger.store.rows import upsert
from ledger.store.submissions import note_included, note_visible
from ledger.store.tables.chain import BlockRow, Cursor, EntryRow, KeyRow, MasterRow, OrderRow, OrgRow, ParcelRow

PAGE: Final = 16
"""Blocks projected in one transaction."""
WORDS_PAGE: Final = 2_000
"""Subjects whose words are asked for in one call."""


class ForeignChain(LedgerError):
    """The node's chain is not the one the rows were made from."""

    code = "projection.foreign-chain"


class NoMembers(LedgerError):
    """The rows were made by a version that keeps no members: whose traces are accepted cannot be told from them."""

    code = "projection.no-members"


class Projector:
    """Follows one node. One projector at a time: the cursor row is its lock."""

    def __init__(self, database: Database, node: ChainPort, domain: LedgerDomain, patience: float = 0.0) -> None:
        """Take the database, the node to follow and the domain of its chain.

        With patience, a step that finds nothing new waits so many seconds in the node for something.
        """
        self._database = database
        self._node = node
        self._domain = domain
        self._patience = patience
        self._seen: tuple[int, int] | None = None
        self._ahead: list[IncludedBlock] = []
        self._known = False
        self._members = 0, Membership()

    def step(self, until: int | None = None) -> int:
        """Project the next blocks, none above `until`; return how many became rows.

        Raises:
            ForeignChain: another genesis, or another block where the cursor stands.
            NoMembers: an older version made rows after the tables were migrated.
            LedgerError: the node or the database does not answer.
        """
        status = self._status()
        cursor = self._cursor(bytes.fromhex(status["genesisHash"][2:]))
        if not self._known:
            self._check_same_chain(cursor)
            self._known = True  # from here on every block is checked to follow the one before
        if (status["final"] <= cursor.height and status["height"] <= cursor.seen_height) or (
            until is not None and until <= cursor.height
        ):
            self._seen = status["height"], status["final"]
            return 0
        blocks = self._blocks(cursor.height + 1, status)
        highest = status["final"] if until is None else min(until, status["final"])
        final = [block for block in blocks if block.height <= highest]
        self._check_links(cursor, final)
        self._ahead = blocks[len(final) :]
        waiting = [block for block in self._ahead if block.height > cursor.seen_height]
        if not final:
            self._seen = status["height"], status["final"]
        if not final and not waiting:
            return 0
        members = self._members_at(cursor)
        page = Page.of(final, members)
        words = self._words(page.subjects)
        with self._database.write() as session:
            kept = session.exec(select(Cursor).with_for_update()).one()
            if (kept.height, kept.block_hash) != (cursor.height, cursor.block_hash):
                return 0  # another projector was faster; its rows stand
            if final:
                self._keep(session, final, page, words)
                if cursor.height == 0:
                    keep_members(session, members.keys, members.orgs)
                kept.height, kept.block_hash = final[-1].height, final[-1].hash
            note_included(session, self._domain, waiting)
            kept.seen_height = max(kept.seen_height, kept.height, *(block.height for block in waiting), 0)
            session.add(kept)
        if final:
            self._members = final[-1].height, members
        return len(final)

    def catch_up(self, progress: Callable[[int, int], None] | None = None, until: int | None = None) -> int:
        """Project until nothing final is left, or a height; return the height reached."""
        goal = self._node.status()["final"] if until is None else until
        while self.step(until):
            if progress:
                progress(self.height(), goal)
        return self.height()

    def height(self) -> int:
        """Return the height of the cursor."""
        with self._database.read() as session:
            return cursor_height(session)

    def _status(self) -> dict[str, Any]:
        """Return where the node stands; once it moved, if nothing was left to do."""
        seen, self._seen = self._seen, None
        if seen is None or not self._patience:
            return self._node.status()
        return self._node.await_status(*seen, self._patience)

    def _members_at(self, cursor: Cursor) -> Membership:
        """Return the members after the cursor's block, to be moved on: from memory, the rows, or the genesis file.

        Raises:
            NoMembers: there are none among the rows.
        """
        height, members = self._members
        if height == cursor.height and members.orgs:
            return replace(members, keys=dict(members.keys), orgs=dict(members.orgs))
        if cursor.height == 0:
            return Membership.of(self._node.genesis())
        with self._database.read() as session:
            keys = {row.address: int.from_bytes(row.word, "big") for row in session.exec(select(KeyRow))}
            orgs = {row.handle: int.from_bytes(row.word, "big") for row in session.exec(select(OrgRow))}
        if not orgs:
            raise NoMembers(
                f"The read model stands at block {cursor.height} and holds no members: an older version made it.",
                hint="Stop every gateway of the older version. Then: clearance api reindex",
            )
        return Membership(keys, orgs)

    def _blocks(self, start: int, status: dict[str, Any]) -> list[IncludedBlock]:
        """Return the next blocks; those seen before they were final are not asked for again.

        They are taken only if what the node tells now stands on them.
        """
        ahead = [block for block in self._ahead if block.height >= start]
        if not ahead or ahead[0].height != start or len(ahead) >= PAGE:
            return self._node.pages(start, PAGE)
        tip = ahead[-1]
        if status["height"] == tip.height and status["blockHash"] == "0x" + tip.hash.hex():
            return ahead
        more = self._node.pages(tip.height + 1, PAGE - len(ahead))
        return ahead + more if more and more[0].parent == tip.hash else self._node.pages(start, PAGE)

    def _cursor(self, genesis_hash: bytes) -> Cursor:
        with self._database.read() as session:  # most looks find nothing new: they take no lock
            found = session.get(Cursor, 1)
            if found is not None:
                session.expunge(found)
        if found is None:
            with self._database.write() as session:
                found = session.get(Cursor, 1) or Cursor(genesis_hash=genesis_hash, height=0, block_hash=genesis_hash)
                session.add(found)
                session.flush()
                session.refresh(found)
                session.expunge(found)
        if found.genesis_hash != genesis_hash:
            raise ForeignChain(
                "The read model was made from the chain of another genesis file.",
                hint="Use the database of this chain, or an empty one.",
            )
        return found

    def _check_same_chain(self, cursor: Cursor) -> None:
        if cursor.height == 0:
            return
        there = self._node.pages(cursor.height, 1)
        if not there or there[0].hash != cursor.block_hash:
            raise ForeignChain(
                f"The node's block {cursor.height} is not the one the rows were made from.",
                hint="Audit the node. If its chain is the right one: clearance api reindex",
            )

    def _check_links(self, cursor: Cursor, blocks: Iterable[IncludedBlock]) -> None:
        parent = cursor.block_hash if cursor.height else None
        for block in blocks:
            if parent is not None and block.parent != parent:
                raise ForeignChain(
                    f"Block {block.height} does not follow the block the rows were made from.", hint="Audit the node."
                )
            parent = block.hash

    def _words(self, subjects: Iterable[int]) -> Words:
        ids = sorted(subjects)
        parts = [self._node.words(ids[at : at + WORDS_PAGE]) for at in range(0, len(ids), WORDS_PAGE)]
        return Words(
            min((part.height for part in parts), default=0),
            tuple(word for part in parts for word in part.words),
            tuple(filing for part in parts for filing in part.filings),
        )

    def _keep(self, session: Session, blocks: list[IncludedBlock], page: Page, words: Words) -> None:
        pairs = zip(words.words, words.filings, strict=True)
        made = Projected.of(session, page, dict(zip(sorted(page.subjects), pairs, strict=True)))
        keep_members(session, page.keys, page.orgs)
        upsert(session, EntryRow, page.entries)
        upsert(session, ParcelRow, made.parcels)
        upsert(session, OrderRow, made.orders)
        upsert(session, MasterRow, made.masters)
        rows = [{"height": block.height, "hash": block.hash, "time": block.time} for block in blocks]
        upsert(session, BlockRow, rows)
        note_visible(session, self._domain, blocks)

    def clear(self) -> None:
        """Empty the read model, so that it is made anew from genesis; submissions stay."""
        with self._database.write() as session:
            for model in (EntryRow, KeyRow, OrgRow, ParcelRow, OrderRow, MasterRow, BlockRow, Cursor):
                session.exec(delete(model))


def keep_members(session: Session, keys: Mapping[bytes, int], orgs: Mapping[int, int]) -> None:
    """Write words of keys and orgs over those that stand."""
    upsert(session, KeyRow, [{"address": address, "word": word(each)} for address, each in keys.items()])
    upsert(session, OrgRow, [{"handle": handle, "word": word(each)} for handle, each in orgs.items()])


def cursor_height(session: Session) -> int:
    """Return the height up to which blocks became rows."""
    return session.exec(select(Cursor.height)).one_or_none() or 0
