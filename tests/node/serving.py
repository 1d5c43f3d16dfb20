"""A node behind real HTTP on loopback, inside the test's process."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from clients.cli.node import bind
from clients.cli.processes import KEEP_ALIVE
from node.remote import RemoteNode
from node.rpc.app import create_app
from node.service import NodeService, wait_until

TOKEN = "a token for tests"


@contextmanager
def served(service: NodeService) -> Iterator[RemoteNode]:
    """Serve a node on a free port; yield it behind RPC."""
    listener = bind("127.0.0.1", 0)
    config = uvicorn.Config(
        create_app(service, TOKEN), log_level="error", access_log=False, timeout_keep_alive=KEEP_ALIVE
    )  # fmt: skip
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    service.start()
    if not wait_until(lambda: server.started, 10):
        raise TimeoutError("the server does not start")
    node = RemoteNode(f"http://127.0.0.1:{listener.getsockname()[1]}", TOKEN)
    try:
        yield node
    finally:
        node.close()
        server.should_exit = True
        thread.join()
        service.stop()
        listener.close()
