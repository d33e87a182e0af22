"""ddamfn."""

from fercli.models.table.schema import IMAGENET_MEAN, IMAGENET_STD, ModelSpec, Paper, Recipe, ThopCounts, Values, recipe


def _sgd(epochs: int, *, rotate_deg: float, padding: int) -> Recipe:
    return recipe(
        code=Values(
            lr=0.01,
            batch_size=256,
            optimizer="sgd",
            epochs=epochs,
            momentum=0.9,
            weight_decay=1e-4,
            scheduler="step",
            scheduler_gamma=0.1,
            step_epochs=10,
            augmentation={
                "flip": 0.5,
                "rotate_deg": rotate_deg,
                "shift": padding / 112,
                "move": 0.2,
                "erase": 0.5,
                "erase_area": (0.02, 0.25),
            },
        )
    )


ROWS = (
    ModelSpec(
        name="ddamfn",
        title="MobileFaceNet of mixed kernels with dual-direction attention heads",
        architecture=(
            "MobileFaceNet of 31 residual and 3 halving blocks with depthwise kernels 3 to 9 and coordinate "
            "attention; two direction-attention heads whose maximum weighs the last map; depthwise 7x7; linear."
        ),
        builder="fercli.models.networks.ddamfn:Ddamfn",
        paper=Paper(
            "A Dual-Direction Attention Mixed Feature Network for Facial Expression Recognition",
            "Zhang et al.",
            "Electronics",
            2023,
        ),
        input_size=112,
        channels=3,
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        objective="ddamfn",
        cam_layer="weighted",
        parameters=4_105_999,
        parameters_per_class=513,
        table4=ThopCounts(
            563_549_088, 4_105_999, num_classes=7, input_size=112, printed="0.564 G / 4.106 M", is_exact=True
        ),
        reported={"fer2013": 72.03, "ferplus": 90.45, "raf-db": 90.97, "affectnet7": 66.72, "scfed": 93.00},
        recipes={
            "default": _sgd(40, rotate_deg=5.0, padding=8),
            "raf-db": _sgd(40, rotate_deg=5.0, padding=8),
            "ferplus": _sgd(80, rotate_deg=10.0, padding=16),
            "affectnet7": recipe(
                code=Values(
                    optimizer="adam",
                    lr=1e-4,
                    batch_size=256,
                    epochs=40,
                    weight_decay=0.0,
                    scheduler="exponential",
                    scheduler_gamma=0.6,
                    sampler="balanced",
                    augmentation={
                        "flip": 0.5,
                        "rotate_deg": 20.0,
                        "scale": (0.8, 1.0),
                        "shift": 0.2,
                        "move": 0.7,
                        "erase": 0.5,
                        "erase_area": (0.02, 0.33),
                    },
                )
            ),
        },
        backbone="mixed-mobilefacenet",
        notes=("The authors start from their backbone trained on MS-Celeb-1M.",),
        small_options={"width": 0.125, "repeats": (1, 0, 0)},
        small_size=112,
        place=22,
    ),
)
