"""emonext in its four sizes."""

from fercli.models.table.schema import ModelSpec, Paper, ThopCounts, Values, recipe

_PAPER = Paper("EmoNeXt: an Adapted ConvNeXt for Facial Emotion Recognition", "El Boudouri and Bohi", "MMSP", 2023)
# Batch size and epochs are those of the command that its README gives; 32 and 20 are the program's defaults.
_RECIPE = recipe(
    paper=Values(optimizer="adamw", lr=1e-3, label_smoothing=0.2),
    code=Values(
        batch_size=64,
        epochs=300,
        weight_decay=0.01,
        grad_clip=1.0,
        patience=12,
        scheduler="cosine-restarts",
        warmup_steps=128,
        restart_steps=1024,
        ema_decay=0.99,
        ema_every=16,
        window=224 / 236,
        augmentation={"flip": 0.5, "flip_vertical": 0.5, "grey": 1.0, "rotate_deg": 20.0},
    ),
)


def _row(
    size: str,
    *,
    depths: tuple[int, ...],
    widths: tuple[int, ...],
    parameters: int,
    table4: ThopCounts,
    reported: dict[str, float] | None = None,
) -> ModelSpec:
    return ModelSpec(
        name=f"emonext-{size}",
        title=f"ConvNeXt-{size.capitalize()} behind a spatial transformer, with channel gates",
        architecture=(
            "Spatial transformer; ConvNeXt in four stages with squeeze and excitation after each halving; mean, "
            "norm, linear. Its objective evens out the attention among the images of a batch."
        ),
        builder="fercli.models.networks.emonext:EmoNext",
        paper=_PAPER,
        input_size=224,
        channels=3,
        mean=(0.0, 0.0, 0.0),
        std=(1.0, 1.0, 1.0),
        input_notes="Grey, repeated to three channels, in [0, 1]; crop 224 of 236 in training, ten crops in the test.",
        paper_size=236,
        objective="emonext",
        options={"depths": depths, "widths": widths},
        cam_layer="stages.3",
        parameters=parameters,
        parameters_per_class=widths[-1] + 1,
        table4=table4,
        reported=reported or {},
        recipes={"default": _RECIPE},
        backbone="convnext",
        notes=(
            "The authors start from ImageNet's ConvNeXt weights.",
            "They choose the epoch by the network itself on random crops and test the mean of the weights; here the "
            "mean is validated, on the middle, and kept.",
        ),
        small_options={"depths": (1, 1, 2, 1), "widths": (16, 24, 32, 48), "image_size": 64},
        small_size=64,
        place=21,
    )


# The paper's table has the base size; the others were counted the same way on the authors' code.
ROWS = (
    _row(
        "tiny",
        depths=(3, 3, 9, 3),
        widths=(96, 192, 384, 768),
        parameters=30_564_331,
        table4=ThopCounts(4_537_700_000, 30_542_900, num_classes=7, input_size=224),
    ),
    _row(
        "small",
        depths=(3, 3, 27, 3),
        widths=(96, 192, 384, 768),
        parameters=52_198_891,
        table4=ThopCounts(8_765_900_000, 52_156_700, num_classes=7, input_size=224),
    ),
    _row(
        "base",
        depths=(3, 3, 27, 3),
        widths=(128, 256, 512, 1024),
        parameters=91_765_259,
        table4=ThopCounts(15_438_156_056, 91_708_042, num_classes=6, input_size=224, printed="15.438 G / 91.708 M"),
        reported={"fer2013": 73.78, "ferplus": 90.23, "raf-db": 87.25, "affectnet7": 65.54, "scfed": 92.42},
    ),
    _row(
        "large",
        depths=(3, 3, 27, 3),
        widths=(192, 384, 768, 1536),
        parameters=204_582_475,
        table4=ThopCounts(34_448_700_000, 204_498_200, num_classes=7, input_size=224),
    ),
)
