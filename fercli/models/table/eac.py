"""eac."""

from fercli.models.table.schema import IMAGENET_MEAN, IMAGENET_STD, ModelSpec, Paper, ThopCounts, Values, recipe

# Variance 30 of values from 0 to 255.
NOISE_STD = 30**0.5 / 255

ROWS = (
    ModelSpec(
        name="eac",
        title="ResNet-50 trained by erasing attention consistency",
        architecture=(
            "ResNet-50 with the stride on the first 1x1 of a bottleneck; mean; linear. Its objective holds the "
            "class maps of an image and of its mirror image equal."
        ),
        builder="fercli.models.networks.eac:Eac",
        paper=Paper(
            "Learn From All: Erasing Attention Consistency for Noisy Label Facial Expression Recognition (EAC)",
            "Zhang et al.",
            "ECCV",
            2022,
        ),
        input_size=224,
        channels=3,
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        objective="eac",
        cam_layer="backbone.layer4",
        parameters=23_522_375,
        parameters_per_class=2_049,
        table4=ThopCounts(
            3_898_290_176,
            23_522_375,
            num_classes=7,
            input_size=224,
            printed="3.898 G / 23.522 M",
            is_exact=True,
        ),
        reported={"fer2013": 72.78, "ferplus": 89.98, "raf-db": 90.16, "affectnet7": 64.74, "scfed": 92.03},
        recipes={
            "default": recipe(
                code=Values(
                    lr=1e-4,
                    batch_size=32,
                    optimizer="adam",
                    epochs=60,
                    weight_decay=1e-4,
                    scheduler="exponential",
                    scheduler_gamma=0.9,
                    augmentation={"erase": 0.5, "erase_area": (0.02, 0.25), "noise": 0.5, "noise_std": NOISE_STD},
                )
            )
        },
        backbone="resnet50",
        notes=("The authors start from a ResNet-50 of VGGFace2.",),
        small_options={"width": 8, "blocks": (1, 1, 1, 1)},
        small_size=64,
        place=20,
    ),
)
