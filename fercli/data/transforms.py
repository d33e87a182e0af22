"""Convert batches of stored crops into a network's input, with random augmentation of a whole batch at once.

B pictures, C channels, H W pixels.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import isfinite

import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor

from fercli.models.table.schema import NORMS, NormName
from fercli.models.table.specs import ModelSpec

# Of what a network is fed, pixels.
_MAX_SIDE = 4096


@dataclass(frozen=True)
class InputFormat:
    """What a network is fed: a square of `size` pixels, normalised by `mean` and `std` of values in [0, 1].

    `is_equalised` asks for the min-max stretch and histogram equalisation of the 48x48 networks' notebook, `is_grey`
    for colours that are lost before a network of three channels sees them. With a
    `window` below 1 the network learns from windows of that share of the side, cut out at random, and judges the one
    in the middle.
    """

    size: int
    channels: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    is_equalised: bool = False
    window: float = 1.0
    is_grey: bool = False

    @classmethod
    def of_spec(
        cls,
        spec: ModelSpec,
        *,
        size: int | None = None,
        is_equalised: bool = False,
        window: float = 1.0,
        norm: NormName = "own",
        is_grey: bool = False,
    ) -> "InputFormat":
        """The format that a network's row names; another `size` or `norm` where that is asked for."""
        mean, std = NORMS.get(norm, (spec.mean, spec.std))
        return cls(
            size or spec.input_size,
            spec.channels,
            _of_channels(mean, spec.channels),
            _of_channels(std, spec.channels),
            is_equalised,
            window,
            is_grey,
        )

    @property
    def side(self) -> int:
        """The side of what the network is fed, in pixels: that of the window."""
        return max(1, round(self.size * self.window))

    def to_json(self) -> dict[str, object]:
        """Plain values for a checkpoint's JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, object]) -> "InputFormat":
        """The inverse of `to_json`.

        Raises:
            TypeError: a field is missing or unknown.
            ValueError: a value is none that `to_json` gives.
        """
        plain = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
        form = cls(**plain)  # type: ignore[arg-type]  # JSON has no types; see below
        if not form._is_sound():
            raise ValueError(f"a network cannot be fed so: {dict(values)}"[:200])
        return form

    def _is_sound(self) -> bool:
        """Whether all values are of their types, and within their ranges."""
        numbers = (*self.mean, *self.std, self.window)
        return (
            all(type(number) is float and isfinite(number) for number in numbers)
            and all(type(number) is int for number in (self.size, self.channels))
            and all(isinstance(is_so, bool) for is_so in (self.is_equalised, self.is_grey))
            and 0 < self.size <= _MAX_SIDE
            and len(self.mean) == len(self.std) == self.channels in (1, 3)
            and all(one > 0 for one in self.std)
            and 0 < self.window <= 1
        )


@dataclass(frozen=True)
class Augmentation:
    """How far a training picture may be changed; zero turns a change off.

    Args:
        flip: probability of a mirror image.
        rotate_deg: largest turn either way.
        shift: largest shift either way, as a share of the side.
        zoom: largest change of size either way, as a share.
        move: probability of turn, shift, zoom and scale.
        brightness: largest change of the mean either way, as a share of white.
        contrast: largest change of the spread around the picture's own mean, as a share.
        grey: probability of losing the colours.
        noise: probability of Gaussian noise of standard deviation `noise_std`.
        noise_std: as a share of white.
        erase: probability of a rectangle filled with the input's mean.
        erase_area: smallest and largest rectangle, as a share of the picture; sides 0.3 to 3.3 of each other.
        flip_vertical: probability of an image that stands on its head.
        scale: smallest and largest size of the image within its frame, where that is not the same either way.
    """

    flip: float = 0.0
    rotate_deg: float = 0.0
    shift: float = 0.0
    zoom: float = 0.0
    move: float = 1.0
    brightness: float = 0.0
    contrast: float = 0.0
    grey: float = 0.0
    noise: float = 0.0
    noise_std: float = 0.05
    erase: float = 0.0
    erase_area: tuple[float, float] = (0.02, 0.2)
    flip_vertical: float = 0.0
    scale: tuple[float, float] = (1.0, 1.0)

    @property
    def moves_pixels(self) -> bool:
        """Whether any change is geometric."""
        amounts = (self.flip, self.flip_vertical, self.rotate_deg, self.shift, self.zoom)
        return any(amounts) or self.scale != (1.0, 1.0)


def to_input(
    image_BCHW: UInt8[Tensor, "batch _ height width"], form: InputFormat
) -> Float[Tensor, "batch {form.channels} {form.side} {form.side}"]:
    """Stored crops as the network wants them: the window in the middle of `to_whole_input`."""
    first = (form.size - form.side) // 2
    middle = slice(first, first + form.side)
    return to_whole_input(image_BCHW, form)[..., middle, middle]


def to_whole_input(
    image_BCHW: UInt8[Tensor, "batch _ height width"], form: InputFormat
) -> Float[Tensor, "batch {form.channels} {form.size} {form.size}"]:
    """Stored crops before a window is cut: channels, size (bilinear, antialiased when shrinking), mean and std."""
    image = _resize(_to_channels(image_BCHW.float() / 255, form), form.size)
    return _normalise(image, form)


def augment(
    image_BCHW: UInt8[Tensor, "batch _ height width"],
    form: InputFormat,
    augmentation: Augmentation,
    generator: torch.Generator,
) -> Float[Tensor, "batch {form.channels} {form.side} {form.side}"]:
    """As `to_input`, each picture changed by its own random amounts; its window is anywhere.

    All amounts are drawn on the CPU from `generator`, so they are the same on every device. Flip, turn, shift, zoom,
    window and the resize to the network's size are one bilinear sampling; what lies beyond the edge repeats the edge.
    """
    image = _to_channels(image_BCHW.float() / 255, form)
    image = _shrink(image, form.size)
    moves = augmentation.moves_pixels or form.window < 1
    image = _move(image, form, augmentation, generator) if moves else _resize(image, form.size)
    image = _change_light(image, augmentation, generator)
    image = _change_colour_and_noise(image, augmentation, generator)
    image = _normalise(image, form)
    return _erase(image, augmentation, generator) if augmentation.erase else image


def _of_channels(values: tuple[float, ...], channels: int) -> tuple[float, ...]:
    """A number for each channel; of three colours, grey takes the mean."""
    return values if len(values) == channels else (sum(values) / len(values),) * channels


def _to_channels(image: Tensor, form: InputFormat) -> Tensor:
    if image.shape[1] == 3 and (form.channels == 1 or form.is_grey):
        image = _luma(image)
    return image if image.shape[1] == form.channels else image.expand(-1, form.channels, -1, -1)


def _luma(image: Tensor) -> Tensor:
    # ITU-R BT.601, as OpenCV and Pillow turn RGB into grey.
    weights = torch.tensor((0.299, 0.587, 0.114), device=image.device, dtype=image.dtype)
    return torch.einsum("bchw,c->bhw", image, weights)[:, None]


def _resize(image: Tensor, size: int) -> Tensor:
    if image.shape[-2:] == (size, size):
        return image
    return F.interpolate(image, size=(size, size), mode="bilinear", antialias=True, align_corners=False)


def _shrink(image: Tensor, size: int) -> Tensor:
    # Sampling on a coarser grid would alias; a finer one is left to the sampling itself.
    return _resize(image, size) if image.shape[-1] > size else image


def _normalise(image: Tensor, form: InputFormat) -> Tensor:
    mean = torch.tensor(form.mean, device=image.device)[:, None, None]
    std = torch.tensor(form.std, device=image.device)[:, None, None]
    return (image - mean) / std


def _uniform(num: int, width: int, generator: torch.Generator, device: torch.device) -> Tensor:
    """`width` numbers for each of `num` pictures, uniform in [-1, 1)."""
    return (torch.rand(num, width, generator=generator) * 2 - 1).to(device)


def _move(image: Tensor, form: InputFormat, augmentation: Augmentation, generator: torch.Generator) -> Tensor:
    num = len(image)
    amounts = _uniform(num, 4, generator, image.device)
    is_flipped = torch.rand(num, generator=generator).to(image.device) < augmentation.flip
    is_upended = _drawn(num, augmentation.flip_vertical, generator, image.device)
    if augmentation.move < 1:
        is_moved = torch.rand(num, generator=generator).to(image.device) < augmentation.move
        amounts = amounts * is_moved[:, None]
    angle = torch.deg2rad(amounts[:, 0] * augmentation.rotate_deg)
    scale = 1 / (1 + amounts[:, 1] * augmentation.zoom)
    if augmentation.scale != (1.0, 1.0):
        low, high = augmentation.scale
        sizes = low + (high - low) * torch.rand(num, generator=generator).to(image.device)
        scale = scale / (torch.where(is_moved, sizes, 1.0) if augmentation.move < 1 else sizes)
    shift = amounts[:, 2:] * augmentation.shift * 2  # the grid's side is 2
    if form.side < form.size:
        share = form.side / form.size
        scale = scale * share
        shift = shift + _uniform(num, 2, generator, image.device) * (1 - share)
    mirror = torch.where(is_flipped, -1.0, 1.0)
    upend = torch.where(is_upended, -1.0, 1.0)
    cosine, sine = torch.cos(angle) * scale, torch.sin(angle) * scale
    across = torch.stack((cosine * mirror, -sine * upend, shift[:, 0]), dim=1)
    down = torch.stack((sine * mirror, cosine * upend, shift[:, 1]), dim=1)
    grid = F.affine_grid(torch.stack((across, down), dim=1), [num, 1, form.side, form.side], align_corners=False)
    # Apple's kernel of older torch has no border padding.
    return sample(image.contiguous(), grid, has_border=image.device.type != "mps")


def sample(
    image_BCHW: Float[Tensor, "batch channels height width"],
    grid_BHW2: Float[Tensor, "batch rows columns 2"],
    *,
    has_border: bool,
) -> Float[Tensor, "batch channels rows columns"]:
    """Bilinear samples at places from -1 to 1, the edge repeated beyond it; without torch's way to do so, by hand."""
    if has_border:
        return F.grid_sample(image_BCHW, grid_BHW2, mode="bilinear", padding_mode="border", align_corners=False)
    # To repeat the edge is to go no farther than the centres of the outer pixels.
    last = 1 - 1 / torch.tensor((image_BCHW.shape[3], image_BCHW.shape[2]), device=image_BCHW.device)
    inside = grid_BHW2.clamp(-last, last)
    return F.grid_sample(image_BCHW, inside, mode="bilinear", padding_mode="zeros", align_corners=False)


