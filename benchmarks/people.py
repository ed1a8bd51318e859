"""Realistic contact files of any size, the same for the same seed: Spanish names, messy phones, duplicates."""

import csv
import random
from pathlib import Path

import phonenumbers

FIRST = [
    "María",
    "José",
    "Juan",
    "Ana",
    "Luis",
    "Carmen",
    "Carlos",
    "Laura",
    "Pedro",
    "Sofía",
    "Diego",
    "Valentina",
    "Andrés",
    "Camila",
    "Jorge",
    "Lucía",
    "Miguel",
    "Daniela",
    "Fernando",
    "Paula",
    "Ricardo",
    "Gabriela",
    "Sergio",
    "Natalia",
    "Raúl",
    "Mónica",
    "Iván",
    "Claudia",
    "Óscar",
    "Elena",
    "Hugo",
    "Marta",
    "Pablo",
    "Rosa",
    "Tomás",
]
LAST = [
    "García",
    "Rodríguez",
    "González",
    "Fernández",
    "López",
    "Martínez",
    "Sánchez",
    "Pérez",
    "Gómez",
    "Martín",
    "Jiménez",
    "Ruiz",
    "Hernández",
    "Díaz",
    "Moreno",
    "Álvarez",
    "Muñoz",
    "Romero",
    "Alonso",
    "Gutiérrez",
    "Navarro",
    "Torres",
    "Domínguez",
    "Vázquez",
    "Ramos",
    "Gil",
    "Ramírez",
    "Serrano",
    "Blanco",
    "Suárez",
    "Molina",
    "Morales",
    "Ortega",
    "Delgado",
    "Castro",
    "Ortiz",
    "Rubio",
    "Marín",
    "Sanz",
    "Núñez",
    "Iglesias",
    "Medina",
    "Garrido",
    "Cortés",
    "Castillo",
    "Quispe",
]
_COUNTRIES = ("CO", "MX", "ES", "AR", "BR", "PE", "CL", "US", "EC", "GB")
_DOMAINS = ("gmail.com", "hotmail.com", "yahoo.es", "outlook.com", "empresa.com.co", "correo.mx", "example.org")
_TAGS = ("VIP", "cliente", "prospecto", "newsletter", "evento 2026", "Black Friday", "moroso", "referido")
_PLANS = ("free", "basic", "pro", "gold", "empresa")
HEADER = (
    "Nombre",
    "Apellidos",
    "Teléfono",
    "Correo electrónico",
    "Ciudad",
    "Etiquetas",
    "plan",
    "puntos",
    "renovacion",
)
_CITIES = ("Bogotá", "Medellín", "Ciudad de México", "Madrid", "Buenos Aires", "São Paulo", "Lima", "Santiago", "Quito")
_EXAMPLES = {country: phonenumbers.example_number_for_type(country, 1) for country in _COUNTRIES}


def _phone(random_: random.Random) -> str:
    country = random_.choice(_COUNTRIES)
    number = _EXAMPLES[country]
    national = str(number.national_number)
    digits = national[:-7] + f"{random_.randrange(10**7):07d}"
    full = f"+{number.country_code}{digits}"
    style = random_.random()
    if style < 0.4:
        return full
    if style < 0.6:
        return f"+{number.country_code} {digits[:3]} {digits[3:6]} {digits[6:]}"
    if style < 0.75:
        return f"00{number.country_code}{digits}"
    if style < 0.9:
        return f"+{number.country_code} ({digits[:3]}) {digits[3:6]}-{digits[6:]}"
    return f"{number.country_code}{digits}"


def _person(random_: random.Random, number: int) -> list[str]:
    first = random_.choice(FIRST) + (f" {random_.choice(FIRST)}" if random_.random() < 0.3 else "")
    last = f"{random_.choice(LAST)} {random_.choice(LAST)}"
    email = f"{first.split()[0].lower()}.{number}@{random_.choice(_DOMAINS)}" if random_.random() < 0.85 else ""
    email = email.translate(str.maketrans("áéíóúÁÉÍÓÚñ", "aeiouAEIOUn"))
    tags = "; ".join(random_.sample(_TAGS, random_.choice((0, 1, 1, 2, 3))))
    day = f"2026-{random_.randrange(1, 13):02d}-{random_.randrange(1, 29):02d}"
    row = [first, last, _phone(random_), email, random_.choice(_CITIES), tags]
    return [*row, random_.choice(_PLANS), str(random_.randrange(10_000)), day]


def write_people(path: Path, rows: int, *, seed: int = 1, bad: float = 0.02, changed: float = 0.0) -> None:
    """Write `rows` rows: 5 % repeat an earlier person, `bad` of them have no usable key.

    `changed` of the people get another city and points than the same seed gives otherwise.
    """
    random_, other = random.Random(seed), random.Random(seed + 1_000_003)
    recent: list[list[str]] = []
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(HEADER)
        for number in range(rows):
            if recent and random_.random() < 0.05:
                row = list(random_.choice(recent))
            else:
                row = _person(random_, number)
                if len(recent) < 20_000:
                    recent.append(row)
                else:
                    recent[number % 20_000] = row
            if random_.random() < bad:
                row = [*row[:2], random_.choice(("12", "no tiene", "abc", "+57 1")), "sin arroba", *row[4:]]
            if changed and other.random() < changed:
                row = [*row[:4], "Cartagena", *row[5:7], str(other.randrange(10_000, 20_000)), row[8]]
            writer.writerow(row)
