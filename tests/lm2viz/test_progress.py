"""Loops tell how far they are: in a terminal as a bar, else to whoever follows the work of their thread."""

import time
from threading import Thread

import pytest

from lm2viz import progress
from lm2viz.progress import Cancelled, Progress, counting, counting_sentences, report_progress_to, track
from tests.conftest import T, make_ids, make_model


def test_items_come_out_as_they_are_and_each_is_counted_when_it_is_done():
    followed_by = Progress()
    with report_progress_to(followed_by):
        expected = [
            (item, str(followed_by.loops[-1]), followed_by.share()) for item in track("abcd", "doing", "x")
        ]
    assert [item for item, _, _ in expected] == list("abcd")
    assert [text for _, text, _ in expected] == [f"doing, x {n} of 4" for n in (1, 2, 3, 4)]
    assert [share for _, _, share in expected] == [0.0, 0.25, 0.5, 0.75]
    assert followed_by.loops == ()


def test_a_loop_inside_another_moves_that_on_by_parts_of_its_step():
    of, expected = Progress(), []
    with report_progress_to(of):
        for _ in track(range(2), "outer", "step"):
            for _ in track(range(3), "inner", "step"):
                expected.append(of.share())
            expected.append(of.share())
    assert expected == pytest.approx([0, 1 / 6, 2 / 6, 2 / 6, 3 / 6, 4 / 6, 5 / 6, 5 / 6])


def test_two_loops_in_one_step_never_move_the_bar_back():
    of, expected = Progress(), []
    with report_progress_to(of), counting(2, "outer", "step") as step:
        for _ in range(2):
            for _ in range(2):
                for _ in track(range(3), "inner", "step"):
                    expected.append(of.share())
            step()
    assert expected == sorted(expected)
    assert max(expected) < 1


def test_time_left_is_what_the_rest_takes_at_the_pace_so_far():
    of = Progress()
    with report_progress_to(of), counting(4, "doing", "step") as step:
        assert of.seconds_left() is None
        step()
        of.loops[0].began -= 10
        assert of.seconds_left() == pytest.approx(30, abs=0.5)
        of.loops[0].stepped -= 2  # a step that takes long takes from it, and adds nothing
        assert of.seconds_left() == pytest.approx(8 * 3 - 2, abs=0.5)
        of.loops[0].stepped -= 7
        assert of.seconds_left() == 0.0
    assert of.seconds_left() is None


def test_time_left_is_known_between_two_loops_inside_one_step():
    of = Progress()
    with report_progress_to(of), counting(4, "outer", "step"):
        with counting(2, "inner", "step") as step:
            step()
            step()
            assert of.share() == 0.25
        of.loops[0].began -= 6
        assert of.share() == pytest.approx(0.25)
        assert of.seconds_left() == pytest.approx(18, abs=0.5)


def test_a_loop_that_does_more_than_was_told_is_no_more_than_done():
    of = Progress()
    with report_progress_to(of), counting(2, "outer", "step"), counting(3, "inner", "step") as step:
        for _ in range(5):
            step()
        assert of.share() == 0.5


def test_work_that_nobody_wants_ends_at_its_next_step():
    done = []
    with pytest.raises(Cancelled, match="doing"), report_progress_to(Progress(lambda: len(done) < 3)):
        for number in track(range(9), "doing", "step"):
            done.append(number)
    assert done == [0, 1, 2]


def test_a_loop_that_is_left_early_or_fails_is_over():
    of = Progress()
    with report_progress_to(of):
        for _ in track(range(3), "doing", "step"):
            break
        assert of.loops == ()
        with pytest.raises(ZeroDivisionError), counting(3, "doing", "step"):
            _ = 1 / 0
        assert of.loops == ()


def test_each_thread_tells_only_whom_it_is_followed_by(capfd):
    expected = {}

    def work(name: str, n: int) -> None:
        of = Progress()
        with report_progress_to(of):
            for _ in track(range(n), name, "step"):
                time.sleep(0.02)
                expected.setdefault(name, set()).add(tuple(map(str, of.loops)))

    threads = [Thread(target=work, args=of) for of in (("first", 4), ("second", 5))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert expected["first"] == {(f"first, step {n} of 4",) for n in range(1, 5)}
    assert expected["second"] == {(f"second, step {n} of 5",) for n in range(1, 6)}
    assert capfd.readouterr().err == ""


def test_without_a_follower_a_terminal_gets_a_bar_only_when_it_takes_long(capfd, monkeypatch):
    list(track(range(3), "quick", "step"))
    assert capfd.readouterr().err == ""
    monkeypatch.setitem(progress.BAR, "delay", 0)
    list(track(range(3), "long, into a file", "step"))
    assert capfd.readouterr().err == ""
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    list(track(range(3), "long", "step"))
    assert "long: 100%" in capfd.readouterr().err
    list(track(range(1), "one step", "step"))
    assert capfd.readouterr().err == ""


def test_sentences_are_counted_while_a_model_reads_and_not_afterwards():
    model, of, seen = make_model(), Progress(), []
    ids = make_ids(1, 3, T)
    with report_progress_to(of), counting_sentences(model, 3):
        counter = model.hook_bank.register_forward_hook(lambda *_: seen.append(of.loops[0].done))
        model(ids)
        counter.remove()
        assert of.share() == 1.0
    assert seen == [1, 2, 3]
    assert not model.hook_bank._forward_hooks