def _change_light(image: Tensor, augmentation: Augmentation, generator: torch.Generator) -> Tensor:
    if not (augmentation.brightness or augmentation.contrast):
        return image
    amounts = _uniform(len(image), 2, generator, image.device)[:, :, None, None, None]
    mean = image.mean((1, 2, 3), keepdim=True)
    spread = 1 + amounts[:, 0] * augmentation.contrast
    return ((image - mean) * spread + mean + amounts[:, 1] * augmentation.brightness).clamp(0, 1)


def _change_colour_and_noise(image: Tensor, augmentation: Augmentation, generator: torch.Generator) -> Tensor:
    if augmentation.grey and image.shape[1] == 3:
        chosen = _chosen(len(image), augmentation.grey, generator, image.device)
        image = torch.where(chosen, _luma(image), image)
    if augmentation.noise:
        chosen = _chosen(len(image), augmentation.noise, generator, image.device)
        noise = torch.randn(image.shape, generator=generator).to(image.device)
        image = torch.where(chosen, (image + noise * augmentation.noise_std).clamp(0, 1), image)
    return image


def _drawn(num: int, probability: float, generator: torch.Generator, device: torch.device) -> Tensor:
    """Which of `num` images are chosen; nothing is drawn where none can be, so that older trainings repeat."""
    if not probability:
        return torch.zeros(num, dtype=torch.bool, device=device)
    return (torch.rand(num, generator=generator) < probability).to(device)


