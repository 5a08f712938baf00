"""Decisions about speed, denormals, and compiled training."""

import pytest
import torch

from vaekit.errors import ConfigError
from vaekit.objectives import Loss
from vaekit.training import Policy, PolicySpec, costs, flush_denormals
from vaekit.training import policy as policy_module
from vaekit.training.policy import decide

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def processor(monkeypatch):
    """Whether the processor has bfloat16; not, unless a test says so."""

    def has(answer):
        monkeypatch.setattr(policy_module, "has_bfloat16", lambda: answer)

    has(False)
    return has


class Trial:
    """Steps that take as long as they are told, by a clock of our own."""

    def __init__(self, monkeypatch, eager, compiled=0.0, compiling=0.0, half=None):
        self.now, self.asked = 0.0, []
        self.costs = {("32-true", False): eager, ("bf16-mixed", False): half}
        self.compiled, self.compiling = compiled, compiling
        monkeypatch.setattr(costs.time, "perf_counter", lambda: self.now)

    def __call__(self, precision, compiled):
        self.asked.append((precision, compiled))
        first = [compiled]

        def step():
            self.now += self.compiled if compiled else self.costs[precision, compiled]
            self.now += self.compiling if first[0] else 0.0
            first[0] = False

        return step


def test_what_was_asked_is_not_measured(monkeypatch, processor):
    processor(True)
    trial = Trial(monkeypatch, eager=1.0)
    for word, expected in (("on", True), ("off", False)):
        asked = PolicySpec(precision="32-true", compile=word)
        found = decide(asked, device=CPU, steps=10**6, trial=trial)
        assert found == Policy("32-true", expected, f"32-true as asked; compile {word} as asked")
    assert trial.asked == []


@pytest.mark.parametrize("bfloat16", [True, False])
def test_a_short_run_is_measured_no_further(monkeypatch, processor, bfloat16):
    processor(bfloat16)
    trial = Trial(monkeypatch, eager=0.01)
    found = decide(PolicySpec(), device=CPU, steps=11_999, trial=trial)
    assert (found.precision, found.compile) == ("32-true", False)
    assert "too short" in found.reason
    assert trial.asked == [("32-true", False)]
    assert decide(PolicySpec(), device=CPU, steps=999, trial=trial) == found
    assert trial.asked == [("32-true", False)]


@pytest.mark.parametrize(("compiled", "pays"), [(0.005, True), (0.0098, False), (0.02, False)])
def test_a_long_run_is_compiled_where_that_pays_back(monkeypatch, compiled, pays):
    """20 000 steps of 10 ms; compiling costs 30 s, so it has to save more than 60 s."""
    trial = Trial(monkeypatch, eager=0.01, compiled=compiled, compiling=30.0)
    found = decide(PolicySpec(), device=CPU, steps=20_000, trial=trial)
    assert found.compile is pays
    saved = 20_000 * (0.01 - compiled)
    assert f"compiling costs 30 s and saves {saved:.0f} s" in found.reason
    assert trial.asked[-1] == ("32-true", True)


@pytest.mark.parametrize(("half", "precision"), [(0.06, "bf16-mixed"), (0.07, "32-true")])
def test_bfloat16_has_to_be_half_as_fast_again(monkeypatch, processor, half, precision):
    processor(True)
    trial = Trial(monkeypatch, eager=0.1, half=half)
    found = decide(PolicySpec(compile="off"), device=CPU, steps=20_000, trial=trial)
    assert found.precision == precision
    assert f"a step in bfloat16 takes {half} s, in float32 0.1 s" in found.reason
    assert trial.asked == [("32-true", False), ("bf16-mixed", False)]


def test_bfloat16_is_not_tried_where_the_processor_has_none(monkeypatch):
    trial = Trial(monkeypatch, eager=0.1)
    found = decide(PolicySpec(), device=CPU, steps=20_000, trial=trial)
    assert found.precision == "32-true"
    assert "bf16-mixed" not in dict(trial.asked)


@pytest.mark.parametrize(("steps", "tried"), [(119_500, False), (120_500, True)])
def test_compiling_is_tried_where_what_is_not_products_could_pay_for_it(monkeypatch, steps, tried):
    """Half of a tenth of so many steps of 10 ms is 60 s, twice what compiling may cost."""
    monkeypatch.setattr(policy_module, "share_of_products", lambda step: 0.9)
    trial = Trial(monkeypatch, eager=0.01, compiled=0.009, compiling=30.0)
    found = decide(PolicySpec(precision="32-true"), device=CPU, steps=steps, trial=trial)
    assert (("32-true", True) in trial.asked) is tried
    assert found.compile is tried
    if not tried:
        assert "90% of a step are products, so it could save about 60 s" in found.reason


def test_only_products_count_as_products():
    x = torch.rand(200, 200)
    assert 0 < costs.share_of_products(lambda: (x @ x) @ x) < 1
    assert costs.share_of_products(lambda: x.exp().sin()) == 0.0


def test_the_fastest_of_several_steps_counts_and_the_first_does_not(monkeypatch):
    now, seconds = [0.0], iter([9.0, 0.3, 0.2, 0.25, 0.5, 0.4])
    monkeypatch.setattr(costs.time, "perf_counter", lambda: now[0])

    def step():
        now[0] += next(seconds)

    assert costs.seconds_per_step(step) == pytest.approx(0.2)


def test_several_players_are_not_compiled():
    found = decide(PolicySpec(), device=CPU, steps=10**9, trial=None)
    assert not found.compile
    assert "several players" in found.reason


