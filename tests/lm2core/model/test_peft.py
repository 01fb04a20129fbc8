"""peft trains the memory of an LM2 through LoRA; merged, saved and opened again it has the same logits."""

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model

from lm2core.model.causal_lm import LM2ForCausalLM
from tests.conftest import POSITIONAL, B, T, make_ids, make_model

IDS = make_ids(B, 3 * T)


@pytest.mark.filterwarnings("ignore::FutureWarning")  # peft asks for a name that transformers has changed
@pytest.mark.parametrize(
    "changes", [{}, {"memory_gate_rank": 3}, POSITIONAL], ids=["content", "thin gates", "positional"]
)
def test_lora_trains_every_layer_of_the_memory_and_merges_to_rounding(tmp_path, changes):
    model = make_model(**changes)
    lora = get_peft_model(model, LoraConfig(task_type="CAUSAL_LM", target_modules="all-linear", r=2))
    optimizer = torch.optim.Adam([p for p in lora.parameters() if p.requires_grad], lr=1e-2)
    before = lora(input_ids=IDS, labels=IDS).loss
    for _ in range(4):
        optimizer.zero_grad()
        lora(input_ids=IDS, labels=IDS).loss.backward()
        optimizer.step()
    trained = {n for n, p in lora.named_parameters() if ".lora_B." in n and p.any()}
    layers = [n for n, m in model.named_modules() if n.endswith(".base_layer")]
    assert {n.split(".lora_B")[0].removeprefix("base_model.model.") for n in trained} == {
        n.removesuffix(".base_layer") for n in layers
    }
    assert any("mem.bank_proj" in n for n in layers)
    with torch.no_grad():
        expected = lora(input_ids=IDS, labels=IDS)
        assert expected.loss < before - 0.05
        lora.save_pretrained(tmp_path / "adapter")
        opened = PeftModel.from_pretrained(make_model(**changes), tmp_path / "adapter")
        assert torch.equal(opened(input_ids=IDS).logits, expected.logits)
        merged = lora.merge_and_unload()
        torch.testing.assert_close(merged(IDS).logits, expected.logits, rtol=0, atol=5e-6)
        merged.save_pretrained(tmp_path / "merged")
        again = LM2ForCausalLM.from_pretrained(tmp_path / "merged")
        assert torch.equal(again(IDS).logits, merged(IDS).logits)
