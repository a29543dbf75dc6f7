"""Delivery: what the broker may do with a message never overtakes who works on it."""

from tradingsite.celery import app


def test_no_task_runs_longer_than_until_its_message_is_offered_again():
    app.loader.import_default_modules()
    limits = [task.time_limit for task in app.tasks.values() if task.time_limit]

    assert limits, "the trainings have one"
    assert max(limits) < app.conf.broker_transport_options["visibility_timeout"]
