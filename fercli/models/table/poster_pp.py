"""poster-pp."""

from fercli.models.table.poster import INPUT, NOTES
from fercli.models.table.schema import IMAGENET_MEAN, IMAGENET_STD, ModelSpec, Paper, Recipe, ThopCounts, Values, recipe


def _recipe(lr: float, code: Values) -> Recipe:
    return recipe(
        paper=Values(
            optimizer="sam-adam", lr=lr, sam_rho=0.05, batch_size=144, scheduler="exponential", scheduler_gamma=0.98
        ),
        code=code,
    )


_RAF = Values(epochs=200, augmentation={"flip": 0.5, "erase": 0.5, "erase_area": (0.02, 0.1)})
_AFFECTNET = Values(
    epochs=200, sampler="balanced", augmentation={"flip": 0.5, "erase": 1.0, "erase_area": (0.05, 0.05)}
)


ROWS = (
    ModelSpec(
        name="poster-pp",
        title="Landmark queries at three scales, joined by a small transformer",
        architecture=(
            "IR-50 in three stages; at each scale a frozen landmark MobileFaceNet's map asks it by window "
            "cross-attention; three scales as 147 tokens and a class token; transformer of depth 2; gate; linear."
        ),
        builder="fercli.models.networks.poster_pp:PosterPp",
        paper=Paper(
            "POSTER++: A simpler and stronger facial expression recognition network",
            "Mao et al.",
            "arXiv 2301.12149",
            2023,
            url="https://arxiv.org/abs/2301.12149",
        ),
        input_size=224,
        channels=3,
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        input_notes=INPUT,
        fast_size=112,
        cam_layer="embeds.2",
        parameters=43_849_957,
        parameters_per_class=769,
        table4=ThopCounts(
            8_482_266_176,
            43_723_542,
            num_classes=6,
            input_size=224,
            printed="8.482 G / 43.724 M",
            is_exact=True,
        ),
        reported={"fer2013": 74.73, "ferplus": 91.92, "raf-db": 92.17, "affectnet7": 67.34, "scfed": 93.11},
        recipes={
            "default": _recipe(3.5e-5, _RAF),
            "raf-db": _recipe(3.5e-5, _RAF),
            "affectnet7": _recipe(1e-6, _AFFECTNET),
        },
        backbone="ir50+mobilefacenet",
        notes=NOTES,
        small_options={
            "landmark_width": 0.125,
            "landmark_blocks": (1, 0, 0),
            "ir_blocks": (1, 1, 1),
            "embed": 32,
            "depth": 1,
        },
        small_size=112,
        place=24,
    ),
)
