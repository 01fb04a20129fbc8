"""The table of a comparison as a Markdown page: our results, their verdicts, and the paper's numbers."""

from collections.abc import Iterable, Sequence
from typing import Any

from lm2core.compare import published
from lm2core.compare.measures import MASTERED

Entry = dict[str, Any]

TITLES = {
    "race": "Accuracy by length, each architecture at its best",
    "main": "Accuracy by length, all with LM2's recipe",
    "layers": "How many blocks need memory",
    "slots": "How many slots are needed",
}
ABLATIONS = ("layers", "slots")
HOW_TO_READ = (
    "Cells: the mean over seeds and, in parentheses, its 95 % interval: Student's t over seeds, or what the "
    "number of questions allows if that is wider. With three seeds it is wide. A cell that ends in "
    '"(1 of 3)" has one of its three seeds so far; one seed has no interval. Wins are paired by seed and '
    "decided if the whole interval of the difference lies on one side of 0; there is no correction for "
    "multiple comparisons, so about one in twenty may be chance. A window is a segment: one sentence of a "
    "story, 64 tokens of a text. In the race every architecture has the learning rate that suited it best, "
    "its stories grow when it masters them, and the baselines have four times LM2's steps. Elsewhere all "
    "have LM2's recipe, and stories grow at the same steps. Questions are about one of the last five "
    "statements: length alone tests whether the memory still works, noise after the facts tests how long "
    "it keeps them."
)
NAMES = {
    "lm2": "LM2",
    "rmt": "RMT",
    "armt": "ARMT",
    "llama-window": "Llama, same window",
    "llama-full": "Llama, whole text",
}


