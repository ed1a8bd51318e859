"""Who may come in: signing in with a seat, staying by being heard of, signing out."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from pipelines.emails import normalise_email
from pipelines.operators import check_power, end_access, known_roles
from pipelines.passwords import digest, hashed_anew, is_password, new_secret
from pipelines.tries import WINDOW, begin_try
from schemas.errors import InputError
from warehouse import audit, licences, operators, sessions
from warehouse.access_tables import operator_sessions
from warehouse.audit import Asked
from warehouse.engines import Store, reading, transaction
from warehouse.licences import Licence, Seat
from warehouse.operators import Operator
from warehouse.sessions import Session

SEEN_EVERY = timedelta(seconds=15)


class SignInRefused(InputError):
    """The e-mail or the password is not right; which one is not said."""


class MayNotComeIn(InputError):
    """The operator is who they say, and yet may not sign in; the message says why, and whom to ask."""

    def __init__(self, code: str, english: str, spanish: str) -> None:
        super().__init__(english, spanish)
        self.code = code


class NoSeatFree(MayNotComeIn):
    """Every seat of the licence is taken."""


class OpenConversations(InputError):
    """The operator has open conversations, and may not leave them."""


@dataclass(frozen=True, slots=True)
class Lasting:
    """How long a session stands unused, and how long at most."""

    idle: timedelta = timedelta(minutes=15)
    longest: timedelta = timedelta(hours=12)


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A session with its secret, which is told this once."""

    secret: str
    session: Session
    operator: Operator


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: an operator in a session, or a machine by a token; and what they may do."""

    actor: str
    permissions: frozenset[str]
    operator: Operator | None = None
    session: Session | None = None


def sign_in(
    store: Store, email: str, password: str, asked: Asked, *, user_agent: str | None, lasting: Lasting
) -> SignedIn:
    """Check who it is, claim a seat of their licence, and open a session; raises what stands above."""
    match = normalise_email(email.strip()) or email.strip().casefold()[:200]
    with transaction(store) as connection:
        operator = operators.operator_of(connection, match)
        attempt = begin_try(connection, match, asked, operator.id if operator else None)
        kept = operators.password_hash(connection, operator.id) if operator else None
    if not is_password(password, kept) or operator is None:
        if operator is not None:
            with transaction(store) as connection:
                audit.add_entry(connection, asked, "sessions:refused", f"operator:{operator.id}")
        raise SignInRefused("The e-mail or the password is not right.", "El correo o la contraseña no son correctos.")
    mine = replace(asked, actor=f"operator:{operator.id}")
    with transaction(store) as connection:
        sessions.forget_attempt(connection, attempt)
    anew = hashed_anew(password, kept or "")
    with transaction(store) as connection:
        licence = licences.lock_licence(connection, operator.licence_id) if operator.licence_id else None
        operators.lock_operator(connection, operator.id)
        operator = operators.get_operator(connection, operator.id)
        may = _check_may_come_in(connection, operator, licence, kept, mine.at)
        assert licence is not None
        seat = _claim(connection, licence, operator, mine.at, lasting, tells_who="licences:read" in may)
        if anew != kept:
            operators.keep_hash(connection, operator.id, anew)
        sessions.forget_attempts(connection, mine.at - WINDOW, match)
        signed_in = _open_session(connection, operator, seat, mine, user_agent, lasting)
        audit.add_entry(connection, mine, "sessions:sign_in", f"operator:{operator.id}", None, {"seat": seat})
    return signed_in


def _check_may_come_in(
    connection: Connection, operator: Operator, licence: Licence | None, kept: str | None, now: datetime
) -> frozenset[str]:
    """What the operator may do; raises MayNotComeIn with a sentence that says whom to ask."""
    if operators.password_hash(connection, operator.id) != kept or (licence and licence.id != operator.licence_id):
        raise SignInRefused(
            "The password or the licence was changed just now. Sign in again.",
            "La contraseña o la licencia acaba de cambiar. Inicie sesión otra vez.",
        )
    if not operator.is_active:
        raise MayNotComeIn(
            "inactive",
            f"Your account is inactive. Ask {whom_to_ask(connection, 'en')} to activate it.",
            f"Su cuenta está inactiva. Pida a {whom_to_ask(connection, 'es')} que la active.",
        )
    if not operator.roles:
        raise MayNotComeIn(
            "no_role",
            f"You have no role yet, so there is nothing you may do. Ask {whom_to_ask(connection, 'en')} for one.",
            f"Todavía no tiene un rol, así que no puede hacer nada. Pídalo a {whom_to_ask(connection, 'es')}.",
        )
    if licence is None:
        raise MayNotComeIn(
            "no_licence",
            f"You have no licence yet. Ask {whom_to_ask(connection, 'en')} for one.",
            f"Todavía no tiene licencia. Pídala a {whom_to_ask(connection, 'es')}.",
        )
    if not licence.is_valid(now):
        raise MayNotComeIn(
            "licence_not_valid",
            f"The licence {licence.name!r} is not valid now ({_period(licence)}). Ask {whom_to_ask(connection, 'en')}.",
            f"La licencia {licence.name!r} no está vigente ({_period(licence)}). Avise a "
            f"{whom_to_ask(connection, 'es')}.",
        )
    return permissions_of(connection, operator)


def permissions_in(store: Store, operator: Operator) -> frozenset[str]:
    """What an operator may do, as the store has it now."""
    with reading(store) as connection:
        return permissions_of(connection, operator)


def _period(licence: Licence) -> str:
    start, end = (f"{at:%Y-%m-%d}" if at else "…" for at in (licence.valid_from, licence.valid_until))
    return f"{start} – {end}"


def whom_to_ask(connection: Connection, language: str) -> str:
    """The administrators, by name and e-mail: at most three of them."""
    numbers = sorted(operators.active_with_role(connection, "administrator"))[:3]
    found = [operators.get_operator(connection, number) for number in numbers]
    nobody = "un administrador" if language == "es" else "an administrator"
    return ", ".join(f"{one.name} <{one.email}>" for one in found) or nobody


def permissions_of(connection: Connection, operator: Operator) -> frozenset[str]:
    return frozenset().union(*known_roles(connection, operator.roles).values())


def _claim(
    connection: Connection, licence: Licence, operator: Operator, now: datetime, lasting: Lasting, *, tells_who: bool
) -> int:
    """A seat of the licence, which is locked: one's own again, or a free one."""
    licences.end_silent(connection, licence.id, now)
    until = now + lasting.idle if licence.holding == "floating" else None
    own = licences.seat_of(connection, operator.id)
    if own is not None and own.licence_id == licence.id:
        if until is not None:
            licences.renew_seat(connection, own.id, until)
        return own.id
    taken = licences.taken_seats(connection, licence.id)
    if len(taken) >= licence.seats:
        raise _no_seat(connection, licence, taken, now, tells_who=tells_who)
    return licences.take_seat(connection, licence.id, operator.id, now, until)


