"""web3.py as the client of the Ethereum methods, over real HTTP; what it tells is checked by hashing it again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import rlp
from eth_account import Account
from eth_hash.auto import keccak
from trie import HexaryTrie
from trie.exceptions import BadTrieProof
from web3 import HTTPProvider, Web3
from web3.exceptions import ContractLogicError, TransactionNotFound, Web3RPCError

from clients.sample.members import Keyring
from contracts.artifact import load_artifact
from ledger.chain import calls
from ledger.chain.batch import Batch
from ledger.chain.state import map_slot
from ledger.chain.transaction import sign_legacy
from ledger.genesis import CONTRACT
from node.chain import Chain
from node.clock import LogicalClock
from node.sealer import Sealer
from node.service import NodeService, wait_until
from tests.node.days import SEED, Day, sealer_keys
from tests.node.serving import TOKEN, served

ADDRESS = Web3.to_checksum_address(CONTRACT)


@pytest.fixture(scope="module")
def service(day: Day) -> NodeService:
    chain = Chain(day.memory(), day.genesis)
    sealer = Sealer(chain, sealer_keys(), LogicalClock(chain.head.timestamp))
    return NodeService(chain, sealer=sealer)


@pytest.fixture(scope="module")
def url(service: NodeService) -> Iterator[str]:
    with served(service) as node:
        yield node.url


@pytest.fixture(scope="module")
def web3(url: str) -> Web3:
    provider = HTTPProvider(url, request_kwargs={"headers": {"Authorization": f"Bearer {TOKEN}"}})
    return Web3(provider)


@pytest.fixture(scope="module")
def contract(web3: Web3) -> Any:
    return web3.eth.contract(ADDRESS, abi=load_artifact().abi)


def test_who_it_is(web3: Web3, service: NodeService) -> None:
    assert web3.is_connected()
    assert web3.eth.chain_id == service.chain.genesis.chain_id == int(web3.net.version)
    assert web3.client_version.startswith("clearance-ledger/")
    assert web3.eth.block_number == service.chain.head.number
    assert web3.eth.syncing is False
    assert web3.eth.gas_price == 0


def test_blocks_hash_to_what_they_say(web3: Web3, service: NodeService) -> None:
    for height in (0, 1, service.chain.head.number):
        block = web3.eth.get_block(height)
        assert bytes(block["hash"]) == service.chain.block(height).hash
        assert web3.eth.get_block(block["hash"])["number"] == height
        assert block["baseFeePerGas"] == 0
        if height:
            assert block["parentHash"] == web3.eth.get_block(height - 1)["hash"]
        full = web3.eth.get_block(height, full_transactions=True)
        assert [bytes(each["hash"]) for each in full["transactions"]] == [bytes(each) for each in block["transactions"]]
    with pytest.raises(Exception, match="not found"):
        web3.eth.get_block(10**6)


def test_every_header_is_whole(web3: Web3) -> None:
    """The hash is that of the fields the RPC gave, laid out as Ethereum's header."""
    block = web3.eth.get_block("latest")
    fields = [
        block["parentHash"], block["sha3Uncles"], bytes.fromhex(block["miner"][2:]), block["stateRoot"],
        block["transactionsRoot"], block["receiptsRoot"], block["logsBloom"], block["difficulty"], block["number"],
        block["gasLimit"], block["gasUsed"], block["timestamp"], block["extraData"],
        block["mixHash"], block["nonce"], block["baseFeePerGas"], block["withdrawalsRoot"], block["blobGasUsed"],
        block["excessBlobGas"], block["parentBeaconBlockRoot"],
    ]  # fmt: skip
    raw = [each if isinstance(each, int) else bytes(each) for each in fields]
    assert keccak(rlp.encode(raw)) == bytes(block["hash"])


def test_transactions_and_receipts(web3: Web3, service: NodeService) -> None:
    seen = 0
    for height in range(1, service.chain.head.number + 1):
        block = web3.eth.get_block(height, full_transactions=True)
        gas = 0
        for index, sent in enumerate(block["transactions"]):
            assert web3.eth.get_transaction(sent["hash"]) == sent
            receipt = web3.eth.get_transaction_receipt(sent["hash"])
            gas += receipt["gasUsed"]
            assert (receipt["blockHash"], receipt["transactionIndex"]) == (block["hash"], index)
            assert (receipt["from"], receipt["to"], receipt["effectiveGasPrice"]) == (sent["from"], sent["to"], 0)
            assert receipt["cumulativeGasUsed"] == gas
            seen += receipt["status"]
        assert gas == block["gasUsed"]
    assert seen > 30
    with pytest.raises(TransactionNotFound):
        web3.eth.get_transaction(b"\1" * 32)
    with pytest.raises(TransactionNotFound):
        web3.eth.get_transaction_receipt(b"\1" * 32)


