"""fercli-compact."""

from fercli.models.table.schema import ModelSpec, Paper, Values, recipe

ROWS = (
    ModelSpec(
        name="fercli-compact",
        title="This package's own: residual blocks sized for a CPU",
        architecture=(
            "Convolution 3x3 to 32 with BN; three stages of two residual blocks (64, 128, 256 channels), each stage "
            "halving the map; mean; dropout; linear."
        ),
        builder="fercli.models.networks.compact:FerCompact",
        paper=Paper(
            "fercli-compact, a network of this package", "the authors of fercli", "this package; no publication"
        ),
        input_size=48,
        channels=1,
        mean=(0.5,),
        std=(0.25,),
        input_notes="Sides divisible by 8.",
        cam_layer="maps",
        parameters=2_759_143,
        parameters_per_class=257,
        objective="branches",
        recipes={
            # Found by short trials on FER2013, see docs/results.md.
            "default": recipe(
                ours=Values(
                    lr=0.05,
                    batch_size=64,
                    optimizer="sgd",
                    epochs=40,
                    weight_decay=5e-4,
                    momentum=0.9,
                    nesterov=True,
                    decays_norms=False,
                    scheduler="one-cycle",
                    label_smoothing=0.1,
                    ema_decay=0.999,
                    mixup=0.2,
                    augmentation={
                        "flip": 0.5,
                        "rotate_deg": 12.0,
                        "shift": 0.08,
                        "zoom": 0.12,
                        "brightness": 0.1,
                        "contrast": 0.2,
                        "erase": 0.4,
                        "erase_area": (0.02, 0.25),
                    },
                )
            )
        },
        notes=("Not from a paper: provided in addition to the published models.",),
        is_ours=True,
        small_options={"stem": 8, "widths": (8, 8, 16), "depths": (1, 1, 2)},
        small_size=32,
        place=53,
    ),
)
