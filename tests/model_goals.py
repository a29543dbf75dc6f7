"""What models and backtests must reach, and what holds or measures each of it.

A test is named by its file below ``tests/`` and the start of its name, a target by ``make``. A test
sees that none is missing. The numbers are in the tests; what was found is in docs/benchmarks.md.
"""

_FITTING = "unit/mlmodels/services/test_fitting.py::test_it"
_HONESTY = "unit/mlmodels/services/test_honesty.py::test_it"
_FEATURES = "unit/mlmodels/domain/test_features.py::test_it"
_LOOKAHEAD = "unit/mlmodels/domain/test_lookahead.py::test_it"
_CONFORMAL = "unit/mlmodels/domain/test_conformal.py::test_it"
_TRIGGERS = "unit/mlmodels/domain/test_triggers.py::test_it"
_DRIFT = "unit/mlmodels/domain/test_drift.py::test_it"
_TFT = "unit/mlmodels/adapters/test_tft.py::test_it"
_STORE = "unit/mlmodels/adapters/test_artifact_store.py::test_it"
_REPORT = "unit/execution/backtest/test_report.py::test_it"
_INFERENCE = "integration/mlmodels/test_inference.py::test_it"
_OUTCOMES = "integration/mlmodels/test_outcomes.py::test_it"
_TRAINING = "integration/mlmodels/test_training.py::test_it"
_PARITY = "functional/test_replay_parity.py::test"

GOALS: dict[str, tuple[str, ...]] = {
    # Honesty
    "H1 purged splits do not see what shuffled ones do": (
        f"{_FITTING}_is_not_fooled_by_overlapping_labels",
    ),
    "H2 six planted leaks are caught, nothing honest is": (
        f"{_LOOKAHEAD}_catches_all_six_planted_leaks",
        f"{_LOOKAHEAD}_finds_nothing_in_any_honest_feature",
    ),
    "H3 features have the same bits everywhere": (
        f"{_FEATURES}_gives_a_prefix_the_same_bits",
        f"{_FEATURES}_gives_the_newest_row_of_any_window",
        f"{_INFERENCE}_predicts_live_what_training_would_have_seen",
    ),
    "H4 noise is not promoted": (f"{_HONESTY}_finds_no_skill_in_noise", "make honesty"),
    "H5 noise is not acted on": (f"{_HONESTY}_finds_no_skill_in_noise", "make honesty"),
    "H6 a straight signal is recovered": (f"{_HONESTY}_recovers_most", "make honesty"),
    "H7 a bent signal is recovered": (f"{_HONESTY}_recovers_most", "make honesty"),
    "H8 a faint signal is recovered": (f"{_HONESTY}_recovers_most", "make honesty"),
    "H9 skill passes the gates": (f"{_HONESTY}_passes_its_own_gates", "make honesty"),
    # Calibration
    "C1 probabilities happen as often as they say": (f"{_HONESTY}_passes_its_own_gates",),
    "C2 calibration slope on real hours": ("make real-data",),
    "C3 intervals hold 90 %, in storms too": (f"{_CONFORMAL}_keeps_its_promise_in_storms",),
    "C4 Brier skill on real hours": ("make real-data",),
    # Skill: reported, never forced
    "S1 accuracy and AUC of real hours": ("make real-data",),
    "S2 IC of real hours": ("make real-data",),
    "S3 the verdict is what the gates say": ("make real-data", f"{_HONESTY}_finds_no_skill"),
    "S4 no economic claim without proof": (f"{_REPORT}_claims_no_more_than_was_shown",),
    "S5 baselines are always shown": (f"{_TRAINING}_trains_judges_keeps",),
    "S6 the transformer finds a planted sequence": (
        f"{_TFT}_finds_a_planted_sequence",
        "make test-tft",
    ),
    # Watching
    "M1 no retraining for nothing": (
        "unit/mlmodels/domain/test_triggers.py::test_a_market_that_stays_the_same",
        "make honesty",
    ),
    "M2 a turned signal is noticed": (
        f"{_TRIGGERS}_notices_within_500_predictions",
        "make honesty",
    ),
    "M3 drift seldom cries wolf": (f"{_DRIFT}_seldom_cries_wolf", "make honesty"),
    "M4 every prediction meets its outcome": (
        "integration/mlmodels/test_outcomes.py::test_every_outcome_is_joined_in_time",
        f"{_OUTCOMES}_leaves_null_where_a_candle_is_missing",
    ),
    # Engineering
    "E1 training is quick and gives the same bits": (
        f"{_TRAINING}_gives_the_same_bits",
        "make bench",
    ),
    "E2 serving is quick": ("make bench",),
    "E3 promotion is atomic": ("faults/test_promotion.py::test_no_kill_leaves_half",),
    "E4 changed artefacts are refused": (
        f"{_STORE}_refuses_a_flipped_bit_anywhere",
        f"{_STORE}_stores_only_plain_names_that_hold_no_code",
        f"{_INFERENCE}_refuses_a_changed_model_loudly",
    ),
    "E5 live decides as a replay": (
        f"{_PARITY}_generated_candles_are_decided_as_a_replay",
        f"{_PARITY}_real_candles_are_decided_as_a_replay",
        "make parity",
    ),
}
