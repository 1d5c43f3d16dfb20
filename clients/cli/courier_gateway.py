"""`clearance courier gateway`: a server inside the courier's network that takes scans and signs them there."""

from __future__ import annotations

from typing import Annotated

import typer

from clients.cli.console import err, errors, out
from clients.cli.desk import HOME, Clock, HomeFolder, desk
from clients.cli.listen import Name, OwnKey, Seed, signer_of
from clients.cli.session import API, Api, NodeInstead, Pass, Token
from ledger.domain.errors import LedgerError


def gateway(
    host: Annotated[str, typer.Option(help="Address to listen on; callers must name it. HTTP only.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on, 0 for any free one.")] = 8700,
    api: Api = API, node: NodeInstead = "", token: Token = "", key: OwnKey = None,
    passphrase_file: Pass = None, demo_seed: Seed = None, name: Name = "courier-1", home: HomeFolder = HOME,
) -> None:  # fmt: skip
    """Take scans from the courier's own systems over HTTP, sign them with its key, and send them; until stopped.

    What was answered with 202 is on disk: it is sent after a kill or a power cut too. Callers send the token of the
    folder's gateway.token: POST /scans (text/csv), POST /capture (EPCIS 2.0 JSON), GET /tickets/N, GET /spool.
    Example: clearance courier gateway --key courier.json --api https://gateway.example
    """
    import signal
    import threading

    from clients.cli.api import master_key
    from clients.gateway.server import Endpoint, Server
    from clients.sender import Sender

    with errors():
        signer = signer_of(key, passphrase_file, demo_seed, name)
        stop = threading.Event()
        for each in (signal.SIGTERM, signal.SIGINT):
            signal.signal(each, lambda *_: stop.set())
        with desk(home, api, node, token, signer) as at:
            clock = Clock(at)
            endpoint = Endpoint(at.spool, at.book, master_key(home, "gateway.token").hex(), clock.now)
            try:
                server = Server(host, port, endpoint)
            except OSError as error:
                raise PortTaken(f"{host}:{port}: {error.strerror}.", hint="Give another --host or --port.") from error
            serving = threading.Thread(target=server.serve_forever, daemon=True)
            serving.start()
            out.print(f"courier gateway at {server.url}; token in {home / 'gateway.token'}", highlight=False)

            def told(trouble: LedgerError | None) -> None:
                if trouble and (endpoint.trouble is None or endpoint.trouble.code != trouble.code):
                    err.print(f"[yellow]waits[/yellow] {trouble.code}: {trouble.detail}", highlight=False)
                endpoint.trouble = trouble
                if trouble is None:
                    clock.look()

            try:
                Sender(at.spool, at.gate).serve(stop, told)
            finally:
                server.shutdown()
                server.server_close()


class PortTaken(LedgerError):
    """Another program listens there."""

    code = "port.taken"
