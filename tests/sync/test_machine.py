"""Both sides of a sync as people, a CRM and accidents drive them, in any order; and what has to hold in the end.

The promises (docs/explanations/sync.md): it comes to rest (I1), no value that somebody typed is lost without a trace
(I2), nobody is there twice (I3), who was deleted stays so (I4), nobody's way of writing is changed (I6), and an opt-out
is never taken back (I7).
"""

import os
import shutil
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from schemas.settings import Settings
from tests.sync.memory_crm import MemoryCrm, Server, with_
from tests.sync.syncing import Sync, mapping
from warehouse.engines import open_engine

FIELDS = {"city": "city", "last_name": "lastname"}
"""What people edit, by its name here and there; every value that is typed is another one."""
VARIANTS: dict[str, dict[str, Any]] = {
    "token": {"create": "token", "conditional": True},
    "probe": {"create": "probe", "conditional": False, "batch_update": 1, "batch_create": 1},
    "lagging": {"create": "token", "conditional": True, "fresh_listing": False},
    "vanishing": {"create": "token", "conditional": True},
}
FAULTS = st.lists(st.sampled_from([None, None, None, "before", "after", "throttled"]), max_size=6)
PICK = st.integers(0, 5)
FIELD = st.sampled_from(sorted(FIELDS))


class Crash(BaseException):
    """The process dies."""


