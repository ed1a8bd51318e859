"""The page behind a reset link: a new password is set. The secret stands after the #, so that no log has it."""

import base64
import hashlib

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse

from admin.api.problems import language_of

router = APIRouter(tags=["pages"])
_STYLE = """
body{font:16px/1.5 system-ui,sans-serif;margin:0;background:#f4f5f7;color:#1d2433}
main{max-width:24rem;margin:12vh auto;padding:2rem;background:#fff;border-radius:12px;box-shadow:0 1px 4px #0002}
h1{font-size:1.25rem;margin:0 0 1rem}label{display:block;margin:.75rem 0 .25rem}
input{width:100%;box-sizing:border-box;font:inherit;padding:.5rem;border:1px solid #8a93a3;border-radius:6px}
button{margin-top:1.25rem;width:100%;font:inherit;padding:.6rem;border:0;border-radius:6px;background:#1d4ed8;color:#fff}
p[role=status]{min-height:1.5em;margin:1rem 0 0}
"""
_SCRIPT = """
const form=document.querySelector('form'),said=document.querySelector('[role=status]');
const button=form.querySelector('button');
form.addEventListener('submit',async event=>{event.preventDefault();said.textContent='';button.disabled=true;
const body={secret:location.hash.slice(1),password:form.password.value,confirmation:form.confirmation.value};
try{const answer=await fetch('/api/password-resets',{method:'POST',headers:{'Content-Type':'application/json',
'Accept-Language':document.documentElement.lang},body:JSON.stringify(body)});
if(answer.ok){history.replaceState(null,'',location.pathname);form.remove();said.textContent=form.dataset.done}
else{said.textContent=(await answer.json()).detail}}
catch{said.textContent=form.dataset.away}finally{button.disabled=false}});
"""
_WORDS = {
    "en": {
        "title": "New password",
        "password": "New password",
        "confirmation": "The same again",
        "rule": "10 to 128 characters, not easily guessed.",
        "button": "Set it",
        "done": "The password is set. You can sign in with it now.",
        "away": "Padrón does not answer. Try again in a moment.",
    },
    "es": {
        "title": "Contraseña nueva",
        "password": "Contraseña nueva",
        "confirmation": "La misma otra vez",
        "rule": "De 10 a 128 caracteres, difícil de adivinar.",
        "button": "Guardarla",
        "done": "La contraseña está guardada. Ya puede iniciar sesión con ella.",
        "away": "Padrón no responde. Inténtelo de nuevo en un momento.",
    },
}
_PAGE = """<!doctype html><html lang="{language}"><head><meta charset="utf-8"><title>Padrón · {title}</title>
<meta name="viewport" content="width=device-width,initial-scale=1"><style>{style}</style></head><body><main>
<h1>Padrón · {title}</h1><form data-done="{done}" data-away="{away}">
<label for="password">{password}</label>
<input id="password" name="password" type="password" autocomplete="new-password" required autofocus>
<label for="confirmation">{confirmation}</label>
<input id="confirmation" name="confirmation" type="password" autocomplete="new-password" required>
<p>{rule}</p><button>{button}</button></form><p role="status" aria-live="polite"></p></main>
<script>{script}</script></body></html>"""


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


_POLICY = (
    f"default-src 'none'; object-src 'none'; script-src {_hash(_SCRIPT)}; style-src {_hash(_STYLE)}; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


@router.get("/reset", response_class=HTMLResponse)
def reset(request: Request) -> HTMLResponse:
    """The page on which an operator sets a new password, by the secret after the # of its address."""
    language = language_of(request)
    page = _PAGE.format(language=language, style=_STYLE, script=_SCRIPT, **_WORDS[language])
    return HTMLResponse(page, headers={"Content-Security-Policy": _POLICY})
