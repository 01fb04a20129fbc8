"""Training on a user's own stories: what is held out, what a batch holds, and a run that opens everywhere."""

import csv
import json
import shutil
from dataclasses import replace
from random import Random

import pytest
import torch

from lm2core.babi.story import Question
from lm2core.babi.text import TextStory, read_babi, write_babi
from lm2core.evaluation.stories import predict, score
from lm2core.reading.checkpoints import load
from lm2core.text.tokenizer import split_words, word_tokenizer
from lm2core.training.curriculum import Curriculum
from lm2core.training.own_batches import OwnStorySource, own_stages
from lm2core.training.own_stories import open_own_stories
from lm2core.training.recipe import Recipe
from lm2core.training.stories import train
from lm2core.training.story_data import with_own_tasks

SHORT = Recipe(n_steps=4, n_stories=4, save_every=2, log_every=1)
ANIMALS, ROOMS = ("Rex", "Tom", "Fay", "Kit"), ("attic", "cellar", "living room", "porch", "shed")


def pet_story(seed, n_sentences=6, ask_early=True):
    """A story in words that no task has, about who sleeps where; one answer has two words."""
    rng = Random(seed)
    sentences, questions, place_of = [], [], {}
    for i in range(n_sentences):
        pet, room = rng.choice(ANIMALS), rng.choice(ROOMS)
        place_of[pet] = (room, i)
        sentences.append(f"{pet} sleeps in the {room} tonight.")
        if ask_early or i == n_sentences - 1:
            asked = rng.choice(sorted(place_of))
            room, since = place_of[asked]
            questions.append(Question(f"Where does {asked} sleep?", room, (since,), i + 1))
    return TextStory(tuple(sentences), tuple(questions))


