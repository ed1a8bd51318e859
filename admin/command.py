"""The command line: `padron …`. Exit codes: 0 done, 1 the file was refused, 2 wrong use or wrong installation."""

import gc
import sys

import typer
from typer._click.exceptions import NoArgsIsHelpError, UsageError  # typer shows no other way
from typer.main import get_command

from admin import (
    backup_commands,
    batch_commands,
    connection_commands,
    contact_commands,
    export_commands,
    export_plan_commands,
    field_commands,
    history_commands,
    import_commands,
    job_commands,
    licence_commands,
    operator_commands,
    person_commands,
    role_commands,
    run_commands,
    segment_commands,
    sync_commands,
    webhook_commands,
)
from admin.help import in_spanish
from admin.wrongs import database_away, system_said, wrong_use
from scheduler.logs import reason_of
from schemas.errors import PadronError
from schemas.settings import asked_language
from warehouse.engines import UNREACHABLE

app = typer.Typer(
    name="padron",
    help="One clean roll of contacts, from files, CRMs and people.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("import")(import_commands.import_file)
app.command("export")(export_commands.export_file)
app.command("restore")(backup_commands.restore)
app.command("template")(import_commands.template)
app.command("up")(run_commands.up)
app.command("worker")(run_commands.worker)
app.command("beat")(run_commands.beat)
app.command("watch")(run_commands.watch)
app.command("admin")(run_commands.admin)
app.command("migrate")(run_commands.migrate)
app.command("settings")(run_commands.settings)
app.command("hygiene")(person_commands.hygiene_report)
app.command("retention")(person_commands.retain)
app.command("example-crm")(connection_commands.example_crm)
app.add_typer(contact_commands.app, name="contacts")
app.add_typer(field_commands.field_app, name="fields")
app.add_typer(field_commands.tag_app, name="tags")
app.add_typer(segment_commands.app, name="segments")
app.add_typer(batch_commands.app, name="batches")
app.add_typer(backup_commands.app, name="backup")
app.add_typer(export_plan_commands.app, name="export-plans")
app.add_typer(history_commands.app, name="history")
app.add_typer(job_commands.jobs, name="jobs")
app.add_typer(operator_commands.app, name="operators")
app.add_typer(job_commands.states, name="states")
app.add_typer(licence_commands.app, name="licences")
app.add_typer(role_commands.roles, name="roles")
app.add_typer(role_commands.tokens, name="tokens")
app.add_typer(webhook_commands.app, name="webhooks")
app.add_typer(connection_commands.app, name="connections")
app.add_typer(sync_commands.app, name="sync")
app.add_typer(role_commands.audit, name="audit")


def main() -> None:
    """Run a command; an error of Padrón's own, or of the person's who typed, is one sentence on standard error."""
    language = asked_language()
    gc.freeze()  # collections pass over what is imported, which stays
    try:
        command = get_command(app)
        if language == "es":
            in_spanish(command)
        code = command(prog_name="padron", standalone_mode=False)
    except PadronError as error:
        print(f"padron: {error.said(language)}", file=sys.stderr)
        code = 2
    except NoArgsIsHelpError as error:
        error.show()
        code = 2
    except UsageError as error:
        path = error.ctx.command_path if error.ctx else "padron"
        print(f"padron: {wrong_use(error, language)} → {path} --help", file=sys.stderr)
        code = 2
    except typer.Abort:
        code = 130
    except UNREACHABLE as error:
        print(f"padron: {database_away(reason_of(error), language)}", file=sys.stderr)
        code = 2
    except OSError as error:
        print(f"padron: {system_said(error, language)}", file=sys.stderr)
        code = 2
    sys.exit(code)


if __name__ == "__main__":
    main()