def _no_seat(
    connection: Connection, licence: Licence, taken: list[Seat], now: datetime, *, tells_who: bool
) -> NoSeatFree:
    if not licence.seats:
        return NoSeatFree(
            "no_seat",
            f"The licence {licence.name!r} has no seats. Ask {whom_to_ask(connection, 'en')}.",
            f"La licencia {licence.name!r} no tiene puestos. Avise a {whom_to_ask(connection, 'es')}.",
        )
    english = f"All {licence.seats} seats of the licence {licence.name!r} are taken"
    spanish = f"Los {licence.seats} puestos de la licencia {licence.name!r} están ocupados"
    if licence.seats == 1:
        english = f"The only seat of the licence {licence.name!r} is taken"
        spanish = f"El único puesto de la licencia {licence.name!r} está ocupado"
    if tells_who:
        names = ", ".join(operators.get_operator(connection, seat.operator_id).name for seat in taken[:10])
        english, spanish = f"{english}, by {names}", f"{spanish}: {names}"
    frees = taken[0].lease_until if taken else None
    if frees is not None:
        minutes = max(1, round((frees - now).total_seconds() / 60))
        english += f". The next is free in about {minutes} min if its operator stays silent, or at once on sign-out"
        spanish += f". El siguiente queda libre en unos {minutes} min si su operador no da señales, o al cerrar sesión"
    english += f". Ask {whom_to_ask(connection, 'en')} for more seats."
    spanish += f". Para más puestos, avise a {whom_to_ask(connection, 'es')}."
    return NoSeatFree("no_seat", english, spanish)


