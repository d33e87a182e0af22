"""poster."""

from fercli.models.table.eac import NOISE_STD
from fercli.models.table.schema import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    ModelSpec,
    Paper,
    Recipe,
    SamplerName,
    ThopCounts,
    Values,
    recipe,
)

INPUT = "224 is shrunk to 112 inside; 112 passes. The authors feed RAF-DB in BGR; we feed RGB."
NOTES = (
    "Without pretrained landmark weights set model.freeze_landmarks=false: frozen random features are of little use.",
    "The authors choose the best epoch on the set they report.",
)


def _recipe(lr: float, sampler: SamplerName = "shuffle") -> Recipe:
    return recipe(
        paper=Values(optimizer="sam-adam", lr=lr, sam_rho=0.05),
        code=Values(
            batch_size=200,
            sampler=sampler,
            epochs=300,
            scheduler="exponential",
            scheduler_gamma=0.98,
            augmentation={
                "flip": 0.5,
                # Half of the images are either mirrored or made noisy before all else: mirrored they stay half of them.
                "noise": 0.25,
                "noise_std": NOISE_STD,
                "erase": 0.5,
                "erase_area": (0.02, 0.1),
            },
        ),
    )


ROWS = (
    ModelSpec(
        name="poster",
        title="Pyramid of cross-fusion between image and landmark features",
        architecture=(
            "IR-50 in three stages and a frozen landmark MobileFaceNet, 49 tokens each and a mean token; eight pyramid "
            "blocks at widths 512, 256 and 128 in which each stream's queries are the other's tokens; gate; linear."
        ),
        builder="fercli.models.networks.poster:Poster",
        paper=Paper(
            "POSTER: a Pyramid Cross-Fusion Transformer Network for Facial Expression Recognition",
            "Zheng, Mendieta and Chen",
            "ICCV Workshops",
            2023,
        ),
        input_size=224,
        channels=3,
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        input_notes=INPUT,
        fast_size=112,
        objective="poster",
        cam_layer="backbone.stages.2",
        parameters=59_002_271,
        parameters_per_class=513,
        table4=ThopCounts(
            7_895_148_064,
            58_976_158,
            num_classes=6,
            input_size=224,
            printed="7.895 G / 58.976 M",
            is_exact=True,
        ),
        reported={"fer2013": 74.87, "ferplus": 91.55, "raf-db": 92.14, "affectnet7": 67.23, "scfed": 93.25},
        recipes={"default": _recipe(4e-5), "raf-db": _recipe(4e-5), "affectnet7": _recipe(2e-6, sampler="balanced")},
        backbone="ir50+mobilefacenet",
        notes=NOTES,
        small_options={
            "landmark_width": 0.125,
            "landmark_blocks": (1, 0, 0),
            "ir_blocks": (1, 1, 1),
            "ir_widths": (8, 8, 16),
            "depth": 1,
        },
        small_size=112,
        place=23,
    ),
)
