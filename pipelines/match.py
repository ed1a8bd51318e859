"""Which contact a row is, given who holds its keys. Pure: the store was asked before."""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.columns import Flags, Longs, chunked
from pipelines.names import names_agree
from pipelines.texts import fold
from schemas.frames import OWN_NUMBER, ROW, CleanFrame
from schemas.profiles import Profile


@dataclass(slots=True)
class Decision:
    """For each row: its contact (0 for a new one), and which of its keys somebody else owns.

    `held` marks phones and e-mails that the row's contact has already, in whatever role.
    `pairs` are contacts that may be one person: (row, contact or 0 for the row's own, other contact, reason).
    `renamed` marks rows whose external id is a contact's with another name: it is applied, but worth a look.
    """

    contact: Longs
    phone_taken: Flags
    email_taken: Flags
    pairs: list[tuple[int, int, int, str]] = field(default_factory=list)
    taken_further: set[tuple[int, str]] = field(default_factory=set)
    held: dict[str, Flags] = field(default_factory=dict)
    renamed: Flags = field(default_factory=lambda: np.zeros(0, bool))

    def __post_init__(self) -> None:
        if len(self.renamed) != len(self.contact):
            self.renamed = np.zeros(len(self.contact), bool)
        for kind in ("phone", "email"):
            self.held.setdefault(kind, np.zeros(len(self.contact), bool))


def row_hashes(frame: CleanFrame, version: str) -> Longs:
    """A hash of everything that each row says, under this version of its profile, whatever other rows say."""
    if not frame.num_rows:
        return np.empty(0, np.int64)
    texts: list[pa.Array] = []
    numbers = np.zeros(frame.num_rows, np.uint64)
    for name in frame.column_names:
        column = chunked(frame[name])
        if name in (ROW, "phone_match") or column.null_count == len(column):
            continue
        if pa.types.is_string(column.type):
            texts.append(pc.binary_join_element_wise("\x1e", name, column, "\x1f").fill_null(""))
        else:
            filled = chunked(pc.is_valid(column)).to_numpy(zero_copy_only=False)
            numbers ^= pd.util.hash_array(_as_numbers(column)) * _odd(name) * filled
    whole = pc.binary_join_element_wise(*texts, pa.array([version] * frame.num_rows), "")
    hashes = pd.util.hash_array(whole.to_numpy(zero_copy_only=False), categorize=False)
    return (hashes ^ numbers).view(np.int64)


def _odd(name: str) -> np.uint64:
    """A large odd number that stands for a column."""
    return np.uint64(pd.util.hash_array(np.array([name], object))[0] | 1)


def _as_numbers(column: pa.Array) -> npt.NDArray[np.generic]:
    """The values as they stand in memory, some number for null."""
    kind = pa.float64() if pa.types.is_floating(column.type) else pa.int64()
    return column.cast(kind).fill_null(-(2**52) - 1).to_numpy(zero_copy_only=False)


def decide(
    frame: CleanFrame,
    matches: pa.Table,
    profile: Profile,
    shared: dict[int, set[str]],
    barred: Flags | None = None,
) -> Decision:
    """Match each row by the profile's keys in order; a phone or e-mail alone also wants names that agree.

    `shared` names, by row, the keys that an earlier row of the same file owns; `barred` marks matches that do not make
    the row that contact.
    """
    rows = chunked(frame[ROW]).to_numpy()
    decision = Decision(np.zeros(len(rows), np.int64), np.zeros(len(rows), bool), np.zeros(len(rows), bool))
    if matches.num_rows and profile.duplicates != "create":
        _choose(decision, rows, frame, matches, profile, barred)
    if matches.num_rows:
        _mark_held(decision, rows, frame, matches)
        _mark_taken(decision, rows, frame, matches)
    _mark_shared(decision, rows, frame, matches, shared)
    return decision


def _choose(
    decision: Decision, rows: Longs, frame: CleanFrame, matches: pa.Table, profile: Profile, barred: Flags | None
) -> None:
    order = {kind: index for index, kind in enumerate(profile.match_on)}
    kinds = np.array([order.get(kind, -1) for kind in matches["kind"].to_pylist()], np.int64)
    agree = _agree(rows, frame, matches, profile)
    by_id = chunked(pc.equal(matches["kind"], "external_id")).to_numpy(zero_copy_only=False)
    agreeing = (kinds >= 0) & (agree | by_id)
    if barred is not None:
        agreeing &= ~barred
    position = np.searchsorted(rows, matches["row"].to_numpy())[agreeing]
    contact = matches["contact_id"].to_numpy()[agreeing]
    shares = (chunked(pc.not_equal(matches["role"], "owner")).to_numpy(zero_copy_only=False))[agreeing]
    own = chunked(frame[OWN_NUMBER]).fill_null(0).to_numpy()
    ranking = np.lexsort((contact, shares, kinds[agreeing], contact != own[position], position))
    position, contact = position[ranking], contact[ranking]
    where, first = np.unique(position, return_index=True)
    decision.contact[where] = contact[first]
    decision.renamed[where] = ~agree[agreeing][ranking][first]
    others = (contact != decision.contact[position]) & (decision.contact[position] != own[position])
    seen: set[tuple[int, int]] = set()
    for at, other in zip(position[others].tolist(), contact[others].tolist(), strict=True):
        if (at, other) not in seen:
            seen.add((at, other))
            decision.pairs.append((int(rows[at]), int(decision.contact[at]), other, "keys_disagree"))