def _chosen(num: int, probability: float, generator: torch.Generator, device: torch.device) -> Tensor:
    return (torch.rand(num, generator=generator) < probability).to(device)[:, None, None, None]


def _erase(image: Tensor, augmentation: Augmentation, generator: torch.Generator) -> Tensor:
    """Fill one rectangle of some pictures with the mean; Zhong et al., Random Erasing, AAAI 2020, algorithm 1."""
    num, _, height, width = image.shape
    chances = torch.rand(num, 5, generator=generator).to(image.device)
    low, high = augmentation.erase_area
    area = (low + chances[:, 0] * (high - low)) * height * width
    aspect = torch.exp((chances[:, 1] * 2 - 1) * torch.log(torch.tensor(3.3)))
    tall = torch.sqrt(area * aspect).clamp(max=height)
    wide = torch.sqrt(area / aspect).clamp(max=width)
    top = (chances[:, 2] * (height - tall))[:, None]
    left = (chances[:, 3] * (width - wide))[:, None]
    rows = torch.arange(height, device=image.device)
    columns = torch.arange(width, device=image.device)
    in_rows = (rows >= top) & (rows < top + tall[:, None])
    in_columns = (columns >= left) & (columns < left + wide[:, None])
    is_erased = in_rows[:, None, :, None] & in_columns[:, None, None, :]
    is_chosen = (chances[:, 4] < augmentation.erase)[:, None, None, None]
    return image.masked_fill(is_erased & is_chosen, 0.0)
