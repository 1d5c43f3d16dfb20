"""How the buyer's commands show uses, the number and answers to people."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

from rich.table import Table

from clients.cli.buyer_texts import Words
from clients.cli.console import out

KOREA = dt.timezone(dt.timedelta(hours=9))


def korean_time(text: str) -> str:
    """Return a time of an answer as clocks in Korea show it."""
    return dt.datetime.fromisoformat(text).astimezone(KOREA).strftime("%Y-%m-%d %H:%M")


def show_uses(found: list[dict[str, Any]], say: Words, title: str = "title") -> None:
    """Show uses as a numbered table, each with what is to be known of it."""
    if not found:
        out.print(say("freeze.none" if title == "freeze.under_way" else "uses.none"), highlight=False)
        return
    table = Table(title=say(title), title_justify="left")
    for column in ("#", "id", say("use.declared_at"), say("use.shop"), say("use.goods"), say("use.courier"), ""):
        table.add_column(column, overflow="fold")
    for row, use in enumerate(found, 1):
        table.add_row(
            str(row), use["id"], korean_time(use["declared_at"]), use["shop"], use["goods"], use["courier"],
            "\n".join(_of_use(use, say)),
        )  # fmt: skip
    out.print(table)


def _of_use(use: dict[str, Any], say: Words) -> list[str]:
    """Return status, reasons, what is missing, and what the holder said."""
    lines = [say.status(use["status"]), *(say.told(each) for each in use["reasons"])]
    if use["absent"]:
        lines.append(f"{say('use.waits')}: {', '.join(say(f'absent.{name}') for name in use['absent'])}")
    if use["receiver_differs"]:
        lines.append(say("use.receiver_differs"))
    if use["answer"]:
        lines.append(say(f"answer.{use['answer']}"))
    return lines


def show_use(use: dict[str, Any], say: Words) -> None:
    """Show one use with its time line: why customs decided or holds it, and by when it answers."""
    show_uses([use], say)
    out.print(say("use.timeline"), highlight=False)
    for each in use["timeline"]:
        out.print(f"  {korean_time(each['at'])}  {say.told(each)}", highlight=False, soft_wrap=True)
        if each["ground"]:
            out.print(f"    {say('event.ground')}: {say.told(each['ground'])}", highlight=False, soft_wrap=True)
        if each["answer_due"]:
            due = f"{korean_time(each['answer_due'])} ({say('kst')})"
            out.print(f"    {say('event.answer_due')}: {due}", highlight=False, soft_wrap=True)


def show_number(found: dict[str, Any], say: Words) -> None:
    """Show how the number stands."""
    until = f" {korean_time(found['thawed_until'])} {say('number.until')}" if found["thawed_until"] else ""
    out.print(f"{say('number')}: {say('number.' + found['state'])}{until}", highlight=False)
    out.print(say(f"consent_first.is_{'on' if found['consent_first'] else 'off'}"), highlight=False)
    show_uses(found["under_way"], say, "freeze.under_way")


def show_answer(found: dict[str, Any], path: Path | None, say: Words, key: str) -> None:
    """Show an answer with its receipt."""
    out.print(say(key), highlight=False)
    if key == "answer.denied":
        out.print(say("answer.denied.next"), highlight=False, soft_wrap=True)
    receipt = found["receipt"]
    out.print(f"{say('receipt')} {found['id']}, {korean_time(found['at'])} ({say('kst')})", highlight=False)
    out.print(f"  {receipt['statement']}", highlight=False, soft_wrap=True, markup=False)
    out.print(f"  {receipt['signature']}", highlight=False, soft_wrap=True)
    out.print(f"  {say('signed_by')} {found['receipt_signer']}", highlight=False, soft_wrap=True)
    if not found["signed"]:
        out.print(say("answer.unsigned"), highlight=False)
    out.print(f"{say('kept')} {path}", highlight=False, soft_wrap=True)
