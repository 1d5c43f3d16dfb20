"""The `clearance` command: composition roots of every process."""

from __future__ import annotations

import typer

from clients.cli import (
    api,
    audit,
    audit_said,
    backup,
    buyer,
    courier,
    customs,
    demo,
    imports,
    members,
    node,
    restore,
    run,
    seller,
    up,
)

app = typer.Typer(
    name="clearance",
    help="Clearance Ledger: sellers, couriers and customs sign, the contract clears, anyone entitled audits.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

app.command("demo")(demo.demo)
app.command("score")(demo.score)
app.command("run")(run.run)
app.command("up")(up.up)
app.command("backup")(backup.backup)
app.command("restore")(restore.restore)
for each in (audit_said.receipts, audit_said.answers, audit_said.orders, audit_said.key):
    audit.app.command()(each)
app.add_typer(audit.app, name="audit")
app.add_typer(node.app, name="node")
app.add_typer(api.app, name="api")
app.add_typer(imports.app, name="import")
app.add_typer(seller.app, name="seller")
app.add_typer(courier.app, name="courier")
app.add_typer(buyer.app, name="buyer")
app.add_typer(customs.app, name="customs")
app.add_typer(members.app, name="members")