class SyncMachine(RuleBasedStateMachine):
    """One store and one CRM."""

    template: Path
    variant = "token"
    conflict = "edit_wins"

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(
            tempfile.mkdtemp(prefix="padron-machine-", dir="/dev/shm" if Path("/dev/shm").exists() else None)
        )
        shutil.copy(self.template, self.folder / "padron.db")
        engine = open_engine(f"sqlite:///{self.folder / 'padron.db'}")
        self.sync = Sync(engine, Settings(home=self.folder, default_country="CO"))
        self.sync.connect(mapping(delete={"most": 100, "conflict": self.conflict}))
        with_(self.sync.crm, **VARIANTS[self.variant])
        self.sync.crm.redirects = self.variant != "vanishing"
        self.typed: dict[str, tuple[str, str]] = {}
        self.deleted: set[str] = set()
        self.merged: set[str] = set()  # or gone before both sides were linked
        self.out: set[str] = set()
        self.phones: dict[str, str] = {}
        self.count = 0

    def teardown(self) -> None:
        try:
            self.check()
        finally:
            self.sync.store.dispose()
            shutil.rmtree(self.folder, ignore_errors=True)

    # ── people ───────────────────────────────────────────────────────────────────────────────────────────────────

    @initialize()
    def begin(self) -> None:
        self.create_here()
        self.create_there()
        self.run_whole()

    def new_value(self) -> str:
        self.count += 1
        return f"v{self.count}"

    @rule()
    def create_here(self) -> None:
        value = self.new_value()
        self.sync.create(first_name="Ana", email=f"{value}@example.org", city=value)
        self.typed[value] = ("here", f"{value}@example.org")

    @rule()
    def create_there(self) -> None:
        value = self.new_value()
        phone = f"300 111 {self.count:04}"
        email = f"{value}@example.org"
        id_ = self.sync.server.add({"firstname": "Eva", "email": email, "city": value, "phone": phone})
        self.typed[value] = ("there", email)
        self.phones[id_] = phone

    @rule()
    def create_on_both(self) -> None:
        value = self.new_value()
        self.sync.create(first_name="Ana", email=f"{value}@example.org", city=value)
        self.sync.server.add({"firstname": "Ana", "email": f"{value}@example.org"})
        self.typed[value] = ("here", f"{value}@example.org")

    def here(self, pick: int) -> tuple[int, str] | None:
        found = self.sync.rows(
            "SELECT id, email FROM contacts WHERE deleted_at IS NULL AND status != 'archived' ORDER BY id"
        )
        return found[pick % len(found)] if found else None  # type: ignore[return-value]

    def there(self, pick: int) -> tuple[str, str] | None:
        found = self.sync.server.living()
        if not found:
            return None
        id_ = found[pick % len(found)]
        return id_, str(self.sync.server.records[id_].values["email"])

    @rule(pick=PICK, field=FIELD)
    def edit_here(self, pick: int, field: str) -> None:
        if one := self.here(pick):
            value = self.new_value()
            had = self.sync.rows(f"SELECT {field} FROM contacts WHERE id = {one[0]}")[0][0]
            self.typed.pop(had, None)
            self.sync.edit(one[0], **{field: value})
            self.typed[value] = ("here", one[1])

    @rule(pick=PICK, field=FIELD)
    def edit_there(self, pick: int, field: str) -> None:
        if one := self.there(pick):
            self._edit_there(one, FIELDS[field])

    def _edit_there(self, one: tuple[str, str], field: str) -> None:
        value = self.new_value()
        self.typed.pop(self.sync.server.records[one[0]].values.get(field) or "", None)
        self.sync.server.change(one[0], {field: value})
        self.typed[self.sync.server.records[one[0]].values[field]] = ("there", one[1])

    @rule(pick=PICK, tag=st.sampled_from(["vip", "new", "old"]), adds=st.booleans())
    def tag_here(self, pick: int, tag: str, adds: bool) -> None:
        if one := self.here(pick):
            had = {
                name
                for (name,) in self.sync.rows(
                    "SELECT t.name FROM tags t JOIN contact_tags c ON c.tag_id = t.id WHERE c.contact_id = :id",
                    id=one[0],
                )
            }
            self.sync.edit(one[0], tags=sorted(had | {tag} if adds else had - {tag}))

    @rule(pick=PICK, tag=st.sampled_from(["vip", "new", "old"]), adds=st.booleans())
    def tag_there(self, pick: int, tag: str, adds: bool) -> None:
        if one := self.there(pick):
            had = set(filter(None, (self.sync.server.records[one[0]].values.get("tags") or "").split(";")))
            self.sync.server.change(one[0], {"tags": ";".join(sorted(had | {tag} if adds else had - {tag})) or None})

    @rule(pick=PICK)
    def delete_here(self, pick: int) -> None:
        if one := self.here(pick):
            is_known = (one[0], "active") in [(contact, state) for contact, _, state, _ in self.sync.links()]
            self.sync.archive(one[0])
            (self.deleted if is_known else self.merged).add(one[1])

    @rule(pick=PICK, for_good=st.booleans())
    def delete_there(self, pick: int, for_good: bool) -> None:
        if one := self.there(pick):
            (self.sync.server.purge if for_good else self.sync.server.archive)(one[0])
            is_known = (one[0], "active") in [(remote, state) for _, remote, state, _ in self.sync.links()]
            (self.deleted if is_known else self.merged).add(one[1])
            self.out -= {one[1]} if for_good or not is_known else set()  # nobody may have read it

    @rule(one=PICK, two=PICK)
    def merge_there(self, one: int, two: int) -> None:
        winner, loser = self.there(one), self.there(two)
        if winner and loser and winner[0] != loser[0]:
            self.sync.server.merge(winner[0], loser[0])
            self.merged.add(loser[1])
            self.out -= {loser[1]}

    @rule(pick=PICK)
    def opt_out_there(self, pick: int) -> None:
        if one := self.there(pick):
            self.sync.server.change(one[0], {"optout": True})
            self.out.add(one[1])

    @rule(pick=PICK)
    def opt_in_there(self, pick: int) -> None:
        """Somebody ticks the box off in the CRM; before it was read, that is as if it had never been ticked."""
        if (one := self.there(pick)) and one[1] not in self.out:
            self.sync.server.change(one[0], {"optout": False})

    # ── accidents ────────────────────────────────────────────────────────────────────────────────────────────────

    @rule(hidden=st.sampled_from(["", "city", "lastname"]))
    def hide_field(self, hidden: str) -> None:
        self.sync.server.hidden = {hidden} - {""}

    @rule(picks=st.lists(PICK, max_size=3), forged=st.booleans())
    def call(self, picks: list[int], forged: bool) -> None:
        ids = sorted(self.sync.server.records) + sorted(self.sync.server.purged)
        said = [ids[pick % len(ids)] for pick in picks if ids] + (["r99999"] if forged else [])
        self.sync.call(" ".join(said) or "nonsense")

    @rule(faults=FAULTS, dies_at=st.none() | st.integers(1, 15), sweeps=st.booleans())
    def run(self, faults: list[Any], dies_at: int | None, sweeps: bool) -> None:
        self.sync.crm.faults = faults
        self._run(dies_at, sweeps=sweeps)
        self.sync.crm.faults = []

    @rule()
    def run_whole(self) -> None:
        self._run(None)

    @precondition(lambda self: VARIANTS[self.variant]["conditional"])
    @rule(pick=PICK, field=FIELD)
    def run_while_somebody_edits_there(self, pick: int, field: str) -> None:
        self.sync.crm.before_write = self._once(lambda: self.edit_there(pick, field))
        self._run(None)
        self.sync.crm.before_write = lambda: None

    @rule(pick=PICK, field=FIELD)
    def run_while_somebody_edits_here(self, pick: int, field: str) -> None:
        self.sync.crm.before_write = self._once(lambda: self.edit_here(pick, field))
        self._run(None)
        self.sync.crm.before_write = lambda: None

    @rule(pick=PICK, field=FIELD)
    def run_while_somebody_edits_here_just_after_it_was_read(self, pick: int, field: str) -> None:
        edit = self._once(lambda: self.edit_here(pick, field))
        self._run(None, at_step=lambda name: edit() if name == "decided" else None)

    def _once(self, act: Callable[[], None]) -> Callable[[], None]:
        left = [act]
        return lambda: left.pop()() if left else None

    def _run(
        self, dies_at: int | None, *, sweeps: bool = False, at_step: Callable[[str], None] = lambda name: None
    ) -> None:
        steps = [dies_at]

        def step(name: str) -> None:
            at_step(name)
            if steps[0] is not None:
                steps[0] -= 1
                if steps[0] == 0:
                    raise Crash(name)

        with suppress(Crash):
            self.sync.run(step=step, sweeps=sweeps)

    # ── what holds in the end ────────────────────────────────────────────────────────────────────────────────────

    def check(self) -> None:
        self.sync.server.hidden = set()
        self.sync.crm.faults = []
        self.sync.until_quiet()
        records = self.sync.server.records
        living = self.sync.rows("SELECT id, email FROM contacts WHERE deleted_at IS NULL AND status != 'archived'")
        mails_here = [email for _, email in living]
        mails_there = [records[id_].values["email"] for id_ in self.sync.server.living()]
        assert len(set(mails_there)) == len(mails_there), "I3: somebody is there twice"
        assert len(set(mails_here)) == len(mails_here), "I3: somebody is here twice"
        pairs = [(one, two) for one, two, state, _ in self.sync.links() if state == "active"]
        assert len({one for one, _ in pairs}) == len(pairs) == len({two for _, two in pairs}), "I3: two links of one"
        self.check_nothing_lost()
        if self.conflict == "delete_wins":
            back = self.deleted & {*mails_here, *mails_there}
            assert not back, f"I4: came back: {back}"
        for id_, phone in self.phones.items():
            assert id_ not in records or records[id_].values["phone"] == phone, f"I6: {id_} had {phone}"
        self.check_opt_outs(pairs)

    def check_nothing_lost(self) -> None:
        """I2: every typed value that nobody typed over stands somewhere, is kept in a conflict, or was deleted."""
        found = {str(value) for row in self.sync.rows("SELECT city, last_name FROM contacts") for value in row}
        for record in self.sync.server.records.values():
            found |= {str(record.values.get(name)) for name in FIELDS.values()}
        kept = str(self.sync.rows("SELECT local, remote FROM conflicts"))
        for value, (side, email) in self.typed.items():
            is_there = value in found or f'"{value}"' in kept or f"'{value}'" in kept
            assert is_there or email in self.deleted | self.merged, f"I2: {value} of {email}, typed {side}, is lost"

    def check_opt_outs(self, pairs: list[tuple[Any, Any]]) -> None:
        for contact, remote in pairs:
            record = self.sync.server.records.get(remote)
            if record is not None and record.values["email"] in self.out:
                states = self.sync.rows(
                    "SELECT state FROM consents WHERE contact_id = :id AND channel = 'all'", id=contact
                )
                assert states == [("out",)], "I7: an opt-out was not taken"
                assert record.values["optout"] is True, "I7: an opt-out was taken back"


