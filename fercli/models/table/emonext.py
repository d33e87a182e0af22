"""emonext in its four sizes."""

from fercli.models.table.schema import ModelSpec, Paper, ThopCounts, Values, recipe

_PAPER = Paper("EmoNeXt: an Adapted ConvNeXt for Facial Emotion Recognition", "El Boudouri and Bohi", "MMSP", 2023)
_RECIPE = recipe(
    paper=Values(optimizer="adamw", lr=1e-3, scheduler="warmup-cosine", label_smoothing=0.2, ema_decay=0.99),
    code=Values(
        batch_size=32,
        epochs=20,
        weight_decay=0.01,
        grad_clip=1.0,
        patience=12,
        augmentation={"flip": 0.5, "grey": 0.1, "rotate_deg": 20.0, "shift": 6 / 224},
    ),
    ours=Values(warmup_epochs=5.0),
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
        objective="emonext",
        options={"depths": depths, "widths": widths},
        cam_layer="stages.3",
        parameters=parameters,
        parameters_per_class=widths[-1] + 1,
        table4=table4,
        reported=reported or {},
        recipes={"default": _RECIPE},
        backbone="convnext",
        notes=("The authors start from ImageNet's ConvNeXt weights.",),
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