def test_a_cpu_computes_in_float32_unless_told():
    assert decide(PolicySpec(), device=CPU, steps=1, trial=None).precision == "32-true"
    asked = PolicySpec(precision="bf16-mixed")
    assert decide(asked, device=CPU, steps=1, trial=None).precision == "bf16-mixed"


@pytest.mark.parametrize("word", ["8-true", "64-true", "fast"])
def test_precisions_that_the_loop_does_not_have_are_refused(word):
    with pytest.raises(ConfigError, match="precision: not one of the choices"):
        PolicySpec(precision=word)


def test_bfloat16_reaches_the_matrix_products(make_trainer, make_model):
    model, seen = make_model(), set()
    layer = next(m for m in model.modules() if isinstance(m, torch.nn.Linear))
    layer.register_forward_hook(lambda module, args, out: seen.add(out.dtype))
    speed = PolicySpec(precision="bf16-mixed", compile="off")
    history = make_trainer(model=model, speed=speed).fit()
    assert torch.bfloat16 in seen
    assert history.last["loss"] < history.records[0]["loss"]
    assert all(p.dtype == torch.float32 for p in model.parameters())


# --- denormals -------------------------------------------------------------------------------


def keeps_denormals():
    """Whether 1e-39 survives a multiplication; in float32 it is a denormal number."""
    return (torch.full((64,), 1e-20, dtype=torch.float32) * 1e-19).sum().item() > 0


@pytest.fixture
def denormals():
    """The processor's state, put back after the test."""
    was = keeps_denormals()
    yield
    torch.set_flush_denormal(not was)


@pytest.mark.parametrize("default", [torch.float32, torch.float64])
@pytest.mark.parametrize("before", [False, True])
def test_denormals_are_flushed_inside_and_as_before_outside(denormals, before, default):
    torch.set_flush_denormal(before)
    usual = torch.get_default_dtype()
    torch.set_default_dtype(default)
    try:
        with flush_denormals():
            assert not keeps_denormals()
        assert keeps_denormals() is (not before)
    finally:
        torch.set_default_dtype(usual)


def test_denormals_come_back_after_an_error(denormals):
    torch.set_flush_denormal(False)
    with pytest.raises(ZeroDivisionError), flush_denormals():
        raise ZeroDivisionError
    assert keeps_denormals()


def test_training_flushes_denormals(denormals, make_trainer):
    torch.set_flush_denormal(False)
    seen = []

    def objective(evidence, **_):
        seen.append(keeps_denormals())
        return Loss(-evidence.elbo.mean())

    make_trainer(objective=objective, epochs=1).fit()
    assert set(seen) == {False}
    assert keeps_denormals()


def test_threads_are_as_before_after_the_run(make_trainer):
    before, seen = torch.get_num_threads(), []

    def objective(evidence, **_):
        seen.append(torch.get_num_threads())
        return Loss(-evidence.elbo.mean())

    speed = PolicySpec(precision="32-true", compile="off", threads=1)
    make_trainer(objective=objective, epochs=1, speed=speed).fit()
    assert set(seen) == {1}
    assert torch.get_num_threads() == before


# --- compiled --------------------------------------------------------------------------------


def losses(history):
    return [
        (r["loss"], r["distortion"], r.get("rate", 0.0), r["valid_loss"]) for r in history.records
    ]


def test_a_compiled_model_trains_the_same(make_trainer, monkeypatch, same_weights):
    """With a compiler that changes nothing, recording must change nothing either."""
    calls = []

    def unchanged(graph, inputs):
        calls.append([tuple(value.shape) for value in inputs])
        return graph

    monkeypatch.setattr("vaekit.training.captured.compiled", unchanged)
    plain = make_trainer()
    compiled = make_trainer(speed=PolicySpec(precision="32-true", compile="on"))
    expected, found = losses(plain.fit()), losses(compiled.fit())
    assert len(calls) == 1
    assert compiled.policy == Policy("32-true", True, "32-true as asked; compile on as asked")
    for one, other in zip(found, expected, strict=True):
        assert one == pytest.approx(other, rel=1e-4)
    torch.compiler.reset()


def test_a_recorded_step_trains_the_same(make_trainer, monkeypatch, same_weights):
    """The same operations in the same order, and no compiler."""

    def never(*_, **__):
        raise AssertionError("nothing is compiled")

    monkeypatch.setattr("vaekit.training.captured.compiled", never)
    plain = make_trainer()
    recorded = make_trainer(speed=PolicySpec(precision="32-true", compile="record"))
    expected, found = losses(plain.fit()), losses(recorded.fit())
    assert recorded.policy.record
    assert not recorded.policy.compile
    for one, other in zip(found, expected, strict=True):
        assert one == pytest.approx(other, rel=1e-5)


def test_auto_measures_a_copy_and_leaves_the_model_alone(make_trainer, same_weights, monkeypatch):
    monkeypatch.setattr("vaekit.training.policy.FEWEST_STEPS", 0)
    auto = make_trainer(speed=PolicySpec())
    plain = make_trainer()
    auto.fit()
    plain.fit()
    assert same_weights(auto.model, plain.model)
    assert "pay it back" in auto.policy.reason


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*is deprecated:DeprecationWarning:torch")
def test_the_real_compiler_trains_the_same(make_trainer):
    def run(word):
        speed = PolicySpec(precision="32-true", compile=word)
        return losses(make_trainer(speed=speed).fit())

    for one, other in zip(run("on"), run("off"), strict=True):
        assert one == pytest.approx(other, rel=1e-4)
    torch.compiler.reset()