@pytest.fixture
def folder(tmp_path):
    """Two files of stories, one of them with a table of labels."""
    path = tmp_path / "pets"
    path.mkdir()
    write_babi(path / "short.txt", [pet_story(seed, 3) for seed in range(20)])
    write_babi(path / "long.txt", [pet_story(seed, 9) for seed in range(30)])
    with (path / "short.csv").open("w") as file:
        writer = csv.writer(file)
        writer.writerow(("segment", "story", "fact", "value"))
        for i, story in enumerate(read_babi(path / "short.txt")):
            writer.writerow((0, i, "first sleeper", story.sentences[0].split()[0]))
    return path


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A short run on one file, and what it was trained on."""
    path = tmp_path_factory.mktemp("own")
    write_babi(path / "pets.txt", [pet_story(seed) for seed in range(25)])
    recipe = replace(SHORT, stories=str(path / "pets.txt"))
    return path / "run", recipe, train(recipe, path / "run")


def test_a_tenth_of_the_stories_is_held_out_and_none_is_in_both(folder):
    own = open_own_stories(str(folder))
    assert own.tasks == ("long", "short")
    trained = {story for stories in own.trained.values() for story in stories}
    held_out = {story for stories in own.held_out.values() for story in stories}
    assert len(held_out) == 5 and len(trained) == 45 and not trained & held_out


def test_copies_of_a_story_are_on_the_same_side_and_other_stories_do_not_move_them(tmp_path):
    stories = [pet_story(seed) for seed in range(30)]
    write_babi(tmp_path / "once.txt", stories)
    write_babi(tmp_path / "thrice.txt", [*stories, *stories[::-1], *stories])
    once, thrice = (open_own_stories(str(tmp_path / f"{name}.txt")) for name in ("once", "thrice"))
    assert {*once.held_out["once"]} == {*thrice.held_out["thrice"]}
    assert len(thrice.held_out["thrice"]) == 9


def test_labels_of_held_out_stories_get_their_new_numbers(folder, tmp_path):
    own = open_own_stories(str(folder))
    own.save(tmp_path)
    stories = read_babi(tmp_path / "held_out" / "short.txt")
    rows = list(csv.DictReader((tmp_path / "held_out" / "short.csv").read_text().splitlines()))
    assert [int(row["story"]) for row in rows] == list(range(len(stories)))
    assert [row["value"] for row in rows] == [story.sentences[0].split()[0] for story in stories]
    assert not (tmp_path / "held_out" / "long.csv").exists()


def test_every_question_of_a_batch_is_asked_where_the_file_asks_it(folder):
    """Read back from the ids: what stands before a question, and its answer, are those of one story."""
    own = open_own_stories(str(folder))
    tokenizer = word_tokenizer(own.words())
    words = {i: word for word, i in tokenizer.get_vocab().items()}
    source = OwnStorySource(tokenizer, own.trained, n_stories=5, questions_per_sentence=2.0, seed=0)

    def text(ids):
        return " ".join(words[i] for i in ids.tolist() if i)

    def spaced(sentence):
        return sentence.lower().replace(".", " .").replace("?", " ?")

    known = {
        (tuple(map(spaced, story.sentences[: q.n_statements])), spaced(q.text), q.answer)
        for stories in own.trained.values()
        for story in stories
        for q in story.questions
    }
    for stage in own_stages(own.trained):
        for index in range(4):
            batch = source.batch(index, stage, dict.fromkeys(stage.tasks, 1.0))
            story_ids = torch.cat([batch.before_ids, batch.story_ids], 1)
            n_before = batch.before_ids.shape[1]
            assert story_ids.shape[1] <= stage.n_before + stage.n_sentences
            assert set(batch.story.tolist()) == set(range(5))  # no story without a question
            for b, s, question, answer in zip(
                batch.story, batch.segment, batch.question_ids, batch.answer_ids, strict=True
            ):
                before = [text(ids) for ids in story_ids[b, : n_before + s + 1]]
                told = tuple(sentence for sentence in before if sentence)
                assert (told, text(question), words[int(answer)]) in known


def test_a_batch_is_a_function_of_seed_and_index(folder):
    own = open_own_stories(str(folder))
    tokenizer = word_tokenizer(own.words())
    stage = own_stages(own.trained)[-1]

    def story_ids(seed, index):
        source = OwnStorySource(tokenizer, own.trained, n_stories=4, questions_per_sentence=1.0, seed=seed)
        return source.batch(index, stage, {"long": 1.0, "short": 1.0}).story_ids

    assert torch.equal(story_ids(0, 3), story_ids(0, 3))
    assert not torch.equal(story_ids(0, 3)[0, -1], story_ids(1, 3)[0, -1]) or not torch.equal(
        story_ids(0, 3)[1, -1], story_ids(1, 3)[1, -1]
    )


def test_stages_grow_from_early_questions_to_all():
    early = {"a": [pet_story(seed, 30) for seed in range(10)]}
    assert [(s.n_sentences, s.n_before) for s in own_stages(early)] == [
        (3, 0), (6, 0), (10, 0), (16, 0), (16, 14),
    ]  # fmt: skip
    late = {"a": [pet_story(seed, 30, ask_early=False) for seed in range(10)]}
    assert [(s.n_sentences, s.n_before) for s in own_stages(late)] == [(30, 0)]
    very_late = {"a": [pet_story(seed, 90, ask_early=False) for seed in range(3)]}
    assert [(s.n_sentences, s.n_before) for s in own_stages(very_late)] == [(64, 26)]
    both = own_stages({"early": early["a"], "late": late["a"]})
    assert both[0].tasks == ("early",) and both[-1].tasks == ("early", "late")


def test_a_stage_that_is_never_mastered_ends_when_its_time_is_over():
    stages = own_stages({"a": [pet_story(seed, 9) for seed in range(10)]})
    curriculum = Curriculum(stages, most_steps=3)
    seen = []
    for _ in range(8):
        seen.append(curriculum.index)
        curriculum.record({"a": 0.1})
    assert seen == [0, 0, 0, 1, 1, 1, 2, 2]


def test_questions_before_any_sentence_are_read_with_a_fresh_bank():
    story = TextStory(("Rex sleeps.",), (Question("Who?", "nobody", (), 0), Question("Who?", "Rex", (0,), 1)))
    tokenizer = word_tokenizer({*split_words(["Rex sleeps. Who?"]), "nobody", "rex"})
    source = OwnStorySource(tokenizer, {"a": [story]}, n_stories=6, questions_per_sentence=9.0, seed=0)
    (stage,) = own_stages({"a": [story]})
    nobody = tokenizer.convert_tokens_to_ids("nobody")
    batches = [source.batch(i, stage, {"a": 1.0}) for i in range(4)] + list(source.whole({"a": [story]}))
    n_fresh = 0
    for batch in batches:
        for b, s, answer in zip(batch.story, batch.segment, batch.answer_ids, strict=True):
            is_fresh = not batch.story_ids[b, : s + 1].any()
            assert is_fresh == (answer == nobody)
            n_fresh += is_fresh
    assert n_fresh > 2


def test_whole_stories_are_asked_every_question_once(folder):
    own = open_own_stories(str(folder))
    source = OwnStorySource(
        word_tokenizer(own.words()), own.trained, n_stories=7, questions_per_sentence=1.0, seed=0
    )
    asked = [float(batch.n_asked.sum()) for batch in source.whole(own.trained)]
    assert sum(asked) == sum(len(s.questions) for stories in own.trained.values() for s in stories)


def test_a_run_on_own_stories_is_evaluated_and_opens(run):
    out, recipe, model = run
    lm = load(str(out))
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), lm.model.parameters(), strict=True))
    assert json.loads((out / "training.json").read_text())["tasks"] == ["pets"]
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    evaluations = [line for line in lines if "eval_accuracy" in line]
    assert [line["step"] for line in evaluations] == [2, 4]
    stories = read_babi(out / "held_out" / "pets.txt")
    assert len(stories) == 2
    result = score(stories, predict(lm, stories))
    assert result.n == 12 and evaluations[-1]["eval_accuracy"] == pytest.approx(result.accuracy)
    assert "living room" in lm.tokenizer.get_vocab()  # an answer of two words is one answer


def test_a_resumed_run_ends_as_the_straight_one_and_not_on_other_stories(run, tmp_path):
    out, recipe, model = run
    copy = tmp_path / "run"
    shutil.copytree(out, copy)
    shutil.rmtree(copy / "checkpoint-4")
    again = train(recipe, copy, resume=True)
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), again.parameters(), strict=True))
    assert (copy / "metrics.jsonl").read_text() == (out / "metrics.jsonl").read_text()
    (copy / "stories.json").write_text('{"digest": "of others"}')
    with pytest.raises(ValueError, match="are not those that the run in .* began with; resume it with the"):
        train(recipe, copy, resume=True)


def test_a_baseline_is_trained_on_own_stories_like_an_lm2(run, tmp_path):
    _, recipe, _ = run
    train(replace(recipe, architecture="llama-window", n_steps=1), tmp_path / "run")
    lm = load(str(tmp_path / "run"), baselines=True)
    assert predict(lm, read_babi(tmp_path / "run" / "held_out" / "pets.txt"))


def test_a_model_learns_a_small_world_of_its_own(tmp_path):
    """Who sleeps where, from one sentence: right on every held-out story after a few steps."""
    write_babi(tmp_path / "pets.txt", [pet_story(seed, 1) for seed in range(60)])
    recipe = replace(SHORT, n_steps=40, save_every=40, n_stories=32, learning_rate=5e-3)
    train(replace(recipe, stories=str(tmp_path / "pets.txt")), tmp_path / "run")
    stories = read_babi(tmp_path / "run" / "held_out" / "pets.txt")
    result = score(stories, predict(load(str(tmp_path / "run")), stories))
    assert result.accuracy == 1.0 and result.majority < 0.7


def test_held_out_answers_that_were_never_trained_are_counted(folder):
    own = open_own_stories(str(folder))
    assert own.untrained_answers() == (0, sum(len(s.questions) for ss in own.held_out.values() for s in ss))
    story = TextStory(("Rex sleeps.",), (Question("Who?", "Rex", (0,), 1), Question("Who?", "Shed", (0,), 1)))
    odd = replace(own, held_out={"short": [story]})
    assert odd.untrained_answers() == (1, 2)  # "shed" is an answer in training
    with pytest.warns(UserWarning, match="1 of 2 held-out questions have an answer that no question in tr"):
        assert with_own_tasks(SHORT, odd).tasks == ("long", "short")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1 Rex sleeps.\n", "has no questions"),
        ("1 Rex sleeps.\nRex wakes.\n", "line 2: expected 'NUMBER text', got 'Rex wakes.'"),
        (
            "1 Rex sleeps.\n2 Who?\tRex\t1\n" * 30,
            "has 1 different stories with questions; give at least 10",
        ),
    ],
)
def test_stories_that_cannot_be_trained_on_are_refused_before_a_folder_is_made(tmp_path, text, message):
    (tmp_path / "a.txt").write_text(text)
    with pytest.raises(ValueError, match=message):
        train(replace(SHORT, stories=str(tmp_path / "a.txt")), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_options_and_places_that_do_not_fit_are_refused(folder, tmp_path):
    with pytest.raises(ValueError, match="bring their own tasks and have no noise; omit --tasks and --noise"):
        train(replace(SHORT, stories=str(folder), noise="python"), tmp_path / "run")
    with pytest.raises(ValueError, match="bring their own tasks and have no noise; omit --tasks and --noise"):
        train(replace(SHORT, stories=str(folder), tasks=("qa1",)), tmp_path / "run")
    with pytest.raises(ValueError, match="nowhere.txt is not there; give a file in the bAbI format, or a"):
        open_own_stories(str(tmp_path / "nowhere.txt"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="empty has no .txt file; give a file in the bAbI format, or a"):
        open_own_stories(str(tmp_path / "empty"))
    (folder / "short.csv").write_text("story,segment,fact,value\n0,0,a,b\n20,0,a,b\n")
    with pytest.raises(ValueError, match="short.csv, line 3: story '20'; the stories of the file are 0"):
        open_own_stories(str(folder))
    (folder / "short.csv").write_text("story,fact,value\n0,a,b\n")
    with pytest.raises(ValueError, match="short.csv has no column segment; it needs: story, segment, fact"):
        open_own_stories(str(folder))
