"""The Celery application. A message is only a wake-up with a batch's number: the store is the truth."""

from typing import Any

from celery import Celery
from celery.beat import Scheduler
from celery.signals import setup_logging

from schemas.settings import Settings

QUEUE = "padron"
TICKS = "padron-ticks"
IMPORT_DROP = "padron.import_drop"
RUN_JOB = "padron.run_job"
SWEEP = "padron.sweep"
DELIVER = "padron.deliver"
REFRESH = "padron.refresh"
SYNC = "padron.sync"
NOTHING = "padron.nothing"
_MOST_TICKS_WAITING = 3


class BoundedScheduler(Scheduler):
    """Beat without a file, which sends no tick while earlier ones still wait: an outage leaves no pile behind."""

    def apply_entry(self, entry: Any, producer: Any = None) -> None:
        try:
            waiting = (producer or self.producer).channel.queue_declare(TICKS).message_count
            if waiting < _MOST_TICKS_WAITING:
                self.apply_async(entry, producer=producer, advance=False)
        except Exception as error:  # beat's outermost door: the next tick tries again
            self.logger.warning("tick %s not sent: %s", entry.name, error)


def make_app(settings: Settings) -> Celery:
    """The application for these settings; embedded on memory://, else on Redis with acknowledgement after the work."""
    app = Celery("padron", broker=_broker(settings), set_as_current=True)
    redis = not settings.broker_url.startswith("memory://")
    app.conf.update(
        broker_transport_options=_redis_options() if redis else {"polling_interval": 0.05},
        broker_connection_timeout=2.0,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        task_default_queue=QUEUE,
        task_routes={SWEEP: {"queue": TICKS}, DELIVER: {"queue": TICKS}},
        task_ignore_result=True,
        result_backend="disabled://",
        task_acks_late=redis,
        task_reject_on_worker_lost=redis,
        task_publish_retry=False,
        worker_prefetch_multiplier=1,
        worker_enable_remote_control=redis,
        worker_send_task_events=False,
        worker_timer_precision=0.1,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        accept_content=["json"],
        task_serializer="json",
        timezone="UTC",
        beat_scheduler=BoundedScheduler,
        beat_max_loop_interval=1.0,
        beat_schedule=timetable(settings),
    )
    return app


def timetable(settings: Settings) -> dict[str, dict[str, Any]]:
    """What beat sends, and when."""
    ticks = {"sweep": (SWEEP, settings.sweep_seconds), "deliver": (DELIVER, settings.deliver_seconds)}
    return {
        name: {"task": task, "schedule": seconds, "options": {"expires": seconds * 2, "retry": False}}
        for name, (task, seconds) in ticks.items()
    }


def _broker(settings: Settings) -> str:
    return "memory://localhost/" if settings.broker_url.startswith("memory://") else settings.broker_url


def _redis_options() -> dict[str, Any]:
    return {
        "visibility_timeout": 3600,
        "unacked_restore_interval": 5,
        "unacked_restore_throttle": 1,
        "global_keyprefix": "padron:",
        "socket_timeout": 2.0,
        "socket_connect_timeout": 1.0,
        "socket_keepalive": True,
        "health_check_interval": 10,
        "retry_on_timeout": False,
    }


@setup_logging.connect  # type: ignore[untyped-decorator]
def _keep_own_logging(**_: Any) -> None:
    """Any receiver keeps Celery from configuring handlers of its own."""