def _agree(rows: Longs, frame: CleanFrame, matches: pa.Table, profile: Profile) -> Flags:
    """Whether the row's name and the contact's can be one person's."""
    if profile.names == "ignore":
        return np.ones(matches.num_rows, bool)
    at = pa.array(np.searchsorted(rows, matches["row"].to_numpy()))
    mine = fold(chunked(frame["display_name"]).take(at))
    theirs = fold(chunked(matches["display_name"]))
    same = pc.or_kleene(pc.equal(mine, theirs), pc.or_(pc.is_null(mine), pc.is_null(theirs)))
    agree = same.to_numpy(zero_copy_only=False).copy()
    for index in np.flatnonzero(~agree):
        agree[index] = names_agree(mine[int(index)].as_py(), theirs[int(index)].as_py())
    return agree


def _mark_held(decision: Decision, rows: Longs, frame: CleanFrame, found: pa.Table) -> None:
    """A phone or e-mail that the contact has already, in whatever role, does not take its own one's place."""
    position = np.searchsorted(rows, found["row"].to_numpy())
    mine = found["contact_id"].to_numpy() == decision.contact[position]
    for kind, column in (("phone", "phone_match"), ("email", "email")):
        same = chunked(pc.equal(found["kind"], kind)).to_numpy(zero_copy_only=False) & mine
        own = chunked(frame[column]).take(pa.array(position))
        held = same & pc.equal(own, chunked(found["value"])).fill_null(False).to_numpy(zero_copy_only=False)
        decision.held[kind][position[held]] = True


def _mark_taken(decision: Decision, rows: Longs, frame: CleanFrame, matches: pa.Table) -> None:
    """Keys of the row that another contact owns stay with that contact."""
    owned = matches.filter(pc.equal(matches["role"], "owner"))
    position = np.searchsorted(rows, owned["row"].to_numpy())
    other = owned["contact_id"].to_numpy() != decision.contact[position]
    mine = {"phone": chunked(frame["phone_match"]), "email": chunked(frame["email"])}
    flags = {"phone": decision.phone_taken, "email": decision.email_taken}
    known = {(row, second) for row, _, second, _ in decision.pairs}
    kinds, values, contacts = (owned[name].to_pylist() for name in ("kind", "value", "contact_id"))
    for index in np.flatnonzero(other).tolist():
        at, kind = int(position[index]), kinds[index]
        if kind in mine and mine[kind][at].as_py() == values[index]:
            flags[kind][at] = True
        else:
            decision.taken_further.add((int(rows[at]), f"{kind}:{values[index]}"))
        pair = (int(rows[at]), contacts[index])
        if pair not in known:
            known.add(pair)
            decision.pairs.append((pair[0], int(decision.contact[at]), pair[1], "key_shared"))


def _mark_shared(
    decision: Decision, rows: Longs, frame: CleanFrame, found: pa.Table, shared: dict[int, set[str]]
) -> None:
    """Keys that an earlier row of the file owns, unless the row's contact has them already."""
    has = _keys_had(decision, rows, found) if shared else {}
    for row, keys in shared.items():
        at = int(np.searchsorted(rows, row))
        if at >= len(rows) or rows[at] != row:
            continue
        phone, email = frame["phone_match"][at].as_py(), frame["email"][at].as_py()
        decision.phone_taken[at] |= f"phone:{phone}" in keys and not decision.held["phone"][at]
        decision.email_taken[at] |= f"email:{email}" in keys and not decision.held["email"][at]
        keys = keys - has.get(row, set()) - {f"phone:{phone}", f"email:{email}"}
        decision.taken_further |= {(row, key) for key in keys}


def _keys_had(decision: Decision, rows: Longs, found: pa.Table) -> dict[int, set[str]]:
    """By row, those of its keys that its contact has."""
    mine = found["contact_id"].to_numpy() == decision.contact[np.searchsorted(rows, found["row"].to_numpy())]
    had: dict[int, set[str]] = {}
    for key in found.filter(pa.array(mine)).to_pylist():
        had.setdefault(key["row"], set()).add(f"{key['kind']}:{key['value']}")
    return had
