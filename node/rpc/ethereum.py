"""The `eth_` methods: the subset that web3.py, cast and explorers work with (execution-apis).

Every method takes the request's parameters and returns what JSON carries.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import rlp
from eth_hash.auto import keccak

from ledger.domain.errors import LedgerError
from node.blocks import COINBASE, Block, Header, Log, Receipt
from node.chain import Chain, UnknownBlock
from node.evm.executor import InvalidTransaction
from node.evm.proofs import prove
from node.service import NodeService
from node.transactions import Body, body_of, hash_of

MAX_LOG_BLOCKS: Final = 10_000
MAX_LOGS: Final = 10_000


class BadParameters(LedgerError):
    """The parameters of a method are wrong."""

    code = "rpc.parameters"


class CallReverted(LedgerError):
    """A read-only call reverted."""

    code = "rpc.reverted"

    def __init__(self, reason: str, output: bytes) -> None:
        """Keep what it returned, for `error.data`."""
        super().__init__(f"execution reverted: {reason}", hint="")
        self.output = output


def quantity(value: int) -> str:
    """Return a number as JSON-RPC writes it."""
    return hex(value)


def data(value: bytes) -> str:
    """Return bytes as JSON-RPC writes them."""
    return "0x" + value.hex()


def read_bytes(value: Any, size: int | None = None) -> bytes:
    """Read 0x-prefixed bytes.

    Raises:
        BadParameters: not that, or not of the size.
    """
    try:
        if not isinstance(value, str) or value[:2] != "0x":
            raise ValueError
        found = bytes.fromhex(value[2:])
    except ValueError as error:
        raise BadParameters("Bytes are written as 0x and hex digits.", hint="Check the parameter.") from error
    if size is not None and len(found) != size:
        raise BadParameters(f"{size} bytes are needed, not {len(found)}.", hint="Check the parameter.")
    return found


def read_quantity(value: Any) -> int:
    """Read a number.

    Raises:
        BadParameters: it is none.
    """
    try:
        number = int(value, 16) if isinstance(value, str) else value
        if not isinstance(number, int) or isinstance(number, bool) or number < 0:
            raise ValueError
    except ValueError as error:
        raise BadParameters("Numbers are written as 0x and hex digits.", hint="Check the parameter.") from error
    return number


class EthereumMethods:
    """Answers from one node. The caller holds the node's lock."""

    def __init__(self, service: NodeService) -> None:
        """Take the node."""
        self._service = service
        self._chain: Chain = service.chain

    def methods(self) -> dict[str, Callable[..., Any]]:
        """Return the methods by name."""
        named: tuple[Callable[..., Any], ...] = (
            self.eth_chainId, self.eth_blockNumber, self.eth_gasPrice, self.eth_maxPriorityFeePerGas,
            self.eth_syncing, self.eth_accounts, self.eth_feeHistory, self.eth_getBlockByNumber,
            self.eth_getBlockByHash, self.eth_getTransactionByHash, self.eth_getTransactionReceipt,
            self.eth_getBlockReceipts, self.eth_getLogs, self.eth_call, self.eth_estimateGas, self.eth_getCode,
            self.eth_getStorageAt, self.eth_getBalance, self.eth_getTransactionCount, self.eth_getProof,
            self.eth_sendRawTransaction, self.net_version, self.net_listening, self.web3_clientVersion,
            self.web3_sha3,
        )  # fmt: skip
        return {method.__name__: method for method in named}

    # ------------------------------------------------------------------------------------------------------ blocks
    def _height(self, tag: Any) -> int:
        head = self._chain.head.number
        if tag in (None, "latest", "pending"):
            return head
        if tag == "earliest":
            return 0
        if tag in ("safe", "finalized"):
            return self._service.final_height()
        return read_quantity(tag)

    def _header(self, tag: Any) -> Header:
        if isinstance(tag, dict):  # EIP-1898
            if "blockHash" in tag:
                height = self._chain.height_of(read_bytes(tag["blockHash"], 32))
                if height is None:
                    raise UnknownBlock("No such block is kept here.", hint="Check the hash.")
                return self._chain.block(height).header
            tag = tag.get("blockNumber")
        return self._chain.block(self._height(tag)).header

    def _block(self, block: Block, full: bool) -> dict[str, Any]:  # the method's own parameter
        header = block.header
        hashes = [data(hash_of(raw)) for raw in block.transactions]
        return {
            "number": quantity(header.number),
            "hash": data(header.hash),
            "parentHash": data(header.parent_hash),
            "nonce": data(header.nonce),
            "sha3Uncles": data(header.uncles_hash),
            "logsBloom": data(header.bloom),
            "transactionsRoot": data(header.transactions_root),
            "stateRoot": data(header.state_root),
            "receiptsRoot": data(header.receipts_root),
            "miner": data(header.coinbase),
            "difficulty": quantity(header.difficulty),
            "totalDifficulty": quantity(0),
            "extraData": data(header.extra_data),
            "size": quantity(len(block.encode())),
            "gasLimit": quantity(header.gas_limit),
            "gasUsed": quantity(header.gas_used),
            "timestamp": quantity(header.timestamp),
            "mixHash": data(header.mix_hash),
            "baseFeePerGas": quantity(header.base_fee),
            "withdrawalsRoot": data(header.withdrawals_root),
            "withdrawals": [],
            "blobGasUsed": quantity(header.blob_gas_used),
            "excessBlobGas": quantity(header.excess_blob_gas),
            "parentBeaconBlockRoot": data(header.parent_beacon_root),
            "uncles": [],
            "transactions": [self._transaction(block, i) for i in range(len(hashes))] if full else hashes,
        }

    def _transaction(self, block: Block, index: int) -> dict[str, Any]:
        raw = block.transactions[index]
        body = body_of(raw)
        found: dict[str, Any] = {
            "hash": data(hash_of(raw)),
            "blockHash": data(block.hash),
            "blockNumber": quantity(block.height),
            "transactionIndex": quantity(index),
            "type": quantity(body.type),
            "nonce": quantity(body.nonce),
            "from": data(self._sender(raw)),
            "to": data(body.to) if body.to else None,
            "value": quantity(body.value),
            "gas": quantity(body.gas),
            "gasPrice": quantity(0),
            "input": data(body.data),
            "v": quantity(body.v),
            "r": quantity(body.r),
            "s": quantity(body.s),
        }
        if body.type == 0 and body.v >= 35:
            found["chainId"] = quantity((body.v - 35) // 2)
        elif body.type:
            found |= {"chainId": quantity(self._chain.genesis.chain_id), "accessList": []}
            if body.type == 2:
                found |= {"maxFeePerGas": quantity(body.gas_price), "maxPriorityFeePerGas": quantity(0)}
        return found

    def _sender(self, raw: bytes) -> bytes:
        return self._chain.executor.sender(raw)

    def eth_chainId(self) -> str:
        """EIP-155 chain id."""
        return quantity(self._chain.genesis.chain_id)

    def eth_blockNumber(self) -> str:
        """Height of the head."""
        return quantity(self._chain.head.number)

    def eth_getBlockByNumber(self, tag: Any, full: bool = False) -> dict[str, Any] | None:
        """Block by number or tag, None if there is none."""
        try:
            return self._block(self._chain.block(self._height(tag)), full)
        except UnknownBlock:
            return None

    def eth_getBlockByHash(self, block_hash: str, full: bool = False) -> dict[str, Any] | None:
        """Block by hash, None if there is none."""
        height = self._chain.height_of(read_bytes(block_hash, 32))
        return None if height is None else self._block(self._chain.block(height), full)

    # ------------------------------------------------------------------------------------------------ transactions
    def eth_getTransactionByHash(self, transaction_hash: str) -> dict[str, Any] | None:
        """Transaction by hash."""
        place = self._chain.place_of_transaction(read_bytes(transaction_hash, 32))
        return None if place is None else self._transaction(self._chain.block(place[0]), place[1])

    def eth_getTransactionReceipt(self, transaction_hash: str) -> dict[str, Any] | None:
        """Receipt of a transaction."""
        place = self._chain.place_of_transaction(read_bytes(transaction_hash, 32))
        if place is None:
            return None
        return self.eth_getBlockReceipts(quantity(place[0]))[place[1]]

    def eth_getBlockReceipts(self, tag: Any) -> list[dict[str, Any]]:
        """Receipts of a block."""
        block = self._chain.block(self._height(tag))
        receipts = self._chain.receipts(block.height)
        first_log = 0
        found = []
        for index, receipt in enumerate(receipts):
            found.append(self._receipt(block, index, receipt, first_log))
            first_log += len(receipt.logs)
        return found

    def _receipt(self, block: Block, index: int, receipt: Receipt, first_log: int) -> dict[str, Any]:
        raw = block.transactions[index]
        body: Body = body_of(raw)
        sender = self._sender(raw)
        created = None if body.to else data(_created(sender, body.nonce))
        return {
            "transactionHash": data(hash_of(raw)),
            "transactionIndex": quantity(index),
            "blockHash": data(block.hash),
            "blockNumber": quantity(block.height),
            "from": data(sender),
            "to": data(body.to) if body.to else None,
            "cumulativeGasUsed": quantity(receipt.cumulative_gas),
            "gasUsed": quantity(receipt.gas_used),
            "effectiveGasPrice": quantity(0),
            "contractAddress": created,
            "logs": [self._log(block, index, log, first_log + at) for at, log in enumerate(receipt.logs)],
            "logsBloom": data(receipt.bloom),
            "type": quantity(body.type),
            "status": quantity(receipt.status),
        }

    def _log(self, block: Block, index: int, log: Log, at: int) -> dict[str, Any]:
        return {
            "address": data(log.address),
            "topics": [data(topic) for topic in log.topics],
            "data": data(log.data),
            "blockNumber": quantity(block.height),
            "blockHash": data(block.hash),
            "transactionHash": data(hash_of(block.transactions[index])),
            "transactionIndex": quantity(index),
            "logIndex": quantity(at),
            "removed": False,
        }

    def eth_getLogs(self, query: dict[str, Any]) -> list[dict[str, Any]]:
        """Logs by block range, address and topics; bounded, with an error that says how."""
        if "blockHash" in query:
            height = self._chain.height_of(read_bytes(query["blockHash"], 32))
            if height is None:
                raise UnknownBlock("No such block is kept here.", hint="Check the hash.")
            start = end = height
        else:
            start, end = self._height(query.get("fromBlock")), self._height(query.get("toBlock"))
        if end < start:
            raise BadParameters("The range ends before it begins.", hint="Give fromBlock up to toBlock.")
        if end - start >= MAX_LOG_BLOCKS:
            raise BadParameters(f"At most {MAX_LOG_BLOCKS} blocks at once.", hint="Ask for smaller ranges.")
        wanted = query.get("address")
        addresses = {read_bytes(each, 20) for each in ([wanted] if isinstance(wanted, str) else wanted or [])}
        topics = [
            None if each is None else {read_bytes(one, 32) for one in ([each] if isinstance(each, str) else each)}
            for each in query.get("topics") or []
        ]
        found: list[dict[str, Any]] = []
        for height in range(start, min(end, self._chain.head.number) + 1):
            found += self._logs_of(height, addresses, topics)
            if len(found) > MAX_LOGS:
                raise BadParameters(f"More than {MAX_LOGS} logs.", hint="Ask for smaller ranges.")
        return found

    def _logs_of(self, height: int, addresses: set[bytes], topics: list[set[bytes] | None]) -> list[dict[str, Any]]:
        found, at = [], 0
        block: Block | None = None
        for index, receipt in enumerate(self._chain.receipts(height)):
            for log in receipt.logs:
                if (not addresses or log.address in addresses) and _matches(log, topics):
                    block = block or self._chain.block(height)
                    found.append(self._log(block, index, log, at))
                at += 1
        return found

    # ------------------------------------------------------------------------------------------------------- state
    def eth_call(self, call: dict[str, Any], tag: Any = None) -> str:
        """Execute a message on a block's state; nothing is kept."""
        result = self._chain.executor.call(self._header(tag), *_message(call))
        if result.reason is not None:
            raise CallReverted(result.reason, result.output)
        return data(result.output)

    def eth_estimateGas(self, call: dict[str, Any], tag: Any = None) -> str:
        """Gas that suffices for a message."""
        to, payload, sender, value = _message(call)
        return quantity(self._chain.executor.estimate_gas(self._header(tag), to, payload, sender, value))

    def eth_getCode(self, address: str, tag: Any = None) -> str:
        """Code of an account."""
        return data(self._chain.executor.account(self._header(tag), read_bytes(address, 20))[2])

    def eth_getStorageAt(self, address: str, slot: str, tag: Any = None) -> str:
        """Word of an account's storage."""
        value = self._chain.executor.storage(self._header(tag), read_bytes(address, 20), read_quantity(slot))
        return data(value.to_bytes(32, "big"))

    def eth_getBalance(self, address: str, tag: Any = None) -> str:
        """Balance of an account."""
        return quantity(self._chain.executor.account(self._header(tag), read_bytes(address, 20))[1])

    def eth_getTransactionCount(self, address: str, tag: Any = None) -> str:
        """Nonce of an account."""
        return quantity(self._chain.executor.account(self._header(tag), read_bytes(address, 20))[0])

    def eth_getProof(self, address: str, slots: list[str], tag: Any = None) -> dict[str, Any]:
        """Proof of an account and storage words (EIP-1186)."""
        if not isinstance(slots, list) or len(slots) > 1_000:
            raise BadParameters("At most 1000 slots.", hint="Ask in parts.")
        numbers = [read_quantity(slot) for slot in slots]
        proof = prove(self._chain.nodes, self._header(tag), read_bytes(address, 20), numbers)
        return {
            "address": address,
            "accountProof": [data(node) for node in proof.nodes],
            "balance": quantity(proof.balance),
            "codeHash": data(proof.code_hash),
            "nonce": quantity(proof.nonce),
            "storageHash": data(proof.storage_hash),
            "storageProof": [
                {"key": quantity(each.slot), "value": quantity(each.value), "proof": [data(n) for n in each.nodes]}
                for each in proof.storage
            ],
        }

    def eth_sendRawTransaction(self, raw: str) -> str:
        """Queue a raw transaction; return its hash."""
        return data(self._service.send_raw(read_bytes(raw)))

    # ------------------------------------------------------------------------------------------------------- fixed
    def eth_gasPrice(self) -> str:
        """Gas costs nothing."""
        return quantity(0)

    def eth_maxPriorityFeePerGas(self) -> str:
        """Gas costs nothing."""
        return quantity(0)

    def eth_feeHistory(self, count: Any, newest: Any, percentiles: list[float] | None = None) -> dict[str, Any]:
        """Fees of the last blocks: all nothing."""
        number = min(read_quantity(count), 1_024, self._height(newest) + 1)
        history: dict[str, Any] = {
            "oldestBlock": quantity(self._height(newest) + 1 - number),
            "baseFeePerGas": [quantity(0)] * (number + 1),
            "gasUsedRatio": [0.0] * number,
        }
        if percentiles:
            history["reward"] = [[quantity(0)] * len(percentiles)] * number
        return history

    def eth_syncing(self) -> bool:
        """Never: a follower serves what it has executed."""
        return False

    def eth_accounts(self) -> list[str]:
        """The node signs for nobody."""
        return []

    def net_version(self) -> str:
        """Chain id in decimal."""
        return str(self._chain.genesis.chain_id)

    def net_listening(self) -> bool:
        """It does."""
        return True

    def web3_clientVersion(self) -> str:
        """Name and version of the node."""
        return "clearance-ledger/0.1.0/py-evm-0.12.1b1"

    def web3_sha3(self, value: str) -> str:
        """Keccak-256 of bytes."""
        return data(keccak(read_bytes(value)))


def _message(call: dict[str, Any]) -> tuple[bytes | None, bytes, bytes, int]:
    if not isinstance(call, dict):
        raise BadParameters("A call is an object.", hint="Give to and data.")
    to = read_bytes(call["to"], 20) if call.get("to") else None
    payload = read_bytes(call.get("input") or call.get("data") or "0x")
    sender = read_bytes(call["from"], 20) if call.get("from") else COINBASE
    return to, payload, sender, read_quantity(call.get("value") or 0)


def _matches(log: Log, topics: list[set[bytes] | None]) -> bool:
    if len(topics) > len(log.topics):
        return False
    return all(wanted is None or topic in wanted for wanted, topic in zip(topics, log.topics, strict=False))


def _created(sender: bytes, nonce: int) -> bytes:
    return keccak(rlp.encode([sender, nonce]))[-20:]


__all__ = ["BadParameters", "CallReverted", "EthereumMethods", "InvalidTransaction"]
