"""Each attack fails, and succeeds once the one layer that it aims at is switched off."""

from collections import Counter

import pytest

from autograder import submission
from tests.attacks import arena as arenas
from tests.attacks import (  # noqa: F401  # each puts its attacks on the list
    carrying,
    escaping,
    exhausting,
    forging,
    impersonating,
    leaving,
    patching,
    reading,
    talking,
)
from tests.attacks.arena import ATTACKS, KINDS, Arena, end_forked


@pytest.fixture
def make_arena(tmp_path, monkeypatch):
    submission.start().close()  # warm, so that its process counts as there before
    yield lambda: Arena(tmp_path / "homework", monkeypatch)
    end_forked()


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_fails(name, make_arena):
    arena = make_arena()
    assert not ATTACKS[name].fight(arena), "it succeeded"
    arena.unharmed()


@pytest.mark.slow
@pytest.mark.parametrize("name", ATTACKS)
def test_it_succeeds_without_the_layer_that_it_aims_at(name, make_arena):
    """Or the attack would prove nothing."""
    arena = make_arena()
    arena.is_off = True
    ATTACKS[name].off(arena)
    assert ATTACKS[name].fight(arena), [outcome.result for outcome in arena.outcomes]


def test_there_are_enough_of_every_kind():
    counts = Counter(attack.kind for attack in ATTACKS.values())
    assert sum(counts.values()) >= 60
    assert all(counts[kind] >= 4 for kind in KINDS), counts


def test_the_arena_notices_each_kind_of_harm(make_arena, monkeypatch):
    """What `unharmed` asserts can fail."""
    arena = make_arena()
    with pytest.raises(AssertionError, match="nothing was submitted"):
        arena.unharmed()
    arena.submit(arenas.RIGHT, honest=0)
    with pytest.raises(AssertionError, match="deserved"):
        arena.unharmed()
    arena.outcomes.clear()
    arena.submit(arenas.RIGHT, honest=1)
    arena.unharmed()
    (arena.temporary / "left").touch()
    with pytest.raises(AssertionError, match="left"):
        arena.unharmed()
    (arena.temporary / "left").unlink()
    arena.outcomes[0].shown += arena.secret
    with pytest.raises(AssertionError, match="shown"):
        arena.unharmed()
    arena.outcomes[0].shown = ""
    monkeypatch.setattr(arenas, "RIGHT", "def f(x): return x")
    with pytest.raises(AssertionError, match="next submission"):
        arena.unharmed()