def test_logs_by_range_address_topic_and_block(web3: Web3, contract: Any, service: NodeService) -> None:
    head = service.chain.head.number
    every = contract.events.Recorded.get_logs(from_block=0, to_block=head)
    assert len(every) > 30
    one = every[len(every) // 2]
    same_key = contract.events.Recorded.get_logs(from_block=0, argument_filters={"key": one["args"]["key"]})
    assert one in same_key
    assert {each["args"]["key"] for each in same_key} == {one["args"]["key"]}
    assert len(same_key) < len(every)
    of_block = contract.events.Recorded.get_logs(block_hash=one["blockHash"])
    assert of_block == [each for each in every if each["blockHash"] == one["blockHash"]]
    assert web3.eth.get_logs({"fromBlock": 0, "address": "0x" + "11" * 20}) == []
    topic = web3.keccak(text="Recorded(address,uint256,uint256[])").to_0x_hex()
    either = web3.eth.get_logs({"fromBlock": 0, "topics": [[topic, "0x" + "22" * 32]]})
    assert len(either) == len(every)
    assert web3.eth.get_logs({"fromBlock": 0, "topics": [None, None, None, None]}) == []
    log_index = [each["logIndex"] for each in of_block]
    assert log_index == sorted(set(log_index))


def test_reading_the_contract(web3: Web3, contract: Any, service: NodeService) -> None:
    assert contract.functions.quorum().call() == service.chain.genesis.quorum
    masters = contract.functions.master_count().call()
    assert masters > 0
    assert contract.functions.master_count().call(block_identifier=0) == 0
    runtime = load_artifact().runtime
    assert bytes(web3.eth.get_code(ADDRESS))[: len(runtime)] == runtime, "and then the immutables"
    slot = load_artifact().slots["master_count"]
    assert int.from_bytes(web3.eth.get_storage_at(ADDRESS, slot), "big") == masters
    assert web3.eth.get_balance(ADDRESS) == 0
    relayer = Web3.to_checksum_address(Keyring(SEED).signer("relayer").address)
    assert web3.eth.get_transaction_count(relayer) > 10
    assert web3.eth.get_transaction_count(relayer, 0) == 0


def test_a_call_that_reverts_says_why(contract: Any, web3: Web3, service: NodeService) -> None:
    now = service.chain.head.timestamp
    with pytest.raises(ContractLogicError, match="members: unknown key"):
        contract.functions.suspend_key(now, "0x" + "33" * 20).call()
    with pytest.raises((ContractLogicError, Web3RPCError), match="members: unknown key"):
        contract.functions.suspend_key(now, "0x" + "33" * 20).estimate_gas()
    assert contract.functions.quorum().estimate_gas() > 21_000


def test_a_proof_holds_against_the_state_root(web3: Web3, service: NodeService) -> None:
    slot = map_slot("keys", Keyring(SEED).signer("courier-1").address)
    block = web3.eth.get_block("latest")
    proof = web3.eth.get_proof(ADDRESS, [slot], "latest")
    account = [proof["nonce"], proof["balance"], bytes(proof["storageHash"]), bytes(proof["codeHash"])]
    nodes = [rlp.decode(bytes(each)) for each in proof["accountProof"]]
    assert HexaryTrie.get_from_proof(bytes(block["stateRoot"]), keccak(CONTRACT), nodes) == rlp.encode(account)
    stored = proof["storageProof"][0]
    inner = [rlp.decode(bytes(each)) for each in stored["proof"]]
    found = HexaryTrie.get_from_proof(bytes(proof["storageHash"]), keccak(slot.to_bytes(32, "big")), inner)
    value = int.from_bytes(bytes(stored["value"]), "big")
    assert rlp.decode(found) == value.to_bytes((value.bit_length() + 7) // 8, "big") != b""
    with pytest.raises(BadTrieProof):
        HexaryTrie.get_from_proof(b"\1" * 32, keccak(CONTRACT), nodes)


def test_anyone_may_relay_a_signed_batch(web3: Web3, service: NodeService) -> None:
    chain, keyring = service.chain, Keyring(SEED)
    signer, stranger = keyring.signer("shop-01"), Account.create()
    now = service.chain.head.timestamp
    seq = chain.state().next_seq(signer.address, 9)
    batch = Batch.signed(chain.domain, signer, lane=9, seq=seq, not_after=now + 7_200, entries=[])
    sent = {
        "to": ADDRESS, "value": 0, "gas": 500_000, "gasPrice": 0, "nonce": 0, "chainId": chain.genesis.chain_id,
        "data": calls.submit_data(batch, now),
    }  # fmt: skip
    raw = stranger.sign_transaction(sent).raw_transaction
    receipt = web3.eth.wait_for_transaction_receipt(web3.eth.send_raw_transaction(raw), timeout=30, poll_latency=0.05)
    assert receipt["status"] == 1
    assert chain.state().next_seq(signer.address, 9) == seq + 1
    with pytest.raises(Web3RPCError):
        web3.eth.send_raw_transaction(stranger.sign_transaction(sent | {"nonce": 7}).raw_transaction)


def test_a_transaction_that_pays_or_lies_is_refused(web3: Web3, service: NodeService) -> None:
    signer = Keyring(SEED).signer("courier-2")
    good = {"nonce": 0, "to": CONTRACT, "data": b"", "chain_id": service.chain.genesis.chain_id, "gas": 100_000}
    for wrong in ({"chain_id": 1}, {"gas": 1_000}, {"nonce": 5}):
        with pytest.raises(Web3RPCError):
            web3.eth.send_raw_transaction(sign_legacy(signer, **good | wrong))
    with pytest.raises(Web3RPCError):
        web3.eth.send_raw_transaction(b"\x02\xc0")


# ------------------------------------------------------------------------------------------------ what comes in
def post(url: str, **more: Any) -> httpx.Response:
    return httpx.post(url, **{"headers": {"Authorization": f"Bearer {TOKEN}"}} | more)


def request(method: str, *parameters: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(parameters)}


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": TOKEN}])
def test_nothing_without_the_token(url: str, headers: dict[str, str]) -> None:
    answer = httpx.post(url, json=request("eth_chainId"), headers=headers)
    assert answer.status_code == 401
    assert "result" not in answer.text
    assert httpx.get(f"{url}/livez").status_code == 200


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", -32700), (b"{", -32700), (b"\xff", -32700), (b"3", -32600), (b"[]", -32600), (b'{"method": 3}', -32600),
        (b'{"jsonrpc":"2.0","id":1,"method":"eth_none","params":[]}', -32601),
        (b'{"jsonrpc":"2.0","id":1,"method":"eth_getBlockByNumber","params":["x"]}', -32602),
        (b'{"jsonrpc":"2.0","id":1,"method":"eth_getBlockByNumber","params":["0x1", false, 3, 4]}', -32602),
        (b'{"jsonrpc":"2.0","id":1,"method":"eth_getBlockByNumber","params":{"tag":1}}', -32602),
        (b'{"jsonrpc":"2.0","id":1,"method":"eth_getStorageAt","params":["0x12","0x0"]}', -32602),
        (b'{"jsonrpc":"2.0","id":1,"method":"eth_sendRawTransaction","params":["zz"]}', -32602),
    ],
)  # fmt: skip
def test_malformed_calls_have_codes(url: str, body: bytes, code: int) -> None:
    answer = post(url, content=body)
    assert answer.status_code in {200, 400}
    assert answer.json()["error"]["code"] == code


def test_bodies_and_batches_are_bounded(url: str) -> None:
    assert post(url, content=b" " * (5 << 20)).status_code == 413
    many = [request("eth_chainId") for _ in range(101)]
    assert post(url, json=many).json()["error"]["code"] == -32600
    answers = post(url, json=many[:100]).json()
    assert len({each["result"] for each in answers}) == 1
    assert len(answers) == 100


def test_ranges_are_bounded(web3: Web3) -> None:
    with pytest.raises(Web3RPCError):
        web3.eth.get_logs({"fromBlock": 5, "toBlock": 1})
    with pytest.raises(Web3RPCError):
        web3.eth.get_logs({"fromBlock": 0, "toBlock": 10**9})


def test_health(url: str, service: NodeService) -> None:
    assert wait_until(lambda: httpx.get(f"{url}/readyz").status_code == 200, 5)
