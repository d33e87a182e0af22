"""sfernet."""

from fercli.models.table.schema import IMAGENET_MEAN, IMAGENET_STD, ModelSpec, Paper, Values, recipe

ROWS = (
    ModelSpec(
        name="sfernet",
        title="Attention among superpixels in four stages, learned by mixed experts",
        architecture=(
            "Two strided 3x3 convolutions and a block of eight mixed experts (MEFE); four stages of blocks, each "
            "attention among superpixels (SPAA), then an MLP gated by local and global context (DARF); "
            "generalised mean; linear."
        ),
        builder="fercli.models.networks.sfernet:SferNet",
        paper=Paper(
            "SFERNet: Student Facial Expression Recognition using Superpixel-Assisted Global Semantic Enhancement and "
            "Fine-Grained Features",
            "",
            "README and figures of the SFERD project; no publication found",
        ),
        input_size=224,
        channels=3,
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        input_notes="Faces aligned by five points; sides divisible by 32.",
        cam_layer="tokens",
        cam_grid=(7, 7),
        parameters=29_320_504,
        parameters_per_class=769,
        macs=3_730_000_000,
        recipes={
            # The project publishes no training.
            "default": recipe(
                ours=Values(
                    lr=5e-4,
                    batch_size=64,
                    optimizer="adamw",
                    epochs=100,
                    weight_decay=0.05,
                    scheduler="warmup-cosine",
                    warmup_epochs=5.0,
                    augmentation={"flip": 0.5, "erase": 0.5, "erase_area": (0.02, 0.1)},
                )
            )
        },
        notes=("Sizes that no source states are ours, and so is the recipe; no accuracy of it is published.",),
        small_options={"width": 12, "depths": (1, 1, 1, 1), "sizes": (8, 1, 1, 1), "stem": 8, "experts": 2},
        small_size=64,
        place=11,
    ),
)
