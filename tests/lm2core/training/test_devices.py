"""What a run needs of the machine is known before it starts."""

import pytest
import torch

from lm2core.errors import UserError
from lm2core.model.config import lm2_1_7b
from lm2core.model.sizes import ModelSize, model_size
from lm2core.training import devices
from lm2core.training.devices import check_bf16, check_memory, chip_of
from lm2core.training.trainer import check_devices

SIZE = ModelSize(n_backbone=1_500_000_000, n_memory=500_000_000, n_bank=1)


@pytest.fixture
def with_gigabytes(monkeypatch):
    """Makes a GPU with so much free memory."""
    return lambda n: monkeypatch.setattr(devices, "_free_bytes", lambda: (n * 10**9, "NVIDIA H200"))


def test_too_little_memory_is_refused_with_what_is_missing(with_gigabytes):
    with_gigabytes(20)
    with pytest.raises(
        UserError,
        match=r"big has 2.00 billion parameters and needs 32.0 GB .*; NVIDIA H200 has 20.0 GB .* 12.0 GB",
    ):
        check_memory("big", SIZE)
    with_gigabytes(33)
    check_memory("big", SIZE)


def test_a_frozen_backbone_needs_its_weights_only(with_gigabytes):
    with_gigabytes(15)
    check_memory("big", SIZE, only_memory_trained=True)  # 4 bytes of 1.5 billion and 16 of 0.5: 14 GB
    with_gigabytes(13)
    with pytest.raises(UserError, match="needs 14.0 GB"):
        check_memory("big", SIZE, only_memory_trained=True)


def test_processes_share_a_model_out_with_fsdp_only(with_gigabytes, monkeypatch):
    with_gigabytes(20)
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(UserError, match="12.0 GB are missing"):
        check_memory("big", SIZE)
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    check_memory("big", SIZE)


def test_a_processor_s_free_memory_is_read():
    if not torch.cuda.is_available():
        assert 0 < devices._free_bytes()[0] < 1e15
        with pytest.raises(UserError, match="this machine has"):
            check_memory("huge", ModelSize(n_backbone=10**14, n_memory=0, n_bank=0))


def test_bf16_is_refused_on_a_gpu_without_it(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "Tesla T4")
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: False)
    with pytest.raises(UserError, match="Tesla T4 has no bfloat16, which --bf16 needs.*train with --no-bf16"):
        check_bf16()
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: True)
    check_bf16()


@pytest.mark.parametrize(
    ("name", "chip"),
    [
        ("NVIDIA H200", "H200"),
        ("NVIDIA H100 80GB HBM3", "H100"),
        ("NVIDIA H100 PCIe", "H100 PCIe"),
        ("NVIDIA A100-SXM4-80GB", "A100"),
        ("NVIDIA L40S", None),
    ],
)
def test_a_chip_is_known_by_a_part_of_its_device_s_name(name, chip):
    assert chip_of(name) is (devices.CHIPS[chip] if chip else None)


def test_time_is_that_of_products_and_of_traffic_one_after_the_other():
    chip = devices.Chip(flops_per_s=10.0, bytes_per_s=2.0)
    assert chip.seconds(8.0, 0.0) == pytest.approx(8 / (10 * devices.REACHED))
    assert chip.seconds(8.0, 3.4) == pytest.approx(1.0 + 3.4 / (2 * devices.REACHED_BYTES))


def test_the_paper_s_model_fits_one_h200_and_not_one_of_24_gb(with_gigabytes):
    with_gigabytes(139)
    check_memory("lm2-1.7b", model_size(lm2_1_7b()))
    with_gigabytes(24)
    with pytest.raises(UserError, match="needs 27.3 GB"):
        check_memory("lm2-1.7b", model_size(lm2_1_7b()))


@pytest.mark.parametrize(
    ("rank", "refusal"),
    [
        (None, "several GPUs are visible; start one process per GPU: accelerate launch"),
        ("2", r"process 2 \(from 0\) of this machine has no GPU, 2 can be used; start one process per GPU"),
    ],
)
def test_each_process_has_a_gpu_of_its_own(rank, refusal, monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setenv("LOCAL_RANK", "1")
    check_devices()
    monkeypatch.delenv("LOCAL_RANK") if rank is None else monkeypatch.setenv("LOCAL_RANK", rank)
    with pytest.raises(UserError, match=refusal):
        check_devices()
