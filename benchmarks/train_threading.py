"""Fit the weights of `listserver.lists.decision` on archives whose headers tell the truth.

    .venv/bin/python benchmarks/train_threading.py ARCHIVE… [--test ARCHIVE…]

Each archive is threaded without its threading fields, once with its quote marks and once without; before each post is
placed, its candidates are weighed, and the header says which was the right one. The weights are those of a conditional
logit (McFadden 1974): Newton's method on the penalised likelihood, standard library only. Posts whose true parent is not
among the candidates teach nothing here; `benchmarks/threading.py` counts them. Prints the weights as a table for
`decision.WEIGHTS`, and how often the likeliest alternative was right, on the archives fitted to and on those of --test.
"""

from __future__ import annotations

import argparse
import math
import sys
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from archives import Truth, read_archive, read_truth, strip
from sqlalchemy.engine import Connection

from listserver.flows import relinking, threading, weighing
from listserver.flows.weighing import Gathered
from listserver.lists.fingerprints import read_post
from listserver.lists.matching import FEATURES
from listserver.mail.parse import parse_message
from listserver.store import posts, schema
from listserver.store.engine import Database
from listserver.store.tables import Original

LIST_ID = 1
PENALTY = 0.3  # of squared weights: a ridge, so that rare figures stay small
ROUNDS = 30
Vector = list[float]
Alternative = tuple[tuple[int, float], ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """The alternatives of one post, and which was right."""

    right: int
    alternatives: tuple[Alternative, ...]


def main() -> None:
    """Read, fit, tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archives", nargs="+", type=Path)
    parser.add_argument("--test", nargs="*", type=Path, default=[])
    parser.add_argument("--limit", type=int, default=0)
    given = parser.parse_args()
    learnt = {path.name: choices(path, given.limit) for path in given.archives}
    weights = fit([choice for each in learnt.values() for choice in each])
    for name, weight in zip(FEATURES, weights, strict=True):
        if abs(weight) >= 0.005:
            print(f'    "{name}": {weight:.2f},')
    for path in given.test:
        learnt[f"{path.name} (not fitted to)"] = choices(path, given.limit)
    for title, found in learnt.items():
        right = sum(_likeliest(weights, each) == each.right for each in found)
        print(f"{title}: right {right / max(len(found), 1):.4f} of {len(found)}", file=sys.stderr)


def choices(path: Path, limit: int) -> list[Choice]:
    """What the posts of an archive had to choose from, with their quote marks and without."""
    messages = list(read_archive(path, limit))
    truth = read_truth(messages)
    found: list[Choice] = []
    for unmark in (False, True):
        with tempfile.TemporaryDirectory() as folder:
            database = Database(f"sqlite:///{folder}/listserver.db", durability="relaxed")
            schema.upgrade(database)
            stripped = [strip(raw, unmark=unmark) for raw in messages]
            database.write(lambda connection, all_of_it=stripped: found.extend(_thread(connection, all_of_it, truth)))  # type: ignore[misc]
            database.close()
    return found


def _thread(connection: Connection, messages: list[bytes], truth: dict[str, Truth]) -> list[Choice]:
    found: dict[str, Choice | None] = {}
    now = datetime.now(UTC)
    number = 0
    for raw in messages:
        parsed = parse_message(raw)
        message_id = parsed.ids.message_id
        if message_id is None or message_id in found:
            continue
        number += 1
        clues = weighing.newcomer(
            parsed, read_post(raw, parsed.header), message_id, parsed.date or datetime(2000, 1, 1, tzinfo=UTC)
        )
        connection.execute(sa.insert(Original), {"list_id": LIST_ID, "id": number, "raw": raw})
        found[message_id] = _choice(weighing.gather(connection, LIST_ID, clues), truth.get(message_id.strip("<>")))
        held = threading.look_up(connection, LIST_ID, message_id, parsed.ids)
        placed = threading.place(connection, LIST_ID, number, message_id, parsed.ids, None, now, held=held, clues=clues)
        posts.add(connection, _row(number, message_id, clues, placed, now))
        relinking.look_again(connection, LIST_ID, placed.look_again, now)
    return [choice for choice in found.values() if choice is not None]


def _row(number: int, message_id: str, clues: Any, placed: Any, now: datetime) -> dict[str, object]:
    return {
        "list_id": LIST_ID,
        "number": number,
        "original_id": number,
        "incoming_id": None,
        "member_id": None,
        "message_id": message_id,
        "content_hash": b"",
        "token": str(number),
        "size": 0,
        "flags": "",
        "accepted_at": now,
        "author_name": clues.author.name,
        "author_address": clues.author.address,
        "date": datetime.fromtimestamp(clues.written, UTC),
        "subject": clues.subject,
        "base_subject": clues.base_subject,
        "conversation": placed.conversation,
        "parent": placed.parent,
        "kind": placed.kind,
        "score": placed.score,
    }


def _choice(gathered: Gathered, true: Truth | None) -> Choice | None:
    """None where the header does not say, or where the right post is not among the candidates."""
    ids = [each.held.message_id.strip("<>") if each.held is not None else None for each in gathered.weighed]
    if true is None or len(ids) < 2 or (true.parent is None and (true.has_fields or true.is_reply)) or true.parent not in ids:
        return None
    return Choice(ids.index(true.parent), tuple(tuple(each.figures.items()) for each in gathered.weighed))


def fit(data: list[Choice]) -> Vector:
    """The weights that make the right alternatives likeliest."""
    size = len(FEATURES)
    weights = [0.0] * size
    for _round in range(ROUNDS):
        gradient = [-PENALTY * weight for weight in weights]
        curvature = [[PENALTY * (row == column) for column in range(size)] for row in range(size)]
        for choice in data:
            _add(choice, weights, gradient, curvature)
        step = _solve(curvature, gradient)
        length = math.sqrt(sum(each * each for each in step))
        scale = min(1.0, 4.0 / length) if length else 0.0
        weights = [weight + scale * each for weight, each in zip(weights, step, strict=True)]
        if length < 1e-3:
            break
    return weights


def _shares(weights: Vector, choice: Choice) -> Vector:
    sums = [sum(weights[index] * value for index, value in each) for each in choice.alternatives]
    top = max(sums)
    shares = [math.exp(each - top) for each in sums]
    total = sum(shares)
    return [each / total for each in shares]


def _likeliest(weights: Vector, choice: Choice) -> int:
    shares = _shares(weights, choice)
    return shares.index(max(shares))


def _add(choice: Choice, weights: Vector, gradient: Vector, curvature: list[Vector]) -> None:
    """One post's part of the gradient and of the curvature of the likelihood."""
    shares = _shares(weights, choice)
    if shares[choice.right] > 0.99999:
        return
    mean: dict[int, float] = {}
    for place, (share, alternative) in enumerate(zip(shares, choice.alternatives, strict=True)):
        for index, value in alternative:
            gradient[index] += ((place == choice.right) - share) * value
            mean[index] = mean.get(index, 0.0) + share * value
        if share > 1e-6:
            for index, value in alternative:
                row, part = curvature[index], share * value
                for column, other in alternative:
                    row[column] += part * other
    for index, value in mean.items():
        row = curvature[index]
        for column, other in mean.items():
            row[column] -= value * other


def _solve(matrix: list[Vector], right: Vector) -> Vector:
    """Gaussian elimination with pivots."""
    size = len(right)
    rows = [[*line, value] for line, value in zip(matrix, right, strict=True)]
    for column in range(size):
        pivot = max(range(column, size), key=lambda row: abs(rows[row][column]))
        rows[column], rows[pivot] = rows[pivot], rows[column]
        for row in range(column + 1, size):
            factor = rows[row][column] / rows[column][column]
            if factor:
                rows[row] = [a - factor * b for a, b in zip(rows[row], rows[column], strict=True)]
    answer = [0.0] * size
    for row in range(size - 1, -1, -1):
        answer[row] = (rows[row][size] - sum(rows[row][k] * answer[k] for k in range(row + 1, size))) / rows[row][row]
    return answer


if __name__ == "__main__":
    main()
