import torch

from streamasr.app.train.calibrate import measure_limits
from streamasr.core.model import ModelConfig
from streamasr.core.network import AcousticModel
from tests.conftest import noise


def test_limits_hold_what_each_layer_is_fed() -> None:
    torch.manual_seed(0)
    config = ModelConfig(mels=40, conv_channels=8, width=16, layers=2, phones=4)
    model = AcousticModel(config).eval()
    seen: list[torch.Tensor] = []
    model.unit_head.register_forward_hook(lambda _, x, __: seen.append(x[0]))
    samples = torch.from_numpy(noise(config.step_samples * 20, seed=1)[None])
    limits = measure_limits(model, [samples])
    assert set(limits) == {"project", "lstms.0", "lstms.1", "unit_head", "phone_head"}
    with torch.no_grad():
        found = []
        model.unit_norm.register_forward_hook(lambda _, __, y: found.append(y))
        model(samples)
    inside = (found[0].abs() <= limits["unit_head"]).float().mean()
    assert 0.999 <= inside <= 1.0


def test_a_speller_has_limits_too() -> None:
    config = ModelConfig(
        mels=40, conv_channels=8, width=16, layers=1, phones=4, speller_layers=2, speller_width=8
    )
    limits = measure_limits(AcousticModel(config).eval(), [torch.zeros(1, config.step_samples * 2)])
    spelling = {name for name in limits if name.startswith("speller")}
    assert spelling == {"speller.lstms.0", "speller.lstms.1", "speller.head"}


def test_hooks_are_taken_off_again() -> None:
    config = ModelConfig(mels=40, conv_channels=8, width=16, layers=1)
    model = AcousticModel(config).eval()
    measure_limits(model, [torch.zeros(1, config.step_samples)])
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())
