"""The fault matrix: each cell and the tests that hold it. A test sees that none is missing.

A test is named by its file below ``tests/`` and the start of its name.
"""

_CRASHES, _KILL = "faults/test_crashes.py", "faults/test_kill_switch.py"
_REPLIES, _MARKET = "faults/test_replies.py", "faults/test_market.py"
_DATABASE, _MACHINE = "faults/test_database.py", "faults/test_machine.py"
_RECONCILE, _WORKER = "faults/test_reconcile.py", "faults/test_worker.py"
_ACCEPTED = f"{_REPLIES}::test_an_accepted_order_is_found"
_ABSENT = f"{_REPLIES}::test_an_order_that_was_not_accepted"
_REFUSED = f"{_REPLIES}::test_a_refusal_frees_the_money"
_WITHOUT_REDIS = f"{_KILL}::test_without_redis"
_EVENTS = f"{_MARKET}::test_events_that_come_twice"
_STREAM = "integration/markets/test_stream.py::test_it"
_STORE = "unit/mlmodels/adapters/test_artifact_store.py::test_it_refuses"
_INFERENCE = "integration/mlmodels/test_inference.py::test_it"
_TRAINING = "integration/mlmodels/test_training.py::test_it"

CELLS: dict[str, tuple[str, ...]] = {
    "FI-01": (f"{_MACHINE}::test_fi01",),
    "FI-02": (f"{_CRASHES}::test_fi02",),
    "FI-03": (f"{_CRASHES}::test_fi03",),
    "FI-04": (f"{_CRASHES}::test_fi04",),
    "FI-05": (f"{_CRASHES}::test_fi05",),
    "FI-06": (f"{_CRASHES}::test_fi06",),
    "FI-07": (f"{_CRASHES}::test_fi07_to_fi10",),
    "FI-08": (f"{_CRASHES}::test_fi07_to_fi10",),
    "FI-09": (f"{_CRASHES}::test_fi07_to_fi10",),
    "FI-10": (f"{_CRASHES}::test_fi07_to_fi10",),
    "FI-11": (f"{_CRASHES}::test_fi11",),
    "FI-12": (f"{_KILL}::test_fi12",),
    "FI-13": (f"{_CRASHES}::test_fi13",),
    "FI-14": (f"{_CRASHES}::test_fi14",),
    "FI-15": (f"{_CRASHES}::test_fi15",),
    "FI-16": (f"{_MACHINE}::test_fi01_fi16", f"{_TRAINING}_trains_a_timeframe_once_at_a_time"),
    "FI-17": (f"{_MACHINE}::test_fi17",),
    "FI-18": (f"{_CRASHES}::test_fi18",),
    "FI-19": (_WITHOUT_REDIS,),
    "FI-20": (f"{_KILL}::test_fi20",),
    "FI-21": (f"{_MACHINE}::test_fi21",),
    "FI-22": (_WITHOUT_REDIS,),
    "FI-23": (_WITHOUT_REDIS,),
    "FI-24": (f"{_WORKER}::test_fi24",),
    "FI-25": (f"{_DATABASE}::test_fi25",),
    "FI-26": (f"{_DATABASE}::test_fi26",),
    "FI-27": (f"{_DATABASE}::test_fi27",),
    "FI-28": (f"{_DATABASE}::test_fi28",),
    "FI-29": (f"{_DATABASE}::test_fi29",),
    "FI-30": (f"{_MACHINE}::test_fi30",),
    "FI-31": (_ACCEPTED,),
    "FI-32": (_ABSENT,),
    "FI-33": (_ACCEPTED,),
    "FI-34": (_ACCEPTED,),
    "FI-35": (_ACCEPTED,),
    "FI-36": (_ACCEPTED,),
    "FI-37": (_ACCEPTED,),
    "FI-38": (_ACCEPTED,),
    "FI-39": (f"{_RECONCILE}::test_fi39",),
    "FI-40": (_ACCEPTED,),
    "FI-41": (_REFUSED,),
    "FI-42": (f"{_REPLIES}::test_fi42",),
    "FI-43": (_REFUSED,),
    "FI-44": (_REFUSED, f"{_MACHINE}::test_fi44_fi45"),
    "FI-45": (f"{_MACHINE}::test_fi44_fi45",),
    "FI-46": (_REFUSED,),
    "FI-47": (_REFUSED, f"{_RECONCILE}::test_fi47"),
    "FI-48": (f"{_REPLIES}::test_fi48",),
    "FI-49": (f"{_MARKET}::test_fi49",),
    "FI-50": (f"{_MARKET}::test_fi50",),
    "FI-51": (
        f"{_RECONCILE}::test_fi51",
        "integration/execution/test_changing.py::test_the_new_one_refused_leaves_the_old_one",
        "integration/execution/test_changing.py::test_a_lost_reply_is_settled_by_evidence_for_both",
    ),
    "FI-52": (f"{_RECONCILE}::test_fi52",),
    "FI-53": (
        f"{_RECONCILE}::test_fi53_the_part",
        f"{_RECONCILE}::test_fi53_an_entry_with_a_bracket",
        f"{_MARKET}::test_fi53_while_none_of_us_lives",
        f"{_MARKET}::test_fi49",
    ),
    "FI-54": (f"{_REPLIES}::test_fi54",),
    "FI-55": (f"{_MARKET}::test_fi55",),
    "FI-56": (_EVENTS,),
    "FI-57": (_EVENTS,),
    "FI-58": (f"{_MARKET}::test_fi58",),
    "FI-59": (f"{_RECONCILE}::test_fi59",),
    "FI-60": (
        f"{_STREAM}_asks_for_a_close_that_the_socket_leaves_out",
        f"{_STREAM}_survives_torn_messages_and_a_flood",
        "integration/markets/test_ingestion.py::test_it_refuses_candles_that_have_not_closed",
        "integration/execution/test_decisions.py::test_a_window_behind_the_close_is_stale",
    ),
    "FI-61": (f"{_MARKET}::test_fi61",),
    "FI-62": (f"{_KILL}::test_fi62",),
    "FI-63": (f"{_MACHINE}::test_fi63",),
    "FI-64": (f"{_KILL}::test_fi64",),
    "FI-65": (
        f"{_TRAINING}_takes_over_from_a_worker_that_was_lost",
        f"{_TRAINING}_leaves_no_half_version",
    ),
    "FI-66": (
        f"{_STORE}_a_flipped_bit_anywhere",
        f"{_STORE}_a_missing_file",
        f"{_INFERENCE}_refuses_a_changed_model_loudly",
        f"{_TRAINING}_keeps_no_version_when_the_files_cannot_be_written",
    ),
    "FI-67": (f"{_INFERENCE}_stores_no_answer_that_is_no_number",),
    "FI-68": (f"{_RECONCILE}::test_fi68",),
    "FI-69": (f"{_MARKET}::test_fi61_fi69",),
    "FI-70": (f"{_RECONCILE}::test_fi70",),
    "FI-71": (f"{_MACHINE}::test_fi71",),
    "FI-72": (f"{_MACHINE}::test_fi72",),
}