def machine(template: Path, variant: str, conflict: str) -> type[SyncMachine]:
    return type("Machine", (SyncMachine,), {"template": template, "variant": variant, "conflict": conflict})


def drive(template: Path, variant: str, conflict: str, examples: int, steps: int) -> None:
    found = machine(template, variant, conflict)
    run_state_machine_as_test(found, settings=settings(max_examples=examples, stateful_step_count=steps))


@pytest.mark.parametrize("conflict", ["edit_wins", "delete_wins"])
@pytest.mark.parametrize("variant", VARIANTS)
def test_it_converges_whatever_happens(sqlite_template: Path, variant: str, conflict: str) -> None:
    drive(sqlite_template, variant, conflict, examples=6, steps=20)


@pytest.mark.slow
@pytest.mark.timeout(1500)
@pytest.mark.parametrize("conflict", ["edit_wins", "delete_wins"])
@pytest.mark.parametrize("variant", VARIANTS)
def test_it_converges_in_many_ways(sqlite_template: Path, variant: str, conflict: str) -> None:
    drive(sqlite_template, variant, conflict, examples=int(os.environ.get("MACHINE_EXAMPLES", "100")), steps=25)


def test_the_crm_in_memory_merges_as_real_ones_do() -> None:
    crm = MemoryCrm(Server())
    one, two = (crm.server.add({"email": email}) for email in ("a@example.org", "b@example.org"))
    crm.server.merge(one, two)

    assert crm.read([two])[two].id == one
