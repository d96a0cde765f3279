"""Batches, adapters and the training loop, on an encoder small enough to train in a second."""

import numpy as np
import pytest

pytest.importorskip("torch")

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import BertConfig, BertModel

from nlp.graph import merge
from nlp.tokens import Specials, TextTokenizer
from nlp.types import MOODS, SIGNALS
from training.batches import PAD_TO, collate, plan, sequences
from training.checkpoint import STATE_FILE, Checkpoint
from training.dataset import LabelledRow, targets
from training.encoder import adapt, adapter_arrays, load_adapter
from training.finetune import TASKS, Plan, loss, predict, train
from training.fit import FitPlan, fit, padded, predict_heads
from training.network import Heads, Network
from training.run import Average

pytestmark = pytest.mark.train

THEMES = ("delivery", "staff", "price")
WORDS = ("late", "early", "rude", "kind", "dear", "cheap", "the", "was", "it", "very")
TOPIC = {"late": 0, "early": 0, "rude": 1, "kind": 1, "dear": 2, "cheap": 2}
BAD = {"late", "rude", "dear"}
WIDTH = 32


@pytest.fixture(scope="module")
def tokenizer() -> TextTokenizer:
    vocabulary = {
        word: index for index, word in enumerate(("<pad>", "<s>", "</s>", "<unk>", "query", *WORDS, "<mask>"))
    }
    plain = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    plain.pre_tokenizer = pre_tokenizers.Whitespace()
    return TextTokenizer(plain, Specials(bos=1, eos=2, pad=0, mask=5 + len(WORDS)), "query")


