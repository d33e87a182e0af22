"""fercli-mobilenet."""

from fercli.models.table.schema import ModelSpec, Paper, Values, recipe

ROWS = (
    ModelSpec(
        name="fercli-mobilenet",
        title="MobileNet for face weights; small enough for a CPU",
        architecture=(
            "Convolution 3x3 of stride 2 to 32; 13 blocks of a depthwise 3x3 and a pointwise convolution (64 to 1024 "
            "channels), BN and ReLU6 after each; mean; dropout; linear."
        ),
        builder="fercli.models.networks.mobilenet:FaceMobileNet",
        paper=Paper(
            "MobileNets: Efficient Convolutional Neural Networks for Mobile Vision Applications",
            "Howard et al.",
            "arXiv 1704.04861",
            2017,
            url="https://arxiv.org/abs/1704.04861",
        ),
        input_size=112,
        channels=3,
        mean=(123.68 / 255, 116.779 / 255, 103.939 / 255),
        std=(1 / 255, 1 / 255, 1 / 255),
        input_notes="Values of 0 to 255 less ImageNet's means. Any size; its face weights were trained at 224.",
        cam_layer="backbone",
        parameters=3_214_151,
        parameters_per_class=1025,
        recipes={
            # Found by short trials on FER2013 with face weights, for which it is meant; see docs/results.md.
            "default": recipe(
                ours=Values(
                    lr=0.02,
                    batch_size=64,
                    optimizer="sgd",
                    epochs=25,
                    weight_decay=5e-4,
                    momentum=0.9,
                    nesterov=True,
                    decays_norms=False,
                    scheduler="one-cycle",
                    label_smoothing=0.1,
                    ema_decay=0.999,
                    mixup=0.2,
                    plain_epochs=4,
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
        backbone="mobilenet",
        notes=(
            "Not one of the compared papers' models: provided in addition to them.",
            "The recipe is meant for face weights; see fer models --weights.",
        ),
        is_ours=True,
        small_options={"widths": (8,) * 12 + (16, 16)},
        small_size=64,
        place=40,
    ),
)