def _open_session(
    connection: Connection, operator: Operator, seat: int, asked: Asked, user_agent: str | None, lasting: Lasting
) -> SignedIn:
    secret = new_secret("session")
    values = {
        "operator_id": operator.id,
        "seat_id": seat,
        "created_at": asked.at,
        "seen_at": asked.at,
        "lease_until": asked.at + lasting.idle,
        "absolute_until": asked.at + lasting.longest,
        "address": asked.address,
        "user_agent": (user_agent or "")[:300] or None,
    }
    return SignedIn(secret, sessions.add_session(connection, digest(secret), values), operator)


# ── being in ─────────────────────────────────────────────────────────────────────────────────────────────────────


def caller_of_session(store: Store, secret: str, now: datetime, lasting: Lasting) -> Caller | None:
    """Who shows this secret, if their session stands; being heard of keeps it, and the seat."""
    with reading(store) as connection:
        session = sessions.session_of(connection, digest(secret))
        if session is None or not session.is_open(now):
            return None
        operator = operators.get_operator(connection, session.operator_id)
        caller = Caller(f"operator:{operator.id}", permissions_of(connection, operator), operator, session)
    if not operator.is_active:
        return None
    if now - session.seen_at >= min(SEEN_EVERY, lasting.idle / 4) and not _keep(store, session, now, lasting):
        return None
    return caller


def _keep(store: Store, session: Session, now: datetime, lasting: Lasting) -> bool:
    """Renew a session and its seat; False if the seat was lost meanwhile."""
    until = min(now + lasting.idle, session.absolute_until)
    with transaction(store) as connection:
        seat = licences.seat_of(connection, session.operator_id)
        lost = seat is None or seat.id != session.seat_id
        if seat is None or lost:
            sessions.end_sessions(connection, now, "expired", operator_sessions.c.id == session.id)
            return False
        if not licences.get_licence(connection, seat.licence_id).is_valid(now):
            end_access(connection, session.operator_id, Asked("licence", now), "licence")
            return False
        sessions.see_session(connection, session.id, now, until)
        licences.renew_seat(connection, seat.id, until)
    return True


def sign_out(store: Store, operator_id: int, session_id: int, asked: Asked) -> None:
    """End one's session; the seat is free with the last one. Open conversations keep who may not leave them."""
    with transaction(store) as connection:
        operator = operators.get_operator(connection, operator_id)
        if operator.licence_id is not None:
            licences.lock_licence(connection, operator.licence_id)
        others = [one for one in sessions.open_sessions(connection, operator_id, asked.at) if one.id != session_id]
        if not others and operator.open_conversations and not operator.may_leave_open:
            count = operator.open_conversations
            raise OpenConversations(
                f"You have {count} open conversations. Close them or hand them over before you sign out.",
                f"Tiene {count} conversaciones abiertas. Ciérrelas o páselas antes de cerrar la sesión.",
            )
        if others:
            sessions.end_sessions(connection, asked.at, "signed_out", operator_sessions.c.id == session_id)
        else:
            end_access(connection, operator_id, asked, "signed_out")
        audit.add_entry(connection, asked, "sessions:sign_out", f"operator:{operator_id}")


def force_sign_out(store: Store, operator_id: int, asked: Asked) -> int:
    """End all sessions of an operator, and free the seat; the conversations that were open."""
    with transaction(store) as connection:
        operator = operators.get_operator(connection, operator_id)
        check_power(connection, operator.roles, asked)
        end_access(connection, operator_id, asked, "forced")
        said = {"open_conversations": operator.open_conversations}
        audit.add_entry(connection, asked, "sessions:force_sign_out", f"operator:{operator_id}", None, said)
    return operator.open_conversations