def as_markdown(table: Entry) -> str:
    """The page; an unfinished comparison lists its missing runs."""
    parts = [
        _head(table),
        _rates(table["rates"]),
        _training(table["training"]),
        *(_accuracy(table, group, title) for group, title in TITLES.items()),
        _perplexity(table["perplexity"]),
        _bank_change(table["bank_change"]),
        _published(),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _head(table: Entry) -> str:
    n_done = table["n_runs"] - len(table["missing"])
    lines = [f"# LM2 compared: {table['plan']}", "", f"Runs finished: {n_done} of {table['n_runs']}."]
    if table["missing"]:
        lines[-1] += f" Missing: {', '.join(table['missing'])}."
    lines += [
        "",
        HOW_TO_READ,
    ]
    not_won = [x for x in table["lm2_against"] if x["verdict"] != "LM2 wins"]
    if table["lm2_against"]:
        lines += [
            "",
            f"**Where LM2 does not win** ({len(not_won)} of {len(table['lm2_against'])} comparisons):",
        ]
        lines += _where(not_won) or ["nowhere."]
    return "\n".join(lines)


def _where(entries: Sequence[Entry]) -> list[str]:
    """For each opponent and verdict, the sets it holds on."""
    sets_by_verdict: dict[tuple[str, str], list[str]] = {}
    for entry in entries:
        sets_by_verdict.setdefault((_label(entry, with_group=True), entry["verdict"]), []).append(
            _set_name(entry)
        )
    return [
        f"- against {label}: {verdict} at {'; '.join(sets)}"
        for (label, verdict), sets in sets_by_verdict.items()
    ]


def _training(entries: Sequence[Entry]) -> str:
    rows = [
        (
            _label(x, with_group=True),
            f"{x['n_parameters']:,}",
            f"{x['learning_rate']:g}",
            f"{x['n_steps']:,}",
            "; ".join("never" if n is None else f"{n:,}" for n in x["steps_to_mastery"]) or "-",
            "; ".join(f"{s / 60:.0f}" for s in x["wall_s"]),
        )
        for x in entries
    ]
    head = (
        "model",
        "parameters",
        "learning rate",
        "steps",
        f"steps to {MASTERED:.0%} (by seed)",
        "minutes (by seed)",
    )
    return "## Models trained\n\n" + _rows(head, rows) if rows else ""


def _rates(entries: Sequence[Entry]) -> str:
    """The search for the learning rate of each architecture."""
    rows = [
        (
            NAMES[x["architecture"]],
            f"**{x['learning_rate']:g}**" if x["is_best"] else f"{x['learning_rate']:g}",
            f"{x['n_steps']:,}",
            "never" if x["steps_to_mastery"] is None else f"{x['steps_to_mastery']:,}",
            f"{x['stage'] + 1} of {x['n_stages']}",
            f"{x['accuracy']:.1%}",
        )
        for x in entries
    ]
    head = (
        "model",
        "learning rate",
        "steps",
        f"steps to {MASTERED:.0%}",
        "last stage",
        "accuracy there",
    )
    about = (
        "One seed each, which is none of those below. The best is the first to master the last stage; where "
        "none does, the one that came furthest."
    )
    return f"## The learning rate of each architecture\n\n{about}\n\n" + _rows(head, rows) if rows else ""


def _accuracy(table: Entry, group: str, title: str) -> str:
    """Two tables for each task: by length, and by the amount of noise after the facts."""
    entries = [x for x in table["accuracy"] if x["group"] == group]
    if group in ABLATIONS and len({x["label"] for x in entries}) < 2:  # only LM2 itself, nothing to compare
        return ""
    parts = []
    for task in dict.fromkeys(x["task"] for x in entries):
        for is_noisy in (False, True):
            chosen = [x for x in entries if x["task"] == task and bool(x["noise"]) == is_noisy]
            if chosen:
                against = [
                    x
                    for x in table["lm2_against"]
                    if (x["group"], x["task"], bool(x["noise"])) == (group, task, is_noisy)
                ]
                parts.append(_accuracy_of(chosen, against))
    return "\n\n".join([f"## {title}", *parts]) if parts else ""


def _accuracy_of(entries: Sequence[Entry], against: Sequence[Entry]) -> str:
    first = entries[0]
    sets = list(dict.fromkeys((x["length"], x["noise"]) for x in entries))
    by_label: dict[str, dict[tuple[int, int], Entry]] = {}
    for x in entries:
        by_label.setdefault(_label(x), {})[x["length"], x["noise"]] = x
    rows = [(label, *(_share(of[s]) for s in sets)) for label, of in by_label.items()]
    one = next(iter(by_label.values()))
    rows += [
        (name, *(f"{one[s][key]:.1%}" for s in sets))
        for name, key in (
            ("floor: majority answer", "majority"),
            ("floor: last place named", "last_mentioned"),
        )
    ]
    rows += [
        (f"untrained: {label}", *(f"{of[s]['untrained']:.1%}" for s in sets))
        for label, of in by_label.items()
    ]
    decided: dict[str, list[str]] = {}
    for x in against:
        decided.setdefault(_label(x), []).append(f"{x['verdict']}: {_points(x)}")
    rows += [(f"LM2 minus {label}, points", *cells) for label, cells in decided.items()]
    noisy = bool(first["noise"])
    what = f"{first['unit']} of noise after the facts" if noisy else f"{first['unit']} before the question"
    head = (what, *(str(noise if noisy else length) for length, noise in sets))
    return f"{first['task']}, {first['n']} questions per cell and seed.\n\n" + _rows(head, rows)


def _perplexity(entries: Sequence[Entry]) -> str:
    """Does memory hurt where it is not needed? Held-out perplexity of plain text."""
    if not entries:
        return ""
    rows = [(_label(x), _with_interval(x, "{:.1f}"), _nats(x.get("lm2_against"))) for x in entries]
    first = entries[0]
    rows.append(("floor: token frequencies", f"{first['perplexity_of_frequencies']:.1f}", ""))
    head = (f"perplexity of {first['n_tokens']:,} held-out tokens", "", "LM2 minus it, nats per token")
    return "## Does memory hurt where it is not needed?\n\nPlain text: Python's help topics.\n\n" + _rows(
        head, rows
    )


def _nats(difference: Entry | None) -> str:
    if difference is None:
        return ""
    return f"{difference['verdict']}: " + _with_interval(
        difference | {"mean": difference["difference"]}, "{:+.3f}"
    )


def _bank_change(entries: Sequence[Entry]) -> str:
    if not entries:
        return ""
    rows = [
        (
            x["reads"],
            str(x["block"]),
            _with_interval(x["trained"], "{:.2%}"),
            _with_interval(x["untrained"], "{:.2%}"),
        )
        for x in entries
    ]
    about = (
        f"Relative change of the bank per token, over {entries[0]['n']} sentences per seed that follow the "
        "first ten of a story. Statements: the story continues. Noise: moves of people whom the question is "
        "not about; only the question, which comes later, distinguishes them from statements. Repeats: the "
        "last sentence, repeated."
    )
    return f"## What the memory does at test time\n\n{about}\n\n" + _rows(
        ("LM2 reads", "block", "trained", "untrained"), rows
    )


def _published() -> str:
    rows = [
        (f"{name}, {length}", *("-" if x is None else f"{x:g}" for x in numbers))
        for name, of in (("qa1", published.QA1), ("mean of qa1 to qa10", published.BABILONG))
        for length, numbers in of.items()
    ]
    mmlu = ", ".join(f"{name} {value}" for name, value in published.MMLU.items())
    return "\n\n".join(
        [
            "## What the paper published",
            "Kang et al. 2025, arXiv:2502.06049, BABILong accuracy in percent (lengths in tokens):",
            _rows(("", *published.MODELS), rows),
            f"MMLU in percent (chance 25): {mmlu}.",
            published.NOT_COMPARABLE,
            "Where these numbers contradict each other or the paper's text:",
            "\n".join(f"{i}. {text}" for i, text in enumerate(published.CONTRADICTIONS, start=1)),
        ]
    )


def _label(entry: Entry, *, with_group: bool = False) -> str:
    name: str = entry["label"]
    label = NAMES.get(name, name)
    return f"{entry['group']}: {label}" if with_group else label


def _set_name(entry: Entry) -> str:
    noise = f" ({entry['noise']} of them noise)" if entry["noise"] else ""
    return f"{entry['task']} {entry['length']} {entry['unit']}{noise}"


def _share(entry: Entry) -> str:
    return _with_interval(entry, "{:.1%}")


def _points(entry: Entry) -> str:
    as_points = {name: entry[name] if entry[name] is None else 100 * entry[name] for name in ("low", "high")}
    return _with_interval(entry | as_points | {"mean": 100 * entry["difference"]}, "{:+.1f}")


def _with_interval(entry: Entry, form: str) -> str:
    """The mean, its interval if there is one, and how many seeds are finished if some are missing."""
    text: str = form.format(entry["mean"])
    if entry["low"] is not None:
        text += f" ({form.format(entry['low'])} to {form.format(entry['high'])})"
    planned = entry["n_seeds_planned"]
    return text if entry["n_seeds"] == planned else f"{text} ({entry['n_seeds']} of {planned})"


def _rows(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = list(head)
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
