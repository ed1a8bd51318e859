"""The sample files of the demo: one source each, with the things that go wrong in real ones."""

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import xlsxwriter

_SPANISH = """Nombre;Apellidos;Teléfono;Correo electrónico;Ciudad;Etiquetas;Estado
María José;Núñez Ávila;+57 300 111 2233;mj.nunez@ejemplo.com;Bogotá;VIP|cliente;activo
CARLOS;GÓMEZ RUIZ;310 222 3344;carlos@ejemplo.com;Medellín;cliente;activo
Ana;Pérez;(1) 601 555 01 01;ana.perez@ejemplo.com;Cali;;inactivo
Lucía;Ortega;+34 612 34 56 78;lucia@ejemplo.es;Madrid;newsletter;bloqueado
"""
_ENGLISH = """First Name,Last Name,Email,Phone Number,Company,Tags
Ada,Lovelace,ada@example.org,+44 7700 900101,Analytical Engines Ltd,"VIP, early adopter"
Alan,Turing,alan@example.org,+44 7700 900102,"Computing, Machinery & Co",lead
Carlos,Gomez Ruiz,CARLOS@ejemplo.com,+573102223344,,lead
"""
_MESSY = """name,phone,email,notes
José Pérez,+57 315 444 5566,jose@ejemplo.com,first of two
Jose Perez,+57 (315) 444-5566,,the same person again
Ana Pérez,+57 315 444 5566,ana2@ejemplo.com,shares José's phone but is somebody else
Broken Phone,4.47701E+11,broken@example.org,the spreadsheet lost the digits
Nobody,12,not an address,no usable key at all
Bra Sileiro,+55 11 96123-4567,,with the ninth digit
Bra Sileiro,+55 11 6123-4567,,without it
Comma Missing,+57 301 000 1111
"""


def write_samples(folder: Path) -> list[str]:
    """Write every sample into the folder; their names."""
    writers: dict[str, Callable[[Path], object]] = {
        "1-clientes.csv": lambda path: path.write_bytes(_SPANISH.encode("cp1252")),
        "2-leads.csv": lambda path: path.write_text(_ENGLISH, encoding="utf-8"),
        "3-evento.xlsx": _write_workbook,
        "4-chat.parquet": _write_parquet,
        "5-photo.csv": lambda path: path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(64)),
        "6-messy.csv": lambda path: path.write_text(_MESSY, encoding="utf-8"),
    }
    for name, write in writers.items():
        part = folder / f".{name}"
        write(part)
        part.rename(folder / name)
    return list(writers)


def _write_workbook(path: Path) -> None:
    workbook = xlsxwriter.Workbook(str(path))
    sheet = workbook.add_worksheet("Asistentes")
    rows = [
        ("Nombre completo", "Celular", "Correo", "Etiquetas"),
        ("Sofía Ramírez", 573201234567, "sofia@ejemplo.com", "evento 2026"),
        ("Diego Torres", 573209876543, "diego@ejemplo.com", "evento 2026"),
        ("María José Núñez", 573001112233, "mj.nunez@ejemplo.com", "evento 2026"),
    ]
    for number, row in enumerate(rows):
        sheet.write_row(number, 0, row)
    workbook.close()


def _write_parquet(path: Path) -> None:
    columns = {
        "name": ["Sofía Ramírez", "Iván Castro"],
        "phone_number": ["+573201234567", "+5491123456789"],
        "channel": ["whatsapp", "instagram"],
        "last_activity_at": ["2026-10-01T10:00:00Z", "2026-11-02T08:30:00Z"],
    }
    pq.write_table(pa.table(columns), path)
