"""Celery's configuration: queues, delivery and the schedule.

Messages are only nudges: the database is the truth, and every stage is safe to run twice.
Four kinds of queue keep work apart, each with a worker of its own, so that training can never
delay an order: ``orders``, ``pipeline.N`` (one per pipeline worker), ``train`` and ``default``.
"""

from django.conf import settings

broker_url = settings.REDIS_URL
broker_connection_retry_on_startup = True
# A message that a dead worker held is offered again after this long; longer than any task here.
broker_transport_options = {
    "visibility_timeout": 2400,
    "unacked_restore_interval": 1,
    "unacked_restore_throttle": 1,
    "global_keyprefix": settings.REDIS_PREFIX,
}
result_backend = None
task_ignore_result = True
task_serializer = "json"
accept_content = ["json"]
timezone = "UTC"
enable_utc = True

task_default_queue = "default"
task_acks_late = True
task_reject_on_worker_lost = False  # the guardian's sweep covers a killed worker, without a loop
worker_prefetch_multiplier = 1
worker_hijack_root_logger = False
worker_enable_remote_control = True
worker_cancel_long_running_tasks_on_connection_loss = True
task_publish_retry_policy = {"max_retries": 3, "interval_start": 0, "interval_max": 0.5}

imports = ("tradingsite.pipeline", "tradingsite.backtests")
beat_schedule = settings.BEAT_SCHEDULE
beat_max_loop_interval = 5