def encoder() -> BertModel:
    torch.manual_seed(0)
    config = BertConfig(
        hidden_size=WIDTH,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=48,
        vocab_size=6 + len(WORDS),
        max_position_embeddings=64,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    return BertModel(config, add_pooling_layer=False).requires_grad_(False).eval()


def network(rank: int = 4, pooling: str = "attention") -> Network:
    base = adapt(encoder(), rank, 4.0) if rank else encoder()
    torch.manual_seed(1)
    return Network(base, Heads(WIDTH, len(THEMES), pooling))


def rows(count: int) -> list[LabelledRow]:
    rng = np.random.default_rng(0)
    out = []
    for index in range(count):
        word = sorted(TOPIC)[int(rng.integers(len(TOPIC)))]
        theme, mood = THEMES[TOPIC[word]], "negative" if word in BAD else "positive"
        text = " ".join([*rng.choice(["the", "was", "it", "very"], int(rng.integers(1, 9))), word])
        out.append(
            LabelledRow(
                str(index),
                text,
                themes=frozenset({theme}),
                theme_sentiments={theme: mood},
                sentiment=mood,
                justified=len(text) > 12,
                signals=frozenset({SIGNALS[0]} if word == "rude" else ()),
            )
        )
    return out


SMALL = Plan(epochs=12, budget=256, longest=32, adapter_rate=3e-3, heads_rate=1e-2, average=0.9, masking=0.05)


def task_loss(net: Network, tokenizer: TextTokenizer, data: list[LabelledRow]) -> float:
    logits = {task: torch.from_numpy(values) for task, values in predict(net, tokenizer, data, SMALL).items()}
    wanted = targets(data, THEMES)
    labels = {task: torch.from_numpy(getattr(wanted, task)) for task in TASKS}
    return loss(logits, labels, SMALL).item()


@pytest.fixture(scope="module")
def trained(tokenizer) -> tuple[Network, float, float, list[str]]:
    net, data, lines = network(), rows(160), []
    before = task_loss(net, tokenizer, data)
    torch.manual_seed(0)
    train(net, tokenizer, THEMES, lambda epoch: data, SMALL, lines.append)
    return net, before, task_loss(net, tokenizer, data), lines


def test_training_lowers_the_loss_and_learns_the_task(trained, tokenizer):
    net, before, after, _ = trained
    assert after < 0.5 * before
    data = rows(160)
    logits, wanted = predict(net, tokenizer, data, SMALL), targets(data, THEMES)
    assert (logits["themes"].argmax(1) == wanted.themes.argmax(1)).mean() > 0.9
    assert (logits["sentiment"].argmax(1) == wanted.sentiment).mean() > 0.9


def test_only_the_adapter_and_the_heads_are_trained(trained):
    net, *_ = trained
    fresh = encoder().state_dict()
    kept = {name.replace(".base.", "."): value for name, value in net.encoder.state_dict().items()}
    assert all(torch.equal(kept[name], value) for name, value in fresh.items())
    assert all(name.endswith((".up", ".down")) for name, p in net.encoder.named_parameters() if p.requires_grad)
    assert sum(p.requires_grad for p in net.encoder.parameters()) == 2 * 6 * 2  # A and B, six layers in each block


def test_training_twice_gives_the_same_model(tokenizer):
    def once() -> dict[str, torch.Tensor]:
        net = network()
        train(net, tokenizer, THEMES, lambda epoch: rows(40), Plan(epochs=1, budget=256, longest=32), str)
        return net.state_dict()

    one, two = once(), once()
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_every_epoch_is_judged_as_averaged_and_sees_the_rows_of_its_number(tokenizer):
    seen, states = [], []
    net = network(rank=0)

    def draw(number: int) -> list[LabelledRow]:
        seen.append(number)
        return rows(20 + number)

    def judge() -> float:
        states.append(net.heads.weight.detach().clone())
        return float(len(states))

    train(net, tokenizer, THEMES, draw, Plan(epochs=3, budget=256, longest=32), str, judge)
    assert seen == [0, 1, 2]
    assert torch.equal(states[-1], net.heads.weight) and not torch.equal(states[0], states[-1])


def test_training_stops_when_it_gains_no_more_and_keeps_the_best_epoch(tokenizer):
    net, states, scores, lines = network(rank=0), [], iter((0.5, 0.9, 0.8, 0.7, 1.0)), []

    def judge() -> float:
        states.append(net.heads.weight.detach().clone())
        return next(scores)

    settings = Plan(epochs=5, budget=256, longest=32, patience=2)
    train(net, tokenizer, THEMES, lambda epoch: rows(20), settings, lines.append, judge)
    assert len(states) == 4 and torch.equal(states[1], net.heads.weight)
    assert "0.9000" in lines[-3] and "epoch 2 was better" in lines[-1]


class Killed(Exception):  # noqa: N818 - it stands for a signal
    pass


@pytest.mark.parametrize("steps", [1, 4, 9, 11])
def test_a_training_that_was_killed_ends_as_one_that_was_not(tokenizer, tmp_path, steps):
    settings, data = Plan(epochs=3, budget=128, longest=32, masking=0.3), rows(30)

    def once(checkpoint: Checkpoint | None, net: Network, kill: int | None = None) -> list[str]:
        lines, left = [], [kill]
        forward = net.heads.forward

        def counted(*inputs):
            if net.training and left[0] is not None:
                left[0] -= 1
                if left[0] < 0:
                    raise Killed
            return forward(*inputs)

        net.heads.forward = counted
        judged = [0.3, 0.2, 0.4]
        train(net, tokenizer, THEMES, lambda epoch: data, settings, lines.append, lambda: judged.pop(0), checkpoint)
        return lines

    whole, parted = network(), network()
    once(None, whole)
    with pytest.raises(Killed):
        once(Checkpoint(tmp_path / "c", "same", every=0.0), parted, kill=steps)
    assert (tmp_path / "c" / STATE_FILE).is_file()
    resumed = network()
    judged_before = int(Checkpoint(tmp_path / "c", "same").load().numbers["epoch"])
    lines = once_from(tokenizer, resumed, Checkpoint(tmp_path / "c", "same", every=0.0), data, settings, judged_before)
    assert "going on from the checkpoint" in lines[0]
    assert all(torch.equal(one, other) for one, other in zip(whole.parameters(), resumed.parameters(), strict=True))


def once_from(tokenizer, net: Network, checkpoint: Checkpoint, data, settings: Plan, judged_before: int) -> list[str]:
    lines, scores = [], [0.3, 0.2, 0.4][judged_before:]
    train(net, tokenizer, THEMES, lambda epoch: data, settings, lines.append, lambda: scores.pop(0), checkpoint)
    return lines


# --- the adapter ------------------------------------------------------------------------------------------------------


def test_a_fresh_adapter_changes_nothing_and_a_trained_one_does(trained, tokenizer):
    ids, attention, _ = collate(sequences(tokenizer, ["it was late", "kind"], [None, None], 32), 0)
    with torch.no_grad():
        plain = encoder()(input_ids=ids, attention_mask=attention).last_hidden_state
        fresh = adapt(encoder(), 4, 4.0)(input_ids=ids, attention_mask=attention).last_hidden_state
        changed = trained[0].encoder(input_ids=ids, attention_mask=attention).last_hidden_state
    torch.testing.assert_close(fresh, plain)
    assert (changed - plain).abs().max() > 0.05


def test_merged_arrays_give_the_adapted_forward(trained, tokenizer):
    ids, attention, _ = collate(sequences(tokenizer, ["it was late", "kind", "very dear"], [None] * 3, 32), 0)
    arrays = adapter_arrays(trained[0].encoder)
    assert {values.dtype for values in arrays.values()} == {np.dtype(np.float16)}
    merged = encoder()
    weights = merge({name: values.numpy() for name, values in merged.state_dict().items()}, arrays)
    merged.load_state_dict({name: torch.from_numpy(np.asarray(values)) for name, values in weights.items()})
    with torch.no_grad():
        adapted = trained[0].encoder(input_ids=ids, attention_mask=attention).last_hidden_state
        plain = merged(input_ids=ids, attention_mask=attention).last_hidden_state
    torch.testing.assert_close(plain, adapted, atol=5e-3, rtol=5e-3)  # float16 arrays


def test_an_adapter_taken_out_can_be_put_into_another_network(trained):
    arrays, other = adapter_arrays(trained[0].encoder), adapt(encoder(), 4, 4.0)
    load_adapter(other, arrays)
    again = adapter_arrays(other)
    assert again.keys() == arrays.keys() and any(values.any() for values in arrays.values())
    for name, values in arrays.items():
        np.testing.assert_allclose(again[name], values, rtol=2e-3, atol=1e-6)  # float16


def test_an_encoder_without_an_adapter_has_no_arrays():
    assert adapter_arrays(encoder()) == {}


def test_an_adapter_over_a_half_precision_base_trains_in_full_precision():
    model = adapt(encoder(), 4, 4.0, torch.bfloat16)
    assert {p.dtype for p in model.parameters() if p.requires_grad} == {torch.float32}
    assert {p.dtype for p in model.parameters() if not p.requires_grad} == {torch.bfloat16}
    ids = torch.tensor([[1, 5, 2]])
    assert model(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state.dtype == torch.bfloat16


# --- the loss ---------------------------------------------------------------------------------------------------------


def logits_for(count: int) -> dict[str, torch.Tensor]:
    torch.manual_seed(2)
    shapes = {
        "themes": (count, len(THEMES)),
        "moods": (count, len(THEMES), len(MOODS)),
        "sentiment": (count, len(MOODS)),
        "justified": (count,),
        "signals": (count, len(SIGNALS)),
    }
    return {task: torch.randn(*shape, requires_grad=True) for task, shape in shapes.items()}


def labels_for(data: list[LabelledRow]) -> dict[str, torch.Tensor]:
    wanted = targets(data, THEMES)
    return {task: torch.from_numpy(getattr(wanted, task)) for task in TASKS}


def test_what_is_unlabelled_adds_nothing():
    labelled, blank = rows(3), [LabelledRow(str(i), "x") for i in range(3)]
    logits = logits_for(6)
    value = loss(logits, labels_for(labelled + blank), Plan())
    alone = loss({task: x[:3] for task, x in logits.items()}, labels_for(labelled), Plan())
    torch.testing.assert_close(value, alone)
    value.backward()
    for task, x in logits.items():
        assert not x.grad[3:].any() and x.grad[:3].any(), task


def test_a_batch_without_any_label_costs_nothing():
    logits = logits_for(2)
    value = loss(logits, labels_for([LabelledRow("1", "x"), LabelledRow("2", "y")]), Plan())
    value.backward()
    assert value.item() == 0.0 and all(not x.grad.any() for x in logits.values())


def test_the_loss_by_hand():
    row = LabelledRow("1", "x", themes=frozenset({"staff"}), themes_disputed=frozenset({"price"}), sentiment="neutral")
    zero = {task: torch.zeros_like(x) for task, x in logits_for(1).items()}
    settings = Plan(weights=(1.0, 0.0, 0.5, 0.0, 0.0))
    assert loss(zero, labels_for([row]), settings).item() == pytest.approx(10 * np.log(2) + 0.5 * np.log(4))
    doubled = loss(zero, labels_for([row]), Plan(weights=(1.0, 0.0, 0.0, 0.0, 0.0), positive_weight=2.0))
    assert doubled.item() == pytest.approx(10 * np.log(2) * 3 / 2)  # two labels are known, one of them positive


# --- the average ------------------------------------------------------------------------------------------------------


def test_the_average_follows_slowly_and_swaps_there_and_back():
    layer = torch.nn.Linear(1, 1, bias=False)
    frozen = torch.nn.Parameter(torch.ones(1), requires_grad=False)
    layer.register_parameter("frozen", frozen)
    layer.weight.data.fill_(0.0)
    average = Average(layer, 0.5)
    layer.weight.data.fill_(1.0)
    average.update(layer)  # the first steps count more: decay 2 / 11
    assert average.values["weight"].item() == pytest.approx(9 / 11)
    for _ in range(40):
        average.update(layer)
    assert average.values["weight"].item() == pytest.approx(1.0)
    layer.weight.data.fill_(3.0)
    average.update(layer)
    assert average.values["weight"].item() == pytest.approx(2.0)  # decay 0.5 by now
    average.swap(layer)
    assert (layer.weight.item(), average.values["weight"].item()) == (pytest.approx(2.0), 3.0)
    average.swap(layer)
    assert layer.weight.item() == 3.0 and "frozen" not in average.values


# --- batches ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [None, 1, 2])
@pytest.mark.parametrize("budget", [64, 500, 4096])
def test_a_plan_covers_every_row_once_within_its_budget(seed, budget):
    lengths = np.random.default_rng(0).integers(3, 60, 300).tolist()
    batches = plan(lengths, budget, seed)
    assert sorted(index for batch in batches for index in batch) == list(range(300))
    for batch in batches:
        width = -(-max(lengths[i] for i in batch) // PAD_TO) * PAD_TO
        assert width * len(batch) <= budget or len(batch) == 1
    assert plan(lengths, budget, seed) == batches


def test_a_plan_is_shuffled_by_its_seed_and_a_long_row_goes_alone():
    lengths = [5] * 50 + [100]
    assert plan(lengths, 64, 1) != plan(lengths, 64, 2)
    assert [50] in plan(lengths, 64, 1)
    assert plan([], 64, None) == plan([], 64, 1) == []


def test_sequences_are_framed_and_cut(tokenizer):
    long, short, asked = sequences(tokenizer, ["late " * 50, "", "kind"], [None, None, "was it"], 16)
    assert (len(long.ids), long.start, long.ids[0], long.ids[1], long.ids[-1]) == (16, 2, 1, 4, 2)
    assert short.ids.tolist() == [1, 4, 2]
    words = {word: 5 + index for index, word in enumerate(WORDS)}
    assert asked.ids.tolist() == [1, 4, words["was"], words["it"], words["kind"], 2] and asked.start == 4


def test_collating_marks_the_texts_own_tokens(tokenizer):
    ids, attention, own = collate(sequences(tokenizer, ["late it", "", "kind"], [None, None, "was"], 32), 0)
    assert ids.shape == attention.shape == own.shape == (3, PAD_TO)
    assert attention.sum(1).tolist() == [5, 3, 5]
    assert [np.flatnonzero(row).tolist() for row in own.numpy()] == [[2, 3], [0], [3]]


def test_predictions_do_not_depend_on_the_batch(trained, tokenizer):
    data = rows(30)
    together = predict(trained[0], tokenizer, data, SMALL)
    for index in (0, 7, 29):
        alone = predict(trained[0], tokenizer, [data[index]], SMALL)
        for task in TASKS:
            np.testing.assert_allclose(alone[task][0], together[task][index], atol=1e-4)


# --- heads alone ------------------------------------------------------------------------------------------------------


def drawn_states(data: list[LabelledRow]) -> list[np.ndarray]:
    rng = np.random.default_rng(5)
    directions = {word: rng.normal(size=WIDTH) for word in WORDS}
    return [np.array([directions[word] for word in row.text.split()], np.float16) for row in data]


@pytest.mark.parametrize("pooling", ["attention", "mean"])
def test_heads_fit_over_given_states(pooling):
    data = rows(120)
    states, wanted, lines = drawn_states(data), targets(data, THEMES), []
    torch.manual_seed(0)
    heads = Heads(WIDTH, len(THEMES), pooling)
    fit(heads, states, wanted, FitPlan(epochs=40, batch=16), Plan(), lines.append)
    logits = predict_heads(heads, states)
    enough = 0.95 if pooling == "attention" else 0.75  # a mean drowns the one telling word in the others
    assert (logits["themes"].argmax(1) == wanted.themes.argmax(1)).mean() > enough
    assert (logits["sentiment"].argmax(1) == wanted.sentiment).mean() > enough
    assert len(lines) == 40 and not heads.training
    assert bool(heads.query.any()) is (pooling == "attention")


def test_the_default_plan_learns_from_sixty_rows():
    data = rows(60)
    states, wanted = drawn_states(data), targets(data, THEMES)
    torch.manual_seed(0)
    heads = Heads(WIDTH, len(THEMES))
    fit(heads, states, wanted, FitPlan(), Plan(), lambda line: None)
    found = predict_heads(heads, states)["themes"] > 0
    assert (found == (wanted.themes == 1)).all(axis=1).mean() > 0.9


def test_few_rows_get_as_many_steps_as_learning_takes():
    data, lines = rows(20), []
    heads = Heads(WIDTH, len(THEMES))
    fit(heads, drawn_states(data), targets(data, THEMES), FitPlan(epochs=2, least_steps=9), Plan(), lines.append)
    assert len(lines) == 9 and lines[-1].startswith("heads, epoch 9 of 9")


def test_states_are_padded_with_their_mask():
    tokens, mask = padded([np.ones((3, 2), np.float16), np.ones((1, 2), np.float16), np.empty((0, 2), np.float16)])
    assert tokens.dtype == torch.float32 and tokens.sum(dim=(1, 2)).tolist() == [6.0, 2.0, 0.0]
    assert mask.sum(1).tolist() == [3, 1, 1]
