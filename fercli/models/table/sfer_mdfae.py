"""sfer-mdfae."""

from fercli.models.table.schema import HALF, Ablation, ModelSpec, Paper, Recipe, ThopCounts, Values, recipe


def _recipe(lr: float, *, batch_size: int = 64, weight_decay: float = 1e-4, patience: int = 50) -> Recipe:
    """Section 4.3; "momentum 0.9" of its Adam is beta1, which is Adam's default."""
    return recipe(
        paper=Values(
            optimizer="adam",
            lr=lr,
            momentum=0.9,
            weight_decay=weight_decay,
            batch_size=batch_size,
            epochs=None,
            patience=patience,
            augmentation={"flip": 0.5, "erase": 0.5},
        ),
        # As in POSTER++, whose practice the paper follows elsewhere.
        ours=Values(
            scheduler="exponential", scheduler_gamma=0.98, norm="half", augmentation={"erase_area": (0.02, 0.1)}
        ),
    )


ROWS = (
    ModelSpec(
        name="sfer-mdfae",
        title="Multi-dimensional feature fusion and top-n attention over IR-50",
        architecture=(
            "Image at 112; IR-50 in four stages; MDPFA: channel attention and mean of every stage (960 "
            "numbers); KROA: each of the 7x7 last patches attends to the 15 most related of them, 8 heads, plus a "
            "depthwise 5x5 of the values, mean (512); linear."
        ),
        builder="fercli.models.networks.sfer_mdfae:SferMdfae",
        paper=Paper(
            "A Student Facial Expression Recognition Model Based on Multi-Scale and Deep Fine-Grained Feature "
            "Attention Enhancement (SFER-MDFAE)",
            "Shou et al.",
            "Sensors 24, 6748",
            2024,
            doi="10.3390/s24206748",
        ),
        input_size=224,
        channels=3,
        mean=HALF,
        std=HALF,
        input_notes="224 is shrunk to 112 inside, antialiased (model.resize=nearest as POSTER++ does); 112 passes.",
        fast_size=112,
        cam_layer="kroa",
        parameters=31_976_887,
        parameters_per_class=1_473,
        table4=ThopCounts(
            6_361_792_460,
            31_975_414,
            num_classes=6,
            input_size=224,
            printed="6.362 G / 31.975 M",
            is_exact=True,
        ),
        reported={"fer2013": 76.18, "ferplus": 92.75, "raf-db": 92.93, "affectnet7": 67.86, "scfed": 93.74},
        ablations={
            "nm": Ablation("the last scale alone instead of all four"),
            "np": Ablation("four scales without channel attention"),
            "np-l4": Ablation("the mean of the last map instead of the four scales", is_of_paper=False),
            "na": Ablation("the mean of the last map instead of top-n attention"),
            "rw": Ablation("window cross-attention instead of top-n attention"),
        },
        recipes={
            "default": _recipe(1e-5),
            "fer2013": _recipe(1e-5),
            "ferplus": _recipe(1e-5, batch_size=100),
            "raf-db": _recipe(3e-5),
            "affectnet7": _recipe(2e-6, weight_decay=5e-5, patience=12),
            "scfed": _recipe(1e-5),
        },
        backbone="ir50",
        notes=(
            "The paper starts IR-50 from MS-Celeb-1M weights, which are not part of this package.",
            "On FERPlus, RAF-DB and AffectNet the paper stops early on the set it reports; ours draws val from train.",
            "The paper does not say what images are normalised by: 0.5 is ours; POSTER++, whose practice it cites, "
            "takes ImageNet's (norm=imagenet).",
            "No code was published; ablations are variants: model.variant=nm|np|np-l4|na|rw, model.topn=1..49.",
        ),
        small_options={"widths": (8, 16, 24, 32), "blocks": (1, 1, 1, 1)},
        small_size=112,
        place=10,
    ),
)
