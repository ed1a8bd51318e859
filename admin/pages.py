"""What pages to read have in common: how they look, and that they fetch and run nothing."""

import base64
import hashlib
from html import escape

STYLE = """
body{font:16px/1.5 system-ui,sans-serif;margin:0;background:#f4f5f7;color:#1d2433}
main{max-width:60rem;margin:2rem auto;padding:2rem;background:#fff;border-radius:12px;box-shadow:0 1px 4px #0002}
h1{font-size:1.5rem;margin:0}h2{font-size:1.1rem;margin:2rem 0 .5rem}p{margin:.25rem 0}
table{border-collapse:collapse;width:100%}th,td{text-align:left;vertical-align:top;padding:.3rem .75rem .3rem 0;
border-bottom:1px solid #e2e5ea}td{overflow-wrap:anywhere}th{font-weight:600;color:#475063;font-size:.875rem}
td.number{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
svg{max-width:100%;height:auto;display:block}
@media print{body{background:#fff}main{box-shadow:none;margin:0;max-width:none}}
"""
_PAGE = """<!doctype html><html lang="{language}"><head><meta charset="utf-8"><title>Padrón · {title}</title>
<meta name="viewport" content="width=device-width,initial-scale=1"><style>{style}</style></head><body><main>
<h1>{title}</h1><p>{said}</p>{parts}</main></body></html>"""


def page(title: str, said: str, parts: str, language: str) -> str:
    """A page; `parts` is HTML, the rest is text."""
    return _PAGE.format(language=language, title=escape(title), style=STYLE, said=escape(said), parts=parts)


def policy() -> str:
    """The content security policy of such a page: its style, and nothing else."""
    digest = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    return (
        f"default-src 'none'; object-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    )
